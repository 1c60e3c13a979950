"""Made-up connectors, so that the tests of configuration and registry depend on no vendor."""
