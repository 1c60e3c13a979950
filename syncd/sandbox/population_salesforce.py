"""The people of the second CRM: Salesforce's contacts and leads, some of whom HubSpot has as well.

Made with the same machinery as HubSpot's (`population`), then made to fit: a contact's company is its
account's, a lead names its own. How they stand in the org is in `salesforce.seed`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .cases import COUNTERPARTS, SALESFORCE_LEADS, SHARE, CaseMaker
from .people import Case, Employer, Quirk, Record, Trait, host, profile
from .population import USUAL, Census, Maker, Shares, Special, Taken, quirk_plan

CONTACT, LEAD = "contact", "lead"
TRAITS: Mapping[Trait, float] = {  # share of all records of a kind
    Trait.CONVERTED: 0.020,
    Trait.CONVERTS: 0.006,
    Trait.PERSON_ACCOUNT: 0.006,
    Trait.BOUNCED: 0.010,
    Trait.DO_NOT_CALL: 0.010,
}
_CASES: Mapping[Case, float] = dict.fromkeys(SALESFORCE_LEADS, SHARE)
_OF_KIND = {
    CONTACT: frozenset({Trait.PERSON_ACCOUNT, Trait.BOUNCED, Trait.DO_NOT_CALL}),
    LEAD: frozenset({Trait.CONVERTED, Trait.CONVERTS, Trait.BOUNCED, Trait.DO_NOT_CALL}),
}


@dataclass(frozen=True, slots=True)
class Draw:
    """How many records Salesforce has. `overlap`: the share of them whose person is in HubSpot, too.

    `shares`: of each quirk, trait and case, instead of the usual mixture.
    """

    contacts: int = 0
    leads: int = 0
    overlap: float = 0.10
    shares: Shares | None = None


def populate_salesforce(rng: random.Random, draw: Draw, taken: Taken, elsewhere: Sequence[Record]) -> Census:
    """Exactly as many records as asked for, contacts first. `elsewhere`: HubSpot's."""
    if not draw.contacts + draw.leads:
        return Census()
    maker = _Salesforce(rng, draw, taken, elsewhere)
    maker.draw(CONTACT, draw.contacts)
    maker.draw(LEAD, draw.leads)
    return maker.census


def website(employer: Employer) -> str | None:
    """What the account of that employer has for a website; a few have none."""
    forms = (None, employer.domain, f"https://www.{employer.domain}", f"http://{employer.domain}/about")
    return forms[min(employer.number % 10, 3)]


def _fits(special: Special, kind: str) -> bool:
    """Whether records of that kind can be special in that way."""
    if isinstance(special, Case):
        return kind == LEAD
    return special is not Quirk.CONFLICT_ADDITIONAL and (isinstance(special, Quirk) or special in _OF_KIND[kind])


class _Salesforce(Maker):
    def __init__(self, rng: random.Random, draw: Draw, taken: Taken, elsewhere: Sequence[Record]) -> None:
        total = draw.contacts + draw.leads
        super().__init__(rng, total, taken)
        usual: dict[Special, float] = dict((*USUAL.items(), *TRAITS.items(), *_CASES.items()))
        self._shares = usual if draw.shares is None else dict(draw.shares.items())
        self._cases = CaseMaker(self)
        self._counterparts = {
            kind: [one for one in elsewhere if one.case and COUNTERPARTS.get(one.case) == kind]
            for kind in (CONTACT, LEAD)
        }
        known = [one for one in elsewhere if not (one.quirk or one.case) and self._recognisable(one)]
        rng.shuffle(known)
        self._known = known[: round(draw.overlap * total)]
        self._ordinary: list[Record] | None = None  # contacts left that may have been leads
        self._shared: set[int] = set()  # numbers of the records of people whom HubSpot has
        self._world = total + len(elsewhere)
        self._left = total  # records still to be drawn

    def draw(self, kind: str, count: int) -> None:
        """Make all records of one kind."""
        counterparts = self._counterparts[kind][:count]
        fit = {one: share for one, share in self._shares.items() if _fits(one, kind)}
        plan: list[Special | Record | None] = [*quirk_plan(self.rng, count - len(counterparts), fit, self._world)]
        for other in counterparts:
            plan.insert(self.rng.randint(0, len(plan)), other)
        for special in plan:
            first = len(self.census.records)
            self._draw_one(special)
            for record in self.census.records[first:]:
                self._left -= 1
                self._fit(record, kind)

    def _draw_one(self, special: Special | Record | None) -> None:
        if isinstance(special, Quirk):
            self.make_special(self.record(self.person(special=True), special=True), special)
        elif isinstance(special, Case):
            self._cases.make(special)
        elif isinstance(special, Record):
            self._shared.add(self._cases.counterpart(special).number)
        elif special is not None:
            self._draw_trait(special)
        elif self._known and self.rng.random() < len(self._known) / max(self._left, 1):
            self._draw_shared(self._known.pop())
        else:
            self.fill(self.record(self.person(special=False), special=False))

    def _draw_shared(self, other: Record) -> None:
        """Somebody whom HubSpot has: known by the same profile, or only by name and the company's domain."""
        record = self.record(other.person, special=True)
        self._shared.add(record.number)
        by_profile = profile(other.linkedin_url) is not None
        record.linkedin_url = self.typed_profile(other.person.linkedin_url) if by_profile else None
        if by_profile and profile(record.linkedin_url) is None:
            record.linkedin_url = other.person.linkedin_url
        if self.rng.random() < 0.6:  # mostly lacking the same: what is bought for one is written to both
            record.email, record.phone, record.mobile = other.email, other.phone, other.mobile
        else:
            self.fill(record)

    def _draw_trait(self, trait: Trait) -> None:
        before = None if trait is not Trait.CONVERTED else self._contact_without_past()
        person = self.person(special=True) if before is None else before.person
        record = self.record(person, special=True)
        record.trait = trait
        if before is not None:
            record.twin = before.number
        elif trait is Trait.CONVERTED:
            record.trait = Trait.CONVERTS
        if trait is Trait.BOUNCED or (trait is Trait.DO_NOT_CALL and self.rng.random() < 0.5):
            record.email = person.emails[0]

    def _contact_without_past(self) -> Record | None:
        """A contact that may once have been a lead; never the same twice."""
        if self._ordinary is None:
            contacts = (one for one in self.census.records if one.kind == CONTACT and one.number not in self._shared)
            self._ordinary = [one for one in contacts if not (one.quirk or one.trait or one.case)]
            self.rng.shuffle(self._ordinary)
        return self._ordinary.pop() if self._ordinary else None

    def _fit(self, record: Record, kind: str) -> None:
        """What Salesforce requires of a record of that kind."""
        record.kind = kind
        record.last_name = record.last_name or record.person.last_name
        if kind == LEAD:
            record.company, record.employer = record.company or record.person.company, None
        else:
            employed = record.employer or record.company or record.website or record.quirk or record.trait
            record.employer = self.employer(record.person) if employed else None
            record.company = record.website = None

    def _recognisable(self, record: Record) -> bool:
        """Whether two CRMs that say of the person what this record says can be seen to mean the same."""
        if profile(record.linkedin_url):
            return True
        named = record.first_name and record.last_name and record.linkedin_url is None
        return bool(named and host(record.website) and website(self.employer(record.person)))
