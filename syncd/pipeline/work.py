"""Work: how a stage holds what it works on, and how long this process may believe that it does.

    async with hold(parts, Kind.JOB, ids) as held:
        found = await parts.ledger.read(..., held.items)      what was read before the claim may be old
        ...                                                   calls, decisions
        await held.finish(store, found)                       stored, and given back, in one transaction

What is not finished is given back at the end. Whoever has lost its claim stores nothing: the block ends there, and
what it was about is looked at again by whoever holds it now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import structlog

from syncd.ledger import claims, gates, submissions, symptoms, writes
from syncd.ledger.claims import Claim, Find, Kind, Lost, Owner
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Tx

if TYPE_CHECKING:
    from .parts import Parts

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("syncd.work")


class AtWork:
    """This process, its claims, and until when its lease lasts for certain. `speed`: seconds of our clock that pass
    in one of those by which leases are measured; not 1 only where a rehearsal works with a database."""

    def __init__(self, owner: Owner | None = None, *, speed: float = 1.0) -> None:
        self.owner = owner or Owner.new()
        self._speed = speed
        self.active: set[int] = set()  # epochs of the claims that stages hold
        self.newest = 0
        self._until = float("-inf")  # monotonic

    def took(self, claim: Claim) -> None:
        """A stage holds something, until the epoch is taken out of `active`."""
        self.active.add(claim.epoch)
        self.newest = max(self.newest, claim.epoch)

    def renewed(self, asked_at: float) -> None:
        """The lease was renewed, by a transaction that was asked for at this moment (monotonic) or later."""
        self._until = max(self._until, asked_at + (self.owner.lease - self.owner.renewed) * self._speed)

    def lasts(self, monotonic: float) -> bool:
        """Is so much of the lease left that a call which begins now ends within it?"""
        return monotonic + self.owner.call * self._speed <= self._until


class Held:
    """What a stage holds."""

    def __init__(self, parts: Parts, claim: Claim) -> None:
        self._parts = parts
        self.claim = claim
        self.finished = False

    @property
    def items(self) -> tuple[Any, ...]:
        return self.claim.items

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Store a part of the work; the lease goes on. Raises Lost."""
        now, asked_at = self._parts.clock.now(), self._parts.clock.monotonic()

        @wraps(work)
        def unit(tx: Tx) -> T:
            claims.renew(tx, self._parts.at_work.owner, now=now)
            claims.require(tx, self.claim)
            return work(tx, *args, **kwargs)

        done = await self._parts.ledger.write(unit)
        self._parts.at_work.renewed(asked_at)
        return done

    async def finish(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Store the last part of the work, and hold it no more. Raises Lost."""

        @wraps(work)
        def unit(tx: Tx) -> T:
            if claims.release(tx, self.claim) != len(self.items):
                raise Lost
            return work(tx, *args, **kwargs)

        done = await self._parts.ledger.write(unit)
        self.finished = True
        return done

    def require_lease(self) -> None:
        """Just before something is done outside that can't be taken back. Raises Lost where this process has stood
        still for so long that others may have taken it for ended."""
        if not self._parts.at_work.lasts(self._parts.clock.monotonic()):
            raise Lost


class _Hold:
    """The block in which something is held."""

    def __init__(self, parts: Parts, kind: Kind, items: Sequence[Any], otherwise: Find | None) -> None:
        self._parts, self._kind, self._items, self._otherwise = parts, kind, items, otherwise

    async def __aenter__(self) -> Held:
        parts, at_work, asked_at = self._parts, self._parts.at_work, self._parts.clock.monotonic()
        seen = () if parts.ledger.shared and self._otherwise is not None else self._items
        now, what = parts.clock.now(), (self._kind, seen)
        claim = await parts.ledger.write(claims.take, *what, owner=at_work.owner, now=now, otherwise=self._otherwise)
        at_work.renewed(asked_at)
        at_work.took(claim)
        self._held = Held(parts, claim)
        return self._held

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        try:
            if isinstance(error, Lost):
                log.warning("claim_lost", kind=self._kind, items=len(self._items))
            elif error is None:
                await self._release()
            else:
                with suppress(LedgerError):  # the block's own error is told; what stays held `run_once` gives back
                    await self._release()
        finally:
            self._parts.at_work.active.discard(self._held.claim.epoch)
        return isinstance(error, Lost)

    async def _release(self) -> None:
        if not self._held.finished and self._held.items:
            await self._parts.ledger.write(claims.release, self._held.claim)


def hold(parts: Parts, kind: Kind, items: Sequence[Any], otherwise: Find | None = None) -> _Hold:
    """Hold those of the items that nobody else holds, until the end of the block; where that is none, those that are
    found `otherwise`. Where other processes may work, these at once: the items were seen before others moved on."""
    return _Hold(parts, kind, items, otherwise)


async def begin(parts: Parts) -> bool:
    """At a start. Returns whether this process is alone: then what was held before is free, else what was held by
    processes whose leases are over is given back by `run_once`."""
    asked_at = parts.clock.monotonic()
    alone = await parts.ledger.write(_begin, parts.at_work.owner, shared=parts.ledger.shared, now=parts.clock.now())
    parts.at_work.renewed(asked_at)
    parts.gate.tell_anew()
    return alone


def _begin(tx: Tx, owner: Owner, *, shared: bool, now: float) -> bool:
    alone = claims.begin(tx, owner, shared=shared, now=now)
    if alone:
        gates.forget(tx)
        symptoms.forget(tx)
    return alone


async def end(parts: Parts) -> None:
    """At a clean end: others, where there may be any, need not wait until the lease of this process is over."""
    if parts.ledger.shared:
        await parts.ledger.write(_end, parts.at_work.owner)


def _end(tx: Tx, owner: Owner) -> None:
    claims.end(tx, owner)
    gates.forget_the_ended(tx)
    symptoms.forget_the_ended(tx)


async def run_once(parts: Parts) -> int:
    """Go on being here; see to what those have left who have ended. Returns how many things of theirs there were.

    While the clock is not believed, nobody counts as ended.
    """
    now, asked_at = parts.clock.now(), parts.clock.monotonic()
    work = _renew_and_expire if await parts.in_time(now) else _renew
    hold_for = {name: connection.in_doubt_hold for name, connection in parts.settings.connections.items()}
    moved = await parts.ledger.write(work, parts.at_work, hold_for, now=now)
    parts.at_work.renewed(asked_at)
    return moved


def _renew(tx: Tx, at_work: AtWork, _: Mapping[str, float], *, now: float) -> int:
    claims.renew(tx, at_work.owner, now=now)
    return 0


def _renew_and_expire(tx: Tx, at_work: AtWork, hold_for: Mapping[str, float], *, now: float) -> int:
    """What was not paid for is as it was; what may have been is in doubt; what was being written is looked at once it
    must have landed."""
    owner = at_work.owner
    claims.renew(tx, owner, now=now)
    free = claims.expire(tx, owner, at_work.active, at_work.newest, now=now)
    doubtful = submissions.recover(tx, hold_for, now=now, owner=owner.id)
    writes.postpone_contacts(tx, [one.item for one in free if one.kind is Kind.RECORD], now=now)
    ended = claims.forget_the_ended(tx, owner, now=now)
    tx.tally("processes_taken_over", ended)
    gates.forget_the_ended(tx)
    symptoms.forget_the_ended(tx)
    if free or doubtful:
        log.warning("work_taken_over", processes=ended, in_doubt=doubtful, given_back=len(free))
    return len(free) + doubtful
