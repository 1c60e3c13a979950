"""What works behind the listeners of a process that only takes callbacks (`--role receiver`): it opens the ledger as
soon as that answers, wakes the workers' inbox, and puts what it has counted into the ledger.

It starts no stage and holds no claim: any number of them may take callbacks for one ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from syncd import compose, reload
from syncd.contract.errors import ConfigError
from syncd.heartbeat import Heartbeat
from syncd.ledger import renames, upkeep
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.store import Ledger
from syncd.ledger.wakeups import wake_inbox
from syncd.orders import Orders, broken
from syncd.pipeline import probe
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import UNTRIED
from syncd.pipeline.parts import Parts
from syncd.web import public, receiver
from syncd.web.intake import SpooledIntake, nothing
from syncd.web.listener import Listener

WAKE, FLUSH, CLOCK = 0.2, 5.0, 10.0  # seconds between two of each, at the least

Work = Callable[[], Awaitable[None]]

log = structlog.get_logger("syncd.daemon")


class Receiving:
    """`intake` has the ledger; `parts` have it, too, once it is open."""

    def __init__(
        self,
        parts: Parts,
        canary: Canary,
        orders: Orders,
        listeners: tuple[Listener, Listener],
        intake: SpooledIntake,
    ) -> None:
        self.parts = parts
        self._canary, self._orders, self._intake = canary, orders, intake
        self._public, self._private = listeners
        self._came = asyncio.Event()
        self.heartbeat = _Heartbeat(parts, intake)
        parts.bells.bells["inbox"] = self._came
        intake.opened, intake.forwarded = self._opened, self._came.set
        self._use(parts)

    async def run(self) -> None:
        """Until the daemon is to end."""
        log.info("started", role="receiver", callbacks_port=self._public.port, admin_port=self._private.port)
        self.heartbeat.ready()
        works = (self._repeat(WAKE, self._wake, self._came), self._repeat(FLUSH, self._flush))
        looks = (self._repeat(CLOCK, self._look_at_clock), self._repeat(CLOCK, self._look_at_ledger))
        tasks = [asyncio.create_task(one) for one in (*works, *looks)]
        try:
            while await self._orders.reloads():
                await self._reload()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """What was counted is put into the ledger, if it answers."""
        if not self._intake.down:
            await self._try(self._flush)
        if n := self._intake.waiting.callbacks:
            log.warning("spool_left", callbacks=n, cure="Start this receiver again: it forwards them.")

    async def _repeat(self, seconds: float, work: Work, when: asyncio.Event | None = None) -> None:
        while True:
            await asyncio.sleep(seconds)
            if when is not None:
                await when.wait()
            if not self._intake.down:
                await self._try(work)

    async def _try(self, work: Work) -> None:
        """What the ledger does not take now is tried again."""
        try:
            async with self._intake.in_time():
                await work()
        except LedgerFailed as error:
            self._orders.fail(error)
        except LedgerError as error:
            log.debug("put_off", why=str(error))
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._orders.fail(broken("the receiver", error))

    async def _wake(self) -> None:
        self._came.clear()
        await self.parts.ledger.write(wake_inbox)

    async def _flush(self) -> None:
        await probe.flush(self.parts)

    async def _look_at_ledger(self) -> None:
        """Where nothing comes in, too, it is seen that this program is too old for it by now."""
        await self.parts.ledger.write(nothing)

    async def _look_at_clock(self) -> None:
        """Addresses end by a clock that the ledger can believe; until then none is too old."""
        if self.parts.shared_time is not None:
            await self.parts.shared_time.look(self.parts.ledger)
        now = self.parts.clock.now()
        believed, leapt = await self.parts.ledger.read(upkeep.clock, now)
        self.parts.gate.leapt = leapt
        self.parts.gate.set("clock", "" if believed else UNTRIED["clock"])

    async def _opened(self, ledger: Ledger) -> None:
        former = await ledger.read(renames.former_names)
        self._use(replace(self.parts, ledger=ledger, former=former))

    def _use(self, parts: Parts) -> None:
        self.parts = self.heartbeat.parts = parts
        self._intake.connections = parts.settings.connections
        self._public.app = public.application(parts, self._canary, self._intake)
        self._private.app = receiver.application(parts, self._intake)

    async def _reload(self) -> None:
        """Another configuration is used from the next callback on, or refused."""
        read = self._orders.read
        assert read is not None  # noqa: S101 - only then is SIGHUP a reload
        self.heartbeat.reloading()
        try:
            settings, registry = await asyncio.to_thread(read)
            reload.require_same(self.parts.settings, settings)
            made = compose.assemble_receiver(settings, registry, self.parts.ledger, self.parts.clock)
        except ConfigError as error:
            self.heartbeat.refused = "; ".join(error.problems)
            log.error("configuration_refused", why=self.heartbeat.refused, cure=reload.CURE)
            self.heartbeat.goes_on()
            return
        before = self.parts
        self._use(replace(before, settings=settings, lanes=made.lanes, addresses=made.addresses))
        await compose.hang_up({}, {name: lane.provider for name, lane in before.lanes.items()})
        reload.follow_log(before.settings, settings)
        self.heartbeat.refused = ""
        self.heartbeat.ready()
        log.info("configuration_applied", connections=len(settings.connections))


class _Heartbeat(Heartbeat):
    """A receiver is alive without a ledger: then it has its spool, and refuses what does not belong in there."""

    def __init__(self, parts: Parts, intake: SpooledIntake) -> None:
        super().__init__(parts)
        self._intake = intake

    def words(self) -> str:
        """How it is, in a sentence."""
        if self._stopping:
            return "Stopping: callbacks are still answered."
        if self.refused:
            return f"The changed configuration is not in use: {self.refused}"
        waiting = f"{self._intake.waiting.callbacks} callbacks wait on this host"
        if self._intake.down:
            return f"The ledger does not answer: {self._intake.down}; {waiting}."
        return f"Forwarding: {waiting}." if self._intake.waiting.callbacks else "Receiving."

    def _is_alive(self) -> bool:
        return True
