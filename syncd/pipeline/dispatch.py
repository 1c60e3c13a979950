"""Dispatch: queued jobs become paid calls. Whose turn it is, page by page, within limits, credits and budgets.

`choose` decides who is asked; `paid_calls` makes each call, with its intent on disk before it can cost anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeVar

import structlog

from syncd.config import Connection, FieldPolicy, Sync, WhenUnavailable
from syncd.contract.errors import Trouble
from syncd.contract.model import Field
from syncd.contract.pacing import Window
from syncd.ledger import breakers, budgets, candidates, connections, pauses, room, upkeep
from syncd.ledger.candidates import Asked, Candidate
from syncd.ledger.claims import Kind
from syncd.ledger.connections import Refused
from syncd.ledger.pauses import Pause
from syncd.ledger.results import EVER, Since, question
from syncd.ledger.room import OverBudget
from syncd.ledger.states import JobState
from syncd.ledger.store import Move, Tx
from syncd.ledger.submissions import Item

from . import account, breaker, fresh
from .choose import Choice, Turn, choose, put_aside, questions, skip
from .deciding import checks_of
from .paid_calls import SPARE, Calls
from .parts import NEVER_LOOKED, Lane, Parts, Vain
from .room import at_first
from .spending import budgets_of
from .work import hold

PAGE = 400  # candidates looked at in one go
LOOK_AGAIN = 30.0  # seconds until a page of which nothing could be sent is looked at again, while nothing moves
LINGER = 10.0  # seconds that a part-filled bulk waits for company
PORTION = 8  # calls in one turn, where several syncs share a provider
AHEAD = 32.0  # calls that somebody new may bring a sync ahead of the others
CATCH_UP = 64.0  # calls by which a sync that had nothing to ask may be ahead of the others afterwards
PRIORITY = 10  # of a sync, by default
NEW = 1  # the priority of a job for somebody who is new
MOST = 99  # the highest priority that there is
REFRESH = -1  # of one by which a value of ours is verified again

log = structlog.get_logger("syncd.dispatch")

T = TypeVar("T")


async def run_once(parts: Parts, name: str) -> int:
    """Send what may be sent to one provider now; returns how many calls were made."""
    lane = parts.lanes[name]
    known = await parts.ledger.read(_known, name, now=parts.clock.now())
    if parts.clock_was_set or not known.in_time:
        return 0  # the clock was set, and the watch has not looked yet
    lane.breaker, lane.refused = breaker.from_row(known.breaker), known.refused
    lane.pacer.block(lane.refused.until - parts.clock.now())
    if known.windows:
        lane.pacer.learn(known.windows)
    runs = await _runs(parts, name, known)
    again = [run for run in runs if any(one.refresh is not None for one in run.sync.fields.values())]
    if lane.breaker.trial:  # a claim for nothing would be in the way of the probe, which learns of new credits
        runs = [run for run in runs if await run.can_ask_somebody()]
    if not runs or not lane.breaker.trial:
        return await _take_turns(parts, name, runs) + await _refresh(parts, name, again)
    async with hold(parts, Kind.CONNECTION, [name]) as held:  # a single call finds out, whoever makes it
        return await _take_turns(parts, name, runs) if held.items else 0
    return 0


async def _refresh(parts: Parts, name: str, runs: Iterable[_Run]) -> int:
    """What is left of the limits once nobody else waits: values of ours are verified again."""
    old = [_Run(Calls(parts, run.lane, run.connection, run.sync, refresh=True)) for run in runs]
    return await _take_turns(parts, name, old) if old else 0


async def _runs(parts: Parts, name: str, known: _Known) -> list[_Run]:
    """Of each sync that may ask this provider now. Where it is halted, `when_unavailable` may pass the turn on."""
    lane, connection, trouble = parts.lanes[name], parts.settings.connections[name], known.troubles.get(name)
    runs = []
    for sync in parts.syncs:
        if not any(name in policy.providers for policy in sync.fields.values()):
            continue
        if pauses.buying_is_paused(known.paused, sync.name, name):
            continue
        if trouble is not None:
            if sync.when_unavailable is WhenUnavailable.NEXT:
                await _pass_on(parts, sync, name, f"{name} is halted: {trouble}")
        elif parts.gate.why(sync.name):
            continue
        elif sync.crm not in known.troubles and await _are_known(parts, name, sync.crm):
            runs.append(_Run(Calls(parts, lane, connection, sync)))
    return runs


class _Known(NamedTuple):
    """What the ledger knows of the connections when a pass begins. `breaker`: the provider's row; `windows`: its limits
    as it told them, to whichever process."""

    in_time: bool
    windows: Sequence[Window]
    troubles: Mapping[str, Trouble]
    breaker: Mapping[str, Any] | None
    refused: Refused
    paused: Sequence[Pause]


def _known(tx: Tx, name: str, *, now: float) -> _Known:
    troubles, refused = connections.troubles(tx), connections.refused(tx, name)
    paused = pauses.in_force(tx, now=now)
    windows = connections.windows(tx, name)
    return _Known(upkeep.in_time(tx, now), windows, troubles, breakers.load(tx, name), refused, paused)


async def pretend(parts: Parts, name: str) -> int:
    """As if everybody who waits were asked, and nobody is: for a preview, on a ledger that is thrown away.

    Whoever is not asked now is put aside, or waits for those who are. Returns how many jobs moved.
    """
    count, supposed = 0, dict[int, int]()
    for sync in parts.syncs:
        if any(name in policy.providers for policy in sync.fields.values()):
            calls = Calls(parts, parts.lanes[name], parts.settings.connections[name], sync)
            count += await _pretend(_Run(calls, supposed=supposed))
    return count


async def _pretend(run: _Run) -> int:
    """Page by page, as it would be asked: nobody is asked twice, on whichever pages they stand."""
    parts, count, last = run.parts, 0, list[int]()
    while ids := await parts.ledger.read(candidates.waiting, run.sync.name, run.connection.name, PAGE):
        if ids == last:
            break  # these neither can be asked nor wait for anybody, for now
        last, now = ids, parts.clock.now()
        async with hold(parts, Kind.JOB, ids) as run.calls.held:
            _, choice = await run.choose(now)
            asked = [(field, job, item) for item in choice.ask for field, job in item.jobs.items()]
            moves = [Move(job, JobState.QUEUED, JobState.SENDING, {"asked_person": ""}) for _, job, _ in asked]
            count += len(choice.aside) + len(await run.calls.claimed.finish(Tx.move_many, moves, now=now))
            run.supposed.update((question(field, item.request.identity), job) for field, job, item in asked)
    return count


async def _take_turns(parts: Parts, name: str, runs: list[_Run]) -> int:
    """Each sync sends a few calls in its turn. Whoever has had the fewest, weighed by priority, is next; somebody new
    does not wait for anybody's backfill."""
    several, waiting, least = len(runs) > 1, list(runs), 0.0
    used = await parts.ledger.read(breakers.turns, name) if several else {}
    if several:
        latest = max((used.get(run.sync.name, 0.0) for run in runs), default=0.0)
        least = max(0.0, latest - CATCH_UP)
        used = {run.sync.name: max(used.get(run.sync.name, 0.0), least) for run in runs}
    before = dict(used)
    while waiting:
        run = await _next(parts, name, waiting, used) if several else waiting[0]
        sent = run.calls.sent
        going_on = await run.send_some(PORTION if several else None)
        used[run.sync.name] = used.get(run.sync.name, 0.0) + (run.calls.sent - sent) * PRIORITY / run.sync.priority
        if run.calls.halted or not run.lane.breaker.goes_out:
            break
        if not going_on:
            waiting.remove(run)
    if several and used != before:
        more = {sync: used[sync] - had for sync, had in before.items()}
        await parts.ledger.write(breakers.add_turns, name, least, more)
    return sum(run.calls.sent for run in runs)


async def _next(parts: Parts, name: str, waiting: Sequence[_Run], used: Mapping[str, float]) -> _Run:
    """Whose turn it is. Who has somebody new is next, without getting far ahead of the others."""
    least = min(used[run.sync.name] for run in waiting)
    near = [run for run in waiting if used[run.sync.name] - least <= AHEAD]
    new = [run for run in near if await parts.ledger.read(breakers.has_new, run.sync.name, name)]
    return min(new or waiting, key=lambda run: used[run.sync.name])


async def _are_known(parts: Parts, provider: str, crm: str) -> bool:
    """Nothing is bought with the key of another account than the one known, nor for another CRM."""
    return await account.is_known(parts, provider) and await account.is_known(parts, crm)


@dataclass(slots=True)
class _Run:
    """One sync at one provider: whom to ask, page by page, until the queue, the windows or the budget say stop."""

    calls: Calls
    again_at: float = 0.0  # when (UTC seconds) a page of which nothing was sent is looked at once more
    supposed: dict[int, int] = field(default_factory=dict)  # what a preview takes for asked: question, and its job

    @property
    def parts(self) -> Parts:
        return self.calls.parts

    @property
    def lane(self) -> Lane:
        return self.calls.lane

    @property
    def connection(self) -> Connection:
        return self.calls.connection

    @property
    def sync(self) -> Sync:
        return self.calls.sync

    async def send_some(self, calls: int | None) -> bool:
        """Send so many calls, or all that may go out; False when there is nothing (more) to send for now."""
        begun = self.calls.sent
        while self._choose_spare() and (calls is None or self.calls.sent - begun < calls):
            if not await self._send_page(None if calls is None else calls - self.calls.sent + begun):
                return False
        return self._choose_spare()

    async def can_ask_somebody(self) -> bool:
        """Does anybody wait for whom the credits suffice, as far as is known?"""
        sync, name, fields = self.sync.name, self.connection.name, await self._payable(0)
        return bool(await self.parts.ledger.read(candidates.waiting, sync, name, 1, fields=fields))

    def _choose_spare(self) -> bool:
        """May anything go out? If it is only for somebody new, `spare` says so from then on."""
        self.calls.spare = SPARE
        if not self.calls.may_send():
            self.calls.spare = 0.0
        return self.calls.may_send()

    async def _send_page(self, calls: int | None) -> bool:
        """Hold a page of candidates, decide on them and send what can be asked; False where that was nothing."""
        size = self.lane.provider.capabilities.batch
        limit = PAGE if calls is None else min(PAGE, 4 * calls * size)
        least, most = (0 if self.calls.spare else NEW, MOST) if not self.calls.refresh else (REFRESH, REFRESH)
        if self.calls.refresh and not self.calls.spare:
            return False
        which: dict[str, Any] = {"sync": self.sync.name, "provider": self.connection.name, "limit": limit}
        which |= {"fields": await self._payable(least), "at_least": least, "at_most": most}
        page = await self.parts.ledger.read(candidates.page, **which)
        name = f"{self.sync.name} again" if self.calls.refresh else self.sync.name
        if not page.jobs or self.lane.vain.get(name, NEVER_LOOKED).holds(page, self.parts.clock.now()):
            return False
        others = partial(candidates.waiting, **which)
        async with hold(self.parts, Kind.JOB, page.jobs, others) as self.calls.held:
            self.again_at = self._look_again_at(self.parts.clock.now())
            going_on = await self._send_held(calls)
            self.calls.tight = False
            if not going_on:
                self.lane.vain[name] = Vain(page, self.again_at)
            return going_on
        return False  # the claim was lost

    def _look_again_at(self, now: float) -> float:
        """Soon, and when a budget's new day begins."""
        soon = now + LOOK_AGAIN
        zones = {one.time_zone for one in budgets_of(self.parts.settings)}
        days = [budgets.first_moment(soon, zone) for zone in zones]
        return min((day for day in days if day > now), default=soon)

    async def _send_held(self, calls: int | None) -> bool:
        now = self.parts.clock.now()
        found, choice = await self.choose(now)
        may_be_asked = await self._within_budgets(self._within_credits(choice.ask), now)
        choice.ask = await self._at_first(may_be_asked)
        is_whole = len(choice.ask) < len(may_be_asked)  # nobody may join those who are asked at first
        batches = self._batches(choice, now, is_whole=is_whole)[:calls]
        if self.lane.breaker.trial:
            batches = [batch[:1] for batch in batches[:1]]
        old = {one.ref for one in found if not fresh.is_fresh(one, now)}
        ready = fresh.ready(batches, old)
        if batches and not ready and not await fresh.look(self.parts, self.sync, batches, old):
            self.again_at = min(self.again_at, now + fresh.wait(self.parts, self.sync))
            return False  # a look is tried again then; what was looked at is chosen anew
        sent = self.calls.sent
        await self._send_together(ready)
        return bool(choice.aside or self.calls.sent > sent or (batches and not ready))

    async def choose(self, now: float) -> tuple[list[Candidate], Choice]:
        """Those of the jobs that are held whose turn it is, and whom of them to ask; whoever is not asked now has been
        put aside."""
        name, held = self.connection.name, self.calls.claimed
        asked = {field: policy for field, policy in self.sync.fields.items() if name in policy.providers}
        found = await self.parts.ledger.read(
            candidates.candidates,
            self.sync.name,
            name,
            held.items,
            since=self.calls.known_since(now),
            by_person=self.parts.rules.by_person,
        )
        new_id = self.parts.new_id if self.lane.provider.capabilities.batch == 1 else str  # a bulk has one for all
        choice = choose(found, await self._turn(found, asked, now), new_id)
        if choice.aside:
            await held.write(put_aside, choice.aside, now=now)
            self.parts.bells.ring("verify")
        return found, choice

    async def _payable(self, least: int) -> list[Field] | None:
        """The fields for which credits and budgets suffice as far as is known, None for all."""
        short, limits = self.lane.breaker.short, self.calls.limits
        if short is None and not limits:
            return None
        await self._learn_prices()
        prices = {one: price for one, price in self.calls.known_prices.items() if short is None or price < short}
        full = await self.parts.ledger.read(room.without, limits, prices, now=self.parts.clock.now()) if limits else {}
        await self._tell_full(full, least)
        payable = [one for one in prices if one not in full]
        return None if len(payable) == len(self.calls.known_prices) else payable

    async def _tell_full(self, full: Mapping[Field, OverBudget], least: int) -> None:
        """Of the fields without room, those that somebody waits for."""
        sync, name = self.sync.name, self.connection.name
        for one, cap in full.items():
            if await self.parts.ledger.read(candidates.waiting, sync, name, 1, fields=[one], at_least=least):
                await self.calls.note_cap(cap)

    async def _learn_prices(self) -> None:
        """What each field costs at worst, by now."""
        name, listed = self.connection.name, self.lane.provider.capabilities.price
        now = self.parts.clock.now()
        self.calls.prices = await self.parts.ledger.read(budgets.worst_prices, name, listed, now=now)

    def _within_credits(self, ask: Sequence[Item]) -> list[Item]:
        """Of a request for several fields, those that are not too dear together."""
        short = self.lane.breaker.short
        return list(ask) if short is None else [one for item in ask if (one := self._cheaper(item, short)) is not None]

    def _cheaper(self, item: Item, short: Decimal) -> Item | None:
        price = self.calls.known_prices
        kept: list[Field] = []
        for asked in sorted(item.jobs, key=lambda fld: price[fld]):
            if sum((price[one] for one in (*kept, asked)), Decimal(0)) < short:
                kept.append(asked)
        return _only(item, kept)

    async def _at_first(self, ask: list[Item]) -> list[Item]:
        """All, or a handful of contacts where the CRM has not confirmed a write for this sync lately."""
        if not ask:
            return ask
        left = await at_first(self.parts, self.sync)
        if left is None:
            return ask
        first = list(dict.fromkeys(item.request.ref for item in ask))[:left]
        return [item for item in ask if item.request.ref in first]

    async def _turn(self, found: Sequence[Candidate], fields: Mapping[Field, FieldPolicy], now: float) -> Turn:
        name, provider = self.connection.name, self.lane.provider
        turn = Turn(name=name, provider=provider, fields=fields, checks=checks_of(self.parts, self.sync), now=now)
        fields_of = {one.job_id: one.field for one in found}
        told = questions(found, turn)
        since = self.calls.known_since(now)
        digests = {question(fields_of[job], one.told): since.get(fields_of[job], EVER) for job, one in told.items()}
        asked = await self.parts.ledger.read(candidates.asked, name, digests)
        for digest in digests if self.supposed else ():
            if (job_id := self.supposed.get(digest)) is not None:
                asked[digest] = Asked(job_id=job_id, under_way=True, result_id=None)
        return replace(turn, asked=asked, told=told)

    def _batches(self, choice: Choice, now: float, *, is_whole: bool) -> list[list[Item]]:
        """Full bulks; the last, part-filled one only once it has waited for company long enough, or can have none."""
        size, short = self.lane.provider.capabilities.batch, self.lane.breaker.short
        batches: list[list[Item]] = []
        for item in choice.ask:
            fits = batches and len(batches[-1]) < size
            if fits and (short is None or self.calls.worst_case([*batches[-1], item]) < short):
                batches[-1].append(item)
            else:
                batches.append([item])
        if batches and len(batches[-1]) < size and not is_whole and now - choice.since < LINGER:
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
        """A place is for calls that nobody has answered: while one that was taken on is being stored, the next one has
        its intent written, in the same commit."""
        async with self.lane.places:
            if not self.calls.may_send() or not self._is_payable(items):
                return
            self.lane.pacer.take()
            if (taken := await self.calls.call(items)) is None:
                return
            await self.lane.storing.acquire()
        try:
            await self.calls.store(taken)
        finally:
            self.lane.storing.release()

    def _is_payable(self, items: Sequence[Item]) -> bool:
        """Do the credits suffice, as far as is known by now?"""
        return self.lane.breaker.short is None or self.calls.worst_case(items) < self.lane.breaker.short

    async def _within_budgets(self, ask: Sequence[Item], now: float) -> list[Item]:
        """Each request with the fields that budgets have room for. Looked at first, so that no place in the rate
        windows is taken for nothing: polls and other syncs need them."""
        if not (limits := self.calls.limits):
            await self._learn_prices()
            return list(ask)
        prices = self.calls.known_prices
        fits: dict[frozenset[Field], frozenset[Field]] = {}
        for fields in dict.fromkeys(frozenset(item.jobs) for item in ask):
            wanted = {field: prices[field] for field in sorted(fields)}
            fits[fields], over = await self.parts.ledger.read(room.fitting, limits, wanted, now=now)
            if over is not None:
                await self.calls.note_cap(over)
        return [one for item in ask if (one := _only(item, fits[frozenset(item.jobs)])) is not None]


def _only(item: Item, kept: Collection[Field]) -> Item | None:
    """A request for some of its fields alone; None where none is left."""
    if len(kept) == len(item.jobs):
        return item
    fields = tuple(field for field in item.request.fields if field in kept)
    request, jobs = replace(item.request, fields=fields), {field: item.jobs[field] for field in fields}
    return replace(item, request=request, jobs=jobs) if fields else None


async def _pass_on(parts: Parts, sync: Sync, name: str, why: str) -> None:
    """The provider can't be asked, and the operator would rather ask the next one, where there is one."""
    last = {field for field, policy in sync.fields.items() if policy.providers[-1] == name}
    fields = [field for field in sync.fields if field not in last]
    ids = await parts.ledger.read(candidates.waiting, sync.name, name, PAGE, fields=fields) if fields else []
    if not ids:
        return
    now = parts.clock.now()
    async with hold(parts, Kind.JOB, ids) as held:
        found = await parts.ledger.read(
            candidates.candidates, sync.name, name, held.items, since=dict.fromkeys(sync.fields, Since(now, now))
        )
        await held.finish(put_aside, [skip(one, name, why) for one in found], now=now)
        parts.bells.ring("verify")
