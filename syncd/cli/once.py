"""`run --once`: how far it is, how it stands at the end, and what is left undone."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncd import compose
from syncd.config import ConditionKind, Settings
from syncd.daemon import Daemon
from syncd.ledger import pauses, reports
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Ledger, Tx, reading
from syncd.observe.conditions import derive
from syncd.observe.status import look
from syncd.settling import settled

from .output import pasteable, tell, with_cure
from .progress import looking, progress

EVERY = 0.5  # seconds between two looks at how far it is


async def until_settled(daemon: Daemon, within: float) -> None:
    """Until nothing moves any more, or for so many seconds."""
    try:
        async with asyncio.timeout(within), seen(daemon.parts.ledger):
            await settled(daemon.working)
    except TimeoutError:
        return


@asynccontextmanager
async def seen(ledger: Ledger) -> AsyncIterator[None]:
    """How far it is, is shown meanwhile on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    before = await ledger.read(reports.far)

    async def look() -> None:
        with progress("enriching", "fields", rate=True) as line:
            while True:
                now = await ledger.read(reports.far)
                line(now.done - before.done, now.total - before.done, now.in_words(before))
                await asyncio.sleep(EVERY)

    async with looking(look):
        yield


def tell_how_it_stands(settings: Settings) -> None:
    """What has become of everything so far, and what wants a person now."""
    with reading(settings.ledger.place) as tx:
        paused = pauses.in_force(tx, now=compose.clock_of(settings).now())
        ended: Counter[str] = Counter()
        for row in reports.counts(tx):
            ended[row["reason"]] += row["n"]
        states, spent = reports.by_state(tx), reports.credits_by_provider(tx)
    written, others = ended.pop(Reason.WRITTEN, 0), sum(n for reason, n in ended.items() if reason)
    charged = sum(one["charged"] for one in spent.values())
    tell(f"{written:,} values are written, {others:,} fields ended without one; {charged:,g} credits were charged.")
    if waiting := states[JobState.REVIEW]:
        tell(pasteable(f"{waiting:,} values wait for you: syncd review list"))
    for one in paused:
        tell(pasteable(f"{one.name or 'syncd'} is paused: {one.why}: syncd resume {one.name or '--all'}"))


def _moving(tx: Tx, settings: Settings, *, now: float) -> int:
    """How much would still move, but for what somebody has paused."""
    paused = pauses.in_force(tx, now=now)
    unwritten = [sync.name for sync in settings.syncs if any(one.stops_writing(sync.name) for one in paused)]
    unasked = [
        (sync.name, provider, field)
        for sync in settings.syncs
        for field, policy in sync.fields.items()
        for provider in policy.providers
        if any(one.stops_buying(sync.name, provider) for one in paused)
    ]
    return reports.moving(tx, unasked, unwritten=unwritten)


def left_undone(settings: Settings) -> list[str]:
    """What is not done, each with what to do about it."""
    with reading(settings.ledger.place) as tx:
        return _left(tx, settings, now=compose.clock_of(settings).now())


def _left(tx: Tx, settings: Settings, *, now: float) -> list[str]:
    status = look(tx, settings, now=now)
    obstacles = [one for one in derive(status) if one.blocks and one.kind is not ConditionKind.BUDGET]
    left = [with_cure(f"{one.who} {one.what}: {one.why}", one.cure, one.code) for one in obstacles]
    told = {one.why for one in obstacles}
    failed = {name: run["error"] for name, run in status["runs"].items() if run["error"]}
    left += [f"{name} could not be pulled: {why}" for name, why in failed.items() if why not in told]
    if waiting := _moving(tx, settings, now=now):
        left.append(f"{waiting} jobs still wait for something; run again, or see `syncd status`")
    if doubtful := reports.by_state(tx)[JobState.IN_DOUBT]:
        left.append(f"{doubtful} jobs are in doubt, for nobody knows whether their call arrived; see `syncd status`")
    return left
