"""Is the bill the least that was possible? A world without faults, with many people, and a buyer who knows everything.

Five thousand people stand in two CRMs, a fifth of them twice, and nobody knows a value of a third of them. Over three
months of scheduled runs, filter, providers and rules change twice; people are entered all the time. The daemon is the
real one, its calls reach the simulated vendors, and what these have billed is the bill.

The buyer knows who is who in all records, forgets no answer, and asks the providers in the order that is configured
when a field is first wanted, and again whenever that changes: each provider is paid once for a find of theirs.
Each pair of records has something in common by which a colleague would know them for one person.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from syncd.config import Settings, WhenUnavailable
from syncd.config.sections import Budget, InDoubtPolicy, OnDoubt
from syncd.config.settings import Sync
from syncd.contract.model import ASKED, Field, Grade, Identity
from syncd.ledger.store import Tx

from .configuration import Configuration
from .crm import PROPERTY, Crm, Record, is_selected
from .judge import Judge
from .mixture import Mixture
from .people import Find, Market, Person
from .run import MEMORY, _no_surprises, _silence
from .timeline import DAY, on_timeline, spawn
from .vendor import PRICE
from .world import World

PEOPLE = 5_000
DUPLICATES = 0.2
NOT_FINDABLE = 0.3
LATER = 0.25  # of the people are entered in the course of the months, the others are there from the start
MONTH = 28 * DAY
SETTLES = 3 * DAY  # until whoever was entered has been asked about
BATCH = 100  # records that a call to a CRM takes
VALID = frozenset({Grade.VALID})
VOWELS, CONSONANTS = "aeiou", "bdfgklmnprstvz"
_Find = tuple[str, str, Field]  # vendor, person, field
FIRST = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Gwen", "Hugo", "Ines", "Kira", "Lars")


@dataclass(frozen=True, slots=True)
class Phase:
    """What is configured for a month."""

    match: Mapping[str, str]
    providers: tuple[str, ...]
    accept: frozenset[Grade]


PHASES: tuple[Phase, ...] = (
    Phase({"team": "a"}, ("zeliq",), VALID),
    Phase({}, ("zeliq", "fullenrich"), VALID),
    Phase({}, ("fullenrich", "zeliq"), frozenset({Grade.VALID, Grade.CATCH_ALL})),
)


@dataclass(frozen=True, slots=True)
class Bill:
    """Credits by provider: what was billed, and the least.

    `twice`: finds that were paid more than once; `needless`: that the buyer would not have paid; `unpaid`: that only
    the buyer has. `missing`: values that were paid for, and do not stand in a record that wants them. `written`: those
    that were written.
    """

    billed: Mapping[str, int]
    least: Mapping[str, int]
    twice: tuple[str, ...]
    needless: tuple[str, ...]
    unpaid: tuple[str, ...]
    missing: tuple[str, ...]
    written: int

    @property
    def differences(self) -> tuple[str, ...]:
        """In words; none where the bill is the least that was possible, and every value arrived."""
        told = {
            "paid twice": self.twice,
            "paid needlessly": self.needless,
            "not paid, but wanted": self.unpaid,
            "paid, but not written": self.missing,
        }
        credits_ = [
            f"{name} has billed {self.billed[name]} credits, the least is {least}"
            for name, least in self.least.items()
            if self.billed[name] != least
        ]
        return (*credits_, *(f"{what}: {one}" for what, ones in told.items() for one in ones))


def bill(people: int = PEOPLE, seed: int = 1) -> Bill:
    """Unfold three months, and compare."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder, _silence(), _no_surprises():
        world = Office(seed, Path(folder) / "ledger.db", people)
        on_timeline(lambda: world.unfold(0))
        return world.bill()


class _Silent(Judge):
    """At a commit nothing is looked at: the bill is compared at the end."""

    def on_commit(self, tx: Tx) -> None:
        """See the class."""


class Office(World):
    """A world without faults, in which much is bought."""

    def __init__(self, seed: int, path: Path, people: int) -> None:
        super().__init__(seed, path, _end_faults)
        rng = random.Random(f"whom there is to find, {seed}")
        self._people_rng = rng
        self.market = Market([_person(rng, number) for number in range(people)])
        self.market.by_email |= {_mailbox(person): person for person in self.market.people}
        self.crms = {
            name: Crm(self, name, first, conditional=conditional, page=BATCH, batch=BATCH)
            for name, first, conditional in (("north", 1_000_000, False), ("south", 2_000_000, True))
        }
        self._by_key = {person.key: person for person in self.market.people}
        self._entered: dict[str, float] = {}
        self._typed: dict[str, str] = {}  # the mailbox of a record, where somebody has typed one
        self.judge = _Silent(self)
        self.configuration = Configuration(rng, rng, None, None, path, tuple(self.crms))
        settings = self.configuration.now
        self.configuration.now = self.configuration.wanted = _configured(settings, PHASES[0])
        for vendor in self.vendors.values():
            vendor.credits = 10**9

    # --- as in a history, without what looks for other things than money ----------------------

    def worked(self) -> None:
        """Much is to be done."""

    def rang(self) -> None:
        """The same."""

    def note(self, what: str) -> None:
        """Nobody reads it."""

    def acceptable(self, crm: str, record: Record, fld: Field) -> frozenset[str]:
        return frozenset(record.person.good(fld, VALID))

    def awaited_before_a_write(self, ref: str) -> int:
        return 0

    # --- three months -------------------------------------------------------------------------

    async def unfold(self, days: float) -> None:
        spawn(self, self._enter())
        spawn(self, self._keep_alive())
        for number, phase in enumerate(PHASES):
            if number:
                self.configuration.wanted = _configured(self.configuration.now, phase)
                assert self.life is not None
                await self.life.stop()
            for _ in range(int(MONTH // DAY)):
                await asyncio.sleep(DAY)
                gc.collect(0)
        await self._end()

    async def _enter(self) -> None:
        """Three quarters are there from the start, the others come one by one; a second record comes days later."""
        rng, people = self._people_rng, self.market.people
        first = int(len(people) * (1 - LATER))
        pause = 2.6 * MONTH / max(1, len(people) - first)
        for number, person in enumerate(people):
            if number >= first:
                await asyncio.sleep(pause)
            twice = number % round(1 / DUPLICATES) == 0
            self._employ_as(person, _ways_to_enter(rng, person, twice=twice))

    def _employ_as(self, person: Person, known: Sequence[tuple[str, Identity, str]]) -> None:
        for place, (crm, identity, mailbox) in enumerate(known):
            wait = 0.0 if place == 0 or self._people_rng.random() < 0.5 else self._people_rng.uniform(0, 5 * DAY)
            spawn(self, self._add(wait, self.crms[crm], person, identity, mailbox))

    async def _add(self, wait: float, crm: Crm, person: Person, identity: Identity, mailbox: str) -> None:
        await asyncio.sleep(wait)
        if self.now % MONTH > MONTH - SETTLES:  # else nobody could say by which rules they were asked about
            await asyncio.sleep(SETTLES)
        record = crm.add(person, identity, **({"email": mailbox} if mailbox else {}))
        record.team = self._people_rng.choice("ab")
        self._typed[record.id] = mailbox
        self._entered[f"{crm.name}/contacts/{record.id}"] = self.now

    # --- the comparison -----------------------------------------------------------------------

    def bill(self) -> Bill:
        """What was billed, beside what it takes."""
        paid = Counter(
            (purchase.vendor, purchase.about.key, purchase.field)
            for vendor in self.vendors.values()
            for purchase in vendor.purchases
            if purchase.billed and purchase.about is not None
        )
        least = self._least()
        return Bill(
            billed={name: sum(vendor.billed.values()) for name, vendor in self.vendors.items()},
            least={name: sum(PRICE[fld] for one, _, fld in least if one == name) for name in self.vendors},
            twice=_told(key for key, n in paid.items() if n > 1),
            needless=_told(paid.keys() - least),
            unpaid=_told(least - paid.keys()),
            missing=tuple(self._missing()),
            written=sum(entry.who == "syncd" for crm in self.crms.values() for entry in crm.log),
        )

    def _missing(self) -> Iterable[str]:
        """Records that lack a value that was bought, and is good enough by the last rules."""
        bought: dict[tuple[str, Field], set[str]] = {}
        for vendor, key, fld in self._least():
            find = self._by_key[key].finds[vendor, fld]
            if vendor in PHASES[-1].providers and find.grade in PHASES[-1].accept:
                bought.setdefault((key, fld), set()).add(find.value)
        for crm in self.crms.values():
            held = {value for record in crm.records.values() for value in record.values.values()}
            for record in crm.records.values():
                for fld, name in PROPERTY.items():
                    values = bought.get((record.person.key, fld), set())
                    # A CRM takes a mailbox once: the person's other record there has it already.
                    elsewhere = fld is Field.EMAIL and values & held
                    if values and not record.values.get(name) and not elsewhere:
                        yield f"{crm.name}/{record.id} {fld}"

    def _least(self) -> set[_Find]:
        """The finds that the buyer who knows everything pays for."""
        records: dict[str, list[tuple[Crm, Record]]] = {}
        for crm in self.crms.values():
            for record in crm.records.values():
                records.setdefault(record.person.key, []).append((crm, record))
        return {
            (vendor, person.key, fld)
            for person in self.market.people
            for fld in ASKED
            for vendor in _bought(person, fld, partial(self._is_wanted, records[person.key], fld))
        }

    def _is_wanted(self, records: Iterable[tuple[Crm, Record]], fld: Field, phase: int) -> bool:
        """Is the field of any record of the person to be filled in a month?"""
        ends = (phase + 1) * MONTH
        return any(
            is_selected(record, PHASES[phase].match)
            and not (fld is Field.EMAIL and self._typed[record.id])
            and self._entered[f"{crm.name}/contacts/{record.id}"] < ends
            for crm, record in records
        )


def _told(keys: Iterable[_Find]) -> tuple[str, ...]:
    return tuple(" ".join(key) for key in sorted(keys))


def _bought(person: Person, fld: Field, is_wanted: Callable[[int], bool]) -> list[str]:
    """The providers that are paid for a field of a person, in the course of the months."""
    asked: list[str] = []
    for number, phase in enumerate(PHASES):
        if not is_wanted(number):
            continue
        for vendor in phase.providers:
            if any(_is_good(person, fld, one, phase) for one in asked if one in phase.providers):
                break
            if vendor not in asked:
                asked.append(vendor)
    return [vendor for vendor in asked if (vendor, fld) in person.finds]


def _is_good(person: Person, fld: Field, vendor: str, phase: Phase) -> bool:
    find = person.finds.get((vendor, fld))
    return find is not None and find.grade in phase.accept


def _person(rng: random.Random, number: int) -> Person:
    first, last, domain = rng.choice(FIRST), _surname(number), f"company{number}.example.com"
    profile = f"https://www.linkedin.com/in/{first.lower()}-{last.lower()}"
    truth = Identity(first_name=first, last_name=last, domain=domain, linkedin_url=profile)
    finds = {} if rng.random() < NOT_FINDABLE else dict(_finds(rng, number, f"{first}.{last}@{domain}".lower()))
    return Person(f"p{number}", truth, truth, finds)


def _surname(number: int) -> str:
    """Another one for each, and none like another."""
    rng = random.Random(f"surname {number}")
    word = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(5))
    return (word + "".join(VOWELS[int(digit) % 5] + CONSONANTS[int(digit)] for digit in str(number))).title()


def _finds(rng: random.Random, number: int, mailbox: str) -> Iterable[tuple[tuple[str, Field], Find]]:
    words = {"zeliq": ("valid", "catch-all"), "fullenrich": ("DELIVERABLE", "CATCH_ALL")}
    for vendor, (best, less) in words.items():
        if rng.random() < 0.7:
            sure = rng.random() < 0.8
            word, grade = (best, Grade.VALID) if sure else (less, Grade.CATCH_ALL)
            yield (vendor, Field.EMAIL), Find(mailbox, word, grade)
        if rng.random() < 0.6:
            yield (vendor, Field.PHONE), Find(f"+336399{80_000 + number:05d}", "", Grade.VALID)


def _mailbox(person: Person) -> str:
    """Their own, which colleagues know, too. (Two mailboxes at one employer are taken for two people's.)"""
    who = person.truth
    return f"{who.first_name}.{who.last_name}@{who.domain}".lower()


def _ways_to_enter(rng: random.Random, person: Person, *, twice: bool) -> list[tuple[str, Identity, str]]:
    """CRM, what is entered of the person, and their mailbox where somebody has typed it.

    Who stands there without a profile has a mailbox: Zeliq can't be asked for a number without either.
    """
    whole, named = person.truth, replace(person.truth, linkedin_url=None)
    profile = Identity(linkedin_url=person.truth.linkedin_url)
    mailbox = _mailbox(person)
    first, other = rng.sample(("north", "south"), 2)
    ways: tuple[tuple[str, Identity, str], ...] = ((first, whole, ""), (first, profile, ""), (first, named, mailbox))
    if not twice:
        return [rng.choice(ways)]
    seconds = (
        (other, whole, ""),
        (other, profile, ""),
        (other, named, mailbox),
        (first, whole, ""),
        (first, profile, ""),
    )
    return [(first, whole, ""), rng.choice(seconds)] if rng.random() < 0.7 else [(first, named, mailbox), seconds[2]]


def _configured(settings: Settings, phase: Phase) -> Settings:
    connections = {name: replace(one, in_doubt_policy=InDoubtPolicy.ASK) for name, one in settings.connections.items()}
    return replace(
        settings, connections=connections, syncs=tuple(_sync(one, phase) for one in settings.syncs), budgets=()
    )


def _sync(sync: Sync, phase: Phase) -> Sync:
    fields = {
        field: replace(policy, providers=phase.providers, accept=phase.accept) for field, policy in sync.fields.items()
    }
    return replace(
        sync,
        fields=fields,
        match=dict(phase.match),
        budget=Budget(),
        retry_not_found=90 * DAY,
        reuse_found=90 * DAY,
        when_unavailable=WhenUnavailable.WAIT,
        on_doubt=OnDoubt.REVIEW,
    )


def _end_faults(rng: random.Random) -> Mixture:
    return Mixture(rng, {}, {}, active=False)
