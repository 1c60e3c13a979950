"""The emulated Zeliq over a real socket: what its callbacks say."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.sandbox.world import Find
from syncd.sandbox.zeliq import Zeliq
from tests.sandbox.bench import Bench, run_zeliq
from tests.sandbox.questions import CALL, EMAIL, MAIL, PHONE, ask, callback

# ---- what callbacks say


@pytest.mark.parametrize(
    ("shape", "contact"),
    [
        ("null", {"most_probable_email": None, "most_probable_email_status": None, "emails": []}),
        ("empty", {"most_probable_email": "", "most_probable_email_status": "", "emails": []}),
        ("absent", {}),
    ],
)
def test_nothing_found_has_three_shapes(shape: str, contact: dict[str, Any]) -> None:
    body, vendor = callback((f"zeliq_nothing_shape:*:{shape}",))
    assert body["credit_used"] == 0
    told = body["contact"]
    assert {key: value for key, value in told.items() if "email" in key} == contact
    assert told["first_name"]
    assert vendor.billed == 0


def test_nothing_found_about_a_stranger_to_the_vendor_echoes_the_question_and_may_have_no_contact() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        url = {"callbackUrl": bench.receiver.url}
        await bench.http.post(EMAIL, json={"first_name": "No", "last_name": "Body", "domain": "no.example", **url})
        await bench.settled()
        assert bench.receiver.posts[0].json()["contact"]["last_name"] == "Body"
        bench.faults.on("zeliq_nothing", param="bare")
        await ask(bench, bench.person(phone=CALL), PHONE)
        await bench.settled()
        assert bench.receiver.posts[1].json() == {"credit_used": 0, "contact": None}

    run_zeliq(scenario)


@pytest.mark.parametrize(
    ("fault", "key", "value"),
    [
        ("zeliq_credit_text:*", "credit_used", "1"),
        ("zeliq_credit_absurd", "credit_used", "-3"),
        ("zeliq_credit_missing", "credit_used", None),
        ("zeliq_more_keys:*", "version", 3),
    ],
)
def test_odd_envelopes(fault: str, key: str, value: object) -> None:
    body, vendor = callback((fault,), email=MAIL)
    assert body.get(key) == value
    assert vendor.billed == 1


@pytest.mark.parametrize(
    ("fault", "email", "status", "count"),
    [
        ("zeliq_safe_to_send:*", MAIL[0].value, "safe to send", 1),
        ("zeliq_odd_status", MAIL[0].value, "accept_all", 1),
        ("zeliq_doubtful", "info@", "invalid", 2),
        ("zeliq_doubtful:1:unknown", "info@", "unknown", 2),
        ("zeliq_several", MAIL[0].value, "valid", 3),
    ],
)
def test_odd_emails(fault: str, email: str, status: str, count: int) -> None:
    contact = callback((fault,), email=MAIL)[0]["contact"]
    assert contact["most_probable_email"].startswith(email)
    assert contact["most_probable_email_status"] == status
    assert len(contact["emails"]) == count


def test_several_phones_repeat_the_first_in_other_writing() -> None:
    contact = callback(("zeliq_several",), PHONE, phone=CALL)[0]["contact"]
    assert [one["phone"] for one in contact["phones"]] == ["+33639981234", "+447700900987", "+33 639981234"]


def test_a_failed_job_calls_back_with_an_error_object_and_is_refunded() -> None:
    body, vendor = callback(("zeliq_failed",), email=MAIL)
    assert set(body) == {"statusCode", "error", "message"}
    assert (int(vendor.billed), int(vendor.balance), vendor.bills[0].reason) == (0, 10_000, "failed")


def test_a_stranger_may_come_back_and_be_billed() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        other = bench.person(1, email=(Find("somebody@else.example", "valid"),))
        for person in bench.world.people:
            if person is not other:
                person.finds.clear()
        bench.faults.on("zeliq_stranger")
        await ask(bench, bench.person(0, email=MAIL))
        await bench.settled()
        contact = bench.receiver.posts[0].json()["contact"]
        assert (contact["linkedin_url"], contact["most_probable_email"]) == (
            other.linkedin_url,
            "somebody@else.example",
        )
        assert bench.vendor.billed == 1

    run_zeliq(scenario)
