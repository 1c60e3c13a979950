"""Writing to the emulated Salesforce org: single records, collections, composite calls, and all that refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from syncd.sandbox.people import Quirk, Trait
from syncd.sandbox.salesforce.org import API_USER, COLLEAGUE, OWNER, RULE_OWNER

from .org import BASE, Org, answered, org, refusal, update_part

LONG_AGO = "Sat, 21 Nov 1998 10:00:01 GMT"
KEEP_OWNER: dict[str, Any] = {"Sforce-Auto-Assign": "FALSE"}
PHONE = "+442079460001"


@pytest.fixture
def some() -> Iterator[Org]:
    with org() as one:
        yield one


def statuses(answer: httpx.Response) -> list[int]:
    return [one["httpStatusCode"] for one in answered(answer)["compositeResponse"]]


def errors(answer: httpx.Response) -> list[str | None]:
    """The code of each record's error, None where it was saved."""
    return [None if one["success"] else one["errors"][0]["statusCode"] for one in answered(answer)]


# --- single records ---


def test_an_update_is_stamped_by_whole_seconds_and_by_whom(some: Org) -> None:
    row = some.lacking("email")[0]
    some.sandbox.clock.skip(100)
    answer = some.patch(row, {"email": "  Jane.Doe@ACME.example "})
    assert (answer.status_code, answer.content) == (204, b"")
    (after,) = some.rows(
        f"SELECT Email, LastModifiedById, LastModifiedDate, SystemModstamp FROM Contact WHERE Id='{row}'"
    )
    assert after["Email"] == "jane.doe@acme.example"
    assert after["LastModifiedById"] == API_USER
    assert after["LastModifiedDate"] == after["SystemModstamp"]
    some.records.human_edit(row, "Email", "Other@acme.example")
    (after,) = some.rows(f"SELECT Email, LastModifiedById FROM Contact WHERE Id = '{row}'")
    assert after == {"Email": "other@acme.example", "LastModifiedById": COLLEAGUE}
    assert some.patch(row, {"Email": "   "}).status_code == 204
    assert some.value(row, "Email") is None


@pytest.mark.parametrize(
    ("values", "status", "code", "text"),
    [
        ({"Email": "123"}, 400, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: 123"),
        ({"Email": "zoë@acme.example"}, 400, "INVALID_EMAIL_ADDRESS", "zoë"),
        ({"Email": f"{'x' * 70}@acme.example"}, 400, "STRING_TOO_LONG", "max length=80"),
        ({"Phone": "1" * 41}, 400, "STRING_TOO_LONG", "Business Phone: data value too large"),
        ({"Color__c": "red"}, 400, "INVALID_FIELD", "No such column 'Color__c' on sobject of type Contact"),
        ({"SystemModstamp": "now"}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", "fields: SystemModstamp"),
        ({"Name": "x"}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", "fields: Name"),
        ({"LastName": ""}, 400, "REQUIRED_FIELD_MISSING", "[LastName]"),
        ({"Phone": 5}, 400, "JSON_PARSER_ERROR", "Cannot deserialize instance of string"),
        ({"Id": "x"}, 400, "INVALID_FIELD", "Id"),
        ({"AccountId": "001Wt00000zzzzz"}, 400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
    ],
)
def test_values_that_do_not_fit(some: Org, values: dict[str, Any], status: int, code: str, text: str) -> None:
    row = some.records.ids[0]
    before = some.value(row, "SystemModstamp")
    assert text in refusal(some.patch(row, values), status, code)
    assert some.value(row, "SystemModstamp") == before


def test_bodies_that_do_not_fit(some: Org) -> None:
    path = f"{BASE}/sobjects/Contact/{some.records.ids[0]}"
    typed = {"Content-Type": "application/json"}
    refusal(some.http.patch(path, content=b"{", headers=typed), 400, "JSON_PARSER_ERROR")
    refusal(some.http.patch(path, content=b"[]", headers=typed), 400, "JSON_PARSER_ERROR")
    refusal(some.http.patch(path, content=b"\xff", headers=typed), 400, "JSON_PARSER_ERROR")
    refusal(some.http.patch(path, content=b"{}", headers={"Content-Type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("fault", "status", "code", "text"),
    [
        ("salesforce_lock", 400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
        ("salesforce_approval", 400, "ENTITY_IS_LOCKED", "locked for editing"),
        ("salesforce_no_access", 403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
        ("salesforce_cross_reference", 400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "cross-reference id: 001"),
        ("salesforce_validation:1:No, thanks@Phone", 400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "No, thanks"),
        ("salesforce_trigger", 400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "System.NullPointerException"),
        ("salesforce_flow", 400, "CANNOT_EXECUTE_FLOW_TRIGGER", "“Keep regions in step” process failed"),
        ("salesforce_duplicate", 400, "DUPLICATES_DETECTED", "Use one of these records?"),
        ("salesforce_phone_rule:*", 400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "country code"),
        ("salesforce_deleted_between", 404, "ENTITY_IS_DELETED", "entity is deleted"),
        ("salesforce_field_read_only:*:Contact.Phone", 400, "INVALID_FIELD_FOR_INSERT_UPDATE", "fields: Phone"),
        ("salesforce_field_hidden:*:Contact.Phone", 400, "INVALID_FIELD", "No such column 'Phone'"),
    ],
)
def test_everything_an_org_may_object_to(fault: str, status: int, code: str, text: str) -> None:
    with org(60, 0) as one:
        row = next(row.id for row in one.records.store.tables["Contact"].after("") if row.values.get("AccountId"))
        one.sandbox.faults.add(fault)
        assert text in refusal(one.patch(row, {"Phone": "020 7946 0001"}), status, code)
        assert one.records.store.find(row).values.get("Phone") != "020 7946 0001"  # type: ignore[union-attr]


# --- conditions ---


def test_a_condition_refuses_what_changed_since_to_the_second(some: Org) -> None:
    row = some.lacking("phone")[0]
    seen = some.modified(row)
    assert some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": LONG_AGO}).status_code == 412
    assert some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": "soon"}).status_code == 400
    some.sandbox.clock.skip(5)
    some.records.human_edit(row, "Title", "Buyer")
    conflict = some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": seen})
    refusal(conflict, 412, "PRECONDITION_FAILED")
    assert some.value(row, "Phone") is None
    some.sandbox.clock.skip(5)
    assert some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": some.modified(row)}).status_code == 204


def test_an_edit_in_the_second_of_the_stamp_goes_unnoticed(some: Org) -> None:
    row = some.lacking("phone")[0]
    clock = some.sandbox.clock
    clock.skip(10 + 1 - clock.now() % 1)
    now = int(clock.now())
    some.records.human_edit(row, "Title", "Buyer", at=now)
    seen = some.modified(row)
    some.records.human_edit(row, "Phone", "+442079460999", at=now)
    assert some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": seen}).status_code == 204


def test_which_stamp_conditions_are_about_can_be_chosen() -> None:
    for compares, status in (("LastModifiedDate", 204), ("SystemModstamp", 412)):
        with org(60, 0, compares=compares) as one:
            row = one.lacking("phone")[0]
            seen = one.modified(row)
            one.records.touch(row)
            assert one.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": seen}).status_code == status


def test_a_colleague_may_be_faster_than_any_write(some: Org) -> None:
    row, other = some.lacking("phone")[:2]
    seen = some.modified(row)
    some.records.edit_before_write(row, "Phone", "+442079460999")
    assert some.patch(row, {"Title": "CFO"}).status_code == 204
    seen = some.modified(row)
    some.sandbox.clock.skip(2)
    assert some.patch(row, {"Phone": PHONE}, **{"If-Unmodified-Since": seen}).status_code == 412
    assert some.value(row, "Phone") == "+442079460999"
    some.sandbox.faults.add("salesforce_edit_between:1:MobilePhone=+442079460998")
    answer = some.composite(update_part(other, {"Phone": PHONE}, **{"If-Unmodified-Since": some.modified(other)}))
    assert statuses(answer) == [412]
    assert some.value(other, "MobilePhone") == "+442079460998"


# --- leads ---


def test_a_lead_is_reassigned_unless_told_otherwise(some: Org) -> None:
    leads = some.lacking("email", kind="lead")
    assert some.patch(leads[0], {"Email": "a@acme.example"}).status_code == 204
    assert some.patch(leads[1], {"Email": "b@acme.example"}, **KEEP_OWNER).status_code == 204
    assert errors(some.update({"id": leads[2], "Title": "x"})) == [None]
    assert errors(some.update({"id": leads[3], "Title": "x"}, **KEEP_OWNER)) == [None]
    # A part of a composite call inherits nothing but Accept, Authorization and Content-Type.
    parts = [update_part(leads[4], {"Title": "x"}), update_part(leads[5], {"Title": "x"}, **KEEP_OWNER)]
    body = {"compositeRequest": [{**part, "referenceId": f"r{n}"} for n, part in enumerate(parts)]}
    assert statuses(some.http.post(f"{BASE}/composite", json=body, headers=KEEP_OWNER)) == [204, 204]
    owners = [some.value(lead, "OwnerId") for lead in leads[:6]]
    assert owners == [RULE_OWNER, OWNER] * 3
    moved = [ending.id for ending in some.vendor.endings().values() if ending.disturbed]
    assert moved == sorted(leads[:6:2])


def test_converted_leads_are_read_only() -> None:
    with org(60, 60, quirks={Trait.CONVERTED: 0.05}) as one:
        lead = one.id(one.special(Trait.CONVERTED))
        refusal(one.patch(lead, {"Phone": PHONE}), 400, "CANNOT_UPDATE_CONVERTED_LEAD")
        fresh = one.lacking("phone", kind="lead")[0]
        one.sandbox.faults.add("salesforce_converted_between")
        refusal(one.patch(fresh, {"Phone": PHONE}), 400, "CANNOT_UPDATE_CONVERTED_LEAD")
        contact = one.value(fresh, "ConvertedContactId")
        assert one.value(contact, "Phone") is None


def test_person_accounts_are_not_written_as_contacts() -> None:
    with org(60, 0, quirks={Trait.PERSON_ACCOUNT: 0.05}, person_accounts=True) as one:
        person = one.id(one.special(Trait.PERSON_ACCOUNT))
        refusal(one.patch(person, {"Phone": PHONE}), 403, "INSUFFICIENT_ACCESS_OR_READONLY")


# --- duplicates ---


def test_the_duplicate_rule_knows_contacts_and_leads() -> None:
    with org(60, 60, quirks={Quirk.CONFLICT: 0.05}) as one:
        record = one.special(Quirk.CONFLICT)
        row, holder = one.id(record), one.id(one.sandbox.world.salesforce.records[record.twin or 0])
        answer = one.patch(row, {"Email": record.quirk_value.upper()})
        refusal(answer, 400, "DUPLICATES_DETECTED")
        match = answer.json()[0]["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]
        assert match["Id"] == holder
        assert errors(one.update({"id": row, "Email": record.quirk_value})) == ["DUPLICATES_DETECTED"]
        lead = one.lacking("email", kind="lead")[0]
        refusal(one.patch(lead, {"Email": record.quirk_value}, **KEEP_OWNER), 400, "DUPLICATES_DETECTED")
        one.records.delete(holder)
        assert one.patch(lead, {"Email": record.quirk_value}, **KEEP_OWNER).status_code == 204
        force = {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false"}
        assert one.patch(row, {"Email": record.quirk_value}, **force).status_code == 204
    with org(60, 0, quirks={Quirk.CONFLICT: 0.05}, duplicate_rules=False) as one:
        record = one.special(Quirk.CONFLICT)
        assert one.patch(one.id(record), {"Email": record.quirk_value}).status_code == 204


# --- collections ---


def test_a_collection_answers_record_by_record_in_order(some: Org) -> None:
    rows = some.lacking("email")[:3]
    some.records.delete(rows[2])
    answer = some.update(
        {"id": rows[0], "Email": "a@acme.example"},
        {"id": rows[1], "Email": "nonsense"},
        {"id": rows[2], "Email": "b@acme.example"},
        {"id": "003Wt00000zzzzz", "Email": "c@acme.example"},
        {"id": "003rubbish", "Email": "c@acme.example"},
        {"Email": "d@acme.example"},
        {"id": rows[1], "Color__c": "red"},
    )
    codes = ["INVALID_EMAIL_ADDRESS", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]
    assert errors(answer) == [None, *codes, "MISSING_ARGUMENT", "INVALID_FIELD"]
    results = answer.json()
    assert results[0] == {"id": rows[0], "success": True, "errors": []}
    assert "id" not in results[1]
    assert set(results[1]["errors"][0]) == {"statusCode", "message", "fields"}
    assert results[4]["errors"][0]["message"] == "Contact ID: id value of incorrect type: 003rubbish"


def test_all_or_none(some: Org) -> None:
    rows = some.lacking("email")[:2]
    good, bad = {"id": rows[0], "Email": "a@acme.example"}, {"id": rows[1], "Email": "nonsense"}
    stamp = some.value(rows[0], "SystemModstamp")
    answer = some.update(good, bad, all_or_none=True)
    assert errors(answer) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_EMAIL_ADDRESS"]
    assert (some.value(rows[0], "Email"), some.value(rows[0], "SystemModstamp")) == (None, stamp)
    assert errors(some.update(good, all_or_none=True)) == [None]


def test_collections_are_refused_as_a_whole(some: Org) -> None:
    row = some.records.ids[0]
    refusal(some.update(), 400, "REQUIRED_FIELD_MISSING")
    refusal(some.update(*[{"id": row, "Title": "x"}] * 201), 400, "EXCEEDED_ID_LIMIT")
    lead = some.lacking(kind="lead")[0]
    refusal(some.update(*[{"id": row}, {"id": lead}] * 6), 400, "INVALID_ARGUMENT")
    bare = {"records": [{"id": row}]}
    refusal(some.http.patch(f"{BASE}/composite/sobjects", json=bare), 400, "INVALID_INPUT")
    repeated = errors(some.update(*[{"id": row, "Title": "x"}] * 13))
    assert repeated == [None] * 12 + ["DUPLICATE_VALUE"]


# --- composite calls ---


def test_parts_have_their_own_conditions_and_count_as_one_call(some: Org) -> None:
    rows = some.lacking("phone")[:3]
    used = some.vendor.usage.used
    parts = [
        update_part(rows[0], {"Phone": PHONE}, **{"If-Unmodified-Since": LONG_AGO}),
        update_part(rows[1], {"Phone": PHONE}, **{"If-Unmodified-Since": "Sat, 21 Nov 2099 10:00:01 GMT"}),
        {"method": "GET", "url": f"{BASE}/sobjects/Contact/{rows[1]}?fields=Id,Phone"},
        {
            "method": "GET",
            "url": f"{BASE}/sobjects/Contact/{rows[2]}",
            "httpHeaders": {"If-Modified-Since": "Sat, 21 Nov 2099 10:00:01 GMT"},
        },
        update_part("003Wt00000zzzzz", {"Phone": PHONE}),
        {"method": "GET", "url": f"{BASE}/query?q=SELECT+Id+FROM+Contact+LIMIT+1"},
    ]
    answer = some.composite(*parts)
    assert statuses(answer) == [412, 204, 200, 304, 404, 200]
    first, second, third, *_ = answer.json()["compositeResponse"]
    assert first["body"][0]["errorCode"] == "PRECONDITION_FAILED"
    assert second == {"body": None, "httpHeaders": {}, "httpStatusCode": 204, "referenceId": "r1"}
    assert third["body"]["Phone"] == PHONE
    assert some.vendor.usage.used == used + 1


def test_parts_may_refer_to_earlier_ones(some: Org) -> None:
    row = some.lacking("phone")[0]
    get = {"method": "GET", "url": f"{BASE}/query/?q=SELECT+Id,LastName+FROM+Contact+WHERE+Id='{row}'"}
    use = {
        "method": "PATCH",
        "url": f"{BASE}/sobjects/Contact/@{{r0.records[0].Id}}",
        "body": {"Title": "Friend of @{r0.records[0].LastName}"},
    }
    assert statuses(some.composite(get, use, {**use, "url": f"{BASE}/sobjects/Contact/@{{r9.Id}}"})) == [200, 204, 400]
    assert some.value(row, "Title") == f"Friend of {some.value(row, 'LastName')}"


def test_a_composite_call_may_be_all_or_none(some: Org) -> None:
    rows = some.lacking("phone")[:2]
    parts = [update_part(rows[0], {"Phone": PHONE}), update_part(rows[1], {"Email": "nonsense"})]
    answer = some.composite(*parts, allOrNone=True)
    codes = [one["body"][0]["errorCode"] for one in answered(answer)["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "INVALID_EMAIL_ADDRESS"]
    assert some.value(rows[0], "Phone") is None
    assert statuses(some.composite(*parts)) == [204, 400]


def test_composite_calls_that_are_badly_made(some: Org) -> None:
    part = update_part(some.records.ids[0], {"Title": "x"})
    too_many = some.composite(*[part] * 26)
    assert too_many.status_code == 400
    (only,) = too_many.json()["compositeResponse"]
    assert (only["body"][0]["errorCode"], only["referenceId"]) == ("LIMIT_EXCEEDED", None)
    assert statuses(some.composite(*[part] * 25)) == [204] * 25
    for bad in (
        {**part, "httpHeaders": {"Authorization": "Bearer x"}},
        {**part, "httpHeaders": {"content-type": "application/json"}},
        {**part, "referenceId": "no-hyphens"},
        {**part, "method": None},
    ):
        refusal(some.composite(bad), 400, "INVALID_INPUT")
    refusal(some.composite({**part, "referenceId": "r1"}, part), 400, "INVALID_INPUT")
    refusal(some.composite({**part, "httpHeaders": {"X": ["a"]}}), 400, "JSON_PARSER_ERROR")
    refusal(some.composite(), 400, "INVALID_INPUT")
    query = {"method": "GET", "url": f"{BASE}/query?q=SELECT+Id+FROM+Lead"}
    refusal(some.composite(*[query] * 6), 400, "LIMIT_EXCEEDED")
    elsewhere = {"method": "GET", "url": "https://acme.my.salesforce.com/services/data/v66.0/limits"}
    nested = {"method": "POST", "url": f"{BASE}/composite", "body": {}}
    assert statuses(some.composite({**part, "url": "/nowhere"}, nested, {**part, "url": f"{BASE}/x"})) == [
        400,
        400,
        404,
    ]
    assert statuses(some.composite(elsewhere)) == [400]


def test_a_session_that_ends_refuses_the_whole_call_and_nothing_is_written(some: Org) -> None:
    row = some.lacking("phone")[0]
    some.sandbox.faults.add("salesforce_session_expired")
    refusal(some.composite(update_part(row, {"Phone": PHONE})), 401, "INVALID_SESSION_ID")
    some.login()
    assert some.value(row, "Phone") is None


# --- the line ---


@pytest.mark.parametrize("fault", ["error_after:1:502", "cut_after", "silent_after"])
def test_an_update_may_be_carried_out_without_an_answer(some: Org, fault: str) -> None:
    row = some.lacking("phone")[0]
    some.sandbox.faults.add(f"salesforce_update_{fault}")
    some.http.timeout = httpx.Timeout(0.5)
    try:
        assert some.composite(update_part(row, {"Phone": PHONE})).status_code == 502
    except httpx.TransportError:
        some.http.timeout = httpx.Timeout(10)
    assert some.value(row, "Phone") == PHONE


def test_an_update_may_fail_before_it_is_carried_out(some: Org) -> None:
    row = some.lacking("phone")[0]
    some.sandbox.faults.add("salesforce_update_error:1:503")
    refusal(some.update({"id": row, "Phone": PHONE}), 503, "SERVER_UNAVAILABLE")
    assert some.value(row, "Phone") is None


def test_our_own_write_may_set_off_a_flow_that_moves_the_stamp(some: Org) -> None:
    row = some.lacking("phone")[0]
    some.sandbox.faults.add("salesforce_after_flow")
    assert some.patch(row, {"Phone": PHONE}).status_code == 204
    written = some.value(row, "SystemModstamp")
    some.sandbox.clock.skip(3)
    (after,) = some.rows(f"SELECT SystemModstamp, LastModifiedDate FROM Contact WHERE Id = '{row}'")
    assert after["SystemModstamp"] > written >= after["LastModifiedDate"]


def test_a_record_can_be_deleted(some: Org) -> None:
    row = some.records.ids[0]
    assert some.http.delete(f"{BASE}/sobjects/Contact/{row}").status_code == 204
    refusal(some.http.delete(f"{BASE}/sobjects/Contact/{row}"), 404, "ENTITY_IS_DELETED")
