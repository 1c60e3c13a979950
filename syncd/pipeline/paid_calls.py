"""Paid calls: each with its intent on disk before it can cost anything, and what became of it.

Whom to ask is chosen in `dispatch`. No retry may ever wrap `Provider.submit`: a call either was refused for certain, or
is in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Concatenate, NamedTuple, TypeVar

import structlog

from syncd.config import Connection, Sync
from syncd.contract.errors import BrokenInvariant, Halt, InDoubt, RateLimited, Retry, Skip, Split, Trouble, Unlisted
from syncd.contract.model import (
    CONTACT_EVENT,
    Delivery,
    Field,
    Receipt,
    Source,
    Submission,
)
from syncd.ledger import (
    arrivals,
    breakers,
    connections,
    ids,
    room,
    submissions,
)
from syncd.ledger.claims import Lost
from syncd.ledger.confirmations import NotYet
from syncd.ledger.connections import NONE
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.gates import Shut
from syncd.ledger.permits import Permit
from syncd.ledger.rates import TooSoon
from syncd.ledger.results import Since
from syncd.ledger.room import Limit, OverBudget
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Item, Stale

from . import breaker
from .breaker import Breaker
from .parts import Lane, Parts
from .work import Held

DAY = 86_400.0
ADDRESS_LIFE = 60 * DAY  # late callbacks are paid for: they stay welcome
BACK_OFF_CAP = 3600.0
NOTE_CAP_AGAIN = 600.0  # seconds until the ledger is told again that a call does not fit into a cap
SPARE = 0.1  # of the limits over a long time: kept for those who are new

log = structlog.get_logger("syncd.dispatch")

T = TypeVar("T")


class _NotSent(Exception):
    """The call was not made, although its intent is on disk; and why."""


class Taken(NamedTuple):
    """A call that the provider has taken on. Until that is stored, it is an intent of which a crash would make a doubt;
    its answer would resolve that."""

    submission: Submission
    receipt: Receipt


@dataclass(slots=True)
class Calls:
    """One sync's calls at one provider, and what they have found out: may another one be made?"""

    parts: Parts
    lane: Lane
    connection: Connection
    sync: Sync
    held: Held | None = None  # the jobs that are being chosen from, and sent
    stopped: bool = False
    halted: bool = False  # nobody may ask this provider for now
    tight: bool = False  # there was no room for a call in a budget: no other one of the same page is tried
    spare: float = SPARE  # the part of the limits that is left for those who are new
    sent: int = 0
    prices: Mapping[Field, Decimal] = field(default_factory=dict)  # credits for each field, at worst
    refresh: bool = False  # values of ours are verified again

    def may_send(self) -> bool:
        return (
            not self.stopped
            and not self.tight
            and not self.is_shut()
            and self.lane.breaker.goes_out
            and self.lane.pacer.ready_in(self.spare) == 0
        )

    @property
    def claimed(self) -> Held:
        if self.held is None:
            raise BrokenInvariant("nothing is chosen or sent without a claim")
        return self.held

    @property
    def known_prices(self) -> Mapping[Field, Decimal]:
        """Credits for each field, at worst."""
        return self.prices or self.lane.provider.capabilities.price

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What these calls have to fit into."""
        return self.parts.limits(self.sync.name, self.connection.name, refresh=self.refresh)

    def known_since(self, now: float) -> dict[Field, Since]:
        """From when on what is known counts, for other records and for identical questions, too."""
        ages = {field: self.sync.ages(field, self.connection.name) for field in self.sync.fields}
        return {field: Since(now - age.not_found, now - age.found) for field, age in ages.items()}

    def is_shut(self) -> bool:
        return self.parts.clock_was_set or bool(self.parts.gate.why(self.sync.name))

    def worst_case(self, items: Iterable[Item]) -> Decimal:
        return sum(self.worst_shares(items).values(), Decimal(0))

    def worst_shares(self, items: Iterable[Item]) -> dict[Field, Decimal]:
        """The worst case of each field."""
        fields = Counter(field for item in items for field in item.jobs)
        return {field: self.known_prices[field] * n for field, n in fields.items()}

    async def carry(self, items: Sequence[Item]) -> None:
        """One intent, one call, one outcome. Of a bulk dearer than what is left, a part goes ahead."""
        if (taken := await self.call(items)) is not None:
            await self.store(taken)

    async def call(self, items: Sequence[Item]) -> Taken | None:
        """The intent and the call. What came of it is stored, but for a call that was taken on: that is returned, and
        has to be given to `store`."""
        if (submission := await self._intended(items)) is None:
            return None
        self.sent += 1
        began = self.lane.breaker.opened_at
        try:
            receipt = await self._submit(submission)
        except _NotSent as why:
            await self._refused(submission, f"not sent: {why}")
        except (Split, Skip, Retry, Halt) as error:
            await self._not_taken(submission, items, error, began)
        except InDoubt as error:
            await self._close(submission, str(error))
        except BaseException as error:
            # Whatever broke (a bug, a cancelled task), the call may have been made.
            self.stopped = True
            await self._doubt(submission, f"syncd failed while sending: {type(error).__name__}")
            raise
        else:
            await self._taken(began)
            return Taken(submission, receipt)
        return None

    async def _intended(self, items: Sequence[Item]) -> Submission | None:
        """A call whose intent is on disk; None where there is nothing to send for now."""
        try:
            return await self._intend(items)
        except (Stale, Lost, NotYet):
            return None  # they are looked at anew
        except Shut:
            self.stopped = True  # why is told where that was found
        except TooSoon as soon:
            self.stopped = True
            if not self.spare:
                self.lane.pacer.block(soon.wait)
        except OverBudget as cap:
            await self._afford(items, cap)
        return None

    async def _not_taken(
        self, submission: Submission, items: Sequence[Item], error: Split | Skip | Retry | Halt, began: float
    ) -> None:
        """Definitely refused: by the provider in its own words, or because it could not be reached."""
        if isinstance(error, RateLimited) or not isinstance(error, Retry):
            await self._answered(began)
        match error:
            case Unlisted():
                await self._unlisted(submission, items, error)
            case Split() | Skip():
                await self._not_these(submission, items, error)
            case Retry():
                await self._not_now(submission, error)
            case Halt():
                await self._refused(submission, str(error))
                await self._halt(items, error)

    async def _submit(self, submission: Submission) -> Receipt:
        """Make the call, with so few others beside it that an outage leaves little in doubt; but not once this process
        has stood still for so long that others may take it for ended: the call is in doubt for them."""
        async with self.lane.calls:
            if self.halted or not self.lane.breaker.goes_out:
                raise _NotSent("the call before it is in doubt, or was refused for everybody")
            if self.parts.clock_was_set or not self.parts.at_work.lasts(self.parts.clock.monotonic()):
                raise _NotSent("syncd stood still, or the clock was set, before it could be sent")
            return await self.lane.provider.submit(submission)

    def _step(self, step: Callable[[Breaker], Breaker]) -> Awaitable[object]:
        """At once here, for whoever is about to send, and on disk when awaited."""
        self.lane.breaker = step(self.lane.breaker)
        return self._record(breakers.change, self.connection.name, breaker.on_row(step))

    async def _answered(self, began: float) -> None:
        """The provider has said something of its own; `began`: since when the way was closed when the call began."""
        if not self.lane.breaker.closed:
            await self._step(lambda state: state.answered(began))
            self._tell_opened()

    async def _taken(self, began: float) -> None:
        """The provider has taken a call."""
        state = self.lane.breaker
        if not state.closed or state.kind or state.halts:
            await self._step(lambda state: state.answered(began).accepted())
            self._tell_opened()

    def _tell_opened(self) -> None:
        if self.lane.breaker.closed:
            log.info("calls_go_out_again", connection=self.connection.name)

    async def _close(self, submission: Submission, why: str) -> None:
        """In doubt: no other call goes out before the provider is known to answer again."""
        now = self.parts.clock.now()
        on_disk = self._step(lambda state: state.doubted(why, now))
        await asyncio.gather(on_disk, self._doubt(submission, why))

    async def _halt(self, items: Sequence[Item], error: Halt) -> None:
        """Out of credits for these: what is cheaper goes on. Otherwise nobody may ask this provider for now."""
        if error.trouble is Trouble.CREDITS and await self._cheaper_goes_on(items, error):
            return
        self.stopped = self.halted = True
        name = self.connection.name
        if await self._write(connections.halt, name, error.trouble, str(error), error.cure):
            log.error("halted", connection=name, trouble=error.trouble, why=str(error), cure=error.cure)

    async def _cheaper_goes_on(self, items: Sequence[Item], error: Halt) -> bool:
        price, now = self.worst_case(items), self.parts.clock.now()
        if len(items) > 1:  # half as many may be paid, or a single one
            price = max(price / 2, max(self.worst_case([item]) for item in items) + Decimal("0.001"))
        news = self.lane.breaker.short is None or self.lane.breaker.short > price
        await self._step(lambda state: state.too_dear(price, now))
        short = self.lane.breaker.short or Decimal(0)
        goes_on = any(one < short for one in self.known_prices.values())
        if goes_on and news:
            log.warning(
                "too_dear", connection=self.connection.name, credits=str(short), why=str(error), cure=error.cure
            )
        return goes_on

    async def _unlisted(self, submission: Submission, items: Sequence[Item], error: Unlisted) -> None:
        """Refused, and nothing documented says for whose sake: a contact is tried once more by itself and then set
        aside; when different ones meet the same, it is the connection's fault."""
        if len(items) > 1:
            await self._refused(submission, str(error))
            await self._halve(items, str(error))
            return
        contact, name = str(items[0].request.ref), self.connection.name
        on_disk = self._step(lambda state: state.refused_for(error.kind, contact))
        everybodys = self.lane.breaker.is_connections_fault and not self.halted
        self.halted = self.halted or everybodys
        await on_disk
        aside = await self._write(breakers.set_aside, submission.id, str(error))
        if aside.until is not None:
            log.warning("set_aside", connection=name, contact=contact, why=str(error), until=round(aside.until))
        if aside.given_up:
            log.warning("given_up", connection=name, contact=contact, why=str(error))
            self.parts.bells.ring("verify")
        if everybodys:
            now = self.parts.clock.now()
            await self._step(lambda state: state.halted(now))
            await self._halt(items, Halt(str(error), trouble=Trouble.MISCONFIGURED, cure=error.cure))
        elif aside.again and not self.halted:
            await self._one_by_one([items])

    async def _afford(self, items: Sequence[Item], cap: OverBudget) -> None:
        if len(items) > 1:
            await self.carry(items[: len(items) // 2])
        else:
            self.tight = True
            await self.note_cap(cap)

    async def note_cap(self, cap: OverBudget) -> None:
        """A call does not fit into a cap: the ledger is told, now and then."""
        key, moment = (self.sync.name, cap.limit, cap.cap, cap.needs), self.parts.clock.monotonic()
        if moment - self.lane.caps_noted.get(key, -NOTE_CAP_AGAIN) >= NOTE_CAP_AGAIN:
            self.lane.caps_noted[key] = moment
            if await self._write(room.note_reached, self.sync.name, self.connection.name, cap):
                log.warning("budget_reached", sync=self.sync.name, connection=self.connection.name, cap=str(cap))

    async def _intend(self, items: Sequence[Item]) -> Submission:
        now, caps = self.parts.clock.now(), self.lane.provider.capabilities
        submission, asked_at = self._submission(items, now), self.parts.clock.monotonic()
        await self.parts.ledger.write(
            submissions.intend,
            submission,
            items,
            provider=self.connection.name,
            sync=self.sync.name,
            reserve=self.worst_shares(items),
            limits=self.limits,
            deadline=now + caps.answer_within,
            now=now,
            since=self.known_since(now),
            by_person=self.parts.rules.by_person,
            permit=self._permit(),
            refresh=self.refresh,
        )
        self.parts.at_work.renewed(asked_at)
        return submission

    def _permit(self) -> Permit:
        limits = self.lane.pacer.limits(self.spare)
        sync = self.sync
        return Permit(
            self.parts.at_work.owner,
            self.claimed.claim,
            sync.crm,
            limits,
            writing=sync.writing,
            at_first=sync.buy_before_write,
            canary=sync.canary,
        )

    def _submission(self, items: Sequence[Item], now: float) -> Submission:
        one = items[0] if len(items) == 1 else None
        # One id for both, so that a restored ledger that forgot the call can still read its answer.
        submission_id = (one.request.id if one is not None else "") or self.parts.new_id()
        mint = partial(
            self.parts.addresses.mint,
            self.connection.name,
            submission_id,
            expires=now + ADDRESS_LIFE,
            ref=None if one is None else one.request.ref,
            field=one.request.fields[0] if one is not None and len(one.jobs) == 1 else None,
        )
        return Submission(
            id=submission_id,
            requests=tuple(
                replace(i.request, id=submission_id if one else ids.of_request(submission_id, n))
                for n, i in enumerate(items, 1)
            ),
            callback_url=mint(),
            contact_url=mint(part=CONTACT_EVENT) if self.lane.provider.capabilities.batch > 1 else "",
            label=self._label(items, now),
        )

    def _label(self, items: Sequence[Item], now: float) -> str:
        """For the provider's own lists: sync, date, first contact, how many more."""
        first = items[0].request
        name = " ".join(filter(None, (first.identity.first_name, first.identity.last_name))) or str(first.ref)
        more = f" and {len(items) - 1} more" if len(items) > 1 else ""
        day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M")
        return f"{self.sync.name}, {day}, {name}{more}"

    async def store(self, taken: Taken) -> None:
        """The provider took the call."""
        submission, receipt = taken
        now, caps = self.parts.clock.now(), self.lane.provider.capabilities
        poll_at = None if caps.poll_after is None else now + caps.poll_after
        if self.lane.refused.in_a_row:
            await self._record(connections.takes, self.connection.name)
            self.lane.refused = NONE

        deadline = now + caps.answer_within
        call = (submission.id, receipt.provider_id)
        if receipt.body is None:
            await self._record(submissions.accept, *call, poll_at=poll_at, deadline=deadline, now=now)
            return
        delivery = Delivery(submission_id=submission.id, source=Source.RECEIPT, body=receipt.body)

        def note(tx: Tx) -> None:
            submissions.accept(tx, *call, poll_at=poll_at, deadline=deadline, now=now)
            arrivals.store(tx, self.connection.name, delivery, now=now, sample=caps.sample)

        await self._record(note)
        self.parts.bells.ring("inbox")

    async def _not_these(self, submission: Submission, items: Sequence[Item], error: Split | Skip) -> None:
        """Refused for good, because of one of the items: each half of a bulk is tried by itself."""
        if isinstance(error, Split) and len(items) > 1:
            await self._refused(submission, str(error))
            await self._halve(items, str(error))
        else:
            await self._write(submissions.reject, submission.id, str(error))
            self.parts.bells.ring("verify")

    async def _not_now(self, submission: Submission, error: Retry) -> None:
        """Refused for a reason that passes: the jobs stay queued, the lane is closed for a while."""
        self.stopped = True
        name, chance = self.connection.name, self.parts.rng.uniform(1, 2)
        await self._refused(submission, str(error))
        if isinstance(error, RateLimited) and error.windows:
            self.lane.pacer.learn(error.windows)
            await self._write(connections.learn_windows, name, error.windows)
        refused = self.lane.refused = await self._write(
            connections.refuses, name, error.after, lambda times: min(2.0**times * chance, BACK_OFF_CAP)
        )
        self.lane.pacer.block(refused.until - self.parts.clock.now())
        log.warning("not_accepted", connection=name, why=str(error), failures=refused.in_a_row)

    async def _halve(self, items: Sequence[Item], why: str) -> None:
        middle = len(items) // 2
        log.warning("batch_split", connection=self.connection.name, requests=len(items), why=why)
        await self._one_by_one((items[:middle], items[middle:]))

    async def _one_by_one(self, batches: Iterable[Sequence[Item]]) -> None:
        """Ask again for what was refused; each call is a new one."""
        for batch in batches:
            if self._ended() or not await self.lane.pacer.acquire() or self._ended():
                return  # refused is refused: what is left of the bulk is back in the queue
            await self.carry([replace(i, request=replace(i.request, id=self.parts.new_id())) for i in batch])

    def _ended(self) -> bool:
        return self.stopped or self.tight or bool(self.is_shut()) or not self.lane.breaker.goes_out

    async def _refused(self, submission: Submission, why: str) -> None:
        await self._record(submissions.refuse, submission.id, why, now=self.parts.clock.now())

    async def _doubt(self, submission: Submission, why: str) -> None:
        now = self.parts.clock.now()
        hold_until = now + self.connection.in_doubt_hold
        await asyncio.shield(self._record(submissions.doubt, submission.id, why, hold_until=hold_until, now=now))
        log.warning("in_doubt", connection=self.connection.name, submission=submission.id, why=why)

    async def _write(self, work: Callable[Concatenate[Tx, ...], T], *args: object) -> T:
        return await self._record(work, *args, now=self.parts.clock.now())

    async def _record(self, work: Callable[Concatenate[Tx, ...], T], *args: object, **values: object) -> T:
        """Write what became of a call, however long the disk is full or the ledger locked: until that
        is done the place in flight stays taken, and nothing more is sent."""
        told = False
        while True:
            try:
                return await self.parts.ledger.write(work, *args, **values)
            except LedgerFailed:
                raise  # what is not stored is an intent without an outcome: the next start takes it for doubtful
            except LedgerError as error:
                if not told:
                    log.error("outcome_not_stored", connection=self.connection.name, why=str(error))
                told = True
                await self.parts.clock.sleep(1.0)
