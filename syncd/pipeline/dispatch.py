"""Dispatch: queued jobs become paid calls, each with its intent on disk before it can cost anything.

`choose` decides who is asked; here that is carried out, and it is named what became of each call.
No retry may ever wrap `Provider.submit`: a call either was refused for certain, or is in doubt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Concatenate, TypeVar

import structlog

from syncd.config import Connection, FieldPolicy, Sync, WhenUnavailable
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Split
from syncd.contract.model import (
    CONTACT_EVENT,
    Delivery,
    Field,
    Receipt,
    Source,
    Submission,
)
from syncd.ledger import budgets, candidates, connections, inbox, submissions
from syncd.ledger.budgets import OverBudget
from syncd.ledger.candidates import Candidate
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.results import question
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Item, Stale

from . import account, fresh
from .choose import Choice, Turn, choose, put_aside, questions, skip
from .parts import Lane, Parts
from .spending import budget_of

DAY = 86_400.0
PAGE = 400  # candidates looked at in one go
LINGER = 10.0  # seconds that a part-filled bulk waits for company
KNOWN_FOR = 90 * DAY  # an answer about a person is good for as long
ADDRESS_LIFE = 60 * DAY  # late callbacks are paid for: they stay welcome
BACK_OFF_CAP = 3600.0

log = structlog.get_logger("syncd.dispatch")

T = TypeVar("T")


async def run_once(parts: Parts, name: str) -> int:
    """Send what may be sent to one provider now; returns how many calls were made."""
    lane, connection = parts.lanes[name], parts.settings.connections[name]
    if not await parts.in_time(parts.clock.now()):
        return 0  # the clock was set, and the watch has not looked yet
    trouble = await parts.ledger.read(connections.trouble, name)
    sent = 0
    for sync in parts.syncs:
        if not any(name in policy.providers for policy in sync.fields.values()):
            continue
        if trouble is not None:
            if sync.when_unavailable is WhenUnavailable.NEXT:
                await _pass_on(parts, sync, name, f"{name} is halted: {trouble}")
        elif parts.gate.why(sync.name):
            continue
        elif await _may_be_used(parts, name, sync):
            sent += await _Run(parts, lane, connection, sync).send_all()
    return sent


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
    stopped: bool = False
    sent: int = 0
    prices: Mapping[Field, Decimal] = field(default_factory=dict)  # credits for each field, at worst

    async def send_all(self) -> int:
        name = self.connection.name
        fields = {field: policy for field, policy in self.sync.fields.items() if name in policy.providers}
        while not self.stopped and not self._shut() and self.lane.pacer.ready_in() == 0:
            now = self.parts.clock.now()
            found = await self.parts.ledger.read(
                candidates.candidates,
                self.sync.name,
                name,
                PAGE,
                known_since=self._known_since(now),
                by_person=self.parts.rules.by_person,
            )
            choice = choose(found, await self._turn(found, fields, now), self.parts.new_id)
            if choice.aside:
                await self.parts.ledger.write(put_aside, choice.aside, now=now)
                self.parts.bells.ring("verify")
            choice.ask = await self._affordable(choice.ask, now)
            batches = self._batches(choice, now)
            if not batches and not choice.aside:
                break
            old = {one.ref for one in found if not fresh.is_fresh(one, now)}
            ready = fresh.ready(batches, old)
            if batches and not ready and not await fresh.look(self.parts, self.sync, batches, old):
                break  # a look is tried again later; what was looked at is chosen anew
            await self._send_together(ready)
        return self.sent

    def _known_since(self, now: float) -> float:
        """Answers, and identical questions, count from then on."""
        return now - min(KNOWN_FOR, self.sync.retry_not_found)

    async def _turn(self, found: Sequence[Candidate], fields: Mapping[Field, FieldPolicy], now: float) -> Turn:
        name, provider = self.connection.name, self.lane.provider
        turn = Turn(name=name, provider=provider, fields=fields)
        fields_of = {one.job_id: one.field for one in found}
        told = questions(found, turn)
        digests = [question(name, fields_of[job], one.told) for job, one in told.items()]
        asked = await self.parts.ledger.read(candidates.asked, digests, since=self._known_since(now))
        return replace(turn, asked=asked)

    def _shut(self) -> bool:
        return self.parts.clock_was_set or bool(self.parts.gate.why(self.sync.name))

    def _batches(self, choice: Choice, now: float) -> list[list[Item]]:
        """Full bulks; the last, part-filled one only once it has waited for company long enough."""
        size = self.lane.provider.capabilities.batch
        batches = [choice.ask[i : i + size] for i in range(0, len(choice.ask), size)]
        if batches and len(batches[-1]) < size and now - choice.since < LINGER:
            batches.pop()
        return batches

    async def _send_together(self, batches: Iterable[Sequence[Item]]) -> None:
        """Whatever breaks in one call, the others come to their end before it is raised."""
        outcomes = await asyncio.gather(*(self._send(batch) for batch in batches), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _send(self, items: Sequence[Item]) -> None:
        async with self.lane.places:
            if not self.stopped and not self._shut() and self.lane.pacer.ready_in() == 0:
                self.lane.pacer.take()
                await self._carry(items)

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
            self._spent(next(iter(dear.values())))
        return affordable

    def _worst_case(self, items: Iterable[Item]) -> Decimal:
        price = self.prices or self.lane.provider.capabilities.price
        return sum((price[field] for item in items for field in item.jobs), Decimal(0))

    async def _carry(self, items: Sequence[Item]) -> None:
        """One intent, one call, one outcome. Of a bulk dearer than what is left, a part goes ahead."""
        try:
            submission = await self._intend(items)
        except Stale:
            return
        except OverBudget as cap:
            await self._afford(items, cap)
            return
        self.sent += 1
        try:
            receipt = await self.lane.provider.submit(submission)
        except (Split, Skip) as error:
            await self._not_these(submission, items, error)
        except Retry as error:
            await self._not_now(submission, error)
        except Halt as error:
            self.stopped = True
            await self._refused(submission, str(error))
            name = self.connection.name
            if await self._write(connections.halt, name, error.trouble, str(error), error.cure):
                log.error("halted", connection=name, trouble=error.trouble, why=str(error), cure=error.cure)
        except InDoubt as error:
            await self._doubt(submission, str(error))
        except BaseException as error:
            # Whatever broke (a bug, a cancelled task), the call may have been made.
            self.stopped = True
            await self._doubt(submission, f"syncd failed while sending: {type(error).__name__}")
            raise
        else:
            await self._accepted(submission, receipt)

    async def _afford(self, items: Sequence[Item], cap: OverBudget) -> None:
        if len(items) > 1:
            await self._carry(items[: len(items) // 2])
        else:
            self._spent(cap)

    def _spent(self, cap: OverBudget) -> None:
        self.stopped = True
        if self.lane.over_budget != str(cap):
            log.warning("budget_reached", sync=self.sync.name, cap=str(cap))
        self.lane.over_budget = str(cap)

    async def _intend(self, items: Sequence[Item]) -> Submission:
        now, caps = self.parts.clock.now(), self.lane.provider.capabilities
        submission = self._submission(items, now)
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
            known_since=self._known_since(now),
            by_person=self.parts.rules.by_person,
        )
        self.lane.over_budget = ""
        return submission

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
            contact_url=mint(part=CONTACT_EVENT),
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
        self.lane.failures = 0
        now, caps = self.parts.clock.now(), self.lane.provider.capabilities
        poll_at = None if caps.poll_after is None else now + caps.poll_after

        def note(tx: Tx) -> None:
            submissions.accept(
                tx, submission.id, receipt.provider_id, poll_at=poll_at, deadline=now + caps.answer_within, now=now
            )
            if receipt.body is not None:
                delivery = Delivery(submission_id=submission.id, source=Source.RECEIPT, body=receipt.body)
                inbox.store(tx, self.connection.name, delivery, now=now)

        await self._record(note)
        if receipt.body is not None:
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
        self.lane.failures += 1
        await self._refused(submission, str(error))
        if isinstance(error, RateLimited) and error.windows:
            self.lane.pacer.learn(error.windows)
            await self._record(connections.learn_windows, self.connection.name, error.windows)
        pause = min(2.0**self.lane.failures * self.parts.rng.uniform(1, 2), BACK_OFF_CAP)
        self.lane.pacer.block(pause if error.after is None else error.after)
        log.warning("not_accepted", connection=self.connection.name, why=str(error), failures=self.lane.failures)

    async def _halve(self, items: Sequence[Item], why: str) -> None:
        middle = len(items) // 2
        log.warning("batch_split", connection=self.connection.name, requests=len(items), why=why)
        for half in (items[:middle], items[middle:]):
            if self.stopped or not await self.lane.pacer.acquire() or self.stopped or self._shut():
                return  # refused is refused: what is left of the bulk is back in the queue
            await self._carry([replace(i, request=replace(i.request, id=self.parts.new_id())) for i in half])

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
    now = parts.clock.now()
    found = await parts.ledger.read(candidates.candidates, sync.name, name, PAGE, known_since=now)
    last = {field for field, policy in sync.fields.items() if policy.providers[-1] == name}
    passed_on = [skip(one, name, why) for one in found if one.field not in last]
    if passed_on:
        await parts.ledger.write(put_aside, passed_on, now=now)
        parts.bells.ring("verify")
