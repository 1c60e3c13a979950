"""The stages' loops: who rings often is heard, and not every time by himself."""

import asyncio
import itertools

from syncd.contract.errors import SyncdError
from syncd.pipeline.canary import Canary
from syncd.pipeline.watch import Watch
from syncd.stages import APART, Stages

from .harness import Harness


def passes(harness: Harness, name: str, *, rings: int, every: float) -> int:
    """How many passes a stage makes while it is rung so often."""
    made: list[float] = []
    broken: list[SyncdError] = []

    async def work() -> int:
        made.append(asyncio.get_running_loop().time())
        return 0

    async def ring() -> None:
        stages = Stages(harness.parts, Canary(), Watch(), broken.append)
        stage = stages._stages[name]
        stage.work = work
        stages.start(lambda one: one is stage)
        for _ in range(rings):
            harness.parts.bells.ring(name)
            await asyncio.sleep(every)
        await asyncio.sleep(2 * APART["inbox"])
        await stages.stop()

    harness.run(ring())
    assert broken == []
    assert all(later - sooner >= APART["inbox"] * 0.9 for sooner, later in itertools.pairwise(made))
    return len(made)


def test_what_rings_in_quick_succession_is_done_in_few_passes(harness: Harness) -> None:
    assert passes(harness, "inbox", rings=10, every=0.01) <= 3


def test_what_rings_now_and_then_is_done_at_once(harness: Harness) -> None:
    assert passes(harness, "inbox", rings=2, every=2 * APART["inbox"]) == 2
