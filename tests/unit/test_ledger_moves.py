"""The guarded moves: every one that the table allows, and no other."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.errors import BrokenInvariant
from syncd.contract.model import Contact, ContactRef, Field, Identity, Page
from syncd.ledger import contacts
from syncd.ledger.states import IN_FLIGHT, MOVES, JobState, Reason
from syncd.ledger.store import Ledger, Tx
from tests.places import place_of

from .audit import ask, audit, sqlite3
from .furnish import queue_all

NOW = 1_790_000_000.0
EVERY = list(itertools.product(JobState, JobState))


class Desk:
    """A ledger with one job, which `at` puts wherever a test wants to start."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger.open(place_of(path))
        self.runner = asyncio.Runner()
        self.write(self._furnish)

    def write(self, work: Any, *args: Any, **values: Any) -> Any:
        return self.runner.run(self.ledger.write(work, *args, **values))

    def close(self) -> None:
        self.ledger.close()
        self.runner.close()

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return ask(self.ledger.place, text, *values)

    def at(self, state: JobState) -> int:
        """A new job that has walked to `state` by allowed moves; its id."""
        (last,) = self.sql("SELECT coalesce(max(id), 0) FROM job")[0]
        self.write(self._furnish, ext_id=str(last + 1))
        job = int(last) + 1
        path = _way(state)
        for source, target in itertools.pairwise(path):
            self.write(move, job, source, target)
        return job

    @staticmethod
    def _furnish(tx: Tx, ext_id: str = "1") -> None:
        ref = ContactRef(connection="crm", object="contacts", id=ext_id)
        page = Page(contacts=(Contact(ref=ref, revision="1", identity=Identity()),), cursor={})
        run = contacts.start_run(tx, "people", now=NOW)
        contacts.store_page(tx, "people", run, page, [Field.EMAIL], now=NOW)
        queue_all(tx, Field.EMAIL, "ann", now=NOW)


def move(tx: Tx, job: int, source: JobState, target: JobState, **values: Any) -> bool:
    if target is JobState.DONE:
        values.setdefault("reason", Reason.CANCELLED)
    return tx.move(job, source, target, now=NOW, **values)


def _way(target: JobState) -> list[JobState]:
    """The shortest allowed way from queued."""
    ways = [[JobState.QUEUED]]
    for way in ways:
        if way[-1] is target:
            return way
        ways += [[*way, step] for step in sorted(MOVES[way[-1]]) if step not in way]
    raise AssertionError(f"no way leads to {target}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "ledger.db")
    yield desk
    desk.close()
    audit(tmp_path / "ledger.db", calls=False)


@pytest.mark.parametrize(("source", "target"), [(a, b) for a, b in EVERY if b in MOVES[a]])
def test_an_allowed_move_is_made_recorded_and_counted(desk: Desk, source: JobState, target: JobState) -> None:
    job = desk.at(source)
    before = desk.sql("SELECT count(*) FROM event WHERE job_id = ?", job)[0][0]
    assert desk.write(move, job, source, target, note="because") is True
    assert desk.sql("SELECT state FROM job WHERE id = ?", job) == [(target,)]
    events = desk.sql("SELECT source, target, note FROM event WHERE job_id = ? ORDER BY id", job)
    assert len(events) == before + 1
    assert events[-1] == (source, target, "because")
    audit(desk.ledger.place, calls=False)


@pytest.mark.parametrize(("source", "target"), [(a, b) for a, b in EVERY if b not in MOVES[a]])
def test_another_move_breaks_the_invariant_and_changes_nothing(desk: Desk, source: JobState, target: JobState) -> None:
    job = desk.at(source)
    before = desk.sql("SELECT * FROM job"), desk.sql("SELECT * FROM event"), desk.sql("SELECT * FROM counter")
    with pytest.raises(BrokenInvariant, match=f"from {source} to {target}"):
        desk.write(move, job, source, target)
    assert (desk.sql("SELECT * FROM job"), desk.sql("SELECT * FROM event"), desk.sql("SELECT * FROM counter")) == before


def test_a_move_from_where_the_job_no_longer_is_does_nothing(desk: Desk) -> None:
    job = desk.at(JobState.SENT)
    before = desk.sql("SELECT * FROM event")
    assert desk.write(move, job, JobState.QUEUED, JobState.SENDING) is False
    assert desk.sql("SELECT * FROM event") == before
    assert desk.sql("SELECT state FROM job WHERE id = ?", job) == [("sent",)]


def test_the_table_is_what_the_design_says() -> None:
    down = {(a, b) for a in MOVES for b in MOVES[a] if a in IN_FLIGHT and b in {JobState.QUEUED, JobState.WAITING}}
    assert {a for a, _ in down} == IN_FLIGHT, "refused, out of credits, or by the operator's policy"
    assert MOVES[JobState.DONE] == {JobState.ANSWERED, JobState.QUEUED}
    assert not any(JobState.SENDING in MOVES[s] for s in JobState if s is not JobState.QUEUED), "one way to be sent"
    assert not any(JobState.WRITING in MOVES[s] for s in JobState if s is not JobState.ACCEPTED), (
        "one way to be written"
    )


def test_a_job_that_reaches_done_loses_no_reason_and_a_reopened_one_keeps_none(desk: Desk) -> None:
    job = desk.at(JobState.DONE)
    assert desk.sql("SELECT reason FROM job WHERE id = ?", job) == [("cancelled",)]
    desk.write(move, job, JobState.DONE, JobState.ANSWERED)
    assert desk.sql("SELECT reason FROM job WHERE id = ?", job) == [("",)]


def test_what_stands_behind_a_job_is_woken_when_it_is_decided(desk: Desk) -> None:
    for end in (JobState.ACCEPTED, JobState.QUEUED, JobState.DONE):
        lead, follower = desk.at(JobState.ANSWERED), desk.at(JobState.QUEUED)
        desk.write(move, follower, JobState.QUEUED, JobState.WAITING, behind=lead, due_at=NOW + 1e6)
        desk.write(move, lead, JobState.ANSWERED, end)
        assert desk.sql("SELECT state, behind FROM job WHERE id = ?", follower) == [("queued", None)]


@pytest.mark.sqlite
def test_the_history_is_append_only(desk: Desk) -> None:
    connection = sqlite3.connect(str(desk.ledger.path))
    desk.at(JobState.QUEUED)
    for change in ("UPDATE step SET note = 'it was otherwise'", "UPDATE job SET steps = ',7'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(change)
    connection.close()


@pytest.mark.sqlite
def test_sqlite_itself_refuses_a_second_live_question(desk: Desk) -> None:
    desk.at(JobState.QUEUED)

    def ask_twice(tx: Tx) -> None:
        for name in ("one", "two"):
            call = {"provider": "ann", "sync": "people", "requests": 1, "reserved_mc": 1, "now": NOW, "deadline": NOW}
            tx.run("submission_make", id=name, owner=None, refresh=0, shares='{"email": 1}', **call)
            tx.many("attempts_make", [(1, name, "r", "ann", 0, "all", name, "{}", NOW)])

    with pytest.raises(sqlite3.IntegrityError, match="attempt"):
        desk.write(ask_twice)
    assert desk.sql("SELECT * FROM attempt") == []
