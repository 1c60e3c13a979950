"""The daemon: two listeners, the stages at work, and what signals ask for.

SIGTERM ends it: the stages first (paid calls and writes in flight are finished), then what the listeners have accepted
is answered, and the ledger is closed. SIGHUP reads the configuration again: listeners, ledger and all that is known
stay, the stages end in the same way, and others begin with the new one. What can't be applied as a whole is refused,
and everything goes on as it was.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from syncd import reload
from syncd.config import InDoubtPolicy
from syncd.contract.errors import ConfigError, SyncdError, Trouble
from syncd.heartbeat import Heartbeat
from syncd.ledger import connections, pauses, reports, submissions
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.observe.watcher import EVERY as WATCH_EVERY
from syncd.observe.watcher import Watcher
from syncd.pipeline import probe, sweep
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.pipeline.room import over_budget
from syncd.pipeline.watch import Watch, integrity
from syncd.stages import BUYS_OR_WRITES, Stages, broken
from syncd.web import private, public
from syncd.web.listener import Listener, NoListener

log = structlog.get_logger("syncd.daemon")

T = TypeVar("T")

LARGE, CHECK_AFTER = 16 << 20, 3.0  # bytes; seconds in which callbacks that have waited come first
_CURE = "Mend it and reload (systemctl reload syncd); until then the configuration from before is in use."


class Daemon:
    """Runs everything until it is told to stop. `once`: pulls each sync only at the start. `read` reads the
    configuration for a reload; without it SIGHUP ends the daemon, as any program whose terminal is closed."""

    def __init__(
        self, parts: Parts, canary: Canary, *, speed: float = 1.0, once: bool = False, read: reload.Read | None = None
    ) -> None:
        self.parts = parts
        self._speed = speed
        self._once = once
        self._canary = canary
        self._watch = Watch()
        self._read = read
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._failure: SyncdError | None = None
        self._heartbeat = Heartbeat(parts)
        self._check: asyncio.Task[None] | None = None
        callbacks = parts.settings.callbacks
        self.public = Listener(public.application(parts, canary), callbacks.listen) if callbacks else NoListener()
        self.private = Listener(private.application(parts), parts.settings.admin.listen)
        self.stages = self._make_stages()

    @property
    def tried(self) -> set[str]:
        """Stages of which a pass has ended, since the configuration is in use."""
        return self.stages.tried

    def stop(self) -> None:
        """Ask for a clean end."""
        self._stop.set()

    async def run(self, until: Callable[[Daemon], Coroutine[Any, Any, None]] | None = None) -> None:
        """Serve until stopped, or until `until` returns. Raises BrokenInvariant if a stage broke, and
        LedgerFailed if the ledger did."""
        self._on_signals()  # before anything is accepted that would have to be answered
        await self.public.start()  # before what depends on how much there is: what comes in is stored meanwhile
        await self.private.start()
        beating = asyncio.create_task(self._heartbeat.run(), name="heartbeat")
        working = asyncio.create_task(self._work(), name="work")
        waiting = asyncio.create_task(self._stop.wait())
        goal: list[asyncio.Task[None]] = [] if until is None else [asyncio.create_task(until(self))]
        await asyncio.wait([waiting, *goal], return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        for task in goal:
            task.cancel()
        self._heartbeat.stopping()
        log.info("stopping")
        await working
        await self._close()
        beating.cancel()
        if self._failure is not None:
            raise self._failure
        for task in goal:
            if task.done() and not task.cancelled():
                task.result()

    async def _close(self) -> None:
        """Once no stage is at work: answer what was accepted."""
        await self.public.stop()
        await self.private.stop()
        if self._check is not None:
            self._check.cancel()
        try:
            await probe.flush(self.parts)
        except LedgerError as error:
            log.warning("counts_lost", why=str(error))
        log.info("stopped")

    # --- the stages, with one configuration after the other ------------------------------------

    async def _work(self) -> None:
        """Returns once the daemon is to end and no stage is at work any more."""
        try:
            while (change := await self._until_changed()) is not None:
                await self._apply(change)
        except SyncdError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._fail(broken("the reload", error))

    async def _until_changed(self) -> reload.Change | None:
        """The stages at work, until there is another configuration or, None, the daemon is to end."""
        watcher = Watcher(self.parts, every=max(WATCH_EVERY / self._speed, 0.5))
        tasks = [asyncio.create_task(self._begin(), name="start"), asyncio.create_task(watcher.run(), name="watcher")]
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
            if not self._heartbeat.refused:
                await self._note(connections.clear, reports.CHANGED_CONFIGURATION)
            log.info(
                "started",
                syncs=len(self.parts.syncs),
                in_doubt=doubtful,
                callbacks_port=self.public.port,
                admin_port=self.private.port,
            )
            self._heartbeat.ready()
            self._check = self._check or asyncio.create_task(self._look_over(), name="integrity")
            await asyncio.shield(self._check)  # a reload does not begin it again
            self.stages.start(lambda stage: stage.kind in BUYS_OR_WRITES)
        except SyncdError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._fail(broken("the start", error))

    async def _look_over(self) -> None:
        path = self.parts.ledger.path
        if path is not None and path.stat().st_size > LARGE:
            await asyncio.sleep(CHECK_AFTER)
        await _until_it_fits(integrity, self.parts)

    def _make_stages(self) -> Stages:
        return Stages(self.parts, self._canary, self._watch, self._fail, speed=self._speed, once=self._once)

    def _fail(self, error: SyncdError) -> None:
        self._failure = self._failure or error
        self.stop()

    # --- reload ---------------------------------------------------------------------------------

    async def _next_change(self) -> reload.Change | None:
        """Waits until another configuration can be applied, or, None, until the daemon is to end."""
        while await self._asked_to_reload():
            self._heartbeat.reloading()
            assert self._read is not None  # noqa: S101 - only then is SIGHUP a reload
            try:
                return await reload.prepare(self.parts, self._read)
            except (ConfigError, LedgerError) as error:
                await self._refuse(error)
        return None

    async def _asked_to_reload(self) -> bool:
        """Waits for SIGHUP; False once the daemon is to end."""
        asked = [asyncio.create_task(event.wait()) for event in (self._stop, self._reload)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for task in asked:
            task.cancel()
        self._reload.clear()
        return not self._stop.is_set()

    async def _apply(self, change: reload.Change) -> None:
        """The parts and the stages for it, which begin next; for the one from before where it can't be applied."""
        try:
            self.parts = await reload.apply(self.parts, change)
        except (ConfigError, LedgerError) as error:
            await self._refuse(error)
        else:
            self._heartbeat.refused = ""
            self._heartbeat.parts = self.parts
            self.public.app = public.application(self.parts, self._canary)
            self.private.app = private.application(self.parts)
        self.stages = self._make_stages()

    async def _refuse(self, error: ConfigError | LedgerError) -> None:
        """Say why, wherever somebody may look."""
        if isinstance(error, LedgerFailed):
            raise error
        why = "; ".join(error.problems) if isinstance(error, ConfigError) else str(error)
        log.error("configuration_refused", why=why, cure=_CURE)
        now = self.parts.clock.now()
        await self._note(connections.halt, reports.CHANGED_CONFIGURATION, Trouble.MISCONFIGURED, why, _CURE, now=now)
        self._heartbeat.refused = why
        self._heartbeat.goes_on()

    async def _note(self, work: Callable[..., bool], /, *args: Any, **kwargs: Any) -> None:
        """Keep in the ledger what `status` is to show; a full disk does not stop the daemon."""
        try:
            await self.parts.ledger.write(work, *args, **kwargs)
        except LedgerFailed:
            raise
        except LedgerError as error:
            log.error("ledger_failed", stage="reload", why=str(error))

    # --- signals --------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set if self._read else self.stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # `run` holds it back until here


async def settled(daemon: Daemon) -> None:
    """Return once every sync was pulled and nothing will move by itself any more.

    What waits for a person (a halted connection, callbacks that can't reach us, a doubt that the
    policy leaves to them) or for another day (a budget) does not count.
    """
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(0.2)
        ready = daemon.stages.pulled and daemon.stages.looked
        quiet = quiet + 1 if ready and not await _moving(daemon) else 0


async def _moving(daemon: Daemon) -> int:
    parts = daemon.parts
    paused = await parts.ledger.read(pauses.in_force, now=parts.clock.now())
    spent = list(await over_budget(parts, paused))
    shut = [sync.name for sync in parts.settings.syncs if parts.gate.waits_for_somebody(sync.name)]
    unwritten = [one.name for one in parts.settings.syncs if any(stop.stops_writing(one.name) for stop in paused)]
    dear = [(name, field) for name, lane in parts.lanes.items() for field in lane.too_dear]
    if moving := await parts.ledger.read(reports.moving, spent, shut, dear, list(parts.lanes), unwritten=unwritten):
        return moving
    ask = [name for name, one in parts.settings.connections.items() if one.in_doubt_policy is InDoubtPolicy.ASK]
    ending = await parts.ledger.read(submissions.overdue, ask, now=float("inf"))
    return sum(provider in parts.lanes for _, provider, _ in ending)


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
