"""The real receiver of callbacks with the real ledger, and nothing else of the daemon, as a process.

`python -m benchmarks.receiver CONFIG.yaml durable|nothing`: with `nothing`, the ledger says at once that it has stored
a delivery, and does nothing at all. The first line tells the port and genuine addresses.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncd import compose
from syncd.config import load
from syncd.ledger import inbox
from syncd.ledger.store import Ledger
from syncd.pipeline.canary import Canary
from syncd.registry import Registry
from syncd.web import public
from syncd.web.listener import Listener

ADDRESSES = 64


class Nothing(Ledger):
    """Stores no delivery, at once."""

    async def write(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return True if work is inbox.store else await super().write(work, *args, **kwargs)


async def _serve(configuration: Path, ledger_class: type[Ledger]) -> None:
    registry = Registry()
    settings = load(configuration, {}, registry=registry)
    ledger = ledger_class.open(settings.ledger.path)
    clock = compose.clock_of(settings)
    parts = await compose.assemble(settings, registry, ledger, clock)
    listener = Listener(public.application(parts, Canary()), settings.callbacks.listen)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await listener.start()
    minted = [
        parts.addresses.mint("fullenrich", f"{n:032x}", expires=clock.now() + 3_600, part="each")
        for n in range(ADDRESSES)
    ]
    print(json.dumps(minted), flush=True)
    await stop.wait()
    await listener.stop()
    await compose.close(parts)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), {"durable": Ledger, "nothing": Nothing}[sys.argv[2]]))
