"""Values that wait for a person: which ones are told, which part of them, and what another value does to a decision."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncd.contract.model import Field
from syncd.ledger import reviews
from syncd.ledger.reviews import Doubtful

from .by_hand import EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand


def _waits(tables: Tables, n: int, *, due: float = 1.0, opened: float = 1.0, **job: Any) -> None:
    """Contact, job and answer with the number `n`; the answer waits for a person."""
    given = {**EMPTY, "connection": "crm", "object": "o", "identity": "{}", "lacks": '["email"]', "pulled_at": 1.0}
    tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
    row = {"contact_id": n, "sync": "a", "field": "email", "state": "review", "due_at": due, **job}
    tables.add(Where("job", "id"), n, **row)
    _answer(tables, n, job_id=n, opened=opened)


def _answer(
    tables: Tables, n: int, *, job_id: int, opened: float = 1.0, decision: str = "", why: str = "a doubt"
) -> None:
    found = json.dumps([["valid", f"v{n}@acme.test"]])
    row = {"outcome": "found", "candidates": found, "said": "[]", "told": "{}", "verdict": "doubtful", "at": 1.0}
    tables.add(Where("result", "id"), n, job_id=job_id, provider="ann", delivery_id=None, submission_id=None, **row)
    asked = {"value": f"v{n}@acme.test", "why": why, "decision": decision, "opened_at": opened, "until": None}
    tables.add(Where("review", "result_id"), n, job_id=job_id, **asked)


def test_those_are_told_that_are_named_and_still_wait(tables: Tables) -> None:
    """Oldest first; not another answer about the same field, nor one that was decided on, nor one that is over."""
    for n, opened in ((1, 9.0), (2, 8.0), (3, 7.0)):
        _waits(tables, n, opened=opened)
    _waits(tables, 4, state="answered")
    _answer(tables, 5, job_id=1)
    _answer(tables, 6, job_id=2, decision="refused")
    assert [one.id for one in tables.read(reviews.named, [1, 2, 4, 6, 9])] == [2, 1]
    assert {one.id for one in tables.read(reviews.outlines, [1, 2, 4, 6, 9])} == {1, 2}
    assert [one.id for one in tables.read(reviews.waiting)] == [5, 3, 2, 1]
    assert {one.id for one in tables.read(reviews.outlines)} == {1, 2, 3, 5}


@pytest.mark.parametrize(("reason", "note"), [("", "refused by ada"), ("left", "refused by ada: left")])
def test_who_has_decided_and_why_is_said_of_the_job(tables: Tables, reason: str, note: str) -> None:
    for n in (1, 2):
        _waits(tables, n, note="before")
    assert tables.write(reviews.decide, [1], reviews.REFUSED, "ada", now=NOW, reason=reason) == 1
    assert tables.write(reviews.decide, [1], reviews.REFUSED, "bea", now=NOW) == 0, "it is decided"
    told = tables.rows(Where("job", "id"), ["state", "note"])
    assert told == {1: [("answered", note)], 2: [("review", "before")]}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_page_ends_where_the_next_one_begins(tables: Tables, limit: int) -> None:
    """Those that are over first come first; the last page says that it is the last one."""
    for n, due in ((1, 5.0), (2, 4.0), (3, 5.0), (4, 6.0)):
        _waits(tables, n, due=due)
    pages: list[list[int]] = []
    after: tuple[float, int] | None = (0.0, 0)
    while after is not None:
        found, after = tables.read(reviews.page, after=after, limit=limit)
        pages.append([one.id for one in found])
    assert [one for page in pages for one in page] == [2, 1, 3, 4]
    assert [len(page) for page in pages] == [min(limit, 4 - done) for done in range(0, 4, limit)]


def test_a_page_is_narrowed(tables: Tables) -> None:
    _waits(tables, 1)
    _waits(tables, 2, sync="b")
    _waits(tables, 3, field="phone")
    for narrow, ids in (
        ({"sync": "b"}, [2]),
        ({"field": "phone"}, [3]),
        ({"provider": "bob"}, []),
        ({"provider": "ann"}, [1, 2, 3]),
        ({"why": "A DOUBT"}, [1, 2, 3]),
        ({"why": "x"}, []),
    ):
        found, more = tables.read(reviews.page, limit=9, **narrow)
        assert ([one.id for one in found], more) == (ids, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"why": "approval", "decision": "accepted"}, ""),
        ({"why": "approval", "decision": ""}, ""),
        ({"why": "a doubt", "decision": "accepted"}, "accepted"),
        ({"why": "a doubt", "decision": "refused"}, "refused"),
    ],
)
def test_an_approval_is_of_one_value_and_a_word_on_a_doubt_is_of_the_person(
    tables: Tables, before: dict[str, str], after: str
) -> None:
    """Another value of the same answer has to be approved anew."""
    _waits(tables, 1)
    tables.raw.execute("DELETE FROM review")
    tables.raw.commit()
    tables.add(Where("review", "result_id"), 1, job_id=1, value="one", opened_at=1.0, until=None, **before)
    tables.write(reviews.open_many, [Doubtful(1, 1, "another", "approval", 9.0)], now=NOW)
    told = tables.rows(Where("review", "result_id"), ["value", "why", "until", "opened_at", "decision"])
    assert told == {1: [("another", "approval", 9.0, 1.0, after)]}


def test_what_those_that_wait_have_cost_together(tables: Tables) -> None:
    """Not those of which no call is known, nor what nobody knows yet."""
    for n in (1, 2, 3, 4):
        _waits(tables, n)
    for call, charged in (("one", 3_000), ("two", None)):
        row = {
            "state": "accepted",
            "charged_mc": charged,
            "reserved_mc": 0,
            "shares": "{}",
            "run_id": 1,
            "created_at": 1.0,
        }
        tables.add(Where("submission", "id"), call, provider="ann", sync="a", **row)
    for job, call in ((1, "one"), (2, "one"), (3, "two")):
        tables.add(Where("attempt", "job_id"), job, submission_id=call, provider="ann", request=f".{job}", asked="{}")
        tables.raw.execute("UPDATE result SET submission_id = ? WHERE job_id = ?", [call, job])
        tables.raw.commit()
    prices = {"ann": {Field.EMAIL: 1}}
    shown = tables.read(reviews.outlines)
    assert [tables.read(reviews.spent, [one for one in shown if one.id in ids], prices) for ids in (
        {1, 2, 3, 4}, {1}, {3, 4}, {4}, set())] == [3.0, 1.5, 0.0, 0.0, 0.0]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "decided"),
    [
        (None, {1, 2}),
        ({1: "v1@acme.test", 2: "v2@acme.test"}, {1, 2}),
        ({1: "v1@acme.test", 2: "another"}, {1}),
        ({1: "x"}, {2}),
    ],
)
def test_what_still_waits_as_it_was_shown_is_decided(
    tables: Tables, shown: dict[int, str] | None, decided: set[int]
) -> None:
    """Not what was decided on before, nor what another value stands for by now, nor what is over."""
    for n in (1, 2, 3, 4, 5):
        _waits(tables, n)
    tables.raw.execute("UPDATE job SET state = 'answered' WHERE id = 4")
    tables.raw.execute("UPDATE review SET decision = 'refused', decided_by = 'before' WHERE result_id = 3")
    tables.raw.commit()
    assert tables.write(reviews.decide, [1, 2, 3, 4], "accepted", "ada", now=NOW, shown=shown) == len(decided)
    told = tables.rows(Where("review", "result_id"), ["decision", "decided_by", "decided_at"])
    for n in (1, 2):
        assert (told[n] == [("accepted", "ada", NOW)]) is (n in decided)
    assert (told[3][0][:2], told[4][0][0], told[5][0][0]) == (("refused", "before"), "", "")
    states = {n: rows[0][0] for n, rows in tables.rows(Where("job", "id"), ["state"]).items()}
    assert {n for n, state in states.items() if state == "answered"} == decided | {4}


def test_reviews_are_counted_by_why_they_wait(tables: Tables) -> None:
    """Of so many that are over next; the oldest first."""
    for n, (why, due, opened) in enumerate((("x", 5.0, 3.0), ("y", 1.0, 2.0), ("x", 2.0, 9.0), ("z", 9.0, 1.0)), 1):
        _waits(tables, n, due=due, opened=opened)
        tables.raw.execute("UPDATE review SET why = ? WHERE result_id = ?", [why, n])
        tables.raw.commit()
    _answer(tables, 9, job_id=1, decision="accepted")

    def counted(most: int) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in tables.read(lambda tx: tx.rows("reviews_by_reason", most=most))]

    assert counted(9) == [("z", 1, 1.0), ("y", 1, 2.0), ("x", 2, 3.0)]
    assert counted(2) == [("y", 1, 2.0), ("x", 1, 9.0)]
    due = tables.read(lambda tx: {row[0] for row in tx.rows("reviews_due", now=5.0)})
    assert due == {1, 2, 3}
    tables.raw.execute("UPDATE job SET state = 'answered' WHERE id = 2")
    tables.raw.commit()
    assert tables.read(lambda tx: {row[0] for row in tx.rows("reviews_due", now=4.9)}) == {3}


def test_how_many_values_a_run_has_accepted_by_itself(tables: Tables) -> None:
    for n, (sync, accepted) in enumerate((("a", 5), ("b", 6), ("a", 7)), 1):
        tables.add(Where("run", "id"), n, sync=sync, accepted=accepted, started_at=1.0)
    tables.write(lambda tx: tx.run("run_accepts", sync="a", n=9))
    assert {n: rows[0][0] for n, rows in tables.rows(Where("run", "id"), ["accepted"]).items()} == {1: 5, 2: 6, 3: 9}
    assert [tables.read(lambda tx, sync=sync: tx.value("run_accepted", sync=sync)) for sync in ("a", "b", "c")] == [
        9,
        6,
        None,
    ]
