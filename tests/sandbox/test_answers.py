"""Whom an answer names: the person found, in the shapes that the vendors document."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncd.sandbox.fullenrich import FullEnrich
from syncd.sandbox.people import EMAIL as EMAIL_FIELD
from syncd.sandbox.people import PHONE as PHONE_FIELD
from syncd.sandbox.world import Find, Person
from syncd.sandbox.zeliq import Zeliq
from syncd.sandbox.zeliq_results import DEAR, DEAR_SHARE, Results
from tests.sandbox.bench import Bench, run_fullenrich, run_zeliq
from tests.sandbox.bulks import BULK, MAIL, MOBILE, PHONES, V1, V2, WORK, contact, finish, start
from tests.sandbox.questions import CALL, EMAIL, PHONE, ask
from tests.sandbox.questions import MAIL as VALID

NEW, OLD = "https://www.linkedin.com/in/rob-new", "https://www.linkedin.com/in/rob-old"
# Keys of FullEnrich's v2 `profile`, as its OpenAPI document has them.
PROFILE = {"id", "full_name", "first_name", "last_name", "headline", "description", "location", "social_profiles",
           "educations", "languages", "skills", "employment"}  # fmt: skip
POST = {"title", "seniority", "job_functions", "description", "company", "is_current", "start_at", "end_at"}
COMPANY = {"name", "domain", "website", "headcount", "headcount_range", "industry", "locations", "logo_url"}
# Keys of v1's `contact.profile`, as seen in public code.
OLD_PROFILE = {"linkedin_id", "linkedin_url", "linkedin_handle", "firstname", "lastname", "sales_navigator_id",
               "premium_account", "summary", "headline", "location", "position"}  # fmt: skip
OLD_CONTACT = {"firstname", "lastname", "domain", "most_probable_email", "most_probable_email_status",
               "most_probable_personal_email", "most_probable_personal_email_status", "most_probable_phone", "emails",
               "personal_emails", "phones", "social_medias"}  # fmt: skip


def add(bench: Bench[Any], **more: Any) -> Person:
    """Somebody whom every vendor finds, under other words as well."""
    person = Person("x1", "Robert", "Vandenberg", "Zenith", "zenith.example", NEW, "GB")
    person.emails, person.phones = ("robert@zenith.example",), ("+447700900001",)
    for name, value in more.items():
        setattr(person, name, value)
    for vendor in ("zeliq", "fullenrich"):
        person.finds = {**person.finds, (vendor, EMAIL_FIELD): VALID, (vendor, PHONE_FIELD): CALL}
    bench.world._directory.add(person)
    return person


# --- FullEnrich ---


def bulk_of(asked: dict[str, Any], version: str = V2, **person: Any) -> dict[str, Any]:
    """The only contact of a result about somebody asked for like that."""
    told: dict[str, Any] = {}

    async def scenario(bench: Bench[FullEnrich]) -> None:
        add(bench, **person)
        body = {"name": "bulk", "webhook_url": f"{bench.receiver.url}/end"}
        if version == V1:
            one = {**asked, "enrich_fields": ["contact.emails"], "custom": {"id": "1"}}
            answer = await bench.http.post(V1 + BULK, json={**body, "datas": [one]})
        else:
            answer = await start(bench, {**asked, "enrich_fields": [WORK], "custom": {"id": "1"}})
        assert answer.status_code == 200, answer.text
        await bench.settled()
        told.update(bench.receiver.posts[0].json()["datas" if version == V1 else "data"][0])

    run_fullenrich(scenario)
    return told


def test_the_profile_of_v2_has_the_documented_shape() -> None:
    item = bulk_of({"linkedin_url": NEW})
    profile = item["profile"]
    assert set(profile) == PROFILE
    assert set(profile["location"]) == {"country", "country_code", "city", "region"}
    network = profile["social_profiles"]["professional_network"]
    assert set(network) == {"id", "url", "handle", "connection_count"}
    assert isinstance(network["id"], int)
    assert network["handle"] == "rob-new"
    (post,) = profile["employment"]["all"]
    assert set(post) == POST
    assert set(post["company"]) == COMPANY
    assert profile["employment"]["current"] == post
    assert set(profile["languages"][0]) == {"language", "proficiency"}
    assert (profile["first_name"], profile["last_name"]) == ("Robert", "Vandenberg")
    assert profile["full_name"] == "Robert Vandenberg"


@pytest.mark.parametrize(
    "asked",
    [
        {"first_name": "Bob", "last_name": "van den Berg", "domain": "zenith.example"},
        {"first_name": "Vandenberg", "last_name": "Robert", "company_name": "Zenith"},
        {"first_name": "Robert", "last_name": "Vandenberg", "domain": "before.example"},
        {"linkedin_url": OLD},
        {
            "linkedin_url": NEW,
            "first_name": "Ann",
            "last_name": "Else",
            "domain": "else.example",
        },
    ],
)
def test_input_is_as_asked_and_the_profile_as_it_is_true(asked: dict[str, str]) -> None:
    item = bulk_of(
        asked,
        also_named=(("Bob", "van den Berg"),),
        former=("Before", "before.example"),
        former_profile=OLD,
    )
    echo = {"domain": "company_domain", "linkedin_url": "professional_network_url"}
    assert {item["input"][echo.get(name, name)] for name in asked} == set(asked.values())
    assert item["profile"]["full_name"] == "Robert Vandenberg"
    assert item["profile"]["social_profiles"]["professional_network"]["url"].endswith("/rob-new")
    now, before = item["profile"]["employment"]["all"]
    assert [post["company"]["domain"] for post in (now, before)] == ["zenith.example", "before.example"]
    assert [post["is_current"] for post in (now, before)] == [True, False]


def test_there_is_no_profile_of_nobody_and_none_without_an_address() -> None:
    name = {"first_name": "Robert", "last_name": "Vandenberg", "domain": "zenith.example"}
    assert "profile" in bulk_of(name)
    assert "profile" not in bulk_of(name, linkedin_url=None)
    assert "profile" not in bulk_of({**name, "first_name": "Rosa"})


def test_v1_tells_the_profile_within_the_contact() -> None:
    item = bulk_of({"linkedin_url": NEW}, V1)
    told = item["contact"]
    assert set(told) == {*OLD_CONTACT, "profile"}
    assert (told["firstname"], told["lastname"], told["domain"]) == ("Robert", "Vandenberg", "zenith.example")
    assert set(told["profile"]) == OLD_PROFILE
    assert told["profile"]["linkedin_handle"] == "rob-new"
    assert told["profile"]["position"]["start_at"] == {"month": 1, "year": 2024}
    asked = {"firstname": "Bob", "lastname": "Vandenberg", "domain": "zenith.example"}
    told = bulk_of(asked, V1, also_named=(("Bob", "Vandenberg"),))["contact"]
    assert (told["firstname"], told["profile"]["firstname"]) == ("Bob", "Robert")
    assert told["social_medias"] == [{"url": NEW, "type": "LINKEDIN"}]


@pytest.mark.parametrize(("param", "kept"), [("", 1), ("3", 3), ("9", 5)])
def test_a_final_webhook_may_lack_contacts_that_get_tells(param: str, kept: int) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_short_final", None, param)
        result = await finish(bench, *(contact(bench.person(number, email=MAIL), WORK) for number in range(5)))
        (post,) = bench.receiver.posts
        assert (len(post.json()["data"]), len(result["data"])) == (kept, 5)
        assert post.json()["status"] == result["status"] == "FINISHED"
        assert post.json()["cost"] == result["cost"] == {"credits": 5}

    run_fullenrich(scenario)


def test_events_of_contacts_go_to_their_own_address_and_are_never_short() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_short_final")
        events = {"contact_finished": f"{bench.receiver.url}/each"}
        await finish(bench, *(contact(bench.person(n, phone=MOBILE), PHONES) for n in range(3)), webhook_events=events)
        paths = [post.path for post in bench.receiver.posts]
        assert (paths.count("/each"), paths.count("/end")) == (3, 1)

    run_fullenrich(scenario)


@pytest.mark.parametrize("version", [V1, V2])
def test_the_key_tells_its_workspace(version: str) -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        answer = await bench.http.get(f"{version}/account/keys/verify")
        assert (answer.status_code, answer.json()) == (200, {"workspace_id": bench.vendor.workspace})

    run_fullenrich(scenario)


# --- Zeliq ---


def callback_about(path: str, person: dict[str, Any], **asked: str) -> dict[str, Any]:
    told: dict[str, Any] = {}

    async def scenario(bench: Bench[Zeliq]) -> None:
        add(bench, **person)
        body = {**asked, "callback_url": f"{bench.receiver.url}/z"}
        assert (await bench.http.post(path, json=body)).status_code == 202
        await bench.settled()
        told.update(bench.receiver.posts[0].json()["contact"])

    run_zeliq(scenario)
    return told


@pytest.mark.parametrize(
    "asked",
    [
        {"linkedin_url": OLD},
        {"first_name": "Bob", "last_name": "Vandenberg", "domain": "zenith.example"},
        {"first_name": "Robert", "last_name": "Vandenberg", "company": "before.example"},
    ],
)
def test_an_email_comes_with_the_true_person(asked: dict[str, str]) -> None:
    person = {
        "also_named": (("Bob", "Vandenberg"),),
        "former": ("Before", "before.example"),
        "former_profile": OLD,
    }
    told = callback_about(EMAIL, person, **asked)
    true = {"first_name": "Robert", "last_name": "Vandenberg", "domain": "zenith.example"}
    assert {name: told[name] for name in true} == true
    assert told["linkedin_url"] == NEW


@pytest.mark.parametrize(
    ("asked", "email"),
    [
        ({"linkedin_url": OLD}, "robert@zenith.example"),
        ({"email": "rob@mail.example"}, "rob@mail.example"),
    ],
)
def test_a_phone_comes_with_profile_and_mailbox(asked: dict[str, str], email: str) -> None:
    person = {
        "former_profile": OLD,
        "emails": ("robert@zenith.example", "rob@mail.example"),
    }
    told = callback_about(PHONE, person, **asked)
    assert set(told) == {"linkedin_url", "email", "most_probable_phone", "phones"}
    assert (told["linkedin_url"], told["email"]) == (NEW, email)


def test_a_few_phones_cost_fifteen_always_the_same_ones_and_no_email_does() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        results: Results = bench.vendor._results
        people = [Person(f"q{n}", "A", "B", "C", "c.example", None, "GB") for n in range(2000)]
        costs = [results._price("phone", person, Decimal(10)) for person in people]
        assert set(costs) == {Decimal(10), DEAR}
        assert costs.count(DEAR) == pytest.approx(2000 * DEAR_SHARE, rel=0.4)
        assert costs == [results._price("phone", person, Decimal(10)) for person in people]
        assert {results._price("email", person, Decimal(1)) for person in people} == {Decimal(1)}
        dear = people[costs.index(DEAR)]
        result = results.write("phone", {}, dear, Decimal(10))
        assert result.charge == result.body["credit_used"] == 0  # nothing is found

    run_zeliq(scenario)


def test_a_dear_phone_is_told_and_billed() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        names = (f"q{n}" for n in range(2000))
        price = bench.vendor._results._price
        key = next(one for one in names if price("phone", Person(one, "", "", "", "", None, ""), Decimal(10)) == DEAR)
        add(bench, key=key)
        await bench.http.post(
            PHONE,
            json={"linkedin_url": NEW, "callback_url": f"{bench.receiver.url}/z"},
        )
        await bench.settled()
        assert bench.receiver.posts[0].json()["credit_used"] == 15
        assert bench.money() == (9_985, 0, 15)

    run_zeliq(scenario)


@pytest.mark.parametrize(
    ("fault", "sent", "refused"),
    [
        ("", {"callbackUrl"}, None),
        ("", {"callback_url"}, None),
        ("", {"callbackUrl", "callback_url"}, None),
        ("zeliq_only_callback_url", {"callback_url"}, None),
        ("zeliq_only_callback_url", {"callbackUrl"}, "callbackUrl"),
        ("zeliq_only_callback_url", {"callbackUrl", "callback_url"}, "callbackUrl"),
        ("zeliq_only_callbackUrl", {"callbackUrl"}, None),
        ("zeliq_only_callbackUrl", {"callback_url"}, "callback_url"),
        ("zeliq_only_callbackUrl", {"callbackUrl", "callback_url"}, "callback_url"),
    ],
)
def test_names_of_the_callbacks_address(fault: str, sent: set[str], refused: str | None) -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        if fault:
            bench.faults.on(fault, None)
        body = {"linkedin_url": bench.person(email=VALID).linkedin_url}
        answer = await bench.http.post(EMAIL, json={**body, **dict.fromkeys(sent, f"{bench.receiver.url}/z")})
        if refused is None:
            assert answer.status_code == 202
            await bench.settled()
            assert len(bench.receiver.posts) == 1
            return
        message = f"property {refused} should not exist"
        assert (answer.status_code, answer.json()) == (
            400,
            {"statusCode": 400, "error": "VALIDATION_FAILED", "message": message},
        )
        assert bench.vendor.bills == []

    run_zeliq(scenario)


# --- what the judge is told of answers ---


def test_bills_say_what_was_asked_and_told_and_whether_it_was_heard() -> None:
    async def scenario(bench: Bench[Zeliq]) -> None:
        person = bench.person(email=VALID)
        bench.faults.on("zeliq_callback_never")
        await ask(bench, person)
        await ask(bench, person)
        bench.faults.on("zeliq_stranger")
        await ask(bench, person)
        await bench.settled()
        bills = bench.vendor.bills
        assert [bill.person == person.key for bill in bills].count(True) == 2
        assert [bill.astray for bill in bills].count(True) == 1
        plain = [bill for bill in bills if not bill.astray]
        assert all(bill.told == VALID and bill.asked == {"linkedin_url": person.linkedin_url} for bill in plain)
        assert len({bill.job for bill in bills} - bench.vendor.heard()) == 1

    run_zeliq(scenario)


def test_a_bulk_is_heard_by_webhook_or_by_get() -> None:
    async def scenario(bench: Bench[FullEnrich]) -> None:
        bench.faults.on("fullenrich_webhook_never")
        answer = await start(bench, contact(bench.person(email=MAIL), WORK))
        await bench.settled()
        assert bench.vendor.heard() == set()
        await bench.http.get(f"{V2}{BULK}/{answer.json()['enrichment_id']}")
        assert bench.vendor.heard() == {answer.json()["enrichment_id"]}
        (bill,) = bench.vendor.bills
        assert (bill.told, bill.astray, set(bill.asked)) == (MAIL, False, {"linkedin_url"})

    run_fullenrich(scenario)


def test_unusable_finds_are_told_and_billed_like_others() -> None:
    masked = Find("a***@zenith.example", "valid", usable=False)

    async def scenario(bench: Bench[Zeliq]) -> None:
        await ask(bench, bench.person(email=(masked, *VALID)))
        await bench.settled()
        body = bench.receiver.posts[0].json()
        assert (body["credit_used"], body["contact"]["most_probable_email"]) == (1, masked.value)
        assert [one["email"] for one in body["contact"]["emails"]] == [masked.value, VALID[0].value]

    run_zeliq(scenario)
