"""The whole pipeline on one bench, to be driven stage by stage.

Real: the ledger, the stages, the addresses. In place of the world: a clock that jumps, ids that
count, a CRM and providers in memory. When a harness is closed, its ledger is audited.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

from syncd.config import Address, Budget, FieldPolicy, InDoubtPolicy, Settings, Sync, WhenUnavailable
from syncd.config.sections import Admin, Callbacks, Log
from syncd.config.settings import Connection, Port
from syncd.contract.model import Candidate, ContactRef, Delivery, Field, Grade, Identity, Submission
from syncd.contract.pacing import Pacer
from syncd.contract.ports import Options
from syncd.contract.testing import StillClock
from syncd.ledger import arrivals, budgets, undos
from syncd.ledger.states import JobState
from syncd.ledger.store import Ledger, Tx
from syncd.observe.conditions import Condition, derive
from syncd.observe.status import look
from syncd.pipeline import dispatch, inbox, plan, probe, pull, sweep, undoing, verify, work, writeback
from syncd.pipeline.address import Addresses
from syncd.pipeline.gate import Gate
from syncd.pipeline.parts import Lane, Parts
from syncd.pipeline.spending import budgets_of
from tests.contract.bench import START
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider
from tests.places import go_back, place_of, remember, section_of

from .audit import ask, audit

T = TypeVar("T")
DAY = 86_400.0
SECRET = "the callbacks' own secret, 32 long"
EMAIL, PHONE = Field.EMAIL, Field.PHONE
ONE_BY_ONE = replace(CAPABILITIES, batch=1, combines=False)
UNHEARD = replace(ONE_BY_ONE, poll_after=None, signed=False, needs_email_for=frozenset({PHONE}))  # by callback or not


class Harness:
    """`providers`: name and the fake behind it; every field asks `order` (all of them, by default).

    `second`: another CRM with a sync of its own, whose contacts have other ids than those of the first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        providers: Sequence[FakeProvider] | None = None,
        crm: FakeCrm | None = None,
        second: FakeCrm | None = None,
        fields: Mapping[Field, Sequence[str]] | None = None,
        in_doubt: InDoubtPolicy = InDoubtPolicy.ASK,
        budget: Budget | None = None,
        when_unavailable: WhenUnavailable = WhenUnavailable.WAIT,
        accept: frozenset[Grade] = frozenset({Grade.VALID}),
    ) -> None:
        fakes = list(providers or [FakeProvider("ann", capabilities=ONE_BY_ONE)])
        self.path = folder / "ledger.db"
        self._disk = folder / "crashed.db"
        self.clock = StillClock(START)
        self.crm = crm or FakeCrm("crm")
        self.crms = {one.name: one for one in (self.crm, second) if one is not None}
        self.fakes = {fake.name: fake for fake in fakes}
        self.fake = fakes[0]
        order = {EMAIL: tuple(self.fakes), PHONE: tuple(self.fakes)} if fields is None else fields
        sync = sync_of(self.crm.name, order, accept=accept, budget=budget, when_unavailable=when_unavailable)
        syncs = tuple(replace(sync, name=sync.name if name == sync.crm else name, crm=name) for name in self.crms)
        self.settings = settings_of(self.path, [*self.fakes], [*self.crms], syncs, in_doubt)
        self._runner = asyncio.Runner()
        self._ids = itertools.count(1)
        self.parts = self._assemble(Ledger.open(place_of(self.path)))

    @property
    def sync(self) -> Sync:
        return self.parts.settings.syncs[0]

    @property
    def ledger(self) -> Ledger:
        return self.parts.ledger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.leave()
        audit(self.path)

    def leave(self) -> None:
        """Close it, and let others look at what is left."""
        self.ledger.close()
        self._runner.close()

    def reopen(self, settings: Settings | None = None) -> None:
        """A restart, with another configuration if one is given. `recover` is the test's to call."""
        self.ledger.close()
        self.settings = settings or self.settings
        self._open()

    def remember_disk(self) -> None:
        """What the disk holds at this moment is what `crash` comes back to."""
        remember(self.path, self._disk)

    def crash(self) -> None:
        """The process ends where `remember_disk` was called; the world has gone on as it did."""
        self.ledger.close()
        go_back(self.path, self._disk)
        self._open()

    def _open(self) -> None:
        """Another process: whatever the one before held is free. On PostgreSQL its lease is over by now."""
        self.parts = self._assemble(Ledger.open(place_of(self.path)))
        if self.ledger.shared:
            self.run(self.ledger.write(lambda tx: tx.run("workers_forget")))
        self.run(work.begin(self.parts))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    # --- the stages ---------------------------------------------------------------------------

    def pull(self) -> int:
        return sum(self.run(pull.run_once(self.parts, sync)) for sync in self.parts.settings.syncs)

    def plan(self) -> int:
        return self.run(plan.run_once(self.parts))

    def probe(self) -> int:
        return self.run(probe.run_once(self.parts))

    def dispatch(self, name: str | None = None) -> int:
        """Where a provider was cut off, its free call has been made before, as it is every minute."""
        if self.sql("SELECT 1 FROM breaker WHERE why <> ''"):
            self.probe()
        return self.run(dispatch.run_once(self.parts, name or self.fake.name))

    def inbox(self) -> int:
        return self.run(inbox.run_once(self.parts))

    def sweep(self) -> int:
        """Time passes; what it is time for is decided."""
        moved = self.run(sweep.run_once(self.parts))
        return moved + self.plan()

    def recover(self) -> int:
        """A start; what follows from another configuration is decided."""
        doubtful = self.run(sweep.recover(self.parts))
        self.plan()
        return doubtful

    def verify(self) -> int:
        return self.run(verify.run_once(self.parts))

    def writeback(self) -> int:
        return sum(self.run(writeback.run_once(self.parts, sync)) for sync in self.parts.settings.syncs)

    def undo(self, **wanted: Any) -> int:
        """A person wants what fits to be put back; returns the run. `undoing` carries it out."""

        def ask(tx: Tx) -> int:
            return undos.ask(tx, undos.find(tx, undos.Wanted(**wanted)), "by a test", now=self.clock.now())

        return self.run(self.ledger.write(ask))

    def undoing(self) -> int:
        """One pass; what follows from it is decided."""
        ended = self.run(undoing.run_once(self.parts))
        self.plan()
        return ended

    def ask(self) -> int:
        """From the CRM to paid calls; returns how many were made."""
        self.pull()
        self.plan()
        return sum(self.dispatch(name) for name in self.fakes)

    def ask_the_next(self, name: str) -> None:
        """The first provider is asked and does not answer in time; the next one, of this name, is asked and answers."""
        self.ask()
        self.clock.time += 3 * DAY
        self.sweep()
        self.verify()
        self.ask()
        self.answer_all(name)
        self.finish()

    def finish(self) -> int:
        """From answers to the CRM, with the patience that batches ask for."""
        self.inbox()
        self.verify()
        self.clock.time += 60
        return self.writeback()

    # --- the world ----------------------------------------------------------------------------

    def person(self, name: str = "Ada", *, country: str | None = None, **values: str) -> str:
        """A contact with a profile; returns its id."""
        handle = f"https://www.linkedin.com/in/{name.lower()}"
        identity = Identity(
            first_name=name, last_name="Test", company="Acme", domain="acme.example.com",
            linkedin_url=handle, country=country,
        )  # fmt: skip
        return self.crm.add(identity, **values)

    def finds(
        self, contact: str, field: Field, *values: str, grade: Grade = Grade.VALID, by: str | None = None
    ) -> None:
        """What a provider knows about a contact."""
        self.fakes[by or self.fake.name].finds[contact, field] = tuple(Candidate(value=v, grade=grade) for v in values)

    def deliver(self, delivery: Delivery, name: str | None = None) -> bool:
        """What the receiver does with a genuine callback; False for a repeat."""
        work = self.ledger.write(arrivals.store, name or self.fake.name, delivery, now=self.clock.now())
        return self.run(work) is arrivals.Kept.NEW

    def call_back(self, submission: Submission, body: bytes | None = None, name: str | None = None) -> int:
        """The provider answers a submission; returns how many jobs that answered."""
        self.deliver(self.fakes[name or self.fake.name].delivery(submission, body=body), name)
        return self.inbox()

    def answer_all(self, name: str | None = None) -> None:
        """Every call that the provider took on is answered."""
        for submission in list(self.fakes[name or self.fake.name].accepted.values()):
            self.call_back(submission, name=name)

    # --- looking ------------------------------------------------------------------------------

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return ask(self.path, text, *values)

    def job(self, contact: str, field: Field = EMAIL) -> tuple[str, str]:
        """(state, reason) of a job."""
        return self.sql(
            "SELECT state, reason FROM job JOIN contact ON contact.id = contact_id WHERE ext_id = ? AND field = ?",
            contact, field,
        )[0]  # fmt: skip

    def state(self, contact: str, field: Field = EMAIL) -> JobState:
        return JobState(self.job(contact, field)[0])

    def reason(self, contact: str, field: Field = EMAIL) -> str:
        return self.job(contact, field)[1]

    def note(self, contact: str, field: Field = EMAIL) -> str:
        text = "SELECT note FROM job JOIN contact ON contact.id = contact_id WHERE ext_id = ? AND field = ?"
        return str(self.sql(text, contact, field)[0][0])

    def submissions(self) -> list[str]:
        """The state of each submission, in order of their making."""
        return [row[0] for row in self.sql("SELECT state FROM submission ORDER BY id")]

    def credits(self) -> dict[str, Any]:
        """Credits over all providers."""
        row = self.sql("SELECT sum(reserved_mc), sum(charged_mc), sum(doubt_mc) FROM spend")[0]
        return {k: Decimal(v or 0) / 1000 for k, v in zip(("reserved", "charged", "in_doubt"), row, strict=True)}

    def over_budget(self) -> dict[str, str]:
        """The budgets that have no room for the next call, and the window of each."""
        told = self.run(self.ledger.read(budgets.report, budgets_of(self.settings), now=self.clock.now()))
        return {one["budget"]: one["window"] for one in told if one["reached"]}

    def assumed(self) -> Decimal:
        """Credits that count as charged, although nobody told."""
        return Decimal(self.sql("SELECT coalesce(sum(assumed_mc), 0) FROM spend")[0][0]) / 1000

    def tally(self, name: str) -> int:
        return sum(row[0] for row in self.sql("SELECT n FROM tally WHERE name = ?", name))

    def conditions(self, *kinds: str) -> list[Condition]:
        """What is wrong or wants a person; of these kinds, if any are named."""
        found = derive(self.run(self.ledger.read(look, self.settings, now=self.clock.now())))
        return [one for one in found if not kinds or one.kind in kinds]

    def held(self, contact: str, name: str = "email") -> str:
        """What the CRM holds."""
        records = next(crm.records for crm in self.crms.values() if contact in crm.records)
        return records[contact].values.get(name, "")

    def ref(self, contact: str) -> ContactRef:
        return ContactRef(connection=self.crm.name, object="contacts", id=contact)

    def _assemble(self, ledger: Ledger) -> Parts:
        return Parts(
            ledger=ledger,
            clock=self.clock,
            rng=random.Random(7),
            new_id=lambda: f"{next(self._ids):032x}",
            settings=self.settings,
            crms={**self.crms},
            lanes={n: Lane(provider=f, pacer=Pacer(f.capabilities.windows, self.clock)) for n, f in self.fakes.items()},
            addresses=Addresses(self.settings.callbacks.public_url if self.settings.callbacks else "", [SECRET]),
            gate=Gate({}),
        )


def sync_of(
    crm: str,
    order: Mapping[Field, Sequence[str]],
    *,
    accept: frozenset[Grade] = frozenset({Grade.VALID}),
    budget: Budget | None = None,
    when_unavailable: WhenUnavailable = WhenUnavailable.WAIT,
) -> Sync:
    """The one sync of a harness: which field is asked of whom, in turn."""
    policies = {
        field: FieldPolicy(
            property=field.value, also=("mobile",) * (field is PHONE), providers=tuple(names), accept=accept
        )
        for field, names in order.items()
    }
    return Sync(
        name="people", crm=crm, object="contacts", schedule=None, every=900.0, match={},
        fields=policies, budget=budget or Budget(), retry_not_found=90 * DAY,
        when_unavailable=when_unavailable, paused=False, buy_before_write=0, write_within=5.0,
    )  # fmt: skip


def settings_of(
    path: Path, providers: Sequence[str], crms: Sequence[str], syncs: tuple[Sync, ...], in_doubt: InDoubtPolicy
) -> Settings:
    """The configuration of a harness."""

    def connection(name: str, port: Port) -> Connection:
        return Connection(
            name=name, connector="fake", port=port, base_url=None, in_doubt_policy=in_doubt,
            in_doubt_hold=2 * DAY, options=Options(),
        )  # fmt: skip

    made = [*(connection(name, Port.CRM) for name in crms), *(connection(name, Port.PROVIDER) for name in providers)]
    anywhere = Address("127.0.0.1", 0)
    return Settings(
        ledger=section_of(path),
        callbacks=Callbacks.model_validate(
            {"public_url": "https://enrich.example.com", "secrets": [SECRET], "listen": anywhere}
        ),
        admin=Admin.model_validate({"listen": anywhere}),
        log=Log(),
        rehearsal=None,
        connections={one.name: one for one in made},
        syncs=syncs,
    )
