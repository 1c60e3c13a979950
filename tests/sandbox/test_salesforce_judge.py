"""Two CRMs in one world: who is in both, and whether each ended up as it should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.judge import judge
from syncd.sandbox.people import EMAIL, PHONE, Case, Ending, Find, Quirk, Record, Trait, host, profile
from syncd.sandbox.population_salesforce import TRAITS, website
from syncd.sandbox.salesforce.org import COLLEAGUE
from syncd.sandbox.world import Draw, World

from .org import Org, answered, org, update_part

WATERFALL = {EMAIL: ["zeliq", "fullenrich"], PHONE: ["fullenrich", "zeliq"]}
ASKED = {"email": "zeliq,fullenrich", "phone": "fullenrich,zeliq", "accept": "valid"}
FULL: dict[str, Any] = {"usual": True, "opt_outs": True, "person_accounts": True, "tracked_fields": ("Email", "Phone")}
NAMES = {EMAIL: "Email", PHONE: "Phone"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(7, 2000, SandboxClock(), salesforce=Draw(1000, 800))


# --- the population ---


def test_hubspots_records_are_the_same_whatever_salesforce_has(world: World) -> None:
    alone = World(7, 2000, SandboxClock())
    assert alone.records == world.records
    assert alone.employers == world.employers
    assert alone.salesforce.records == []
    assert World(7, 2000, SandboxClock(), salesforce=Draw(1000, 800)).salesforce == world.salesforce


def test_it_has_as_many_contacts_and_leads_as_asked(world: World) -> None:
    assert Counter(one.kind for one in world.salesforce.records) == {"contact": 1000, "lead": 800}
    assert [one.number for one in world.salesforce.records] == list(range(1800))
    for sizes in ((0, 1), (1, 0), (51, 3)):
        assert len(World(1, 0, SandboxClock(), salesforce=Draw(*sizes)).salesforce.records) == sum(sizes)


def test_everything_special_occurs_in_either_kind(world: World) -> None:
    found = {(one.kind, one.quirk or one.trait) for one in world.salesforce.records}
    quirks = set(Quirk) - {Quirk.CONFLICT_ADDITIONAL}
    assert {what for _, what in found} == {None, *quirks, *TRAITS}
    assert {("lead", Trait.CONVERTED), ("lead", Trait.CONVERTS), ("contact", Trait.PERSON_ACCOUNT)} <= found
    assert not {("contact", Trait.CONVERTED), ("lead", Trait.PERSON_ACCOUNT)} & found


def test_a_tenth_is_in_both_and_can_be_seen_to_be(world: World) -> None:
    there = {one.person.key: one for one in world.records}

    def lacks(one: Record) -> list[bool]:
        return [one.lacks(EMAIL), one.lacks(PHONE)]

    shared = [one for one in world.salesforce.records if one.person.key in there and one.case is None]
    assert len(shared) == pytest.approx(180, rel=0.12)
    by_profile = 0
    for one in shared:
        other = there[one.person.key]
        if profile(one.linkedin_url):
            assert profile(one.linkedin_url) == profile(other.linkedin_url)
            by_profile += 1
            continue
        assert (one.first_name, one.last_name) == (other.person.first_name, other.last_name)
        site = website(one.employer) if one.employer else one.website
        assert host(site) == host(other.website) == one.person.domain
    assert len(shared) > by_profile > len(shared) / 2
    same = sum(lacks(one) == lacks(there[one.person.key]) for one in shared)
    assert same > len(shared) / 2
    none = World(7, 2000, SandboxClock(), salesforce=Draw(1000, 800, overlap=0.0)).salesforce.records
    assert not {one.person.key for one in none if one.case is None} & set(there)


def test_everybody_can_be_looked_up(world: World) -> None:
    assert len({one.key for one in world.people}) == len(world.people)
    owners = Counter(email for person in world.people for email in person.emails)
    assert set(owners.values()) == {1}
    for one in (one for one in world.salesforce.records if one.case is None):
        if profile(one.linkedin_url):
            assert world.find_person(linkedin_url=one.linkedin_url) is one.person
        company = one.company or (one.employer and one.employer.name)
        if company:
            found = world.find_person(first_name=one.first_name, last_name=one.last_name, company=company)
            assert found is one.person


def test_kinds_say_where_people_work_in_their_own_way(world: World) -> None:
    for one in world.salesforce.records:
        assert one.last_name
        assert one.other_emails == ()
        if one.kind == "lead":
            assert one.company
            assert one.employer is None
        else:
            assert one.company is one.website is None


# --- a run, judged ---


def best(one: Org, record: Record, field: str) -> str | None:
    """What a waterfall yields that asks only vendors that can be asked."""
    for vendor in WATERFALL[field]:
        employed = record.case is not Case.PLACEHOLDER and (record.company or record.employer)
        known = profile(record.linkedin_url) or employed
        if (vendor, field) == ("zeliq", PHONE):
            known = profile(record.linkedin_url) or record.email or best(one, record, EMAIL)
        for find in one.sandbox.world.finds(record.person, vendor, field) if known else ():
            good = "@" in find.value if field == EMAIL else find.value.startswith("+") and len(find.value) > 8
            if find.status == "valid" and good:
                return find.value
    return None


def judged(one: Org, crm: str | None = None) -> Any:
    body = answered(httpx.get(f"{one.sandbox.urls['control']}/judge", params=ASKED))
    return body["crms"][crm] if crm else body


def cleared(one: Org) -> set[tuple[str, str]]:
    """Records and fields that somebody has emptied, as their histories tell."""
    found = set()
    for kind in ("Contact", "Lead"):
        for line in one.rows(f"SELECT {kind}Id, Field, NewValue FROM {kind}History"):
            if line["NewValue"] is None:
                found.add((line[f"{kind}Id"], line["Field"]))
    return found


def sync(one: Org) -> None:
    """What a careful client does: pull, buy, look again, write under a condition, leave conflicts."""
    for kind in ("Contact", "Lead"):
        one.rows(f"SELECT Id FROM {kind}")
    one.sandbox.clock.skip(60)
    emptied, lost = cleared(one), frozenset({"IsConverted", "IsPersonAccount", "IsDeleted"})
    one.sandbox.clock.skip(2)
    for record in one.sandbox.world.salesforce.records:
        row = one.records.store.find(one.id(record))
        assert row is not None
        held = row.values
        for field, optout in ((EMAIL, "HasOptedOutOfEmail"), (PHONE, "DoNotCall")):
            value = best(one, record, field)
            filled = held.get("Email") if field == EMAIL else held.get("Phone") or held.get("MobilePhone")
            typed = ((record.first_name or "").strip(), record.last_name)
            another = typed != (held.get("FirstName", ""), held["LastName"])
            closed = another or lost & set(held) or optout in held or (row.id, NAMES[field]) in emptied
            if closed or filled or not value:
                continue
            condition = {"If-Unmodified-Since": one.modified(row.id), "Sforce-Auto-Assign": "FALSE"}
            one.composite(update_part(row.id, {NAMES[field]: value}, **condition))
            one.sandbox.clock.skip(2)
            held = row.values


def test_a_careful_client_passes_and_a_careless_one_does_not() -> None:
    with org(150, 120, **FULL) as one:
        before = judged(one, "salesforce")
        assert before["ok"] is False
        assert before["findable"] >= before["missed"] > 100
        sync(one)
        after = judged(one, "salesforce")
        assert after["missed"] <= 3, after["examples"]
        assert [after[name] for name in ("wrong", "overwritten", "unverified")] == [0, 0, 0], after["examples"]
        left = 2  # both fields of the record that changed hands, which this client leaves alone
        assert after["written"] + after["missed"] + left >= after["findable"]
        assert set(after["kept"]) >= {"edit_between", "edit_after_pull", "opted_out", "cleared", "converted", "bounced"}
        total = judged(one)
        assert (total["contacts"], total["missed"]) == (270, after["missed"])
        assert total["crms"]["hubspot"]["contacts"] == 0
        lead = one.lacking("email", kind="lead")[0]
        one.patch(lead, {"Title": "x"})
        spoilt = judged(one, "salesforce")
        assert (spoilt["overwritten"], spoilt["by_field"]["OwnerId"]["overwritten"]) == (1, 1)


def test_totals_are_of_both_crms() -> None:
    with org(60, 40, hubspot=80) as one:
        body = judged(one)
        hubspot, salesforce = body["crms"]["hubspot"], body["crms"]["salesforce"]
        for name in ("contacts", "lacking", "findable", "missed"):
            assert body[name] == hubspot[name] + salesforce[name]
        assert body["by_field"]["email"]["missed"] == sum(
            each["by_field"]["email"]["missed"] for each in (hubspot, salesforce)
        )
        assert (hubspot["contacts"], salesforce["contacts"]) == (80, 100)
        assert len(body["examples"]["missed"]) == 20


def ending(one: Org, record: Record) -> Ending:
    return one.vendor.endings()[record.number]


def test_colleagues_act_soon_after_a_record_was_first_seen() -> None:
    shares: dict[Quirk | Trait, float] = dict.fromkeys(
        (Quirk.EDIT_AFTER_PULL, Quirk.DELETED, Quirk.MERGED, Trait.CONVERTS), 0.1
    )
    with org(60, 60, quirks=shares, commit_lag=(1.0, 5.0)) as one:
        edited, deleted, merged, converts = (one.special(what) for what in shares)
        one.sandbox.clock.skip(60)
        assert not ending(one, deleted).gone
        everything = {kind: one.rows(f"SELECT Id, LastModifiedDate FROM {kind}") for kind in ("Contact", "Lead")}
        assert sum(map(len, everything.values())) == 120
        one.sandbox.clock.skip(60)
        one.rows("SELECT Id FROM Contact LIMIT 1")
        one.sandbox.clock.skip(60)
        assert ending(one, edited).value(edited.quirk_field) == edited.quirk_value
        assert ending(one, edited).edits == {edited.quirk_field: edited.quirk_value}
        assert ending(one, deleted).gone
        assert ending(one, converts).gone
        assert one.value(one.id(converts), "IsConverted") is True
        twin = one.sandbox.world.salesforce.records[merged.twin or 0]
        assert ending(one, merged).merged
        assert ending(one, merged).id == one.id(twin)


def test_what_an_org_does_not_tell_is_not_held_against_its_client() -> None:
    quirks: dict[Quirk | Trait, float] = dict.fromkeys((Quirk.OPTED_OUT, Quirk.CLEARED, Trait.DO_NOT_CALL), 0.1)
    for told in (False, True):
        options: dict[str, Any] = {"opt_outs": told, "tracked_fields": ("Email", "Phone") if told else ()}
        with org(60, 0, quirks=quirks, **options) as one:
            endings = [ending(one, one.special(what)) for what in quirks]
            assert [each.unmarked for each in endings] == [not told] * 3
            assert (PHONE in endings[2].closed) is told
            for what, field in ((Quirk.OPTED_OUT, EMAIL), (Trait.DO_NOT_CALL, PHONE)):
                record = one.special(what)
                if record.lacks(field):
                    one.patch(one.id(record), {NAMES[field]: best(one, record, field)})
            result = judge(one.sandbox.world, one.vendor, WATERFALL, records=one.sandbox.world.salesforce.records)
            assert bool(result.counts["wrong"]) is told, result.examples


# --- the control API ---


def test_state_and_edits_of_either_crm() -> None:
    with org(20, 20, hubspot=10) as one, httpx.Client(base_url=one.sandbox.urls["control"]) as control:
        first, second, third = (one.records.ids[number] for number in range(3))
        lead = one.lacking("phone", kind="lead")[0]
        assert len(control.get("/state").json()["contacts"]) == 10
        assert len(control.get("/state", params={"crm": "salesforce"}).json()["contacts"]) == 40
        edit = {"crm": "salesforce", "id": first, "property": "Phone", "value": "+442079460001"}
        assert control.post("/edit", json=edit).json() == {name: edit[name] for name in ("id", "property", "value")}
        (row,) = control.get("/state", params={"crm": "salesforce", "id": first}).json()["contacts"]
        assert (row["phone"], row["edits"]) == ("+442079460001", {"phone": "+442079460001"})
        assert one.value(first, "LastModifiedDate")
        control.post("/edit", json={**edit, "value": "+442079460002", "when": "before_write"})
        one.patch(first, {"Phone": "+442079460003"})
        assert [write.by == COLLEAGUE for write in one.records.store.log] == [True, True, False]
        assert control.post("/edit", json={"crm": "salesforce", "do": "merge", "id": second, "into": first}).is_success
        assert control.post("/edit", json={"crm": "salesforce", "do": "delete", "id": third}).is_success
        contact = control.post("/edit", json={"crm": "salesforce", "do": "convert", "id": lead}).json()["contact"]
        assert one.value(lead, "ConvertedContactId") == contact
        assert {second, third}.isdisjoint(one.column("SELECT Id FROM Contact"))
        for bad in ({"id": "7"}, {"do": "dance"}, {"property": "Nope"}, {"crm": "pipedrive"}):
            assert control.post("/edit", json={**edit, **bad}).status_code == 400
        keys = control.get("/info").json()["keys"]["salesforce"]
        assert keys == {
            "client_id": one.vendor.keys.client_id,
            "client_secret": one.vendor.keys.client_secret,
            "domain": "acme.my",
        }
        assert control.get("/calls").json()["salesforce"]["token"] == 1


def test_what_was_bought_for_one_crm_may_serve_the_other() -> None:
    world = World(7, 200, SandboxClock(), {}, Draw(200, 0, overlap=0.5, shares={}))
    there = {one.person.key: one for one in world.salesforce.records}
    mine = next(one for one in world.records if one.person.key in there and one.lacks(PHONE))
    other = there[mine.person.key]
    mine.linkedin_url = mine.company = mine.website = mine.employer = mine.email = None
    mine.person.finds["fullenrich", PHONE] = (Find("+442079460123", "valid"),)
    for phone, lacks, wrong in (("+442079460123", True, 0), (None, True, 0), ("+442079460123", False, 1)):
        other.phone = other.mobile = None if lacks else "+442079460199"
        endings = {one.number: Ending(f"c{one.number}", one.email, one.phone, one.mobile) for one in world.records}
        endings[mine.number] = Ending("c", None, phone)
        assert judge(world, Final(endings), {PHONE: ["fullenrich"]}).counts["wrong"] == wrong


class Final:
    """A CRM in its final state, made by hand."""

    def __init__(self, rows: Mapping[int, Ending]) -> None:
        self.rows = rows

    def endings(self) -> Mapping[int, Ending]:
        return self.rows
