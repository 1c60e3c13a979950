"""FullEnrich's jobs: the queue, how long a contact takes, when a job ends, and what it costs.

At most 100 contacts of a workspace are looked up at the same time, each for 30 to 90 s; what was
found is paid for at once, from a history of three months it is free. Shapes live in
`fullenrich_results`, calls and webhooks in `fullenrich`.
"""

from __future__ import annotations

import heapq
import random
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal

from syncd.sandbox.billing import Account, Bill
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.fullenrich_request import Ask, Dialect, Order
from syncd.sandbox.world import Find, Person, World

AT_ONCE = 100
LATENCY = (30.0, 90.0, 48.0)  # least, most, mode in sandbox seconds: 56 s on average
FROM_HISTORY = 2.0
RETENTION = 90 * 86_400.0  # "three months", for results and for the history
PRICES = {"work_email": Decimal(1), "personal_email": Decimal(3), "phone": Decimal(10)}
BILLABLE = frozenset({"valid", "probable", "catch_all"})

Identity = tuple[str, str, str, str, str]

JOB_FAULTS: dict[str, str] = {
    "fullenrich_out_of_credits": "the job runs out of credits (parameter: after how many paid contacts, 0)",
    "fullenrich_canceled": "the job is canceled (parameter: after how many contacts, 0)",
    "fullenrich_end_status": "the job ends with another status (parameter, UNKNOWN)",
    "fullenrich_slow": "every contact of the job takes long (parameter: sandbox seconds, 3600)",
    "fullenrich_stuck": "the job never ends",
    "fullenrich_nothing": "nothing is found for one contact, whoever it is",
    "fullenrich_stranger": "one contact's result tells another person's identity and values, and is billed",
    "fullenrich_several": "two more values of each kind are found for one contact, one in other writing",
}


@dataclass(slots=True)
class Item:
    """One contact of a job."""

    ask: Ask
    person: Person | None
    free: frozenset[str]  # kinds that the history knows
    starts_at: float
    ends_at: float
    finds: dict[str, tuple[Find, ...]] = field(default_factory=dict)  # by kind
    done: bool = False
    stranger: bool = False  # the result is about somebody else


@dataclass(slots=True)
class Job:
    """One bulk."""

    id: str
    dialect: Dialect
    order: Order
    items: list[Item]
    created_at: float
    paid_left: int | None = None  # how many contacts may still be paid for; None: as the balance allows
    cancel_after: int | None = None
    credits: Decimal = Decimal(0)
    end: str | None = None  # the status it ended with

    def status(self, now: float) -> str:
        """Job status at a moment of the sandbox clock."""
        if self.end is not None:
            return self.end
        return "IN_PROGRESS" if any(item.starts_at <= now for item in self.items) else "CREATED"


class Jobs:
    """All jobs of one workspace."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        faults: Faults,
        rng: random.Random,
        *,
        account: Account,
        on_contact: Callable[[Job, Item], None],
        on_end: Callable[[Job], None],
        free: Collection[Identity] = (),
    ) -> None:
        """`on_contact`, `on_end`: told when a contact or a job is through; `free`: test contacts that cost nothing."""
        self._world, self._clock, self._faults, self._rng = world, clock, faults, rng
        self._account, self._on_contact, self._on_end, self._free = account, on_contact, on_end, frozenset(free)
        self._seed = rng.getrandbits(64)
        self._jobs: dict[str, Job] = {}
        self._busy_until: list[float] = []  # a heap: when each of the places in the queue is free again
        self._history: dict[tuple[Identity, str], float] = {}  # when it was last paid for or came up empty

    def open(self, dialect: Dialect, order: Order, *, at_once: bool = False) -> Job:
        """Accept a bulk; `at_once`: without any latency. The caller runs it."""
        now = self._clock.now()
        slow = self._faults.take("fullenrich_slow")
        fixed = 0.0 if at_once else None if slow is None else float(slow or 3600)
        items = [self._enqueue(ask, now, fixed) for ask in order.asks]
        job = Job(str(uuid.UUID(int=self._rng.getrandbits(128), version=4)), dialect, order, items, now)
        if (after := self._faults.take("fullenrich_out_of_credits")) is not None:
            job.paid_left = int(after or 0)
        if (after := self._faults.take("fullenrich_canceled")) is not None:
            job.cancel_after = int(after or 0)
        self._jobs[job.id] = job
        return job

    def get(self, job_id: str, dialect: Dialect) -> Job | None:
        """A job of this workspace and version that is not older than three months."""
        job = self._jobs.get(job_id)
        fresh = job is not None and job.dialect is dialect and self._clock.now() - job.created_at <= RETENTION
        return job if fresh else None

    def every(self) -> list[Job]:
        """All jobs, oldest first."""
        return list(self._jobs.values())

    async def run(self, job: Job) -> None:
        """Look the contacts up, each when its time has come, until the job ends."""
        if self._faults.take("fullenrich_stuck") is None:
            self._end(job, await self._work(job))

    def cancel(self, job: Job) -> None:
        """End a running job, as somebody can in the dashboard."""
        self._end(job, "CANCELED")

    async def _work(self, job: Job) -> str:
        """Go through the contacts; returns the status the job ends with."""
        for done, item in enumerate(sorted(job.items, key=lambda item: item.ends_at)):
            await self._clock.sleep(item.ends_at - self._clock.now())
            if job.end is not None or job.cancel_after == done:
                return "CANCELED"
            if not self._finish(job, item):
                return "CREDITS_INSUFFICIENT"
            self._on_contact(job, item)
        status = self._faults.take("fullenrich_end_status")
        return "FINISHED" if status is None else status or "UNKNOWN"

    def _end(self, job: Job, status: str) -> None:
        if job.end is None:
            job.end = status
            self._on_end(job)

    # ---- one contact

    def _enqueue(self, ask: Ask, now: float, fixed: float | None) -> Item:
        if ask.skipped:
            return Item(ask, None, frozenset(), now, now)
        person = self._world.find_person(**ask.told())
        since = now - RETENTION
        known = (kind for kind in ask.kinds if self._history.get((ask.identity, kind), 0.0) > since)
        free = frozenset(ask.kinds if ask.identity in self._free else known)
        if fixed is None:
            fixed = FROM_HISTORY if free.issuperset(ask.kinds) else self._latency(ask)
        starts_at = self._reserve(now, fixed)
        return Item(ask, person, free, starts_at, starts_at + fixed)

    def _reserve(self, now: float, seconds: float) -> float:
        """When a contact that takes so long gets a place; first come, first served."""
        places = self._busy_until
        starts_at = now if len(places) < AT_ONCE else max(now, heapq.heappop(places))
        heapq.heappush(places, starts_at + seconds)
        return starts_at

    def _latency(self, ask: Ask) -> float:
        least, most, mode = LATENCY
        chance = random.Random(f"{self._seed}:{ask.identity}")  # noqa: S311 - chance, not secrecy
        return chance.triangular(least, most, mode)

    def _finish(self, job: Job, item: Item) -> bool:
        """Look one contact up and pay; False, and nothing happens, if there are not enough credits."""
        if item.ask.skipped:
            item.done = True
            return True
        self._look_up(item)
        costs = {kind: self._cost(item, kind) for kind in item.ask.kinds}
        total = sum(costs.values(), Decimal(0))
        broke = self._account.balance <= 0 and not item.free.issuperset(item.ask.kinds)
        if broke or total > self._account.balance or (total and job.paid_left == 0):
            item.finds = {}
            return False
        if total and job.paid_left is not None:
            job.paid_left -= 1
        for kind, cost in costs.items():
            self._pay(job, item, kind, cost)
        item.done = True
        return True

    def _look_up(self, item: Item) -> None:
        if self._faults.take("fullenrich_stranger") is not None:
            others = (other for other in self._world.people if other is not item.person)
            item.person = next((other for other in others if self._finds(other, "work_email")), None)
            item.stranger = True
        if item.person is None or self._faults.take("fullenrich_nothing") is not None:
            return
        item.finds = {kind: finds for kind in item.ask.kinds if (finds := self._finds(item.person, kind))}
        if self._faults.take("fullenrich_several") is not None:
            item.finds = {kind: _more(kind, finds) for kind, finds in item.finds.items()}

    def _finds(self, person: Person, kind: str) -> tuple[Find, ...]:
        return self._world.finds(person, "fullenrich", "email" if kind == "work_email" else kind)

    def _cost(self, item: Item, kind: str) -> Decimal:
        return PRICES[kind] if kind not in item.free and any(map(_earns, item.finds.get(kind, ()))) else Decimal(0)

    def _pay(self, job: Job, item: Item, kind: str, cost: Decimal) -> None:
        now, finds = self._clock.now(), item.finds.get(kind, ())
        reason = "history" if kind in item.free else "found" if cost else "no charge" if finds else "nothing found"
        person = item.person.key if item.person else None
        asked = item.ask.told()
        self._account.charge(Bill(job.id, person, kind, cost, now, reason, finds, asked, item.stranger))
        job.credits += cost
        if kind not in item.free:
            self._history[item.ask.identity, kind] = now


def _earns(find: Find) -> bool:
    """Landlines and invalid e-mails are free."""
    return find.status in BILLABLE and (find.line_type or "").lower() != "landline"


def _more(kind: str, finds: tuple[Find, ...]) -> tuple[Find, ...]:
    first = finds[0]
    if kind == "phone":
        return *finds, Find("+447700900987", "valid", "GB", "mobile"), first
    return (
        *finds,
        Find(f"office@{first.value.rpartition('@')[2]}", "catch_all"),
        Find(first.value.upper(), first.status),
    )
