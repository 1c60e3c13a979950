"""A step of the clock moves what it alone made due, or put off, and nothing else."""

from __future__ import annotations

import itertools

import pytest

from syncd.ledger import upkeep
from syncd.ledger.states import JobState

from .by_hand import DAY, NOW, Tables, Where

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
    least = now + 2 * DAY

    def moved(state: str, deadline: float) -> float:
        if state not in ("accepted", "in_doubt") or deadline <= NOW:
            return deadline
        return min(max(deadline, deadline + by), max(deadline + by, least))

    found = dict(tables.raw.execute("SELECT id, deadline FROM submission"))
    assert found == {f"s{n}": moved(*call) for n, call in enumerate(calls)}


@pytest.mark.parametrize(
    ("now", "leapt", "stays"),
    [
        (1_000.0 - 60.0, 500.0, 500.0),
        (1_000.0 - 60.0 - 1, 500.0, 499.0 - 60.0),
        (400.0, 500.0, 0.0),
        (600.0, 500.0, 100.0),
        (2_000.0, 500.0, 500.0),
        (400.0, None, 0.0),
    ],
)
def test_what_was_put_off_by_a_leap_is_so_no_more_once_the_clock_is_back(
    tables: Tables, now: float, leapt: float | None, stays: float
) -> None:
    """Last seen at 1,000. A minute is no step back, and it never goes further back than it had leapt."""
    assert tables.write(upkeep.seen, now=1_000.0) == 0.0
    if leapt is not None:
        tables.write(upkeep.set_mark, upkeep.LEAPT, leapt)
    assert tables.write(upkeep.seen, now=now) == stays
    assert (tables.read(upkeep.mark, upkeep.LEAPT) or 0.0) == stays
    assert tables.read(upkeep.mark, upkeep.LAST_SEEN) == now
    assert tables.read(upkeep.clock, now) == (True, stays)
    assert tables.read(upkeep.in_time, now - 60.0)
    assert not tables.read(upkeep.in_time, now - 60.0 - 1)
    assert tables.read(upkeep.in_time, now + 7 * DAY)
    assert not tables.read(upkeep.in_time, now + 7 * DAY + 1)


def test_of_several_that_saw_a_step_of_the_clock_the_first_one_follows_it(tables: Tables) -> None:
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    assert not tables.read(upkeep.in_time, 5.0)
    assert tables.write(upkeep.go_on_after_step, 100.0, 5.0, now=105.0) == 100.0
    assert tables.read(upkeep.in_time, 105.0)
    assert tables.write(upkeep.go_on_after_step, 100.0, 5.0, now=106.0) == 100.0, "it is done"
    tables.write(upkeep.set_mark, upkeep.STEPPED, 1.0)
    assert tables.write(upkeep.go_on_after_step, -150.0, 106.0, now=0.0) == 0.0
