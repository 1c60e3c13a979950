"""Whether a CRM ended up as it should have: its final state against the world's truth. Never asks syncd.

What a field should hold, first rule that fits:
- the record was deleted: nothing is expected; it was merged: what the record it was merged with held;
- a colleague set or cleared it during the run: that;
- it held something at the start: still that;
- it must not be filled (opted out, cleared on purpose, the e-mail of another contact), and the CRM says so: blank;
- the first vendor of the waterfall that could be asked and finds an acceptable value: that value, or the one
  that the person's record in the other CRM yields by the same rule; else blank, or that one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .people import EMAIL, FIELDS, PHONE, Ending, Quirk, Record, digits, host, profile
from .world import World

COUNTS = ("lacking", "findable", "written", "missed", "wrong", "overwritten", "unverified")
_FLAWS = ("missed", "wrong", "overwritten", "unverified")
_EXAMPLES = 20
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_E164 = re.compile(r"\+[1-9]\d{7,14}")


class Crm(Protocol):
    """What is judged."""

    def endings(self) -> Mapping[int, Ending]:
        """How each record of the world ended up, by its number."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a field should hold: one of `allowed` (None: blank), because of `why`."""

    allowed: tuple[str | None, ...]
    why: str  # gone | edited | kept | blocked | found | shared (by two records, see _judge_twins) | nothing


@dataclass(slots=True)
class Judgement:
    """Counts are of fields (a contact may lack two), `contacts` of records. See COUNTS.

    missed: an acceptable value could be had, the field is blank. overwritten: a value, or a blank, that
    a person had set is no longer there. unverified: a vendor's find that is not acceptable was written.
    wrong: anything else that should not be there.
    """

    contacts: int
    counts: Counter[str] = field(default_factory=Counter)
    by_field: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in FIELDS})
    kept: Counter[str] = field(default_factory=Counter)  # of the special cases, by quirk: that which stood
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in _FLAWS})

    @property
    def ok(self) -> bool:
        """Nothing missed, wrong, overwritten or unverified."""
        return not any(self.counts[name] for name in _FLAWS)

    def as_json(self) -> dict[str, Any]:
        """Plain data for the control API."""
        return {
            "ok": self.ok,
            "contacts": self.contacts,
            **{name: self.counts[name] for name in COUNTS},
            "by_field": {name: {one: counts[one] for one in COUNTS} for name, counts in self.by_field.items()},
            "kept": dict(self.kept),
            "examples": self.examples,
        }

    def count(self, name: str, field_name: str) -> None:
        self.counts[name] += 1
        self.by_field[field_name][name] += 1


def judge(
    world: World,
    crm: Crm,
    waterfall: Mapping[str, Sequence[str]],
    accept: Collection[str] = ("valid",),
    records: Sequence[Record] | None = None,
) -> Judgement:
    """Compare. `waterfall`: field (email, phone) to vendors in order; `accept`: e-mail statuses (people.STATUSES);
    `records`: what the CRM held at the start, by default HubSpot's.
    """
    return _Judge(world, world.records if records is None else records, crm.endings(), waterfall, accept).judge()


def total(judgements: Iterable[Judgement]) -> Judgement:
    """All CRMs taken together; their examples, up to as many as one has."""
    sum_ = Judgement(0)
    for one in judgements:
        sum_.contacts += one.contacts
        sum_.counts += one.counts
        sum_.kept += one.kept
        for name, counts in one.by_field.items():
            sum_.by_field[name] = sum_.by_field.get(name, Counter()) + counts
        for flaw, examples in one.examples.items():
            sum_.examples[flaw] = (sum_.examples[flaw] + examples)[:_EXAMPLES]
    return sum_


class _Judge:
    def __init__(
        self,
        world: World,
        records: Sequence[Record],
        endings: Mapping[int, Ending],
        waterfall: Mapping[str, Sequence[str]],
        accept: Collection[str],
    ) -> None:
        self.world, self.records, self.endings = world, records, endings
        self.waterfall, self.accept = waterfall, frozenset(accept)
        self.result = Judgement(len(records))
        self.alike: dict[str, list[Record]] = {}  # a person's key to their records in all CRMs
        for record in (*world.records, *world.salesforce.records):
            self.alike.setdefault(record.person.key, []).append(record)
        self.holders: dict[str, set[str]] = {}  # e-mail to the CRM ids that hold it now
        for ending in endings.values():
            if ending.email and EMAIL not in ending.closed:
                self.holders.setdefault(ending.email.lower(), set()).add(ending.id)

    def judge(self) -> Judgement:
        for record in self.records:
            fine = [self._judge_field(record, field_name) for field_name in FIELDS]
            self._judge_rest(record)
            if record.trait is not None and all(fine):
                self.result.kept[record.trait] += 1
            if record.quirk is Quirk.TWICE and record.twin is not None and record.number < record.twin:
                self._judge_twins(record, self.records[record.twin])
        return self.result

    def _judge_field(self, record: Record, field_name: str) -> bool:
        """Whether it is as it should be."""
        ending, result = self.endings[record.number], self.result
        expected, actual = self._expect(record, ending, field_name), ending.value(field_name)
        lacking, findable = record.lacks(field_name), expected.why == "found"
        if lacking:
            result.count("lacking", field_name)
        if findable:
            result.count("findable", field_name)
        if expected.why == "gone" or any(_same(field_name, actual, one) for one in expected.allowed):
            if findable and actual is not None:
                result.count("written", field_name)
            if record.quirk is not None and field_name == record.quirk_field:
                result.kept[record.quirk] += 1
            return True
        flaw = self._flaw(record, field_name, expected, actual)
        result.count(flaw, field_name)
        self._example(flaw, record, field_name, expected, actual)
        return False

    def _judge_rest(self, record: Record) -> None:
        """Nothing else of the record may have changed."""
        if name := self.endings[record.number].disturbed:
            self.result.counts["overwritten"] += 1
            self.result.by_field.setdefault(name, Counter())["overwritten"] += 1
            self._example("overwritten", record, name, Expected((), "disturbed"), None)

    def _expect(self, record: Record, ending: Ending, field_name: str) -> Expected:
        if ending.gone:
            return Expected((), "gone")
        if field_name in ending.edits:
            return Expected((ending.edits[field_name] or None,), "edited")
        if ending.merged:
            if record.twin is None:
                return Expected((), "gone")
            record = record if record.quirk is Quirk.HOLDER else self.records[record.twin]
        if not record.lacks(field_name):
            return Expected((record.email if field_name == EMAIL else record.phone or record.mobile,), "kept")
        marked = record.quirk in {Quirk.OPTED_OUT, Quirk.CLEARED} and not ending.unmarked
        if field_name in ending.closed or (field_name == record.quirk_field and marked):
            return Expected((None,), "blocked")
        return self._expect_find(record, ending, field_name)

    def _expect_find(self, record: Record, ending: Ending, field_name: str) -> Expected:
        value, served = self.find(record, field_name), self._may_serve(record, field_name)
        if value is None:
            return Expected((None, *served), "nothing")
        conflict = record.quirk in {Quirk.CONFLICT, Quirk.CONFLICT_ADDITIONAL}
        if field_name == EMAIL and (conflict or self._held_elsewhere(value, ending)):
            return Expected((None,), "blocked")
        if record.quirk is Quirk.TWICE and field_name == EMAIL:
            return Expected((value, None), "shared")
        # Whether an opt-out concerns the phone as well is a matter of opinion.
        maybe = field_name in ending.refused or record.quirk is Quirk.OPTED_OUT or ending.unmarked
        return Expected((value, *served, None) if maybe else (value, *served), "found")

    def _may_serve(self, record: Record, field_name: str) -> list[str]:
        """What else would do: found by the e-mail's domain, or for other records of the person, which may tell more."""
        others = [one for one in self.alike[record.person.key] if one is not record and one.lacks(field_name)]
        found = [self.find(one, field_name) for one in others] + [self.find(record, field_name, by_email=True)]
        return [value for value in found if value is not None]

    def _held_elsewhere(self, email: str, ending: Ending) -> bool:
        return bool(self.holders.get(email.lower(), set()) - {ending.id})

    def find(self, record: Record, field_name: str, *, by_email: bool = False) -> str | None:
        """The value the waterfall should yield for the record as it was at the start.

        `by_email`: when the domain of a known e-mail is taken for the company's, which may be done but need not.
        """
        for vendor in self.waterfall.get(field_name, ()):
            named = by_email and record.email and (record.first_name or "").strip() and (record.last_name or "").strip()
            if not (named or self._askable(record, vendor, field_name)):
                continue
            for one in self.world.finds(record.person, vendor, field_name):
                if self._acceptable(field_name, one.value, one.status):
                    return one.value
        return None

    def _askable(self, record: Record, vendor: str, field_name: str) -> bool:
        """Whether the CRM says enough of the person to ask this vendor."""
        if profile(record.linkedin_url):
            return True
        if (vendor, field_name) == ("zeliq", PHONE):
            sought = not (record.quirk in {Quirk.OPTED_OUT, Quirk.CLEARED} and record.quirk_field == EMAIL)
            return bool(record.email or (sought and self.find(record, EMAIL)))
        named = (record.first_name or "").strip() and (record.last_name or "").strip()
        return bool(named and (record.company or host(record.website) or record.employer))

    def _acceptable(self, field_name: str, value: str, status: str) -> bool:
        if field_name == EMAIL:
            return status in self.accept and _EMAIL.fullmatch(value) is not None
        return _E164.fullmatch(value) is not None

    def _flaw(self, record: Record, field_name: str, expected: Expected, actual: str | None) -> str:
        protected = expected.why in {"edited", "kept"} or record.quirk is Quirk.CLEARED
        if protected and expected.why != "found":
            return "overwritten"
        if actual is None:
            return "missed"
        return "unverified" if self._offered_unacceptable(record, field_name, actual) else "wrong"

    def _offered_unacceptable(self, record: Record, field_name: str, actual: str) -> bool:
        offers = [
            self._acceptable(field_name, one.value, one.status)
            for (_, about), finds in record.person.finds.items()
            for one in finds
            if about == field_name and _same(field_name, one.value, actual)
        ]
        return bool(offers) and not any(offers)

    def _judge_twins(self, one: Record, two: Record) -> None:
        """The same person twice: exactly one of the two records holds the e-mail."""
        endings = [self.endings[one.number], self.endings[two.number]]
        value = self.find(one, EMAIL) or self.find(two, EMAIL)
        if value is None or any(ending.gone or EMAIL in ending.edits for ending in endings):
            return
        self.result.count("findable", EMAIL)
        holding = {ending.id for ending in endings if _same(EMAIL, ending.email, value)}
        if len(holding) == 1:
            self.result.count("written", EMAIL)
        if len(holding) == 1 or any(EMAIL in ending.refused for ending in endings):
            return
        flaw = "wrong" if holding else "missed"
        self.result.count(flaw, EMAIL)
        self._example(flaw, one, EMAIL, Expected((value,), "found"), endings[0].email)

    def _example(self, flaw: str, record: Record, field_name: str, expected: Expected, actual: str | None) -> None:
        if len(self.result.examples[flaw]) < _EXAMPLES:
            self.result.examples[flaw].append(
                {
                    "id": self.endings[record.number].id,
                    "field": field_name,
                    "expected": list(expected.allowed),
                    "why": expected.why,
                    "actual": actual,
                    "quirk": record.quirk or record.trait,
                }
            )


def _same(field_name: str, one: str | None, other: str | None) -> bool:
    """Phones are the same if their digits are, e-mails whatever their case."""
    if not one or not other:
        return not one and not other
    return digits(one) == digits(other) if field_name == PHONE else one.lower() == other.lower()
