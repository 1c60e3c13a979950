"""What works behind the daemon's listeners: the stages, with one configuration after the other.

Imported once callbacks are taken, for that takes a sixth of a start. A reload reads the configuration again: listeners,
ledger and all that is known stay, the stages end (paid calls and writes in flight are finished), and others begin with
the new one. What can't be applied as a whole is refused, and everything goes on as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from syncd import reload
from syncd.config import ConditionKind
from syncd.contract.errors import ConfigError, SyncdError, Trouble
from syncd.heartbeat import Heartbeat
from syncd.ledger import connections, reports
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.place import Url
from syncd.ledger.wakeups import listen
from syncd.observe.watcher import EVERY as WATCH_EVERY
from syncd.observe.watcher import Watcher
from syncd.orders import Orders, broken
from syncd.pipeline import probe, sweep, work
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.pipeline.watch import Watch, integrity
from syncd.stages import BUYS_OR_WRITES, Stages
from syncd.web import private, public
from syncd.web.intake import Intake, SpooledIntake
from syncd.web.listener import Listener, NoListener

log = structlog.get_logger("syncd.daemon")

T = TypeVar("T")

CLOSE_WITHIN = 10.0  # seconds for the last commit
LARGE, CHECK_AFTER = 16 << 20, 3.0  # bytes; seconds in which callbacks that have waited come first


class Working:
    """`once`: pulls each sync only at the start."""

    def __init__(
        self,
        parts: Parts,
        canary: Canary,
        orders: Orders,
        listeners: tuple[Listener | NoListener, Listener],
        intake: Intake,
        *,
        speed: float,
        once: bool,
    ) -> None:
        self.parts = parts
        self._canary, self._orders, self._speed, self._once = canary, orders, speed, once
        self._public, self._private = listeners
        self._intake = intake
        self._watch = Watch()
        self._check: asyncio.Task[None] | None = None
        self.heartbeat = Heartbeat(parts)
        self.stages = self._make_stages()
        self._private.app = private.application(parts)
        if isinstance(intake, SpooledIntake):
            intake.forwarded, intake.looked = self._callbacks_came, self._look_at_spool

    async def run(self) -> None:
        """Until the daemon is to end and no stage is at work any more."""
        try:
            while (change := await self._until_changed()) is not None:
                await self._apply(change)
        except SyncdError as error:
            self._orders.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._orders.fail(broken("the reload", error))

    async def close(self) -> None:
        """Once no stage is at work, and what was accepted is answered."""
        if self._check is not None:
            self._check.cancel()
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await probe.flush(self.parts)
                await work.end(self.parts)
        except (LedgerError, TimeoutError) as error:
            log.warning("counts_lost", why=str(error) or "the ledger does not answer")

    def _callbacks_came(self) -> None:
        self.parts.bells.callback()

    def _look_at_spool(self) -> None:
        """What waits there is acknowledged, and not in the ledger yet."""
        n = self._intake.waiting.callbacks
        why = f"{n} callbacks wait on this host until the ledger has them" if n else ""
        cure = "Keep this host and its disk until there are none; look at PostgreSQL."
        self.parts.symptoms.set(ConditionKind.LATE, "callbacks", why, cure)

    async def _until_changed(self) -> reload.Change | None:
        """The stages at work, until there is another configuration or, None, the daemon is to end."""
        watcher = Watcher(self.parts, every=max(WATCH_EVERY / self._speed, 0.5))
        tasks = [asyncio.create_task(self._begin(), name="start"), asyncio.create_task(watcher.run(), name="watcher")]
        if isinstance(place := self.parts.ledger.place, Url):
            tasks.append(asyncio.create_task(listen(place, self.parts.bells.callback), name="wake-ups"))
        try:
            return await self._next_change()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stages.stop()

    async def _begin(self) -> None:
        """What the process before left behind is seen to, the stages start, and the ledger is looked over."""
        try:
            doubtful = await _until_it_fits(sweep.recover, self.parts)
            self.stages.start(lambda stage: stage.kind not in BUYS_OR_WRITES)
            self.stages.set_bells()
            if not self.heartbeat.refused:
                await self._note(connections.clear, reports.CHANGED_CONFIGURATION)
            log.info(
                "started",
                syncs=len(self.parts.syncs),
                in_doubt=doubtful,
                callbacks_port=self._public.port,
                admin_port=self._private.port,
            )
            self.heartbeat.ready()
            self._check = self._check or asyncio.create_task(self._look_over(), name="integrity")
            await asyncio.shield(self._check)  # a reload does not begin it again
            self.stages.start(lambda stage: stage.kind in BUYS_OR_WRITES)
        except SyncdError as error:
            self._orders.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._orders.fail(broken("the start", error))

    async def _look_over(self) -> None:
        path = self.parts.ledger.path
        if path is not None and path.stat().st_size > LARGE:
            await asyncio.sleep(CHECK_AFTER)
        await _until_it_fits(integrity, self.parts)

    def _make_stages(self) -> Stages:
        return Stages(self.parts, self._canary, self._watch, self._orders.fail, speed=self._speed, once=self._once)

    # --- reload ---------------------------------------------------------------------------------

    async def _next_change(self) -> reload.Change | None:
        """Waits until another configuration can be applied, or, None, until the daemon is to end."""
        while await self._orders.reloads():
            self.heartbeat.reloading()
            assert self._orders.read is not None  # noqa: S101 - only then is SIGHUP a reload
            try:
                return await reload.prepare(self.parts, self._orders.read)
            except (ConfigError, LedgerError) as error:
                await self._refuse(error)
        return None

    async def _apply(self, change: reload.Change) -> None:
        """The parts and the stages for it, which begin next; for the one from before where it can't be applied."""
        try:
            self.parts = await reload.apply(self.parts, change)
        except (ConfigError, LedgerError) as error:
            await self._refuse(error)
        else:
            self.heartbeat.refused = ""
            self.heartbeat.parts = self.parts
            if isinstance(self._intake, SpooledIntake):
                self._intake.connections = self.parts.settings.connections
            self._public.app = public.application(self.parts, self._canary, self._intake)
            self._private.app = private.application(self.parts)
            await self._note(connections.clear, reports.CHANGED_CONFIGURATION)
            log.info("configuration_applied", syncs=len(self.parts.syncs), connections=len(change.settings.connections))
        self.stages = self._make_stages()

    async def _refuse(self, error: ConfigError | LedgerError) -> None:
        """Say why, wherever somebody may look."""
        if isinstance(error, LedgerFailed):
            raise error
        why = "; ".join(error.problems) if isinstance(error, ConfigError) else str(error)
        now = self.parts.clock.now()
        await self._note(
            connections.halt, reports.CHANGED_CONFIGURATION, Trouble.MISCONFIGURED, why, reload.CURE, now=now
        )
        log.error("configuration_refused", why=why, cure=reload.CURE)
        self.heartbeat.refused = why
        self.heartbeat.goes_on()

    async def _note(self, work: Callable[..., bool], /, *args: Any, **kwargs: Any) -> None:
        """Keep in the ledger what `status` is to show; a full disk does not stop the daemon."""
        try:
            await self.parts.ledger.write(work, *args, **kwargs)
        except LedgerFailed:
            raise
        except LedgerError as error:
            log.error("ledger_failed", stage="reload", why=str(error))


async def _until_it_fits(work: Callable[[Parts], Awaitable[T]], parts: Parts) -> T:
    """A ledger that is full or locked is so for a while, in which callbacks are refused and the process goes on."""
    while True:
        try:
            return await work(parts)
        except LedgerFailed:
            raise
        except LedgerError as error:
            log.error("ledger_failed", stage="start", why=str(error))
            await asyncio.sleep(1.0)
