"""Imports structlog without what it looks for beside itself: rich and pygments for terminals, greenlet; 0.1 s and 9 MB.

The daemon uses none of it: `syncd.log` renders its lines. Import this before anything that imports structlog; they can
be imported afterwards as ever.
"""

from __future__ import annotations

import sys
from importlib import import_module

_missing = [name for name in ("rich", "greenlet") if name not in sys.modules]
for _name in _missing:
    sys.modules[_name] = None  # type: ignore[assignment] # as Python itself marks what can't be imported
try:
    import_module("structlog")
finally:
    for _name in _missing:
        del sys.modules[_name]
