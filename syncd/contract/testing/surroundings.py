"""What a connector is given instead of the world: a clock that stands still, fixed chance, a memory of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from syncd.contract.ports import Tools


@dataclass
class StillClock:
    """A clock that stands still but for its own sleeps, which take no time, and remembers them."""

    time: float = 1_800_000_020.0  # 20 seconds into a minute
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)  # others have their turn, as in any sleep


@dataclass
class DictMemory:
    """Remembers for as long as the test."""

    kept: dict[str, Any] = field(default_factory=dict)

    def recall(self, key: str) -> Any:
        return self.kept.get(key)

    async def keep(self, key: str, value: Any) -> None:
        self.kept[key] = value


def tools(memory: DictMemory | None = None) -> Tools:
    """Still time, fixed chance, a memory of its own."""
    return Tools(clock=StillClock(), rng=random.Random(1), memory=memory or DictMemory())


class Closing(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closing)
T = TypeVar("T")


def use(make: Callable[[], C], act: Callable[[C], Coroutine[Any, Any, T]]) -> T:
    """Run `act` on a fresh connector inside its own event loop, and close it whatever happens."""

    async def main() -> T:
        connector = make()
        try:
            return await act(connector)
        finally:
            await connector.aclose()

    return asyncio.run(main())
