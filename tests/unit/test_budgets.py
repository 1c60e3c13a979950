"""Caps on credits: days in the operator's own time zone, and prices that turn out dearer than they are listed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from syncd.cli import app
from syncd.config import Budget
from syncd.config.scalars import time_zone
from syncd.contract.model import EnrichmentResult, Field, Outcome, Submission
from syncd.contract.pacing import Window
from syncd.ledger import budgets, configured
from syncd.ledger.configured import Changes
from syncd.ledger.store import reading
from syncd.pipeline.spending import budgets_of, dearer_prices
from tests.contract.fake_provider import CAPABILITIES, FakeProvider
from tests.places import place_of

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

HOUR, DAY = 3_600.0, 86_400.0


def at(text: str, zone: str) -> float:
    """UTC seconds of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


# --- days in a time zone ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "now", "first", "hours"),
    [
        ("UTC", "2026-11-27T23:59", "2026-11-27T00:00", 24),
        ("Europe/Paris", "2026-11-27T00:00", "2026-11-27T00:00", 24),
        ("Europe/Paris", "2026-03-29T12:00", "2026-03-29T00:00", 23),  # the clocks go forward
        ("Europe/Paris", "2026-10-25T12:00", "2026-10-25T00:00", 25),
        ("Asia/Kathmandu", "2026-11-27T08:00", "2026-11-27T00:00", 24),  # 5:45 ahead of UTC
        ("Australia/Lord_Howe", "2026-04-05T08:00", "2026-04-05T00:00", 24.5),
        ("Africa/Cairo", "2026-04-24T08:00", "2026-04-24T01:00", 23),  # there is no midnight
        ("America/Los_Angeles", "2026-11-01T01:30", "2026-11-01T00:00", 25),
        ("Pacific/Kiritimati", "2026-01-01T00:00", "2026-01-01T00:00", 24),
    ],
)
def test_l28_a_day_begins_at_midnight_of_its_zone(zone: str, now: str, first: str, hours: float) -> None:
    begins = budgets.first_moment(at(now, zone), zone)
    assert begins == at(first, zone)
    assert begins % budgets.SLOT == 0, "spend is kept by whole quarter hours"
    assert budgets.first_moment(begins - 1, zone) < begins
    assert budgets.first_moment(begins + hours * HOUR - 1, zone) == begins
    assert budgets.first_moment(begins + hours * HOUR, zone) == begins + hours * HOUR


def test_l28_a_month_is_thirty_days_of_the_zone(build: Build) -> None:
    """The clocks went back in between: it begins at midnight all the same."""
    begins = budgets.first_moment(at("2026-11-10T12:00", "Europe/Paris"), "Europe/Paris", 30)
    assert begins == at("2026-10-12T00:00", "Europe/Paris")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"])
def test_l28_the_day_of_a_budget_ends_at_midnight_of_its_zone_and_not_of_utc(build: Build, zone: str) -> None:
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(2), time_zone=zone))
    for n in range(8):
        harness.person(f"Ada{n}")
    harness.clock.time = at("2026-11-26T12:00", zone)
    assert harness.ask() == 2
    end = at("2026-11-27T00:00", zone)
    for moment in (end - 11 * HOUR, end - 5.5 * HOUR, end - HOUR, end - 1):  # midnight of UTC is among these
        harness.clock.time = moment
        assert harness.dispatch() == 0
    harness.clock.time = end
    assert harness.dispatch() == 2
    assert harness.dispatch() == 0


def test_l28_another_zone_counts_what_was_spent_before_it_was_set(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(2)))
    for n in range(4):
        harness.person(f"Ada{n}")
    harness.clock.time = at("2026-11-26T23:30", "UTC")  # half past midnight in Paris
    assert harness.ask() == 2
    harness.clock.time += HOUR
    paris = replace(harness.sync, budget=Budget(credits_per_day=Decimal(2), time_zone="Europe/Paris"))
    harness.reopen(replace(harness.settings, syncs=(paris,)))
    assert harness.dispatch() == 0, "in Paris it was today"


def test_l28_the_zone_is_said_where_the_budget_is(build: Build) -> None:
    caps = Budget(credits_per_day=Decimal(50), credits_per_month=Decimal(70), time_zone="Europe/Paris")
    harness = build(fields={EMAIL: ["ann"]}, budget=caps)
    harness.finds(harness.person(), EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.person("Bo")
    harness.ask()
    with reading(place_of(harness.path)) as tx:
        told = budgets.report(tx, budgets_of(harness.settings), now=harness.clock.now())
    assert [budgets.in_words(one) for one in told] == [
        "2 of 50 credits today (Europe/Paris)",
        "2 of 70 credits in 30 days (Europe/Paris)",
    ]
    assert (told[0]["charged"], told[0]["reserved"], told[0]["time_zone"]) == (1, 1, "Europe/Paris")


def test_l28_the_cap_that_stops_names_its_zone(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(0), time_zone="Europe/Paris"))
    harness.person()
    assert harness.ask() == 0
    assert harness.over_budget() == {"people": "day"}
    assert budgets_of(harness.settings)[0].in_words("day") == "people: 0 credits in 1 day (Europe/Paris)"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Europe/Pris", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("Paris", "Europe/Paris"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
        ("America/New York", "America/New_York"),
    ],
)
def test_l28_an_unknown_zone_is_refused_with_the_one_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"is no time zone; did you mean {meant}"):
        time_zone(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "+01:00", "localtime", "../../etc/passwd", "xyzzy", "posix/Europe/Paris", "a\0b"]
)
def test_l28_what_is_no_zone_at_all_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        time_zone(wrong)


# --- prices -----------------------------------------------------------------------------------


def dear(build: Build, cap: int, *, people: int = 4, places: int = 1) -> Harness:
    """A provider that lists a phone at ten credits, one call at a time."""
    ann = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, windows=(Window(60.0, places),)))
    harness = build(providers=[ann], fields={PHONE: ["ann"]}, budget=Budget(credits_per_day=Decimal(cap)))
    for n in range(people):
        harness.finds(harness.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
    return harness


def answer(harness: Harness, call: Submission, price: int) -> None:
    """The call is charged at so many credits a find."""
    said = json.loads(harness.fake.body(call))
    finds = sum(result["outcome"] == "found" for result in said["results"])
    harness.call_back(call, json.dumps({**said, "charged": str(price * finds)}).encode())


@pytest.mark.parametrize(("price", "cap", "bought"), [(10, 20, 2), (15, 20, 1), (15, 29, 1), (15, 30, 2), (25, 49, 1)])
def test_l20_the_cap_holds_although_a_find_is_dearer_than_listed(
    build: Build, price: int, cap: int, bought: int
) -> None:
    harness = dear(build, cap)
    harness.ask()
    for _ in range(4):
        for call in list(harness.fake.accepted.values()):
            answer(harness, call, price)
        harness.clock.time += 61
        harness.dispatch()
    assert len(harness.fake.accepted) == bought
    assert harness.credits()["charged"] == bought * price <= cap


def test_l20_calls_under_way_are_reserved_with_the_dearer_price_too(build: Build) -> None:
    harness = dear(build, 45, places=3)
    assert harness.ask() == 3
    assert harness.credits()["reserved"] == 30
    first, *others = list(harness.fake.accepted.values())
    with capture_logs() as logs:
        answer(harness, first, 15)
    assert harness.credits() == {"charged": 15, "reserved": 30, "in_doubt": 0}, "two at fifteen"
    assert [line["charged"] for line in logs if line["event"] == "dearer_than_listed"] == [{"phone": "15.000"}]
    harness.clock.time += 61
    assert harness.dispatch() == 0
    for call in others:
        answer(harness, call, 15)
    assert harness.credits()["charged"] == 45


def test_l20_the_price_is_remembered_over_a_restart_and_forgotten_after_months(build: Build) -> None:
    harness = dear(build, 1000)
    harness.ask()
    for call in list(harness.fake.accepted.values()):
        answer(harness, call, 15)
    harness.reopen()
    harness.clock.time += 61
    harness.dispatch()
    assert harness.credits()["reserved"] == 15
    harness.clock.time += budgets.REMEMBER_PRICES + 1
    harness.dispatch()
    assert harness.credits()["reserved"] == 25


def test_l20_a_price_is_known_of_its_provider_and_field_alone(build: Build) -> None:
    ann, bob = (FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob"))
    harness = build(providers=[ann, bob], fields={PHONE: ["ann", "bob"], EMAIL: ["bob", "ann"]})
    listed = ONE_BY_ONE.price
    harness.run(
        harness.ledger.write(budgets.learn_prices, "ann", {PHONE: Decimal(15)}, listed, now=harness.clock.now())
    )
    with reading(place_of(harness.path)) as tx:
        assert budgets.worst_prices(tx, "ann", listed, now=harness.clock.now()) == {EMAIL: 1, PHONE: 15}
        assert budgets.worst_prices(tx, "bob", listed, now=harness.clock.now()) == {EMAIL: 1, PHONE: 10}
    harness.person()
    harness.ask()
    assert harness.sql("SELECT provider, reserved_mc FROM submission ORDER BY 1") == [("ann", 15_000), ("bob", 1_000)]


def test_l20_the_reservation_is_reckoned_once_more_when_it_is_made(harness: Harness) -> None:
    """A price may have been learnt since the choice."""
    now = harness.clock.now()
    harness.run(harness.ledger.write(budgets.learn_prices, "ann", {PHONE: Decimal(15)}, {}, now=now))
    with reading(place_of(harness.path)) as tx:
        seen = budgets.dearest(tx, "ann", now=now)
        assert budgets.dearest(tx, "bob", now=now) == {}
    one, ten = Decimal(1), Decimal(10)
    assert budgets.at_least(seen, [PHONE], {PHONE: ten}) == {PHONE: 15}
    assert budgets.at_least(seen, [PHONE, PHONE, EMAIL], {PHONE: 2 * ten, EMAIL: one}) == {PHONE: 30, EMAIL: 1}
    assert budgets.at_least(seen, [EMAIL], {EMAIL: one}) == {EMAIL: 1}
    assert budgets.at_least({}, [PHONE], {PHONE: ten}) == {PHONE: 10}


def found(field: Field, n: int, outcome: Outcome = Outcome.FOUND) -> list[EnrichmentResult]:
    return [EnrichmentResult(request_id=f"{field}{i}", field=field, outcome=outcome) for i in range(n)]


@pytest.mark.parametrize(
    ("results", "charged", "dearer"),
    [
        (found(PHONE, 1), 10, {}),
        (found(PHONE, 1), 15, {PHONE: 15}),
        (found(PHONE, 1), 7, {}),
        ([*found(PHONE, 2), *found(PHONE, 8, Outcome.NOT_FOUND)], 30, {PHONE: 15}),  # less than was reserved
        ([*found(PHONE, 2), *found(EMAIL, 10)], 30, {}),
        ([*found(PHONE, 2), *found(EMAIL, 10)], 45, {PHONE: 15, EMAIL: Decimal("1.5")}),  # nobody says which
        (found(PHONE, 1, Outcome.NOT_FOUND), 15, {PHONE: 15}),
        ([], 15, {}),
    ],
)
def test_l20_what_a_charge_says_of_the_prices(
    results: list[EnrichmentResult], charged: int, dearer: dict[Field, Decimal]
) -> None:
    assert dearer_prices(results, Decimal(charged), CAPABILITIES.price) == dearer


def test_l20_what_is_listed_as_free_may_cost_something() -> None:
    free = {EMAIL: Decimal(0)}
    assert dearer_prices(found(EMAIL, 2), Decimal(4), free) == {EMAIL: 2}


# --- what people see --------------------------------------------------------------------------


def test_l28_status_shows_budgets_and_check_refuses_a_zone(tmp_path: Path, build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    config = tmp_path / "config.yaml"

    def say(zone: str, *words: str) -> str:
        config.write_text(
            f'ledger: {{ path: "{harness.path}" }}\n'
            f'callbacks: {{ public_url: "https://enrich.example.com", secrets: ["{"x" * 40}"] }}\n'
            "connections:\n  crm: { connector: hubspot, access_token: a }\n  ann: { connector: zeliq, api_key: a }\n"
            "syncs: [{ name: people, crm: crm, object: contacts, every: 15m, fields: { email: { providers: [ann] } },"
            f" budget: {{ credits_per_day: 50, time_zone: {zone} }} }}]\n"
        )
        done = CliRunner().invoke(app, [*words, "-c", str(config)])
        return done.stdout if done.exception is None else str(getattr(done.exception, "problems", done.exception))

    assert "people: 0 of 50 credits today (Europe/Paris)" in say("Europe/Paris", "status")
    assert json.loads(say("Europe/Paris", "status", "--json"))["budgets"][0]["time_zone"] == "Europe/Paris"
    assert "syncs[0].budget.time_zone: is no time zone; did you mean Europe/Paris?" in say("Europe/Pari", "check")


def test_a_budget_survives_the_new_name_of_its_sync(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(2)))
    for n in range(4):
        harness.person(f"Ada{n}")
    assert harness.ask() == 2
    changes = Changes(renamed={"people": "customers"}, removed=[], added=[], fields=[])
    harness.run(harness.ledger.write(configured.follow, changes))
    harness.answer_all()
    caps = budgets_of(replace(harness.settings, syncs=(replace(harness.sync, name="customers"),)))
    with reading(place_of(harness.path)) as tx:
        assert [one["used"] for one in budgets.report(tx, caps, now=harness.clock.now())] == [0], "nothing was found"
    assert harness.sql("SELECT DISTINCT sync FROM spend") == [("customers",)]
