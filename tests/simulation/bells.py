"""When the stages are rung: as the scheduler would, but not where nothing can have changed.

A missed bell costs only time, so the ledger is asked when something falls due, and most of the seconds
in between are left out.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .timeline import DAY, HOUR, WallClock

if TYPE_CHECKING:
    import sqlite3

SELDOM = DAY  # between two bells at most
RESTED = 1_000.0  # seconds after which the watches look before all else: what they saw has grown old
_MARK = "SELECT max(id) FROM event"
_AGAIN = "SELECT 1 FROM again WHERE at <= :now LIMIT 1"
_HALTED = "SELECT 1 FROM connection WHERE trouble <> '' LIMIT 1"
# What a stage left undone because the ledger failed is found by the next bell, which the real daemon rings soon.
_IN_WORK = """
SELECT 1 FROM job WHERE state IN ('queued', 'sending', 'answered')
UNION ALL SELECT 1 FROM delivery WHERE state = 'received' UNION ALL SELECT 1 FROM contact WHERE planned = 0
UNION ALL SELECT 1 FROM undo WHERE state = 'asked' LIMIT 1
"""
_TO_UNDO = "SELECT 1 FROM undo WHERE state IN ('asked', 'intent') LIMIT 1"
_DUE = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM job WHERE state IN ('waiting', 'accepted', 'writing', 'review') AND due_at > :now
    UNION ALL SELECT min(at) FROM again WHERE at > :now
    UNION ALL SELECT min(due_at) FROM undo WHERE state IN ('asked', 'intent') AND due_at > :now
    UNION ALL SELECT min(poll_at) FROM submission WHERE state = 'accepted' AND poll_at > :now
    UNION ALL SELECT min(deadline) FROM submission WHERE state IN ('accepted', 'in_doubt') AND deadline > :now
)
"""


class Bells:
    """The bell-ringer of one life."""

    def __init__(self, rng: random.Random, ledger: sqlite3.Connection, clock: WallClock) -> None:
        self._rng = rng
        self._ledger = ledger
        self._clock = clock
        self._mark: float | None = -1
        self._pause = 1.0
        self._waking, self._first = False, True
        self._pulled = self._flown = float("-inf")
        self._probed = float("-inf") if rng.random() < 0.5 else clock.monotonic()

    def now(self) -> set[str]:
        """The kinds of stages that are rung now."""
        rng, now = self._rng, self._clock.monotonic()
        if self._waking:
            return {"watch", "rights"}
        kinds = {"dispatch", "writeback", "sweep", "rights", "lease", "refresh"}
        kinds |= {kind for kind in ("plan", "inbox", "verify") if self._first or rng.random() < 0.25}
        self._first = False
        if self._one(_AGAIN, now=self._clock.now()):
            kinds.add("plan")
        if self._one(_TO_UNDO):
            kinds.add("undo")
        if now - self._pulled > 8 * HOUR or rng.random() < 0.02:
            kinds, self._pulled = kinds | {"pull"}, now
        if now - self._probed > (3 * HOUR if self._one(_HALTED) else DAY):
            kinds, self._probed = kinds | {"probe", "flush", "watch"}, now
        if now - self._flown > DAY:
            kinds, self._flown = kinds | {"canary", "watch"}, now
        return kinds

    def pause(self) -> float:
        """Seconds until the next bell."""
        if self._waking:
            self._waking = False
            return 5.0
        pause = self._next()
        self._waking = pause > RESTED
        return pause

    def _next(self) -> float:
        before, self._mark = self._mark, self._one(_MARK)
        self._pause = 1.0 if self._mark != before else min(self._pause * 5, SELDOM)
        pause = self._pause * self._rng.uniform(0.7, 1.3)
        return pause if pause < 2.0 or self._one(_IN_WORK) else self._until_due()

    def _until_due(self) -> float:
        now = self._clock.now()
        due = self._one(_DUE, now=now)
        return min(SELDOM if due is None else due - now + 1.0, SELDOM * self._rng.uniform(0.7, 1.0))

    def _one(self, question: str, **values: float) -> float | None:
        row = self._ledger.execute(question, values).fetchone()
        return None if row is None else row[0]
