"""Dispatch: queued jobs become paid calls, each with its intent on disk before it can cost anything.

`choose` decides who is asked; here that is carried out, and it is named what became of each call.
No retry may ever wrap `Provider.submit`: a call either was refused for certain, or is in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Concatenate, TypeVar

import structlog

from syncd.config import Connection, FieldPolicy, Sync, WhenUnavailable
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
    breakers,
    budgets,
    candidates,
    confirmations,
    connections,
    inbox,
    submissions,
)
from syncd.ledger.budgets import OverBudget
from syncd.ledger.candidates import Candidate
from syncd.ledger.claims import Kind, Lost
from syncd.ledger.connections import NONE
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.gates import Shut
from syncd.ledger.permits import Permit
from syncd.ledger.rates import TooSoon
from syncd.ledger.results import question
from syncd.ledger.states import JobState
from syncd.ledger.store import Move, Tx
from syncd.ledger.submissions import Item, Stale

from . import account, breaker, fresh
from .breaker import Breaker
from .choose import Choice, Turn, choose, put_aside, questions, skip
from .parts import NEVER_LOOKED, Lane, Parts, Vain
from .spending import budget_of
from .work import Held, hold

DAY = 86_400.0
EVERYBODY = 10_000_000
PAGE = 400  # candidates looked at in one go
LOOK_AGAIN = 30.0  # seconds until a page of which nothing could be sent is looked at again, while nothing moves
LINGER = 10.0  # seconds that a part-filled bulk waits for company
ADDRESS_LIFE = 60 * DAY  # late callbacks are paid for: they stay welcome
BACK_OFF_CAP = 3600.0
PORTION = 8  # calls in one turn, where several syncs share a provider
AHEAD = 32.0  # calls that somebody new may bring a sync ahead of the others
CATCH_UP = 64.0  # calls by which a sync that had nothing to ask may be ahead of the others afterwards
PRIORITY = 10  # of a sync, by default
NEW = 1  # the priority of a job for somebody who is new
NOTE_CAP_AGAIN = 600.0  # seconds until the ledger is told again that a call does not fit into a cap
SPARE = 0.1  # of the limits over a long time: kept for those who are new

log = structlog.get_logger("syncd.dispatch")

T = TypeVar("T")


async def run_once(parts: Parts, name: str) -> int:
    """Send what may be sent to one provider now; returns how many calls were made."""
    lane, connection = parts.lanes[name], parts.settings.connections[name]
    if not await parts.in_time(parts.clock.now()):
        return 0  # the clock was set, and the watch has not looked yet
    trouble = await parts.ledger.read(connections.trouble, name)
    lane.breaker = breaker.from_row(await parts.ledger.read(breakers.load, name))
    lane.refused = await parts.ledger.read(connections.refused, name)
    lane.pacer.block(lane.refused.until - parts.clock.now())
    runs = []
    for sync in parts.syncs:
        if not any(name in policy.providers for policy in sync.fields.values()):
            continue
        if trouble is not None:
            if sync.when_unavailable is WhenUnavailable.NEXT:
                await _pass_on(parts, sync, name, f"{name} is halted: {trouble}")
        elif parts.gate.why(sync.name):
            continue
        elif await _may_be_used(parts, name, sync):
            runs.append(_Run(parts, lane, connection, sync))
    if not lane.breaker.trial:
        return await _take_turns(parts, name, runs)
    async with hold(parts, Kind.CONNECTION, [name]) as held:  # a single call finds out, whoever makes it
        return await _take_turns(parts, name, runs) if held.items else 0
    return 0


async def pretend(parts: Parts, name: str) -> int:
    """As if everybody who waits were asked, and nobody is: for a preview, on a ledger that is thrown away.

    Whoever is not asked now is put aside, or waits for those who are. Returns how many jobs moved.
    """
    count, now = 0, parts.clock.now()
    for sync in parts.syncs:
        if any(name in policy.providers for policy in sync.fields.values()):
            ids = await parts.ledger.read(candidates.waiting, sync.name, name, EVERYBODY)
            async with hold(parts, Kind.JOB, ids) as held:
                run = _Run(parts, parts.lanes[name], parts.settings.connections[name], sync, held)
                _, choice = await run.choose(now)
                jobs = [job for item in choice.ask for job in item.jobs.values()]
                moves = [Move(job, JobState.QUEUED, JobState.SENDING, {"asked_person": ""}) for job in jobs]
                count += len(choice.aside) + len(await held.finish(Tx.move_many, moves, now=now))
    return count


async def _take_turns(parts: Parts, name: str, runs: list[_Run]) -> int:
    """Each sync sends a few calls in its turn. Whoever has had the fewest, weighed by priority, is next; somebody new
    does not wait for anybody's backfill."""
    several, waiting = len(runs) > 1, list(runs)
    used = await parts.ledger.read(breakers.turns, name) if several else {}
    if several:
        latest = max((used.get(run.sync.name, 0.0) for run in runs), default=0.0)
        used = {run.sync.name: max(used.get(run.sync.name, 0.0), latest - CATCH_UP) for run in runs}
    before = dict(used)
    while waiting:
        run = await _next(parts, name, waiting, used) if several else waiting[0]
        sent = run.sent
        going_on = await run.send_some(PORTION if several else None)
        used[run.sync.name] = used.get(run.sync.name, 0.0) + (run.sent - sent) * PRIORITY / run.sync.priority
        if run.halted or not run.lane.breaker.goes_out:
            break
        if not going_on:
            waiting.remove(run)
    if several and used != before:
        await parts.ledger.write(breakers.keep_turns, name, used)
    return sum(run.sent for run in runs)


async def _next(parts: Parts, name: str, waiting: Sequence[_Run], used: Mapping[str, float]) -> _Run:
    """Whose turn it is. Who has somebody new is next, without getting far ahead of the others."""
    least = min(used[run.sync.name] for run in waiting)
    near = [run for run in waiting if used[run.sync.name] - least <= AHEAD]
    new = [run for run in near if await parts.ledger.read(breakers.has_new, run.sync.name, name)]
    return min(new or waiting, key=lambda run: used[run.sync.name])


class _NotSent(Exception):
    """The call was not made, although its intent is on disk; and why."""


async def _may_be_used(parts: Parts, name: str, sync: Sync) -> bool:
    """Nothing is bought for a CRM that is halted, nor with the key of another account than the one known."""
    if await parts.ledger.read(connections.trouble, sync.crm) is not None:
        return False
    return await account.is_known(parts, name) and await account.is_known(parts, sync.crm)


@dataclass(slots=True)
class _Run:
    """One sync at one provider, until the queue, the windows or the budget say stop."""

    parts: Parts
    lane: Lane
    connection: Connection
    sync: Sync
    held: Held | None = None  # the jobs that are being chosen from, and sent
    stopped: bool = False
    halted: bool = False  # nobody may ask this provider for now
    spare: float = SPARE  # the part of the limits that is left for those who are new
    sent: int = 0
    again_at: float = 0.0  # when (UTC seconds) a page of which nothing was sent is looked at once more
    prices: Mapping[Field, Decimal] = field(default_factory=dict)  # credits for each field, at worst

    async def send_some(self, calls: int | None) -> bool:
        """Send so many calls, or all that may go out; False when there is nothing (more) to send for now."""
        begun = self.sent
        while self._choose_spare() and (calls is None or self.sent - begun < calls):
            if not await self._send_page(None if calls is None else calls - self.sent + begun):
                return False
        return self._choose_spare()

    def _choose_spare(self) -> bool:
        """May anything go out? If it is only for somebody new, `spare` says so from then on."""
        self.spare = SPARE
        if not self._may_send():
            self.spare = 0.0
        return self._may_send()

    def _may_send(self) -> bool:
        return (
            not self.stopped
            and not self._shut()
            and self.lane.breaker.goes_out
            and self.lane.pacer.ready_in(self.spare) == 0
        )

    async def _send_page(self, calls: int | None) -> bool:
        """Hold a page of candidates, decide on them and send what can be asked; False where that was nothing."""
        size = self.lane.provider.capabilities.batch
        limit = PAGE if calls is None else min(PAGE, 4 * calls * size)
        least, name = 0 if self.spare else NEW, self.sync.name
        page = await self.parts.ledger.read(
            candidates.page, name, self.connection.name, limit, fields=self._payable(), at_least=least
        )
        if not page.jobs or self.lane.vain.get(name, NEVER_LOOKED).holds(page, self.parts.clock.now()):
            return False
        async with hold(self.parts, Kind.JOB, page.jobs) as self.held:
            self.again_at = self._look_again_at(self.parts.clock.now())
            going_on = await self._send_held(calls)
            if not going_on:
                self.lane.vain[name] = Vain(page, self.again_at)
            return going_on
        return False  # the claim was lost

    def _look_again_at(self, now: float) -> float:
        """Soon, and when a budget's new day begins."""
        soon = now + LOOK_AGAIN
        day = budgets.first_moment(soon, self.sync.budget.time_zone)
        return day if day > now else soon

    async def _send_held(self, calls: int | None) -> bool:
        now = self.parts.clock.now()
        found, choice = await self.choose(now)
        choice.ask = await self._at_first(await self._affordable(self._within_credits(choice.ask), now))
        batches = self._batches(choice, now)[:calls]
        if self.lane.breaker.trial:
            batches = [batch[:1] for batch in batches[:1]]
        old = {one.ref for one in found if not fresh.is_fresh(one, now)}
        ready = fresh.ready(batches, old)
        if batches and not ready and not await fresh.look(self.parts, self.sync, batches, old):
            self.again_at = min(self.again_at, now + fresh.wait(self.parts, self.sync))
            return False  # a look is tried again then; what was looked at is chosen anew
        sent = self.sent
        await self._send_together(ready)
        return bool(choice.aside or self.sent > sent or (batches and not ready))

    async def choose(self, now: float) -> tuple[list[Candidate], Choice]:
        """Those of the jobs that are held whose turn it is, and whom of them to ask; whoever is not asked now has been
        put aside."""
        name, held = self.connection.name, self._held
        asked = {field: policy for field, policy in self.sync.fields.items() if name in policy.providers}
        found = await self.parts.ledger.read(
            candidates.candidates,
            self.sync.name,
            name,
            held.items,
            **self._known_since(now),
            by_person=self.parts.rules.by_person,
        )
        choice = choose(found, await self._turn(found, asked, now), self.parts.new_id)
        if choice.aside:
            await held.write(put_aside, choice.aside, now=now)
            self.parts.bells.ring("verify")
        return found, choice

    @property
    def _held(self) -> Held:
        if self.held is None:
            raise BrokenInvariant("nothing is chosen or sent without a claim")
        return self.held

    @property
    def _prices(self) -> Mapping[Field, Decimal]:
        """Credits for each field, at worst."""
        return self.prices or self.lane.provider.capabilities.price

    def _payable(self) -> list[Field] | None:
        """The fields for which the credits suffice as far as is known, None for all."""
        short = self.lane.breaker.short
        if short is None:
            return None
        return [field for field, price in self._prices.items() if price < short]

    def _within_credits(self, ask: Sequence[Item]) -> list[Item]:
        """Of a request for several fields, those that are not too dear together."""
        short = self.lane.breaker.short
        return list(ask) if short is None else [one for item in ask if (one := self._cheaper(item, short)) is not None]

    def _cheaper(self, item: Item, short: Decimal) -> Item | None:
        price = self._prices
        kept: list[Field] = []
        for asked in sorted(item.jobs, key=lambda fld: price[fld]):
            if sum((price[one] for one in (*kept, asked)), Decimal(0)) < short:
                kept.append(asked)
        if len(kept) == len(item.jobs):
            return item
        fields = tuple(fld for fld in item.request.fields if fld in kept)
        request, jobs = replace(item.request, fields=fields), {fld: item.jobs[fld] for fld in fields}
        return replace(item, request=request, jobs=jobs) if fields else None

    async def _at_first(self, ask: list[Item]) -> list[Item]:
        """All, or a handful of contacts where the CRM has not confirmed a write for this sync lately."""
        if not ask:
            return ask
        left = await self.parts.ledger.read(
            confirmations.allowance,
            self.sync.name,
            self.sync.writing,
            limit=self.sync.buy_before_write,
            now=self.parts.clock.now(),
        )
        if left is None:
            return ask
        first = list(dict.fromkeys(item.request.ref for item in ask))[:left]
        return [item for item in ask if item.request.ref in first]

    def _known_since(self, now: float) -> dict[str, float]:
        """Misses, and finds, count from then on, for other records and for identical questions, too."""
        ages = [self.sync.ages(field, self.connection.name) for field in self.sync.fields]
        return {
            "known_since": now - max(age.not_found for age in ages),
            "found_since": now - max(age.found for age in ages),
        }

    async def _turn(self, found: Sequence[Candidate], fields: Mapping[Field, FieldPolicy], now: float) -> Turn:
        name, provider = self.connection.name, self.lane.provider
        turn = Turn(name=name, provider=provider, fields=fields)
        fields_of = {one.job_id: one.field for one in found}
        told = questions(found, turn)
        digests = [question(fields_of[job], one.told) for job, one in told.items()]
        since = self._known_since(now)
        asked = await self.parts.ledger.read(
            candidates.asked, name, digests, since=since["known_since"], found_since=since["found_since"]
        )
        return replace(turn, asked=asked, told=told)

    def _shut(self) -> bool:
        return self.parts.clock_was_set or bool(self.parts.gate.why(self.sync.name))

    def _batches(self, choice: Choice, now: float) -> list[list[Item]]:
        """Full bulks; the last, part-filled one only once it has waited for company long enough."""
        size, short = self.lane.provider.capabilities.batch, self.lane.breaker.short
        batches: list[list[Item]] = []
        for item in choice.ask:
            fits = batches and len(batches[-1]) < size
            if fits and (short is None or self._worst_case([*batches[-1], item]) < short):
                batches[-1].append(item)
            else:
                batches.append([item])
        if batches and len(batches[-1]) < size and now - choice.since < LINGER:
            batches.pop()
            self.again_at = min(self.again_at, choice.since + LINGER)
        return batches

    async def _send_together(self, batches: Iterable[Sequence[Item]]) -> None:
        """Whatever breaks in one call, the others come to their end before it is raised."""
        outcomes = await asyncio.gather(*(self._send(batch) for batch in batches), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _send(self, items: Sequence[Item]) -> None:
        async with self.lane.places:
            if self._may_send() and self._is_payable(items):
                self.lane.pacer.take()
                await self._carry(items)

    def _is_payable(self, items: Sequence[Item]) -> bool:
        """Do the credits suffice, as far as is known by now?"""
        return self.lane.breaker.short is None or self._worst_case(items) < self.lane.breaker.short

    async def _affordable(self, ask: Sequence[Item], now: float) -> list[Item]:
        """Those for which there are credits. Looked at first, so that no place in the rate windows is
        taken for nothing: polls and other syncs need them."""
        name, listed = self.connection.name, self.lane.provider.capabilities.price
        self.prices = await self.parts.ledger.read(budgets.worst_prices, name, listed, now=now)
        dear: dict[Decimal, OverBudget] = {}
        for price in {self._worst_case([item]) for item in ask}:
            try:
                await self.parts.ledger.read(budgets.check_budget, self.sync.name, price, budget_of(self.sync), now=now)
            except OverBudget as cap:
                dear[price] = cap
        affordable = [item for item in ask if self._worst_case([item]) not in dear]
        if ask and not affordable:
            await self._spent(next(iter(dear.values())))
        elif dear:
            await self._note(min(dear.values(), key=lambda cap: cap.needs))
        return affordable

    def _worst_case(self, items: Iterable[Item]) -> Decimal:
        price = self._prices
        return sum((price[field] for item in items for field in item.jobs), Decimal(0))

    async def _carry(self, items: Sequence[Item]) -> None:
        """One intent, one call, one outcome. Of a bulk dearer than what is left, a part goes ahead."""
        if (submission := await self._intended(items)) is None:
            return
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
            await self._accepted(submission, receipt)

    async def _intended(self, items: Sequence[Item]) -> Submission | None:
        """A call whose intent is on disk; None where there is nothing to send for now."""
        try:
            return await self._intend(items)
        except (Stale, Lost):
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
        price, now = self._worst_case(items), self.parts.clock.now()
        if len(items) > 1:  # half as many may be paid, or a single one
            price = max(price / 2, max(self._worst_case([item]) for item in items) + Decimal("0.001"))
        news = self.lane.breaker.short is None or self.lane.breaker.short > price
        await self._step(lambda state: state.too_dear(price, now))
        short = self.lane.breaker.short or Decimal(0)
        goes_on = any(one < short for one in self._prices.values())
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
            await self._carry(items[: len(items) // 2])
        else:
            await self._spent(cap)

    async def _spent(self, cap: OverBudget) -> None:
        self.stopped = True
        if await self._record(connections.note_budget, self.connection.name, str(cap)):
            log.warning("budget_reached", sync=self.sync.name, cap=str(cap))
        await self._note(cap)

    async def _note(self, cap: OverBudget) -> None:
        """A call does not fit into a cap: the ledger is told, now and then."""
        key, moment = (self.sync.name, cap.window), self.parts.clock.monotonic()
        if moment - self.lane.caps_noted.get(key, -NOTE_CAP_AGAIN) >= NOTE_CAP_AGAIN:
            self.lane.caps_noted[key] = moment
            await self._write(budgets.note_reached, self.sync.name, self.connection.name, cap)

    async def _intend(self, items: Sequence[Item]) -> Submission:
        now, caps = self.parts.clock.now(), self.lane.provider.capabilities
        submission, asked_at = self._submission(items, now), self.parts.clock.monotonic()
        await self.parts.ledger.write(
            submissions.intend,
            submission,
            items,
            provider=self.connection.name,
            sync=self.sync.name,
            reserve=self._worst_case(items),
            budget=budget_of(self.sync),
            deadline=now + caps.answer_within,
            now=now,
            **self._known_since(now),
            by_person=self.parts.rules.by_person,
            permit=self._permit(),
        )
        self.parts.at_work.renewed(asked_at)
        return submission

    def _permit(self) -> Permit:
        limits = self.lane.pacer.limits(self.spare)
        return Permit(self.parts.at_work.owner, self._held.claim, self.sync.crm, limits)

    def _submission(self, items: Sequence[Item], now: float) -> Submission:
        one = items[0] if len(items) == 1 else None
        # One id for both, so that a restored ledger that forgot the call can still read its answer.
        submission_id = self.parts.new_id() if one is None else one.request.id
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
            requests=tuple(i.request for i in items),
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

    async def _accepted(self, submission: Submission, receipt: Receipt) -> None:
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
            inbox.store(tx, self.connection.name, delivery, now=now)

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
            await self._carry([replace(i, request=replace(i.request, id=self.parts.new_id())) for i in batch])

    def _ended(self) -> bool:
        return self.stopped or bool(self._shut()) or not self.lane.breaker.goes_out

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


async def _pass_on(parts: Parts, sync: Sync, name: str, why: str) -> None:
    """The provider can't be asked, and the operator would rather ask the next one, where there is one."""
    last = {field for field, policy in sync.fields.items() if policy.providers[-1] == name}
    fields = [field for field in sync.fields if field not in last]
    ids = await parts.ledger.read(candidates.waiting, sync.name, name, PAGE, fields=fields) if fields else []
    if not ids:
        return
    now = parts.clock.now()
    async with hold(parts, Kind.JOB, ids) as held:
        found = await parts.ledger.read(candidates.candidates, sync.name, name, held.items, known_since=now)
        await held.finish(put_aside, [skip(one, name, why) for one in found], now=now)
        parts.bells.ring("verify")
