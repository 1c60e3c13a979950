"""What is wrong now, or wants a person: each kind is seen as soon as it is so, and not a moment longer."""

from __future__ import annotations

import contextlib
import json
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from syncd.cli.tables import show_status
from syncd.config import Budget, ConditionKind
from syncd.contract.errors import InDoubt, Trouble
from syncd.contract.watched import Calls, Outside, route_of, watching
from syncd.ledger import confirmations, connections
from syncd.observe.conditions import Condition, derive
from syncd.observe.status import concluded, live, look
from syncd.observe.watcher import Watcher

from .callers import at_the_desk
from .conftest import Build
from .harness import EMAIL, PHONE, Harness

DAY = 86_400.0


def moment(text: str, zone: str) -> float:
    """UTC seconds of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def capped(build: Build, *, now: str, zone: str = "UTC", day: int | None = None, month: int | None = None) -> Harness:
    """Three people to be asked about, of whom the budget pays for some."""
    limits = {"credits_per_day": day, "credits_per_month": month}
    caps = {key: None if value is None else Decimal(value) for key, value in limits.items()}
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(time_zone=zone, **caps))
    harness.clock.time = moment(now, zone)
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    return harness


# --- budgets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "goes_on"),
    [
        ("UTC", "2026-11-27T12:00", "2026-11-28T00:00"),
        ("Europe/Paris", "2026-11-27T23:59", "2026-11-28T00:00"),
        ("Europe/Paris", "2026-03-28T12:00", "2026-03-29T00:00"),
        ("Europe/Paris", "2026-03-29T01:00", "2026-03-30T00:00"),  # a day of 23 hours
        ("Asia/Kathmandu", "2026-12-31T23:00", "2027-01-01T00:00"),
    ],
)
def test_s5_a_budget_that_is_reached_is_told_with_the_moment_when_it_goes_on(
    build: Build, zone: str, now: str, goes_on: str
) -> None:
    harness = capped(build, now=now, zone=zone, day=2)
    assert harness.conditions("budget") == []
    assert harness.ask() == 2
    [told] = harness.conditions("budget")
    assert (told.who, told.detail, told.blocks) == ("people", "day", True)
    assert told.until == moment(goes_on, zone)
    assert f"goes on at {goes_on.replace('T', ' ')} ({zone})" in told.why
    harness.clock.time = moment(goes_on, zone) - 1
    assert harness.conditions("budget") != []
    harness.clock.time += 1
    assert harness.conditions("budget") == [], "it goes on at that very moment"
    assert harness.dispatch() == 1


def test_s5_a_month_goes_on_when_enough_of_it_has_left_the_window(build: Build) -> None:
    harness = capped(build, now="2026-11-01T12:00", month=2)
    assert harness.ask() == 2
    [told] = harness.conditions("budget")
    assert told.detail == "month"
    assert told.until == moment("2026-12-01T00:00", "UTC"), "the first of November, and the 29 days after it"
    harness.clock.time = told.until - DAY
    harness.dispatch()
    assert harness.conditions("budget") != []
    harness.clock.time = told.until
    assert harness.conditions("budget") == []
    assert harness.dispatch() == 1


def test_s5_what_is_left_may_be_too_little_for_what_waits(build: Build) -> None:
    """9 credits are left, and a phone costs 10: nothing goes on, although the cap is not used up."""
    caps = Budget(credits_per_day=Decimal(9))
    harness = build(providers=None, fields={PHONE: ["ann"]}, budget=caps)
    harness.person("Ada")
    assert harness.ask() == 0
    [told] = harness.conditions("budget")
    assert "0 of 9 credits today (UTC), and the next call may cost 10: such a call never fits into it" in told.why
    assert told.until is None


def test_s5_dear_calls_that_do_not_fit_are_told_although_cheaper_ones_go_on(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]}, budget=Budget(credits_per_day=Decimal(9)))
    harness.person("Ada")
    assert harness.ask() == 1
    [told] = harness.conditions("budget")
    assert "the next call may cost 10" in told.why


def test_s5_everybody_tells_it(build: Build) -> None:
    harness = capped(build, now="2026-11-27T12:00", day=2)
    with structlog.testing.capture_logs() as lines:
        harness.ask()
        harness.run(Watcher(harness.parts).round())
    words = "2 of 2 credits today (UTC)"
    until = "goes on at 2026-11-28 00:00 (UTC)"
    [line] = [one for one in lines if one["event"] == "condition" and one["kind"] == "budget"]
    assert until in line["why"]

    async def pages(line: Any) -> list[str]:
        replies = [await line.call("GET", page) for page in ("/", "/readyz", "/api/status", "/metrics")]
        assert replies[1].status == 503
        return [one.body.decode() for one in replies]

    page, ready, status, metrics = at_the_desk(harness, pages)
    assert words in page
    assert until in page
    assert ready == f"people: {words}, and the next call may cost 1: {until} at the latest\n".replace(
        ", and the next call may cost 1", ""
    )
    [told] = [one for one in json.loads(status)["conditions"] if one["kind"] == "budget"]
    assert told["until"] == moment("2026-11-28T00:00", "UTC")
    assert 'syncd_condition{detail="day",kind="budget",who="people"} 1.0' in metrics
    assert 'syncd_budget_reached{budget="people",window="day"} 1.0' in metrics
    assert 'syncd_budget_left_credits{budget="people",window="day"} 0.0' in metrics
    with redirect_stdout(StringIO()) as shown:
        found = harness.run(harness.ledger.read(look, harness.settings, now=harness.clock.now()))
        show_status({**concluded(found), "running": True})
    assert until in " ".join(shown.getvalue().split())


def test_s5_a_budget_that_has_room_again_is_not_told(build: Build) -> None:
    """The reservations of calls that found nothing are given back."""
    harness = capped(build, now="2026-11-27T12:00", day=2)
    harness.ask()
    assert harness.conditions("budget") != []
    harness.answer_all()  # nothing was found, and nothing is charged
    assert harness.conditions("budget") == []


# --- the other kinds --------------------------------------------------------------------------


def kinds(harness: Harness) -> set[str]:
    return {one.kind.value for one in harness.conditions()}


def test_nothing_is_told_where_nothing_is_wrong(harness: Harness) -> None:
    harness.ask()
    assert harness.conditions() == []


def test_a_halted_connection_is_told_while_it_is_configured(harness: Harness) -> None:
    for name in ("ann", "gone"):
        harness.run(harness.ledger.write(connections.halt, name, Trouble.CREDENTIALS, "no key", "give one", now=1.0))
    [told] = harness.conditions()
    assert (told.kind, told.who, told.what, told.cure) == (ConditionKind.HALTED, "ann", "is halted", "give one")


def test_calls_in_doubt_are_told_with_what_is_at_risk(harness: Harness) -> None:
    harness.person("Ada")
    harness.fake.refusals.append(InDoubt("nobody answered"))
    harness.ask()
    assert kinds(harness) == {"in_doubt", "breaker"}
    [told] = harness.conditions("in_doubt")
    assert "whether 1 paid call arrived; credits at risk: 1" in told.why
    assert not told.blocks


def test_a_balance_under_its_floor_is_told(harness: Harness) -> None:
    ann = replace(harness.settings.connections["ann"], floor=Decimal(200))
    harness.reopen(replace(harness.settings, connections={**harness.settings.connections, "ann": ann}))
    for balance, told in ((Decimal("200"), False), (Decimal("199.5"), True), (Decimal("300"), False)):
        harness.run(harness.ledger.write(connections.note_balance, "ann", balance, now=harness.clock.now()))
        assert ("floor" in kinds(harness)) is told


def test_values_that_a_crm_refuses_are_told_before_it_stops_the_sync(harness: Harness) -> None:
    harness.run(
        harness.ledger.write(confirmations.refuse, "people", "a rule says no", first=True, now=harness.clock.now())
    )
    [told] = harness.conditions("refusals")
    assert "a rule says no" in told.why
    assert not told.blocks


STATUS: dict[str, Any] = {
    "connections": {}, "gate": [], "budgets": [], "breakers": [], "symptoms": [], "refusals": [], "in_doubt": {},
    "reviews": {"waiting": 0, "since": None, "why": {}}, "reconciliation": {}, "answers": {}, "sweeps": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("judged", "other", "told"), [(49, 49, False), (50, 10, False), (50, 11, True), (900, 180, False), (0, 0, False)]
)
def test_many_contradictions_are_told(judged: int, other: int, told: bool) -> None:
    status = {**STATUS, "answers": {"ann": {"judged": judged, "other": other}}}
    assert [one.kind for one in derive(status)] == [ConditionKind.CONTRADICTIONS] * told


def test_what_is_out_of_date_is_told() -> None:
    jobs = [
        {"sync": "people", "field": "email", "state": "done", "reason": why, "n": 3} for why in ("written", "outdated")
    ]
    [one] = derive({**STATUS, "jobs": jobs})
    assert (one.kind, one.who, one.blocks) == (ConditionKind.OUTDATED, "people", False)
    assert one.why.startswith("3 that syncd wrote were not found like that any more")


@pytest.mark.parametrize(
    ("brought", "missing", "told"), [(100, 19, False), (0, 20, True), (80, 20, False), (79, 20, True), (0, 0, False)]
)
def test_a_whole_pull_that_misses_many_is_told(brought: int, missing: int, told: bool) -> None:
    status = {**STATUS, "sweeps": [{"name": "people", "brought": brought, "missing": missing, "swept_at": 1.0}]}
    assert [one.kind for one in derive(status)] == [ConditionKind.SWEEP] * told


def test_a_sweep_counts_whom_it_did_not_bring_although_something_was_to_be_done(harness: Harness) -> None:
    harness.recover()
    people = [harness.person(f"P{n}") for n in range(30)]
    harness.pull()
    harness.plan()
    for one in people[:25]:
        del harness.crm.records[one]
    harness.clock.time += 2 * DAY
    harness.pull()
    [told] = harness.conditions("sweep")
    assert "did not bring 25 of 30 contacts" in told.why


# --- what only the process can see ------------------------------------------------------------


class Hands:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class ConnectError(Exception):
    """Named as httpx names it."""


def call(calls: Calls, *, fails: bool = False, status: int = 200, path: str = "/api/x") -> None:
    """One call of a connection."""
    with watching(calls, "ann"), contextlib.suppress(ConnectError), Outside("GET", path) as made:
        if fails:
            raise ConnectError
        made.answered(status)


def test_a_vendor_that_does_not_answer_is_told_after_a_few_calls_and_at_once_no_more(harness: Harness) -> None:
    hands = Hands()
    harness.parts.symptoms.monotonic = hands
    for _ in range(3):
        call(harness.parts.calls, fails=True)
    health = harness.parts.calls.health["ann"]
    assert health.failing_since is not None
    hands.time = health.failing_since + 9

    def told() -> list[Condition]:
        return [one for one in derive(harness.run(live(harness.parts))) if one.kind is ConditionKind.UNREACHABLE]

    assert told() == []
    hands.time += 2
    [one] = told()
    assert (one.who, one.why) == ("ann", "its last 3 calls failed (unreachable)")
    call(harness.parts.calls)
    assert told() == []


def test_calls_are_counted_by_route_and_no_id_is_in_it() -> None:
    calls = Calls()
    call(calls, path="/crm/v3/objects/contacts/501?email=ada@acme.example.com")
    call(calls, path="/crm/v3/objects/contacts/502", status=429)
    call(calls, path="/crm/v3/objects/contacts/ada@acme.example.com", status=503)
    [key] = calls.timings
    assert key == ("ann", "GET", "/crm/v3/objects/contacts/{id}")
    assert {outcome: n for (*_, outcome), n in calls.outcomes.items()} == {"2xx": 1, "429": 1, "5xx": 1}


def test_routes_are_few_whatever_a_vendor_is_asked() -> None:
    calls = Calls()
    for n in range(500):
        call(calls, path=f"/x/{chr(97 + n % 26)}{chr(97 + n // 26)}")
    assert len(calls.timings) <= 41
    assert sum(calls.outcomes.values()) == 500


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/services/data/v66.0/sobjects/Contact/003Q000001abcDEIAY", "/services/data/v66.0/sobjects/Contact/{id}"),
        ("/oauth/2026-03/token", "/oauth/2026-03/token"),
        ("/api/v2/contact/enrich/bulk/6f1e-33", "/api/v2/contact/enrich/bulk/{id}"),
        ("/", "/"),
        ("", ""),
        ("/people/Ada%20Lovelace", "/people/{id}"),
    ],
)
def test_a_route_is_a_path_without_ids(path: str, route: str) -> None:
    assert route_of(path) == route


def test_symptoms_are_in_the_ledger_for_others_to_see(harness: Harness) -> None:
    harness.parts.symptoms.set(ConditionKind.CONFIGURATION, "config.yaml", "ledger.path was changed", "Restart.")
    harness.run(Watcher(harness.parts).round())
    [told] = harness.conditions()
    assert (told.kind, told.who, told.why) == (ConditionKind.CONFIGURATION, "config.yaml", "ledger.path was changed")
    harness.parts.symptoms.set(ConditionKind.CONFIGURATION, "config.yaml", "")
    harness.run(Watcher(harness.parts).round())
    assert harness.conditions() == []


def test_what_is_new_and_what_is_over_is_logged_once(harness: Harness) -> None:
    watcher = Watcher(harness.parts)
    harness.parts.symptoms.set(ConditionKind.CONFIGURATION, "config.yaml", "it is wrong")
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            harness.run(watcher.round())
        harness.parts.symptoms.set(ConditionKind.CONFIGURATION, "config.yaml", "")
        for _ in range(3):
            harness.run(watcher.round())
    assert [one["event"] for one in lines] == ["condition", "condition_over"]
