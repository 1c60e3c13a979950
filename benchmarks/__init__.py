"""What it costs: `python -m benchmarks [NAME [ARGUMENTS]]`; each module has a `main(argv)` that prints a table."""
