"""Who there is, and what is true of them: made-up people, and what each provider knows.

The judge believes this and nothing that the daemon says.
"""

from __future__ import annotations

import random
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

from syncd.contract.model import ASKED, Field, Grade, Identity

FIRST = (
    "Ada",
    "Bela",
    "Cleo",
    "Dora",
    "Emil",
    "Gwen",
    "Hugo",
    "Ines",
    "Kira",
    "Lars",
    "Robert",
    "William",
    "Elizabeth",
)
NICKNAMES = {"Robert": "Bob", "William": "Bill", "Elizabeth": "Liz"}
# One surname for each person, so that no two are taken for one another's misspelling; namesakes are made on purpose.
LAST = (
    "Abel", "Brandt", "Castel", "Duval", "Ebner", "Falk", "Garnier", "Holm", "Ivers", "Jansen", "Keller", "Lindqvist",
    "Morgenstern", "Novak", "Okafor", "Petrakis", "Quint", "Rosewood", "Sandoval", "Thackeray",
)  # fmt: skip
MAILBOX_HOST = "sfr.fr"  # an internet provider's: nobody's employer

WORDS = {  # the best, and each way of being not as good
    "zeliq": {
        "valid": Grade.VALID,
        "catch-all": Grade.CATCH_ALL,
        "unknown": Grade.UNKNOWN,
        "invalid": Grade.INVALID,
    },
    "fullenrich": {
        "DELIVERABLE": Grade.VALID,
        "HIGH_PROBABILITY": Grade.PROBABLE,
        "CATCH_ALL": Grade.CATCH_ALL,
        "INVALID": Grade.INVALID,
    },
}


@dataclass(frozen=True, slots=True)
class Find:
    """A value that a provider has for a person."""

    value: str
    word: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Person:
    """`identity` is what CRMs hold of them, `truth` all that there is. `finds` by provider and field.

    `odd`: a provider refuses everything that speaks of them. `unlisted`: providers that don't know their profile.
    """

    key: str
    identity: Identity
    truth: Identity
    finds: Mapping[tuple[str, Field], Find]
    odd: bool = False
    unlisted: frozenset[str] = frozenset()

    def good(self, field: Field, accept: Container[Grade]) -> set[str]:
        """Every value of these grades that there is of them."""
        return {find.value for (_, f), find in self.finds.items() if f is field and find.grade in accept}

    @property
    def profiles(self) -> tuple[str, str]:
        """The profile's address, and what it is after its owner has renamed it."""
        return (self.truth.linkedin_url or "", f"{self.truth.linkedin_url}-new")

    @property
    def at_work(self) -> tuple[str | None, str | None, str | None]:
        """First and last name, and the employer's domain."""
        return (self.truth.first_name, self.truth.last_name, self.truth.domain)


def may_be(record: Identity, person: Person) -> bool:
    """Does nothing that a record holds tell it from this person's, so that nobody could know better?"""
    if record.linkedin_url or not record.first_name or record.domain == MAILBOX_HOST:
        return False
    return (record.first_name, record.last_name, record.domain) == person.at_work


def populate(rng: random.Random, count: int) -> list[Person]:
    """So many people, each found or not by either provider, some of them with a namesake."""
    surnames = rng.sample(LAST, count)
    people = [_person(rng, number, surnames[number]) for number in range(count)]
    people += [_namesake(rng, person, count + i) for i, person in enumerate(people) if rng.random() < 0.12]
    if rng.random() < 0.3:
        people += _pair_of_subscribers(rng, len(people))
    rng.shuffle(people)
    return people


def _person(rng: random.Random, number: int, last: str) -> Person:
    first, domain = rng.choice(FIRST), f"company{number}.example.com"
    profile = f"https://www.linkedin.com/in/{first.lower()}-{last.lower()}"
    truth = Identity(first_name=first, last_name=last, domain=domain, linkedin_url=profile)
    known = rng.choice(("profile", "names", "both", "both"))
    return Person(
        f"p{number}",
        _known(truth, known),
        truth,
        _finds(rng, number, f"{first}.{last}".lower(), domain),
        odd=rng.random() < 0.05,
        unlisted=frozenset(name for name in WORDS if rng.random() < 0.15),
    )


def _known(truth: Identity, what: str) -> Identity:
    if what == "profile":
        return Identity(linkedin_url=truth.linkedin_url)
    return truth if what == "both" else replace(truth, linkedin_url=None)


def _namesake(rng: random.Random, person: Person, number: int) -> Person:
    """Another person of the same name at the same employer, with another profile or none in the CRM."""
    truth = replace(person.truth, linkedin_url=f"{person.truth.linkedin_url}-{number}b")
    name = f"{truth.first_name}.{truth.last_name}.{number}".lower()
    finds = _finds(rng, number, name, truth.domain or "")
    return Person(f"p{number}", _known(truth, rng.choice(("names", "both"))), truth, finds)


def _pair_of_subscribers(rng: random.Random, first: int) -> list[Person]:
    """Two people of one name at the same internet provider: their mailboxes alone tell them apart."""
    pair = []
    for number, mailbox in enumerate((f"jmartin75@{MAILBOX_HOST}", f"jean.martin.lyon@{MAILBOX_HOST}"), first):
        known = Identity(first_name="Jean", last_name="Martin", domain=MAILBOX_HOST, email=mailbox)
        truth = replace(known, linkedin_url=f"https://www.linkedin.com/in/jean-martin-{number}")
        finds = {key: find for key, find in _finds(rng, number, "", "").items() if key[1] is Field.PHONE}
        pair.append(Person(f"p{number}", known, truth, finds))
    return pair


def _finds(rng: random.Random, number: int, name: str, domain: str) -> dict[tuple[str, Field], Find]:
    return {
        (provider, fld): _find(rng, number, fld, words, name, domain)
        for provider, words in WORDS.items()
        for fld in ASKED
        if rng.random() < 0.65
    }


def _find(rng: random.Random, number: int, fld: Field, words: Mapping[str, Grade], name: str, domain: str) -> Find:
    if fld is Field.PHONE:
        return Find(f"+447700900{number * 8 + rng.randrange(8):03d}", "", Grade.VALID)
    best, *others = words
    word = best if rng.random() < 0.75 else rng.choice(others)
    return Find(f"{name}{rng.choice(('', '.work', '.1'))}@{domain}", word, words[word])


@dataclass(slots=True)
class Market:
    """Who is known by which input, at every provider."""

    people: list[Person]
    by_profile: dict[str, Person] = field(default_factory=dict)
    by_name: dict[tuple[str | None, ...], Person] = field(default_factory=dict)
    by_email: dict[str, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for person in self.people:
            self.by_profile |= dict.fromkeys(person.profiles, person)
            self.by_name.setdefault(person.at_work, person)  # of namesakes, providers know one by name
            if person.truth.email:
                self.by_email[person.truth.email] = person
            for (_, fld), find in person.finds.items():
                if fld is Field.EMAIL:
                    self.by_email[find.value] = person

    def person(self, vendor: str, asked: Mapping[str, str]) -> Person | None:
        """Whom a question is about; its keys are Zeliq's."""
        by_profile = self.by_profile.get(asked.get("linkedin_url", ""))
        if by_profile is not None and vendor not in by_profile.unlisted:
            return by_profile
        by_name = self.by_name.get((asked.get("first_name"), asked.get("last_name"), asked.get("domain")))
        return by_name or self.by_email.get(asked.get("email", ""))

    def stranger(self, vendor: str, fld: Field, *others_than: Person | None) -> Person | None:
        """Somebody else, of another name, of whom the vendor knows something."""
        names = {person.truth.last_name for person in others_than if person is not None}
        others = (p for p in self.people if p.truth.last_name not in names)
        return next((p for p in others if (vendor, fld) in p.finds), None)

    def meant(self, known: Identity) -> list[Person]:
        """Whom a contact can be about, for somebody who looks at all that is known of it."""
        theirs = self.by_profile.get(known.linkedin_url or "")
        if not known.last_name:
            return [theirs] if theirs else []
        named = [
            p for p in self.people if (p.truth.first_name, p.truth.last_name) == (known.first_name, known.last_name)
        ]
        named = [p for p in named if known.domain != MAILBOX_HOST or p.truth.email == known.email]
        return [theirs] if theirs in named and theirs else named

    def of_another_name(self, person: Person) -> list[Person]:
        """Others, of whom each can be told from this person by the name."""
        return [p for p in self.people if p.truth.last_name != person.truth.last_name]
