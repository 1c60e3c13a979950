"""What the vendors' limits allow: calls are counted here, in the transaction of each call's intent, for all processes.

A window is counted by slots of a fiftieth of its length. A slot counts for as long as its newest call lies within the
window: so no span of that length ever holds more calls than the limit, and at most a fiftieth of the time is lost. A
window that follows the calendar (`Window.fixed`) is one slot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from syncd.contract.jsontext import dump
from syncd.contract.pacing import Window

from .store import Tx

SLOTS = 50


class TooSoon(Exception):
    """No call may go out for so many seconds; nothing was written."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"not before {wait:.1f} s from now")
        self.wait = wait


def take(tx: Tx, connection: str, windows: Iterable[Window], *, now: float, calls: int = 1) -> None:
    """Count calls that go out now. Raises TooSoon where one of the windows does not hold so many more."""
    limits = {_width(one): one for one in sorted(windows, key=lambda one: -one.limit)}  # of two alike, the tighter one
    if not limits:
        return
    spans = dump([_span(one, now) for one in limits.values()])
    used = {row["width"]: row["used"] for row in tx.rows("rate_used", connection=connection, spans=spans)}
    if full := [one for width, one in limits.items() if used[width] + calls > one.limit]:
        raise TooSoon(max(_wait(tx, connection, one, now) for one in full))
    tx.run("rate_take", connection=connection, spans=spans, now=now, calls=calls)


def left(tx: Tx, connection: str, window: Window, *, now: float) -> int:
    """How many more a window holds now."""
    used = tx.rows("rate_used", connection=connection, spans=dump([_span(window, now)]))
    return max(0, window.limit - int(used[0]["used"]))


def know(tx: Tx, connection: str, windows: Iterable[Window], *, now: float) -> None:
    """From now on these are the limits: of one that was not counted so far, the calls that were made are."""
    for one in windows:
        tx.run("rate_from_calls", connection=connection, width=_width(one), since=now - one.seconds)


def forget(tx: Tx, *, now: float) -> None:
    """Let go of what no window reaches back to any more. A call that lies ahead of a clock which was set back is one of
    now."""
    tx.run("rate_not_ahead", now=now)
    tx.run("rate_forget", now=now, slots=SLOTS + 1)


def _width(window: Window) -> float:
    return window.seconds if window.fixed else window.seconds / SLOTS


def _span(window: Window, now: float) -> Mapping[str, Any]:
    width = _width(window)
    slot = math.floor(now / width)
    first = slot if window.fixed else slot - SLOTS
    return {
        "width": width,
        "slot": slot,
        "first": first,
        "since": first * width if window.fixed else now - window.seconds,
    }


def _wait(tx: Tx, connection: str, window: Window, now: float) -> float:
    """Until so many slots have left the window that it holds one call more."""
    span = _span(window, now)
    if window.fixed:
        return float((span["slot"] + 1) * window.seconds - now)
    rows = tx.rows("rate_slots", connection=connection, width=span["width"], since=span["since"])
    left = sum(row["used"] for row in rows)
    for row in rows:
        left -= row["used"]
        if left < window.limit:
            return max(0.0, float(row["last"]) + window.seconds - now)
    return window.seconds
