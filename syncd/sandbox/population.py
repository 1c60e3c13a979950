"""Making the people up: names, employers, what each vendor would find, what the CRM holds of them.

All e-mails are at `*.example`, but for some that are made up at mailbox providers; all phones are in ranges reserved
for fiction. What vendors find is in `population_finds`, hard cases are in `cases`, looking people up is in `directory`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from . import names
from .cases import HUBSPOT, LEAST, SHARE, SIZES, CaseMaker
from .people import EMAIL, PHONE, Case, Employer, Person, Quirk, Record, Trait
from .population_finds import Offers, slug

Special = Quirk | Trait | Case
Shares = (
    Mapping[Quirk, float]
    | Mapping[Trait, float]
    | Mapping[Case, float]
    | Mapping[Quirk | Case, float]
    | Mapping[Quirk | Trait, float]
    | Mapping[Special, float]
)

# Share of all records. A world of 50 records or more has at least one of each.
USUAL: Mapping[Quirk, float] = {
    Quirk.OPTED_OUT: 0.010,
    Quirk.CLEARED: 0.010,
    Quirk.CONFLICT: 0.006,
    Quirk.CONFLICT_ADDITIONAL: 0.004,
    Quirk.TWICE: 0.006,
    Quirk.EDIT_AFTER_PULL: 0.010,
    Quirk.EDIT_BETWEEN: 0.010,
    Quirk.DELETED: 0.004,
    Quirk.MERGED: 0.004,
}
_CASES: Mapping[Case, float] = dict.fromkeys(HUBSPOT, SHARE)
_PAIRED: frozenset[object] = frozenset({Quirk.CONFLICT, Quirk.CONFLICT_ADDITIONAL, Quirk.TWICE, Quirk.MERGED})
_FIRST, _LAST, _BRAND, _TRADE = (words.split() for words in (names.FIRST, names.LAST, names.BRAND, names.TRADE))


@dataclass(slots=True)
class Census:
    """Everybody, in the order in which they were made up."""

    people: list[Person] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    employers: list[Employer] = field(default_factory=list)


@dataclass(slots=True)
class Taken:
    """What may not be made up twice; shared by the makers of one world."""

    people: int = 0
    employers: list[Employer] = field(default_factory=list)  # by number
    addresses: set[str] = field(default_factory=set)
    names: set[tuple[str, str, str]] = field(default_factory=set)


def populate(rng: random.Random, contacts: int, quirks: Shares | None = None, taken: Taken | None = None) -> Census:
    """Exactly `contacts` records; see USUAL and `cases` for the shares of the special ones."""
    maker = Maker(rng, contacts, taken or Taken())
    usual: dict[Special, float] = dict((*USUAL.items(), *_CASES.items()))
    shares = usual if quirks is None else dict(quirks.items())
    return maker.make(quirk_plan(rng, contacts, shares, contacts))


def quirk_plan(rng: random.Random, contacts: int, shares: Mapping[Special, float], total: int) -> list[Special | None]:
    """What is special of each: one entry per record or group of records, together worth exactly `contacts` records.

    `total`: how many records the world has so far, these included: a large one has at least one of each case.
    """
    plan: list[Special | None] = []
    room = contacts
    for special, share in shares.items():
        size = SIZES.get(special, 1) if isinstance(special, Case) else 2 if special in _PAIRED else 1
        enough = total >= LEAST if isinstance(special, Case) else contacts >= 50
        least = 1 if share and enough else 0
        taken = min(max(round(share * contacts / size), least), room // size)
        plan += [special] * taken
        room -= taken * size
    plan += [None] * room
    rng.shuffle(plan)
    return plan


class Maker:
    """Makes one census; everything random comes from `rng`, in a fixed order."""

    def __init__(self, rng: random.Random, contacts: int, taken: Taken) -> None:
        self.rng, self.taken = rng, taken
        self.census = Census()
        self.offers = Offers(rng, self.address)
        self._employ(max(1, contacts // 6))

    def make(self, plan: list[Special | None]) -> Census:
        """One record, or group of records, for each entry."""
        cases = CaseMaker(self)
        for special in plan:
            if isinstance(special, Case):
                cases.make(special)
                continue
            person = self.person(special=special is not None)
            record = self.record(person, special=special is not None)
            if isinstance(special, Quirk):
                self.make_special(record, special)
            else:
                self.fill(record)
        return self.census

    # --- people ---

    def _employ(self, count: int) -> None:
        for _ in range(count):
            self._new_employer()

    def _new_employer(self) -> Employer:
        number = len(self.taken.employers)
        brand, trade = self.rng.choice(_BRAND), self.rng.choice(_TRADE)
        country = self.rng.choice(("FR", "FR", "GB", "US", "US"))
        domain = f"{brand}-{trade}{number}.example".lower()
        employer = Employer(number, f"{brand} {trade} {number}", domain, country)
        self.census.employers.append(employer)
        self.taken.employers.append(employer)
        return employer

    def _employer_without(self, named: tuple[str, str]) -> Employer:
        """One at which nobody of that name is known; a new one if there is none."""
        free = [one for one in self.census.employers if (*named, one.domain) not in self.taken.names]
        return self.rng.choice(free) if free else self._new_employer()

    def name(self) -> tuple[str, str]:
        """First and last name of somebody."""
        return self.rng.choice(_FIRST), self.rng.choice(_LAST)

    def person(self, *, special: bool, named: tuple[str, str] | None = None, at: Employer | None = None) -> Person:
        """Somebody new, `named` or working `at` as told, else at random; both vendors surely find the true values of
        `special` ones.
        """
        rng = self.rng
        employer = at or (self._employer_without(named) if named else rng.choice(self.census.employers))
        first, last = named or self.name()
        while (first, last, employer.domain) in self.taken.names:
            last = f"{last} {rng.choice(_LAST)}"
        self.taken.names.add((first, last, employer.domain))
        key = f"p{self.taken.people}"
        self.taken.people += 1
        known = special or rng.random() < 0.85
        linkedin = self._profile(first, last, key) if known else None
        person = Person(key, first, last, employer.name, employer.domain, linkedin, employer.country)
        self.offers.give(person, sure=special)
        self.census.people.append(person)
        return person

    def _profile(self, first: str, last: str, key: str) -> str:
        roll = self.rng.random()
        if roll < 0.03:
            return f"https://www.linkedin.com/in/ACwAA{self.rng.getrandbits(64):016X}{key}"
        name = quote(f"{first}-{last}".lower().replace(" ", "-")) if roll < 0.10 else f"{slug(first)}-{slug(last)}"
        return f"https://www.linkedin.com/in/{name}-{key}"

    def address(self, local: str, domain: str) -> str:
        """A new e-mail address; numbered if that one is taken."""
        address, number = f"{local}@{domain}", 1
        while address in self.taken.addresses:
            number += 1
            address = f"{local}{number}@{domain}"
        self.taken.addresses.add(address)
        return address

    # --- records ---

    def record(self, person: Person, *, special: bool) -> Record:
        """A blank record of the person; `special` ones always say enough for every vendor to be asked."""
        rng, employer = self.rng, self.employer(person)
        record = Record(
            number=len(self.census.records),
            person=person,
            first_name=person.first_name,
            last_name=person.last_name,
            company=person.company,
            website=person.domain,
            linkedin_url=person.linkedin_url,
            country=person.country,
            job_title=rng.choice(names.TITLE),
            employer=employer if rng.random() < 0.7 else None,
        )
        if not special:
            self._roughen(record)
        self.census.records.append(record)
        return record

    def employer(self, person: Person) -> Employer:
        """Whom they work for."""
        return self.taken.employers[int(re.findall(r"(\d+)\.example$", person.domain)[0])]

    def employer_before(self, person: Person) -> Employer:
        """Another employer, at which nobody of that name is known or will be."""
        employer = self._employer_without((person.first_name, person.last_name))
        self.taken.names.add((person.first_name, person.last_name, employer.domain))
        return employer

    def _roughen(self, record: Record) -> None:
        """As people type: gaps, web addresses, capitals, every form of a LinkedIn address."""
        rng, domain = self.rng, record.person.domain
        roll = rng.random()
        if roll < 0.06:
            record.company = record.website = record.employer = None
        elif roll < 0.12:
            record.company = record.website = None
            record.employer = self.employer(record.person)
        elif roll < 0.40:
            record.website = None
        elif roll < 0.50:
            record.company = None
        if record.website:
            record.website = rng.choice(
                (domain, domain, f"https://www.{domain}/contact", f"http://{domain}/", f"WWW.{domain.upper()}")
            )
        if record.company and rng.random() < 0.05:
            record.company = record.company.upper()
        if rng.random() < 0.02:
            record.first_name = f" {record.first_name}\u00a0"
        if rng.random() < 0.01:
            record.last_name = None
        record.linkedin_url = self.typed_profile(record.linkedin_url) if rng.random() < 0.8 else None

    def typed_profile(self, url: str | None) -> str | None:
        """A LinkedIn address as somebody typed it."""
        if url is None:
            return None
        tail = url.removeprefix("https://www.linkedin.com/")
        forms = (
            f"linkedin.com/{tail}",
            f"https://fr.linkedin.com/{tail}/",
            f"https://www.linkedin.com/{tail}?utm_source=share",
            f"http://WWW.LinkedIn.com/{tail}",
            f"https://www.linkedin.com/mwlite/{tail}",
            "https://www.linkedin.com/company/example-only",
            f"https://www.linkedin.com/sales/lead/{tail.rsplit('/', 1)[-1]},NAME_SEARCH",
        )
        return self.rng.choice(forms) if self.rng.random() < 0.25 else url

    def fill(self, record: Record) -> None:
        """About a third complete; the others lack the e-mail, the phone or both."""
        roll, person = self.rng.random(), record.person
        if roll < 0.60:
            record.email = person.emails[0]
        if roll < 0.35 or 0.60 <= roll < 0.78:
            if self.rng.random() < 0.2:
                record.mobile = person.phones[0]
            else:
                record.phone = person.phones[0]

    def make_special(self, record: Record, quirk: Quirk) -> None:
        """Fill the record of a `special` person, and make the other record of a pair."""
        person = record.person
        record.quirk, record.quirk_field = quirk, self.rng.choice((EMAIL, PHONE))
        if quirk in _PAIRED:
            record.quirk_field, record.quirk_value = EMAIL, person.emails[0]
            record.phone = person.phones[0] if self.rng.random() < 0.5 else None
            self._pair(record)
            return
        if quirk is Quirk.OPTED_OUT:
            record.quirk_field = EMAIL
            record.phone = person.phones[0] if self.rng.random() < 0.5 else None
            return
        record.quirk_value = (
            self.address(f"colleague.{person.key}", person.domain)
            if record.quirk_field == EMAIL
            else self.offers.phone(person.country)
        )
        if record.quirk_field == EMAIL:
            person.emails += (record.quirk_value,)
        elif self.rng.random() < 0.5:
            record.email = person.emails[0]

    def _pair(self, record: Record) -> None:
        """The other record of the same person, and what is special between the two."""
        person, private = record.person, self.address(f"{record.person.key}.private", "mail.example")
        other = self.record(person, special=True)
        record.twin, other.twin = other.number, record.number
        person.emails += (private,)
        if record.quirk is Quirk.TWICE:
            other.quirk, other.quirk_field, other.quirk_value = Quirk.TWICE, EMAIL, record.quirk_value
            return
        other.quirk, other.phone = Quirk.HOLDER, person.phones[1]
        other.email = person.emails[0] if record.quirk is Quirk.CONFLICT else private
        if record.quirk is Quirk.CONFLICT_ADDITIONAL:
            other.other_emails = (person.emails[0],)
