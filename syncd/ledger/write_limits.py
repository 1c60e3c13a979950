"""How many new writes may be begun for a sync now: by the operator's limits, by its canary, and unless it is paused.

A canary is the first so many writes of a sync as it is configured: once they are begun the sync is paused, until a
person has looked at them and resumes it.
"""

from __future__ import annotations

from syncd.contract.pacing import Window
from syncd.frozen import frozen

from . import pauses, rates
from .pauses import CANARY, PauseKind
from .store import Tx

HOUR = 3_600.0


@frozen(kw_only=True)
class WriteLimits:
    """What the operator says of a sync's writes; None for no limit. `policy`: a digest of what it writes, and where."""

    per_hour: int | None = None
    per_run: int | None = None
    canary: int | None = None
    policy: str = ""


def allowed(tx: Tx, sync: str, limits: WriteLimits, *, now: float) -> int | None:
    """So many; None for any number."""
    if pauses.writes_are_paused(tx, sync, now=now):
        return 0
    left = (_of_hour(tx, sync, limits, now), _of_run(tx, sync, limits), canary_left(tx, sync, limits))
    return min((one for one in left if one is not None), default=None)


def _of_hour(tx: Tx, sync: str, limits: WriteLimits, now: float) -> int | None:
    if limits.per_hour is None:
        return None
    return rates.left(tx, _counter(sync), Window(HOUR, limits.per_hour), now=now)


def _of_run(tx: Tx, sync: str, limits: WriteLimits) -> int | None:
    if limits.per_run is None:
        return None
    return max(0, limits.per_run - int(tx.value("writes_of_run", sync=sync)))


def canary_left(tx: Tx, sync: str, limits: WriteLimits) -> int | None:
    """How many writes its canary still has; None where it has none, or a person has looked at it."""
    if limits.canary is None:
        return None
    row = tx.row("canary_state", sync=sync)
    if row is None or row["canary_policy"] != limits.policy:
        return limits.canary
    return None if row["canary_looked_at"] else max(0, limits.canary - int(row["canary_writes"]))


def begun(tx: Tx, sync: str, limits: WriteLimits, writes: int, *, now: float) -> None:
    """So many new writes are begun. With the last one of a canary the sync is paused."""
    if not writes:
        return
    if limits.per_hour is not None:
        rates.take(tx, _counter(sync), [Window(HOUR, limits.per_hour)], now=now, calls=writes)
    if canary_left(tx, sync, limits) is None:
        return
    tx.run("canary_begun", sync=sync, policy=limits.policy, writes=writes)
    if canary_left(tx, sync, limits) == 0:
        why = f"its first {limits.canary} values are written: look at them, then it may go on"
        pauses.pause(tx, PauseKind.SYNC, sync, why, until=None, by=CANARY, now=now)


def _counter(sync: str) -> str:
    """Under which name its writes are counted among the vendors' limits."""
    return f"writes of {sync}"
