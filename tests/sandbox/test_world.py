"""The population: reproducible, as mixed as promised, at reserved names and numbers only."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.people import EMAIL, FIELDS, PHONE, STATUSES, Quirk, digits, host, profile
from syncd.sandbox.world import World

FICTION = re.compile(r"\+1\d{3}55501\d\d|\+44(?:2079460|7700900)\d{3}|\+33(?:19900|63998)\d{4}")


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, 4000, SandboxClock())


def test_the_same_seed_makes_the_same_world(world: World) -> None:
    again = World(7, 4000, SandboxClock())
    assert again.records == world.records
    assert World(8, 4000, SandboxClock()).records != world.records


def test_it_has_exactly_as_many_records_as_asked() -> None:
    for count in (0, 1, 2, 49, 50, 51, 333):
        assert len(World(1, count, SandboxClock()).records) == count


def test_about_a_third_is_complete_and_the_rest_lacks_this_or_that(world: World) -> None:
    lacking = Counter((one.lacks(EMAIL), one.lacks(PHONE)) for one in world.records)
    share = {key: count / len(world.records) for key, count in lacking.items()}
    assert 0.30 < share[False, False] < 0.40
    assert all(share[key] > 0.12 for key in ((True, False), (False, True), (True, True)))


@pytest.mark.parametrize(
    ("vendor", "field", "odds"),
    [("zeliq", EMAIL, 0.60), ("zeliq", PHONE, 0.45), ("fullenrich", EMAIL, 0.70), ("fullenrich", PHONE, 0.50)],
)
def test_vendors_find_what_was_agreed(world: World, vendor: str, field: str, odds: float) -> None:
    special = {one.person.key for one in world.records if one.quirk or one.case}
    found = [world.finds(person, vendor, field) for person in world.people if person.key not in special]
    assert odds - 0.03 < sum(map(bool, found)) / len(found) < odds + 0.03


def test_vendors_overlap_but_differ(world: World) -> None:
    for field in FIELDS:
        pairs = Counter(
            (bool(world.finds(person, "zeliq", field)), bool(world.finds(person, "fullenrich", field)))
            for person in world.people
        )
        assert min(pairs.values()) > 300


def test_every_status_occurs(world: World) -> None:
    seen = {one.status for person in world.people for finds in person.finds.values() for one in finds}
    assert seen == set(STATUSES)


def test_every_quirk_occurs_even_in_a_small_world() -> None:
    assert {one.quirk for one in World(1, 50, SandboxClock()).records} == {None, *Quirk}


def test_quirks_can_be_chosen() -> None:
    everybody = World(1, 10, SandboxClock(), quirks={Quirk.EDIT_BETWEEN: 1.0})
    assert [one.quirk for one in everybody.records] == [Quirk.EDIT_BETWEEN] * 10
    assert {one.quirk for one in World(1, 60, SandboxClock(), quirks={}).records} == {None}


def test_only_reserved_names_and_numbers(world: World) -> None:
    for person in world.people:
        assert person.domain.endswith(".example")
        assert all(email.endswith(".example") or ".sandbox@" in email for email in person.emails)
        assert all(FICTION.fullmatch(phone) for phone in person.phones)


def test_emails_belong_to_one_person(world: World) -> None:
    owners = Counter(email for person in world.people for email in person.emails)
    assert set(owners.values()) == {1}


def test_people_are_found_by_whatever_the_crm_says_of_them(world: World) -> None:
    for record in (one for one in world.records if one.case is None):
        if profile(record.linkedin_url):
            assert world.find_person(linkedin_url=record.linkedin_url) is record.person
        if record.last_name and record.company:
            named = {"first_name": record.first_name, "last_name": record.last_name}
            assert world.find_person(**named, company=record.company) is record.person
            assert world.find_person(**named, domain=f"https://www.{record.person.domain}/x") is record.person
        if record.email:
            assert world.find_person(email=record.email.upper()) is record.person


def test_nobody_is_found_by_too_little(world: World) -> None:
    person = world.people[0]
    assert world.find_person(first_name=person.first_name, last_name=person.last_name) is None
    assert world.find_person(email="nobody@mail.example") is None
    assert world.find_person() is None


def test_conflicts_and_pairs_are_about_one_person(world: World) -> None:
    paired = [one for one in world.records if one.twin is not None]
    assert paired
    for one in paired:
        assert one.twin is not None
        assert world.records[one.twin].person is one.person
        assert world.records[one.twin].twin == one.number


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("linkedin.com/in/Ana-Berg", "https://www.linkedin.com/in/ana-berg"),
        ("https://fr.linkedin.com/in/ana-berg/?utm_source=share", "https://www.linkedin.com/in/ana-berg"),
        ("http://WWW.LinkedIn.com/mwlite/in/ana-berg", "https://www.linkedin.com/in/ana-berg"),
        ("https://www.linkedin.com/in/ACwAABcD", "https://www.linkedin.com/in/ACwAABcD"),
        ("https://www.linkedin.com/in/%E5%B0%8F", "https://www.linkedin.com/in/%E5%B0%8F"),
        ("https://www.linkedin.com/company/acme", None),
        ("https://www.linkedin.com/sales/lead/ACwAAB,NAME", None),
        ("https://example.com/in/ana", None),
        (None, None),
    ],
)
def test_profiles_have_one_form(typed: str | None, canonical: str | None) -> None:
    assert profile(typed) == canonical


def test_hosts_and_digits_have_one_form() -> None:
    assert host("HTTP://WWW.Acme.Example/contact") == host("ana@acme.example") == host("acme.example") == "acme.example"
    assert host("not a host") is host(None) is None
    assert digits("+44 20 7946-0123") == "442079460123"
