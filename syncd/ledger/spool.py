"""The spool: callbacks on this host's disk, until they can be forwarded to a ledger in PostgreSQL.

It is a ledger of its own in a file, of which only the deliveries are used: what comes is stored by the same unit of
work as in the ledger, with the same certainty that it is on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef, Delivery, Field, Source

from . import arrivals
from .arrivals import Kept, unpacked
from .engines import engine_of
from .file import DiskFull, LedgerError
from .store import Ledger, Row, Tx


@dataclass(frozen=True, slots=True)
class Spooled:
    """A callback that waits: whose it is, what it says, and when it came (UTC seconds)."""

    id: int
    provider: str
    delivery: Delivery
    sample: bytes
    came_at: float


class Waiting(NamedTuple):
    """How much waits, and since when (UTC seconds)."""

    callbacks: int = 0
    bytes: int = 0
    since: float | None = None


class Spool:
    """Open by this process alone. `waiting`: what was not forwarded yet."""

    def __init__(self, ledger: Ledger, limit: int) -> None:
        self._ledger, self._limit = ledger, limit
        self.waiting = Waiting()

    @classmethod
    @contextmanager
    def opened(cls, path: Path, limit: int) -> Iterator[Spool]:
        """For a process that takes callbacks, as long as the block lasts. `limit`: bytes that it may hold.

        Raises LedgerError where it can't be used.
        """
        with engine_of(path).held(alone=True) as mine:
            if not mine:
                raise LedgerError(f"another syncd has the spool {path}: give each its own (callbacks.spool.path)")
            try:
                ledger = Ledger.open(path)
            except LedgerError as error:
                raise type(error)(f"the spool for callbacks (callbacks.spool.path): {error}") from error
            try:
                yield cls(ledger, limit)
            finally:
                ledger.close()

    async def count(self) -> None:
        """Find out anew how much waits; it takes the longer, the more that is."""
        self.waiting = await self._ledger.read(_waiting)

    async def keep(self, provider: str, delivery: Delivery, *, now: float, sample: bytes = b"") -> Kept:
        """On the disk when this returns. Raises LedgerError where there is no room, or the disk refuses."""
        if self.waiting.bytes + len(delivery.body) > self._limit:
            raise DiskFull("the spool holds as much as callbacks.spool.limit allows")
        kept = await self._ledger.write(arrivals.store, provider, delivery, now=now, sample=sample)
        if kept is Kept.NEW:
            before = self.waiting
            self.waiting = Waiting(before.callbacks + 1, before.bytes + len(delivery.body), before.since or now)
        return kept

    async def oldest(self, n: int) -> list[Spooled]:
        """The first ones, in the order in which they came."""
        found = await self._ledger.read(_oldest, n)
        self.waiting = self.waiting._replace(since=found[0].came_at if found else None)
        return found

    async def drop(self, forwarded: Sequence[Spooled]) -> None:
        """The ledger has them for certain."""
        await self._ledger.write(drop, [one.id for one in forwarded])
        callbacks = self.waiting.callbacks - len(forwarded)
        if callbacks > 0:
            left = self.waiting.bytes - sum(len(one.delivery.body) for one in forwarded)
            self.waiting = self.waiting._replace(callbacks=callbacks, bytes=left)
        else:
            await self.count()


def drop(tx: Tx, ids: Sequence[int]) -> None:
    """Forget what was forwarded."""
    tx.run("spooled_drop", ids=dump(list(ids)))


def _waiting(tx: Tx) -> Waiting:
    return Waiting(*tx.one("spooled_waiting"))


def _oldest(tx: Tx, n: int) -> list[Spooled]:
    return [_spooled(row) for row in tx.rows("spooled", limit=n)]


def _spooled(row: Row) -> Spooled:
    delivery = Delivery(
        submission_id=row["submission_id"],
        source=Source(row["source"]),
        body=unpacked(row["body"], row["sample"]),
        ref=None if row["ref"] is None else ContactRef.parse(row["ref"]),
        field=None if row["field"] is None else Field(row["field"]),
        part=row["part"],
    )
    return Spooled(row["id"], row["provider"], delivery, row["sample"] or b"", row["received_at"])
