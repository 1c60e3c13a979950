"""Sweep: time passes. Results are asked for, deadlines end, what is due comes back to the queue."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from syncd.config import InDoubtPolicy, Port, Settings, Settle
from syncd.contract.errors import Halt, RateLimited, Retry, Skip, Trouble
from syncd.ledger import (
    arrivals,
    connections,
    daily,
    inbox,
    jobs,
    rates,
    retention,
    reviews,
    submissions,
    undos,
    unpriced,
    upkeep,
    writes,
)
from syncd.ledger.claims import Kind
from syncd.ledger.rates import TooSoon
from syncd.ledger.retention import Purged
from syncd.ledger.states import SubmissionState
from syncd.ledger.store import Tx

from . import account, reconfigure, requests, work
from .parts import Lane, Parts
from .work import Held, hold

POLLS = 10  # per pass: polling shares the provider's rate limit with the paid calls
POLL_AGAIN = 300.0
FORGOTTEN_AGAIN = 200  # deliveries looked at once more, per pass
AGAIN_AT_A_START = 1000  # the same, once: nothing is bought before they are read

log = structlog.get_logger("syncd.sweep")


async def run_once(parts: Parts) -> int:
    """One pass over everything that only time moves; returns how many things moved."""
    # The watch may not have looked yet: after a start, or since the clock was set.
    await _pull_who_is_wanted(parts)
    await requests.take_marks(parts)
    now = parts.clock.now()
    believed = not parts.gate.hold and await parts.in_time(now)
    moved = await _time_passes(parts, now) if believed else 0
    if await _restored_lately(parts):
        moved += await parts.ledger.write(inbox.look_again, submissions.FORGOTTEN, limit=FORGOTTEN_AGAIN)
    for name, lane in parts.lanes.items():
        trouble = await parts.ledger.read(connections.trouble, name)
        polls = lane.provider.capabilities.poll_after is not None and trouble in (None, Trouble.CREDITS)
        if polls and await account.is_known(parts, name):  # another account knows nothing of our calls
            moved += await _poll(parts, name, lane)
    return moved


async def _pull_who_is_wanted(parts: Parts) -> None:
    """`syncd pull` leaves a mark, for it is another process."""
    if wanted := await parts.ledger.read(upkeep.marks, upkeep.PULL_NOW):
        await parts.ledger.write(_forget_marks, wanted)
        for name in wanted:
            parts.bells.ring(f"pull:{name}")


def _forget_marks(tx: Tx, wanted: Iterable[str]) -> None:
    for name in wanted:
        upkeep.clear_mark(tx, upkeep.PULL_NOW + name)


async def _time_passes(parts: Parts, now: float) -> int:
    moved = await parts.ledger.write(_what_is_due, now=now)
    moved += await _deadlines(parts, now)
    old, purged = await parts.ledger.write(_what_is_old, parts.settings, now=now)
    if any(purged):
        log.info("purged", **purged._asdict())
    return moved + old


def _what_is_due(tx: Tx, *, now: float) -> int:
    moved = jobs.queue_due(tx, now=now) + reviews.decide_overdue(tx, now=now) + submissions.end_failed(tx, now=now)
    rates.forget(tx, now=now)
    return moved


def _what_is_old(tx: Tx, settings: Settings, *, now: float) -> tuple[int, Purged]:
    """Calls of which nobody told the charge, and what was kept for long enough."""
    moved = 0
    for connection in settings.connections.values():
        if connection.port is Port.PROVIDER:
            free = connection.expired.settle is Settle.FREE
            over = now - connection.expired.after
            moved += unpriced.settle_old(tx, connection.name, free=free, before=over)
    keep = settings.ledger.keep
    before = {"raw_before": now - keep.raw, "jobs_before": now - keep.jobs, "people_before": now - keep.people}
    daily.count(tx, now=now)
    return moved, retention.purge(tx, **before, now=now)


async def recover(parts: Parts) -> int:
    """After a start: the ledger follows the configuration, what was being sent is in doubt, what was being written is
    looked at once it must have landed, and every open result is asked for. What could not be read may be read by what
    runs now. Where other processes work, it is theirs: only what those whose leases are over have left is seen to."""
    alone = await work.begin(parts)
    await reconfigure.run_once(parts)
    await parts.ledger.write(inbox.look_again, limit=AGAIN_AT_A_START)
    if not alone:
        return await work.run_once(parts)
    hold_for = {name: connection.in_doubt_hold for name, connection in parts.settings.connections.items()}
    doubtful = await parts.ledger.write(submissions.recover, hold_for, now=parts.clock.now())
    await parts.ledger.write(writes.postpone_all, now=parts.clock.now())
    await parts.ledger.write(undos.postpone_all, now=parts.clock.now())
    for name in parts.lanes:
        await parts.ledger.write(submissions.poll_all_now, name, now=parts.clock.now())
    return doubtful


async def _restored_lately(parts: Parts) -> bool:
    """Until a restored ledger buys again, what it has forgotten may still be recognised."""
    frozen_until = await parts.ledger.read(upkeep.mark, upkeep.FROZEN_UNTIL)
    return frozen_until is not None and parts.clock.now() < frozen_until


async def _poll(parts: Parts, name: str, lane: Lane) -> int:
    """Ask for results that should have come by callback."""
    stored = 0
    ids = await parts.ledger.read(submissions.to_poll, name, POLLS, now=parts.clock.now())
    if ids:
        async with hold(parts, Kind.SUBMISSION, ids) as held:
            stored = await _ask(parts, name, lane, held)
    return stored


async def _ask(parts: Parts, name: str, lane: Lane, held: Held) -> int:
    stored = 0
    for submission_id in held.items:
        submission = await parts.ledger.read(submissions.load, submission_id)
        if submission is None or not await _may_poll(parts, name, lane):
            break
        again: float | None = parts.clock.now() + POLL_AGAIN
        try:
            delivery = await lane.provider.poll(submission)
        except Retry as error:
            if isinstance(error, RateLimited):
                wait = error.after or 60.0
                lane.pacer.block(wait)
                await held.write(connections.refuses, name, wait, float, now=parts.clock.now())
            log.warning("poll_failed", connection=name, why=str(error))
            break
        except Halt as error:
            await parts.ledger.write(
                connections.halt, name, error.trouble, str(error), error.cure, now=parts.clock.now()
            )
            break
        except Skip as error:
            log.warning("result_lost", connection=name, submission=submission_id, why=str(error))
            again = None
        else:
            if delivery is not None:
                sample = lane.provider.capabilities.sample
                stored += await held.write(arrivals.store, name, delivery, now=parts.clock.now(), sample=sample)
                parts.bells.ring("inbox")
        await held.write(submissions.polled, submission_id, again)
    return stored


async def _may_poll(parts: Parts, name: str, lane: Lane) -> bool:
    """Do the provider's limits allow a poll now? It is counted, where polls count."""
    if not lane.provider.capabilities.polls_count:
        return True
    if lane.pacer.ready_in() > 0:
        return False
    try:
        await parts.ledger.write(rates.take, name, lane.pacer.limits(), now=parts.clock.now())
    except TooSoon as soon:
        lane.pacer.block(soon.wait)
        return False
    lane.pacer.take()
    return True


async def _deadlines(parts: Parts, now: float) -> int:
    policies = {name: connection.in_doubt_policy for name, connection in parts.settings.connections.items()}
    ask = [name for name, policy in policies.items() if policy is InDoubtPolicy.ASK]
    over = await parts.ledger.read(submissions.overdue, ask, now=now)
    for submission_id, name, state in over:
        await _overdue(parts, submission_id, name, state, policies.get(name))
    if over:
        parts.bells.ring("verify")
    return len(over)


async def _overdue(
    parts: Parts, submission_id: str, name: str, state: SubmissionState, policy: InDoubtPolicy | None
) -> None:
    now = parts.clock.now()
    if state is SubmissionState.IN_DOUBT and policy is InDoubtPolicy.RESEND_ONCE:
        note = "no answer came while it was in doubt: sent once more, as in_doubt.policy says"
        await parts.ledger.write(submissions.resend, submission_id, note, now=now, due=now)
        log.warning("resent", connection=name, submission=submission_id, rule="in_doubt.policy: resend_once")
        return
    if state is SubmissionState.IN_DOUBT:
        note = "nobody could say whether it was sent, and it is not to be sent again"
    else:
        note = "no answer came in time; it may have been charged"
    await parts.ledger.write(submissions.expire, submission_id, state, note, now=now, due=now)
