"""The daemon: two listeners, what works behind them, and what signals ask for.

SIGTERM ends it: the stages first (paid calls and writes in flight are finished), then what the listeners have accepted
is answered, and the ledger is closed. SIGHUP reads the configuration again (`working`).
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog

from syncd.contract.errors import BrokenInvariant
from syncd.orders import Orders, Read
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.web import public
from syncd.web.listener import Listener, NoListener

if TYPE_CHECKING:
    from syncd.working import Working

log = structlog.get_logger("syncd.daemon")


Until = Callable[["Daemon"], Coroutine[Any, Any, None]]
"""Something that ends the daemon once it is over."""


class Daemon:
    """Runs everything until it is told to stop. `once`: pulls each sync only at the start. `read` reads the
    configuration for a reload; without it SIGHUP ends the daemon, as any program whose terminal is closed."""

    def __init__(
        self, parts: Parts, canary: Canary, *, speed: float = 1.0, once: bool = False, read: Read | None = None
    ) -> None:
        self._parts, self._canary, self._speed, self._once = parts, canary, speed, once
        self._orders = Orders(read)
        self._working: Working | None = None
        callbacks = parts.settings.callbacks
        self.public = Listener(public.application(parts, canary), callbacks.listen) if callbacks else NoListener()
        self.private = Listener(None, parts.settings.admin.listen)

    @property
    def parts(self) -> Parts:
        """Those of the configuration that is in use."""
        return self._parts if self._working is None else self._working.parts

    @property
    def working(self) -> Working:
        """What works behind the listeners, once it does."""
        if self._working is None:
            raise BrokenInvariant("nothing works yet behind the listeners")
        return self._working

    def stop(self) -> None:
        """Ask for a clean end."""
        self._orders.end.set()

    async def run(self, until: Until | None = None) -> None:
        """Serve until stopped, or until `until` returns. Raises BrokenInvariant if a stage broke, and
        LedgerFailed if the ledger did."""
        self._on_signals()  # before anything is accepted that would have to be answered
        await self.public.start()  # before all that takes a while: what comes in is stored meanwhile
        working = self._working = await self._make_working()
        await self.private.start()
        beating = asyncio.create_task(working.heartbeat.run(), name="heartbeat")
        at_work = asyncio.create_task(working.run(), name="work")
        waiting = asyncio.create_task(self._orders.end.wait())
        goal: list[asyncio.Task[None]] = [] if until is None else [asyncio.create_task(until(self))]
        await asyncio.wait([waiting, *goal], return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        for task in goal:
            task.cancel()
        working.heartbeat.stopping()
        log.info("stopping")
        await at_work
        await self.public.stop()
        await self.private.stop()
        await working.close()
        log.info("stopped")
        beating.cancel()
        if self._orders.failure is not None:
            raise self._orders.failure
        for task in goal:
            if task.done() and not task.cancelled():
                task.result()

    async def _make_working(self) -> Working:
        kind: type[Working] = (await asyncio.to_thread(import_module, "syncd.working")).Working
        gc.freeze()  # all this lives as long as the process: no collection need look at it again
        gc.set_threshold(50_000, 20, 50)  # a page of work makes thousands of objects, and leaves no cycles
        listeners = (self.public, self.private)
        return kind(self._parts, self._canary, self._orders, listeners, speed=self._speed, once=self._once)

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._orders.reload.set if self._orders.read else self.stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # `run` holds it back until here
