"""Where a callback is kept before it is acknowledged: in the ledger; or in this host's spool, while a ledger in
PostgreSQL does not answer.

What was spooled is forwarded in order, by the same unit of work, for which a repeat is harmless; it is deleted from the
spool once the ledger's commit is certain. A commit of which nobody can say whether it is kept counts as failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from syncd.config import Connection, OnLedgerDown
from syncd.contract.model import Delivery
from syncd.ledger import arrivals
from syncd.ledger.arrivals import Kept
from syncd.ledger.file import LedgerBusy, LedgerError, LedgerFailed
from syncd.ledger.patience import Patience
from syncd.ledger.spool import Spool, Spooled, Waiting
from syncd.ledger.states import DeliveryState
from syncd.ledger.store import Ledger, Tx

WITHIN = 5.0  # seconds for a commit in PostgreSQL
OPEN_WITHIN = 30.0  # seconds to reach it: of several hosts, each may have to be waited for
LOOK = 0.5  # seconds between two trials of a ledger that did not answer
BATCH = 100  # callbacks that are forwarded together

log = structlog.get_logger("syncd.callbacks")


class Intake:
    """Into the ledger, and nowhere else. `draining`: this process is about to end, and balancers are told."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.draining = False
        self.down = ""  # why the ledger does not answer
        self.waiting = Waiting()  # what is in the spool

    async def keep(self, provider: str, delivery: Delivery, *, thanked: bool, **how: Any) -> Kept:
        """On the disk when this returns. `thanked`: whether it will be acknowledged with 200. Raises LedgerError."""
        return await self.ledger.write(arrivals.store, provider, delivery, bounded=True, **how)

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """The block asks the ledger. Raises LedgerError where it has not answered in time."""
        yield

    async def run(self) -> None:
        """Whatever is to be done beside callbacks, until cancelled."""
        await asyncio.Event().wait()


class SpooledIntake(Intake):
    """With a ledger in PostgreSQL, which may be opened later. `opened` is told when it is, `forwarded` when callbacks
    were moved from the spool into it. `takes`: whether more may be put into the spool."""

    def __init__(
        self, ledger: Ledger, spool: Spool, connections: Mapping[str, Connection], *, takes: bool = True
    ) -> None:
        super().__init__(ledger)
        self._takes = takes
        self.connections = connections
        self.opened: Callable[[Ledger], Awaitable[None]] = _ignore
        self.forwarded: Callable[[], None] = lambda: None
        self.looked: Callable[[], None] = lambda: None  # after each look at the spool
        self._spool = spool
        self._patience = Patience(WITHIN)
        if not ledger.is_open:
            self.down = "the ledger has not been reached yet"

    async def keep(self, provider: str, delivery: Delivery, *, thanked: bool, **how: Any) -> Kept:
        """In the ledger, or in the spool where that is wanted for this provider."""
        why = self.down
        if not why:
            watch = self._patience.watch
            try:
                return await self.ledger.write_watched(watch, arrivals.store, provider, delivery, bounded=True, **how)
            except LedgerError as error:
                why = str(error)
                self._fell_silent(why)
        if not (thanked and self._spools(provider) and how["state"] is DeliveryState.RECEIVED):
            raise LedgerError(why)
        kept = await self._spool.keep(provider, delivery, now=how["now"], sample=how["sample"])
        self.waiting = self._spool.waiting
        return kept

    @asynccontextmanager
    async def in_time(self, within: float = WITHIN) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(within):
                yield
        except TimeoutError:
            raise LedgerBusy(f"the ledger has not answered for {within:g} s") from None

    def _spools(self, provider: str) -> bool:
        known = self.connections.get(provider)
        return self._takes and known is not None and known.on_ledger_down is OnLedgerDown.SPOOL

    def _fell_silent(self, why: str) -> None:
        if not self.down:
            log.error("ledger_silent", why=why)
        self.down = why

    async def run(self) -> None:
        """Try a silent ledger until it answers, and forward what is in the spool. Raises LedgerFailed for good."""
        await self._spool.count()
        while True:
            try:
                if self.down:
                    await self.reach()
                while self._spool.waiting.callbacks and not self.down:
                    await self._forward()
                    self.waiting = self._spool.waiting
                self.waiting = self._spool.waiting
                self.looked()
            except LedgerFailed:
                raise
            except LedgerError as error:
                log.error("spool_failed", why=str(error))
            await asyncio.sleep(LOOK)

    async def reach(self, within: float = OPEN_WITHIN) -> None:
        """See whether the ledger answers again, or open it. Raises LedgerFailed."""
        try:
            async with self.in_time(within):
                if not self.ledger.is_open:
                    self.ledger = await Ledger.opened(self.ledger.place)
                    await self.opened(self.ledger)
                await self.ledger.write(nothing)
        except LedgerFailed:
            raise
        except LedgerError as error:
            self.down = str(error)
        else:
            self.down = ""
            log.info("ledger_answers", spooled=self._spool.waiting.callbacks)

    async def _forward(self) -> None:
        """The oldest ones of the spool; what the ledger has taken is deleted from it."""
        batch = await self._spool.oldest(BATCH)
        try:
            async with self.in_time():
                await asyncio.gather(*(self._move(one) for one in batch))
        except LedgerFailed:
            raise
        except LedgerError as error:
            self._fell_silent(str(error))
            return
        await self._spool.drop(batch)
        self.forwarded()
        log.info("forwarded", callbacks=len(batch), left=self._spool.waiting.callbacks)

    async def _move(self, one: Spooled) -> None:
        kept = await self.ledger.write(
            arrivals.store, one.provider, one.delivery, now=one.came_at, bounded=True, sample=one.sample
        )
        if kept in (Kept.GONE, Kept.TOO_MANY):
            log.warning("not_kept", connection=one.provider, why="its call has had more answers than can be genuine")


async def _ignore(_: Ledger) -> None:
    """Nobody wants to know."""


def nothing(_: Tx) -> None:
    """A commit that changes nothing."""
