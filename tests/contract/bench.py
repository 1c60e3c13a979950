"""What the tests of connectors are given instead of the world: a clock that jumps, a memory in a dict."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from syncd.contract.pacing import Clock
from syncd.contract.ports import Tools

START = 1_790_000_000.0  # in September 2026


class JumpingClock:
    """Whoever sleeps on it finds that the time has passed at once. `slept` says how long each one wished."""

    def __init__(self, start: float = START) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class DictMemory:
    """Keeps JSON, as the ledger does, and forgets it with the test."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def recall(self, key: str) -> Any:
        return json.loads(self._kept[key]) if key in self._kept else None

    async def keep(self, key: str, value: Any) -> None:
        self._kept[key] = json.dumps(value)


def bench(clock: Clock | None = None, seed: int = 7) -> Tools:
    """Tools for one connector."""
    return Tools(clock=clock or JumpingClock(), rng=random.Random(seed), memory=DictMemory())
