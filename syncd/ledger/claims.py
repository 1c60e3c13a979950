"""Who works on what: each process takes its work by a claim, and stores what came of it under that claim alone.

A claim is a row for each thing that is held, with an epoch that never comes twice. It lasts as long as the lease of
its owner, which each process renews every few seconds. Leases are measured by the clock of the database where several
hosts share one (`ledger_time` in the statements): a host's own may be wrong. Of a process whose lease is over, nobody
knows whether it has ended or stands still: what it held is given back (`expire`), and if it comes back itself, its
epoch is gone, and all that it would store with it is refused (`Lost`).

What only one transaction reads and writes needs no claim.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from syncd.contract.jsontext import dump

from .store import Tx

LEASE = 180.0  # seconds, as long as the configuration says nothing else
CALL = 125.0  # seconds that a paid call takes at the most, and some more: none is begun that could outlast the lease
RENEWED = 5.0  # seconds for which a lease is not renewed again: it may end so much sooner than `Owner.lease` says


class Kind(StrEnum):
    """What can be held."""

    CONTACT = "contact"  # while it is decided on
    JOB = "job"  # while it is chosen, until its intent
    DELIVERY = "delivery"  # while it is read
    SUBMISSION = "submission"  # while its result is asked for
    SELECTION = "selection"  # while it is pulled
    RECORD = "record"  # a contact, while its record in the CRM is written
    CONNECTION = "connection"  # while it is found out whether it works again
    ALERTS = "alerts"  # by the one process that sends them


_NAMED = (Kind.SUBMISSION, Kind.CONNECTION, Kind.ALERTS)  # the others are held by their numbers


class Lost(Exception):
    """The claim is somebody else's by now, or nobody's: nothing of the unit of work is stored."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, by a number of its own. `lease`: how many seconds after its last sign it counts as ended."""

    id: int
    lease: float = LEASE

    @classmethod
    def new(cls, lease: float = LEASE) -> Owner:
        """Nobody else has had this number."""
        return cls(secrets.randbits(47), lease)

    @property
    def renewed(self) -> float:
        """`RENEWED`, of a lease of this length."""
        return self.lease * RENEWED / LEASE

    @property
    def call(self) -> float:
        """`CALL`, of a lease of this length."""
        return self.lease * CALL / LEASE


class Claim(NamedTuple):
    """What was taken at one moment."""

    kind: Kind
    epoch: int
    items: tuple[Any, ...]


def renew(tx: Tx, owner: Owner, *, now: float) -> None:
    """The process is alive: its lease, and with it all of its claims, goes on."""
    tx.run("worker_renew", owner=owner.id, lease=owner.lease, now=now, worth=owner.renewed)


Find = Callable[[Tx], Sequence[Any]]


def take(tx: Tx, kind: Kind, items: Sequence[Any], *, owner: Owner, now: float, otherwise: Find | None = None) -> Claim:
    """Hold those of the items that nobody holds; where that is none, those that are found `otherwise`, by now. So
    processes that look at the same time neither come away with nothing nor with what others have just done."""
    renew(tx, owner, now=now)
    epoch = int(tx.value("epoch_next"))
    taken = _take(tx, kind, items, owner, epoch)
    if not taken and otherwise is not None:
        taken = _take(tx, kind, otherwise(tx), owner, epoch)
    return Claim(kind, epoch, taken)


def _take(tx: Tx, kind: Kind, items: Sequence[Any], owner: Owner, epoch: int) -> tuple[Any, ...]:
    wanted = _texts(items)
    n = tx.run("claims_take", kind=kind, items=wanted, owner=owner.id, epoch=epoch) if items else 0
    if n in (0, len(items)):
        return tuple(items) if n else ()
    taken = {row[0] for row in tx.rows("claims_taken", kind=kind, items=wanted, epoch=epoch)}
    return tuple(item for item in items if str(item) in taken)


def holds(tx: Tx, claim: Claim, items: Collection[Any] | None = None) -> bool:
    """Is all of the claim, or are these items of it, still held under its epoch?"""
    wanted = claim.items if items is None else items
    held = tx.value("claims_held", kind=claim.kind, items=_texts(wanted), epoch=claim.epoch)
    return bool(held == len(wanted))


def require(tx: Tx, claim: Claim, items: Collection[Any] | None = None) -> None:
    """Raises Lost unless it is."""
    if not holds(tx, claim, items):
        raise Lost


def release(tx: Tx, claim: Claim) -> int:
    """Hold it no more; returns how much of it was still held."""
    return tx.run("claims_release", kind=claim.kind, items=_texts(claim.items), epoch=claim.epoch)


def _texts(items: Iterable[Any]) -> str:
    """Whatever is held is named by a text in its row, numbers too."""
    return dump([str(item) for item in items])


def begin(tx: Tx, owner: Owner, *, shared: bool, now: float) -> bool:
    """At a start. Where nobody else works on this ledger, whoever was there before has ended, and what they held is
    free; returns whether that is so. `shared`: others may work on it, and do as long as their leases last."""
    alone = not (shared and any_other(tx, owner, now=now))
    if alone:
        tx.run("claims_forget")
        tx.run("workers_forget")
    renew(tx, owner, now=now)
    return alone


def any_other(tx: Tx, owner: Owner, *, now: float) -> bool:
    """Does any other process have a lease that lasts?"""
    return bool(tx.value("workers_alive", owner=owner.id, now=now))


def end(tx: Tx, owner: Owner) -> None:
    """At a clean end: whatever the process still holds is free at once."""
    tx.run("claims_let_go", owner=owner.id)
    tx.run("worker_let_go", owner=owner.id)


class Expired(NamedTuple):
    """Something that is not held any more, because its owner has ended or let go of it."""

    kind: Kind
    item: Any


def expire(tx: Tx, owner: Owner, active: Collection[int], newest: int, *, now: float) -> list[Expired]:
    """Give back what is held by processes whose lease is over, and what `owner` itself has let go of: all that it took
    up to the epoch `newest`, but what it says to be `active`."""
    mine = {"owner": owner.id, "newest": newest, "active": dump(sorted(active))}
    return [_expired(Kind(row["kind"]), row["item"]) for row in tx.rows("claims_expire", now=now, **mine)]


def _expired(kind: Kind, item: str) -> Expired:
    return Expired(kind, item if kind in _NAMED else int(item))


def forget_the_ended(tx: Tx, owner: Owner, *, now: float) -> int:
    """Once all that they left was seen to; returns how many processes it were."""
    return tx.run("workers_expire", owner=owner.id, now=now)
