"""Two processes on one ledger: the stages of one are interrupted at every turn by all the stages of the other."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from syncd.contract.pacing import Pacer
from syncd.contract.testing import StillClock
from syncd.ledger.store import Ledger
from syncd.pipeline import dispatch, inbox, plan, pull, sweep, verify, work, writeback
from syncd.pipeline.gate import Gate
from syncd.pipeline.parts import Accounts, Bells, Lane, Parts
from syncd.pipeline.work import AtWork

from .harness import Harness

Stage = Callable[[Parts], Awaitable[object]]


def another(harness: Harness, *, number: int = 1) -> Parts:
    """The parts of another process on a harness's ledger: nothing is shared but the ledger and the world outside."""
    ids = itertools.count(1)
    lanes = {name: Lane(provider=fake, pacer=_pacer(harness, name)) for name, fake in harness.fakes.items()}
    return replace(
        harness.parts,
        rng=random.Random(number),
        new_id=lambda: f"{number:08x}{next(ids):024x}",
        lanes=lanes,
        gate=Gate({}),
        bells=Bells(),
        accounts=Accounts(),
        look_at={},
        at_work=AtWork(),
    )


def _pacer(harness: Harness, name: str) -> Pacer:
    return Pacer(harness.fakes[name].capabilities.windows, harness.clock)


async def everything(parts: Parts) -> None:
    """One pass of each stage; what is written is written later than the CRM was asked."""
    for sync in parts.syncs:
        await pull.run_once(parts, sync)
    cast("StillClock", parts.clock).time += 0.001
    await plan.run_once(parts)
    for name in parts.lanes:
        await dispatch.run_once(parts, name)
    await inbox.run_once(parts)
    await verify.run_once(parts)
    for sync in parts.syncs:
        await writeback.run_once(parts, sync)
    await sweep.run_once(parts)
    await work.run_once(parts)


@dataclass
class Crossing:
    """A ledger that lets somebody else in before its `at`-th unit of work, or look; and once only."""

    ledger: Ledger
    at: int
    other: Callable[[], Awaitable[object]]
    passed: int = 0

    @property
    def shared(self) -> bool:
        return self.ledger.shared

    async def write(self, *args: Any, **kwargs: Any) -> Any:
        await self._pass()
        return await self.ledger.write(*args, **kwargs)

    async def read(self, *args: Any, **kwargs: Any) -> Any:
        await self._pass()
        return await self.ledger.read(*args, **kwargs)

    async def _pass(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            await self.other()


async def crossed(parts: Parts, stage: Stage, at: int, other: Callable[[], Awaitable[object]]) -> bool:
    """Run a stage with somebody else in its midst; False once it has fewer turns than that."""
    crossing = Crossing(parts.ledger, at, other)
    await stage(replace(parts, ledger=cast("Ledger", crossing)))
    return crossing.passed >= at
