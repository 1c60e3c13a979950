"""The emulated Zeliq over a real socket: what it accepts, refuses and bills, and answers that go wrong."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncd.sandbox.world import Find
from syncd.sandbox.zeliq import FAULTS, Zeliq
from tests.sandbox.bench import PATIENCE, Bench, run_zeliq
from tests.sandbox.questions import CALL, EMAIL, MAIL, PHONE, ask, callback

# ---- accepted


def test_a_found_email_is_answered_202_called_back_as_documented_and_billed() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(email=(*MAIL, Find("a.abel@acme.example", "catch_all")))
        answer = await ask(bench, person)
        assert answer.status_code == 202
        assert set(answer.json()) == {"status", "message", "jobId"}
        assert answer.json()["message"] == "Request accepted, results will be sent to the callback URL"
        await bench.settled()
        (post,) = bench.receiver.posts
        assert (post.path, post.headers["content-type"]) == ("/z/t0ken-t0ken-t0ken", "application/json")
        assert post.json() == {
            "credit_used": 1,
            "contact": {
                "first_name": person.first_name,
                "last_name": person.last_name,
                "domain": person.domain,
                "linkedin_url": person.linkedin_url,
                "most_probable_email": "anna.abel@acme.example",
                "most_probable_email_status": "valid",
                "emails": [
                    {"email": "anna.abel@acme.example", "status": "valid"},
                    {"email": "a.abel@acme.example", "status": "catch-all"},
                ],
            },
        }
        assert (bench.vendor.billed, bench.vendor.balance) == (Decimal(1), Decimal(9_999))
        (bill,) = bench.vendor.bills
        assert (bill.job, bill.person, bill.kind, bill.reason) == (answer.json()["jobId"], person.key, "email", "found")
        assert bench.vendor.calls == {"email": 1}

    run_zeliq(scenario)


def test_a_phone_costs_ten_and_can_be_asked_for_by_email() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(phone=(*CALL, Find("+33639985678", "valid", "FR")))
        url = f"{bench.receiver.url}/z"
        answer = await bench.http.post(PHONE, json={"email": person.emails[0], "callback_url": url})
        assert answer.status_code == 202
        await bench.settled()
        assert bench.receiver.posts[0].json() == {
            "credit_used": 10,
            "contact": {
                "linkedin_url": person.linkedin_url,
                "email": person.emails[0],
                "most_probable_phone": "+33639981234",
                "phones": [{"phone": "+33639981234"}, {"phone": "+33639985678"}],
            },
        }
        assert bench.vendor.billed == 10

    run_zeliq(scenario)


@pytest.mark.parametrize("key", ["company", "domain"])
def test_a_name_and_an_employer_are_enough_for_an_email(key: str) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(email=MAIL)
        names = {"first_name": person.first_name, "last_name": person.last_name, key: getattr(person, key)}
        assert (await ask(bench, person, **names, linkedin_url=None)).status_code == 202
        await bench.settled()
        assert bench.receiver.posts[0].json()["contact"]["most_probable_email"] == MAIL[0].value

    run_zeliq(scenario)


def test_the_query_of_the_callback_url_survives() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        await ask(bench, bench.person(), callbackUrl=f"{bench.receiver.url}/z?contactId=1&x=%20")
        await bench.settled()
        assert bench.vendor.courier.deliveries[0].status == 200

    run_zeliq(scenario)


# ---- refused

NEEDS = "Either linkedin_url OR (first_name, last_name, and company or domain) are required"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (EMAIL, {}, NEEDS),
        (EMAIL, {"linkedin_url": ""}, NEEDS),
        (EMAIL, {"first_name": "A", "last_name": "B"}, NEEDS),
        (EMAIL, {"first_name": "A", "company": "C"}, NEEDS),
        (PHONE, {}, "linkedin_url or email is required"),
        (PHONE, {"linkedin_url": None, "email": ""}, "linkedin_url or email is required"),
        (EMAIL, {"linkedin_url": "x", "foo": 1}, "property foo should not exist"),
        (PHONE, {"linkedin_url": "x", "first_name": "A"}, "property first_name should not exist"),
        (EMAIL, {"linkedin_url": 7}, "linkedin_url must be a string"),
        (EMAIL, {"linkedin_url": "x", "callbackUrl": None}, "callbackUrl must be a URL address"),
        (EMAIL, {"linkedin_url": "x", "callbackUrl": "ftp://example.com/"}, "callbackUrl must be a URL address"),
        (EMAIL, {"linkedin_url": "x", "callbackUrl": "example.com"}, "callbackUrl must be a URL address"),
    ],
)
def test_bad_requests_are_refused_with_the_vendors_words(path: str, body: dict[str, Any], message: str) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        answer = await bench.http.post(path, json={"callbackUrl": "https://example.com/cb", **body})
        assert (answer.status_code, answer.json()["statusCode"], answer.json()["message"]) == (400, 400, message)
        if "property" in message:
            assert answer.json() == {"message": message, "error": "VALIDATION_FAILED", "statusCode": 400}
        assert bench.money() == (10_000, 0, 0)

    run_zeliq(scenario)


def test_a_body_that_is_no_json_and_a_long_origin_are_refused() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        assert (await bench.http.post(EMAIL, content=b"{")).status_code == 400
        assert (await bench.http.post(EMAIL, json=["x"])).status_code == 400
        body = {"linkedin_url": "x", "callbackUrl": bench.receiver.url}
        for length, status in ((50, 202), (51, 400)):
            headers = {"x-request-origin": "o" * length}
            assert (await bench.http.post(EMAIL, json=body, headers=headers)).status_code == status

    run_zeliq(scenario)


def test_keys_are_checked_first_and_only_in_their_header() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        async with httpx.AsyncClient(base_url=bench.http.base_url, trust_env=False) as bare:
            for headers, message in (
                ({}, "API key is required"),
                ({"authorization": "Bearer sk-sandbox-zeliq"}, "API key is required"),
                ({"x-api-key": "sk-other"}, "Invalid API key"),
            ):
                answer = await bare.post(f"{EMAIL}?x-api-key=sk-sandbox-zeliq", json={"foo": 1}, headers=headers)
                assert answer.status_code == 401
                assert answer.json() == {"message": message, "error": "Unauthorized", "statusCode": 401}
        bench.faults.on("zeliq_blocked", None)
        answer = await bench.http.get("/api/credits/balance")
        assert answer.status_code == 423
        assert answer.json() == {"statusCode": 423, "error": "Locked", "message": "User is blocked"}

    run_zeliq(scenario)


def test_an_unknown_path_or_method_is_404() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        for method, path in (("GET", EMAIL), ("GET", "/api/contact/enrich/email/jobs/1"), ("POST", "/api/v1/x")):
            answer = await bench.http.request(method, path)
            assert (answer.status_code, answer.json()["message"]) == (404, f"Cannot {method} {path}")

    run_zeliq(scenario)


@pytest.mark.parametrize(
    ("plan", "sliding", "limits"),
    [
        ("free", False, (50, 200, 600)),
        ("free", True, (50, 200, 600)),
        ("starter", False, (200, 400, 2_000)),
        ("advanced", False, (600, 2_000, 6_000)),
    ],
)
def test_every_plan_has_its_windows_and_the_balance_is_exempt(
    plan: str, sliding: bool, limits: tuple[int, int, int]
) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.to_next_day()
        bad: dict[str, Any] = {"foo": 1}
        for _ in range(limits[0]):
            assert (await bench.http.post(EMAIL, json=bad)).status_code == 400
        answer = await bench.http.post(PHONE, json=bad)
        assert answer.status_code == 429
        assert answer.json() == {
            "statusCode": 429,
            "error": "Too Many Requests",
            "message": "Rate limit exceeded. Please try again later.",
            "limits": dict(zip(("perMinute", "perHour", "perDay"), limits, strict=True)),
        }
        assert "retry-after" not in answer.headers
        assert (await bench.http.get("/api/credits/balance")).json() == {"credit_balance": 10_000}
        bench.clock.skip(60)
        assert (await bench.http.post(EMAIL, json=bad)).status_code == 400

    run_zeliq(scenario, speed=1.0, plan=plan, sliding=sliding)


def test_402_when_the_credits_do_not_suffice_while_a_free_email_goes_on() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        answer = await ask(bench, bench.person(), PHONE)
        assert answer.status_code == 402
        assert answer.json() == {"statusCode": 402, "error": "Payment Required", "message": "No Credit Remaining"}
        assert (await ask(bench, bench.person(email=MAIL))).status_code == 202
        await bench.settled()
        assert bench.receiver.posts[0].json()["credit_used"] == 0
        assert bench.vendor.billed == 0

    run_zeliq(scenario, plan="enterprise", credits=9)


# ---- money


def test_credits_are_held_at_acceptance_and_refunded_when_nothing_is_found() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        await ask(bench, bench.person(), PHONE)
        assert bench.money() == (5, 10, 0)
        assert (await ask(bench, bench.person(), PHONE)).status_code == 402
        bench.clock.skip(300)
        await bench.settled()
        assert bench.money() == (15, 0, 0)
        assert [bill.reason for bill in bench.vendor.bills] == ["nothing found"]

    run_zeliq(scenario, speed=1.0, credits=15)


def test_without_holding_the_charge_comes_at_the_end() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        await ask(bench, bench.person(phone=CALL), PHONE)
        assert bench.vendor.balance == 100
        bench.clock.skip(300)
        await bench.settled()
        assert bench.money() == (90, 0, 10)

    run_zeliq(scenario, speed=1.0, credits=100, hold=False)


def test_only_invalid_is_told_and_refunded() -> None:
    body, vendor = callback(email=(Find("gone@acme.example", "invalid"),))
    assert (body["credit_used"], body["contact"]["most_probable_email_status"]) == (0, "invalid")
    assert (int(vendor.billed), int(vendor.balance)) == (0, 10_000)


def test_repeating_a_question_is_billed_again() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(email=MAIL)
        await asyncio.gather(*(ask(bench, person) for _ in range(3)))
        await bench.settled()
        assert (int(bench.vendor.billed), len(bench.receiver.posts)) == (3, 3)

    run_zeliq(scenario)


# ---- answers that go wrong


@pytest.mark.parametrize(
    ("fault", "status", "keys"),
    [
        ("zeliq_status", 200, {"status", "message", "jobId"}),
        ("zeliq_status:1:201", 201, {"status", "message", "jobId"}),
        ("zeliq_no_job_id", 202, {"status", "message"}),
    ],
)
def test_accepted_in_other_words(fault: str, status: int, keys: set[str]) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.add(fault)
        answer = await ask(bench, bench.person(email=MAIL))
        assert (answer.status_code, set(answer.json())) == (status, keys)
        await bench.receiver.wait(1)

    run_zeliq(scenario)


@pytest.mark.parametrize(("param", "posts"), [("", 0), ("both", 1)])
def test_the_result_in_the_answer(param: str, posts: int) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_result_in_body", param=param)
        answer = await ask(bench, bench.person(email=MAIL))
        assert (answer.status_code, answer.json()["contact"]["most_probable_email"]) == (200, MAIL[0].value)
        await bench.settled()
        assert (len(bench.receiver.posts), int(bench.vendor.billed)) == (posts, 1)

    run_zeliq(scenario)


def test_the_callback_may_come_before_the_202() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_early")
        await ask(bench, bench.person(email=MAIL))
        assert len(bench.receiver.posts) == 1  # without waiting for it

    run_zeliq(scenario, speed=1.0)


@pytest.mark.parametrize("kind", ["error", "html", "garbled", "empty", "cut", "silent"])
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_spoilt_answer_says_nothing_about_what_was_done(kind: str, carried_out: bool) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on(f"zeliq_{kind}_after" if carried_out else f"zeliq_{kind}")
        bench.http.timeout = httpx.Timeout(PATIENCE, read=0.2 if kind == "silent" else PATIENCE)
        person = bench.person(email=MAIL)
        if kind == "cut":
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await ask(bench, person)
        elif kind == "silent":
            with pytest.raises(httpx.ReadTimeout):
                await ask(bench, person)
        else:
            answer = await ask(bench, person)
            assert answer.status_code == (502 if kind == "error" else 200)
        await bench.settled()
        assert (int(bench.vendor.billed), len(bench.receiver.posts)) == ((1, 1) if carried_out else (0, 0))

    run_zeliq(scenario)


def test_a_silent_answer_ends_when_the_vendor_closes() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        bench.faults.on("zeliq_silent")
        waiting = asyncio.create_task(ask(bench, bench.person()))
        while not bench.faults.taken["zeliq_silent"]:
            await asyncio.sleep(0)
        await bench.vendor.aclose()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await waiting

    run_zeliq(scenario)


def test_switched_refusals() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(email=MAIL)
        bench.faults.on("zeliq_no_limits", None)
        bench.faults.on("zeliq_retry_after", None, 7)
        bench.faults.on("zeliq_limited")
        answer = await ask(bench, person)
        assert (answer.status_code, "limits" in answer.json(), answer.headers["retry-after"]) == (429, False, "7")
        bench.faults.on("zeliq_no_credit")
        assert (await ask(bench, person)).status_code == 402
        bench.faults.on("zeliq_message_list", None)
        assert (await ask(bench, person, foo=1)).json()["message"] == ["property foo should not exist"]
        bench.faults.on("zeliq_no_domain", None)
        assert "property domain should not exist" in (await ask(bench, person, domain="x.example")).json()["message"]
        bench.faults.on("zeliq_lenient", None)
        assert (await ask(bench, person, foo=1)).status_code == 202
        bench.faults.on("zeliq_key_revoked", None)
        assert (await ask(bench, person)).status_code == 401

    run_zeliq(scenario)


def test_every_fault_of_the_table_is_told_in_one_line() -> None:
    assert all(name.startswith("zeliq_") and line and "\n" not in line for name, line in FAULTS.items())
