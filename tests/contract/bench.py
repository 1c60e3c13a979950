"""What the tests of connectors are given instead of the world: a clock that stands still, a memory in a dict."""

from __future__ import annotations

import json
import random
from typing import Any

from syncd.contract.pacing import Clock
from syncd.contract.ports import Tools
from syncd.contract.testing import StillClock

START = 1_790_000_000.0  # in September 2026


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
    return Tools(clock=clock or StillClock(START), rng=random.Random(seed), memory=DictMemory())
