"""Making the records of which it is hard to tell whose values are theirs: see `people.Case`.

The truth is known here and nowhere guessed: who the person is, under which names and employers vendors know
them, which of the offered values can be used. What a client is expected to do with them is in `judge`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from . import names
from .people import EMAIL, PHONE, Case, Employer, Find, Person, Quirk, Record
from .population_finds import Offers, slug

LEAST = 200  # from so many records on a world has at least one of each case
SHARE = 0.002  # of all records: how many each case has
SIZES: Mapping[Case, int] = {  # records of a case; 1 where nothing is said
    Case.NAMESAKES: 2,
    Case.PLACEHOLDER: 2,
    Case.SHARED_HOST: 2,
    Case.PASTED_PROFILE: 2,
    Case.SHARED_MAILBOX: 3,
    Case.JOB_CHANGER: 2,
}
# Cases of HubSpot; SHARED_MAILBOX is not, for there an address is in one record only.
HUBSPOT = tuple(case for case in Case if case is not Case.SHARED_MAILBOX)
# Cases that Salesforce has by itself: what its mandatory company and its many records of one address make likely.
SALESFORCE_LEADS = (Case.PLACEHOLDER, Case.SHARED_MAILBOX, Case.CHANGES_HANDS)
# Cases of HubSpot with a second record in Salesforce, and of which kind that is.
COUNTERPARTS: Mapping[Case, str] = {
    Case.SPELLED_TWICE: "contact",
    Case.COMPANY_ONLY: "lead",
    Case.OPTED_OUT_ELSEWHERE: "lead",
}
Name = tuple[str, str]


class Making(Protocol):
    """What makes ordinary people and records."""

    rng: random.Random
    offers: Offers

    def name(self) -> Name:
        """First and last name of somebody."""

    def person(self, *, special: bool, named: Name | None = None, at: Employer | None = None) -> Person:
        """Somebody new; `named` and `at` as told, else at random."""

    def record(self, person: Person, *, special: bool) -> Record:
        """A blank record of the person."""

    def employer(self, person: Person) -> Employer:
        """Whom they work for."""

    def employer_before(self, person: Person) -> Employer:
        """Another employer, at which nobody of that name is known."""


class CaseMaker:
    """Makes the records of one case at a time; everything random comes from the maker's `rng`, in a fixed order."""

    def __init__(self, maker: Making) -> None:
        self._maker, self._rng = maker, maker.rng
        self._makers: Mapping[Case, Callable[[], None]] = {
            Case.NAMESAKES: self._namesakes,
            Case.PLACEHOLDER: self._placeholder,
            Case.SHARED_HOST: self._shared_host,
            Case.PASTED_PROFILE: self._pasted_profile,
            Case.SHARED_MAILBOX: self._shared_mailbox,
            Case.JOB_CHANGER: self._job_changers,
            Case.RENAMED_HANDLE: self._renamed_handle,
            Case.NICKNAME: self._nickname,
            Case.PARTICLE: self._particle,
            Case.NAME_SWAPPED: self._name_swapped,
            Case.SPELLED_TWICE: self._spelled_twice,
            Case.COMPANY_ONLY: self._company_only,
            Case.UNDIALABLE: self._undialable,
            Case.LANDLINE_FIRST: self._landline_first,
            Case.UNUSABLE_EMAIL: self._unusable_email,
            Case.FILLER: self._filler,
            Case.CHANGES_HANDS: self._changes_hands,
            Case.OPTED_OUT_ELSEWHERE: self._opted_out_elsewhere,
        }

    def make(self, case: Case) -> None:
        """As many records as SIZES says."""
        self._makers[case]()

    def counterpart(self, other: Record) -> Record:
        """The Salesforce record of the person of a HubSpot record whose case is among COUNTERPARTS."""
        record = self._maker.record(other.person, special=True)
        record.case = other.case
        if other.case is Case.SPELLED_TWICE:
            record.first_name, record.last_name = other.person.also_named[0]
        if other.case is not Case.OPTED_OUT_ELSEWHERE:
            record.linkedin_url = record.website = None
        return record

    def _new(self, case: Case, named: Name | None = None, at: Employer | None = None) -> Record:
        """A blank record of somebody new whom both vendors surely find."""
        record = self._maker.record(self._maker.person(special=True, named=named, at=at), special=True)
        record.case = case
        return record

    # --- several people ---

    def _namesakes(self) -> None:
        name, host = self._maker.name(), self._rng.choice(names.MAILBOX_HOSTS)
        for _ in range(2):
            record = self._new(Case.NAMESAKES, name)
            person = record.person
            record.company = record.website = record.employer = record.linkedin_url = None
            record.email = f"{slug(name[0])}.{slug(name[1])}.{person.key}.sandbox@{host}"
            person.emails += (record.email,)
            person.no_employers = (host,)

    def _placeholder(self) -> None:
        name, company = self._maker.name(), self._rng.choice(names.PLACEHOLDERS)
        for known in (True, False):
            record = self._new(Case.PLACEHOLDER, name)
            record.company, record.website, record.employer = company, None, None
            record.linkedin_url = record.linkedin_url if known else None
            record.person.no_employers = (company,)

    def _shared_host(self) -> None:
        name, sites = self._maker.name(), self._rng.choice(names.SHARED_SITES)
        for known, site in zip((True, False), sites, strict=True):
            record = self._new(Case.SHARED_HOST, name)
            record.company, record.website, record.employer = None, site, None
            record.linkedin_url = record.linkedin_url if known else None
            record.person.no_employers = (urlsplit(site if "//" in site else f"//{site}").hostname or "",)

    def _pasted_profile(self) -> None:
        one, other = self._new(Case.PASTED_PROFILE), self._new(Case.PASTED_PROFILE)
        one.linkedin_url = other.linkedin_url

    def _shared_mailbox(self) -> None:
        """FullEnrich finds a phone of the last one only, so that others may be asked about by the address: at Zeliq."""
        first = self._new(Case.SHARED_MAILBOX)
        at = self._maker.employer(first.person)
        second, third = self._new(Case.SHARED_MAILBOX, at=at), self._new(Case.SHARED_MAILBOX, at=at)
        for record in (first, second, third):
            record.email, record.linkedin_url = f"info@{at.domain}", None
            record.person.shared_mailboxes = (record.email,)
        del first.person.finds["fullenrich", PHONE], second.person.finds["fullenrich", PHONE]

    def _changes_hands(self) -> None:
        record = self._new(Case.CHANGES_HANDS)
        record.becomes = self._maker.person(special=True, at=self._maker.employer(record.person))

    # --- what the CRM says of one person ---

    def _job_changers(self) -> None:
        for known in (True, False):
            record = self._new(Case.JOB_CHANGER)
            before = self._maker.employer_before(record.person)
            record.person.former = before.name, before.domain
            record.company, record.website, record.employer = before.name, before.domain, before
            record.linkedin_url = record.linkedin_url if known else None

    def _renamed_handle(self) -> None:
        record = self._new(Case.RENAMED_HANDLE)
        record.linkedin_url = f"https://www.linkedin.com/in/former-handle-{record.person.key}"
        record.person.former_profile = record.linkedin_url

    def _nickname(self) -> None:
        typed, true = self._rng.choice(names.NICKNAMES)
        last = self._maker.name()[1]
        self._typed(Case.NICKNAME, (typed, last), (true, last))

    def _particle(self) -> None:
        self._typed(Case.PARTICLE, *self._rng.choice(names.PARTICLES))

    def _name_swapped(self) -> None:
        first, last = self._maker.name()
        self._typed(Case.NAME_SWAPPED, (last, first), (first, last))

    def _typed(self, case: Case, typed: Name, true: Name) -> None:
        """A record known by name and employer alone, with another name than vendors tell."""
        record = self._new(case, true)
        record.first_name, record.last_name = typed
        record.person.also_named = (typed,)
        record.linkedin_url = None

    def _spelled_twice(self) -> None:
        here, there = self._rng.choice(names.SPELLINGS)
        record = self._new(Case.SPELLED_TWICE, here)
        record.person.also_named = (there,)
        record.linkedin_url = None

    def _company_only(self) -> None:
        self._new(Case.COMPANY_ONLY).linkedin_url = None

    def _opted_out_elsewhere(self) -> None:
        record = self._new(Case.OPTED_OUT_ELSEWHERE)
        record.quirk, record.quirk_field = Quirk.OPTED_OUT, EMAIL

    def _filler(self) -> None:
        first, last, company = self._rng.choice(names.FILLERS)
        record = self._new(Case.FILLER, (first, last))
        record.company, record.website, record.employer, record.linkedin_url = company, None, None, None
        record.person.no_employers = (company,)

    # --- what vendors offer ---

    def _undialable(self) -> None:
        person = self._new(Case.UNDIALABLE).person
        self._offer_before(person, PHONE, Find(self._rng.choice(names.UNDIALABLE), "valid", usable=False))

    def _unusable_email(self) -> None:
        person = self._new(Case.UNUSABLE_EMAIL).person
        address = self._rng.choice(names.UNUSABLE).format(person.domain)
        self._offer_before(person, EMAIL, Find(address, "valid", usable=False))

    def _landline_first(self) -> None:
        person = self._new(Case.LANDLINE_FIRST).person
        landline = Find(f"+442079460{self._rng.randrange(1000):03}", "valid", "GB", "landline")
        mobile = Find(self._maker.offers.phone("GB"), "valid", "GB", "mobile")
        person.phones = (mobile.value, landline.value)
        person.finds["zeliq", PHONE] = (landline, mobile)
        person.finds["fullenrich", PHONE] = (landline,)

    @staticmethod
    def _offer_before(person: Person, field: str, find: Find) -> None:
        for (vendor, about), finds in person.finds.items():
            if about == field:
                person.finds[vendor, about] = (find, *finds)
