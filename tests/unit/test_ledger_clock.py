"""A step of the clock moves what it alone made due, or put off, and nothing else."""

from __future__ import annotations

import itertools

import pytest

from syncd.ledger import upkeep
from syncd.ledger.states import JobState

from .by_hand import NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand


@pytest.mark.parametrize("by", [-500.0, 500.0])
def test_what_a_step_of_the_clock_moves(tables: Tables, by: float) -> None:
    """Forward, what it alone made due is due later; back, all that it put off is due as soon as before."""
    before, now = NOW, NOW + by
    moments = [NOW - 1, NOW, NOW + 1, NOW + 500, NOW + 501, NOW + 9_000]
    jobs = list(itertools.product(JobState, moments))
    for id_, (state, due) in enumerate(jobs, 1):
        tables.add(Where("job", "field"), "email", id=id_, contact_id=id_, state=state, due_at=due)
        tables.add(Where("again", "job_id"), id_, at=due)
    for n, due in enumerate(moments):
        tables.add(Where("connection", "name"), f"c{n}", blocked_until=due)
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    tables.write(upkeep.go_on_after_step, by, before, now=now)

    def moved(due: float) -> float:
        return due + by if due > before and (by < 0 or due <= before + by) else due

    waits = {JobState.WAITING, JobState.REVIEW, JobState.ACCEPTED, JobState.WRITING}
    found = dict(tables.raw.execute("SELECT id, due_at FROM job"))
    assert found == {n: moved(due) if state in waits else due for n, (state, due) in enumerate(jobs, 1)}
    found = dict(tables.raw.execute("SELECT job_id, at FROM again"))
    assert found == {n: moved(due) for n, (_, due) in enumerate(jobs, 1)}
    found = dict(tables.raw.execute("SELECT name, blocked_until FROM connection"))
    assert found == {f"c{n}": due + by if due > before else due for n, due in enumerate(moments)}


@pytest.mark.parametrize("by", [-500.0, 500.0])
def test_an_open_call_has_as_long_as_before_a_step_of_the_clock(tables: Tables, by: float) -> None:
    now = NOW + by
    moments = [NOW, NOW + 1, NOW + 400, NOW + 5_000, NOW + 90_000]
    calls = list(itertools.product(("intent", "accepted", "in_doubt", "settled", "expired"), moments))
    for n, (state, deadline) in enumerate(calls):
        tables.add(Where("submission", "id"), f"s{n}", state=state, deadline=deadline, shares="{}")
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    tables.write(upkeep.go_on_after_step, by, NOW, now=now)
    least = now + upkeep.AT_LEAST

    def moved(state: str, deadline: float) -> float:
        if state not in ("accepted", "in_doubt") or deadline <= NOW:
            return deadline
        return min(max(deadline, deadline + by), max(deadline + by, least))

    found = dict(tables.raw.execute("SELECT id, deadline FROM submission"))
    assert found == {f"s{n}": moved(*call) for n, call in enumerate(calls)}
