"""The HubSpot connector reading a scripted portal: pulls, filters, snapshots with history.

The numbers are those of the project's list of HubSpot pitfalls; each pitfall that the connector can show has a
named test. Whole journeys are in `test_hubspot_sandbox`.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.hubspot import Connector, terms
from syncd.contract.errors import Retry, Unusable
from syncd.contract.model import (
    Author,
    Field,
    Level,
    Selection,
    WriteStatus,
)
from syncd.contract.testing import StillClock
from tests.connectors.hubspot_play import (
    MAIL,
    PHONE,
    SELECTION,
    filters,
    pages,
    pulled,
    put,
    read,
    ref,
    using,
    write,
)
from tests.connectors.scripted_crm import Reply, ScriptedCrm, contact, entry, partly, refusal
from tests.contract.bench import START

# --- pull ---------------------------------------------------------------------------------------


def test_pitfall_01_stale_index() -> None:
    with ScriptedCrm(contact("1", email=MAIL, phone=PHONE), contact("2", email=MAIL), contact("3")) as crm:
        del crm.records["3"]["properties"]["lastmodifieddate"]
        [page] = using(crm, pages)
    assert {c.ref.id: c.values for c in page.contacts} == {"2": {Field.EMAIL: MAIL}, "3": {}}
    assert page.stale == 1


def test_pitfall_02_and_03_keyset_beyond_ten_thousand() -> None:
    with ScriptedCrm(*(contact(str(n)) for n in range(1, 10_402))) as crm:
        found = using(crm, pulled, share=1.0)
        searches = crm.asked("search")
    assert len(found) == 10_401
    assert {c.ref.id for c in found} == {str(n) for n in range(1, 10_402)}
    assert {request.body["after"] for request in searches} == {"0"}
    last = [next(f["value"] for f in filters(r) if f["propertyName"] == "hs_object_id") for r in searches]
    assert last == [str(n) for n in range(0, 10_401, 200)]
    assert max(len(request.body["inputs"]) for request in crm.asked("batch/read")) == 50


def test_pitfall_04_total_without_results() -> None:
    clock = StillClock(START)
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", Reply(body={"total": 1, "results": []}))
        found = using(crm, pulled, clock)
    assert [c.ref.id for c in found] == ["1"]
    assert 30.0 in clock.slept


def test_pitfall_04_ends_when_the_index_stays_empty() -> None:
    ghost = Reply(body={"total": 1, "results": []})
    with ScriptedCrm() as crm:
        crm.on("search", ghost, ghost)
        [page] = using(crm, pages)
        assert len(crm.asked("search")) == 2
    assert page.contacts == ()
    assert page.cursor["until"] is None


def test_pitfall_05_overlap() -> None:
    stamp = int(START * 1000) - 5_000
    with ScriptedCrm(contact("1", lastmodifieddate=str(stamp))) as crm:
        first = using(crm, pages)[-1].cursor
        assert first == {"since": stamp, "last_id": "0", "until": None, "max_seen": 0, "place": None, "added": None}
        using(crm, lambda c: pages(c, first))
        bound = [f for f in filters(crm.asked("search")[-1]) if f["propertyName"] == "lastmodifieddate"]
    assert bound == [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(stamp - 300_000)}] * 3


def test_the_cursor_never_passes_the_start_of_its_sweep() -> None:
    later = str(int(START * 1000) + 60_000)
    with ScriptedCrm(contact("1", lastmodifieddate=later)) as crm:
        assert using(crm, pages)[-1].cursor["since"] == int(START * 1000)


def test_pitfall_06_one_stamp_for_all() -> None:
    with ScriptedCrm(*(contact(str(n)) for n in range(1, 451))) as crm:
        assert len(using(crm, lambda c: pulled(c, {"since": 1_788_000_000_000}))) == 450


def test_a_page_s_cursor_goes_on_in_the_middle() -> None:
    with ScriptedCrm(*(contact(str(n)) for n in range(1, 451))) as crm:
        first = using(crm, pages)[0]
        rest = using(crm, lambda c: pulled(c, first.cursor))
    assert {c.ref.id for c in (*first.contacts, *rest)} == {str(n) for n in range(1, 451)}
    assert len(rest) == 250


def test_an_unsorted_search_is_not_trusted() -> None:
    with ScriptedCrm(contact("2"), contact("10")) as crm:
        crm.on("search", Reply(body={"total": 2, "results": [crm.records["10"], crm.records["2"]]}))
        with pytest.raises(Retry, match="sort"):
            using(crm, pages)


def test_pitfall_28_and_29_companies() -> None:
    people = (
        contact("1", associatedcompanyid="77", company="Old Ltd", email="ada@gmail.com", hs_email_domain="gmail.com"),
        contact("2", company="Solo", website="https://www.example.com/team", hs_email_domain="gmail.com"),
        contact("3", hs_email_domain="example.org", website="https://www.linkedin.com/in/someone"),
        contact("4", associatedcompanyid=77.0),
        contact("5", associatedcompanyid="78", company="Own words"),
    )
    with ScriptedCrm(*people) as crm:
        crm.companies["77"] = {"id": "77", "properties": {"name": "Acme", "domain": "acme.test", "country": "France"}}
        crm.companies["78"] = {"id": "78", "properties": {"name": None, "domain": "gmail.com", "website": None}}
        found = {c.ref.id: c.identity for c in using(crm, pulled)}
        [asked] = crm.asked("companies/batch/read")
    assert asked.body["inputs"] == [{"id": "77"}, {"id": "78"}]
    assert (found["1"].company, found["1"].domain) == ("Acme", "acme.test")
    assert (found["1"].country, found["1"].employer_country) == (None, "France")
    assert (found["2"].company, found["2"].domain) == ("Solo", "example.com")
    assert found["3"].domain == "example.org"
    assert found["4"].company == "Acme"
    assert (found["5"].company, found["5"].domain) == ("Own words", None)


def test_companies_are_remembered() -> None:
    async def twice(connector: Connector) -> None:
        await pages(connector)
        await pages(connector)

    with ScriptedCrm(contact("1", associatedcompanyid="77")) as crm:
        using(crm, twice)
        assert len(crm.asked("companies/batch/read")) == 1
        assert len(crm.asked("properties/contacts")) == 1


def test_pitfall_26_only_known_properties_are_read() -> None:
    with ScriptedCrm(contact("1", hs_linkedin_url="https://www.linkedin.com/in/ada")) as crm:
        assert using(crm, pulled)[0].identity.linkedin_url == "https://www.linkedin.com/in/ada"
        del crm.properties["hs_linkedin_url"]
        using(crm, pulled)
        assert "hs_linkedin_url" not in crm.asked("batch/read")[-1].body["properties"]


def test_pitfall_30_ids_stay_text() -> None:
    number = "9007199254740993"  # 2**53 + 1: a float would change it
    with ScriptedCrm(contact(number)) as crm:
        assert using(crm, pulled)[0].ref.id == number
        assert read(crm, number)[0].current == ref(number)


def test_pitfall_38_short_search_bodies() -> None:
    with ScriptedCrm(contact("1")) as crm:
        using(crm, pages)
        assert len(crm.asked("search")[0].raw) < 1_000


def test_pitfall_40_opted_out() -> None:
    people = (contact("1", hs_email_optout="true"), contact("2", hs_legal_basis="Performance of a contract"))
    with ScriptedCrm(*people) as crm:
        found = {c.ref.id: c.blocked for c in using(crm, pulled)}
        assert found == {"1": {Field.EMAIL: "opted_out"}, "2": {}}
        assert read(crm, 1)[0].blocked == {Field.EMAIL: "opted_out"}
        strict = {c.ref.id: c.blocked for c in using(crm, pulled, require_legal_basis=True)}
    # What speaks of the person is told before what speaks of the record alone.
    assert strict == {"1": {Field.EMAIL: "opted_out", Field.PHONE: "no_legal_basis"}, "2": {}}


# --- match --------------------------------------------------------------------------------------


def matching(**match: Any) -> Selection:
    return Selection(object="contacts", fields=SELECTION.fields, match=match)


def test_match_is_added_to_every_group() -> None:
    terms = [{"property": "country", "operator": "IN", "values": ["France", "SPAIN"]}]
    with ScriptedCrm(contact("1")) as crm:
        using(crm, lambda c: pages(c, None, matching(owner=12345, filters=terms)))
        groups = crm.asked("search")[0].body["filterGroups"]
    for group in groups:
        assert {"propertyName": "country", "operator": "IN", "values": ["france", "spain"]} in group["filters"]
        assert {"propertyName": "hubspot_owner_id", "operator": "IN", "values": ["12345"]} in group["filters"]
    assert [len(group["filters"]) for group in groups] == [4, 5, 4]  # the last finds who opted out


@pytest.mark.parametrize(
    ("kind", "written", "told"),
    [
        ("datetime", "2026-01-01", "1767225600000"),
        ("date", "2026-01-01", "1767225600000"),
        ("datetime", "2026-01-01T01:00:00+01:00", "1767225600000"),
        ("datetime", "2026-01-01T00:00:00Z", "1767225600000"),
        ("datetime", 1767225600000, "1767225600000"),
        ("datetime", "TODAY", "TODAY"),
        ("string", "2026-01-01", "2026-01-01"),
        ("number", 5, "5"),
        ("bool", True, "true"),
    ],
)
def test_c1_moments_are_told_in_milliseconds_and_the_rest_as_it_stands(kind: str, written: object, told: str) -> None:
    selection = matching(filters=[{"property": "x", "operator": "GTE", "value": written}])
    (found,) = terms.of_match(selection, {"x": {"type": kind}})
    assert found == {"propertyName": "x", "operator": "GTE", "value": told}


@pytest.mark.parametrize(
    ("match", "complaint"),
    [
        ({"filters": [{"property": "country", "operator": "IN", "values": [["a"]]}]}, "must be a text, a number"),
        ({"filters": [{"property": "country", "operator": "EQ", "value": {"a": "b"}}]}, "must be a text, a number"),
        ({"lists": [5]}, "match.lists is unknown"),
        ({"filters": {"property": "country"}}, "must be a list"),
        ({"filters": ["country"]}, "must have property"),
        ({"filters": [{"property": "nope", "operator": "HAS_PROPERTY"}]}, "no contact property 'nope'"),
        ({"filters": [{"property": "country", "operator": "LIKE", "value": "F"}]}, "operator 'LIKE' is none of"),
        ({"filters": [{"property": "country", "operator": "EQ"}]}, "EQ takes value"),
        ({"filters": [{"property": "country", "operator": "IN", "values": "France"}]}, "takes a list"),
        ({"filters": [{"property": "country", "operator": "HAS_PROPERTY"}] * 3}, "1 filter"),
        ({"filters": [{"property": "country", "operator": "IN", "values": ["x" * 3_000]}]}, "3000 characters"),
    ],
)
def test_match_is_checked(match: dict[str, Any], complaint: str) -> None:
    with ScriptedCrm(contact("1")) as crm:
        findings = using(crm, lambda c: c.check([matching(**match)]))
        assert any(complaint in f.what and f.cure and f.level is Level.ERROR for f in findings), findings
        with pytest.raises(Unusable, match=re.escape(complaint)) as caught:
            using(crm, lambda c: pages(c, None, matching(**match)))
    assert caught.value.cure


# --- read and history ---------------------------------------------------------------------------


def test_pitfall_07_own_writes_are_a_machine_s() -> None:
    ours = entry(MAIL, "INTEGRATION", sourceId="19083857")
    odd = entry(MAIL, "SERVICE_KEY", sourceId="42", updatedByUserId=7)
    with ScriptedCrm(contact("1", email=MAIL, history={"email": [ours]})) as crm:
        assert read(crm, 1)[0].versions[Field.EMAIL][0].by is Author.MACHINE
        crm.records["1"] = contact("1", email=MAIL, history={"email": [odd]})
        assert read(crm, 1)[0].versions[Field.EMAIL][0].by is Author.PERSON
        assert read(crm, 1, app_id="42")[0].versions[Field.EMAIL][0].by is Author.MACHINE


@pytest.mark.parametrize(
    ("source", "by"),
    [
        ("CRM_UI", Author.PERSON),
        ("CRM_UI_BULK_ACTION", Author.PERSON),
        ("IMPORT", Author.PERSON),
        ("FORM", Author.PERSON),
        ("MERGE_OBJECTS", Author.PERSON),
        ("SOMETHING_NEW", Author.PERSON),
        ("API", Author.MACHINE),
        ("AUTOMATION_PLATFORM", Author.MACHINE),
    ],
)
def test_who_wrote_a_version(source: str, by: Author) -> None:
    with ScriptedCrm(contact("1", phone=PHONE, history={"phone": [entry(PHONE, source)]})) as crm:
        assert read(crm, 1)[0].versions[Field.PHONE][0].by is by


def test_pitfall_08_and_09_human_edits_are_seen() -> None:
    history = [entry(MAIL, "INTEGRATION", at="2026-09-02T10:00:02Z"), entry("theirs@example.com", at="1788343201000")]
    with ScriptedCrm(contact("1", email=MAIL, mobilephone=PHONE, history={"email": history[::-1]})) as crm:
        [snapshot] = read(crm, 1)
    assert snapshot.values == {Field.EMAIL: MAIL}
    assert snapshot.elsewhere == {Field.PHONE}
    assert [(v.value, v.by) for v in snapshot.versions[Field.EMAIL]] == [
        (MAIL, Author.MACHINE),
        ("theirs@example.com", Author.PERSON),
    ]
    assert [v.at for v in snapshot.versions[Field.EMAIL]] == ["2026-09-02T10:00:02.000Z", "2026-09-02T10:00:01.000Z"]


def test_pitfall_10_cleared_by_a_person() -> None:
    cleared = [entry(""), entry(MAIL, "INTEGRATION")]
    by_machine = [entry("", "INTEGRATION"), entry(MAIL)]
    people = (contact("1", history={"email": cleared}), contact("2", history={"email": by_machine}))
    with ScriptedCrm(*people) as crm:
        found = {c.ref.id: c.blocked for c in using(crm, pulled)}
        assert found == {"1": {Field.EMAIL: "cleared_by_person"}, "2": {}}
        assert read(crm, 1)[0].blocked == found["1"]


def test_pitfall_16_order_means_nothing() -> None:
    with ScriptedCrm(*(contact(str(n), phone=f"+4420794600{n}") for n in range(10, 60))) as crm:
        snapshots = read(crm, *range(10, 60))
    assert all(s.ref == s.current and s.values[Field.PHONE].endswith(s.ref.id) for s in snapshots)


def test_pitfall_17_chunks() -> None:
    assert (Connector.capabilities.read_batch, Connector.capabilities.write_batch) == (50, 100)
    with ScriptedCrm() as crm:
        write(crm, *(put(n, Field.PHONE, PHONE) for n in range(1, 251)))
        read(crm, *range(1, 151))
        assert sorted(len(r.body["inputs"]) for r in crm.asked("batch/update")) == [50, 100, 100]
        assert [len(r.body["inputs"]) for r in crm.asked("batch/read")] == [50, 50, 50]


def test_pitfall_18_gone() -> None:
    missing = refusal("Could not get some CONTACT objects", "OBJECT_NOT_FOUND", context={"ids": ["2", "4"]})
    with ScriptedCrm(contact("1")) as crm:
        first, second, odd = read(crm, 1, 2, "not-a-number")
        crm.on("batch/update", partly([{"id": "1", "properties": {}}], missing))
        outcomes = write(crm, *(put(n, Field.PHONE, PHONE) for n in (1, 2, 4)))
    assert (first.current, second.current, odd.current) == (ref(1), None, None)
    assert [outcomes[n, Field.PHONE].status for n in "124"] == [WriteStatus.WRITTEN, WriteStatus.GONE, WriteStatus.GONE]


def test_a_part_that_was_not_read_is_not_gone() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", partly([], refusal("internal error", "INTERNAL_ERROR")))
        with pytest.raises(Retry):
            read(crm, 1)


def test_pitfall_19_merged() -> None:
    winner = contact("9", email=MAIL, hs_merged_object_ids="5;7")
    with ScriptedCrm() as crm:
        crm.on("batch/read", Reply(body={"status": "COMPLETE", "results": [winner]}))
        snapshots = read(crm, 5, 9)
        crm.on("batch/update", Reply(body={"status": "COMPLETE", "results": [{"id": "9", "properties": {}}]}))
        outcomes = write(crm, put(5, Field.PHONE, PHONE))
    assert [(s.ref, s.current) for s in snapshots] == [(ref(5), ref(9)), (ref(9), ref(9))]
    assert outcomes["5", Field.PHONE].status is WriteStatus.UNKNOWN
