"""A connector that forgot its port."""


class Connector:
    """Without port, options and capabilities."""
