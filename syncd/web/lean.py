"""uvicorn without its command line, which brings click and a supervisor of processes: 2 MB, a fiftieth of a start."""

from __future__ import annotations

import sys
from types import ModuleType

if "uvicorn" not in sys.modules:
    _command = ModuleType("uvicorn.main")
    _command.__dict__.update(dict.fromkeys(("Server", "main", "run")))  # what uvicorn imports from there
    sys.modules["uvicorn.main"] = _command
    import uvicorn
    from uvicorn.server import Server

    del sys.modules["uvicorn.main"], uvicorn.main, uvicorn.run
    uvicorn.Server = Server  # type: ignore[misc]
