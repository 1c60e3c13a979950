"""Whether what vendors have billed was of use: nothing right thrown away, nobody bought twice.

Who can be seen to be one person is decided here from what the CRMs said at the start and from the truth, by rules
that are easy to check; where a client may see it either way, it is excused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .directory import employers_of, names_of
from .judge_fields import FieldJudge
from .people import Case, Person, Quirk, Record, fold, host, profile, tidy
from .population_salesforce import website
from .sales import Sale, mailboxes, named
from .world import World

_NO_EMPLOYER = {Case.PLACEHOLDER, Case.SHARED_HOST, Case.FILLER, Case.NAMESAKES}


@dataclass(frozen=True, slots=True)
class _Place:
    """A record, and who judges it."""

    judge: FieldJudge
    record: Record


def judge_sales(world: World, judges: Sequence[FieldJudge], sales: Sequence[Sale]) -> None:
    """Add `discarded` and `bought_twice` to the judges' results, each at the first record concerned."""
    places = [_Place(judge, record) for judge in judges for record in judge.records]
    people = {person.key: person for person in world.people}
    sold: dict[tuple[str, str], list[Sale]] = {}
    for one in sales:
        if one.bill.person in people and one.field and one.bill.credits and not one.bill.astray:
            sold.setdefault((one.bill.person, one.field), []).append(one)
    leads = _leads(world, places)
    for (key, field), bought in sold.items():
        held = [one for one in leads.get(key, ()) if one.record.lacks(field)]
        own = [one for one in held if people[key] in _people_of(one)]
        _judge_discarded(people[key], field, bought, own)
        _judge_twice(field, bought, max(1, _count_people(own) + len(held) - len(own)), held or places)


def _leads(world: World, places: Iterable[_Place]) -> dict[str, list[_Place]]:
    """People's keys to the records that are theirs or by which vendors find them, rightly or not."""
    found: dict[str, list[_Place]] = {}
    for place in places:
        people = _people_of(place)
        if place.record.case is not None:
            people += [one for one in _found_by(world, place.record) if one not in people]
        for person in people:
            found.setdefault(person.key, []).append(place)
    return found


def _people_of(place: _Place) -> list[Person]:
    record = place.record
    now = place.judge.now(record).person
    return [record.person] if now is record.person else [record.person, now]


def _found_by(world: World, record: Record) -> Iterable[Person]:
    """Whom the vendors find by what the record says, one key at a time."""
    name = {"first_name": record.first_name, "last_name": record.last_name}
    domain = host(record.website) or host(record.email)
    questions: tuple[dict[str, str | None], ...] = (
        {"linkedin_url": record.linkedin_url},
        {"email": record.email},
        {**name, "company": record.company},
        {**name, "domain": domain},
    )
    found = (world.find_person(**one) for one in questions)
    return {one.key: one for one in found if one is not None}.values()


# --- thrown away ---


def _judge_discarded(person: Person, field: str, bought: Iterable[Sale], own: Sequence[_Place]) -> None:
    for sale in bought:
        nobodys = [one for one in own if one.record.case is Case.FILLER]
        if nobodys:
            _flaw("discarded", field, nobodys[0], sale)
        if nobodys or not sale.heard or not _accountable(sale.bill.asked, person):
            continue
        concerned = [one for one in own if _acceptable(sale, field, one)]
        if concerned and not any(_excused(one, person, field) for one in concerned):
            _flaw("discarded", field, concerned[0], sale)


def _accountable(asked: Mapping[str, str], person: Person) -> bool:
    """Whether the question names this person by something of theirs alone, and nothing in it contradicts."""
    if "first_name" in asked and named(asked["first_name"], asked.get("last_name")) not in names_of(person):
        return False
    if "linkedin_url" in asked:
        return profile(asked["linkedin_url"]) in {profile(person.linkedin_url), profile(person.former_profile)}
    if "email" in asked:
        return asked["email"].lower() in person.emails
    employers = {tidy(one) for one in employers_of(person)}
    return bool({tidy(asked.get("company")), host(asked.get("domain")), host(asked.get("company"))} & employers)


def _acceptable(sale: Sale, field: str, place: _Place) -> bool:
    return any(place.judge.acceptable(field, one) for one in sale.bill.told)


def _excused(place: _Place, person: Person, field: str) -> bool:
    """Whether the value was kept for this record, or something stood in its way."""
    record, ending = place.record, place.judge.endings[place.record.number]
    if place.judge.waits(record, field) or ending.value(field):
        return True
    lost = ending.gone or ending.merged or (ending.handed_over and person is record.person)
    shut = field in {*ending.edits, *ending.refused, *ending.closed}
    opted_out = record.quirk is Quirk.OPTED_OUT or record.case is Case.OPTED_OUT_ELSEWHERE
    return lost or shut or opted_out or place.judge.expect(record, field).why == "blocked"


# --- bought twice ---


def _judge_twice(field: str, bought: Sequence[Sale], allowed: int, places: Sequence[_Place]) -> None:
    """`allowed`: how many acceptable answers may be bought, for as many people that the CRMs seem to hold."""
    had = 0
    for sale in bought:
        if had >= allowed:
            _flaw("bought_twice", field, places[0], sale)
        had += _acceptable(sale, field, places[0])


def _count_people(places: Sequence[_Place]) -> int:
    """As how many people these records of one person must appear, at the most.

    By name and employer a record of one CRM is united with one of another; what a CRM holds twice by these stays two.
    """
    people: list[list[_Place]] = []
    for group in _united(places):
        other = next((each for each in people if _may_be_one(group, each)), None)
        if other is None:
            people.append(group)
        else:
            other += group
    return len(people)


def _may_be_one(group: Sequence[_Place], other: Sequence[_Place]) -> bool:
    crms = {id(one.judge) for one in group}
    apart = crms.isdisjoint(id(one.judge) for one in other)
    return apart and any(_namesakes(one, two) for one in group for two in other)


def _united(places: Sequence[_Place]) -> list[list[_Place]]:
    """Grouped by profiles and mailboxes."""
    groups: list[list[_Place]] = []
    for place in places:
        joined = [group for group in groups if any(_alike(place, one) for one in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(one for group in joined for one in group), place])
    return groups


def _alike(one: _Place, other: _Place) -> bool:
    """Whether they have a profile or a mailbox in common, and not two profiles."""
    profiles = profile(one.record.linkedin_url), profile(other.record.linkedin_url)
    if all(profiles):
        return profiles[0] == profiles[1]
    return bool(mailboxes(one.record) & mailboxes(other.record))


def _namesakes(one: _Place, other: _Place) -> bool:
    """Whether they have a name and an employer in common, and not two profiles."""
    profiles = {profile(each.record.linkedin_url) for each in (one, other)} - {None}
    names = [(fold(each.record.first_name), fold(each.record.last_name)) for each in (one, other)]
    employer = _employers(one.record) & _employers(other.record)
    return len(profiles) < 2 and names[0] == names[1] and all(names[0]) and bool(employer)


def _employers(record: Record) -> set[str]:
    """What the CRM tells of the employer: a name, a domain."""
    if record.case in _NO_EMPLOYER:
        return set()
    told = [tidy(record.company), host(record.website)]
    if (employer := record.employer) is not None:
        in_salesforce = record.kind == "contact" and record.company is None and record.website is None
        told += [tidy(employer.name), host(website(employer)) if in_salesforce else employer.domain]
    return {one for one in told if one}


def _flaw(name: str, field: str, place: _Place, sale: Sale) -> None:
    example = {
        "id": place.judge.endings[place.record.number].id,
        "vendor": sale.vendor,
        "told": [one.value for one in sale.bill.told],
        "asked": sorted(sale.bill.asked),
        "quirk": place.record.case or place.record.quirk or place.record.trait,
    }
    place.judge.result.flaw(name, field, example)
