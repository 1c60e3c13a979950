"""This one now: a checkbox in the CRM, and `POST /api/enrich`. First in the queue, by all other rules."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from syncd.config import Budget
from syncd.contract.errors import Retry
from syncd.contract.model import ContactRef
from syncd.ledger import suppressions
from syncd.ledger.requests import FIRST, Ticked, answered, cleared, hurry, jobs_of
from syncd.people import suppression
from syncd.pipeline import requests
from syncd.web.private import application

from .by_hand import EMPTY, Tables, Where
from .conftest import Build
from .harness import EMAIL, PHONE, Harness

MAIL, BOX = "ada@acme.example.com", "syncd_request"


def boxed(build: Build, **wishes: Any) -> Harness:
    """A harness whose sync knows a checkbox."""
    harness = build(**wishes)
    harness.crm.made = {BOX}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, request=BOX),)))
    harness.recover()
    return harness


def tick(harness: Harness, contact: str) -> None:
    harness.crm.edit(contact, BOX, "true")


def priorities(harness: Harness) -> dict[str, int]:
    return dict(harness.sql("SELECT ext_id, priority FROM job JOIN contact ON contact.id = contact_id"))


def clear(harness: Harness) -> int:
    return harness.run(requests.clear(harness.parts, harness.sync))


def test_who_is_ticked_is_asked_first_and_cleared_once_done(build: Build) -> None:
    harness = boxed(build, fields={EMAIL: ["ann"]})
    first, ada = harness.person("Bo"), harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.pull()
    harness.plan()
    tick(harness, ada)
    harness.clock.time += 60
    harness.pull()
    harness.plan()
    assert priorities(harness) == {first: 0, ada: 2}
    assert clear(harness) == 0, "nothing is decided yet"
    harness.dispatch()
    assert harness.fake.submitted[0].requests[0].ref == harness.ref(ada)
    harness.answer_all()
    harness.finish()
    harness.writeback()
    assert (harness.held(ada), harness.held(ada, BOX)) == (MAIL, "false")
    assert harness.sql("SELECT requested FROM contact WHERE ext_id = ?", ada) == [(0,)]


def test_a_box_is_cleared_whatever_came_of_it_and_can_be_ticked_again(build: Build) -> None:
    harness = boxed(build, fields={EMAIL: ["ann"]})
    ada = harness.person()
    tick(harness, ada)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.reason(ada) == "not_found"
    assert (clear(harness), harness.held(ada, BOX)) == (1, "false")
    assert clear(harness) == 0
    tick(harness, ada)
    harness.clock.time += 60
    harness.pull()
    harness.plan()
    assert (clear(harness), harness.held(ada, BOX)) == (1, "false")
    assert len(harness.fake.submitted) == 1, "a miss that counts is not bought again"


def test_who_lacks_nothing_is_cleared_at_once(build: Build) -> None:
    harness = boxed(build, fields={EMAIL: ["ann"]})
    ada = harness.person(email="typed@acme.example.com")
    tick(harness, ada)
    harness.pull()
    harness.plan()
    assert (clear(harness), harness.held(ada, BOX), harness.held(ada)) == (1, "false", "typed@acme.example.com")


def test_a_crm_that_is_away_is_asked_again(build: Build) -> None:
    harness = boxed(build, fields={EMAIL: ["ann"]})
    ada = harness.person(email="typed@acme.example.com")
    tick(harness, ada)
    harness.pull()
    harness.plan()
    harness.crm.fail("write", Retry("HTTP 503"))
    assert (clear(harness), harness.held(ada, BOX)) == (0, "true")
    assert (clear(harness), harness.held(ada, BOX)) == (1, "false")


# --- the API -----------------------------------------------------------------------------------------


async def send(harness: Harness, body: dict[str, Any]) -> httpx.Response:
    transport = httpx.ASGITransport(app=application(harness.parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post("/api/enrich", json=body)


def post(harness: Harness, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = harness.run(send(harness, body))
    return answer.status_code, answer.json()


def test_the_api_reads_decides_and_tells_what_it_can_cost(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    bo = harness.person("Bo")
    harness.pull()
    harness.plan()
    ada = harness.person("Ada")
    status, told = post(harness, contacts=[f"crm/contacts/{ada}"])
    assert status == 200
    assert (told["worst_case_credits"], told["nothing_is_bought_because"]) == (11.0, None)
    [wish] = told["contacts"]
    assert (wish["contact"], wish["sync"], wish["why_not"]) == (f"crm/contacts/{ada}", "people", None)
    assert [(one["field"], one["state"], one["provider"]) for one in wish["fields"]] == [
        ("email", "queued", "ann"),
        ("phone", "queued", "ann"),
    ]
    assert priorities(harness) == {bo: 0, ada: 2}
    harness.dispatch()
    assert harness.fake.submitted[0].requests[0].ref == harness.ref(ada)


def test_the_api_says_why_nothing_is_done(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    filled = harness.person("Filled", email="typed@acme.example.com")
    outside, closed = harness.person("Outside"), harness.person("Closed")
    harness.crm.block(closed, EMAIL, "opted_out")
    harness.crm.selected = {filled, closed}
    status, told = post(harness, contacts=[f"crm/contacts/{one}" for one in (filled, outside, closed, "999")])
    assert (status, told["worst_case_credits"]) == (200, 0.0)
    assert [one["why_not"] for one in told["contacts"]] == [
        requests.NOTHING,
        requests.NOT_SELECTED,
        None,
        requests.NOT_SELECTED,
    ]
    assert [one["reason"] for one in told["contacts"][2]["fields"]] == ["suppressed"]
    assert harness.dispatch() == 0


def test_a_budget_counts_as_ever(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(0)))
    ada = harness.person()
    status, told = post(harness, contacts=[f"crm/contacts/{ada}"])
    assert (status, told["worst_case_credits"]) == (200, 1.0)
    assert (harness.dispatch(), harness.fake.submitted) == (0, [])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "contacts must be a list"),
        ({"contacts": []}, "contacts must be a list"),
        ({"contacts": ["501"]}, "is not a contact"),
        ({"contacts": ["other/contacts/501"]}, "no sync looks after all of these"),
        ({"contacts": ["crm/contacts/501"], "sync": "nobody"}, "no sync 'nobody'"),
        ({"contacts": ["crm/contacts/501"], "now": True}, "nothing is chosen by 'now'"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(harness: Harness, body: dict[str, Any], says: str) -> None:
    status, told = post(harness, **body)
    assert status == 400
    assert says in told["error"]


def test_a_crm_that_does_not_answer_is_told(harness: Harness) -> None:
    ada = harness.person()
    harness.crm.fail("look", Retry("HTTP 503"))
    assert post(harness, contacts=[f"crm/contacts/{ada}"]) == (503, {"error": "crm could not be read: HTTP 503"})


def test_the_token_guards_it_as_all_else(harness: Harness) -> None:
    admin = harness.settings.admin.model_copy(update={"token": SecretStr("t" * 40)})
    harness.reopen(replace(harness.settings, admin=admin))
    assert harness.run(send(harness, {})).status_code == 401


def test_who_is_on_the_suppression_list_is_left_alone(harness: Harness) -> None:
    ada = harness.person()
    signs = [suppression.read(f"crm/contacts/{ada}")]
    harness.run(harness.ledger.write(suppressions.add, signs, reason="asked us to", by="me", now=harness.clock.now()))
    status, told = post(harness, contacts=[f"crm/contacts/{ada}"])
    assert (status, told["worst_case_credits"]) == (200, 0.0)
    assert {one["reason"] for one in told["contacts"][0]["fields"]} == {"suppressed"}


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("contact", "job", "claim", "cleared"),
    [
        ({}, "done", None, True),
        ({}, None, None, True),
        ({}, "queued", None, False),
        ({}, "review", None, False),
        ({"planned": 0}, "done", None, False),
        ({"requested": 0}, "done", None, False),
        ({"connection": "other"}, "done", None, False),
        ({"object": "leads"}, "done", None, False),
        ({}, "done", ("record", "1"), False),
        ({}, "done", ("record", "2"), True),
        ({}, "done", ("contact", "1"), True),
    ],
)
def test_whose_box_may_be_cleared(
    tables: Tables, contact: dict[str, Any], job: str | None, claim: tuple[str, str] | None, cleared: bool
) -> None:
    """Decided on, with nothing open, and held by nobody who writes to the record."""
    row = {**EMPTY, "connection": "crm", "object": "contacts", "planned": 1, "requested": 1, **contact}
    tables.add(Where("contact", "ext_id"), "e1", id=1, **row)
    tables.add(Where("contact", "ext_id"), "e2", id=2, **{**row, "planned": 0})
    if job is not None:
        tables.add(Where("job", "contact_id"), 1, id=1, field="email", state=job)
    tables.add(Where("job", "contact_id"), 2, id=2, field="email", state="queued")
    if claim is not None:
        kind, item = claim
        tables.add(Where("claim", "kind"), kind, item=item)
    ref = ContactRef(connection="crm", object="contacts", id="e1")
    assert tables.read(answered, "crm", "contacts", 9) == ([Ticked(1, ref)] if cleared else [])


@pytest.mark.sqlite  # rows are put there by hand
def test_a_box_that_was_cleared_counts_anew_once_it_is_ticked_again(tables: Tables) -> None:
    """The record is looked at when it is pulled next, although nothing else has changed."""
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **EMPTY, requested=1, fingerprint=n)
    tables.write(cleared, [1])
    told = tables.rows(Where("contact", "id"), ["requested", "fingerprint"])
    assert told == {1: [(0, None)], 2: [(1, 2)]}


@pytest.mark.sqlite  # rows are put there by hand
def test_what_somebody_wants_at_once_comes_first(tables: Tables) -> None:
    """What waits to be asked about; nothing loses a place that was better."""
    for n, (contact, state, priority) in enumerate(
        ((1, "queued", 0), (1, "waiting", 1), (1, "sent", 0), (2, "queued", 0), (3, "queued", FIRST + 1)), 1
    ):
        tables.add(Where("job", "id"), n, contact_id=contact, field=f"f{n}", sync="a", state=state, priority=priority)
    tables.write(hurry, [1, 3])
    told = {id_: rows[0][0] for id_, rows in tables.rows(Where("job", "id"), ["priority"]).items()}
    assert told == {1: FIRST, 2: FIRST, 3: 0, 4: 0, 5: FIRST + 1}
    assert [(row["id"], row["field"]) for row in tables.read(jobs_of, [3, 1])] == [
        (1, "f1"),
        (2, "f2"),
        (3, "f3"),
        (5, "f5"),
    ]
