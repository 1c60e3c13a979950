"""What each vendor would find about the people of a world: true values, older ones, slips, and how it grades them."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from . import names
from .people import EMAIL, PHONE, Find, Person

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


def slug(text: str) -> str:
    """A name as it is in an address: lower-case ASCII letters, maybe none."""
    ascii_only = unicodedata.normalize("NFKD", text.replace("Ł", "L").replace("ø", "o"))
    return re.sub(r"[^a-z]", "", ascii_only.encode("ascii", "ignore").decode().lower())


class Offers:
    """Makes finds up; everything random comes from `rng`, in a fixed order."""

    def __init__(self, rng: random.Random, address: Callable[[str, str], str]) -> None:
        """`address`: makes a new e-mail address of a local part and a domain."""
        self.rng, self._address = rng, address
        self._phones = {country: self._phone_pool(country) for country in ("US", "GB", "FR")}
        self._dialled: dict[str, int] = dict.fromkeys(self._phones, 0)

    def _phone_pool(self, country: str) -> list[str]:
        pool = {
            "US": [f"+1{area}55501{line:02}" for area in names.AREAS.split() for line in range(100)],
            "GB": [f"+447700900{line:03}" for line in range(1000)],
            "FR": [f"+3363998{line:04}" for line in range(10_000)],
        }[country]
        self.rng.shuffle(pool)
        return pool

    def phone(self, country: str) -> str:
        """A number of that country; they come round again once a range is used up."""
        pool = self._phones[country]
        self._dialled[country] += 1
        return pool[self._dialled[country] % len(pool)]

    def give(self, person: Person, *, sure: bool) -> None:
        """Addresses, numbers, and who finds which; `sure`: both vendors find the true values."""
        first, last = slug(person.first_name) or person.key, slug(person.last_name) or person.key
        true_email = self._address(f"{first}.{last}", person.domain)
        second_email = self._address(f"{first[0]}{last}", person.domain)
        true_phone, second_phone = self.phone(person.country), self.phone(person.country)
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
