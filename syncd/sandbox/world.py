"""A seeded population whose truth is known: the vendors look people up in it, the judge compares.

People are made up in `population`; what a vendor says about its finds is that vendor's affair.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from .clock import SandboxClock
from .people import Employer, Find, Person, Quirk, Record, host, profile, tidy
from .population import Census, Taken, populate
from .population_salesforce import Draw, populate_salesforce

__all__ = ["Draw", "Employer", "Find", "Person", "Quirk", "Record", "World"]


class World:
    """The records of two CRMs and the people behind them; the same seed gives the same world."""

    def __init__(
        self,
        seed: int,
        contacts: int,
        clock: SandboxClock,
        quirks: Mapping[Quirk, float] | None = None,
        salesforce: Draw | None = None,
    ) -> None:
        """`contacts`, `quirks`: how many records HubSpot has, and the share of them that have each quirk instead of
        the usual mixture. `salesforce`: what is in Salesforce; by default nothing.
        """
        self.seed, self.clock, taken = seed, clock, Taken()
        census = populate(random.Random(seed), contacts, quirks, taken)  # noqa: S311 - a reproducible world
        rng = random.Random(f"{seed}/salesforce population")  # noqa: S311
        self.salesforce: Census = populate_salesforce(rng, salesforce or Draw(), taken, census.records)
        self.people: list[Person] = census.people + self.salesforce.people
        self.records: list[Record] = census.records
        self.employers: list[Employer] = census.employers
        self._by_profile: dict[str, Person] = {}
        self._by_name: dict[tuple[str, str, str], Person] = {}
        self._by_email: dict[str, Person] = {}
        for person in self.people:
            self._index(person)

    def find_person(
        self,
        *,
        linkedin_url: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        company: str | None = None,
        domain: str | None = None,
        email: str | None = None,
    ) -> Person | None:
        """By profile, else by name and employer, else by any of their e-mails; None if nobody fits."""
        found = self._by_profile.get(profile(linkedin_url) or "")
        if found is None:
            employers = (tidy(company), host(domain) or "", host(company) or "")
            named = (self._by_name.get((tidy(first_name), tidy(last_name), one)) for one in employers if one)
            found = next(filter(None, named), None)
        return found or self._by_email.get((email or "").strip().lower())

    def finds(self, person: Person, vendor: str, field: str) -> tuple[Find, ...]:
        """What `vendor` (zeliq, fullenrich) would find for `field` (email, phone); best first."""
        return person.finds.get((vendor, field), ())

    def _index(self, person: Person) -> None:
        if person.linkedin_url:
            self._by_profile.setdefault(profile(person.linkedin_url) or "", person)
        for employer in (tidy(person.company), person.domain):
            self._by_name.setdefault((tidy(person.first_name), tidy(person.last_name), employer), person)
        for email in person.emails:
            self._by_email.setdefault(email.lower(), person)
