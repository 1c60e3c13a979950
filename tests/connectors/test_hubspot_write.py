"""The HubSpot connector writing: which record is at fault, and who is written all the same.

The numbers are those of the project's list of HubSpot pitfalls; each pitfall that the connector can show has a
named test. Whole journeys are in `test_hubspot_sandbox`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncd.contract.model import Field, FieldMap, Selection, WriteStatus
from tests.connectors.hubspot_play import (
    DAILY,
    MAIL,
    PHONE,
    ROLLING,
    SECONDLY,
    put,
    sent,
    statuses,
    using,
    write,
)
from tests.connectors.scripted_crm import Reply, ScriptedCrm, Seen, partly, refusal

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
    assert {k for k, o in outcomes.items() if o.status is WriteStatus.INVALID} == {("42", Field.EMAIL)}
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
    assert found == {WriteStatus.INVALID, WriteStatus.RETRY}
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


def test_a_refusal_for_all_that_names_nothing_ends() -> None:
    vague = refusal("Property values were not valid", errors=[{"code": "PROPERTY_DOESNT_EXIST"}])
    with ScriptedCrm() as crm:
        crm.on("batch/update", *[Reply(400, vague)] * 9)
        outcomes = write(crm, put(1, Field.EMAIL, MAIL), put(1, Field.PHONE, PHONE))
        assert len(crm.asked("batch/update")) == 3
    assert set(statuses(outcomes).values()) == {WriteStatus.REFUSED}


def test_a_conflict_about_another_unique_property() -> None:
    """Form 1 does not say which property; with ours renamed, each is tried by itself."""
    changes = (put(1, Field.EMAIL, MAIL), put(1, Field.PHONE, PHONE))
    fields = {Field.EMAIL: FieldMap(property="work_email"), Field.PHONE: FieldMap(property="phone")}

    def unique(request: Seen) -> Reply:
        [one] = request.body["inputs"]
        if "work_email" in one["properties"]:
            return CONFLICTS["409 with the holder"]
        return Reply(body={"status": "COMPLETE", "results": [{"id": "1", "properties": {}}]})

    with ScriptedCrm() as crm:
        crm.on("batch/update", unique, unique, unique)
        outcomes = using(crm, lambda c: c.write(changes, Selection(object="contacts", fields=fields)))
    assert {o.field: o.status for o in outcomes} == {
        Field.EMAIL: WriteStatus.DUPLICATE,
        Field.PHONE: WriteStatus.WRITTEN,
    }
