"""The real receiver of callbacks with the real ledger, and nothing else of the daemon, as a process.

`python -m benchmarks.receiver CONFIG.yaml durable|hasty`: a hasty ledger commits without waiting for the disk. The
first line tells the port.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from syncd import compose
from syncd.config import load
from syncd.ledger import file
from syncd.ledger.store import Ledger
from syncd.pipeline.canary import Canary
from syncd.registry import Registry
from syncd.web import public
from syncd.web.listener import Listener


async def _serve(configuration: Path) -> None:
    registry = Registry()
    settings = load(configuration, {}, registry=registry)
    ledger = Ledger.open(settings.ledger.path)
    clock = compose.clock_of(settings)
    parts = await compose.assemble(settings, registry, ledger, clock)
    listener = Listener(public.application(parts, Canary()), settings.callbacks.listen)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await listener.start()
    print(listener.port, flush=True)
    await stop.wait()
    await listener.stop()
    await compose.close(parts)


if __name__ == "__main__":
    if sys.argv[2] == "hasty":
        file._PRAGMAS["synchronous"] = "0"  # noqa: SLF001 - no ledger of ours should ever be opened so
    asyncio.run(_serve(Path(sys.argv[1])))
