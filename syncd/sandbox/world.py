"""A seeded population whose truth is known: the vendors look people up in it, the judge compares.

People are made up in `population`; what a vendor says about its finds is that vendor's affair.
"""

from __future__ import annotations

import random

from .clock import SandboxClock
from .directory import Directory
from .people import Case, Employer, Find, Person, Quirk, Record
from .population import Census, Shares, Taken, populate
from .population_salesforce import Draw, populate_salesforce

__all__ = ["Case", "Draw", "Employer", "Find", "Person", "Quirk", "Record", "World"]


class World:
    """The records of two CRMs and the people behind them; the same seed gives the same world."""

    def __init__(
        self,
        seed: int,
        contacts: int,
        clock: SandboxClock,
        quirks: Shares | None = None,
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
        self._directory = Directory()
        for person in self.people:
            self._directory.add(person)

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
        return self._directory.find(
            linkedin_url=linkedin_url,
            first_name=first_name,
            last_name=last_name,
            company=company,
            domain=domain,
            email=email,
        )

    def finds(self, person: Person, vendor: str, field: str) -> tuple[Find, ...]:
        """What `vendor` (zeliq, fullenrich) would find for `field` (email, phone); best first."""
        return person.finds.get((vendor, field), ())
