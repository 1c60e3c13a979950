"""Imports structlog and httpx without what they bring for terminals: rich, pygments, click; 0.2 s and 11 MB.

The daemon uses none of it: `syncd.log` renders its lines, and nobody calls httpx's own command line. Import this
before anything that imports them; rich can be imported afterwards as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def _as_if_not_installed(name: str) -> Iterator[None]:
    """Both packages do without it where it is not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # as Python itself marks what can't be imported
    try:
        yield
    finally:
        del sys.modules[name]


with _as_if_not_installed("rich"):
    import_module("structlog")
with _as_if_not_installed("httpx._main"):
    import_module("httpx")
