"""What must hold in every ledger at every moment, asked with SQL of its own.

Used after every test that has a harness, and after every step of the random ones.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from syncd.ledger.place import Place
from syncd.ledger.states import MOVES, JobState
from tests.places import ask

if TYPE_CHECKING:
    import sqlite3
else:
    from syncd.ledger.sqlite import sqlite3

__all__ = ["ask", "audit", "events_gone", "sqlite3"]

BODIES = "SELECT body, text FROM delivery LEFT JOIN sample ON sample.id = sample_id"  # what `arrivals.unpacked` takes
_SLOT = "CAST(floor(created_at / 900) AS INTEGER)"
_KINDS = "sum(reserved_mc), sum(coalesce(charged_mc, 0)), sum(assumed_mc), sum(iif(state = 'in_doubt', reserved_mc, 0))"
_SUMS = f"""
SELECT {_SLOT}, sync, provider, share.key, run_id, refresh, sum(iif(reserved_mc > 0, share.value, 0)),
    sum(iif(charged_mc > 0, share.value, 0)), sum(iif(assumed_mc > 0, share.value, 0)),
    sum(iif(state = 'in_doubt' AND reserved_mc > 0, share.value, 0))
FROM submission, json_each(shares) AS share GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"""
_PARTS = """
SELECT id FROM submission WHERE reserved_mc + coalesce(charged_mc, 0) + assumed_mc
    NOT IN (0, (SELECT sum(value) FROM json_each(shares)))"""
_TOTALS = f"SELECT provider, count(*), {_KINDS} FROM submission GROUP BY 1 ORDER BY 1"
_KEPT_TOTALS = """
SELECT provider, submissions, reserved_mc, charged_mc, assumed_mc, doubt_mc FROM credit_total ORDER BY 1"""
_TWICE = """
SELECT attempt.provider, question, count(*) FROM attempt
JOIN job ON job.id = job_id AND job.submission_id = attempt.submission_id
WHERE live = 1 AND question IS NOT NULL AND job.state IN ('sending', 'sent', 'in_doubt') GROUP BY 1, 2
HAVING count(*) > 1"""
_ALLOWED = {(a.value, b.value) for a, ends in MOVES.items() for b in ends} | {("", s.value) for s in JobState}


def events_gone(condition: str) -> str:
    """Statements that take events out of the history."""
    steps = "SELECT step_id FROM history WHERE job_id = job.id ORDER BY step_id"
    gone = f"SELECT job_id, id FROM event WHERE {condition}"
    kept = f"SELECT group_concat(',' || step_id, '') FROM ({steps}) WHERE (job.id, step_id) NOT IN ({gone})"
    return f"DROP TRIGGER job_steps_are_append_only; UPDATE job SET steps = coalesce(({kept}), '')"


def audit(path: Place, *, calls: bool = True) -> None:
    """Counters, credits, histories and attempts agree with each other; without `calls`, jobs may have
    been moved by hand, with no call behind them."""
    counted = ask(path, "SELECT sync, field, state, reason, n FROM counter WHERE n <> 0 ORDER BY 1, 2, 3, 4")
    assert counted == ask(
        path, "SELECT sync, field, state, reason, count(*) FROM job GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    assert ask(path, "SELECT * FROM spend ORDER BY 1, 2, 3, 4, 5, 6") == ask(path, _SUMS)
    assert ask(path, _PARTS) == [], "the shares of a call are its credits"
    assert ask(path, _KEPT_TOTALS) == ask(path, _TOTALS)
    _histories(path)
    live = Counter(ask(path, "SELECT job_id, provider, round, way FROM attempt WHERE live = 1"))
    assert all(n == 1 for n in live.values()), live
    assert ask(path, _TWICE) == [], "no question is under way twice, whoever it is asked for"
    done = ask(path, "SELECT id FROM job WHERE (state = 'done') <> (reason <> '')")
    assert done == [], "a job is done for exactly one reason, and only then has one"
    if calls:
        _flights(path)


def _flights(path: Place) -> None:
    in_flight = ask(
        path,
        "SELECT job.id FROM job LEFT JOIN submission ON submission.id = submission_id "
        "WHERE job.state IN ('sending', 'sent', 'in_doubt') AND submission.state IN ('refused', 'expired')",
    )
    assert in_flight == [], "nobody waits for a call that is over"
    unheld = ask(
        path,
        "SELECT job.id FROM job WHERE job.state IN ('sending', 'sent', 'in_doubt') AND NOT EXISTS (SELECT 1 FROM "
        "attempt WHERE job_id = job.id AND attempt.submission_id = job.submission_id AND live = 1)",
    )
    assert unheld == [], "whoever is in flight holds the place of the one question"


def _histories(path: Place) -> None:
    last: dict[int, str] = {}
    for job, source, target in ask(path, "SELECT job_id, source, target FROM event ORDER BY id"):
        assert (source, target) in _ALLOWED
        assert last.get(job, "done" if source == "done" else "") == source, "or its history was let go of"
        last[job] = target
    assert last == dict(ask(path, "SELECT id, state FROM job WHERE thinned = 0"))
