"""Credits are summed in each budget's scope and window, and shared among those whom a call has found."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from syncd.contract.model import Field
from syncd.ledger import budgets, daily, floors, room, shares
from syncd.ledger.budgets import SLOT, Budget
from syncd.ledger.costs import of_calls
from syncd.ledger.floors import Floor

from .by_hand import DAY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SYNCS, PROVIDERS, FIELDS = ("a", "b"), ("ann", "bob"), (Field.EMAIL, Field.PHONE)


SCOPES: list[dict[str, Any]] = [
    {},
    {"syncs": frozenset({"a"})},
    {"syncs": frozenset({"b"}), "refresh": True},
    {"providers": frozenset({"ann"})},
    {"fields": frozenset({Field.PHONE})},
    {"syncs": frozenset({"a", "b"}), "providers": frozenset({"bob"}), "fields": frozenset({Field.EMAIL})},
    {"refresh": True},
]
KINDS = ("charged_mc", "reserved_mc", "assumed_mc")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("window", ["day", "month", "run"])
def test_credits_are_summed_in_a_budgets_scope_and_window(tables: Tables, scope: dict[str, Any], window: str) -> None:
    rng = random.Random(f"{scope} {window}")
    spend = Where("spend", "provider")
    midnight = NOW // DAY * DAY
    newest = {"a": 2, "b": 3}  # of the runs that follow
    for id_, (sync, started) in enumerate((("a", 10.0), ("a", 20.0), ("b", 5.0)), 1):
        tables.add(Where("run", "sync"), sync, id=id_, started_at=started)
    for sync in SYNCS:
        tables.add(Where("sync", "name"), sync)
    rows: list[dict[str, Any]] = []
    for sync, provider, field, refresh in itertools.product(SYNCS, PROVIDERS, FIELDS, (0, 1)):
        for ago in (0, 1, 2, 29 * 96, 29 * 96 + 1, 29 * 96 - 1, 96, 95, 94):
            slot = int(midnight // SLOT) + 1 - ago
            row: dict[str, Any] = {
                "slot": slot,
                "sync": sync,
                "field": field,
                "refresh": refresh,
                "run_id": rng.randint(1, 3),
            }
            row |= {kind: rng.randint(0, 9) for kind in (*KINDS, "doubt_mc")}
            tables.add(spend, provider, **row)
            rows.append({**row, "provider": provider})
    budget = Budget(per_day=Decimal(9), per_month=Decimal(9), per_run=Decimal(9), **scope)
    first = {"day": midnight, "month": midnight - 29 * DAY}.get(window, 0.0)

    def counts(row: dict[str, Any]) -> bool:
        if window == "run":
            inside = row["run_id"] in {newest[sync] for sync in (budget.syncs or SYNCS)}
        else:
            inside = row["slot"] * SLOT >= first and (budget.syncs is None or row["sync"] in budget.syncs)
        at_one = budget.providers is None or row["provider"] in budget.providers
        of_one = budget.fields is None or row["field"] in budget.fields
        return inside and at_one and of_one and bool(row["refresh"] >= budget.refresh)

    counted = [row for row in rows if counts(row)]
    (told,) = (one for one in tables.read(budgets.report, [budget], now=NOW) if one["window"] == window)
    for kind in KINDS:
        assert told[kind.removesuffix("_mc")] == sum(row[kind] for row in counted) / 1000
    used = sum(row[kind] for row in counted for kind in KINDS)
    assert told["used"] == pytest.approx(used / 1000)
    assert tables.read(budget.exceeded, 9_000 - used, now=NOW) != window
    assert tables.read(Budget(**{**_capped(window), **scope}).exceeded, 9_001 - used, now=NOW) == window
    if window == "run":
        assert told["since"] == min({"a": 20.0, "b": 5.0}[sync] for sync in (budget.syncs or SYNCS))


@pytest.mark.parametrize("window", ["day", "month", "run"])
def test_where_nothing_was_spent_all_of_a_budget_is_left(tables: Tables, window: str) -> None:
    budget = Budget(**_capped(window))
    (told,) = tables.read(budgets.report, [budget], now=NOW)
    assert {told[kind] for kind in ("charged", "reserved", "assumed", "used")} == {0.0}
    assert (told["left"], told["reached"]) == (9.0, False)
    assert tables.read(budget.exceeded, 9_000, now=NOW) is None
    assert tables.read(budget.exceeded, 9_001, now=NOW) == window


def _capped(window: str) -> dict[str, Any]:
    return {f"per_{window}": Decimal(9)}


@pytest.mark.parametrize(
    ("charged", "assumed", "first", "second"), [(9, 0, 9, 0), (None, 6, 6, 0), (None, 0, None, None), (0, 6, 0, 0)]
)
def test_what_a_call_cost_is_shared_by_whom_it_found(
    tables: Tables, charged: int | None, assumed: int, first: int | None, second: int | None
) -> None:
    call = Where("submission", "id", fixed={"shares": "{}"})
    tables.add(call, "a", provider="ann", charged_mc=charged, assumed_mc=assumed)
    tables.add(call, "b", provider="ann", charged_mc=4)
    for job in (1, 2):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", state="done")
        tables.add(Where("attempt", "submission_id"), "a", job_id=job, provider="ann")
    tables.add(Where("attempt", "submission_id"), "b", job_id=2, provider="ann", round=5)
    for n, (job, name, outcome) in enumerate(((1, "a", "found"), (2, "a", "not_found"), (2, "b", "found")), 1):
        tables.add(Where("result", "id"), n, job_id=job, submission_id=name, outcome=outcome, at=1.0)
    costs = tables.read(of_calls, ["a"], {"ann": {Field.EMAIL: Decimal(1)}})
    assert costs == {("a", 1): first, ("a", 2): second}
    assert tables.read(of_calls, ["b"], {"ann": {Field.EMAIL: Decimal(1)}}) == {("b", 2): 4}


def test_the_figures_of_a_day_are_added_up(tables: Tables) -> None:
    columns = [row[1] for row in tables.raw.execute("PRAGMA table_info(daily)")][4:]
    for factor in (1, 10):
        values = {column: factor * n for n, column in enumerate(columns, 1)}
        place = {"day": 5, "sync": "a", "field": "email", "provider": "ann"}
        tables.write(lambda tx, values={**place, **values}: tx.run("daily_add", **values))
        tables.write(lambda tx, n=factor, place=place: tx.run("daily_add_latency", **place, quarter=3, n=n))
    (found,) = tables.rows(Where("daily", "provider"), columns)["ann"]
    assert found == tuple(11 * n for n in range(1, len(columns) + 1))
    assert tables.rows(Where("daily_latency", "provider"), ["n"])["ann"] == [(11,)]


def test_what_was_spent_is_told_by_the_day_of_the_call(tables: Tables) -> None:
    """A day has 96 quarter hours; what counts as charged is spent, and what is reserved is not."""
    spend = Where("spend", "slot")
    for slot, charged, assumed in ((479, 1, 0), (480, 2, 10), (575, 4, 0), (576, 8, 0), (672, 16, 0)):
        row = {"sync": "a", "provider": "ann", "field": "email", "run_id": 1, "refresh": 0, "reserved_mc": 100}
        tables.add(spend, slot, **row, charged_mc=charged, assumed_mc=assumed, doubt_mc=0)
    found = tables.read(daily.read, 5, 6)
    assert {place.day: one.spent_mc for place, one in found.items()} == {5: 16, 6: 8}


# --- what fits ---------------------------------------------------------------------------------------


def test_of_a_request_what_fits_is_kept_the_cheapest_first_and_the_first_cap_is_told(tables: Tables) -> None:
    limits = [
        Budget(name="all", per_day=Decimal(3)),
        Budget(name="phones", per_day=Decimal(9), fields=frozenset({FIELDS[1]})),
    ]
    mail, phone = FIELDS

    def fitting(prices: dict[Field, int], *more: Budget) -> tuple[set[Field], str | None]:
        given = {field: Decimal(price) for field, price in prices.items()}
        fits, over = tables.read(room.fitting, [*limits, *more], given, now=NOW)
        return set(fits), over and over.limit

    assert fitting({phone: 2, mail: 1}) == ({mail, phone}, None)
    assert fitting({phone: 10, mail: 3}) == ({mail}, "all")
    assert fitting({phone: 3, mail: 1}) == ({mail}, "all"), "both together are too dear"
    assert fitting({phone: 3, mail: 4}) == ({phone}, "all")
    assert fitting({phone: 5, mail: 4}, Budget(name="none", per_day=Decimal(0))) == (set(), "all")
    small = Budget(name="mails", per_day=Decimal(1), fields=frozenset({mail}))
    assert fitting({mail: 2, phone: 4}, small) == (set(), "mails"), "what forbade the first one, not the last"


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (None, (False, None, None)),
        ({"needs_mc": 41_000, "at": NOW}, (True, 7.0, 41.0)),
        ({"needs_mc": 40_000, "at": NOW}, (False, None, None)),
        ({"needs_mc": 41_000, "at": NOW - 3_600.0}, (True, 7.0, 41.0)),
        ({"needs_mc": 41_000, "at": NOW - 3_600.0 - 1}, (False, None, None)),
        ({"needs_mc": 41_000, "at": NOW, "budget": "bob"}, (False, None, None)),
    ],
)
def test_a_floor_is_reached_while_a_call_waits_for_more_than_is_left_above_it(
    tables: Tables, note: dict[str, Any] | None, told: tuple[bool, float | None, float | None]
) -> None:
    tables.add(Where("balance", "provider"), "ann", at=NOW, balance_mc=140_000, charged_mc=0, refund_mc=0)
    if note is not None:
        row = {"budget": "ann", **note}
        tables.add(Where("over_budget", "cap"), floors.CAP, since=7.0, sync="a", provider="ann", **row)
    ann, bob = tables.read(floors.report, [Floor("ann", Decimal(100)), Floor("bob", Decimal(0))], now=NOW)
    assert (ann["reached"], ann["reached_at"], ann["needs"]) == told
    assert (ann["left_at_worst"], ann["floor"]) == (140.0, 100.0)
    nothing = {"left_at_worst": None, "reached": False, "reached_at": None, "needs": None}
    assert {key: bob[key] for key in nothing} == nothing, "no balance is known"


def test_the_dearest_price_is_remembered_for_a_while(tables: Tables) -> None:
    """Of each provider and field. What was dearest long ago counts no more."""
    mail, phone = FIELDS

    def learn(provider: str, price: int, now: float) -> bool:
        listed = {mail: Decimal(1), phone: Decimal(9)}
        return bool(tables.write(budgets.learn_prices, provider, {mail: Decimal(price)}, listed, now=now))

    def dearest(now: float) -> dict[Field, Decimal]:
        return dict(tables.read(budgets.dearest, "ann", now=now))

    assert (learn("ann", 5, NOW), learn("ann", 3, NOW + 1), learn("bob", 8, NOW)) == (True, False, True)
    assert dearest(NOW) == {mail: 5}
    assert learn("ann", 6, NOW + 2)
    later = NOW + 2 + 90 * DAY
    assert dearest(later) == {mail: 6}
    assert dearest(later + 1) == {}
    assert learn("ann", 2, later + 1)
    assert dearest(later + 1) == {mail: 2}
    assert learn("ann", 1, later + 2) is False
    assert dearest(later + 2) == {mail: 2}


@pytest.mark.parametrize(("state", "reserved"), [("intent", 5), ("accepted", 5), ("in_doubt", 5), ("settled", 4)])
def test_calls_under_way_are_reserved_with_a_dearer_price(tables: Tables, state: str, reserved: int) -> None:
    """For each field that is asked for; never with less than before, and nothing of another provider's calls."""
    mail = FIELDS[0]
    for call, provider, before in (("s", "ann", 4_000), ("t", "bob", 4_000), ("u", "ann", 12_000)):
        row = {"reserved_mc": before, "shares": f'{{"email": {before}}}', "run_id": 1, "created_at": 1.0}
        tables.add(Where("submission", "id"), call, provider=provider, sync="a", state=state, **row)
    for n, (call, field) in enumerate((("s", "email"), ("t", "email"), ("u", "email"), ("u", "email")), 1):
        tables.add(Where("job", "id"), n, contact_id=n, field=field, state="sent")
        tables.add(Where("attempt", "job_id"), n, submission_id=call, provider="ann", request=f".{n}")
    tables.write(budgets.learn_prices, "ann", {mail: Decimal(5)}, {mail: Decimal(4)}, now=NOW)
    told = {id_: rows[0] for id_, rows in tables.rows(Where("submission", "id"), ["reserved_mc", "shares"]).items()}
    assert told["s"] == (reserved * 1_000, f'{{"email":{reserved}000}}' if reserved == 5 else '{"email": 4000}')
    assert (told["t"][0], told["u"][0]) == (4_000, 12_000)


def test_a_refused_value_counts_in_the_day_of_its_refusal(tables: Tables) -> None:
    for n, (sync, field, provider) in enumerate(
        (("a", "email", "ann"), ("a", "email", "ann"), ("b", "phone", "bob")), 1
    ):
        tables.add(Where("job", "id"), n, contact_id=n, sync=sync, field=field, state="review")
        tables.add(Where("result", "id"), n, job_id=n, provider=provider, outcome="found", at=1.0)
    day = int(NOW // DAY)
    tables.write(daily.refused, [1, 2, 3], now=day * DAY)
    tables.write(daily.refused, [1], now=(day + 1) * DAY - 1)
    told = tables.rows(Where("daily", "provider"), ["day", "sync", "field", "refused"])
    assert told == {"ann": [(day, "a", "email", 3)], "bob": [(day, "b", "phone", 1)]}


def test_what_is_left_at_worst_is_the_newest_balance_less_all_that_was_taken_since(tables: Tables) -> None:
    """Of the provider's own calls; what is reserved may be gone already."""
    for provider, at, balance, charged in (
        ("ann", 2.0, 90, 10),
        ("ann", 1.0, 500, 0),
        ("bob", 9.0, 70, 0),
        ("cy", 1.0, 40, 0),
    ):
        row = {"balance_mc": balance, "charged_mc": charged, "refund_mc": 0}
        tables.add(Where("balance", "provider"), provider, at=at, **row)
    for provider, charged, reserved in (("ann", 30, 5), ("bob", 1, 0)):
        row = {"charged_mc": charged, "reserved_mc": reserved, "submissions": 1, "assumed_mc": 0, "doubt_mc": 0}
        tables.add(Where("credit_total", "provider"), provider, **row, refund_mc=0)

    def left(provider: str) -> Any:
        return tables.read(lambda tx: tx.value("balance_left_at_worst", provider=provider))

    assert [left(provider) for provider in ("ann", "bob", "cy", "nobody")] == [65, 69, 40, None]


@pytest.mark.parametrize(
    ("spent", "note", "told"),
    [
        (8_999, None, (False, None, True)),
        (9_000, None, (True, None, True)),
        (9_001, None, (True, None, True)),
        (5_000, (4_001, NOW), (True, 4.001, True)),
        (5_000, (4_000, NOW), (False, None, True)),
        (5_000, (9_001, NOW), (True, 9.001, False)),
        (5_000, (4_001, NOW - DAY), (False, None, True)),
    ],
)
def test_a_budget_is_reached_when_nothing_is_left_or_when_the_next_call_does_not_fit(
    tables: Tables, spent: int, note: tuple[int, float] | None, told: tuple[bool, float | None, bool]
) -> None:
    """And of what was to be made today at the earliest; a call that is dearer than all of it never fits."""
    slot = int(NOW // SLOT)
    row = {
        "field": "email",
        "run_id": 1,
        "refresh": 0,
        "charged_mc": spent,
        "reserved_mc": 0,
        "assumed_mc": 0,
        "doubt_mc": 0,
    }
    tables.add(Where("spend", "provider"), "ann", slot=slot, sync="a", **row)
    if note is not None:
        needs, at = note
        given = {"cap": "day", "sync": "a", "provider": "ann", "since": at - 1}
        tables.add(Where("over_budget", "budget"), "all", needs_mc=needs, at=at, **given)
    (one,) = tables.read(budgets.report, [Budget(name="all", per_day=Decimal(9))], now=NOW)
    assert (one["reached"], one["needs"], one["fits"]) == told
    assert one["left"] == pytest.approx(max(0.0, (9_000 - spent) / 1000))
    midnight = (NOW // DAY + 1) * DAY
    assert one["goes_on_at"] == (midnight if one["reached"] and one["fits"] else None)
    assert one["reached_at"] == (None if note is None or not one["reached"] else note[1] - 1)


@pytest.mark.parametrize("window", ["run", "day"])
@pytest.mark.parametrize(
    ("ago", "since_midnight", "since_the_run"), [(0, True, True), (2, True, False), (30, False, False)]
)
def test_a_call_that_did_not_fit_counts_in_this_day_or_in_this_run(
    tables: Tables, window: str, ago: int, since_midnight: bool, since_the_run: bool
) -> None:
    """The newest run began an hour before this moment, long after midnight."""
    now = NOW // DAY * DAY + 20 * 3_600.0
    for run, at in ((1, now - 5 * 3_600.0), (2, now - 3_600.0)):
        tables.add(Where("run", "sync"), "a", id=run, started_at=at)
    given = {"cap": window, "sync": "a", "provider": "ann", "since": 1.0, "needs_mc": 9_001}
    tables.add(Where("over_budget", "budget"), "all", at=now - ago * 3_600.0, **given)
    spent = {"field": "email", "run_id": 2, "refresh": 0, "charged_mc": 1, "reserved_mc": 0, "assumed_mc": 0}
    tables.add(Where("spend", "provider"), "ann", slot=int(now // SLOT), sync="a", doubt_mc=0, **spent)
    caps: dict[str, Any] = {f"per_{window}": Decimal(9)}
    (one,) = tables.read(budgets.report, [Budget(name="all", syncs=frozenset({"a"}), **caps)], now=now)
    assert one["reached"] is (since_the_run if window == "run" else since_midnight)
    (new,) = tables.read(budgets.report, [Budget(name="all", syncs=frozenset({"new"}), **caps)], now=now)
    assert new["reached"] is since_midnight, "of syncs without a run, it is this day"


def test_a_month_goes_on_once_so_much_has_left_it_that_the_next_call_fits(tables: Tables) -> None:
    first = NOW // DAY * DAY - 29 * DAY
    for day, charged in ((0, 2_000), (3, 4_000), (20, 3_000)):
        row = {"field": "email", "run_id": 1, "refresh": 0, "reserved_mc": 0, "assumed_mc": 0, "doubt_mc": 0}
        tables.add(
            Where("spend", "provider"),
            "ann",
            slot=int((first + day * DAY) // SLOT),
            sync="a",
            charged_mc=charged,
            **row,
        )

    def goes_on(needs: int) -> int | None:
        given = {"cap": "month", "sync": "a", "provider": "ann", "needs_mc": needs, "at": NOW, "since": NOW}
        tables.raw.execute("DELETE FROM over_budget")
        tables.add(Where("over_budget", "budget"), "all", **given)
        (one,) = tables.read(budgets.report, [Budget(name="all", per_month=Decimal(9))], now=NOW)
        return None if one["goes_on_at"] is None else int((one["goes_on_at"] - first) // DAY) - 29

    assert [goes_on(needs) for needs in (1, 2_000, 2_001, 6_000, 6_001, 9_000, 9_001)] == [1, 1, 4, 4, 21, 21, None]


@pytest.mark.parametrize(
    ("finds", "charge", "split"),
    [
        ({"email": 2, "phone": 1}, 24_000, {"email": 4_000, "phone": 20_000}),
        ({"email": 1, "phone": 1}, 22_000, {"email": 2_000, "phone": 20_000}),
        ({"email": 4, "phone": 0}, 6_000, {"email": 6_000, "phone": 0}),
        ({}, 28_000, {"email": 8_000, "phone": 20_000}),
        ({"email": 2, "phone": 1}, 0, None),
    ],
)
def test_what_a_mixed_call_was_charged_is_split_by_what_it_found(
    tables: Tables, finds: dict[str, int], charge: int, split: dict[str, int] | None
) -> None:
    """Four mailboxes were asked for at two credits each, and one phone at twenty."""
    reserved = {"email": 8_000, "phone": 20_000}
    for call in ("s", "other"):
        tables.add(Where("submission", "id"), call, provider="ann", state="accepted", shares=json.dumps(reserved))
    asked = ["email"] * 4 + ["phone"]
    for n, field in enumerate(asked, 1):
        tables.add(Where("job", "id"), n, contact_id=n, field=field, sync="a", state="sent")
        tables.add(Where("attempt", "id"), n, job_id=n, submission_id="s", provider="ann", created_at=1.0)
        found = asked[:n].count(field) <= finds.get(field, 0)
        row = {"submission_id": "s", "outcome": "found" if found else "not_found", "candidates": "[]"}
        tables.add(Where("result", "id"), n, job_id=n, provider="ann", round=0, **row)
        tables.add(Where("result", "id"), n + 10, job_id=n, provider="bob", round=0, **{**row, "submission_id": "old"})
    told = tables.read(shares.of_charges, {"s": charge, "unknown": 5})
    assert (None if told["s"] is None else json.loads(told["s"]), told["unknown"]) == (split, None)


def test_a_single_field_has_all_that_was_charged(tables: Tables) -> None:
    tables.add(Where("submission", "id"), "s", provider="ann", state="accepted", shares='{"email": 7}')
    assert tables.read(shares.of_charges, {"s": 5_000}) == {"s": '{"email":5000}'}


def test_a_balance_is_noted_once_for_a_moment_and_kept_a_quarter_of_an_hour(tables: Tables) -> None:
    """Of what is older the newest stays, to compare with; what lies ahead is of a clock that was set back since."""

    def note(provider: str, balance: int, charged: int, refund: int, at: float) -> None:
        row = {"balance_mc": balance, "charged_mc": charged, "refund_mc": refund}
        tables.write(lambda tx: tx.run("balance_note", provider=provider, now=at, **row))

    note("ann", 1, 2, 3, NOW)
    note("ann", 4, 5, 6, NOW)
    columns = ["at", "balance_mc", "charged_mc", "refund_mc"]
    assert tables.rows(Where("balance", "provider"), columns) == {"ann": [(NOW, 4, 5, 6)]}
    for at in (NOW - 900, NOW - 901, NOW - 1_000, NOW - 899, NOW + 1):
        note("ann", 1, 1, 1, at)
    note("bob", 1, 1, 1, NOW - 5_000)
    tables.write(lambda tx: tx.run("balance_thin", provider="ann", now=NOW, late=NOW - 900))
    kept = {
        provider: [row[0] - NOW for row in rows]
        for provider, rows in tables.rows(Where("balance", "provider"), ["at"]).items()
    }
    assert kept == {"ann": [-900, -899, 0], "bob": [-5_000]}
    assert tables.read(lambda tx: tx.row("balance_oldest", provider="ann")["at"]) == NOW - 900


def test_of_each_day_sync_field_and_provider_what_became_of_the_questions_is_counted(tables: Tables) -> None:
    """By the day of the call. Who was asked first, and found somebody, is counted apart."""
    day = int(NOW // DAY)
    tables.add(Where("job", "id"), 1, contact_id=1, sync="a", field="email", state="done")
    tables.add(Where("job", "id"), 2, contact_id=2, sync="b", field="phone", state="done")
    answers = (
        (1, "ann", "s1", "not_found", "", "[]", 0), (1, "bob", "s2", "found", "other", '[["valid","v"]]', 1),
        (2, "ann", "s3", "found", "same", "[]", 0), (2, "bob", "s4", "missing", "", "[]", 0),
        (1, "ann", "s5", "found", "same", "[]", 9),
    )  # fmt: skip
    for n, (job, provider, call, outcome, verdict, candidates, after) in enumerate(answers, 1):
        tables.add(
            Where("attempt", "id"), n, job_id=job, submission_id=call, provider=provider, created_at=(day + after) * DAY
        )
        row = {
            "outcome": outcome,
            "verdict": verdict,
            "candidates": candidates,
            "told": None,
            "at": (day + after) * DAY + 16,
        }
        tables.add(Where("result", "id"), n, job_id=job, provider=provider, submission_id=call, delivery_id=n, **row)

    def counted(after: int, until: int) -> dict[tuple[Any, ...], tuple[int, ...]]:
        names = (
            "found",
            "missed",
            "unanswered",
            "verified",
            "contradicted",
            "asked_first",
            "found_first",
            "quarter",
            "n",
        )
        rows = tables.read(lambda tx: tx.rows("daily_answers", after=after, until=until))
        return {(row["day"] - day, row["sync"], row["provider"]): tuple(row[one] for one in names) for row in rows}

    assert counted(0, 4) == {
        (0, "a", "ann"): (0, 1, 0, 0, 0, 1, 0, 16, 1),
        (1, "a", "bob"): (1, 0, 0, 1, 1, 0, 0, 16, 1),
        (0, "b", "ann"): (1, 0, 0, 0, 0, 1, 1, 16, 1),
        (0, "b", "bob"): (0, 0, 1, 0, 0, 0, 0, 16, 0),
    }
    assert set(counted(1, 2)) == {(1, "a", "bob")}
    assert set(counted(4, 9)) == {(9, "a", "ann")}
    for n, (job, state, run) in enumerate(
        ((1, "written", 0), (1, "write_refused", 0), (2, "cleared", 0), (2, "kept", 0)), 1
    ):
        tables.add(
            Where("write", "id"), n, job_id=job, state=state, run_id=run, at=day * DAY, property="x", result_id=job + 1
        )
    written = tables.read(lambda tx: [tuple(row) for row in tx.rows("daily_writes", after=0, until=4)])
    told = {(row[1], row[3]): (row[0] - day, row[11], row[12]) for row in written}
    assert told == {("a", "bob"): (0, 1, 1), ("b", "ann"): (0, 1, 0)}
    assert len(tables.read(lambda tx: tx.rows("daily_writes", after=2, until=3))) == 1
    newest = tables.read(lambda tx: tuple(tx.row("daily_newest")))
    assert newest == (5, 4, None)
    tables.add(Where("write", "id"), 9, job_id=2, state="intent", run_id=1, at=1.0, property="x")
    tables.add(Where("write", "id"), 8, job_id=1, state="intent", run_id=1, at=1.0, property="x")
    assert tables.read(lambda tx: tuple(tx.row("daily_newest"))) == (5, 9, 8)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({}, {("a", "ann"), ("a", "bob"), ("b", "ann"), ("b", "bob")}),
        ({"syncs": frozenset({"a"})}, {("a", "ann"), ("a", "bob")}),
        ({"providers": frozenset({"ann"})}, {("a", "ann"), ("b", "ann")}),
        ({"syncs": frozenset({"b"}), "providers": frozenset({"bob"})}, {("b", "bob")}),
        ({"syncs": frozenset()}, set()),
    ],
)
def test_which_calls_a_budget_covers_and_how_much_of_them(scope: dict[str, Any], covered: set[tuple[str, str]]) -> None:
    mail, phone = FIELDS
    budget = Budget(name="all", per_day=Decimal(9), per_run=Decimal(3), **scope)
    assert {one for one in itertools.product(SYNCS, PROVIDERS) if budget.covers(*one)} == covered
    shares = {mail: Decimal(1), phone: Decimal(8)}
    assert budget.part(shares) == 9
    assert Budget(fields=frozenset({phone})).part(shares) == 8
    assert Budget(fields=frozenset({phone})).part({mail: Decimal(1)}) is None
    assert dict(budget.caps()) == {"run": Decimal(3), "day": Decimal(9)}
    assert budget.in_words("day") == "all: 9 credits in 1 day (UTC)"
    assert budget.in_words("run") == "all: 3 credits in a run (UTC)"
    assert Budget(name="all", per_month=Decimal(5)).in_words("month") == "all: 5 credits in 30 days (UTC)"


def test_the_first_quarter_hour_of_a_provider(tables: Tables) -> None:
    for provider, slot in (("ann", 7), ("ann", 5), ("bob", 3)):
        row = {
            "field": "email",
            "run_id": 1,
            "refresh": 0,
            "reserved_mc": 0,
            "charged_mc": 1,
            "assumed_mc": 0,
            "doubt_mc": 0,
        }
        tables.add(Where("spend", "provider"), provider, slot=slot, sync="a", **row)
    found = [tables.read(lambda tx, one=one: tx.value("spent_first", provider=one)) for one in ("ann", "bob", "cy")]
    assert found == [5, 3, None]


@pytest.mark.parametrize(
    ("waiting", "left", "told"),
    [
        ([5, 9], 4, 5),
        ([5, 9], 5, 9),
        ([5, 9], 9, None),
        ([9, 10], 0, 9),
        ([10, 11], 0, 10),
        ([10, 9], 8, 9),
    ],
)
def test_of_what_does_not_fit_the_least_is_told_that_may_fit_at_all(
    tables: Tables, waiting: list[int], left: int, told: int | None
) -> None:
    """What takes all of the budget may still fit; what is dearer comes last."""
    for needs in waiting:
        given = {"cap": "day", "sync": "a", "provider": "ann", "since": 3.0, "at": 5.0}
        tables.add(Where("over_budget", "budget"), "all", needs_mc=needs, **given)
    values = {"budget": "all", "cap": "day", "left": left, "whole": 9}
    row = tables.read(lambda tx: tx.row("over_budget", **values, since=5.0))
    assert (None if row is None else row["needs_mc"]) == told
    assert tables.read(lambda tx: tx.row("over_budget", **values, since=5.1)) is None
