"""One file per kind of CRM or provider. A connector imports `syncd.contract` and nothing else of ours."""
