"""What a balance and the charges say of each other: spans, purchases, and when a difference is told. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from syncd.ledger.reconciliation import Reading, Span, State, compare, in_words, shown

CONFIRM = 600.0  # seconds
ROUNDING = 1_000  # thousandths of a credit
SMALLEST_PACK = 50_000

FIRST = Reading(at=0.0, balance=100_000, charged=0, charged_before=0, reserved=0, refunds=0, assumed=0, refunded_ever=0)


@pytest.mark.parametrize(
    ("one", "other", "meet", "below"),
    [
        (Span(1, 3), Span(3, 5), True, 0),
        (Span(1, 3), Span(4, 5), False, 1),
        (Span(4, 5), Span(1, 3), False, -1),
        (Span(3, 5), Span(1, 3), True, 0),
        (Span(1, 9), Span(2, 3), True, 0),
        (Span(1, 3), Span(9, 10), False, 6),
    ],
)
def test_how_two_spans_lie(one: Span, other: Span, meet: bool, below: int) -> None:
    assert (one.meets(other), one.below(other)) == (meet, below)
    if meet:
        assert one.common(other) == other.common(one) == Span(max(one.low, other.low), min(one.high, other.high))


@pytest.mark.parametrize(("by", "wider"), [(0, Span(5, 9)), (2, Span(3, 9)), (-2, Span(5, 11))])
def test_an_unknown_part_widens_a_span_on_one_side(by: int, wider: Span) -> None:
    assert Span(5, 9).widened(by) == wider


def test_what_the_account_would_hold_had_nothing_been_bought() -> None:
    reading = replace(FIRST, balance=50, charged=30, charged_before=20, reserved=7, refunds=5)
    assert reading.own == Span(70, 92)


def after(*readings: Reading, first: Reading = FIRST) -> State:
    state = State.first(first)
    for one in readings:
        state = compare(state, one)
    return state


def reading(at: float, balance: int, **more: Any) -> Reading:
    return replace(FIRST, at=at, balance=balance, **more)


@pytest.mark.parametrize(("gone", "told"), [(ROUNDING - 1, 0), (ROUNDING, ROUNDING), (5_000, 5_000)])
@pytest.mark.parametrize(("seconds", "confirmed"), [(CONFIRM - 1, False), (CONFIRM, True)])
def test_what_is_missing_is_told_once_it_has_stood(gone: int, told: int, seconds: float, confirmed: bool) -> None:
    once = reading(10.0, FIRST.balance - gone)
    state = after(once, replace(once, at=10.0 + seconds))
    assert state.difference == told
    assert state.confirmed == (told if confirmed else 0)
    assert state.differs_since == (10.0 if told and not confirmed else None)


def test_what_came_back_is_told_at_once_and_a_new_sign_only_once_it_has_stood() -> None:
    gone = [reading(at, FIRST.balance - 9_000) for at in (10.0, 10.0 + CONFIRM)]
    assert after(*gone).confirmed == 9_000
    less = after(*gone, reading(700.0, FIRST.balance - 4_000))
    assert (less.difference, less.confirmed) == (4_000, 4_000)
    more = after(*gone, reading(700.0, FIRST.balance - 20_000))
    assert (more.difference, more.confirmed) == (20_000, 9_000)


def test_charges_and_what_is_under_way_explain_the_balance() -> None:
    charged = reading(10.0, 90_000, charged=10_000, charged_before=10_000)
    assert after(charged).difference == 0
    held = reading(10.0, 90_000, reserved=10_000)
    assert after(held).difference == 0
    assert after(held, reading(20.0, 90_000, reserved=4_000)).difference == 6_000
    late = reading(10.0, 100_000, charged=10_000)
    assert after(late).difference == 0, "it may show a little later"
    assert after(late, replace(late, at=20.0, charged_before=10_000)).difference == -10_000


@pytest.mark.parametrize("pack", [2_000, SMALLEST_PACK, 500_000])
def test_a_purchase_is_no_difference_and_is_remembered(pack: int) -> None:
    state = after(reading(10.0, FIRST.balance + pack))
    assert (state.difference, state.bought, state.jump) == (0, pack, 0)
    assert state.expected == Span(FIRST.balance + pack, FIRST.balance + pack)
    gone = after(reading(10.0, FIRST.balance + pack), reading(20.0, FIRST.balance + pack - 3_000))
    assert (gone.difference, gone.bought) == (3_000, pack)


@pytest.mark.parametrize(("back", "left"), [(4_000, 5_000), (9_000, 0)])
def test_what_was_missing_and_came_back_was_not_bought(back: int, left: int) -> None:
    gone = reading(10.0, FIRST.balance - 9_000)
    state = after(gone, reading(20.0, FIRST.balance - 9_000 + back))
    assert (state.difference, state.bought) == (left, 0)


def test_what_was_bought_is_at_least_the_rise_and_what_cannot_be_explained() -> None:
    """With a call under way, and with one that was charged meanwhile."""
    held = replace(FIRST, reserved=10_000)
    under_way = after(reading(10.0, 150_000, reserved=10_000), first=held)
    assert (under_way.bought, under_way.difference, under_way.jump) == (50_000, 0, 0)
    charged = after(reading(10.0, 145_000, charged=5_000, charged_before=5_000))
    assert (charged.bought, charged.difference) == (50_000, 0)


@pytest.mark.parametrize(("pack", "bought"), [(SMALLEST_PACK, SMALLEST_PACK), (SMALLEST_PACK - 1, 0)])
def test_a_rise_that_a_refund_could_explain_is_a_purchase_from_the_smallest_pack_on(pack: int, bought: int) -> None:
    held = reading(10.0, FIRST.balance, reserved=60_000)
    assert after(held, reading(20.0, FIRST.balance + pack, reserved=60_000)).bought == bought


@pytest.mark.parametrize(("balance", "reserved", "jump"), [(95_000, 5_000, 35_000), (100_000, 0, 0)])
def test_a_rise_is_remembered_while_calls_under_way_could_hide_a_purchase(
    balance: int, reserved: int, jump: int
) -> None:
    held = reading(10.0, 60_000, reserved=40_000)
    assert after(held, reading(20.0, balance, reserved=reserved)).jump == jump


def test_differences_that_are_too_small_to_be_told_add_up() -> None:
    assert [after(*(reading(10.0 * n, FIRST.balance - 600 * n) for n in range(1, last + 1))).difference for last in
            (1, 2)] == [0, 1_200]  # fmt: skip


def test_a_difference_stands_since_it_was_first_seen_however_the_clock_is_set() -> None:
    gone = [reading(at, FIRST.balance - 9_000) for at in (5_000.0, 4_000.0)]
    back = after(*gone)
    assert (back.differs_since, back.confirmed) == (4_000.0, 0)
    assert after(*gone, replace(gone[0], at=4_599.0)).confirmed == 0
    assert after(*gone, replace(gone[0], at=4_600.0)).confirmed == 9_000


@pytest.mark.parametrize(("now", "confirmed"), [(-4_000, 9_000), (0, 0), (9_000, 9_000)])
def test_less_is_told_at_once_and_the_other_sign_is_not_less(now: int, confirmed: int) -> None:
    gone = [reading(at, FIRST.balance - 9_000) for at in (10.0, 10.0 + CONFIRM)]
    late = reading(1_000.0, FIRST.balance - now, charged=max(0, -now), charged_before=max(0, -now))
    state = after(*gone, late if now < 0 else reading(1_000.0, FIRST.balance - now))
    assert state.confirmed == confirmed


def test_calls_that_count_as_charged_took_all_or_nothing() -> None:
    for balance in (100_000, 90_000):
        held = reading(10.0, balance, reserved=10_000)
        settled = reading(20.0, balance, assumed=10_000)
        assert after(held, settled).difference == 0
    held = reading(10.0, 90_000, reserved=10_000)
    assert after(held, reading(20.0, 85_000, assumed=10_000)).difference == 5_000


def test_a_state_is_kept_as_text() -> None:

    state = after(reading(10.0, 95_000), reading(20.0, 95_000))
    assert State.load(json.dumps(asdict(state))) == state


def test_a_state_is_told_in_credits() -> None:
    state = State(
        since=1.0, until=9.0, balance=90_500, charged_at_first=1_000, charged=8_250, open=3_000, assumed=0,
        own=Span(1, 2), expected=Span(3, 4), difference=2_000, differs_since=5.0, confirmed=1_500, bought=50_000,
    )  # fmt: skip
    assert shown(state) == {
        "since": 1.0, "until": 9.0, "balance": 90.5, "bought": 50.0, "charged": 7.25, "open": 3.0, "difference": 1.5,
        "seen": 2.0, "seen_since": 5.0,
    }  # fmt: skip
    first = State.first(reading(5.0, 100, charged=7, reserved=3, refunds=2, assumed=4, refunded_ever=6))
    kept = (
        first.since,
        first.until,
        first.charged_at_first,
        first.charged,
        first.open,
        first.assumed,
        first.refunded_ever,
    )
    assert kept == (5.0, 5.0, 7, 7, 5, 4, 6)
    assert first.own == first.expected == Span(100, 112)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"difference": 0, "seen": 0}, ""),
        ({"difference": 2.5, "seen": 9}, "2.5 credits are gone that were not charged here"),
        ({"difference": 0.5, "seen": 0}, "0.5 credits are gone that were not charged here"),
        ({"difference": -2, "seen": 0}, "2 credits that were charged here are not gone"),
        ({"difference": 0, "seen": 3}, "3 credits are gone that were not charged here, as it seems: not certain yet"),
    ],
)
def test_a_difference_in_words(given: dict[str, float], said: str) -> None:
    assert in_words(given) == said
