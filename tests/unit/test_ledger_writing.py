"""What is to be written, and how much of it at once; what was written long ago: against the same in Python."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from syncd.contract.model import Field
from syncd.ledger import contacts, refreshes, upkeep, write_limits, writes
from syncd.ledger.refreshes import Portion
from syncd.ledger.states import JobState
from syncd.ledger.write_limits import WriteLimits, begun
from syncd.ledger.writes import Written

from .by_hand import DAY, EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SYNCS, FIELDS = ("a", "b"), (Field.EMAIL, Field.PHONE)


# --- what is to be written ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_what_is_due_to_be_written_is_found_and_counted_alike(tables: Tables, seed: int) -> None:
    """Of records that nobody holds, where no write of another field is open and nothing is being put back."""
    rng = random.Random(seed)
    jobs: list[dict[str, Any]] = []
    held, undone = {n for n in range(1, 13) if rng.random() < 0.2}, {n for n in range(1, 13) if rng.random() < 0.2}
    for contact, field in itertools.product(range(1, 13), FIELDS):
        state = rng.choice([JobState.ACCEPTED, JobState.WRITING, JobState.DONE, JobState.ANSWERED])
        row = {"id": len(jobs) + 1, "contact_id": contact, "state": state, "sync": rng.choice(SYNCS)}
        row |= {"due_at": NOW + rng.choice((-5, -1, 0, 1, 5)), "updated_at": float(rng.randint(1, 9))}
        row["destination"] = rng.choice(["", "mobile"]) if field is Field.PHONE else ""
        tables.add(Where("job", "field"), field, **row)
        jobs.append({**row, "field": field})
    for contact in held:
        tables.add(Where("claim", "kind"), "record", item=str(contact))
    for contact in set(range(1, 13)) - held:
        tables.add(Where("claim", "kind"), "contact", item=str(contact))
    for contact in range(1, 13):
        tables.add(
            Where("undo", "state"), "intent" if contact in undone else "asked", contact_id=contact, job_id=contact
        )

    def is_due(job: dict[str, Any]) -> bool:
        others = [one for one in jobs if one["contact_id"] == job["contact_id"]]
        blocked = any(one["state"] is JobState.WRITING and one["due_at"] > NOW for one in others)
        mine = job["state"] is JobState.WRITING or (job["state"] is JobState.ACCEPTED and not blocked)
        return mine and job["due_at"] <= NOW and job["contact_id"] not in held | undone and job["sync"] == "a"

    due = sorted(filter(is_due, jobs), key=lambda job: (job["due_at"], job["id"]))
    found = tables.read(writes.due, "a", 50, now=NOW)
    assert [(one.job_id, one.contact_id, one.state, one.field) for one in found] == [
        (job["id"], job["contact_id"], job["state"], Field(job["destination"] or job["field"])) for job in due
    ]
    assert tables.read(writes.due, "a", 1, now=NOW) == found[:1]
    told = tables.read(writes.waiting, "a", 50, now=NOW)
    assert told.records == len({job["contact_id"] for job in due})
    if due:
        assert told.since == min(job["updated_at"] for job in due)
        assert told.begun is any(job["state"] is JobState.WRITING for job in due)
        assert tables.read(writes.waiting, "a", 1, now=NOW).records == 1


def test_of_what_is_to_be_written_each_has_its_own_intent(tables: Tables) -> None:
    """And its own contact, answer, review and e-mail."""
    for n in (1, 2):
        given = {**EMPTY, "connection": "crm", "object": "o", "became_at": 5.0}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
        of_job = {"state": "writing", "value": f"v{n}", "result_id": n, "updated_at": 9.0, "sync": "a"}
        tables.add(Where("job", "id"), n, contact_id=n, field="phone", due_at=float(-n), **of_job)
        of_result = {"outcome": "found", "at": 1.0, "said": "[]", "verdict": ("same", "doubtful")[n - 1]}
        tables.add(Where("result", "id"), n, job_id=n, **of_result)
        of_mail = {"state": "done", "value": f"{n}@acme.test", "updated_at": (6.0, 5.0)[n - 1], "sync": "a"}
        tables.add(Where("job", "id"), n + 10, contact_id=n, field="email", **of_mail)
    tables.add(Where("write", "job_id"), 1, state="intent", before="", after="v1", seen="7", property="phone", at=1.0)
    tables.add(Where("write", "job_id"), 2, state="written", before="x", after="v", seen="8", property="phone", at=1.0)
    tables.add(Where("review", "result_id"), 2, job_id=2, value="v2", why="doubt", decision="accepted", opened_at=1.0)
    second, first = tables.read(writes.to_write, [1, 2])
    assert (first.job_id, first.begun, first.seen, first.verdict, first.decided) == (1, True, "7", "same", False)
    assert (second.job_id, second.begun, second.seen, second.verdict, second.decided) == (
        2,
        False,
        "",
        "doubtful",
        True,
    )
    assert (first.learned.email, second.learned.email) == ("1@acme.test", None)
    assert [one.job_id for one in tables.read(writes.to_write, [1, 11])] == [1]


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({}, None),
        ({"per_hour": 5}, 3),
        ({"per_run": 4}, 3),
        ({"per_hour": 5, "per_run": 3}, 2),
        ({"per_hour": 3, "per_run": 9}, 1),
        ({"per_hour": 1, "per_run": 9}, 0),
        ({"per_run": 0}, 0),
        ({"per_hour": 9, "canary": 1}, 1),
        ({"canary": 9, "per_run": 2}, 1),
    ],
)
def test_as_many_writes_are_begun_as_the_least_limit_allows(
    tables: Tables, limits: dict[str, Any], allowed: int | None
) -> None:
    """Two were begun in this hour, one of them in this run."""
    for id_ in (1, 2):
        tables.add(Where("run", "sync"), "a", id=id_, started_at=1.0)
        tables.add(Where("write", "job_id"), id_, state="written", run_id=id_, property="x", at=1.0)
    tables.write(begun, "a", WriteLimits(per_hour=99), 2, now=NOW)
    assert tables.read(write_limits.allowed, "a", WriteLimits(**limits), now=NOW) == allowed
    assert tables.read(write_limits.allowed, "b", WriteLimits(**limits), now=NOW) == min(limits.values(), default=None)


def test_after_its_canary_a_sync_waits_for_a_person_unless_it_writes_something_else(tables: Tables) -> None:
    canary = WriteLimits(canary=3, policy="p")
    for writes_, left in ((0, 3), (2, 1), (1, 0)):
        tables.write(begun, "a", canary, writes_, now=NOW)
        assert tables.read(write_limits.canary_left, "a", canary) == left
    assert tables.read(write_limits.allowed, "a", canary, now=NOW) == 0, "it is paused"
    assert tables.read(write_limits.canary_left, "a", WriteLimits(canary=3, policy="another")) == 3
    tables.write(lambda tx: tx.run("canary_looked_at", sync="a"))
    assert tables.read(write_limits.canary_left, "a", canary) is None
    tables.write(begun, "a", canary, 5, now=NOW)
    assert tables.read(write_limits.canary_left, "a", canary) is None
    tables.write(begun, "a", WriteLimits(canary=3, policy="another"), 1, now=NOW)
    assert tables.read(write_limits.canary_left, "a", WriteLimits(canary=3, policy="another")) == 2


# --- values that are old -----------------------------------------------------------------------------


OLD = NOW - 30 * DAY


@pytest.mark.parametrize(
    ("job", "write", "result", "is_old"),
    [
        ({}, {}, OLD, True),
        ({}, {}, None, True),
        ({}, {}, OLD + 1, False),
        ({}, {"at": OLD + 1, "done_at": OLD}, OLD, True),
        ({}, {"at": OLD, "done_at": OLD + 1}, OLD, False),
        ({}, {"at": OLD + 1, "done_at": None}, OLD, False),
        ({}, {"state": "cleared"}, OLD, False),
        ({"state": "answered", "reason": ""}, {}, OLD, False),
        ({"reason": "outdated"}, {}, OLD, False),
        ({"sync": "b"}, {}, OLD, False),
        ({"field": "phone"}, {}, OLD, False),
        ({"value": None}, {}, OLD, False),
    ],
)
def test_which_values_are_old(
    tables: Tables, job: dict[str, Any], write: dict[str, Any], result: float | None, is_old: bool
) -> None:
    tables.add(Where("contact", "ext_id"), "e1", id=1, **EMPTY)
    of_job = {"field": "email", "state": "done", "reason": "written", "sync": "a", "value": "x", **job}
    tables.add(Where("job", "contact_id"), 1, id=7, **of_job)
    of_write = {"state": "written", "at": OLD, "done_at": OLD, **write}
    tables.add(Where("write", "job_id"), 7, **of_write)
    if result is not None:
        tables.add(Where("result", "job_id"), 7, at=result)
    ages = json.dumps([["a", "email", OLD]])

    def due(tx: Any, after: int, until: int) -> Sequence[Any]:
        return [row["id"] for row in tx.rows("refresh_due", ages=ages, after=after, until=until)]

    assert tables.read(due, 6, 7) == ([7] if is_old else [])
    assert tables.read(due, 7, 9) == tables.read(due, 0, 6) == []


@pytest.mark.parametrize(
    ("looked_to", "ended", "looks"),
    [
        (None, None, True),
        (None, NOW, False),
        (None, NOW - DAY + 1, False),
        (None, NOW - DAY, True),
        (None, NOW + 1, True),
        (6.0, NOW - 1, True),
    ],
)
def test_all_values_are_looked_at_once_a_day(
    tables: Tables, looked_to: float | None, ended: float | None, looks: bool
) -> None:
    """A round that is under way goes on, whatever the clock was set to meanwhile."""
    tables.add(Where("job", "id"), 7, contact_id=1, field="email", sync="a", state="queued")
    for key, value in ((refreshes.LOOKED_TO, looked_to), (refreshes.ROUND_ENDED, ended)):
        if value is not None:
            tables.write(lambda tx, key=key, value=value: upkeep.set_mark(tx, key, value))
    found = tables.read(refreshes.portion, {}, now=NOW)
    assert found == (Portion([], 7) if looks else None)
    if looks:
        tables.write(refreshes.looked, 7, now=NOW)
        assert tables.read(refreshes.portion, {}, now=NOW) == Portion((), None)
        tables.write(refreshes.looked, None, now=NOW)
        assert tables.read(refreshes.portion, {}, now=NOW) is None


def test_who_is_to_be_decided_on_or_asked_about_is_counted_up_to_a_limit(tables: Tables) -> None:
    """Before a sync pulls more."""

    def left(limit: int = 9) -> int:
        return int(tables.read(contacts.unasked, "a", limit))

    assert left() == 0
    for n in (1, 2, 3):
        tables.add(Where("contact", "id"), n, **EMPTY, planned=int(n == 3))
    assert (left(), left(1)) == (2, 1)
    for sync, field, state, n in (("a", "email", "queued", 4), ("a", "phone", "queued", 3), ("a", "email", "sent", 9),
                                  ("b", "email", "queued", 9)):  # fmt: skip
        tables.add(Where("counter", "sync"), sync, field=field, state=state, reason="", n=n)
    assert (left(), left(3)) == (6, 5)


def test_what_is_ours_is_told_of_each_job_the_newest_first_and_whether_it_stands(tables: Tables) -> None:
    """A value stands until it was put back: an undo that was asked for, or that has left it, changes nothing."""
    for n, (job, state) in enumerate(
        ((1, "written"), (2, "written"), (1, "written"), (1, "cleared"), (1, "written"), (3, "written")), 1
    ):
        row = {"property": "x", "after": f"v{n}", "seen": f"s{n}", "state": state, "run_id": 1, "at": 1.0}
        tables.add(Where("write", "job_id"), job, id=n, **row)
    for write, state in ((1, "undone"), (3, "kept"), (3, "asked"), (5, "kept")):
        tables.add(Where("undo", "state"), state, write_id=write, head=write, run_id=len(state), job_id=1)
    assert tables.read(writes.ours, [2, 1, 9]) == {
        1: [Written("x", "v5", "s5", True), Written("x", "v3", "s3", True), Written("x", "v1", "s1", False)],
        2: [Written("x", "v2", "s2", True)],
    }
