"""Records of which it is hard to tell whose values are theirs: that they are there, and that their truth is as told."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from syncd.sandbox.cases import COUNTERPARTS, HUBSPOT, SALESFORCE_LEADS, SHARE, SIZES
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.names import FILLERS, MAILBOX_HOSTS, PLACEHOLDERS, UNDIALABLE
from syncd.sandbox.people import EMAIL, PHONE, Case, Find, Person, Quirk, Record, fold, host, profile
from syncd.sandbox.world import Draw, World

from .account import account, lacks
from .org import org

VENDORS = ("zeliq", "fullenrich")


def world(seed: int = 3, contacts: int = 200) -> World:
    return World(seed, contacts, SandboxClock())


@pytest.fixture(scope="module")
def both() -> World:
    return World(5, 600, SandboxClock(), salesforce=Draw(200, 150))


def of(records: list[Record], case: Case) -> list[Record]:
    return [one for one in records if one.case is case]


def asked(world: World, record: Record) -> Person | None:
    """Whom the vendors find by the record's name and employer."""
    employer = record.employer.name if record.employer else None
    name = {"first_name": record.first_name, "last_name": record.last_name}
    return world.find_person(**name, company=record.company or employer, domain=record.website)


# --- shares ---


@pytest.mark.parametrize("contacts", [200, 201, 350])
def test_a_world_of_two_hundred_has_at_least_one_of_each(contacts: int) -> None:
    records = world(contacts=contacts).records
    assert len(records) == contacts
    counted = Counter(one.case for one in records if one.case)
    assert counted == {case: SIZES.get(case, 1) for case in HUBSPOT}


def test_a_smaller_one_has_none_and_neither_has_one_of_chosen_quirks() -> None:
    assert {one.case for one in world(contacts=199).records} == {None}
    assert {one.case for one in World(3, 400, SandboxClock(), quirks={}).records} == {None}


@pytest.mark.parametrize("seed", [1, 2])
def test_shares_are_a_few_permille(seed: int) -> None:
    counted = Counter(one.case for one in world(seed, contacts=4000).records)
    assert set(counted) == {None, *HUBSPOT}
    for case in HUBSPOT:
        assert counted[case] == pytest.approx(4000 * SHARE, abs=SIZES.get(case, 1))


def test_cases_can_be_chosen() -> None:
    records = World(3, 20, SandboxClock(), quirks={Case.NAMESAKES: 1.0}).records
    assert [one.case for one in records] == [Case.NAMESAKES] * 20


@pytest.mark.parametrize("sizes", [(50, 30), (0, 40), (30, 200)])
def test_salesforce_has_its_own_and_the_other_halves(sizes: tuple[int, int]) -> None:
    one = World(3, 200, SandboxClock(), salesforce=Draw(*sizes))
    counted = Counter((each.kind, each.case) for each in one.salesforce.records if each.case)
    expected = {("lead", case): SIZES.get(case, 1) for case in SALESFORCE_LEADS}
    expected |= {(kind, case): 1 for case, kind in COUNTERPARTS.items() if sizes[kind == "lead"]}
    assert counted == expected
    assert len(one.salesforce.records) == sum(sizes)


def test_hubspots_are_the_same_whatever_salesforce_has() -> None:
    assert world().records == World(3, 200, SandboxClock(), salesforce=Draw(50, 30)).records


def test_the_same_seed_makes_the_same_cases() -> None:
    again = World(5, 600, SandboxClock(), salesforce=Draw(200, 150))
    assert again.salesforce.records == World(5, 600, SandboxClock(), salesforce=Draw(200, 150)).salesforce.records
    other = World(6, 600, SandboxClock(), salesforce=Draw(200, 150))
    assert of(again.records, Case.NAMESAKES) != of(other.records, Case.NAMESAKES)


# --- several people ---


def test_namesakes_share_a_name_and_a_provider_of_mailboxes_and_nothing_else(both: World) -> None:
    one, other = of(both.records, Case.NAMESAKES)[:2]
    assert one.person is not other.person
    assert (one.first_name, one.last_name) == (other.first_name, other.last_name)
    assert host(one.email) == host(other.email) in MAILBOX_HOSTS
    assert one.email != other.email
    for record in (one, other):
        assert not any((record.company, record.website, record.employer, record.linkedin_url, record.phone))
        assert both.find_person(email=record.email) is record.person
    by_host = {"first_name": one.first_name, "last_name": one.last_name, "domain": host(one.email)}
    assert both.find_person(**by_host) is one.person  # a stranger for the other


@pytest.mark.parametrize("case", [Case.PLACEHOLDER, Case.SHARED_HOST])
def test_what_is_no_employer_leads_to_one_of_two(both: World, case: Case) -> None:
    one, other = of(both.records, case)[:2]
    assert asked(both, one) is asked(both, other) is one.person is not other.person
    assert both.find_person(linkedin_url=one.linkedin_url) is one.person
    assert other.linkedin_url is other.email is None
    assert case is not Case.PLACEHOLDER or one.company == other.company in PLACEHOLDERS
    assert case is not Case.SHARED_HOST or (host(one.website) == host(other.website) and one.website != other.website)


def test_a_pasted_profile_leads_to_its_owner(both: World) -> None:
    one, other = of(both.records, Case.PASTED_PROFILE)[:2]
    assert profile(one.linkedin_url) == profile(other.linkedin_url) == profile(other.person.linkedin_url)
    assert both.find_person(linkedin_url=one.linkedin_url, first_name=one.first_name) is other.person
    assert asked(both, one) is one.person


def test_one_mailbox_is_in_three_records_and_leads_to_one_person(both: World) -> None:
    three = of(both.salesforce.records, Case.SHARED_MAILBOX)[:3]
    assert len({one.person.key for one in three}) == len({fold(one.first_name) + one.person.key for one in three}) == 3
    (address,) = {one.email for one in three}
    assert address
    assert address.startswith("info@")
    assert both.find_person(email=address) is three[0].person
    assert [both.finds(one.person, "fullenrich", PHONE) == () for one in three] == [True, True, False]


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
def test_a_record_becomes_a_colleagues(both: World, crm: str) -> None:
    records = both.records if crm == "hubspot" else both.salesforce.records
    record = of(records, Case.CHANGES_HANDS)[0]
    assert record.becomes
    assert record.becomes is not record.person
    assert record.becomes.domain == record.person.domain
    assert record.lacks(EMAIL)
    assert record.lacks(PHONE)


def test_hubspots_record_changes_hands_soon_after_it_was_seen() -> None:
    with account(4, {Case.CHANGES_HANDS: 1.0}) as one:
        first, second, third = one.sandbox.world.records[:3]
        one.sandbox.clock.skip(60)
        one.sandbox.hubspot.human_edit(one.contact(third), "email", "colleague@acme.example")
        assert not any(ending.handed_over for ending in one.sandbox.hubspot.endings().values())
        one.update({one.contact(second): {"email": "early@acme.example"}})
        assert one.found(lacks("phone"))
        one.sandbox.clock.skip(60)
        assert first.becomes
        names = [one.value(one.contact(first), name) for name in ("firstname", "lastname", "hs_linkedin_url")]
        assert names == [first.becomes.first_name, first.becomes.last_name, first.becomes.linkedin_url]
        one.update({one.contact(first): {"email": "late@acme.example"}})
        endings = one.sandbox.hubspot.endings()
        assert [endings[record.number].handed_over for record in (first, second)] == [True, True]
        assert [endings[record.number].early for record in (first, second, third)] == [
            frozenset(),
            {EMAIL},
            frozenset(),
        ]
        assert endings[first.number].edits == {}


def test_salesforces_record_changes_hands_soon_after_it_was_seen() -> None:
    with org(0, 4, quirks={Case.CHANGES_HANDS: 1.0}) as one:
        first, second = one.sandbox.world.salesforce.records[:2]
        one.sandbox.clock.skip(60)
        assert not any(ending.handed_over for ending in one.vendor.endings().values())
        one.patch(one.id(second), {"Phone": "+442079460001"})
        one.rows("SELECT Id FROM Lead")
        one.sandbox.clock.skip(60)
        one.rows("SELECT Id FROM Lead LIMIT 1")
        assert first.becomes
        names = [one.value(one.id(first), name) for name in ("FirstName", "LastName", "LinkedIn_Profile__c")]
        assert names == [first.becomes.first_name, first.becomes.last_name, first.becomes.linkedin_url]
        one.patch(one.id(first), {"Phone": "+442079460002"})
        endings = one.vendor.endings()
        assert [endings[record.number].handed_over for record in (first, second)] == [True, True]
        assert [endings[record.number].early for record in (first, second)] == [frozenset(), {PHONE}]


def test_other_records_do_not_change_hands_when_a_colleague_renames_them() -> None:
    with account(4, {}) as one:
        contact = one.contact(one.sandbox.world.records[0])
        one.sandbox.hubspot.human_edit(contact, "lastname", "Someone")
        assert not one.sandbox.hubspot.endings()[0].handed_over


# --- one person ---


@pytest.mark.parametrize("case", [Case.NICKNAME, Case.PARTICLE, Case.NAME_SWAPPED])
def test_other_words_for_a_name_lead_to_the_person(both: World, case: Case) -> None:
    record = of(both.records, case)[0]
    person = record.person
    assert (record.first_name, record.last_name) != (person.first_name, person.last_name)
    assert asked(both, record) is person
    assert record.linkedin_url is None


def test_every_pair_of_names_leads_to_the_person() -> None:
    for case in (Case.NICKNAME, Case.PARTICLE, Case.SPELLED_TWICE, Case.NAME_SWAPPED):
        one = World(9, 60, SandboxClock(), quirks={case: 1.0})
        assert all(asked(one, record) is record.person for record in one.records)
        assert len({record.last_name for record in one.records}) > 3


def test_job_changers_are_known_at_both_employers(both: World) -> None:
    known, unknown = of(both.records, Case.JOB_CHANGER)[:2]
    for record in (known, unknown):
        assert host(record.website) != record.person.domain
        assert asked(both, record) is record.person
        assert all(find.value.endswith(record.person.domain) for find in both.finds(record.person, "zeliq", EMAIL))
    assert known.linkedin_url
    assert unknown.linkedin_url is None


def test_a_former_handle_leads_to_the_person_and_the_new_one(both: World) -> None:
    record = of(both.records, Case.RENAMED_HANDLE)[0]
    assert both.find_person(linkedin_url=record.linkedin_url) is record.person
    assert profile(record.linkedin_url) != profile(record.person.linkedin_url)
    assert both.find_person(linkedin_url=record.person.linkedin_url) is record.person


@pytest.mark.parametrize("case", list(COUNTERPARTS))
def test_one_person_in_both_crms(both: World, case: Case) -> None:
    here, there = of(both.records, case)[0], of(both.salesforce.records, case)[0]
    assert here.person is there.person
    assert asked(both, here) is here.person
    assert (here.lacks(EMAIL), here.lacks(PHONE)) == (there.lacks(EMAIL), there.lacks(PHONE)) == (True, True)
    if case is Case.SPELLED_TWICE:
        assert (here.first_name, here.last_name) != (there.first_name, there.last_name)
        assert fold(here.last_name) == fold(there.last_name)
        assert here.employer is None or here.employer == there.employer
    elif case is Case.COMPANY_ONLY:
        assert (there.company, there.website, there.email, there.linkedin_url) == (here.company, None, None, None)
        assert here.website
    else:
        assert here.quirk is Quirk.OPTED_OUT
        assert there.quirk is None
        assert profile(here.linkedin_url) == profile(there.linkedin_url)


def test_fillers_are_nobody_whom_vendors_find_all_the_same(both: World) -> None:
    record = of(both.records, Case.FILLER)[0]
    assert (record.first_name, record.last_name, record.company) in FILLERS
    assert asked(both, record) is not None
    assert record.linkedin_url is record.website is None


# --- what is offered ---


@pytest.mark.parametrize(
    ("case", "field", "bad"),
    [
        (Case.UNDIALABLE, PHONE, lambda find: find.value in UNDIALABLE),
        (Case.UNUSABLE_EMAIL, EMAIL, lambda find: re.match(r"info@|no-reply@|email_not|a\*\*\*@", find.value)),
    ],
)
def test_what_cannot_be_used_is_offered_first(
    both: World, case: Case, field: str, bad: Callable[[Find], object]
) -> None:
    person = of(both.records, case)[0].person
    for vendor in VENDORS:
        first, second = both.finds(person, vendor, field)
        assert bad(first)
        assert (first.usable, second.usable) == (False, True)
        assert second.value in {*person.emails, *person.phones}


def test_a_landline_is_offered_before_the_mobile(both: World) -> None:
    person = of(both.records, Case.LANDLINE_FIRST)[0].person
    kinds = {vendor: [find.line_type for find in both.finds(person, vendor, PHONE)] for vendor in VENDORS}
    assert kinds == {"zeliq": ["landline", "mobile"], "fullenrich": ["landline"]}


# --- how vendors look people up ---


@pytest.mark.parametrize(
    ("first", "last", "place", "fits"),
    [
        ("Zoé", "Lefèvre", "company", True),
        ("ZOE", "LEFEVRE", "domain", True),
        ("Lefevre", "Zoe", "domain", True),  # in the other order
        (" Zoé", "Le\u2011fèvre", "company", True),
        ("Zoé", "Lefort", "company", False),
        ("Zora", "Lefèvre", "company", False),
        ("Z.", "Lefèvre", "company", False),
        ("", "ZoéLefèvre", "company", False),
        ("Zoé", "Lefèvre", "other", False),
        ("Zoé", "Lefèvre", "", False),
    ],
)
def test_vendors_are_tolerant_but_not_of_everything(first: str, last: str, place: str, fits: bool) -> None:
    one = World(1, 30, SandboxClock(), quirks={})
    person = Person("x", "Zoé", "Lefèvre", "Zenith Works", "zenith.example", None, "FR")
    one._directory.add(person)
    where = {"company": {"company": "ZENITH works"}, "domain": {"domain": "https://www.zenith.example/a"}}
    told = where.get(place, {"company": "Elsewhere"} if place else {})
    assert (one.find_person(first_name=first, last_name=last, **told) is person) is fits


def test_the_order_of_making_does_not_depend_on_hashes() -> None:
    state = random.getstate()
    assert world().records == world().records
    assert random.getstate() == state  # nothing is drawn from the shared generator
