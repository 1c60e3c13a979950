"""Small reads for the operator's pages, each as quick for a million contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncd.contract.pacing import Window

from . import connections, rates
from .arrivals import unpacked
from .budgets import SLOT, Budget
from .results import load_identity
from .store import Tx

MANY = 1_000  # of what is counted one by one, no more are counted
HOUR = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How much wants a person."""

    reviews: int
    doubts: int
    set_aside: int  # MANY + 1: there are more

    @property
    def troubles(self) -> str:
        """Paid calls in doubt and answers that were set aside, as a number for people."""
        return f"{MANY:,}+" if self.set_aside > MANY else f"{self.doubts + self.set_aside:,}"


def frame(tx: Tx) -> Frame:
    """What every page shows."""
    return Frame(**dict(tx.one("frame")))


def beats(tx: Tx, syncs: Sequence[str], *, limit: int = 50) -> dict[str, list[dict[str, Any]]]:
    """The newest pulls of each sync, oldest first."""
    return {sync: [dict(row) for row in reversed(tx.rows("beats", sync=sync, limit=limit))] for sync in syncs}


def spent_by_hour(tx: Tx, *, now: float, hours: int = 24) -> list[tuple[float, float]]:
    """Credits that were charged or reserved, by the hour in which the calls were made: its begin, and how many."""
    first = (now // HOUR - hours + 1) * HOUR
    found = {first + n * HOUR: 0.0 for n in range(hours)}
    for row in tx.rows("spent_by_slot", slot=int(first // SLOT), **Budget().scope()):
        hour = row["slot"] * SLOT // HOUR * HOUR
        if hour in found:
            found[hour] += row["mc"] / 1000
    return sorted(found.items())


def written_lately(tx: Tx, *, limit: int) -> list[dict[str, Any]]:
    """The newest values that were written: when, for whom, which field, and who found it."""
    found = []
    for row in tx.rows("written_lately", limit=limit):
        known = load_identity(row["identity"])
        name = " ".join(filter(None, (known.first_name, known.last_name))) or known.full_name or row["ref"]
        found.append({**{key: row[key] for key in ("at", "field", "provider", "ref")}, "name": name})
    return found


def limits(tx: Tx, *, now: float) -> dict[str, dict[str, Any]]:
    """By connection: the fullest of its limits on calls (`used` of `limit` in so many `seconds`, where any is known),
    until when the vendor wants no call (UTC seconds), and why it is halted."""
    found = {}
    for row in tx.rows("connections"):
        full = [_used(tx, row["name"], one, now) for one in connections.windows(tx, row["name"])]
        blocked = row["blocked_until"] if row["blocked_until"] > now else None
        fullest = max(full, key=lambda one: one["used"] / one["limit"], default={})
        found[row["name"]] = {**fullest, "until": blocked, "trouble": row["trouble"]}
    return found


def _used(tx: Tx, connection: str, window: Window, now: float) -> dict[str, Any]:
    left = rates.left(tx, connection, window, now=now)
    return {"used": window.limit - left, "limit": window.limit, "seconds": window.seconds}


def set_aside(tx: Tx, *, before: int, limit: int) -> list[dict[str, Any]]:
    """Raw answers that are kept and not believed, the newest first."""
    return [dict(row) for row in tx.rows("deliveries_set_aside", before=before, limit=limit)]


def body(tx: Tx, delivery: int) -> str | None:
    """A raw answer as it came, as far as it is kept; None where there is none."""
    row = tx.row("delivery_body", id=delivery)
    if row is None:
        return None
    return unpacked(row["body"], row["sample"]).decode("utf-8", "replace")
