"""httpx without its command line, which brings rich and pygments: seven megabytes, a twentieth of a second."""

from __future__ import annotations

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # as Python itself marks what can't be imported

import httpx as httpx  # noqa: E402, PLC0414 - re-exported
