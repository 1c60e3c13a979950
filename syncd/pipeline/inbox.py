"""Inbox: raw deliveries that are on disk are read, matched to what was asked, and applied."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

import structlog

from syncd.config import Settings, WritePolicy
from syncd.contract.errors import Garbled, Trouble
from syncd.contract.model import CONTACT_EVENT, Answer, Delivery, Outcome, Source, Submission
from syncd.ledger import breakers, budgets, connections, inbox, submissions
from syncd.ledger import ids as names
from syncd.ledger.claims import Kind, Lost
from syncd.ledger.file import LedgerError
from syncd.ledger.inbox import Reading, Received
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Wanted

from . import breaker
from .parts import Lane, Parts
from .spending import dearer_prices
from .work import Held, hold

PAGE = 100
MANY = 200  # deliveries of which the contacts are decided on while the next ones are applied
AT_A_STRETCH = 20  # deliveries that are read before others in the event loop have their turn
MENTIONED = 16  # ids in one answer that are looked for

log = structlog.get_logger("syncd.inbox")


async def run_once(parts: Parts) -> int:
    """Apply every delivery that waits, oldest first; returns how many jobs were answered.

    Until it has done so once, nothing is bought: it may be there already.
    """
    answered, untold = 0, 0
    while ids := await parts.ledger.read(inbox.waiting, PAGE):
        async with hold(parts, Kind.DELIVERY, ids, partial(inbox.waiting, limit=PAGE)) as held:
            answered += await _apply(parts, held)
        untold += len(ids)
        if untold >= MANY:  # as many as are decided on in one go; fewer would take more statements in all
            untold = 0
            parts.bells.go_on("verify")
    if parts.gate.set("inbox", ""):
        await parts.publish()
    return answered


async def _apply(parts: Parts, held: Held) -> int:
    """Read a page of deliveries, and apply together what can be read; what can't goes its own way."""
    waiting, known = await parts.ledger.read(_look, parts, held.items)
    readings = []
    for n, got in enumerate(waiting, 1):
        if (reading := await _read(parts, got, known)) is not None:
            readings.append(reading)
        if n % AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    return await _apply_together(parts, held, readings) if readings else 0


async def _apply_together(parts: Parts, held: Held, readings: Sequence[Reading]) -> int:
    now = parts.clock.now()
    try:
        return await held.finish(inbox.apply_many, readings, now=now)
    except (LedgerError, Lost):
        raise
    except Exception:  # whoever of the page caused it: it is raised below, once its page-mates are applied
        if len(readings) == 1:
            raise
    # One of them breaks: each by itself, so that the others are applied before it is told.
    outcomes = [await _alone(parts, held, reading) for reading in readings]
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return sum(outcome for outcome in outcomes if isinstance(outcome, int))


async def _alone(parts: Parts, held: Held, reading: Reading) -> int | Exception:
    try:
        return await held.write(inbox.apply_many, [reading], now=parts.clock.now())
    except (LedgerError, Lost):
        raise
    except Exception as error:  # noqa: BLE001 - raised once its page-mates are applied
        return error


@dataclass(slots=True)
class _Known:
    """What the ledger knows of the calls that a page of deliveries answers. `over`: those that had their last word;
    `taken`: calls whose answers are not signed and of which this page has one."""

    calls: dict[str, Submission]
    over: set[str]
    taken: set[str] = field(default_factory=set)


def _unsigned(parts: Parts, got: Received) -> bool:
    return got.delivery.source is Source.CALLBACK and not parts.lanes[got.provider].provider.capabilities.signed


def _look(tx: Tx, parts: Parts, ids: Sequence[int]) -> tuple[list[Received], _Known]:
    """A page of deliveries, and what the ledger knows of the calls that they answer."""
    found = inbox.received(tx, ids)
    return found, _known(tx, parts, [got for got in found if got.provider in parts.lanes])


def _known(tx: Tx, parts: Parts, waiting: Sequence[Received]) -> _Known:
    unsigned = {got.delivery.submission_id for got in waiting if _unsigned(parts, got)}
    wanted = [
        Wanted(
            got.delivery.submission_id,
            _mentioned(got.delivery),
            known=not parts.lanes[got.provider].provider.capabilities.signed,
        )
        for got in waiting
    ]
    over = inbox.had_last_word(tx, unsigned) if unsigned else set()
    return _Known(submissions.load_many(tx, wanted), over)


def _mentioned(delivery: Delivery) -> frozenset[str] | None:
    """The ids in an answer about one contact of a bulk: its requests need not be loaded all. None: all of them."""
    named = names.requests_in(delivery.body) if delivery.part == CONTACT_EVENT else None
    return named if named and len(named) <= MENTIONED else None


async def _read(parts: Parts, got: Received, known: _Known) -> Reading | None:
    """What a delivery says; None where it is set aside, or waits for the next page."""
    lane = parts.lanes.get(got.provider)
    if lane is None:
        await _quarantine(parts, got, "no sync uses this provider any more")
        return None
    if not got.checked and not lane.provider.authenticate(got.delivery):
        await _quarantine(parts, got, inbox.UNSIGNED)
        return None
    submission = known.calls.get(got.delivery.submission_id) or await _adopted(parts, got, lane)
    if submission is None:
        await _quarantine(parts, got, submissions.FORGOTTEN)
        return None
    known.calls[submission.id] = submission
    if _unsigned(parts, got) and not await _expected(parts, got, known):
        return None
    try:
        answer = await _parse(parts, got, lane, submission)
    except Garbled as error:
        if any(request.ref != submissions.ERASED for request in submission.requests) or not submission.requests:
            await _unreadable(parts, got, error)
            return None
        answer = _about_the_erased(error, lane, submission)
    await _out_of_credits(parts, got.provider, lane, answer)
    await _dearer(parts, got.provider, lane, answer)
    answer, fetch = _before_it_is_missing(got, answer, lane)
    now, caps = parts.clock.now(), lane.provider.capabilities
    poll_at = None if caps.poll_after is None else now + caps.poll_after
    deadline = now + caps.answer_within
    return Reading(
        got=got,
        answer=answer,
        poll_at=poll_at,
        deadline=deadline,
        fetch=fetch,
        replaces=_replaces(parts.settings),
        unsigned=_unsigned(parts, got),
    )


def _replaces(settings: Settings) -> bool:
    """Does any sync's write policy replace values?"""
    policies = (policy.writes for sync in settings.syncs for policy in sync.fields.values())
    return any(one is not WritePolicy.FILL_BLANK for one in policies)


async def _expected(parts: Parts, got: Received, known: _Known) -> bool:
    """Is an unsigned answer to be read now? Not after the last word; and one at a time, for each may be the last."""
    id_ = got.delivery.submission_id
    if id_ in known.over:
        await parts.ledger.write(inbox.set_aside_surplus, got)
        return False
    first = id_ not in known.taken
    known.taken.add(id_)
    return first


async def _parse(parts: Parts, got: Received, lane: Lane, submission: Submission) -> Answer:
    """An answer about one contact is read with the requests that it names; where that leaves something over, with
    all of the call's."""
    named = _mentioned(got.delivery)
    if named is None:
        return lane.provider.parse(got.delivery, submission)
    if asked := tuple(request for request in submission.requests if request.id in named):
        answer = lane.provider.parse(got.delivery, replace(submission, requests=asked))
        if not answer.unmatched:
            return answer
    whole = await parts.ledger.read(submissions.load, submission.id)
    return lane.provider.parse(got.delivery, whole or submission)


def _about_the_erased(error: Garbled, lane: Lane, submission: Submission) -> Answer:
    """An answer about somebody who was erased can't be compared with anything. Its charge counts, if it can be true."""
    price = lane.provider.capabilities.price
    most = sum((price[field] for request in submission.requests for field in request.fields), Decimal(0))
    charged = error.charged if error.charged is not None and error.charged <= most else None
    return Answer(results=(), final=True, charged=charged, unmatched=1)


def _before_it_is_missing(got: Received, answer: Answer, lane: Lane) -> tuple[Answer, bool]:
    """A last word by callback that leaves somebody out: the job is fetched before anybody counts as missing."""
    missing = [result for result in answer.results if result.outcome is Outcome.MISSING]
    polled = got.delivery.source is Source.POLL or lane.provider.capabilities.poll_after is None
    if not missing or polled:
        return answer, False
    told = tuple(result for result in answer.results if result.outcome is not Outcome.MISSING)
    return replace(answer, results=told, final=False, charged=None), True


async def _unreadable(parts: Parts, got: Received, error: Garbled) -> None:
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
    if not paid:
        await _quarantine(parts, got, str(error))


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
    dear = defaultdict[str, Decimal](Decimal)  # by request: two fields may be too dear only together
    for result in answer.results:
        if result.outcome is Outcome.NO_CREDITS:
            dear[result.request_id] += price[result.field]
    if dear:
        message, cure = f"{name}'s credits ran out in the middle of a job", f"Buy credits at {name}."
        least, now = min(dear.values()), parts.clock.now()
        await parts.ledger.write(breakers.change, name, breaker.on_row(lambda state: state.too_dear(least, now)))
        if any(one < least for one in price.values()):
            log.warning("too_dear", connection=name, credits=str(least), why=message, cure=cure)
            return
        if await parts.ledger.write(connections.halt, name, Trouble.CREDITS, message, cure, now=parts.clock.now()):
            log.error("halted", connection=name, trouble=Trouble.CREDITS, why=message, cure=cure)


async def _dearer(parts: Parts, name: str, lane: Lane, answer: Answer) -> None:
    """What costs more than it is listed with is reserved with that price from now on."""
    listed = lane.provider.capabilities.price
    prices = {} if answer.charged is None else dearer_prices(answer.results, answer.charged, listed)
    if not prices:
        return
    if await parts.ledger.write(budgets.learn_prices, name, prices, listed, now=parts.clock.now()):
        told = {str(field): f"{price:.3f}" for field, price in prices.items()}
        log.warning(
            "dearer_than_listed", connection=name, charged=told, listed={str(f): str(listed[f]) for f in prices}
        )


async def _quarantine(parts: Parts, got: Received, note: str) -> None:
    if await parts.ledger.write(inbox.quarantine, got, note):
        log.warning("quarantined", connection=got.provider, delivery=got.id, why=note)
