"""In which order values wait for a person: where most can go wrong comes first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncd.actions import reviewing
from syncd.actions.reviewing import Which
from syncd.ledger import reports, reviews
from syncd.ledger.reviews import Review
from syncd.ledger.store import Tx
from syncd.observe import conditions

from .conftest import Build
from .harness import EMAIL
from .test_approve import approving, mail_of
from .test_ledger_pages import Counting
from .test_pages import Page, browse

PRICES = {"ann": {"email": Decimal(1)}}
ONE = Review(
    id=1, ref="crm/contacts/1", sync="people", field="phone", provider="ann", value="+33612345678", old="",
    replaces_typed=False, held="", grade="valid", cost=1.0, found_at=100.0, why="approval", speaks_for=(),
    speaks_against=(), contact={}, answer=[], since=100.0, until=None,
)  # fmt: skip


def values(*differing: dict[str, Any]) -> list[Review]:
    return [replace(ONE, id=number, **one) for number, one in enumerate(differing, 1)]


@pytest.mark.parametrize(
    ("riskier", "safer"),
    [
        ({"replaces_typed": True, "held": "+33612345679"}, {"old": "+33144000000", "held": "+33144000000"}),
        ({"old": "+33612345679", "held": "+33612345679"}, {"grade": "unknown"}),
        ({"grade": "unknown"}, {"grade": "catch_all"}),
        ({"grade": "catch_all"}, {"grade": "probable"}),
        ({"grade": "probable"}, {"grade": "valid"}),
        (
            {"old": "+49301234567", "held": "+49301234567"},
            {"old": "+33612345679", "held": "+33612345679"},
        ),
        ({"until": 500.0, "since": 200.0}, {"until": 900.0}),
        ({"until": 900.0, "since": 200.0}, {"until": None}),
        ({"since": 50.0}, {"since": 60.0}),
    ],
)
def test_what_can_do_most_harm_comes_first_and_then_what_is_over_first(
    riskier: dict[str, Any], safer: dict[str, Any]
) -> None:
    later, first = values(safer, riskier)
    assert sorted([later, first], key=reviewing.risk) == [first, later]


def test_other_orders_are_named() -> None:
    old, new, soon = values({"found_at": 1.0, "until": None}, {"found_at": 9.0}, {"found_at": 5.0, "until": 7.0})
    assert [one.id for one in sorted([old, new, soon], key=reviewing.ORDERS["newest"])] == [new.id, soon.id, old.id]
    assert sorted([old, new, soon], key=reviewing.ORDERS["deadline"])[0] is soon


def test_the_order_stands_in_the_address_and_pages_go_on_from_a_place(build: Build) -> None:
    harness, _ = approving(build, people=3)

    def order(path: str) -> list[int]:
        text = browse(harness, lambda client: client.get(path)).text
        ids = [int(part.partition('"')[0]) for part in text.split('name="id" value="')[1:]]
        assert len(set(ids)) == len(ids)
        return ids

    usual = order("/review")
    assert order("/review?sort=newest") == sorted(usual, reverse=True)
    first = harness.run(harness.ledger.read(reviews.named, usual[:1]))[0]
    place = ",".join(map(repr, reviewing.risk(first)))
    assert order(f"/review?after={place}") == usual[1:]
    wrong = browse(harness, lambda client: client.get("/review?sort=fun"))
    assert (wrong.status_code, "choose one of risk, deadline, newest" in Page(wrong).text) == (400, True)
    assert browse(harness, lambda client: client.get("/review?after=x")).status_code == 400


def test_what_would_replace_a_value_shows_both_what_differs_and_that_it_is_not_ours(build: Build) -> None:
    harness, [ada] = approving(build, people=1)
    harness.crm.edit(ada, "email", "a.lind@acme.example.com")
    [one] = harness.run(harness.ledger.read(reviews.waiting))
    assert (one.replaces_typed, one.held) == (False, "")  # as far as was pulled, it is blank
    taken = replace(one, replaces_typed=True, held="a.lind@acme.example.com")
    assert reviewing.risk(taken) < reviewing.risk(one)
    page: httpx.Response = browse(harness, lambda client: client.get("/review"))
    text = Page(page).text
    for told in ("(empty)", mail_of("Ada"), "valid", "ann", "1 credit", "ago", str(EMAIL)):
        assert told in text, told


def test_of_very_many_values_the_first_are_counted_by_their_reason_and_the_others_all_the_same(build: Build) -> None:
    harness, _ = approving(build, people=3)

    def counted(most: int) -> dict[str, Any]:
        return harness.run(harness.ledger.read(reports.reviews, most=most))

    assert (counted(3)["waiting"], counted(3)["why"]) == (3, {"approval": 3})
    assert (counted(2)["waiting"], counted(2)["why"]) == (3, {"approval": 2, reports.MORE: 1})
    assert conditions.why_they_wait(counted(2)["why"]) == "2 values want a person's approval, 1 more wait"


def test_the_outline_of_what_waits_says_what_the_whole_says(build: Build) -> None:
    harness, [ada, *_] = approving(build, people=3)
    filled = "UPDATE contact SET lacks = '[]' WHERE ext_id = ?"  # as a pull brings it, before it is decided on again
    harness.run(harness.ledger.write(lambda tx: tx._connection.execute(filled, [ada]) and None))
    whole = harness.run(harness.ledger.read(reviewing.choose, Which(), PRICES, now=harness.clock.now()))
    for which in (Which(), Which(ids=[one.id for one in whole[1:]]), Which(query="ada")):
        same = harness.run(harness.ledger.read(reviewing.choose, which, PRICES, now=harness.clock.now()))
        short = harness.run(harness.ledger.read(reviewing.outline, which, now=harness.clock.now()))
        assert (reviewing.mark_of(short), reviewing.counts(short)) == (reviewing.mark_of(same), reviewing.counts(same))
        replaced = {one.id: 2 if one.replaces_typed else 1 if one.old else 0 for one in same}
        assert {one.id: one.replaces for one in short} == replaced
        assert harness.run(harness.ledger.read(reviews.spent, short, PRICES)) == sum(one.cost or 0 for one in same)
    assert sorted(one.replaces_typed for one in whole) == [False, False, True]


@pytest.mark.parametrize("decision", [reviews.ACCEPTED, reviews.REFUSED])
def test_many_are_decided_with_the_statements_of_one(build: Build, decision: str) -> None:
    harness, _ = approving(build, people=3)
    [first, *others] = [one.id for one in harness.run(harness.ledger.read(reviews.waiting))]

    def counted(tx: Tx, ids: list[int]) -> tuple[int, int]:
        counting = Counting(tx)
        decided = reviews.decide(counting, ids, decision, "maria", now=harness.clock.now())
        counting.close()
        return decided, counting.n

    (one, n), (two, m) = (harness.run(harness.ledger.write(counted, ids)) for ids in ([first], others))
    assert (one, two, n) == (1, 2, m)
    harness.verify()
