"""The stages' loops: who rings often is heard, and not every time by himself."""

import asyncio
import itertools

from syncd.contract.errors import SyncdError
from syncd.pipeline.canary import Canary
from syncd.pipeline.watch import Watch
from syncd.stages import APART, POURING, QUIET, TICK, Stages

from .harness import Harness


def passes(harness: Harness, name: str, *, rings: int, every: float, moved: int = 1) -> list[float]:
    """When a stage makes its passes while it is rung so often; each of them moves so much."""
    made: list[float] = []
    broken: list[SyncdError] = []

    async def work() -> int:
        made.append(asyncio.get_running_loop().time())
        return moved

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
    return made


def test_what_rings_in_quick_succession_is_done_in_few_passes(harness: Harness) -> None:
    made = passes(harness, "inbox", rings=10, every=0.01)
    assert len(made) <= 3
    assert all(later - sooner >= APART["inbox"] * 0.9 for sooner, later in itertools.pairwise(made))


def test_a_pass_that_found_nothing_holds_nobody_up(harness: Harness) -> None:
    made = passes(harness, "inbox", rings=2, every=APART["inbox"] / 4, moved=0)
    assert len(made) == 2
    assert made[1] - made[0] < APART["inbox"]


def test_what_rings_now_and_then_is_done_at_once(harness: Harness) -> None:
    assert len(passes(harness, "inbox", rings=2, every=2 * APART["inbox"])) == 2


def test_who_has_left_full_batches_goes_on_without_a_pause(harness: Harness) -> None:
    made: list[float] = []
    name = f"writeback:{harness.sync.name}"

    async def work() -> int:
        made.append(asyncio.get_running_loop().time())
        if len(made) < 5:
            harness.parts.bells.go_on("writeback")
        return 1

    async def ring() -> None:
        stages = Stages(harness.parts, Canary(), Watch(), lambda _: None)
        stage = stages._stages[name]
        stage.work = work
        stages.start(lambda one: one is stage)
        harness.parts.bells.ring(name)
        await asyncio.sleep(APART["writeback"] * 0.9)
        await stages.stop()

    harness.run(ring())
    assert len(made) == 5


def test_calls_go_out_the_moment_they_may_again(harness: Harness) -> None:
    """A tick would come a second later."""
    made: list[float] = []

    async def work() -> int:
        made.append(asyncio.get_running_loop().time())
        if len(made) == 1:
            harness.parts.lanes[harness.fake.name].pacer.block(0.2)
        return 0

    async def ring() -> None:
        stages = Stages(harness.parts, Canary(), Watch(), lambda _: None)
        stage = stages._stages[f"dispatch:{harness.fake.name}"]
        stage.work = work
        stages.start(lambda one: one is stage)
        harness.parts.bells.ring(stage.name)
        await asyncio.sleep(TICK * 0.3)
        await stages.stop()

    harness.run(ring())
    assert len(made) == 2
    assert made[1] - made[0] >= 0.2


def test_callbacks_that_pour_in_are_acknowledged_before_they_are_applied(harness: Harness) -> None:
    begun: list[float] = []

    async def pour() -> tuple[float, float]:
        now = asyncio.get_running_loop().time

        async def work() -> int:
            begun.append(now())
            return 0

        stages = Stages(harness.parts, Canary(), Watch(), lambda _: None)
        stage = stages._stages["inbox"]
        stage.work = work
        stages.start(lambda one: one is stage)
        first = now()
        harness.parts.bells.callback()
        harness.parts.bells.called_at += 100  # as if they came for ever
        while not begun:
            await asyncio.sleep(QUIET)
        waited = begun[0] - first
        await asyncio.sleep(APART["inbox"])
        begun.clear()
        alone = now()
        harness.parts.bells.callback()
        while not begun:
            await asyncio.sleep(QUIET)
        await stages.stop()
        return waited, begun[0] - alone

    while_they_pour, alone = harness.run(pour())
    assert while_they_pour >= POURING * 0.9, "at the latest after a while"
    assert alone >= QUIET * 0.9
