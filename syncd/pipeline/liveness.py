"""Liveness: does the work go on? The daemon notes each sign of it; here it is told what has been silent for too long.

A stage gives a sign whenever a pass ends and whenever the ledger has answered it: a pass may take hours while it moves.
All times are of the host's monotonic clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

OUTSIDE = 900.0  # seconds without a sign, of a stage that asks others: longer than any call and its repetitions
INSIDE = 120.0  # the same, of a stage that works with the ledger alone
PATIENCE = {
    "pull": 1800.0,
    "plan": INSIDE,
    "inbox": INSIDE,
    "verify": INSIDE,
    "flush": INSIDE,
    "watch": INSIDE,
    "lease": INSIDE,
}
EVENT_LOOP = "event loop"  # as what is late is called, beside the stages
LAG = 5.0  # seconds by which the event loop may be late
REMEMBERED = 60.0  # seconds for which a lag is told


@dataclass(slots=True)
class Turn:
    """A stage: how often it is rung (None: now and then), and when it gave its last sign."""

    every: float | None
    patience: float
    last: float
    busy: bool = False

    def late(self, now: float) -> str:
        """Why it is late, or ""."""
        silent = now - self.last
        if self.busy and silent > self.patience:
            return f"it is at work, and nothing has moved for {silent:.0f} s"
        if not self.busy and self.every is not None and silent > self.patience + self.every:
            return f"it has not been at work for {silent:.0f} s"
        return ""


@dataclass(slots=True)
class Liveness:
    """What the daemon noted."""

    now: Callable[[], float] = time.monotonic
    lag_allowed: float = LAG
    turns: dict[str, Turn] = field(default_factory=dict)
    _lags: deque[tuple[float, float]] = field(default_factory=deque)  # when, and by how much, where it was much

    def expect(self, stage: str, every: float | None) -> None:
        """From now on this stage is to give signs."""
        kind = stage.partition(":")[0]
        self.turns[stage] = Turn(every, PATIENCE.get(kind, OUTSIDE), self.now())

    def sign(self, stage: str, *, busy: bool | None = None) -> None:
        """It moves; and is at work from now on, or not, where that is told."""
        turn = self.turns[stage]
        turn.last, turn.busy = self.now(), turn.busy if busy is None else busy

    def lag(self, seconds: float) -> None:
        """The event loop came so late to what was due."""
        if seconds > self.lag_allowed:
            self._lags.append((self.now(), seconds))

    def silences(self) -> dict[str, float]:
        """By stage: seconds since its last sign."""
        now = self.now()
        return {stage: now - turn.last for stage, turn in self.turns.items()}

    def worst_lag(self) -> float:
        """Seconds, of those that were much, within the last minute."""
        now = self.now()
        return max((lag for at, lag in self._lags if now - at <= REMEMBERED), default=0.0)

    def late(self) -> dict[str, str]:
        """Whatever is late, each with the reason."""
        now = self.now()
        found = {stage: why for stage, turn in self.turns.items() if (why := turn.late(now))}
        while self._lags and now - self._lags[0][0] > REMEMBERED:
            self._lags.popleft()
        if self._lags:
            worst = max(lag for _, lag in self._lags)
            found[EVENT_LOOP] = f"it stood still for {worst:.0f} s within the last minute"
        return found
