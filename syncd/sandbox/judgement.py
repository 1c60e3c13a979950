"""What the judge says: counts of what became of every field and of every purchase, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .people import FIELDS

FLAWS = ("missed", "wrong", "overwritten", "unverified", "discarded", "bought_twice")
COUNTS = ("lacking", "findable", "written", *FLAWS)
EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What a field should hold: one of `allowed` (None: blank), because of `why`."""

    allowed: tuple[str | None, ...]
    why: str  # gone | edited | kept | blocked | found | shared (by two records, see FieldJudge) | nothing


@dataclass(slots=True)
class Judgement:
    """Counts are of fields (a contact may lack two), but for the last two, which are of purchases. See COUNTS.

    missed: an acceptable value could be had, the field is blank, and no right value waits for review. overwritten: a
    value, or a blank, that a person had set is no longer there. unverified: a vendor's find that is not acceptable
    was written. wrong: anything else that should not be there: a stranger's value. discarded: a right, acceptable
    value that was told and billed is neither in the CRM nor waiting, though nothing stood in its way; or something
    was bought for a record that is about nobody. bought_twice: billed although an acceptable answer about the same
    person and field had been bought before.
    """

    contacts: int
    counts: Counter[str] = field(default_factory=Counter)
    by_field: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in FIELDS})
    kept: Counter[str] = field(default_factory=Counter)  # of the special records, by quirk: what is as it should be
    review: Counter[str] = field(default_factory=Counter)  # waiting values: right, or strangers
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in FLAWS})

    @property
    def ok(self) -> bool:
        """No flaw at all; what waits for review is none."""
        return not any(self.counts[name] for name in FLAWS)

    def as_json(self) -> dict[str, Any]:
        """Plain data for the control API."""
        return {
            "ok": self.ok,
            "contacts": self.contacts,
            **{name: self.counts[name] for name in COUNTS},
            "review": {name: self.review[name] for name in ("right", "strangers")},
            "by_field": {name: {one: counts[one] for one in COUNTS} for name, counts in self.by_field.items()},
            "kept": dict(self.kept),
            "examples": self.examples,
        }

    def count(self, name: str, field_name: str) -> None:
        """One more."""
        self.counts[name] += 1
        self.by_field.setdefault(field_name, Counter())[name] += 1

    def flaw(self, name: str, field_name: str, example: dict[str, Any]) -> None:
        """One more, shown unless there are enough examples."""
        self.count(name, field_name)
        if len(self.examples[name]) < EXAMPLES:
            self.examples[name].append({**example, "field": field_name})


def total(judgements: Iterable[Judgement]) -> Judgement:
    """All CRMs taken together; their examples, up to as many as one has."""
    sum_ = Judgement(0)
    for one in judgements:
        sum_.contacts += one.contacts
        sum_.counts += one.counts
        sum_.kept += one.kept
        sum_.review += one.review
        for name, counts in one.by_field.items():
            sum_.by_field[name] = sum_.by_field.get(name, Counter()) + counts
        for flaw, examples in one.examples.items():
            sum_.examples[flaw] = (sum_.examples[flaw] + examples)[:EXAMPLES]
    return sum_
