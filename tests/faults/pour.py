"""Callbacks at a steady pace from a process of its own, so that making them takes nothing from who answers them.

    python -m tests.faults.pour < wish.json     prints what came of it as JSON

`pour` starts one and waits for it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .client import Client
from .gauges import percentile
from .process import ROOT, Load, environment


def pour(port: int, urls: Sequence[str], per_second: float, seconds: float, *, first: int = 0) -> dict[str, Any]:
    """So many callbacks a second for so long, numbered from `first`. Returns how many were sent, the failures by kind,
    and in milliseconds p50, p99 and the longest of the answers, and p99 of how late the callbacks themselves were."""
    wish = {"port": port, "urls": list(urls), "per_second": per_second, "seconds": seconds, "first": first}
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.pour"],
        cwd=ROOT, env=environment(), input=json.dumps(wish), capture_output=True, text=True,
        timeout=seconds + 300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


async def _main(wish: dict[str, Any]) -> dict[str, Any]:
    load, stop = Load(Client(wish["port"]), wish["urls"], wish["per_second"], sent=wish["first"]), asyncio.Event()
    pouring = asyncio.create_task(load.run(stop))
    late = await _lateness(wish["seconds"])
    stop.set()
    await pouring
    told = {"p50": percentile(load.took, 0.5), "p99": percentile(load.took, 0.99), "longest": max(load.took)}
    milliseconds = {name: round(1000 * value, 1) for name, value in (told | {"late": percentile(late, 0.99)}).items()}
    return {"sent": load.sent - wish["first"], "failed": Counter(load.failed), **milliseconds}


async def _lateness(seconds: float) -> list[float]:
    """How late a timer of 10 ms rings here: what a busy machine adds to every figure."""
    loop, late = asyncio.get_running_loop(), list[float]()
    end = loop.time() + seconds
    while (now := loop.time()) < end:
        await asyncio.sleep(0.01)
        late.append(loop.time() - now - 0.01)
    return late


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_main(json.load(sys.stdin)))))
