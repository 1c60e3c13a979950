"""Who there is, and what is true of them: made-up people, and what each provider knows.

The judge believes this and nothing that the daemon says.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from syncd.contract.model import ASKED, Field, Identity

FIRST = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Fay", "Gwen", "Hugo", "Ines", "Jon", "Kira", "Lars", "Mona", "Nils")
LAST = ("Abel", "Brandt", "Castel", "Duval", "Ebner", "Falk", "Garnier", "Holm", "Ivers", "Jansen", "Keller", "Lind")

WORDS = {  # good, and each way of being not good enough
    "zeliq": ("valid", "catch-all", "unknown", "invalid"),
    "fullenrich": ("DELIVERABLE", "HIGH_PROBABILITY", "CATCH_ALL", "INVALID"),
}


@dataclass(frozen=True, slots=True)
class Find:
    """A value that a provider has for a person. `good`: of a grade that the operator accepts."""

    value: str
    word: str
    good: bool


@dataclass(frozen=True, slots=True)
class Person:
    """`finds` by provider and field. `odd`: a provider refuses everything that speaks of them."""

    key: str
    identity: Identity
    finds: Mapping[tuple[str, Field], Find]
    odd: bool = False

    def good(self, field: Field) -> set[str]:
        """Every value that may be written for them."""
        return {find.value for (_, f), find in self.finds.items() if f is field and find.good}


def populate(rng: random.Random, count: int) -> list[Person]:
    """So many people, each found or not by either provider."""
    return [_person(rng, number) for number in range(count)]


def _person(rng: random.Random, number: int) -> Person:
    first, last = rng.choice(FIRST), rng.choice(LAST) + chr(97 + number // 26) + chr(97 + number % 26)
    domain = f"company{number}.example.com"
    profile = f"https://www.linkedin.com/in/{first.lower()}-{last.lower()}"
    known = rng.choice(("profile", "names", "both", "both"))
    identity = Identity(
        first_name=None if known == "profile" else first,
        last_name=None if known == "profile" else last,
        domain=None if known == "profile" else domain,
        linkedin_url=None if known == "names" else profile,
    )
    finds = {}
    for provider, words in WORDS.items():
        for field in ASKED:
            if rng.random() < 0.65:
                finds[provider, field] = _find(rng, number, field, words, f"{first}.{last}".lower(), domain)
    return Person(f"p{number}", identity, finds, odd=rng.random() < 0.05)


def _find(rng: random.Random, number: int, field: Field, words: tuple[str, ...], name: str, domain: str) -> Find:
    if field is Field.PHONE:
        return Find(f"+447700900{(number * 8 + rng.randrange(8)) % 1000:03d}", "", good=True)
    word = words[0] if rng.random() < 0.75 else rng.choice(words[1:])
    return Find(f"{name}{rng.choice(('', '.work', '.1'))}@{domain}", word, good=word == words[0])
