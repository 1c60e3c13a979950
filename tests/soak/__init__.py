"""The long forms of the reliability tests: one module per part, `__main__` runs them and reports."""
