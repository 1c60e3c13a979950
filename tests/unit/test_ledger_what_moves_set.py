"""What a move of a job sets, and what it leaves as it was: of one, of a few, and of many that move alike."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.ledger.states import JobState
from syncd.ledger.store import ALIKE, Move, NewJob, Tx

from .by_hand import EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

BEFORE: dict[str, Any] = {
    "state": "queued",
    "thinned": 1,
    "reason": "cancelled",
    "note": "before",
    "round": 3,
    "provider": "ann",
    "due_at": 5.0,
    "behind": 7,
    "submission_id": "s",
    "value": "v",
    "result_id": 4,
    "destination": "mobile",
    "updated_at": 1.0,
    "asked_person": "q",
    "priority": -1,
}
COLUMNS = tuple(BEFORE)


def _jobs(tables: Tables, n: int, **given: Any) -> None:
    for id_ in range(1, n + 2):
        tables.add(
            Where("job", "id"), id_, **{**BEFORE, **given}, contact_id=id_, field="email", sync="a", person=f"p{id_}"
        )


def _move(
    tables: Tables, n: int, target: JobState, values: dict[str, Any], *, source: JobState = JobState.QUEUED
) -> None:
    moves = [Move(id_, source, target, values) for id_ in range(1, n + 1)]
    assert tables.write(lambda tx: tx.move_many(moves, now=NOW)) == set(range(1, n + 1))


@pytest.mark.parametrize("n", [1, ALIKE - 1, ALIKE])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"reason": "not_found"},
        {"note": "n"},
        {"round": 9},
        {"provider": "bob"},
        {"due_at": 99.0},
        {"behind": 8},
        {"submission_id": "t"},
        {"value": "w"},
        {"result_id": 11},
        {"destination": "phone"},
    ],
    ids=lambda values: "".join(values) or "nothing",
)
def test_a_move_sets_what_it_says_and_keeps_the_rest(tables: Tables, n: int, values: dict[str, Any]) -> None:
    """Reason, note, when it was due, who was asked about and whom it stands behind are of the state that it was in."""
    _jobs(tables, n)
    _move(tables, n, JobState.DONE, values)
    after = {
        **BEFORE,
        "state": "done",
        "due_at": 0.0,
        "asked_person": "",
        "thinned": 0,
        "reason": "",
        "note": "",
        "behind": None,
        "updated_at": NOW,
        "priority": 0,
    }
    told = tables.rows(Where("job", "id"), COLUMNS)
    assert told.pop(n + 1) == [tuple(BEFORE[one] for one in COLUMNS)], "another one stays"
    assert told == {id_: [tuple({**after, **values}[one] for one in COLUMNS)] for id_ in range(1, n + 1)}


@pytest.mark.parametrize("n", [1, ALIKE])
@pytest.mark.parametrize(
    ("target", "person", "asked", "priority"),
    [
        (JobState.SENDING, "p1", "p1", -1),
        (JobState.SENDING, None, "", -1),
        (JobState.WAITING, "p1", "", -1),
        (JobState.DONE, "p1", "", 0),
    ],
)
def test_who_is_asked_about_is_noted_while_it_is_on_its_way(
    tables: Tables, n: int, target: JobState, person: str | None, asked: str, priority: int
) -> None:
    _jobs(tables, n)
    if person is None:
        tables.raw.execute("UPDATE job SET person = NULL")
        tables.raw.commit()
    _move(tables, n, target, {})
    found = tables.rows(Where("job", "id"), ["asked_person", "priority"])[1]
    assert found == [(asked, priority)]


def test_who_is_asked_about_may_be_somebody_else_than_the_contact(tables: Tables) -> None:
    _jobs(tables, 2)
    moves = [Move(id_, JobState.QUEUED, JobState.SENDING, {"asked_person": f"x{id_}"}) for id_ in (1, 2)]
    tables.write(lambda tx: tx.move_many(moves, now=NOW))
    found = tables.rows(Where("job", "id"), ["asked_person"])
    assert found == {1: [("x1",)], 2: [("x2",)], 3: [("q",)]}


@pytest.mark.parametrize("priority", [0, 2])
def test_whoever_was_to_be_asked_first_stays_so(tables: Tables, priority: int) -> None:
    for n in (1, ALIKE):
        tables.raw.execute("DELETE FROM job")
        _jobs(tables, n, priority=priority)
        _move(tables, n, JobState.DONE, {})
        assert tables.rows(Where("job", "id"), ["priority"])[1] == [(priority,)]


def test_of_those_that_move_with_values_of_their_own_each_has_its_own(tables: Tables) -> None:
    _jobs(tables, 3)
    moves = [
        Move(
            id_,
            JobState.QUEUED,
            JobState.DONE,
            {"note": f"n{id_}", "value": f"v{id_}", "result_id": id_, "reason": "x"},
        )
        for id_ in (3, 1)
    ]
    assert tables.write(lambda tx: tx.move_many(moves, now=NOW)) == {1, 3}
    found = tables.rows(Where("job", "id"), ["state", "note", "value", "result_id"])
    assert found[1] == [("done", "n1", "v1", 1)]
    assert found[3] == [("done", "n3", "v3", 3)]
    assert found[2] == [("queued", "before", "v", 4)]


@pytest.mark.parametrize(
    ("source", "target", "woken"),
    [
        (JobState.QUEUED, JobState.DONE, True), (JobState.ANSWERED, JobState.ACCEPTED, True),
        (JobState.ANSWERED, JobState.REVIEW, True), (JobState.ACCEPTED, JobState.DONE, True),
        (JobState.QUEUED, JobState.SENDING, False), (JobState.SENT, JobState.ANSWERED, False),
    ],
)  # fmt: skip
def test_what_stood_behind_a_job_is_queued_again_once_that_is_decided(
    tables: Tables, source: JobState, target: JobState, woken: bool
) -> None:
    tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", state=source)
    for n, behind in ((2, 1), (3, 9), (4, None)):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="waiting", behind=behind)
    assert tables.write(lambda tx: tx.move_many([Move(1, source, target)], now=NOW)) == {1}
    found = {n: rows[0][0] for n, rows in tables.rows(Where("job", "id"), ["state"]).items()}
    assert found == {1: target, 2: "queued" if woken else "waiting", 3: "waiting", 4: "waiting"}


def test_who_comes_after_the_first_whole_pull_is_new_and_comes_first(tables: Tables) -> None:
    """A pull that failed, or has not ended, was none; of several the first one counts, of each sync its own."""
    runs = (
        ("a", None, "", 50),
        ("a", 1.0, "it failed", 1),
        ("a", 2.0, "", 4),
        ("a", 3.0, "", 9),
        ("b", 2.0, "", 1),
        ("c", None, "", 1),
    )
    for n, (sync, ended, error, last) in enumerate(runs, 1):
        tables.add(Where("run", "id"), n, sync=sync, ended_at=ended, error=error, last_contact=last, started_at=1.0)
    for contact in range(1, 9):
        tables.add(Where("contact", "id"), contact, **EMPTY)
    tables.add(Where("job", "contact_id"), 2, field="email", sync="z", state="done", priority=0)
    wanted = [NewJob(contact, sync, "email", f"p{contact}", JobState.QUEUED, "r", "n", "ann") for contact, sync in (
        (4, "a"), (5, "a"), (6, "b"), (7, "c"), (8, "d"), (2, "b"))]  # fmt: skip

    def make(tx: Tx) -> dict[tuple[int, str], int]:
        return tx.make_many(wanted, now=NOW)

    made = tables.write(make)
    assert set(made) == {(contact, "email") for contact in (4, 5, 6, 7, 8)}, "one is there"
    columns = ["sync", "person", "state", "reason", "note", "provider", "updated_at", "priority"]
    told = tables.rows(Where("job", "contact_id"), columns)
    priorities = {contact: rows[0][-1] for contact, rows in told.items()}
    assert priorities == {2: 0, 4: 0, 5: 1, 6: 1, 7: 0, 8: 0}
    assert told[5] == [("a", "p5", "queued", "r", "n", "ann", NOW, 1)]


@pytest.mark.parametrize("n", [1, ALIKE])
def test_of_what_is_accepted_the_call_stands_with_its_answer(tables: Tables, n: int) -> None:
    """Twelve bytes of each job that nobody reads again; whatever else it came to, an answer may still come."""
    for target, left in ((JobState.ACCEPTED, None), (JobState.DONE, "s")):
        tables.raw.execute("DELETE FROM job")
        _jobs(tables, n, state="answered")
        _move(tables, n, target, {}, source=JobState.ANSWERED)
        found = tables.rows(Where("job", "id"), ["submission_id"])
        assert found == {**{id_: [(left,)] for id_ in range(1, n + 1)}, n + 1: [("s",)]}
