"""The emulated HubSpot over a real socket: updates, their refusals, histories, and colleagues who are faster."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from syncd.sandbox.people import Quirk
from tests.sandbox.account import Account, account, lacks, where


def problems(message: str) -> list[dict[str, Any]]:
    """What stands as JSON inside the message of a VALIDATION_ERROR."""
    prefix = "Property values were not valid: "
    assert message.startswith(prefix)
    listed: list[dict[str, Any]] = json.loads(message.removeprefix(prefix))
    return listed


# ---- good updates


@pytest.mark.parametrize("family", ["v3", "2026-09"])
def test_an_update_sets_what_it_says_and_answers_with_it(family: str) -> None:
    with account(family=family) as one:
        first, second = one.lacking("email", "phone")[:2]
        values = {first: {"email": "Ida.Berg@ACME.example", "phone": "+44 20 7946 0001"}, second: {"jobtitle": "CFO"}}
        answer = one.update(values)
        body = answer.json()
        assert (answer.status_code, body["status"]) == (200, "COMPLETE")
        assert "errors" not in body
        results = {result["id"]: result["properties"] for result in body["results"]}
        assert results[first]["email"] == "ida.berg@acme.example"
        assert results[first]["hs_email_domain"] == "acme.example"
        assert set(results[second]) == {"jobtitle", "createdate", "lastmodifieddate", "hs_object_id"}
        assert one.value(first, "phone") == "+44 20 7946 0001"
        assert one.value(first, "hs_searchable_calculated_phone_number") == "2079460001"


def test_the_history_says_who_and_when_newest_first() -> None:
    with account() as one:
        contact = one.lacking("phone")[0]
        one.sandbox.hubspot.human_edit(contact, "phone", "+442079460001", user_id=77)
        one.update({contact: {"phone": "+442079460002"}})
        newest, oldest = one.history(contact, "phone")
        assert (newest["value"], newest["sourceType"], newest["sourceId"]) == (
            "+442079460002",
            "INTEGRATION",
            "19083857",
        )
        assert "updatedByUserId" not in newest
        assert (oldest["sourceType"], oldest["sourceId"], oldest["updatedByUserId"]) == ("CRM_UI", "userId:77", 77)
        assert oldest["timestamp"] < newest["timestamp"]


def test_the_empty_string_clears_and_frees_the_email() -> None:
    with account() as one:
        (holder, email), *_ = one.with_email()
        other = one.lacking("email")[0]
        assert one.update({holder: {"email": ""}}).status_code == 200
        assert one.value(holder, "email") is None
        assert one.history(holder, "email")[0]["value"] == ""
        assert one.update({other: {"email": email}}).status_code == 200


def test_the_same_value_again_renews_the_stamp_but_not_the_history() -> None:
    with account() as one:
        (contact, email), *_ = one.with_email()
        before = one.value(contact, "lastmodifieddate")
        versions = one.history(contact, "email")
        assert one.update({contact: {"email": email}}).status_code == 200
        assert one.history(contact, "email") == versions
        assert one.value(contact, "lastmodifieddate") != before


# ---- refusals


def test_one_bad_input_is_told_apart_by_its_trace_id() -> None:
    with account() as one:
        bad, good = one.lacking("email")[:2]
        answer = one.update({bad: {"email": "ana@acme.examplecom"}, good: {"email": "ida@acme.example"}})
        body = answer.json()
        assert (answer.status_code, body["numErrors"]) == (207, 1)
        assert [result["id"] for result in body["results"]] == [good]
        (error,) = body["errors"]
        assert (error["category"], error["context"]["objectWriteTraceId"]) == ("VALIDATION_ERROR", ["t0"])
        (problem,) = problems(error["message"])
        assert (problem["error"], problem["name"], problem["isValid"]) == ("INVALID_EMAIL", "email", False)
        assert problem["message"] == "Email address ana@acme.examplecom is invalid"
        assert one.value(bad, "email") is None


@pytest.mark.parametrize("way", ["without trace ids", "with one id twice", "although they are there"])
def test_one_bad_input_spoils_the_others(way: str) -> None:
    with account() as one:
        bad, good = one.lacking("email")[:2]
        inputs: list[dict[str, Any]] = [
            {"id": bad, "properties": {"email": "ana", "nickname": "Nan"}},
            {"id": good, "properties": {"email": "ida@acme.example"}},
        ]
        for number, entry in enumerate(inputs if way != "without trace ids" else ()):
            entry["objectWriteTraceId"] = "t" if way == "with one id twice" else f"t{number}"
        if way == "although they are there":
            one.sandbox.faults.on("hubspot_trace_ignored", None)
        answer = one.post("batch/update", {"inputs": inputs})
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
        assert [entry["error"] for entry in problems(answer.json()["message"])] == [
            "INVALID_EMAIL",
            "PROPERTY_DOESNT_EXIST",
        ]
        assert len(answer.json()["errors"]) == 2
        assert one.value(good, "email") is None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("nickname", "x", "PROPERTY_DOESNT_EXIST"),
        ("hs_additional_emails", "x", "READ_ONLY_VALUE"),
        ("hs_object_id", "1", "READ_ONLY_VALUE"),
        ("lifecyclestage", "friend", "INVALID_OPTION"),
        ("linkedinconnections", "many", "INVALID_LONG"),
        ("email", "ana@acme.con", "INVALID_EMAIL"),
        ("email", "ana..b@acme.example", "INVALID_EMAIL"),
        ("email", "ana @acme.example", "INVALID_EMAIL"),
        ("email", "ana@acme", "INVALID_EMAIL"),
    ],
)
def test_values_that_do_not_fit(name: str, value: str, code: str) -> None:
    with account(10) as one:
        contact = one.lacking("email")[0]
        answer = one.update({contact: {name: value}}, traced=False)
        assert answer.status_code == 400
        assert [entry["error"] for entry in problems(answer.json()["message"])] == [code]


@pytest.mark.parametrize("email", ["ana@acme.test", "ana@acme.example", "ana@example.com", "o'neil+1@a-b.co.uk"])
def test_reserved_domains_are_addresses_here(email: str) -> None:
    with account(10) as one:
        assert one.update({one.lacking("email")[0]: {"email": email}}).status_code == 200


def test_duplicate_ids_refuse_everything_even_with_trace_ids() -> None:
    with account(10) as one:
        contact = one.lacking("email")[0]
        inputs = [{"id": contact, "properties": {"phone": "1"}, "objectWriteTraceId": str(n)} for n in range(2)]
        body = one.post("batch/update", {"inputs": inputs}).json()
        assert body["message"] == f"Duplicate IDs found in batch input: [{contact}]. IDs must be unique"
        assert (body["category"], body["context"]) == ("VALIDATION_ERROR", {"ids": [contact]})


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [{"id": str(number), "properties": {}} for number in range(101)],
        [{"id": "951", "properties": {"phone": None}}],
        [{"id": "951"}],
        [{"id": "ida@acme.example", "idProperty": "email", "properties": {"phone": "1"}}],
    ],
)
def test_requests_that_make_no_sense(inputs: list[dict[str, Any]]) -> None:
    with account(10) as one:
        answer = one.post("batch/update", {"inputs": inputs})
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("traced", [True, False])
def test_records_that_are_gone_are_named_by_their_ids(traced: bool) -> None:
    with account() as one:
        here, gone = one.lacking("phone")[:2]
        one.sandbox.hubspot.portal.archive(gone)
        phone = {"phone": "+442079460001"}
        answer = one.update({here: phone, gone: phone, "77": phone}, traced=traced)
        body = answer.json()
        assert (answer.status_code, body["status"], body["numErrors"]) == (207, "COMPLETE", 1)
        assert [result["id"] for result in body["results"]] == [here]
        (error,) = body["errors"]
        assert (error["category"], error["context"]) == ("OBJECT_NOT_FOUND", {"ids": [gone, "77"]})


# ---- an e-mail has one contact


def conflict(one: Account, form: str | None, *, traced: bool = True) -> tuple[httpx.Response, str, str, str]:
    """The answer to writing somebody else's e-mail beside a good value; the contact, the holder, the good one."""
    if form:
        one.sandbox.faults.on("hubspot_conflict_form", None, form)
    (holder, email), *_ = one.with_email()
    contact, good = one.lacking("email")[:2]
    answer = one.update({contact: {"email": email}, good: {"email": "ida@acme.example"}}, traced=traced)
    return answer, contact, holder, good


@pytest.mark.parametrize(("form", "traced"), [("1", True), ("1", False), (None, False), ("2", True)])
def test_conflict_by_409(form: str | None, traced: bool) -> None:
    with account() as one:
        answer, _, holder, good = conflict(one, form, traced=traced)
        expected = "Contact already exists" + ("" if form == "2" else f". Existing ID: {holder}")
        assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
        assert answer.json()["message"] == expected
        assert one.value(good, "email") is None


@pytest.mark.parametrize("form", [None, "3"])
def test_conflict_inside_a_207(form: str | None) -> None:
    with account() as one:
        answer, contact, holder, good = conflict(one, form)
        (error,) = answer.json()["errors"]
        assert answer.status_code == 207
        assert (error["category"], error["message"]) == ("CONFLICT", f"Contact already exists. Existing ID: {holder}")
        assert error["context"] == {"objectWriteTraceId": ["t0"], "existingId": [holder]}
        assert one.value(good, "email") == "ida@acme.example"
        assert one.value(contact, "email") is None


def test_conflict_by_coordinates() -> None:
    with account() as one:
        answer, contact, holder, good = conflict(one, "4")
        body = answer.json()
        assert (answer.status_code, body["category"]) == (400, "VALIDATION_ERROR")
        assert body["message"].startswith("Cannot set PropertyValueCoordinates{portalId=")
        assert body["message"].endswith(f" on {contact}. {holder} already has that value.")
        assert one.value(good, "email") is None


def test_an_additional_email_is_taken_as_well_but_not_found_by_email() -> None:
    with account(100, {Quirk.CONFLICT_ADDITIONAL: 0.1}) as one:
        record = one.quirky(Quirk.CONFLICT_ADDITIONAL)
        assert record.twin is not None
        holder = one.contact(one.sandbox.world.records[record.twin])
        answer = one.update({one.contact(record): {"email": record.quirk_value}})
        assert answer.json()["errors"][0]["context"]["existingId"] == [holder]
        assert one.found(where("email", "EQ", record.quirk_value)) == []
        assert one.value(holder, "hs_additional_emails") == record.quirk_value


def test_two_of_one_batch_cannot_both_have_it() -> None:
    with account() as one:
        first, second = one.lacking("email")[:2]
        values = {first: {"email": "ida@acme.example"}, second: {"email": "IDA@acme.example"}}
        refused = one.update(values, traced=False)
        assert refused.status_code == 409
        assert one.value(first, "email") is None
        answer = one.update(values)
        assert answer.status_code == 207
        assert answer.json()["errors"][0]["context"]["existingId"] == [first]


def test_the_email_of_an_erased_person_is_refused() -> None:
    with account() as one:
        (contact, email), *_ = one.with_email()
        one.sandbox.hubspot.portal.archive(contact, erase=True)
        assert one.read(contact).json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
        answer = one.update({one.lacking("email")[0]: {"email": email}}, traced=False)
        assert problems(answer.json()["message"])[0]["error"] == "INVALID_EMAIL"


# ---- by order


def test_an_address_can_be_refused_by_order() -> None:
    with account(faults=("hubspot_invalid_email:1:ida@acme.example",)) as one:
        first, second = one.lacking("email")[:2]
        answer = one.update({first: {"email": "ida@acme.example"}, second: {"email": "ben@acme.example"}})
        assert [result["id"] for result in answer.json()["results"]] == [second]
        assert one.update({first: {"email": "ida@acme.example"}}).status_code == 200


def test_an_admins_rule_bites_on_dated_paths_only() -> None:
    with account(family="2026-09", faults=("hubspot_phone_rule:*",)) as one:
        contact = one.lacking("phone")[0]
        answer = one.update({contact: {"phone": "020 7946 0001"}})
        assert "PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE" in answer.json()["errors"][0]["message"]
        assert one.update({contact: {"phone": "+442079460001"}}).status_code == 200
    with account(faults=("hubspot_phone_rule:*",)) as one:
        assert one.update({one.lacking("phone")[0]: {"phone": "020 7946 0001"}}).status_code == 200


def test_an_update_can_succeed_without_saying_so() -> None:
    with account() as one:
        contacts = one.lacking("phone")
        one.sandbox.faults.add("hubspot_update_error_after:1:524")
        assert one.update({contacts[0]: {"phone": "+442079460001"}}).status_code == 524
        one.sandbox.faults.add("hubspot_update_cut_after")
        with pytest.raises(httpx.TransportError):
            one.update({contacts[1]: {"phone": "+442079460002"}})
        one.sandbox.faults.add("hubspot_update_cut")
        with pytest.raises(httpx.TransportError):
            one.update({contacts[2]: {"phone": "+442079460003"}})
        assert [one.value(contact, "phone") for contact in contacts[:3]] == ["+442079460001", "+442079460002", None]


# ---- merges


def test_a_merge_makes_a_third_record_that_old_ids_lead_to() -> None:
    with account() as one:
        (primary, email), (other, spare), *_ = one.with_email()
        new = str(one.sandbox.hubspot.portal.merge(primary, other))
        assert new not in {primary, other}
        names = ["email", "hs_additional_emails", "hs_merged_object_ids"]
        for asked in (primary, other, new):
            (result,) = one.read(asked, properties=names).json()["results"]
            assert result["id"] == new
            assert result["properties"]["email"] == email
            assert result["properties"]["hs_additional_emails"] == spare
            assert set(result["properties"]["hs_merged_object_ids"].split(";")) == {primary, other}
        assert one.update({other: {"jobtitle": "CFO"}}).json()["results"][0]["id"] == new
        taken = one.update({one.lacking("email")[0]: {"email": spare}}).json()
        assert taken["errors"][0]["context"]["existingId"] == [new]
        one.sandbox.faults.on("hubspot_merged_gone", None)
        assert one.update({other: {"jobtitle": "CEO"}}).json()["errors"][0]["context"] == {"ids": [other]}


# ---- colleagues


def test_a_colleague_acts_soon_after_a_record_was_first_seen() -> None:
    with account(100, {Quirk.EDIT_AFTER_PULL: 0.3}) as one:
        record = one.quirky(Quirk.EDIT_AFTER_PULL)
        contact, name = one.contact(record), record.quirk_field
        one.sandbox.clock.skip(3600)
        assert one.found(where("hs_object_id", "EQ", contact), lacks(name)) == [contact]
        assert one.value(contact, name) is None
        one.sandbox.clock.skip(30)
        assert one.value(contact, name) == record.quirk_value
        assert one.history(contact, name)[0]["sourceType"] == "CRM_UI"


def test_a_colleague_is_faster_by_a_hair() -> None:
    with account(100, {Quirk.EDIT_BETWEEN: 0.3}) as one:
        record = one.quirky(Quirk.EDIT_BETWEEN)
        contact, name = one.contact(record), record.quirk_field
        ours = "ida@acme.example" if name == "email" else "+442079460001"
        assert one.update({contact: {"jobtitle": "CFO"}}).status_code == 200
        assert one.value(contact, name) is None
        assert one.update({contact: {name: ours}}).status_code == 200
        newest, theirs, *_ = one.history(contact, name)
        assert (newest["value"], newest["sourceType"]) == (ours, "INTEGRATION")
        assert (theirs["value"], theirs["sourceType"]) == (record.quirk_value, "CRM_UI")
        assert theirs["timestamp"] < newest["timestamp"]
        lines = [entry for entry in one.sandbox.hubspot.portal.log if str(entry.record) == contact][-2:]
        assert [(entry.author.human, entry.before, entry.after) for entry in lines] == [
            (True, "", record.quirk_value),
            (False, record.quirk_value, ours),
        ]


def test_a_colleague_can_be_ordered_to_be_faster() -> None:
    with account() as one:
        first, second = one.lacking("phone")[:2]
        one.sandbox.hubspot.portal.edit_before_write(first, "phone", "+442079460111")
        one.sandbox.faults.add("hubspot_edit_between:1:phone=+442079460222")
        one.update({second: {"phone": "+442079460001"}})
        one.update({first: {"phone": "+442079460001"}})
        assert one.history(first, "phone")[1]["value"] == "+442079460111"
        assert one.history(second, "phone")[1]["value"] == "+442079460222"


def test_what_was_cleared_on_purpose_shows_in_the_history() -> None:
    with account(100, {Quirk.CLEARED: 0.1}) as one:
        record = one.quirky(Quirk.CLEARED)
        newest, before, *_ = one.history(one.contact(record), record.quirk_field)
        assert (newest["value"], newest["sourceType"]) == ("", "CRM_UI")
        assert (before["value"], before["sourceType"]) == (record.quirk_value, "INTEGRATION")


def test_records_are_deleted_and_merged_while_one_works() -> None:
    with account(100, {Quirk.DELETED: 0.1, Quirk.MERGED: 0.1}) as one:
        deleted, merged = one.quirky(Quirk.DELETED), one.quirky(Quirk.MERGED)
        one.found(limit=200)
        one.sandbox.clock.skip(30)
        assert one.read(one.contact(deleted)).json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"
        (result,) = one.read(one.contact(merged), properties=["email"]).json()["results"]
        assert merged.twin is not None
        assert result["id"] != one.contact(merged)
        assert result["properties"]["email"] == one.sandbox.world.records[merged.twin].email


def test_opt_outs_are_shown() -> None:
    with account(100, {Quirk.OPTED_OUT: 0.1}) as one:
        assert one.value(one.contact(one.quirky(Quirk.OPTED_OUT)), "hs_email_optout") == "true"
