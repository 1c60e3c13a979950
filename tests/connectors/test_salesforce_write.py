"""The Salesforce connector writing: under which condition, what is tried again, and whose fault a refusal is.

The numbers are those of the project's list of Salesforce pitfalls; each pitfall that the connector can show has
a named test. Whole journeys are in `test_salesforce_sandbox`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from syncd.contract.errors import Halt, RateLimited
from syncd.contract.model import Field, WriteStatus
from tests.connectors.salesforce_play import CONTACTS, MAIL, PHONE, org, put, read, ref, statuses, using, write
from tests.connectors.scripted_crm import Reply, Seen
from tests.connectors.scripted_org import DAILY, EXPIRED, ScriptedOrg, definition, record_id, refusal

EMAIL = Field.EMAIL
OTHER = "grace@example.com"


def condition(part: Mapping[str, Any]) -> float:
    """The moment of an update's If-Unmodified-Since."""
    return parsedate_to_datetime(part["httpHeaders"]["If-Unmodified-Since"]).timestamp()


def expiring(crm: ScriptedOrg) -> Callable[[Seen], Reply]:
    """An answer with which every session ends."""

    def answer(_: Seen) -> Reply:
        crm.expire()
        return EXPIRED

    return answer


def alone(crm: ScriptedOrg, one: str, field: Field = EMAIL, new: str = MAIL, **options: Any) -> WriteStatus:
    return statuses(write(crm, put(one, field, new), **options))[one, field]


# --- the condition ------------------------------------------------------------------------------


def test_an_update_carries_its_condition_in_the_body() -> None:
    with org() as crm:
        one = crm.add(1)
        assert alone(crm, one) is WriteStatus.WRITTEN
        [[part]] = crm.updates
        assert part["url"] == f"/services/data/v66.0/sobjects/Contact/{one}"
        assert part["body"] == {"Email": MAIL}
        assert condition(part) == crm.now - 3_600
        assert len(crm.asked("/composite/sobjects/Contact")) == 1


def test_pitfall_01_an_expired_session_never_drops_the_condition() -> None:
    with org() as crm:
        one = crm.add(1)

        def expired(_: Seen) -> Reply:
            crm.expire()
            crm.edit(one, Email=OTHER)
            return EXPIRED

        crm.on("/composite", expired)
        assert alone(crm, one) is WriteStatus.MOVED_ON
        assert crm.records[one]["Email"] == OTHER
        first, second = crm.asked("/composite")
        assert first.raw == second.raw
        assert first.headers["authorization"] != second.headers["authorization"]
        assert condition(second.body["compositeRequest"][0]) < crm.now - 3_000


def test_pitfall_02_two_logins_at_most() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/composite/sobjects/Contact", EXPIRED, EXPIRED)
        with pytest.raises(Halt, match="session"):
            alone(crm, one)
        assert len(crm.asked("/oauth2/token")) == 2
        assert crm.updates == []


def test_pitfall_03_a_person_who_fills_it_first_is_left_alone() -> None:
    with org() as crm:
        seen, unseen = crm.add(1, Email=OTHER), crm.add(2)
        crm.before_write.append(lambda: crm.edit(unseen, Email=OTHER))
        found = statuses(write(crm, put(seen, EMAIL, MAIL), put(unseen, EMAIL, MAIL)))
        assert set(found.values()) == {WriteStatus.MOVED_ON}
        assert {crm.records[one]["Email"] for one in (seen, unseen)} == {OTHER}


def test_a_person_who_fills_another_field_that_counts_is_left_alone() -> None:
    with org() as crm:
        one = crm.add(1, MobilePhone=PHONE)
        assert alone(crm, one, Field.PHONE, PHONE) is WriteStatus.MOVED_ON
        assert crm.updates == []


def test_pitfall_05_an_edit_of_another_field_is_no_obstacle() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.before_write.append(lambda: crm.edit(one, Title="Countess"))
        assert alone(crm, one) is WriteStatus.WRITTEN
        assert [len(parts) for parts in crm.updates] == [1, 1]
        assert condition(crm.updates[0][0]) < condition(crm.updates[1][0])
        assert crm.records[one]["Email"] == MAIL


def test_a_record_that_never_stands_still_goes_back() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.before_write.extend([lambda: crm.edit(one, Title="x")] * 9)
        assert alone(crm, one) is WriteStatus.MOVED_ON
        assert len(crm.updates) == 2


def test_a_decision_holds_for_its_revision_only() -> None:
    with org() as crm:
        one = crm.add(1)
        revision = read(crm, one)[one].revision
        crm.clock.time += 60
        crm.edit(one, Title="Countess")
        outcomes = write(crm, put(one, EMAIL, MAIL, revision=revision))
        assert statuses(outcomes) == {(one, EMAIL): WriteStatus.MOVED_ON}
        assert crm.updates == []


def test_pitfall_06_a_young_record_waits_until_its_stamp_can_tell() -> None:
    with org() as crm:
        young, old = crm.add(1, age=0.0), crm.add(2)
        found = statuses(write(crm, put(young, EMAIL, MAIL), put(old, EMAIL, OTHER)))
        assert set(found.values()) == {WriteStatus.WRITTEN}
        first, second = ([part["url"][-18:] for part in parts] for parts in crm.updates)
        assert (first, second) == ([old], [young])
        assert sum(crm.clock.slept) >= 2
        assert condition(crm.updates[1][0]) <= crm.now - 2


def test_pitfall_06_an_edit_in_the_same_second_is_seen() -> None:
    """Read, edited and written within one second, the stamp would be the same: so we look again after it."""
    with org() as crm:
        one = crm.add(1, age=0.0)
        before = dict(crm.records[one])

        def seen_before_the_edit(_: Seen) -> Reply:
            crm.edit(one, Email=OTHER)
            return Reply(body=[before])

        crm.on("/composite/sobjects/Contact", seen_before_the_edit)
        assert alone(crm, one) is WriteStatus.MOVED_ON
        assert crm.records[one]["Email"] == OTHER
        assert crm.updates == []


@pytest.mark.parametrize("ahead", [-3_600.0, 3_600.0])
def test_pitfall_22_our_own_clock_does_not_matter_to_a_write(ahead: float) -> None:
    with org() as crm:
        crm.ahead = ahead
        young = crm.add(1, age=0.0)
        assert alone(crm, young) is WriteStatus.WRITTEN
        assert 2 <= sum(crm.clock.slept) < 4


def test_pitfall_07_owners_stay_whatever_happens_to_the_session() -> None:
    with org("Lead") as crm:
        one = crm.add(1)
        crm.on("/composite", expiring(crm))
        found = statuses(write(crm, put(one, EMAIL, MAIL, kind="leads")))
        assert set(found.values()) == {WriteStatus.WRITTEN}
        assert {request.headers["sforce-auto-assign"] for request in crm.seen} == {"FALSE"}
        assert {part["httpHeaders"]["Sforce-Auto-Assign"] for parts in crm.updates for part in parts} == {"FALSE"}


# --- who is not there any more ------------------------------------------------------------------


def test_pitfall_08_a_lead_that_was_converted_since_is_refused() -> None:
    with org("Lead") as crm:
        one = crm.add(1)
        crm.refuse = lambda *_: refusal("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [])
        outcome = write(crm, put(one, EMAIL, MAIL, kind="leads"))[one, EMAIL]
        assert outcome.status is WriteStatus.REFUSED
        assert "CANNOT_UPDATE_CONVERTED_LEAD" in outcome.detail
        assert len(crm.updates) == 1


def test_pitfall_09_a_merged_record_is_for_whoever_decides() -> None:
    with org() as crm:
        gone, merged, winner = record_id(1), record_id(2), crm.add(3)
        crm.merged[merged] = winner
        found = statuses(write(crm, put(gone, EMAIL, MAIL), put(merged, EMAIL, OTHER)))
        assert found == {(gone, EMAIL): WriteStatus.GONE, (merged, EMAIL): WriteStatus.MOVED_ON}
        assert crm.updates == []


def test_pitfall_09_a_record_that_goes_under_our_hands() -> None:
    with org() as crm:
        one, other = crm.add(1), crm.add(2)
        crm.before_write.append(lambda: crm.records.pop(one))
        found = statuses(write(crm, put(one, EMAIL, MAIL), put(other, EMAIL, OTHER)))
        assert found == {(one, EMAIL): WriteStatus.GONE, (other, EMAIL): WriteStatus.WRITTEN}


@pytest.mark.parametrize("raw", ["", "501", "003' OR Name != '", "../../limits", "003" + "x" * 16])
def test_what_is_no_id_is_never_sent(raw: str) -> None:
    with org() as crm:
        assert alone(crm, raw) is WriteStatus.GONE
        assert crm.updates == []
        assert crm.asked("/composite/sobjects/Contact") == []


# --- refusals -----------------------------------------------------------------------------------


def test_pitfall_11_a_field_that_nobody_may_write_stops_everything_at_once() -> None:
    with org() as crm:
        crm.fields["Email"] = definition("Email", updateable=False)
        with pytest.raises(Halt, match="may not write Email") as caught:
            alone(crm, crm.add(1))
        assert "edit access to Email" in caught.value.cure
        assert crm.updates == []


def test_pitfall_11_a_right_that_was_taken_away_meanwhile_costs_few_calls() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(500)]

        def read_only(_: str, values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
            crm.fields["Email"] = definition("Email", updateable=False)
            return refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "no", ["Email"]) if "Email" in values else None

        crm.refuse = read_only
        changes = [put(one, f, v) for one in records for f, v in ((EMAIL, MAIL), (Field.PHONE, PHONE))]
        found = statuses(write(crm, *changes))
        assert {found[one, EMAIL] for one in records} == {WriteStatus.RETRY}
        assert {found[one, Field.PHONE] for one in records} == {WriteStatus.WRITTEN}
        assert len(crm.updates) <= 20 + 4  # one per lane to find out


def test_pitfall_11_where_the_right_is_there_the_record_is_at_fault() -> None:
    with org() as crm:
        one, other = crm.add(1), crm.add(2)
        crm.refuse = lambda record, _: refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "no", []) if record == one else None
        found = statuses(write(crm, put(one, EMAIL, MAIL), put(other, EMAIL, OTHER)))
        assert found == {(one, EMAIL): WriteStatus.REFUSED, (other, EMAIL): WriteStatus.WRITTEN}
        assert len(crm.asked("/Contact/describe")) == 2


def test_pitfall_12_and_13_fast_results_are_matched_by_position() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(250)]
        bad = records[7]
        crm.refuse = lambda record, _: refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no way") if record == bad else None
        outcomes = write(crm, *(put(one, EMAIL, MAIL) for one in records), fast=True)
        odd = {key: o for key, o in outcomes.items() if o.status is not WriteStatus.WRITTEN}
        assert set(odd) == {(bad, EMAIL)}
        assert odd[bad, EMAIL].detail == "FIELD_CUSTOM_VALIDATION_EXCEPTION · no way"
        sent = crm.asked("/composite/sobjects")
        assert sorted(len(request.body["records"]) for request in sent) == [50, 200]
        assert not any(request.body["allOrNone"] for request in sent)


def test_fast_mode_says_that_it_does_not_compare() -> None:
    with org() as crm:

        async def is_conditional(connector: Any) -> bool:
            return bool(connector.capabilities.conditional_write)

        assert using(crm, is_conditional)
        assert not using(crm, is_conditional, fast=True)


def test_pitfall_13_a_bad_record_does_not_stop_its_batch_mates() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(60)]
        bad = records[3]
        crm.refuse = lambda record, _: (
            refusal("INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {MAIL}", ["Email"])
            if record == bad
            else None
        )
        outcomes = write(crm, *(put(one, EMAIL, MAIL) for one in records))
        assert {k for k, o in outcomes.items() if o.status is not WriteStatus.WRITTEN} == {(bad, EMAIL)}
        assert outcomes[bad, EMAIL].status is WriteStatus.INVALID
        assert MAIL not in outcomes[bad, EMAIL].detail
        assert [len(parts) for parts in crm.updates].count(25) == 2


def test_a_refused_email_does_not_stop_the_phone() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.refuse = lambda _, v: refusal("INVALID_EMAIL_ADDRESS", "bad", ["Email"]) if "Email" in v else None
        found = statuses(write(crm, put(one, EMAIL, MAIL), put(one, Field.PHONE, PHONE)))
        assert found == {(one, EMAIL): WriteStatus.INVALID, (one, Field.PHONE): WriteStatus.WRITTEN}
        assert [parts[0]["body"] for parts in crm.updates] == [{"Email": MAIL, "Phone": PHONE}, {"Phone": PHONE}]


def test_a_refusal_that_names_no_field_is_tried_by_field() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.refuse = lambda _, v: refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", "rule", []) if "Phone" in v else None
        found = statuses(write(crm, put(one, EMAIL, MAIL), put(one, Field.PHONE, PHONE)))
        assert found == {(one, EMAIL): WriteStatus.WRITTEN, (one, Field.PHONE): WriteStatus.REFUSED}
        assert [set(parts[0]["body"]) for parts in crm.updates] == [{"Email", "Phone"}, {"Email"}, {"Phone"}]


def test_pitfall_14_a_locked_row_is_tried_again_by_itself() -> None:
    with org() as crm:
        locked, free = crm.add(1), crm.add(2)
        busy = [refusal("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")] * 2
        crm.refuse = lambda record, _: busy.pop() if record == locked and busy else None
        found = statuses(write(crm, put(locked, EMAIL, MAIL), put(free, EMAIL, OTHER)))
        assert set(found.values()) == {WriteStatus.WRITTEN}
        assert [len(parts) for parts in crm.updates] == [2, 1, 1]
        assert len(crm.asked("/composite/sobjects/Contact")) == 3  # still blank?
        assert all(0.5 <= slept <= 10 for slept in crm.clock.slept)


def test_pitfall_14_who_stays_locked_comes_later() -> None:
    with org() as crm:
        one = crm.add(1)
        crm.refuse = lambda *_: refusal("UNABLE_TO_LOCK_ROW")
        assert alone(crm, one) is WriteStatus.RETRY
        assert len(crm.updates) == 4


def test_pitfall_14_a_lock_and_a_person() -> None:
    with org() as crm:
        one = crm.add(1)

        def busy(_: str, __: Mapping[str, Any]) -> list[dict[str, Any]]:
            crm.edit(one, Email=OTHER)
            return refusal("UNABLE_TO_LOCK_ROW")

        crm.refuse = busy
        assert alone(crm, one) is WriteStatus.MOVED_ON
        assert len(crm.updates) == 1


def test_pitfall_14_records_of_one_account_stay_together() -> None:
    with org() as crm:
        records = [crm.add(number, AccountId=record_id(number % 4, "001")) for number in range(100)]
        assert set(statuses(write(crm, *(put(one, EMAIL, MAIL) for one in records))).values()) == {WriteStatus.WRITTEN}
        accounts = [{crm.records[part["url"][-18:]]["AccountId"] for part in parts} for parts in crm.updates]
        assert [len(one) for one in accounts] == [1, 1, 1, 1]


FLOW = (
    "We can't save this record because the “Keep regions in step” process failed. This error occurred when the flow "
    "tried to update records: FIELD_CUSTOM_VALIDATION_EXCEPTION: Region is closed."
)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("CANNOT_EXECUTE_FLOW_TRIGGER", FLOW),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "ContactTrigger: execution of BeforeUpdate\n\ncaused by: x"),
    ],
)
def test_pitfall_15_the_org_s_own_words(code: str, message: str) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.refuse = lambda *_: refusal(code, f"{message} {MAIL} {'!' * 2_000}", [])
        outcome = write(crm, put(one, EMAIL, MAIL))[one, EMAIL]
        assert outcome.status is WriteStatus.REFUSED
        assert outcome.detail.startswith(f"{code} · {message}")
        assert len(outcome.detail) == 1_000
        assert MAIL not in outcome.detail
        assert len(crm.updates) == 1


def test_pitfall_15_a_lock_inside_a_trigger_is_a_lock() -> None:
    with org() as crm:
        one = crm.add(1)
        busy = [refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "x: UNABLE_TO_LOCK_ROW, unable to obtain …", [])]
        crm.refuse = lambda *_: busy.pop() if busy else None
        assert alone(crm, one) is WriteStatus.WRITTEN


def test_pitfall_16_a_duplicate_is_named_and_not_forced() -> None:
    with org() as crm:
        one, holder = crm.add(1), crm.add(2, Email=MAIL)
        matches = [{"record": {"attributes": {}, "Id": i}} for i in (one, holder)]
        verdict: dict[str, Any] = {"duplicateResult": {"allowSave": True, "matchResults": [{"matchRecords": matches}]}}
        crm.refuse = lambda _, v: (
            refusal("DUPLICATES_DETECTED", "Use one of these records?", **verdict) if "Email" in v else None
        )
        outcomes = write(crm, put(one, EMAIL, MAIL), put(one, Field.PHONE, PHONE))
        assert statuses(outcomes) == {(one, EMAIL): WriteStatus.DUPLICATE, (one, Field.PHONE): WriteStatus.WRITTEN}
        assert outcomes[one, EMAIL].holder == holder
        assert not any("sforce-duplicate-rule-header" in request.headers for request in crm.seen)


def test_pitfall_28_what_salesforce_would_never_take_is_not_sent() -> None:
    with org() as crm:
        long, odd, digits = (crm.add(number) for number in range(3))
        found = write(
            crm,
            put(long, EMAIL, f"{'x' * 70}@example.com"),
            put(odd, EMAIL, "zoë@example.com"),
            put(digits, Field.PHONE, "+" + "4" * 40),
        )
        assert {outcome.status for outcome in found.values()} == {WriteStatus.INVALID}
        assert crm.updates == []


def test_pitfall_31_ids_of_15_and_18_characters_are_one_record() -> None:
    with org() as crm:
        one = crm.add(1)
        found = statuses(write(crm, put(one[:15], EMAIL, MAIL), put(one, Field.PHONE, PHONE)))
        assert found == {(one[:15], EMAIL): WriteStatus.WRITTEN, (one, Field.PHONE): WriteStatus.WRITTEN}
        assert [part["body"] for parts in crm.updates for part in parts] == [{"Email": MAIL, "Phone": PHONE}]


def test_pitfall_41_a_record_is_sent_once() -> None:
    with org() as crm:
        one = crm.add(1)
        found = write(crm, put(one, EMAIL, OTHER), put(one, Field.PHONE, PHONE), put(one, EMAIL, MAIL))
        assert len(found) == 2
        assert [part["body"] for parts in crm.updates for part in parts] == [{"Email": MAIL, "Phone": PHONE}]


def test_pitfall_43_addresses_are_the_same_in_any_case() -> None:
    with org() as crm:
        one = crm.add(1, Email="jane@example.com")
        found = statuses(write(crm, put(one, EMAIL, "", expected="Jane@Example.com")))
        assert found == {(one, EMAIL): WriteStatus.WRITTEN}
        assert crm.records[one]["Email"] is None


def test_what_changes_nothing_is_not_sent() -> None:
    with org() as crm:
        one = crm.add(1, Phone=PHONE)
        assert set(statuses(write(crm, put(one, Field.PHONE, PHONE, expected=PHONE))).values()) == {WriteStatus.WRITTEN}
        assert crm.updates == []


# --- the line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, refusal("SERVER_UNAVAILABLE", "Server too busy")),
        Reply(502, b"<html>"),
        Reply(420, b""),
        Reply(cut=True),
        Reply(200, b""),
        Reply(200, b"<html>"),
        Reply(200, {}),
    ],
)
def test_pitfall_30_a_lost_answer_is_unknown_and_never_sent_again(reply: Reply) -> None:
    with org() as crm:
        one = crm.add(1)
        crm.on("/composite", reply)
        assert alone(crm, one) is WriteStatus.UNKNOWN
        assert len(crm.asked("/composite")) == 1


def test_pitfall_30_silence_about_one_record_is_unknown() -> None:
    with org() as crm:
        one, other = crm.add(1), crm.add(2)
        told = {"referenceId": "r1", "httpStatusCode": 204, "body": None}
        failed = {"referenceId": "r0", "httpStatusCode": 500, "body": refusal("UNKNOWN_EXCEPTION")}
        crm.on("/composite", Reply(body={"compositeResponse": [told]}))
        changes = (put(one, EMAIL, MAIL), put(other, EMAIL, OTHER))
        assert list(statuses(write(crm, *changes)).values()).count(WriteStatus.UNKNOWN) == 1
        crm.on("/composite", Reply(body={"compositeResponse": [failed, told]}))
        assert statuses(write(crm, *changes))[one, EMAIL] is WriteStatus.UNKNOWN


def test_pitfall_17_the_day_s_limit_in_the_middle_keeps_what_was_written() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(300)]
        good = [Reply(body={"compositeResponse": [_written(n) for n in range(25)]})] * 6
        crm.on("/composite", *good, *[DAILY] * 6)
        found = statuses(write(crm, *(put(one, EMAIL, MAIL) for one in records)))
        assert set(found.values()) == {WriteStatus.WRITTEN, WriteStatus.RETRY}
        assert list(found.values()).count(WriteStatus.WRITTEN) == 150


def test_pitfall_17_the_day_s_limit_before_anything_is_said_at_once() -> None:
    with org() as crm:
        crm.on("/composite/sobjects/Contact", DAILY)
        with pytest.raises(RateLimited) as caught:
            alone(crm, crm.add(1))
        assert caught.value.after == 900


def test_a_refused_whole_call_halts_only_while_nothing_was_sent() -> None:
    with org() as crm:
        records = [crm.add(number) for number in range(50)]
        wrong = Reply(400, refusal("INVALID_HTTP_HEADER"))
        crm.on("/composite", wrong, wrong)
        with pytest.raises(Halt):
            alone(crm, records[0])
        crm.on("/composite", lambda _: Reply(body={"compositeResponse": [_written(n) for n in range(25)]}))
        found = statuses(write(crm, *(put(one, EMAIL, MAIL) for one in records)))
        assert sorted(found.values()) == [WriteStatus.RETRY] * 25 + [WriteStatus.WRITTEN] * 25


def _written(number: int) -> dict[str, Any]:
    return {"referenceId": f"r{number}", "httpStatusCode": 204, "body": None}


def test_ten_thousand_writes_cost_410_calls() -> None:
    """As the pipeline makes them: 2 000 records are read, decided on, and written."""
    with org() as crm:
        records = [crm.add(number) for number in range(10_000)]

        async def fill(connector: Any) -> set[WriteStatus]:
            size, found = connector.capabilities.write_batch, set()
            for start in range(0, len(records), size):
                chunk = records[start : start + size]
                snapshots = await connector.read([ref(one) for one in chunk], CONTACTS)
                changes = [put(s.ref.id, EMAIL, f"{s.ref.id}@example.com", revision=s.revision) for s in snapshots]
                found |= {outcome.status for outcome in await connector.write(changes, CONTACTS)}
            return found

        assert using(crm, fill) == {WriteStatus.WRITTEN}
        counted = [r for r in crm.seen if "/services/data/" in r.path]
        assert len(crm.updates) == 400
        assert len(counted) <= 410 + 3  # and three an hour to learn what the org is like
