"""How vendors look people up: tolerant of spelling, order and nicknames, and sometimes mistaken.

They know people under every name and employer that the population gives them. What is no employer at all
(a mailbox provider, a placeholder) leads them to one of several people of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator

from .people import Person, fold, host, profile, tidy


class Directory:
    """All people; whoever was added first wins where two fit."""

    def __init__(self) -> None:
        self._by_profile: dict[str, Person] = {}
        self._by_name: dict[tuple[str, str], Person] = {}
        self._by_email: dict[str, Person] = {}

    def add(self, person: Person) -> None:
        """Make a person known by everything that is true of them."""
        for url in filter(None, map(profile, (person.linkedin_url, person.former_profile))):
            self._by_profile.setdefault(url, person)
        for name in names_of(person):
            for employer in (*employers_of(person), *person.no_employers):
                self._by_name.setdefault((name, _place(employer)), person)
        for email in (*person.emails, *person.shared_mailboxes):
            self._by_email.setdefault(email.lower(), person)

    def find(
        self,
        *,
        linkedin_url: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        company: str | None = None,
        domain: str | None = None,
        email: str | None = None,
    ) -> Person | None:
        """By profile, else by name and employer, else by an e-mail; None if nobody fits."""
        url = profile(linkedin_url)
        found = self._by_profile.get(url) if url else None
        name = fold(first_name) + "|" + fold(last_name)
        named = found is None and first_name and last_name
        for place in (company, host(domain), host(company)) if named else ():
            found = found or (self._by_name.get((name, _place(place))) if place else None)
        return found or self._by_email.get((email or "").strip().lower())


def names_of(person: Person) -> Iterator[str]:
    """Every name under which vendors know the person, folded; in either order."""
    for first, last in ((person.first_name, person.last_name), *person.also_named):
        yield fold(first) + "|" + fold(last)
        yield fold(last) + "|" + fold(first)


def employers_of(person: Person) -> tuple[str, ...]:
    """Companies and domains at which vendors know the person, now and before."""
    return (person.company, person.domain, *(person.former or ()))


def _place(employer: str) -> str:
    return tidy(employer)
