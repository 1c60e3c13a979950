"""The emulated FullEnrich over a real socket: what comes back in both versions, how jobs end, what is billed."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.fullenrich import KEY, FullEnrich
from syncd.sandbox.fullenrich_results import written
from syncd.sandbox.world import Find, World
from tests.sandbox.bench import Bench, run_fullenrich
from tests.sandbox.bulks import (
    BULK,
    LANDLINE,
    MAIL,
    MOBILE,
    PERSONAL,
    PHONES,
    V1,
    V2,
    WORK,
    contact,
    finish,
    result_of,
    start,
)

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
