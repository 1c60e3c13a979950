"""Many moves in one statement do what they would do one by one, and leave the same history and the same counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from syncd.contract.errors import BrokenInvariant
from syncd.ledger import copies, retention, upkeep
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Ledger, Move, Tx, reading

from .audit import ask
from .conftest import Build
from .harness import EMAIL, Harness

Q, W, A, D = JobState.QUEUED, JobState.WAITING, JobState.ANSWERED, JobState.DONE


@pytest.fixture
def queued(build: Build) -> Harness:
    """Four contacts, each with a job for its e-mail that is queued: 1, 2, 3, 4."""
    harness = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo", "Cy", "Di"):
        harness.person(name)
    harness.pull()
    harness.plan()
    return harness


def move(harness: Harness, moves: Sequence[Move]) -> set[int]:
    return harness.run(harness.ledger.write(Tx.move_many, moves, now=harness.clock.now()))


def states(harness: Harness) -> list[str]:
    return [row[0] for row in harness.sql("SELECT state FROM job ORDER BY id")]


def ended(reason: Reason) -> dict[str, str]:
    return {"reason": reason, "note": "because"}


def test_only_who_stands_at_the_source_is_moved_and_recorded(queued: Harness) -> None:
    before = queued.sql("SELECT count(*) FROM event")[0][0]
    assert move(queued, [Move(1, Q, A), Move(2, W, A), Move(3, Q, D, ended(Reason.CANCELLED)), Move(99, Q, A)]) == {
        1,
        3,
    }
    assert states(queued) == ["answered", "queued", "done", "queued"]
    assert queued.sql("SELECT count(*) FROM event")[0][0] == before + 2


def test_one_move_that_is_not_allowed_stops_them_all(queued: Harness) -> None:
    with pytest.raises(BrokenInvariant):
        move(queued, [Move(1, Q, A), Move(2, Q, JobState.WRITING)])
    assert states(queued) == ["queued"] * 4


def test_several_moves_of_one_job_are_made_in_their_order(queued: Harness) -> None:
    moves = [Move(1, Q, A), Move(1, A, D, ended(Reason.NOT_FOUND)), Move(2, Q, A), Move(1, D, Q), Move(1, Q, A)]
    assert move(queued, moves) == {1, 2}
    steps = queued.sql("SELECT source, target, reason FROM event WHERE job_id = 1 ORDER BY id")
    assert steps == [
        ("", "queued", ""), ("queued", "answered", ""), ("answered", "done", "not_found"), ("done", "queued", ""),
        ("queued", "answered", ""),
    ]  # fmt: skip


def test_what_stood_behind_several_leads_is_woken_once_they_are_decided(queued: Harness) -> None:
    later = {"due_at": queued.clock.now() + 1e6}
    move(
        queued,
        [Move(1, Q, W, {"behind": 3, **later}), Move(2, Q, W, {"behind": 4, **later}), Move(3, Q, A), Move(4, Q, A)],
    )
    move(queued, [Move(3, A, Q), Move(4, A, D, ended(Reason.NOT_FOUND))])
    assert states(queued) == ["queued", "queued", "queued", "done"]


@pytest.mark.sqlite
def test_jobs_that_move_alike_share_what_happened_and_not_their_history(queued: Harness) -> None:
    move(queued, [Move(job, Q, A, {"note": "together"}) for job in (1, 2, 3)] + [Move(4, Q, A, {"note": "alone"})])
    assert queued.sql("SELECT note, jobs FROM step WHERE target = 'answered' ORDER BY id") == [
        ("together", 3),
        ("alone", 1),
    ]
    assert queued.sql("SELECT job_id FROM event WHERE note = 'together' ORDER BY job_id") == [(1,), (2,), (3,)]
    far = queued.clock.now() + 1
    move(queued, [Move(job, A, D, ended(Reason.NOT_FOUND)) for job in (1, 2)])
    copy = queued.path.with_name("copy.db")
    copies.back_up(queued.path, copy)
    Ledger.change(copy, retention.purge, raw_before=0.0, jobs_before=far, people_before=0.0, now=far)
    assert ask(copy, "SELECT jobs FROM step WHERE note = 'together'") == [(1,)], "the third one's history is kept"
    assert ask(copy, "SELECT count(*) FROM step WHERE target = 'done'") == [(0,)]


@pytest.mark.sqlite
@pytest.mark.parametrize("forgotten", ["_history", "_counted"])
def test_a_unit_of_work_that_forgets_its_history_or_its_counts_is_found(queued: Harness, forgotten: str) -> None:
    """Broken on purpose: `syncd verify` tells."""
    copy = queued.path.with_name("copy.db")
    copies.back_up(queued.path, copy)

    def forgetful(tx: Tx) -> None:
        tx.move(1, Q, A, now=0.0)
        getattr(tx, forgotten).clear()

    Ledger.change(copy, forgetful)
    with reading(copy) as tx:
        told = list(upkeep.problems(copy, tx))
    if forgotten == "_history":
        assert told == ["job 1 is answered, but its history ends with a step that is missing"]
    else:
        assert told == [
            "the counter of people email answered  is off by -1", "the counter of people email queued  is off by 1",
        ]  # fmt: skip


def test_who_moves_alike_stands_as_if_moved_alone(queued: Harness) -> None:
    """Four go through the statement for many, back, and each alone through the other one: with the same columns."""
    told = {"note": "later", "due_at": 7.0, "behind": None, "provider": "bob", "round": 2}
    columns = "SELECT state, reason, note, round, provider, due_at, behind, submission_id, value, destination FROM job"
    assert move(queued, [Move(one, Q, W, told) for one in (1, 2, 3, 4)]) == {1, 2, 3, 4}
    together = queued.sql(columns)
    assert set(together) == {("waiting", "", "later", 2, "bob", 7.0, None, None, None, "")}
    assert move(queued, [Move(one, W, Q, {"reason": None}) for one in (1, 2, 3, 4)]) == {1, 2, 3, 4}
    assert set(queued.sql(columns)) == {("queued", "", "", 2, "bob", 7.0, None, None, None, "")}
    for one in (1, 2, 3, 4):
        assert move(queued, [Move(one, Q, W, told)]) == {one}
    assert queued.sql(columns) == together
    assert move(queued, [Move(one, Q, A) for one in (1, 2, 3, 4)]) == set()
