"""Imports structlog without what it brings for terminals: rich and pygments; 0.1 s and 8 MB.

The daemon uses none of it: `syncd.log` renders its lines. Import this before anything that imports structlog; rich can
be imported afterwards as ever.
"""

from __future__ import annotations

import sys
from importlib import import_module

_missing = "rich" not in sys.modules
if _missing:
    sys.modules["rich"] = None  # type: ignore[assignment] # as Python itself marks what can't be imported
try:
    import_module("structlog")
finally:
    if _missing:
        del sys.modules["rich"]
