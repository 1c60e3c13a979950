"""Inbox: raw deliveries that are on disk are read, matched to what was asked, and applied."""

from __future__ import annotations

from dataclasses import replace

import structlog

from syncd.contract.errors import Garbled, Trouble
from syncd.contract.model import Answer, Outcome, Source, Submission
from syncd.ledger import breakers, connections, inbox, submissions
from syncd.ledger.inbox import Received

from . import breaker
from .parts import Lane, Parts

PAGE = 100

log = structlog.get_logger("syncd.inbox")


async def run_once(parts: Parts) -> int:
    """Apply every delivery that waits, oldest first; returns how many jobs were answered.

    Until it has done so once, nothing is bought: it may be there already.
    """
    answered = 0
    while waiting := await parts.ledger.read(inbox.received, PAGE):
        for got in waiting:
            answered += await _apply(parts, got)
    if parts.gate.set("inbox", ""):
        await parts.publish()
    return answered


async def _apply(parts: Parts, got: Received) -> int:
    lane = parts.lanes.get(got.provider)
    if lane is None:
        return await _quarantine(parts, got, "no sync uses this provider any more")
    if got.note and not lane.provider.authenticate(got.delivery):
        return await _quarantine(parts, got, inbox.UNSIGNED)
    submission = await parts.ledger.read(submissions.load, got.delivery.submission_id)
    submission = submission or await _adopted(parts, got, lane)
    if submission is None:
        return await _quarantine(parts, got, submissions.FORGOTTEN)
    unsigned = got.delivery.source is Source.CALLBACK and not lane.provider.capabilities.signed
    if unsigned and await parts.ledger.read(inbox.had_last_word, submission.id):
        await parts.ledger.write(inbox.set_aside_surplus, got)
        return 0
    try:
        answer = lane.provider.parse(got.delivery, submission)
    except Garbled as error:
        return await _unreadable(parts, got, error)
    await _out_of_credits(parts, got.provider, lane, answer)
    answer, fetch = _before_it_is_missing(got, answer, lane)
    now, caps = parts.clock.now(), lane.provider.capabilities
    return await parts.ledger.write(
        inbox.apply,
        got,
        answer,
        poll_at=None if caps.poll_after is None else now + caps.poll_after,
        deadline=now + caps.answer_within,
        now=now,
        fetch=fetch,
    )


def _before_it_is_missing(got: Received, answer: Answer, lane: Lane) -> tuple[Answer, bool]:
    """A last word by callback that leaves somebody out: the job is fetched before anybody counts as missing."""
    missing = [result for result in answer.results if result.outcome is Outcome.MISSING]
    polled = got.delivery.source is Source.POLL or lane.provider.capabilities.poll_after is None
    if not missing or polled:
        return answer, False
    told = tuple(result for result in answer.results if result.outcome is not Outcome.MISSING)
    return replace(answer, results=told, final=False, charged=None), True


async def _unreadable(parts: Parts, got: Received, error: Garbled) -> int:
    """Set aside until a version can read it; loudly where it was paid for."""
    paid = error.charged is not None and error.charged > 0
    if paid and await parts.ledger.write(inbox.quarantine, got, str(error)):
        await parts.ledger.write(inbox.count_paid_unread)
        log.error(
            "paid_answer_set_aside",
            connection=got.provider,
            delivery=got.id,
            credits=str(error.charged),
            why=str(error),
            cure="It is looked at again by the next version; its contact is not asked about meanwhile.",
        )
        return 0
    return 0 if paid else await _quarantine(parts, got, str(error))


async def _adopted(parts: Parts, got: Received, lane: Lane) -> Submission | None:
    """The call behind a genuine answer that this ledger has forgotten, if it can be told."""
    price = lane.provider.capabilities.price
    if not await parts.ledger.write(submissions.adopt, got.delivery, got.provider, price, now=parts.clock.now()):
        return None
    log.warning("adopted", connection=got.provider, submission=got.delivery.submission_id)
    return await parts.ledger.read(submissions.load, got.delivery.submission_id)


async def _out_of_credits(parts: Parts, name: str, lane: Lane, answer: Answer) -> None:
    """What the credits did not reach is queued again: it must not be sent before there are some. What is cheaper is."""
    price = lane.provider.capabilities.price
    dear = [price[result.field] for result in answer.results if result.outcome is Outcome.NO_CREDITS]
    if dear:
        message, cure = f"{name}'s credits ran out in the middle of a job", f"Buy credits at {name}."
        least, now = min(dear), parts.clock.now()
        await parts.ledger.write(breakers.change, name, breaker.on_row(lambda state: state.too_dear(least, now)))
        if any(one < least for one in price.values()):
            log.warning("too_dear", connection=name, credits=str(least), why=message, cure=cure)
            return
        if await parts.ledger.write(connections.halt, name, Trouble.CREDITS, message, cure, now=parts.clock.now()):
            log.error("halted", connection=name, trouble=Trouble.CREDITS, why=message, cure=cure)


async def _quarantine(parts: Parts, got: Received, note: str) -> int:
    if await parts.ledger.write(inbox.quarantine, got, note):
        log.warning("quarantined", connection=got.provider, delivery=got.id, why=note)
    return 0
