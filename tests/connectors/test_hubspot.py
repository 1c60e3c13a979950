"""The HubSpot connector against a scripted server: one named test for each pitfall that it can show.

The numbers are those of the project's list of HubSpot pitfalls. Whole journeys run against the
sandbox's HubSpot in `tests/contract`.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

import connectors.hubspot
from connectors.hubspot import Connector, Options
from connectors.hubspot.calls import Route
from connectors.hubspot.wire import THREADS, Wire
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Trouble
from syncd.contract.model import (
    Author,
    Change,
    Contact,
    ContactRef,
    Field,
    FieldMap,
    Level,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
    WriteStatus,
)
from tests.connectors.scripted_crm import Reply, ScriptedCrm, Seen, contact, entry, partly, refusal
from tests.contract.bench import START, JumpingClock, bench

T = TypeVar("T")
TOKEN = "pat-eu1-00000000-0000-4000-8000-000000000000"
SELECTION = Selection(object="contacts", fields=Connector.capabilities.objects["contacts"])
EMAIL_ONLY = Selection(object="contacts", fields={Field.EMAIL: FieldMap(property="email")})
MAIL, PHONE = "ada@example.com", "+442079460123"
SECONDLY = Reply(429, refusal("You have reached your secondly limit.", "RATE_LIMITS"))
ROLLING = Reply(
    429,
    {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "policyName": "TEN_SECONDLY_ROLLING",
    },
)
DAILY = Reply(429, {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"})


def using(
    crm: ScriptedCrm, act: Callable[[Connector], Awaitable[T]], clock: JumpingClock | None = None, **options: Any
) -> T:
    async def go() -> T:
        settings = Options.model_validate({"access_token": TOKEN, **options} if "client_id" not in options else options)
        connector = Connector("hub", settings, crm.url, bench(clock))
        try:
            return await act(connector)
        finally:
            await connector.aclose()

    return asyncio.run(go())


async def pages(connector: Connector, cursor: Any = None, selection: Selection = SELECTION) -> list[Page]:
    return [page async for page in connector.pull(selection, cursor)]


async def pulled(connector: Connector, cursor: Any = None) -> list[Contact]:
    return [contact for page in await pages(connector, cursor) for contact in page.contacts]


def ref(number: object) -> ContactRef:
    return ContactRef(connection="hub", object="contacts", id=str(number))


def put(number: object, field: Field, new: str, expected: str = "") -> Change:
    return Change(ref=ref(number), field=field, expected=expected, new=new)


def read(crm: ScriptedCrm, *ids: object, **options: Any) -> list[Snapshot]:
    return using(crm, lambda c: c.read([ref(i) for i in ids], SELECTION), **options)


def write(
    crm: ScriptedCrm, *changes: Change, clock: JumpingClock | None = None
) -> dict[tuple[str, Field], WriteOutcome]:
    outcomes = using(crm, lambda c: c.write(changes, SELECTION), clock)
    assert len({(o.ref, o.field) for o in outcomes}) == len(outcomes)
    return {(o.ref.id, o.field): o for o in outcomes}


def statuses(outcomes: dict[tuple[str, Field], WriteOutcome]) -> dict[tuple[str, Field], WriteStatus]:
    return {key: outcome.status for key, outcome in outcomes.items()}


def filters(request: Seen) -> list[dict[str, Any]]:
    return [one for group in request.body["filterGroups"] for one in group["filters"]]


def sent(crm: ScriptedCrm) -> list[dict[str, dict[str, str]]]:
    """The properties by record id of each update."""
    return [{i["id"]: i["properties"] for i in request.body["inputs"]} for request in crm.asked("batch/update")]


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
    clock = JumpingClock()
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
        assert first == {"since": stamp, "last_id": "0", "until": None, "max_seen": 0}
        using(crm, lambda c: pages(c, first))
        bound = [f for f in filters(crm.asked("search")[-1]) if f["propertyName"] == "lastmodifieddate"]
    assert bound == [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(stamp - 300_000)}] * 2


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
    assert (found["1"].company, found["1"].domain, found["1"].country) == ("Acme", "acme.test", "France")
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
    assert strict == {"1": {Field.EMAIL: "no_legal_basis", Field.PHONE: "no_legal_basis"}, "2": {}}


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
    assert [len(group["filters"]) for group in groups] == [4, 5]


@pytest.mark.parametrize(
    ("match", "complaint"),
    [
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
        with pytest.raises(Halt, match=re.escape(complaint)) as caught:
            using(crm, lambda c: pages(c, None, matching(**match)))
    assert caught.value.trouble is Trouble.MISCONFIGURED


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


# --- write --------------------------------------------------------------------------------------

HOLDER = "552239500007"
CONFLICTS = {
    "409 with the holder": Reply(409, refusal(f"Contact already exists. Existing ID: {HOLDER}", "CONFLICT")),
    "409 without": Reply(409, refusal("Contact already exists", "CONFLICT")),
    "inside a 207": partly(
        [],
        {
            "status": "error",
            "category": "CONFLICT",
            "message": f"Contact already exists. Existing ID: {HOLDER}",
            "context": {"objectWriteTraceId": ["0"], "existingId": [HOLDER]},
        },
    ),
    "400 in prose": Reply(
        400,
        refusal(
            "Cannot set PropertyValueCoordinates{portalId=44956899, "
            "objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}, "
            f"propertyName=email, value={MAIL}}} on 1. {HOLDER} already has that value."
        ),
    ),
}


@pytest.mark.parametrize("form", CONFLICTS)
def test_pitfall_11_and_12_conflict(form: str) -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", CONFLICTS[form])
        outcomes = write(crm, put(1, Field.EMAIL, MAIL), put(1, Field.PHONE, PHONE))
        assert sent(crm) == [{"1": {"email": MAIL, "phone": PHONE}}, {"1": {"phone": PHONE}}]
    mail = outcomes["1", Field.EMAIL]
    assert (mail.status, mail.holder) == (WriteStatus.DUPLICATE, None if form == "409 without" else HOLDER)
    assert MAIL not in mail.detail
    assert outcomes["1", Field.PHONE].status is WriteStatus.WRITTEN


def test_pitfall_11_prose_names_the_culprit_among_many() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", CONFLICTS["400 in prose"])
        outcomes = write(crm, *(put(n, Field.EMAIL, f"p{n}@example.com") for n in range(100)))
        assert len(crm.asked("batch/update")) == 2
    assert {n for (n, _), o in outcomes.items() if o.status is not WriteStatus.WRITTEN} == {"1"}


def invalid(name: str, code: str, message: str) -> dict[str, Any]:
    """A 400 with HubSpot's JSON inside its text."""
    listed = json.dumps([{"isValid": False, "message": message, "error": code, "name": name}])
    return refusal(f"Property values were not valid: {listed}")


BAD_MAIL = invalid("email", "INVALID_EMAIL", "Email address p@example.con is invalid")


def test_pitfall_13_trace_ids_name_the_bad_one() -> None:
    def one_bad(request: Seen) -> Reply:
        inputs = request.body["inputs"]
        assert len({i["objectWriteTraceId"] for i in inputs}) == len(inputs)
        bad = next(i for i in inputs if i["id"] == "42")
        error = {**BAD_MAIL, "context": {"objectWriteTraceId": [bad["objectWriteTraceId"]]}}
        return partly([{"id": i["id"], "properties": {}} for i in reversed(inputs) if i is not bad], error)

    with ScriptedCrm() as crm:
        crm.on("batch/update", one_bad)
        outcomes = write(crm, *(put(n, Field.EMAIL, "p@example.con") for n in range(1, 101)))
        assert len(crm.asked("batch/update")) == 1
    assert {k for k, o in outcomes.items() if o.status is WriteStatus.REFUSED} == {("42", Field.EMAIL)}
    assert "INVALID_EMAIL" in outcomes["42", Field.EMAIL].detail
    assert "example.con" not in outcomes["42", Field.EMAIL].detail


@pytest.mark.parametrize("bad", [{"1"}, {"42"}, {"1", "100"}])
def test_pitfall_13_bisection_loses_nobody(bad: set[str]) -> None:
    def strict(request: Seen) -> Reply:
        ids = [i["id"] for i in request.body["inputs"]]
        if any(i["id"] in bad and "email" in i["properties"] for i in request.body["inputs"]):
            return Reply(400, BAD_MAIL)
        return Reply(body={"status": "COMPLETE", "results": [{"id": i, "properties": {}} for i in ids]})

    with ScriptedCrm() as crm:
        crm.on("batch/update", *[strict] * 60)
        changes = [(put(n, Field.EMAIL, "p@example.con"), put(n, Field.PHONE, PHONE)) for n in range(1, 101)]
        outcomes = write(crm, *(change for both in changes for change in both))
        assert len(crm.asked("batch/update")) <= 2 + 14 * len(bad)
    refused = {key for key, outcome in outcomes.items() if outcome.status is not WriteStatus.WRITTEN}
    assert refused == {(number, Field.EMAIL) for number in bad}
    assert len(outcomes) == 200


def test_bisection_is_bounded() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", *[Reply(400, BAD_MAIL)] * 300)
        outcomes = write(crm, *(put(n, Field.EMAIL, "p@example.con") for n in range(1, 101)))
        assert len(crm.asked("batch/update")) == 40
    found = set(statuses(outcomes).values())
    assert found == {WriteStatus.REFUSED, WriteStatus.RETRY}
    assert len(outcomes) == 100


def test_a_property_that_nobody_may_write_costs_two_calls() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", Reply(400, invalid("phone", "PROPERTY_DOESNT_EXIST", 'Property "phone" does not exist')))
        outcomes = write(
            crm, *(put(n, f, v) for n in range(1, 51) for f, v in ((Field.EMAIL, MAIL), (Field.PHONE, PHONE)))
        )
        assert len(crm.asked("batch/update")) == 2
    assert {o.status for (_, f), o in outcomes.items() if f is Field.PHONE} == {WriteStatus.REFUSED}
    assert {o.status for (_, f), o in outcomes.items() if f is Field.EMAIL} == {WriteStatus.WRITTEN}


def test_pitfall_14_one_input_per_contact() -> None:
    with ScriptedCrm() as crm:
        changes = (put(1, Field.EMAIL, "first@example.com"), put(1, Field.PHONE, PHONE), put(1, Field.EMAIL, MAIL))
        assert len(write(crm, *changes)) == 2
        assert sent(crm) == [{"1": {"email": MAIL, "phone": PHONE}}]


def test_what_changes_nothing_is_not_sent() -> None:
    with ScriptedCrm() as crm:
        outcomes = write(crm, put(1, Field.PHONE, PHONE, expected=PHONE), put(2, Field.PHONE, "", expected=PHONE))
        assert sent(crm) == [{"2": {"phone": ""}}]
    assert set(statuses(outcomes).values()) == {WriteStatus.WRITTEN}


def test_pitfall_15_every_error_of_a_207_is_read() -> None:
    by_trace = {**refusal("no", "VALIDATION_ERROR"), "context": {"objectWriteTraceId": ["0"]}}
    by_id = refusal("gone", "OBJECT_NOT_FOUND", context={"ids": ["2"]})
    stray = refusal("Contact already exists", "CONFLICT")
    with ScriptedCrm() as crm:
        crm.on("batch/update", partly([{"id": "4", "properties": {}}], by_trace, by_id, stray))
        outcomes = write(crm, *(put(n, Field.EMAIL, MAIL) for n in (1, 2, 3, 4)))
    expected = (WriteStatus.REFUSED, WriteStatus.GONE, WriteStatus.DUPLICATE, WriteStatus.WRITTEN)
    assert tuple(outcomes[n, Field.EMAIL].status for n in "1234") == expected


def test_pitfall_15_silence_is_not_success() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", Reply(body={"status": "COMPLETE", "results": [{"id": "1", "properties": {}}]}))
        outcomes = write(crm, put(1, Field.PHONE, PHONE), put(2, Field.PHONE, PHONE))
    assert [outcomes[n, Field.PHONE].status for n in "12"] == [WriteStatus.WRITTEN, WriteStatus.UNKNOWN]


@pytest.mark.parametrize("reply", [Reply(524, b"<html>"), Reply(500, {}), Reply(503, b""), Reply(cut=True)])
def test_pitfall_22_a_lost_answer_is_unknown(reply: Reply) -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", reply)
        outcomes = write(crm, put(1, Field.PHONE, PHONE))
        assert len(crm.asked("batch/update")) == 1
    assert outcomes["1", Field.PHONE].status is WriteStatus.UNKNOWN


@pytest.mark.parametrize("reply", [SECONDLY, ROLLING, DAILY, Reply(423, {}), Reply(477, {}, {"Retry-After": "60"})])
def test_a_definite_refusal_is_for_later(reply: Reply) -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", reply)
        outcomes = write(crm, put(1, Field.PHONE, PHONE), put(1, Field.EMAIL, MAIL))
        assert len(crm.asked("batch/update")) == 1
    assert set(statuses(outcomes).values()) == {WriteStatus.RETRY}


def test_pitfall_27_a_validation_rule_is_the_record_s_affair() -> None:
    rule = invalid("phone", "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE", f"Phone {PHONE} must have a country code")
    with ScriptedCrm() as crm:
        crm.on("batch/update", Reply(400, rule))
        outcomes = write(crm, put(1, Field.PHONE, PHONE), put(1, Field.EMAIL, MAIL))
    phone = outcomes["1", Field.PHONE]
    assert phone.status is WriteStatus.REFUSED
    assert "must have a country code" in phone.detail
    assert PHONE not in phone.detail
    assert outcomes["1", Field.EMAIL].status is WriteStatus.WRITTEN


def test_pitfall_37_a_refusal_without_words() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", Reply(400, b"bad"), Reply(400, {}))
        outcomes = write(crm, put(1, Field.PHONE, PHONE), put(1, Field.EMAIL, MAIL))
        assert len(crm.asked("batch/update")) == 3
    assert sorted(statuses(outcomes).values()) == [WriteStatus.REFUSED, WriteStatus.WRITTEN]


def test_losing_the_token_in_the_middle_keeps_what_was_written() -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/update", CONFLICTS["409 without"], Reply(401, refusal("no", "INVALID_AUTHENTICATION")))
        outcomes = write(crm, put(1, Field.EMAIL, MAIL), put(1, Field.PHONE, PHONE))
    assert statuses(outcomes) == {("1", Field.EMAIL): WriteStatus.DUPLICATE, ("1", Field.PHONE): WriteStatus.RETRY}


# --- pace and trouble ---------------------------------------------------------------------------


def test_pitfall_20_secondly() -> None:
    clock = JumpingClock()
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", SECONDLY)
        assert len(using(crm, pulled, clock)) == 1
        assert len(crm.asked("search")) == 2
    assert any(1.0 <= pause <= 2.0 for pause in clock.slept)


def test_pitfall_21_ten_secondly() -> None:
    clock = JumpingClock()
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", ROLLING)
        assert len(read(crm, 1, clock=clock)) == 1
    assert any(10.0 <= pause <= 11.0 for pause in clock.slept)


def test_pitfall_21_daily_until_the_portal_s_midnight() -> None:
    clock = JumpingClock()

    async def act(connector: Connector) -> None:
        with pytest.raises(RateLimited) as first:
            await connector.read([ref(1)], SELECTION)
        clock.time += 60
        with pytest.raises(RateLimited) as second:
            await connector.read([ref(1)], SELECTION)
        assert first.value.after is not None
        assert second.value.after == pytest.approx(first.value.after - 60)
        assert (START + first.value.after) % 86_400 == pytest.approx(22 * 3_600)  # midnight in Paris, in summer
        clock.time += first.value.after
        await connector.read([ref(1)], SELECTION)

    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", DAILY)
        using(crm, act, clock)
        assert len(crm.asked("batch/read")) == 2


def test_pitfall_23_locked_and_moving() -> None:
    clock = JumpingClock()
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", Reply(423, {}))
        read(crm, 1, clock=clock)
        assert max(clock.slept) >= 2.0
        crm.on("batch/read", Reply(477, {}, {"Retry-After": "7200"}))
        with pytest.raises(Retry) as caught:
            read(crm, 1)
    assert caught.value.after == 7_200


OAUTH: dict[str, Any] = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}


def test_pitfall_24_one_refresh_for_all() -> None:
    expired = Reply(
        401, refusal("The OAuth token used to make this call expired 75 second(s) ago.", "EXPIRED_AUTHENTICATION")
    )
    tokens = iter(("one", "two", "three"))

    def grant(request: Seen) -> Reply:
        assert b"grant_type=refresh_token" in request.raw
        assert "authorization" not in request.headers
        return Reply(body={"access_token": next(tokens), "expires_in": 1800, "token_type": "bearer"})

    def gate(request: Seen) -> Reply:
        if request.headers["authorization"] == "Bearer one":
            return expired
        return crm._usual(request)

    async def act(connector: Connector) -> None:
        selections = [[ref(n)] for n in range(1, 5)]
        await connector.pull(SELECTION, None).__anext__()
        await asyncio.gather(*(connector.read(refs, SELECTION) for refs in selections))

    with ScriptedCrm(*(contact(str(n)) for n in range(1, 5))) as crm:
        crm.on("oauth/v1/token", grant, grant, grant)
        crm.on("batch/read", *[gate] * 12)
        using(crm, act, **OAUTH)
        assert len(crm.asked("oauth/v1/token")) == 2


def test_pitfall_24_refresh_before_the_end() -> None:
    clock = JumpingClock()

    async def act(connector: Connector) -> None:
        await connector.read([ref(1)], SELECTION)
        clock.time += 1_600
        await connector.read([ref(1)], SELECTION)

    with ScriptedCrm(contact("1")) as crm:
        crm.on("oauth/v1/token", *[Reply(body={"access_token": "t", "expires_in": 1800})] * 2)
        using(crm, act, clock, **OAUTH)
        assert len(crm.asked("oauth/v1/token")) == 2


def test_a_revoked_refresh_token_halts() -> None:
    with ScriptedCrm() as crm:
        crm.on("oauth/v1/token", Reply(400, {"status": "BAD_REFRESH_TOKEN", "message": "refresh token is invalid"}))
        with pytest.raises(Halt) as caught:
            read(crm, 1, **OAUTH)
    assert caught.value.trouble is Trouble.CREDENTIALS


@pytest.mark.parametrize(
    ("message", "category", "said"),
    [
        ("The OAuth token used to make this call expired 20336 day(s) ago.", "EXPIRED_AUTHENTICATION", "malformed"),
        ("The OAuth token used to make this call expired 75 second(s) ago.", "EXPIRED_AUTHENTICATION", "expired"),
        ("Authentication credentials not found.", "INVALID_AUTHENTICATION", "does not accept"),
    ],
)
def test_pitfall_24_three_kinds_of_401(message: str, category: str, said: str) -> None:
    with ScriptedCrm() as crm:
        crm.on("details", *[Reply(401, refusal(message, category))] * 2)
        with pytest.raises(Halt, match=said) as caught:
            read(crm, 1)
        [finding] = using(crm, lambda c: c.check([SELECTION]))
        assert len(crm.seen) == 2
    assert caught.value.trouble is Trouble.CREDENTIALS
    assert (finding.level, finding.what, finding.cure) == (Level.ERROR, str(caught.value), caught.value.cure)


def scopes(*names: str) -> Reply:
    errors = [{"message": "One or more …", "context": {"requiredGranularScopes": list(names)}}]
    return Reply(403, refusal("This app hasn't been granted all required scopes", "MISSING_SCOPES", errors=errors))


def test_pitfall_25_missing_scopes_are_named() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", scopes("crm.objects.contacts.read"))
        with pytest.raises(Halt, match=r"crm\.objects\.contacts\.read"):
            using(crm, pages)
        crm.on("batch/update", scopes("crm.objects.contacts.write"))
        findings = using(crm, lambda c: c.check([SELECTION]))
    assert [f.cure for f in findings if f.level is Level.ERROR] == [
        "grant one of these scopes to the service key or app: crm.objects.contacts.write"
    ]


def test_pitfall_25_without_the_right_to_companies() -> None:
    with ScriptedCrm(contact("1", associatedcompanyid="77", company="Acme")) as crm:
        crm.on("companies/batch/read", *[scopes("crm.objects.companies.read")] * 2)
        assert using(crm, pulled)[0].identity.company == "Acme"
        findings = using(crm, lambda c: c.check([SELECTION]))
    assert [f.level for f in findings if "companies" in f.what] == [Level.WARNING]


def test_pitfall_31_the_token_goes_nowhere_else() -> None:
    sources = Path(connectors.hubspot.__file__).parent.glob("*.py")
    assert not [path.name for path in sources if ".api_request(" in path.read_text()]
    with ScriptedCrm(contact("1")) as crm:
        read(crm, 1)
        assert {request.headers["authorization"] for request in crm.seen} == {f"Bearer {TOKEN}"}
        assert {request.headers["host"] for request in crm.seen} == {crm.url.removeprefix("http://")}


def test_pitfall_32_few_connections() -> None:
    with ScriptedCrm(*(contact(str(n), associatedcompanyid=str(n)) for n in range(1, 1_001))) as crm:
        using(crm, pulled)
        assert len(crm.seen) > 30
        assert crm.connections <= THREADS


def test_pitfall_33_no_call_waits_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wire = Wire(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN, timeout=(0.5, 0.05))
        with pytest.raises(InDoubt, match="ReadTimeout"):
            wire.send("POST", "/crm/v3/objects/contacts/search", {})
        wire.close()


def test_pitfall_34_reads_are_repeated_by_us() -> None:
    clock = JumpingClock()
    with ScriptedCrm(contact("1")) as crm:
        crm.on("batch/read", Reply(503, b""), Reply(cut=True), Reply(502, b"<html>"), Reply(500, {}))
        assert len(read(crm, 1, clock=clock)) == 1
        assert clock.slept == [0.5, 1.0, 2.0, 4.0]
        crm.on("batch/read", *[Reply(503, b"")] * 5)
        with pytest.raises(Retry):
            read(crm, 1)
        assert len(crm.asked("batch/read")) == 10


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def act() -> None:
        connector = Connector(
            "hub", Options.model_validate({"access_token": TOKEN}), f"http://127.0.0.1:{port}", bench()
        )
        with pytest.raises(Retry, match="could not reach"):
            await connector.read([ref(1)], SELECTION)
        [finding] = await connector.check([SELECTION])
        assert finding.level is Level.ERROR
        await connector.aclose()

    asyncio.run(act())


def test_pitfall_35_html_instead_of_json() -> None:
    page = b"<html>\xe9 404 Not Found</html>"  # latin-1: the SDK fails to decode it
    with ScriptedCrm() as crm:
        crm.on("batch/read", Reply(404, page, {"Content-Type": "text/html;charset=iso-8859-1"}))
        with pytest.raises(Halt, match="HTTP 404"):
            read(crm, 1)
        crm.on("batch/read", *[Reply(200, b"<html>maintenance</html>")] * 5)
        with pytest.raises(Retry, match="without JSON"):
            read(crm, 1)


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": "x"}, {"results": [1]}])
def test_pitfall_36_nonsense_with_status_200(body: dict[str, Any]) -> None:
    with ScriptedCrm() as crm:
        crm.on("batch/read", Reply(200, body))
        with pytest.raises(Retry, match="without results"):
            read(crm, 1)
        crm.on("batch/update", Reply(200, body))
        assert write(crm, put(1, Field.PHONE, PHONE))["1", Field.PHONE].status is WriteStatus.UNKNOWN


def test_pitfall_39_our_share_of_what_is_told() -> None:
    clock = JumpingClock()
    told = {"X-HubSpot-RateLimit-Max": "190", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}
    with ScriptedCrm(*(contact(str(n)) for n in range(1, 9_501))) as crm:
        crm.headers = told
        using(crm, pulled, clock, share=1.0)
        calls = len(crm.seen) - len(crm.asked("search"))
    assert calls == 2 + 190
    assert 10.0 < clock.time - START < 40.0


def test_pitfall_39_the_day_s_reserve() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "150"}
        with pytest.raises(RateLimited, match="reserve"):
            read(crm, 1)
        assert len(crm.asked("batch/read")) == 0
        assert len(read(crm, 1, daily_reserve=0.1)) == 1


# --- check and settings -------------------------------------------------------------------------


def test_check_of_a_good_portal() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "900"}
        findings = using(crm, lambda c: c.check([SELECTION]))
        assert [r.body for r in crm.asked("batch/update")] == [{"inputs": []}]
    assert {f.level for f in findings} == {Level.OK}
    text = " ".join(f.what for f in findings)
    assert "portal 44956899" in text
    assert "900 of 1000 calls" in text
    assert "1 contacts lack email or phone" in text


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere", "no contact property 'nowhere'"),
        ("hs_email_domain", "read-only"),
        ("associatedcompanyid", "type number"),
    ],
)
def test_check_of_a_wrong_property(name: str, complaint: str) -> None:
    selection = Selection(object="contacts", fields={Field.EMAIL: FieldMap(property=name)})
    with ScriptedCrm(contact("1")) as crm:
        findings = using(crm, lambda c: c.check([selection]))
    assert any(complaint in f.what and f.level is Level.ERROR and f.cure for f in findings)


def test_both_path_families_have_every_route() -> None:
    for route in Route:
        assert all("/v3/" in path or "/v1/" in path for path in [route.at("v3")[1]])
        assert re.search(r"/2026-0[39]", route.at("2026-09")[1])
    with ScriptedCrm(contact("1")) as crm:
        assert len(using(crm, pulled, api_version="2026-09")) == 1
        assert {r.path.split("/")[2] for r in crm.seen if "objects" in r.path} == {"objects"}


@pytest.mark.parametrize("options", [{}, {"client_id": "c"}, {"access_token": "t", **OAUTH}, {"acess_token": "t"}])
def test_one_way_in(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)


def test_secrets_are_not_shown() -> None:
    assert TOKEN not in repr(Options.model_validate({"access_token": TOKEN}))


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, connectors.hubspot; sys.exit('hubspot' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
