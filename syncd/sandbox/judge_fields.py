"""Whether the fields of one CRM hold what they should: the rules are told in `judge`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from .judgement import Expected, Judgement
from .people import EMAIL, FIELDS, PHONE, Case, Ending, Find, Person, Quirk, Record, digits, host, profile
from .sales import Sale
from .waiting import Waiting
from .world import World

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_E164 = re.compile(r"\+[1-9]\d{7,14}")
# What stands in the record's company or website is no employer, so that its name leads to nobody.
_NO_EMPLOYER = {Case.PLACEHOLDER, Case.SHARED_HOST, Case.FILLER}


class FieldJudge:
    """Judges the fields of one CRM."""

    def __init__(
        self,
        world: World,
        records: Sequence[Record],
        endings: Mapping[int, Ending],
        waterfall: Mapping[str, Sequence[str]],
        accept: Collection[str],
        *,
        waiting: Sequence[Waiting] = (),
        sales: Sequence[Sale] = (),
    ) -> None:
        self.world, self.records, self.endings = world, records, endings
        self.waterfall, self.accept, self.sales = waterfall, frozenset(accept), sales
        self.result = Judgement(len(records))
        self.waiting = {(one.id, one.field): one for one in waiting}
        self.alike: dict[str, list[Record]] = {}  # a person's key to their records in all CRMs
        for record in (*world.records, *world.salesforce.records):
            self.alike.setdefault(record.person.key, []).append(record)
        self.holders: dict[str, set[str]] = {}  # e-mail to the CRM ids that hold it now
        for ending in endings.values():
            if ending.email and EMAIL not in ending.closed:
                self.holders.setdefault(ending.email.lower(), set()).add(ending.id)

    def judge(self) -> Judgement:
        """Judge all of them, once."""
        for record in self.records:
            fine = [self._judge_field(record, field_name) for field_name in FIELDS]
            self._judge_rest(record)
            special = record.case or record.trait
            if special is not None and all(fine):
                self.result.kept[special] += 1
            if record.quirk is Quirk.TWICE and record.twin is not None and record.number < record.twin:
                self._judge_twins(record, self.records[record.twin])
        return self.result

    def now(self, record: Record) -> Record:
        """The record as what it has become: another person's, if it has changed hands."""
        if record.becomes is None or not self.endings[record.number].handed_over:
            return record
        person = record.becomes
        renamed = replace(record, person=person, first_name=person.first_name, last_name=person.last_name)
        return replace(renamed, linkedin_url=person.linkedin_url)

    def waits(self, record: Record, field_name: str) -> Waiting | None:
        """The value that waits for review for this field."""
        return self.waiting.get((self.endings[record.number].id, field_name))

    def _judge_field(self, record: Record, field_name: str) -> bool:
        """Whether it is as it should be."""
        ending, result = self.endings[record.number], self.result
        expected, actual = self.expect(record, field_name), ending.value(field_name)
        lacking, findable = record.lacks(field_name), expected.why == "found"
        if lacking:
            result.count("lacking", field_name)
        if findable:
            result.count("findable", field_name)
        right = self._judge_waiting(record, field_name)
        if expected.why == "gone" or any(same(field_name, actual, one) for one in expected.allowed):
            if findable and actual is not None:
                result.count("written", field_name)
            if record.quirk is not None and field_name == record.quirk_field:
                result.kept[record.quirk] += 1
            return True
        flaw = self._flaw(record, field_name, expected, actual)
        if flaw == "missed" and right:
            return True
        self._example(flaw, record, field_name, expected, actual)
        return False

    def _judge_waiting(self, record: Record, field_name: str) -> bool:
        """Whether a value of this very person waits for review; counts it."""
        waiting = self.waits(record, field_name)
        if waiting is None:
            return False
        person = self.now(record).person
        if waiting.value is None:
            sold = [one for one in self.sales if one.field == field_name and one.may_be_for(record)]
            right = bool(sold) and sold[-1].bill.person == person.key
        else:
            right = any(same(field_name, one.value, waiting.value) for one in _offers(person, field_name))
        self.result.review["right" if right else "strangers"] += 1
        return right

    def _judge_rest(self, record: Record) -> None:
        """Nothing else of the record may have changed."""
        if name := self.endings[record.number].disturbed:
            self._example("overwritten", record, name, Expected((), "disturbed"), None)

    def expect(self, record: Record, field_name: str) -> Expected:
        """What this field of a record of this CRM should hold."""
        ending = self.endings[record.number]
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
        if field_name in ending.closed or self._marked(record, ending, field_name):
            return Expected((None,), "blocked")
        return self._expect_find(record, ending, field_name)

    def _marked(self, record: Record, ending: Ending, field_name: str) -> bool:
        """Whether a CRM says that the field must stay blank, or the record is nobody's."""
        marked = record.quirk in {Quirk.OPTED_OUT, Quirk.CLEARED} and not ending.unmarked
        elsewhere = record.case is Case.OPTED_OUT_ELSEWHERE and field_name == EMAIL
        return (marked and field_name == record.quirk_field) or elsewhere or record.case is Case.FILLER

    def _expect_find(self, record: Record, ending: Ending, field_name: str) -> Expected:
        values, served = self.find(self.now(record), field_name), self._may_serve(record, field_name)
        if ending.handed_over and field_name in ending.early:
            served += self.find(record, field_name)
        if not values:
            return Expected((None, *served), "nothing")
        conflict = record.quirk in {Quirk.CONFLICT, Quirk.CONFLICT_ADDITIONAL}
        if field_name == EMAIL and (conflict or self._held_elsewhere(values[0], ending)):
            return Expected((None,), "blocked")
        if record.quirk is Quirk.TWICE and field_name == EMAIL:
            return Expected((*values, None), "shared")
        # Whether an opt-out concerns the phone as well is a matter of opinion.
        opted_out = record.quirk is Quirk.OPTED_OUT or record.case is Case.OPTED_OUT_ELSEWHERE
        maybe = field_name in ending.refused or opted_out or ending.unmarked or ending.handed_over
        blank = (None,) if maybe or _doubtful(record) else ()
        return Expected((*values, *served, *blank), "found")

    def _may_serve(self, record: Record, field_name: str) -> list[str]:
        """What else would do: found by the e-mail's domain, by a profile that an earlier answer told, or for other
        records of the person, which may tell more."""
        if self.now(record) is not record:
            return []
        others = [one for one in self.alike[record.person.key] if one is not record and one.lacks(field_name)]
        found = [self.find(one, field_name) for one in others]
        found += [self.find(record, field_name, by_email=True), self.find(record, field_name, by_told_profile=True)]
        return [value for values in found for value in values]

    def _held_elsewhere(self, email: str, ending: Ending) -> bool:
        return bool(self.holders.get(email.lower(), set()) - {ending.id})

    def find(
        self, record: Record, field_name: str, *, by_email: bool = False, by_told_profile: bool = False
    ) -> list[str]:
        """The values of which the waterfall should yield one for the record as it was at the start; the best first.

        Of several numbers any will do: which kind of line is preferred is the client's policy, and so is whether a
        landline suffices. `by_email`: when the domain of a known e-mail is taken for the company's, which may be done
        but need not. `by_told_profile`: the same of the person's profile, where a vendor tells it with another value.
        """
        found: list[Find] = []
        for vendor in self.waterfall.get(field_name, ()):
            named = by_email and record.email and (record.first_name or "").strip() and (record.last_name or "").strip()
            told = by_told_profile and self._may_learn_profile(record)
            if not (named or told or self._askable(record, vendor, field_name)):
                continue
            finds = self.world.finds(record.person, vendor, field_name)
            found += [one for one in finds if self.acceptable(field_name, one)]
            if any(one.line_type != "landline" for one in found):
                break
        values = [one.value for one in found]
        return values if field_name == PHONE else values[:1]

    def _may_learn_profile(self, record: Record) -> bool:
        """Whether some vendor can be asked something about the record, and so may tell the person's profile."""
        asked = ((vendor, name) for name, vendors in self.waterfall.items() for vendor in vendors)
        known = record.person.linkedin_url and record.case not in _NO_EMPLOYER
        return bool(known) and any(self._askable(record, vendor, name) for vendor, name in asked)

    def _askable(self, record: Record, vendor: str, field_name: str) -> bool:
        """Whether the CRM says enough of the person to ask this vendor."""
        if profile(record.linkedin_url):
            return True
        if (vendor, field_name) == ("zeliq", PHONE):
            sought = not (record.quirk in {Quirk.OPTED_OUT, Quirk.CLEARED} and record.quirk_field == EMAIL)
            own = record.email and record.case is not Case.SHARED_MAILBOX
            return bool(own or (sought and record.lacks(EMAIL) and self.find(record, EMAIL)))
        named = (record.first_name or "").strip() and (record.last_name or "").strip()
        employed = record.case not in _NO_EMPLOYER and (record.company or host(record.website) or record.employer)
        return bool(named and employed)

    def acceptable(self, field_name: str, find: Find) -> bool:
        """Whether a client that accepts these statuses should take the find for its person."""
        if not find.usable:
            return False
        if field_name == EMAIL:
            return find.status in self.accept and _EMAIL.fullmatch(find.value) is not None
        return _E164.fullmatch(find.value) is not None

    def _flaw(self, record: Record, field_name: str, expected: Expected, actual: str | None) -> str:
        protected = expected.why in {"edited", "kept"} or record.quirk is Quirk.CLEARED
        if protected and expected.why != "found":
            return "overwritten"
        if actual is None:
            return "missed"
        return "unverified" if self._offered_unacceptable(record, field_name, actual) else "wrong"

    def _offered_unacceptable(self, record: Record, field_name: str, actual: str) -> bool:
        told = [one for one in _offers(self.now(record).person, field_name) if same(field_name, one.value, actual)]
        return bool(told) and not any(self.acceptable(field_name, one) for one in told)

    def _judge_twins(self, one: Record, two: Record) -> None:
        """The same person twice: exactly one of the two records holds the e-mail."""
        endings = [self.endings[one.number], self.endings[two.number]]
        value = next(iter(self.find(one, EMAIL) + self.find(two, EMAIL)), None)
        if value is None or any(ending.gone or EMAIL in ending.edits for ending in endings):
            return
        self.result.count("findable", EMAIL)
        holding = {ending.id for ending in endings if same(EMAIL, ending.email, value)}
        if len(holding) == 1:
            self.result.count("written", EMAIL)
        if len(holding) == 1 or any(EMAIL in ending.refused for ending in endings):
            return
        flaw = "wrong" if holding else "missed"
        self._example(flaw, one, EMAIL, Expected((value,), "found"), endings[0].email)

    def _example(self, flaw: str, record: Record, field_name: str, expected: Expected, actual: str | None) -> None:
        example = {
            "id": self.endings[record.number].id,
            "expected": list(expected.allowed),
            "why": expected.why,
            "actual": actual,
            "quirk": record.case or record.quirk or record.trait,
        }
        self.result.flaw(flaw, field_name, example)


def _doubtful(record: Record) -> bool:
    """Whether the evidence leaves it open if a true answer is about the record: a value may wait for review."""
    if record.case is Case.PASTED_PROFILE:
        return profile(record.linkedin_url) != profile(record.person.linkedin_url)
    return record.case is Case.RENAMED_HANDLE or (record.case is Case.JOB_CHANGER and record.linkedin_url is None)


def _offers(person: Person, field_name: str) -> list[Find]:
    """Whatever any vendor finds."""
    return [one for (_, about), finds in person.finds.items() for one in finds if about == field_name]


def same(field_name: str, one: str | None, other: str | None) -> bool:
    """Phones are the same if their digits are, e-mails whatever their case."""
    if not one or not other:
        return not one and not other
    return digits(one) == digits(other) if field_name == PHONE else one.lower() == other.lower()
