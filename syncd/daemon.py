"""The daemon: two listeners, what works behind them, and what signals ask for.

SIGTERM ends it: the stages first (paid calls and writes in flight are finished), then what the listeners have accepted
is answered, and the ledger is closed; a balancer is told before. SIGHUP reads the configuration again. What works
behind the listeners: the stages (`working`), or in a process that only takes callbacks, little (`receiving`).
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from syncd.contract.errors import BrokenInvariant, SyncdError
from syncd.cores import keep_together
from syncd.ledger.place import Url
from syncd.memory import give_back
from syncd.orders import Orders, Read, Role, broken
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.web import public
from syncd.web.intake import Intake
from syncd.web.listener import Listener, NoListener

if TYPE_CHECKING:
    from syncd.heartbeat import Heartbeat
    from syncd.working import Working

DRAIN = 5.0  # seconds until a balancer has noticed that it is to send no more

log = structlog.get_logger("syncd.daemon")


Until = Callable[["Daemon"], Coroutine[Any, Any, None]]
"""Something that ends the daemon once it is over."""


class Behind(Protocol):
    """What works behind the listeners, until the daemon is to end."""

    heartbeat: Heartbeat

    @property
    def parts(self) -> Parts: ...
    async def run(self) -> None: ...
    async def close(self) -> None: ...


class Daemon:
    """Runs everything, or what its role asks for, until it is told to stop. `intake`: where callbacks are kept; without
    one, in the ledger. `once`: pulls each sync only at the start. `read` reads the configuration for a reload; without
    it SIGHUP ends the daemon, as any program whose terminal is closed."""

    def __init__(
        self,
        parts: Parts,
        canary: Canary,
        intake: Intake | None = None,
        *,
        role: Role = Role.ALL,
        speed: float = 1.0,
        once: bool = False,
        read: Read | None = None,
    ) -> None:
        self._parts, self._canary, self._speed, self._once = parts, canary, speed, once
        self._orders = Orders(read)
        self._behind: Behind | None = None
        self._role, self._intake = role, intake or Intake(parts.ledger)
        callbacks = parts.settings.callbacks if role is not Role.WORKER else None
        app = public.application(parts, canary, self._intake)
        self.public = Listener(app, callbacks.listen) if callbacks else NoListener()
        self.private = Listener(None, parts.settings.admin.listen)

    @property
    def parts(self) -> Parts:
        """Those of the configuration that is in use."""
        return self._parts if self._behind is None else self._behind.parts

    @property
    def working(self) -> Working:
        """The stages behind the listeners, once they are there."""
        if self._behind is None or self._role is Role.RECEIVER:
            raise BrokenInvariant("no stage works yet behind the listeners")
        return cast("Working", self._behind)

    def stop(self) -> None:
        """Ask for a clean end."""
        self._orders.end.set()

    async def run(self, until: Until | None = None) -> None:
        """Serve until stopped, or until `until` returns. Raises BrokenInvariant if a stage broke, and
        LedgerFailed if the ledger did."""
        self._on_signals()  # before anything is accepted that would have to be answered
        await self.public.start()  # before all that takes a while: what comes in is stored meanwhile
        behind = self._behind = await self._make_behind()
        await self.private.start()
        beating = asyncio.create_task(behind.heartbeat.run(), name="heartbeat")
        together = asyncio.create_task(keep_together(), name="cores")
        giving_back = asyncio.create_task(give_back(), name="memory")
        at_work = asyncio.create_task(behind.run(), name="work")
        taking_in = asyncio.create_task(self._take_in(), name="intake")
        waiting = asyncio.create_task(self._orders.end.wait())
        goal: list[asyncio.Task[None]] = [] if until is None else [asyncio.create_task(until(self))]
        await asyncio.wait([waiting, *goal], return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        for task in goal:
            task.cancel()
        behind.heartbeat.stopping()
        log.info("stopping")
        await asyncio.gather(at_work, self._drain())
        await self.public.stop()
        await self.private.stop()
        taking_in.cancel()
        await behind.close()
        log.info("stopped")
        beating.cancel()
        together.cancel()
        giving_back.cancel()
        if self._orders.failure is not None:
            raise self._orders.failure
        for task in goal:
            if task.done() and not task.cancelled():
                task.result()

    async def _take_in(self) -> None:
        try:
            await self._intake.run()
        except SyncdError as error:
            self._orders.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._orders.fail(broken("the intake", error))

    async def _drain(self) -> None:
        """Callbacks are still taken until balancers have noticed that this process is about to end."""
        self._intake.draining = True
        callbacks, place = self.parts.settings.callbacks, self.parts.settings.ledger.place
        if callbacks is None or self._once or self._role is Role.WORKER:
            return
        usual = DRAIN if isinstance(place, Url) else 0.0
        await asyncio.sleep(usual if callbacks.drain is None else callbacks.drain)

    async def _make_behind(self) -> Behind:
        name = "receiving" if self._role is Role.RECEIVER else "working"
        module = await asyncio.to_thread(import_module, f"syncd.{name}")
        gc.freeze()  # all this lives as long as the process: no collection need look at it again
        gc.set_threshold(50_000, 20, 50)  # a page of work makes thousands of objects, and leaves no cycles
        listeners = (self.public, self.private)
        given = (self._parts, self._canary, self._orders, listeners, self._intake)
        if self._role is Role.RECEIVER:
            return cast("Behind", module.Receiving(*given))
        return cast("Behind", module.Working(*given, speed=self._speed, once=self._once))

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._orders.reload.set if self._orders.read else self.stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # `run` holds it back until here
