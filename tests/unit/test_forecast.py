"""What a plan will cost, what of it fits into the budgets, and how long a balance lasts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncd.ledger import runway
from syncd.ledger.reports import PlannedTotal
from syncd.ledger.store import reading
from syncd.pipeline import probe
from syncd.pipeline.forecast import fit, turns_of

from .by_hand import NOW, Tables, Where
from .conftest import Build
from .harness import DAY, EMAIL, PHONE, Harness, sync_of

PRICES = {"ann": {EMAIL: Decimal(1), PHONE: Decimal(10)}, "bob": {EMAIL: Decimal(2), PHONE: Decimal(5)}}
SYNCS = [sync_of("crm", {EMAIL: ("ann", "bob"), PHONE: ("bob", "ann")})]
RATES = {("ann", "email"): 0.5, ("bob", "email"): 0.25, ("bob", "phone"): 0.2, ("ann", "phone"): 0.5}


def total(provider: str, field: str, contacts: int) -> PlannedTotal:
    return PlannedTotal(sync="people", field=field, provider=provider, reason=None, contacts=contacts)


def budget(left: float, **scope: list[str]) -> dict[str, Any]:
    return {"syncs": None, "fields": None, "providers": None, "left": left, **scope}


def turns(rates: dict[tuple[str, str], float]) -> list[Any]:
    """E-mails of a hundred contacts (ann, then bob), and ten phones (bob, then ann)."""
    return [
        turn
        for one in (total("ann", "email", 100), total("bob", "phone", 10))
        for turn in turns_of(one, SYNCS, PRICES, rates)
    ]


def test_each_provider_in_its_turn_is_expected_to_be_asked_about_those_whom_the_others_missed() -> None:
    told = [(one.provider, one.field, float(one.worst), one.expected) for one in turns(RATES)]
    assert told == [
        ("ann", "email", 100, 50),
        ("bob", "email", 200, Decimal("0.5") * Decimal("0.25") * 200),
        ("bob", "phone", 50, 10),
        ("ann", "phone", 100, Decimal("0.8") * Decimal("0.5") * 100),
    ]


@pytest.mark.parametrize(
    ("one", "expected", "worst", "waits"),
    [
        (budget(1_000), 125, 450, (0, 0)),
        (budget(200), 125, 450, (0, 62)),  # of 110 questions, 450 credits at worst: 250 of them are not there
        (budget(100), 125, 450, (22, 86)),
        (budget(0, fields=["phone"]), 50, 150, (10, 10)),
        (budget(30, providers=["ann"], fields=["email"]), 50, 100, (40, 70)),
        (budget(5, syncs=["others"]), 0, 0, (0, 0)),
    ],
)
def test_what_does_not_fit_into_a_budget_waits(
    one: dict[str, Any], expected: int, worst: int, waits: tuple[int, int]
) -> None:
    told = fit(one, turns(RATES))
    assert (told["expected_credits"], told["worst_case_credits"]) == (expected, worst)
    assert (told["waits_as_expected"], told["waits_at_worst"]) == waits


def test_what_is_expected_is_not_known_before_there_are_answers() -> None:
    told = fit(budget(200), turns({}))
    assert (told["expected_credits"], told["waits_as_expected"], told["waits_at_worst"]) == (None, None, 62)


def spent(build: Build, calls: int, *, balance: int = 100) -> Harness:
    """A harness that has found so many phones today, for ten credits each."""
    harness = build(fields={PHONE: ["ann"]})
    for n in range(calls):
        harness.finds(harness.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
    harness.ask()
    harness.answer_all()
    harness.fake.left = Decimal(balance)
    harness.run(probe.run_once(harness.parts))
    return harness


def lasting(harness: Harness) -> dict[str, Any]:
    with reading(harness.path) as tx:
        return runway.report(tx, ["ann"], now=harness.clock.now())["ann"]


def test_a_balance_lasts_as_long_as_the_last_days_say(build: Build) -> None:
    harness = spent(build, 7)
    harness.clock.time += 5 * DAY
    assert lasting(harness)["days"] == {"7": pytest.approx(100 / 14, rel=0.01), "30": pytest.approx(100 / 14, rel=0.01)}
    harness.clock.time += 15 * DAY
    told = lasting(harness)
    assert told["days"] == {"7": None, "30": pytest.approx(100 / 3.5, rel=0.01)}
    assert runway.in_words(told) == "100 credits last 29 days at the last 30 days' spend"


def test_a_first_day_counts_as_a_whole_one(build: Build) -> None:
    harness = spent(build, 2)
    harness.clock.time += 600
    assert (
        runway.in_words(lasting(harness))
        == "100 credits last 5 days at the last 7 days' spend (5 days at the last 30 days')"
    )


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (0.0, "less than a day"), (0.99, "less than a day"), (1.0, "1 day"), (1.49, "1 day"), (1.6, "2 days"),
        (2.0, "2 days"), (11.4, "11 days"),
    ],
)  # fmt: skip
def test_how_long_a_balance_lasts_in_words(days: float, told: str) -> None:
    one = {"balance": 12.5, "days": {"7": days, "30": None}}
    assert runway.in_words(one) == f"12.5 credits last {told} at the last 7 days' spend"
    both = runway.in_words({**one, "days": {"7": 3.0, "30": days}})
    assert both == f"12.5 credits last 3 days at the last 7 days' spend ({told} at the last 30 days')"


@pytest.mark.sqlite  # rows are put there by hand
@pytest.mark.parametrize(
    ("first_ago", "balance", "a_day", "days"),
    [
        (10, "70", (2.0, 2.1), (35.0, 70 / 2.1)), (10, "-5.5", (2.0, 2.1), (0.0, 0.0)),
        (10, None, (2.0, 2.1), (None, None)),
        (0.25, "14", (7.0, 7.0), (2.0, 2.0)), (40, "60", (2.0, 21 / 30), (30.0, 60 / 0.7)),
    ],
)  # fmt: skip
def test_what_is_spent_a_day_is_that_of_the_time_since_the_first_call(
    tables: Tables, first_ago: float, balance: str | None, a_day: tuple[float, float], days: tuple[float | None, ...]
) -> None:
    """A day at the least, and a week or a month at the most. Seven or fourteen credits in the last week, and more
    before it."""
    now = NOW // DAY * DAY
    if balance is not None:
        tables.add(Where("connection", "name"), "ann", balance=balance)
    row = {"sync": "a", "field": "email", "run_id": 1, "refresh": 0, "reserved_mc": 0, "assumed_mc": 0, "doubt_mc": 0}
    spent: dict[float, list[tuple[float, int]]] = {
        0.25: [(0.25, 7_000)],
        10: [(10, 7_000), (1, 14_000)],
        40: [(40, 50_000), (20, 7_000), (1, 14_000)],
    }
    for ago, charged in spent[first_ago]:
        tables.add(Where("spend", "provider"), "ann", slot=int((now - ago * DAY) // 900), charged_mc=charged, **row)
    tables.add(Where("spend", "provider"), "bob", slot=int(now // 900) - 1, charged_mc=1, **row)
    told = tables.read(runway.report, ["ann", "new"], now=now)
    assert told["ann"] == {
        "balance": None if balance is None else float(balance),
        "credits_a_day": {"7": pytest.approx(a_day[0]), "30": pytest.approx(a_day[1])},
        "days": dict(zip(("7", "30"), (None if one is None else pytest.approx(one) for one in days), strict=True)),
    }
    assert told["new"] == {"balance": None, "credits_a_day": {"7": None, "30": None}, "days": {"7": None, "30": None}}


def test_where_nothing_was_spent_nothing_is_said(build: Build) -> None:
    harness = spent(build, 0)
    assert lasting(harness)["days"] == {"7": None, "30": None}
    assert runway.in_words(lasting(harness)) == ""
