"""What was stopped for a while, by a person or by a canary: a sync, a provider, or everything.

A pause stops what costs something or changes a CRM: paid calls and, but for a provider's, writes. What was bought is
received and kept as ever, and a write that was begun is brought to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from syncd.frozen import frozen

from .store import Tx

CANARY = "canary"  # in place of who has paused it


class PauseKind(StrEnum):
    """What is paused."""

    SYNC = "sync"
    PROVIDER = "provider"
    ALL = "all"


@frozen(kw_only=True)
class Pause:
    """`name`: of the sync or the provider's connection, "" for everything. `until`: UTC seconds; None: until a person
    resumes it."""

    kind: PauseKind
    name: str
    why: str
    since: float
    until: float | None
    by: str

    def stops_buying(self, sync: str, provider: str) -> bool:
        """Is nobody asked for this sync at this provider?"""
        return self.stops_writing(sync) or (self.kind is PauseKind.PROVIDER and self.name == provider)

    def stops_writing(self, sync: str) -> bool:
        """Is nothing written for this sync?"""
        return self.kind is PauseKind.ALL or (self.kind is PauseKind.SYNC and self.name == sync)


def pause(tx: Tx, kind: PauseKind, name: str, why: str, *, until: float | None, by: str, now: float) -> None:
    """Stop it from now on. A pause that stands already gets the new reason and end."""
    tx.run("pause_set", kind=kind, name=name, why=why, until=until, by=by, now=now)


def resume(tx: Tx, kind: PauseKind, name: str) -> bool:
    """It goes on; what a canary has stopped was looked at. False if it was not paused."""
    ended = tx.rows("pause_end", kind=kind, name=name)
    if kind is PauseKind.SYNC and any(row["by"] == CANARY for row in ended):
        tx.run("canary_looked_at", sync=name)
    return bool(ended)


def in_force(tx: Tx, *, now: float) -> list[Pause]:
    """All that is paused now; what was paused until a moment goes on by itself."""
    return [
        Pause(
            kind=PauseKind(row["kind"]),
            name=row["name"],
            why=row["why"],
            since=row["since"],
            until=row["until"],
            by=row["by"],
        )
        for row in tx.rows("pauses", now=now)
    ]


def writes_are_paused(tx: Tx, sync: str, *, now: float) -> bool:
    """Is nothing written for a sync now?"""
    return any(one.stops_writing(sync) for one in in_force(tx, now=now))


def buying_is_paused(pauses: Iterable[Pause], sync: str, provider: str) -> bool:
    """Is nobody asked for a sync at a provider?"""
    return any(one.stops_buying(sync, provider) for one in pauses)
