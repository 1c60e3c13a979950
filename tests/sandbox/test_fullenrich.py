"""The emulated FullEnrich over a real socket: both versions, what is refused, what is billed, what comes back."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.fullenrich import FAULTS, KEY, FullEnrich
from syncd.sandbox.fullenrich_results import written
from syncd.sandbox.world import Find, Person, World
from tests.sandbox.bench import PATIENCE, Bench, run_fullenrich

MAIL = (Find("anna.abel@acme.example", "valid"),)
MOBILE = (Find("+33639981234", "valid", "FR", "mobile"),)
LANDLINE = (Find("+33199001234", "valid", "FR", "landline"),)
WORK, PHONES, PERSONAL = "contact.work_emails", "contact.phones", "contact.personal_emails"
V1, V2 = "/api/v1", "/api/v2"
BULK = "/contact/enrich/bulk"


def contact(person: Person, *fields: str, **more: Any) -> dict[str, Any]:
    return {
        "linkedin_url": person.linkedin_url,
        "enrich_fields": list(fields or (WORK, PHONES)),
        "custom": {"id": person.key},
        **more,
    }


async def start(bench: Bench[FullEnrich], *contacts: dict[str, Any], query: str = "", **more: Any) -> httpx.Response:
    body = {"name": "bulk", "webhook_url": f"{bench.receiver.url}/end", "data": contacts, **more}
    return await bench.http.post(f"{V2}{BULK}{query}", json=body)


async def finish(bench: Bench[FullEnrich], *contacts: dict[str, Any], query: str = "", **more: Any) -> dict[str, Any]:
    """The result, by GET, of a bulk that was run to its end."""
    answer = await start(bench, *contacts, query=query, **more)
    assert answer.status_code == 200, answer.text
    await bench.settled()
    result = await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")
    return dict(result.json())


def result_of(*faults: str, fields: tuple[str, ...] = (WORK, PHONES), **finds: tuple[Find, ...]) -> dict[str, Any]:
    """The result of a bulk of one while such faults are on."""
    result: dict[str, Any] = {}

    async def scenario(bench: Bench[FullEnrich]) -> None:
        for fault in faults:
            bench.faults.add(fault)
        result.update(await finish(bench, contact(bench.person(**finds), *fields)))

    run_fullenrich(scenario)
    return result


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

    run_fullenrich(scenario, speed=1.0)


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


# ---- results


def test_a_result_has_the_documented_shape_and_the_webhook_says_the_same_signed() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        person = bench.person(email=(*MAIL, Find("a.abel@acme.example", "invalid")), phone=MOBILE)
        one = contact(person, first_name="Anna", last_name="Abel", domain="acme.example")
        result = await finish(bench, one)
        (post,) = bench.receiver.posts
        assert post.path == "/end"
        assert post.json() == result
        expected = hmac.new(KEY.encode(), post.body, hashlib.sha1).hexdigest()
        assert post.headers["x-signature-sha1"] == expected
        assert (result["name"], result["status"], result["cost"]) == ("bulk", "FINISHED", {"credits": 11})
        (item,) = result["data"]
        assert item["input"] == {
            "first_name": "Anna",
            "last_name": "Abel",
            "full_name": "Anna Abel",
            "company_domain": "acme.example",
            "company_name": "",
            "professional_network_url": person.linkedin_url,
        }
        assert item["custom"] == {"id": person.key}
        assert item["contact_info"] == {
            "most_probable_work_email": {"email": "anna.abel@acme.example", "status": "DELIVERABLE"},
            "most_probable_personal_email": None,
            "most_probable_phone": {"number": "+33 6 39 98 12 34", "region": "FR"},
            "work_emails": [
                {"email": "anna.abel@acme.example", "status": "DELIVERABLE"},
                {"email": "a.abel@acme.example", "status": "INVALID"},
            ],
            "personal_emails": [],
            "phones": [{"number": "+33 6 39 98 12 34", "region": "FR"}],
        }
        assert item["profile"]["employment"]["current"]["start_at"] == "2024-01-01T00:00:00.000Z"
        assert bench.money() == (9_989, 0, 11)
        assert [(bill.kind, int(bill.credits)) for bill in bench.vendor.bills] == [("work_email", 1), ("phone", 10)]

    run_fullenrich(scenario)


def test_v1_speaks_its_own_words() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        person = bench.person(email=MAIL, phone=MOBILE)
        fields = ["contact.emails", "contact.phones"]
        names = {"firstname": person.first_name, "lastname": person.last_name, "company_name": person.company}
        contacts = [
            {**names, "enrich_fields": fields, "custom": {"id": "1"}},
            {"linkedin_url": "https://www.linkedin.com/in/nobody", "enrich_fields": fields},
            {**names, "linkedin_url": "https://www.linkedin.com/sales/lead/x", "enrich_fields": fields},
        ]
        body = {"name": "old", "webhook_url": f"{bench.receiver.url}/end", "datas": contacts}
        assert (await bench.http.post(V1 + BULK, json=body)).json()["code"] == "error.linkedin.malformated"
        answer = await bench.http.post(f"{V1}{BULK}?checkLinkedinUrl=false", json=body)
        await bench.settled()
        (post,) = bench.receiver.posts
        result = post.json()
        assert (await bench.http.get(f"{V1}{BULK}/{answer.json()['enrichment_id']}")).json() == result
        assert (await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")).status_code == 404
        found, nothing, skipped = result["datas"]
        assert found["custom"] == {"id": "1"}
        assert found["contact"]["most_probable_email"] == MAIL[0].value
        assert found["contact"]["most_probable_email_status"] == "DELIVERABLE"
        assert found["contact"]["most_probable_phone"] == "+33 6 39 98 12 34"
        assert found["contact"]["emails"] == [{"email": MAIL[0].value, "status": "DELIVERABLE"}]
        assert nothing["contact"]["most_probable_phone"] == nothing["contact"]["most_probable_email_status"] == ""
        assert nothing["contact"]["emails"] == nothing["contact"]["phones"] == []
        assert "contact" not in skipped

    run_fullenrich(scenario)


@pytest.mark.parametrize(
    ("status", "word", "credits"),
    [
        ("valid", "DELIVERABLE", 1),
        ("probable", "HIGH_PROBABILITY", 1),
        ("catch_all", "CATCH_ALL", 1),
        ("invalid", "INVALID", 0),
    ],
)
def test_email_statuses_and_what_they_cost(status: str, word: str, credits: int) -> None:  # noqa: A002
    result = result_of(fields=(WORK,), email=(Find("a@acme.example", status),))
    info = result["data"][0]["contact_info"]
    assert info["work_emails"] == [{"email": "a@acme.example", "status": word}]
    assert info["most_probable_work_email"] == (info["work_emails"][0] if credits else None)
    assert result["cost"] == {"credits": credits}


def test_the_most_probable_email_is_the_least_likely_to_bounce() -> None:
    result = result_of(email=(Find("c@acme.example", "catch_all"), Find("p@acme.example", "probable")))
    assert result["data"][0]["contact_info"]["most_probable_work_email"]["email"] == "p@acme.example"


def test_personal_emails_cost_three_and_landlines_nothing() -> None:
    result = result_of(fields=(PERSONAL, PHONES), personal_email=(Find("a@private.test", "valid"),), phone=LANDLINE)
    assert result["cost"] == {"credits": 3}
    info = result["data"][0]["contact_info"]
    assert info["most_probable_personal_email"]["email"] == "a@private.test"
    assert info["phones"] == [{"number": "+33 1 99 00 12 34", "region": "FR"}]
    assert info["work_emails"] == []


@pytest.mark.parametrize(
    ("shape", "info"),
    [
        ("absent", {"most_probable_phone": None}),
        ("null", {"most_probable_work_email": None, "most_probable_phone": None, "work_emails": [], "phones": []}),
        ("empty", {"most_probable_work_email": {"email": "", "status": ""}, "work_emails": [], "phones": []}),
    ],
)
def test_nothing_found_has_three_shapes(shape: str, info: dict[str, Any]) -> None:
    result = result_of(f"fullenrich_nothing_shape:*:{shape}")
    told = result["data"][0]["contact_info"]
    assert {key: told[key] for key in info} == info
    assert shape != "absent" or told == info
    assert result["cost"] == {"credits": 0}


@pytest.mark.parametrize(
    ("fault", "number"),
    [("spaced", "+33 6 39 98 12 34"), ("dashed", "+33 6-39-98-12-34"), ("e164", "+33639981234")],
)
def test_phones_are_written_in_several_ways(fault: str, number: str) -> None:
    result = result_of(f"fullenrich_phone_form:*:{fault}", "fullenrich_phone_no_region:*", phone=MOBILE)
    assert result["data"][0]["contact_info"]["most_probable_phone"] == {"number": number, "region": None}


def test_other_countries_numbers() -> None:
    assert written("+12125550123", "spaced") == "+1 212-555-0123"
    assert written("+447700900123", "spaced") == "+44 7700 900123"
    assert written("+4930", "spaced") == "+4930"


@pytest.mark.parametrize(
    ("fault", "path", "value"),
    [
        ("fullenrich_phone_details:*", "contact_info.most_probable_phone.line_type", "MOBILE"),
        ("fullenrich_odd_status:1:PROBABLY_VALID", "contact_info.work_emails.0.status", "PROBABLY_VALID"),
        ("fullenrich_unasked:*", "contact_info.personal_emails.0.email", "unasked@private.test"),
        ("fullenrich_bad_dates:*", "profile.employment.all.0.start_at", "2024-1-0T00:00:00.000Z"),
        ("fullenrich_bad_dates:*", "profile.employment.current", {"title": "Head of Sales"}),
        ("fullenrich_several", "contact_info.phones.1.number", "+44 7700 900987"),
    ],
)
def test_odd_contacts(fault: str, path: str, value: object) -> None:
    told: Any = None

    async def scenario(bench: Bench[FullEnrich]) -> None:
        nonlocal told
        bench.faults.add(fault)
        await start(bench, contact(bench.person(email=MAIL, phone=MOBILE)))
        await bench.settled()
        told = bench.receiver.posts[0].json()["data"][0]

    run_fullenrich(scenario)
    for step in path.split("."):
        told = told[int(step) if step.isdigit() else step]
    assert told == value


def test_odd_envelopes() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        contacts = [contact(bench.person(number, email=MAIL), WORK) for number in range(5)]
        keys = [one["custom"]["id"] for one in contacts]
        answer = await start(bench, *contacts)
        await bench.settled()

        async def get(*faults: str) -> dict[str, Any]:
            for fault in faults:
                bench.faults.add(fault)
            return dict((await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")).json())

        def told(result: dict[str, Any]) -> list[Any]:
            return [item.get("custom", {}).get("id") for item in result["data"]]

        assert told(await get()) == keys
        shuffled = told(await get("fullenrich_shuffled"))
        assert shuffled != keys
        assert sorted(shuffled) == sorted(keys)
        assert len(told(await get("fullenrich_short"))) == 4
        assert told(await get("fullenrich_extra")) == [*keys, None]
        assert told(await get("fullenrich_no_custom")) == [None] * 5
        assert (await get("fullenrich_odd_cost"))["cost"] == {"credits": -1}
        assert (await get('fullenrich_odd_cost:1:"5"'))["cost"] == {"credits": "5"}
        assert "cost" not in await get("fullenrich_no_cost:*")

    run_fullenrich(scenario)


def test_a_strangers_result_is_told_under_the_right_custom_and_billed() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        other = bench.person(1, email=(Find("somebody@else.example", "valid"),))
        for person in bench.world.people:
            if person is not other:
                person.finds.clear()
        bench.faults.on("fullenrich_stranger")
        asked = bench.person(0, email=MAIL)
        result = await finish(bench, contact(asked, WORK))
        (item,) = result["data"]
        assert item["custom"] == {"id": asked.key}
        assert item["input"]["professional_network_url"] == other.linkedin_url
        assert item["contact_info"]["most_probable_work_email"]["email"] == "somebody@else.example"
        assert result["cost"] == {"credits": 1}

    run_fullenrich(scenario)


# ---- while it runs, and how it ends


def test_an_unfinished_job_is_a_400_or_a_200_and_can_be_forced() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await start(bench, contact(bench.person(email=MAIL)))
        url = f"{V2}{BULK}/{answer.json()['enrichment_id']}"
        running = await bench.http.get(url)
        assert running.status_code == 400
        assert running.json() == {
            "code": "error.enrichment.in_progress",
            "message": "Enrichment not ready, try again in 30 seconds",
        }
        forced = (await bench.http.get(f"{url}?forceResults=true")).json()
        assert (forced["status"], forced["cost"]) == ("IN_PROGRESS", {"credits": 0})
        assert forced["data"][0]["contact_info"]["work_emails"] == []
        bench.faults.on("fullenrich_in_progress_200", None)
        running = await bench.http.get(url)
        assert running.status_code == 200
        assert (running.json()["status"], "data" in running.json()) == ("IN_PROGRESS", False)
        bench.faults.on("fullenrich_result_status")
        assert (await bench.http.get(url)).json()["status"] == "RATE_LIMIT"
        bench.clock.skip(90)
        await bench.settled()
        assert (await bench.http.get(url)).json()["status"] == "FINISHED"
        bench.faults.on("fullenrich_result_lost")
        assert (await bench.http.get(url)).status_code == 404
        bench.clock.skip(91 * 86_400)
        gone = await bench.http.get(url)
        assert (gone.status_code, gone.json()["message"]) == (404, "Enrichment ID not found")

    run_fullenrich(scenario, speed=1.0)


def test_a_hundred_contacts_at_once_the_rest_waits_its_turn() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        one = contact(bench.person(email=MAIL), WORK)
        first = await start(bench, *[one] * 100)
        second = await start(bench, one)
        jobs = {job.id: job for job in bench.vendor.jobs.every()}
        busy, waiting = jobs[first.json()["enrichment_id"]], jobs[second.json()["enrichment_id"]]
        assert {item.starts_at for item in busy.items} == {busy.items[0].starts_at}
        assert all(30 <= item.ends_at - item.starts_at <= 90 for item in busy.items)
        assert waiting.items[0].starts_at == min(item.ends_at for item in busy.items)
        assert waiting.status(bench.clock.now()) == "CREATED"
        await bench.settled()
        assert len(bench.receiver.posts) == 2
        assert bench.vendor.billed == 101  # not even within one bulk is a repetition free

    run_fullenrich(scenario, speed=600.0)


def test_each_finished_contact_is_told_in_an_envelope_of_its_own() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        contacts = [contact(bench.person(number, email=MAIL), WORK) for number in range(3)]
        await start(bench, *contacts, webhook_events={"contact_finished": f"{bench.receiver.url}/each"})
        await bench.settled()
        each = [post for post in bench.receiver.posts if post.path == "/each"]
        assert len(each) == 3
        assert {post.json()["status"] for post in each} == {"IN_PROGRESS"}
        assert sorted(post.json()["data"][0]["custom"]["id"] for post in each) == sorted(
            one["custom"]["id"] for one in contacts
        )
        assert all(len(post.json()["data"]) == 1 for post in each)
        assert [post.json()["status"] for post in bench.receiver.posts if post.path == "/end"] == ["FINISHED"]

    run_fullenrich(scenario)


@pytest.mark.parametrize("scripted", [False, True])
def test_running_out_of_credits_keeps_what_was_paid_for(scripted: bool) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        if scripted:
            bench.faults.on("fullenrich_out_of_credits", param=2)
        contacts = [contact(bench.person(number, phone=MOBILE), PHONES) for number in range(5)]
        answer = await start(bench, *contacts)
        await bench.settled()
        result = await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")
        assert result.status_code == 402
        body = result.json()
        assert (body["status"], body["cost"]) == ("CREDITS_INSUFFICIENT", {"credits": 20})
        best = [item["contact_info"]["most_probable_phone"] for item in body["data"]]
        assert (len(best), best.count(None)) == (5, 3)
        assert bench.receiver.posts[0].json() == body
        assert bench.vendor.billed == 20
        assert bench.vendor.balance >= 0

    run_fullenrich(scenario, credits=1_000 if scripted else 25)


@pytest.mark.parametrize("after", [0, 2])
def test_a_canceled_job_keeps_what_was_found(after: int) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_canceled", param=after)
        result = await finish(bench, *(contact(bench.person(number, email=MAIL), WORK) for number in range(4)))
        assert (result["status"], result["cost"]) == ("CANCELED", {"credits": after})

    run_fullenrich(scenario)


def test_cancelling_from_outside() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        await start(bench, contact(bench.person(email=MAIL)))
        bench.vendor.jobs.cancel(bench.vendor.jobs.every()[0])
        bench.clock.skip(90)
        await bench.settled()
        assert [post.json()["status"] for post in bench.receiver.posts] == ["CANCELED"]
        assert bench.vendor.billed == 0

    run_fullenrich(scenario, speed=1.0)


def test_other_ends() -> None:
    assert result_of("fullenrich_end_status", email=MAIL)["status"] == "UNKNOWN"
    assert result_of("fullenrich_end_status:1:FAKE_ENRICH", email=MAIL)["status"] == "FAKE_ENRICH"
    assert result_of("fullenrich_stuck", email=MAIL)["code"] == "error.enrichment.in_progress"
    assert result_of("fullenrich_nothing", email=MAIL)["cost"] == {"credits": 0}


# ---- history


def test_the_same_input_within_three_months_is_free_and_a_new_job() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        one = contact(bench.person(email=MAIL, phone=MOBILE), WORK)
        ids = set()

        async def cost(**more: Any) -> int:
            result = await finish(bench, {**one, **more})
            ids.add(result["id"])
            assert result["data"][0]["contact_info"]["work_emails"]
            return int(result["cost"]["credits"])

        assert await cost() == 1
        assert await cost(custom={"id": "another"}) == 0
        assert await cost(enrich_fields=[WORK, PHONES]) == 10
        assert await cost(linkedin_url=f"{one['linkedin_url']}/") == 1
        assert bench.vendor.bills[1].reason == "history"
        bench.clock.skip(91 * 86_400)
        assert await cost() == 1
        assert len(ids) == 5

    run_fullenrich(scenario)


def test_concurrent_jobs_do_not_know_each_other() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        one = contact(bench.person(email=MAIL), WORK)
        await start(bench, one)
        await start(bench, one)
        bench.clock.skip(90)
        await bench.settled()
        assert bench.vendor.billed == 2

    run_fullenrich(scenario, speed=1.0)


def test_a_test_contact_costs_nothing() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        for cost in (0, 1):  # the second is not written in exactly that way
            person = bench.person(cost, email=MAIL)
            result = await finish(bench, contact(person, WORK))
            assert result["cost"] == {"credits": cost}
            assert result["data"][0]["contact_info"]["work_emails"]

    first = next(one.linkedin_url for one in World(7, 60, SandboxClock()).people if one.linkedin_url)
    run_fullenrich(scenario, free=[("", "", "", "", first)])


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
