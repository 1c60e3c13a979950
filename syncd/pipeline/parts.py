"""What a stage is given: the ledger, time, chance, the connections. Joined by the composition root."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import structlog

from syncd.config import OptOutScope, Settings, Sync
from syncd.contract.errors import ConnectorError
from syncd.contract.http import IN_FLIGHT
from syncd.contract.model import Field
from syncd.contract.pacing import Clock, Pacer
from syncd.contract.ports import Crm, Provider
from syncd.contract.watched import Calls
from syncd.ledger import gates, upkeep
from syncd.ledger.candidates import Page
from syncd.ledger.connections import NONE, Refused
from syncd.ledger.contacts import Rules
from syncd.ledger.room import Limit
from syncd.ledger.shared_time import SharedTime
from syncd.ledger.store import Ledger
from syncd.people import employers

from .address import Addresses
from .breaker import Breaker
from .exchangers import Exchangers
from .gate import Gate
from .liveness import Liveness
from .spending import budgets_of, floors_of
from .symptoms import Symptoms
from .work import AtWork

SIGN_OF_LIFE = 30.0  # seconds
CLOSE, TRIES = 5.0, 100  # seconds between two readings of clocks that are compared; how often that is tried
PAID_AT_ONCE = 3  # calls of which nobody would know what became of them if the provider failed at once

log = structlog.get_logger("syncd.gate")


@dataclass(slots=True)
class Bells:
    """Wakes stages by name: `dispatch` wakes each of them, `dispatch:<connection>` that one."""

    bells: dict[str, asyncio.Event] = field(default_factory=dict)
    called_at: float = float("-inf")  # when a callback came last, by the event loop's clock
    going_on: set[str] = field(default_factory=set)  # stages that have left as much as a pass can take

    def callback(self) -> None:
        """One came: the inbox's turn, as soon as no more pour in."""
        self.called_at = asyncio.get_running_loop().time()
        self.ring("inbox")

    def go_on(self, name: str) -> None:
        """As `ring`, for a stage that has as much to do as a pass can take: it gains nothing by waiting for company."""
        self.going_on.update(self._named(name))
        self.ring(name)

    def goes_on(self, stage: str) -> bool:
        """Whether that was said since it was asked last."""
        found = stage in self.going_on
        self.going_on.discard(stage)
        return found

    def ring(self, name: str) -> None:
        """Wake a stage, or every stage of a kind; a name nobody listens to is no error."""
        for stage in self._named(name):
            self.bells[stage].set()

    def _named(self, name: str) -> list[str]:
        return [stage for stage in self.bells if name in (stage, stage.partition(":")[0])]


class Vain(NamedTuple):
    """A page of jobs of which nothing could be sent: a budget is spent, or a bulk waits for company."""

    page: Page
    until: float  # UTC seconds

    def holds(self, page: Page, now: float) -> bool:
        """Would it be in vain again? Not once anything moved, or its time has come."""
        return page == self.page and now < self.until


NEVER_LOOKED = Vain(Page((), 0), 0.0)


@dataclass(slots=True)
class Lane:
    """The way to one provider: its rate windows, its places in flight, and how it has been lately."""

    provider: Provider
    pacer: Pacer
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))
    refused: Refused = NONE  # how it stood with the last calls; the ledger's row is what counts
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAID_AT_ONCE))
    storing: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(IN_FLIGHT)
    )  # accepted, not yet on disk
    vain: dict[str, Vain] = field(default_factory=dict)  # by sync
    breaker: Breaker = field(default_factory=Breaker)  # as it was read last; the ledger's row is what counts
    # By sync, budget, window and what a call needs: when (monotonic) the ledger was last told that it does not fit.
    caps_noted: dict[tuple[str, str, str, Decimal], float] = field(default_factory=dict)

    @property
    def too_dear(self) -> list[Field]:
        """The fields for which the credits there do not suffice, as far as is known."""
        short, price = self.breaker.short, self.provider.capabilities.price
        return [] if short is None else [field for field, one in price.items() if one >= short]


@dataclass(slots=True)
class Accounts:
    """Which connections were seen to have their own account's key, in this process (see `account`)."""

    known: set[str] = field(default_factory=set)
    failed: dict[str, tuple[float, ConnectorError]] = field(default_factory=dict)  # until when (monotonic), and why
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the stages work with."""

    ledger: Ledger
    clock: Clock
    rng: random.Random
    new_id: Callable[[], str]  # of a call: see `ledger.ids`
    settings: Settings
    crms: Mapping[str, Crm]
    lanes: Mapping[str, Lane]  # by the provider's connection
    addresses: Addresses
    gate: Gate = field(default_factory=Gate)
    tallies: Counter[str] = field(default_factory=Counter)  # counted in memory, flushed now and then
    bells: Bells = field(default_factory=Bells)
    former: Mapping[str, str] = field(default_factory=dict)  # names that connections had → what they are called now
    liveness: Liveness = field(default_factory=Liveness)
    accounts: Accounts = field(default_factory=Accounts)
    at_work: AtWork = field(default_factory=AtWork)  # this process, as the ledger knows it
    look_at: dict[str, float] = field(default_factory=dict)  # by CRM: when contacts may be looked at again (monotonic)
    symptoms: Symptoms = field(default_factory=Symptoms)
    exchangers: Exchangers = field(default_factory=Exchangers)  # which domains take mail
    calls: Calls = field(default_factory=Calls)  # that this process has made to the outside
    alerts_sent: Counter[str] = field(default_factory=Counter)  # messages by how they ended
    shared_time: SharedTime | None = None  # what the clock goes by where several hosts share the ledger
    heard: dict[str, float] = field(default_factory=dict)  # by provider: when a callback last came (UTC seconds)

    def __post_init__(self) -> None:
        self.gate.expect(sync.name for sync in self.syncs)
        if self.settings.callbacks is None:  # all answers are fetched
            self.gate.set("callbacks", "")

    def limits(self, sync: str, provider: str, *, refresh: bool = False) -> tuple[Limit, ...]:
        """All that calls for a sync at a provider have to fit into: budgets, and the floor of the balance. `refresh`:
        calls by which values of ours are verified again."""
        budgets = (one for one in budgets_of(self.settings) if one.covers(sync, provider) and refresh >= one.refresh)
        return (*budgets, *(one for one in floors_of(self.settings) if one.name == provider))

    @property
    def clock_was_set(self) -> bool:
        """Since the watch looked last: neither buy nor let anything expire on the word of this clock."""
        return self.gate.stepped(*self.moment())

    def moment(self) -> tuple[float, float]:
        """The wall clock and the monotonic one, read so close together that they can be compared: a process that was
        held up between the two would take that for a clock that was set."""
        before = self.clock.monotonic()
        for _ in range(TRIES):
            now, after = self.clock.now(), self.clock.monotonic()
            if after - before < CLOSE:
                break
            before = after
        return now, after

    async def in_time(self, now: float) -> bool:
        """Can this be the time? By the watch's last look, which may be a while ago, and by how the clock ran since."""
        return not self.clock_was_set and await self.ledger.read(upkeep.in_time, now)

    async def publish(self) -> None:
        """Tell how the gate stands, and keep it in the ledger for whoever looks there; now and then although it
        stands as it did, as a sign that somebody runs."""
        self.tell()
        gate, now, moment = self.gate, self.clock.now(), self.clock.monotonic()
        rows, looked = gate.rows(), gate.looked
        looked.update({key: now for key, at in looked.items() if at is None})
        if rows == gate.kept and moment - gate.kept_at < SIGN_OF_LIFE:
            return
        gate.kept, gate.kept_at, gate.looked = rows, moment, {}
        own, found = gate.split(looked)
        opened = {key: at for key, at in looked.items() if at is not None and key not in gate.reasons}
        await self.ledger.write(gates.keep, self.at_work.owner, own, found, opened, now=now)

    def tell(self) -> None:
        """What is new about the gate: the log hears it once, and dispatch that it may buy."""
        shut, opened = self.gate.news(self.clock.now())
        for watch, sync in shut:
            one = self.gate.reasons[watch, sync]
            log.warning("gate_shut", watch=watch, sync=sync, why=one.why, cure=one.cure)
        for (watch, sync), told in opened.items():
            if told:
                log.info("gate_open", watch=watch, sync=sync)
        if opened:
            self.bells.ring("dispatch")

    @property
    def rules(self) -> Rules:
        """What the operator says of people."""
        people = self.settings.people
        hosts = filter(None, map(employers.host, people.own_domains))
        own = frozenset(filter(None, map(employers.domain, hosts)))
        return Rules(own_domains=own, by_person=people.opt_out_scope is OptOutScope.PERSON)

    @property
    def listed_prices(self) -> dict[str, dict[str, Decimal]]:
        """What a find costs by each provider's list, by connection and field."""
        prices = {name: lane.provider.capabilities.price for name, lane in self.lanes.items()}
        return {name: {str(field): one for field, one in of_one.items()} for name, of_one in prices.items()}

    @property
    def syncs(self) -> tuple[Sync, ...]:
        """The syncs that are not paused."""
        return tuple(sync for sync in self.settings.syncs if not sync.paused)
