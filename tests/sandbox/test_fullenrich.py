"""The emulated FullEnrich over a real socket: keys, the call budget, refusals, signatures, spoilt answers."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncd.sandbox.fullenrich import FAULTS, KEY, FullEnrich
from tests.sandbox.bench import PATIENCE, Bench, run_fullenrich
from tests.sandbox.bulks import (
    BULK,
    MAIL,
    V1,
    V2,
    WORK,
    contact,
    finish,
    start,
)

# ---- keys, account, limit


@pytest.mark.parametrize("base", [V1, V2])
@pytest.mark.parametrize(
    ("header", "code", "message"),
    [
        (None, "error.authorization.not_set", "Authorization headers not set"),
        (KEY, "error.authorization.not_bearer", "Authorization headers do not have prefix 'bearer'"),
        ("Bearer other", "error.api.key", "Unknown api key"),
    ],
)
def test_the_three_401s(base: str, header: str | None, code: str, message: str) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        async with httpx.AsyncClient(base_url=bench.http.base_url, trust_env=False) as bare:
            headers = {"authorization": header} if header else {}
            for path in ("/account/keys/verify", "/account/credits", f"{BULK}/x"):
                answer = await bare.get(base + path, headers=headers)
                assert (answer.status_code, answer.json()) == (401, {"code": code, "message": message})

    run_fullenrich(scenario)


@pytest.mark.parametrize("base", [V1, V2])
def test_the_key_and_the_balance(base: str) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await bench.http.get(f"{base}/account/keys/verify")
        assert (answer.status_code, list(answer.json())) == (200, ["workspace_id"])
        assert (await bench.http.get(f"{base}/account/credits")).json() == {"balance": 4999.75}
        bench.vendor.rotate("new-key")
        for key in ("new-key", KEY):
            headers = {"authorization": f"bearer {key}"}
            assert (await bench.http.get(f"{base}/account/credits", headers=headers)).status_code == 200
        bench.vendor.retire(KEY)
        assert (await bench.http.get(f"{base}/account/credits")).status_code == 401

    run_fullenrich(scenario, credits="4999.75")


def test_sixty_calls_a_calendar_minute_for_all_endpoints_together() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.to_next_day()
        bench.clock.skip(58)
        for number in range(60):
            path = ("/account/credits", "/account/keys/verify", f"{BULK}/none")[number % 3]
            assert (await bench.http.get(V2 + path)).status_code in {200, 404}
        answer = await bench.http.post(V1 + BULK, json={})
        assert answer.status_code == 429
        assert answer.json() == {"code": "error.rate.limit", "message": "Too many requests. Try again in 1m"}
        assert "retry-after" not in answer.headers
        bench.clock.skip(2)
        assert (await bench.http.get(f"{V2}/account/credits")).status_code == 200

    run_fullenrich(scenario, speed=0.01)  # two seconds are enough for all calls


def test_switched_refusals() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        one = contact(bench.person(email=MAIL))
        bench.faults.on("fullenrich_retry_after", None, 9)
        bench.faults.on("fullenrich_limited")
        answer = await start(bench, one)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
        bench.faults.on("fullenrich_payment_required")
        assert (await start(bench, one)).status_code == 402
        bench.faults.on("fullenrich_no_id")
        assert (await start(bench, one)).json() == {}
        bench.faults.on("fullenrich_key_revoked", None)
        assert (await start(bench, one)).json()["code"] == "error.api.key"

    run_fullenrich(scenario)


def test_outside_of_the_api_every_path_is_a_web_page() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await bench.http.get("/v2/account/credits")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert (await bench.http.get(f"{V2}/contact/enrich")).status_code == 404

    run_fullenrich(scenario)


# ---- starting a bulk: what is refused

GOOD = {"linkedin_url": "https://www.linkedin.com/in/x", "enrich_fields": [WORK]}
NAMED = {"first_name": "Anna", "last_name": "Abel", "domain": "acme.example", "enrich_fields": [WORK]}
LITERAL = {
    "name.empty": "Enrichment name not set",
    "webhook_url": "Webhook URL must be start with http or https",
    "data.empty": "Data is empty",
    "first_name.empty": "First name cannot be empty",
    "last_name.empty": "Last name cannot be empty",
    "firstname.empty": "First name cannot be empty",
    "domain.empty": "Domain cannot be empty",
    "enrich_fields.empty": "enrichFields cannot be empty",
    "custom.key.exceeded": "Custom field contains too many keys (max: 10 keys)",
    "custom.value.exceeded": "Custom field value max len exceeded (max: 100 character)",
}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in NAMED.items() if name != key}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "", "data": [GOOD]}, "name.empty"),
        ({"data": [GOOD]}, "name.empty"),
        ({"name": "n", "data": []}, "data.empty"),
        ({"name": "n", "datas": [GOOD]}, "data.empty"),
        ({"name": "n", "data": [GOOD] * 101}, "data.exceeded"),
        ({"name": "n", "data": [GOOD], "webhook_url": "ftp://example.com"}, "webhook_url"),
        ({"name": "n", "data": [GOOD], "webhook_events": {"contact_finished": "example.com"}}, "webhook_url"),
        ({"name": "n", "data": [GOOD, without("first_name")]}, "first_name.empty"),
        ({"name": "n", "data": [without("last_name")]}, "last_name.empty"),
        ({"name": "n", "data": [without("domain")]}, "domain.empty"),
        ({"name": "n", "data": [{**GOOD, "domain": ""}]}, "domain.empty"),
        ({"name": "n", "data": [{**GOOD, "company_name": " "}]}, "domain.empty"),
        ({"name": "n", "data": [{**NAMED, "first_name": None}]}, "first_name.empty"),
        ({"name": "n", "data": [{**NAMED, "domain": "https://acme.example/contact"}]}, "domain.invalid"),
        ({"name": "n", "data": [{**NAMED, "linkedin_url": ""}]}, "linkedin_url.invalid"),
        ({"name": "n", "data": [{**GOOD, "linkedin_url": "https://example.com/in/x"}]}, "linkedin_url.invalid"),
        ({"name": "n", "data": [{**GOOD, "linkedin_url": "linkedin.com/in/x"}]}, "data.empty"),
        ({"name": "n", "data": [{**GOOD, "enrich_fields": []}]}, "enrich_fields.empty"),
        ({"name": "n", "data": [without("enrich_fields")]}, "enrich_fields.empty"),
        ({"name": "n", "data": [{**GOOD, "custom": {"a": 1}}]}, "custom.value.invalid"),
        ({"name": "n", "data": [{**GOOD, "custom": dict.fromkeys("abcdefghijk", "")}]}, "custom.key.exceeded"),
        ({"name": "n", "data": [{**GOOD, "custom": {"a": "x" * 101}}]}, "custom.value.exceeded"),
    ],
)
def test_a_bad_bulk_is_refused_as_a_whole(body: dict[str, Any], code: str) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await bench.http.post(V2 + BULK, json=body)
        assert (answer.status_code, set(answer.json())) == (400, {"code", "message"})
        assert answer.json()["code"] == f"error.enrichment.{code}"
        assert answer.json()["message"] == LITERAL.get(code, answer.json()["message"])
        assert bench.vendor.jobs.every() == []

    run_fullenrich(scenario)


def test_other_refusals() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await start(bench, {**GOOD, "enrich_fields": ["contact.emails"]})
        assert answer.json() == {
            "code": "error.enrichment.enrich_field.value",
            "message": "enrichField 'contact.emails' not valid must be contact.work_emails or contact.phones or "
            "contact.personal_emails",
        }
        for profile in ("https://www.linkedin.com/sales/lead/x", "https://www.linkedin.com/company/x"):
            answer = await start(bench, {**GOOD, "linkedin_url": profile})
            assert answer.json()["code"] == "error.linkedin.malformated"
        assert (await bench.http.post(V2 + BULK, content=b"{")).status_code == 400
        assert (await bench.http.post(V2 + BULK, json=[1])).status_code == 400
        assert (await start(bench, {**GOOD, "first_name": 7})).status_code == 400
        old = {"name": "n", "datas": [{"firstname": "Anna", "company_name": "C", "enrich_fields": ["contact.emails"]}]}
        assert (await bench.http.post(V1 + BULK, json=old)).json()["code"] == "error.enrichment.lastname.empty"
        new = {"name": "n", "data": [GOOD]}
        assert (await bench.http.post(V1 + BULK, json=new)).json()["code"] == "error.enrichment.data.empty"

    run_fullenrich(scenario)


def test_silent_fail_skips_bad_contacts_and_echoes_their_custom() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bad = {"first_name": "Anna", "last_name": "Abel", "enrich_fields": [WORK], "custom": {"id": "bad"}}
        result = await finish(bench, bad, contact(bench.person(email=MAIL)), query="?silentFail=true")
        skipped, good = result["data"]
        assert set(skipped) == {"input", "custom"}
        assert skipped["custom"] == {"id": "bad"}
        assert good["contact_info"]["most_probable_work_email"]["email"] == MAIL[0].value
        assert result["cost"] == {"credits": 1}
        wrong = await start(bench, {**GOOD, "enrich_fields": ["x"]}, query="?silentFail=true")
        assert wrong.status_code == 400

    run_fullenrich(scenario)


# ---- signatures and answers that go wrong


def test_signatures_that_are_not_as_they_should_be() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.vendor.rotate("new-key")
        one = contact(bench.person(email=MAIL))

        async def signature(fault: str | None) -> tuple[str | None, bytes]:
            if fault:
                bench.faults.on(f"fullenrich_signature_{fault}")
            await finish(bench, one)
            post = bench.receiver.posts[-1]
            return post.headers.get("x-signature-sha1"), post.body

        def right(body: bytes, key: str = "new-key") -> str:
            return hmac.new(key.encode(), body, hashlib.sha1).hexdigest()

        sent, body = await signature(None)
        assert sent == right(body)
        sent, body = await signature("old_key")
        assert sent == right(body, KEY)
        sent, body = await signature("upper")
        assert sent == right(body).upper()
        sent, body = await signature("prefixed")
        assert sent == f"sha1={right(body)}"
        sent, body = await signature("wrong")
        assert sent not in {right(body), right(body, KEY)}
        assert (await signature("missing"))[0] is None

    run_fullenrich(scenario)


def test_the_webhooks_may_come_before_the_answer() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_early")
        each = {"contact_finished": f"{bench.receiver.url}/each"}
        await start(bench, contact(bench.person(email=MAIL)), webhook_events=each)
        assert sorted(post.path for post in bench.receiver.posts) == ["/each", "/end"]

    run_fullenrich(scenario, speed=1.0)


@pytest.mark.parametrize("kind", ["error", "html", "garbled", "empty", "cut", "silent"])
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_spoilt_answer_says_nothing_about_what_was_done(kind: str, carried_out: bool) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on(f"fullenrich_{kind}_after" if carried_out else f"fullenrich_{kind}", param=503)
        bench.http.timeout = httpx.Timeout(PATIENCE, read=0.2 if kind == "silent" else PATIENCE)
        one = contact(bench.person(email=MAIL), WORK)
        if kind == "cut":
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await start(bench, one)
        elif kind == "silent":
            with pytest.raises(httpx.ReadTimeout):
                await start(bench, one)
        else:
            answer = await start(bench, one)
            assert answer.status_code == (503 if kind == "error" else 200)
        await bench.settled()
        assert bench.vendor.billed == Decimal(1 if carried_out else 0)
        assert len(bench.receiver.posts) == (1 if carried_out else 0)

    run_fullenrich(scenario)


@pytest.mark.parametrize(("kind", "status"), [("error", 502), ("html", 200), ("garbled", 200), ("empty", 200)])
def test_a_spoilt_result_can_be_asked_for_again(kind: str, status: int) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await start(bench, contact(bench.person(email=MAIL)))
        await bench.settled()
        url = f"{V2}{BULK}/{answer.json()['enrichment_id']}"
        bench.faults.on(f"fullenrich_result_{kind}")
        assert (await bench.http.get(url)).status_code == status
        assert (await bench.http.get(url)).json()["status"] == "FINISHED"

    run_fullenrich(scenario)


def test_every_fault_of_the_table_is_told_in_one_line() -> None:
    assert all(name.startswith("fullenrich_") and line and "\n" not in line for name, line in FAULTS.items())
