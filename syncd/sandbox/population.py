"""Making the people up: names, employers, what each vendor would find, what the CRM holds of them.

All e-mails are at `*.example`, all phones in ranges reserved for fiction. Looking people up is in `world`.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote

from . import names
from .people import EMAIL, PHONE, Employer, Find, Person, Quirk, Record, Trait

Special = TypeVar("Special", Quirk, Quirk | Trait)

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
_PAIRED: frozenset[object] = frozenset({Quirk.CONFLICT, Quirk.CONFLICT_ADDITIONAL, Quirk.TWICE, Quirk.MERGED})
_ODDS = {  # (vendor, field): how often it finds something
    ("zeliq", EMAIL): 0.60,
    ("zeliq", PHONE): 0.45,
    ("fullenrich", EMAIL): 0.70,
    ("fullenrich", PHONE): 0.50,
}
_STATUS_ODDS = {  # in percent
    "zeliq": {"valid": 80, "catch_all": 10, "unknown": 4, "invalid": 6},
    "fullenrich": {"valid": 72, "probable": 10, "catch_all": 10, "invalid": 8},
}
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


def populate(
    rng: random.Random, contacts: int, quirks: Mapping[Quirk, float] | None = None, taken: Taken | None = None
) -> Census:
    """Exactly `contacts` records; see USUAL for the shares of the special ones."""
    maker = Maker(rng, contacts, taken or Taken())
    return maker.make(quirk_plan(rng, contacts, USUAL if quirks is None else quirks))


def quirk_plan(rng: random.Random, contacts: int, shares: Mapping[Special, float]) -> list[Special | None]:
    """What is special of each: one entry per record or pair of records, together worth exactly `contacts` records."""
    plan: list[Special | None] = []
    room = contacts
    for quirk, share in shares.items():
        size = 2 if quirk in _PAIRED else 1
        wanted = max(round(share * contacts / size), 1 if contacts >= 50 and share else 0)
        taken = min(wanted, room // size)
        plan += [quirk] * taken
        room -= taken * size
    plan += [None] * room
    rng.shuffle(plan)
    return plan


def _slug(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text.replace("Ł", "L").replace("ø", "o"))
    return re.sub(r"[^a-z]", "", ascii_only.encode("ascii", "ignore").decode().lower())


class Maker:
    """Makes one census; everything random comes from `rng`, in a fixed order."""

    def __init__(self, rng: random.Random, contacts: int, taken: Taken) -> None:
        self.rng, self.taken = rng, taken
        self.census = Census()
        self._phones = {country: self._phone_pool(country) for country in ("US", "GB", "FR")}
        self._dialled: dict[str, int] = dict.fromkeys(self._phones, 0)
        self._employ(max(1, contacts // 6))

    def make(self, plan: list[Quirk | None]) -> Census:
        """One record, or pair of records, for each entry."""
        for quirk in plan:
            person = self.person(special=quirk is not None)
            record = self.record(person, special=quirk is not None)
            if quirk is None:
                self.fill(record)
            else:
                self.make_special(record, quirk)
        return self.census

    # --- people ---

    def _employ(self, count: int) -> None:
        for number in range(len(self.taken.employers), len(self.taken.employers) + count):
            brand, trade = self.rng.choice(_BRAND), self.rng.choice(_TRADE)
            country = self.rng.choice(("FR", "FR", "GB", "US", "US"))
            domain = f"{brand}-{trade}{number}.example".lower()
            self.census.employers.append(Employer(number, f"{brand} {trade} {number}", domain, country))
        self.taken.employers += self.census.employers

    def person(self, *, special: bool) -> Person:
        """Somebody new; both vendors surely find the true values of `special` ones."""
        rng = self.rng
        employer = rng.choice(self.census.employers)
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        while (first, last, employer.domain) in self.taken.names:
            last = f"{last} {rng.choice(_LAST)}"
        self.taken.names.add((first, last, employer.domain))
        key = f"p{self.taken.people}"
        self.taken.people += 1
        known = special or rng.random() < 0.85
        linkedin = self._profile(first, last, key) if known else None
        person = Person(key, first, last, employer.name, employer.domain, linkedin, employer.country)
        self._give_finds(person, sure=special)
        self.census.people.append(person)
        return person

    def _profile(self, first: str, last: str, key: str) -> str:
        roll = self.rng.random()
        if roll < 0.03:
            return f"https://www.linkedin.com/in/ACwAA{self.rng.getrandbits(64):016X}{key}"
        name = quote(f"{first}-{last}".lower().replace(" ", "-")) if roll < 0.10 else f"{_slug(first)}-{_slug(last)}"
        return f"https://www.linkedin.com/in/{name}-{key}"

    def address(self, local: str, domain: str) -> str:
        """A new e-mail address; numbered if that one is taken."""
        address, number = f"{local}@{domain}", 1
        while address in self.taken.addresses:
            number += 1
            address = f"{local}{number}@{domain}"
        self.taken.addresses.add(address)
        return address

    def _phone_pool(self, country: str) -> list[str]:
        pool = {
            "US": [f"+1{area}55501{line:02}" for area in names.AREAS.split() for line in range(100)],
            "GB": [f"+447700900{line:03}" for line in range(1000)],
            "FR": [f"+3363998{line:04}" for line in range(10_000)],
        }[country]
        self.rng.shuffle(pool)
        return pool

    def _phone(self, country: str) -> str:
        """A number of that country; they come round again once a range is used up."""
        pool = self._phones[country]
        self._dialled[country] += 1
        return pool[self._dialled[country] % len(pool)]

    def _give_finds(self, person: Person, *, sure: bool) -> None:
        first, last = _slug(person.first_name) or person.key, _slug(person.last_name) or person.key
        true_email = self.address(f"{first}.{last}", person.domain)
        second_email = self.address(f"{first[0]}{last}", person.domain)
        true_phone, second_phone = self._phone(person.country), self._phone(person.country)
        person.emails, person.phones = (true_email, second_email), (true_phone, second_phone)
        for (vendor, what), odds in _ODDS.items():
            if sure:
                best = Find(true_email, "valid") if what == EMAIL else self._dial(true_phone, person)
                person.finds[vendor, what] = (best,)
            elif self.rng.random() < odds:
                person.finds[vendor, what] = (
                    self._emails(vendor, true_email, second_email)
                    if what == EMAIL
                    else self._numbers(person, true_phone, second_phone)
                )

    def _emails(self, vendor: str, true: str, second: str) -> tuple[Find, ...]:
        odds = _STATUS_ODDS[vendor]
        roll = self.rng.random()
        first, other = (second, true) if roll < 0.08 else (true, second)
        if roll > 0.99:  # a vendor's slip: graded valid, yet no address at all
            return (Find(first.replace("@", " at "), "valid"),)
        best = Find(first, self.rng.choices(list(odds), list(odds.values()))[0])
        return (
            (best, Find(other, self.rng.choices(list(odds), list(odds.values()))[0]))
            if self.rng.random() < 0.15
            else (best,)
        )

    def _numbers(self, person: Person, true: str, second: str) -> tuple[Find, ...]:
        roll = self.rng.random()
        first, other = (second, true) if roll < 0.25 else (true, second)
        if roll > 0.99:  # cut off on the way: not a number that can be called
            return (replace(self._dial(first, person), value=first[:4]),)
        best = self._dial(first, person)
        return (best, self._dial(other, person)) if self.rng.random() < 0.2 else (best,)

    def _dial(self, number: str, person: Person) -> Find:
        line = self.rng.choice(("mobile", "mobile", "landline", "voip")) if person.country == "US" else "mobile"
        return Find(number, "valid", person.country, line)

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
            else self._phone(person.country)
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
