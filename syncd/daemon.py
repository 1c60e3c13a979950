"""The daemon: two listeners, one loop per stage, and a schedule that rings their bells.

The schedule keeps no jobs: the ledger is the only truth, a missed bell costs nothing but time. Stages
also ring each other when they leave work behind. SIGTERM lets paid calls and writes in flight end and
starts no more, ends every other stage where it stands (each can die at any instruction), answers what
the listeners have accepted, and closes the ledger.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog

from syncd.config import InDoubtPolicy, cron
from syncd.contract.errors import BrokenInvariant, ConnectorError, Halt, Retry, SyncdError
from syncd.ledger import connections, reports, submissions
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.log import Facts, unit
from syncd.pipeline import dispatch, inbox, plan, probe, pull, rights, sweep, verify, work, writeback
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.pipeline.watch import Watch, integrity
from syncd.schedule import Schedule
from syncd.web import private, public
from syncd.web.listener import Listener

log = structlog.get_logger("syncd.daemon")

T = TypeVar("T")
_AT_WORK: ContextVar[str] = ContextVar("stage", default="")  # in whose pass we are

LARGE, CHECK_AFTER = 16 << 20, 3.0  # bytes; seconds in which callbacks that have waited come first
BEAT = 0.5  # seconds between two looks at the event loop's lag
TICK = 1.0  # seconds between bells of a stage that may wait for a rate window
CADENCE = {"sweep": 15.0, "probe": 60.0, "canary": 300.0, "rights": 30.0, "flush": 5.0, "watch": 10.0, "lease": 15.0}
NEXT = {
    "pull": ("plan",),
    "plan": ("dispatch",),
    "dispatch": (),
    "inbox": ("verify",),
    "sweep": ("dispatch", "verify", "inbox"),
    "verify": ("writeback", "dispatch"),
    "probe": ("rights", "pull", "dispatch", "writeback"),
    "lease": ("plan", "dispatch", "inbox", "verify", "writeback"),
}
_AFTER_THE_CHECK = ("dispatch", "writeback")  # what is bought or written can't be taken back
STOP_WITHIN = 35.0  # real seconds: longer than any call's time-out
GRACE = 3.0  # real seconds for a write in flight: its intent is on disk, the next start looks what became of it
PULL_AGAIN = 60.0  # seconds after a pull that failed for a reason that passes


@dataclass(slots=True)
class _Stage:
    name: str
    work: Callable[[], Awaitable[int]]
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    busy: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]


class Daemon:
    """Runs the whole house until it is told to stop. `once`: pulls each sync only at the start."""

    def __init__(self, parts: Parts, canary: Canary, *, speed: float = 1.0, once: bool = False) -> None:
        self.parts = parts
        self._speed = speed
        self._once = once
        self._canary = canary
        self._watch = Watch()
        self._stop = asyncio.Event()
        self._failure: SyncdError | None = None
        self._running: list[asyncio.Task[None]] = []
        self._schedule = Schedule(parts.clock.now)
        settings = parts.settings
        self.public = Listener(public.application(parts, canary), settings.callbacks.listen)
        self.private = Listener(private.application(parts), settings.admin.listen)
        self._stages = {stage.name: stage for stage in self._all_stages()}
        parts.ledger.on_answer = self._answered
        parts.bells.bells.update({name: stage.bell for name, stage in self._stages.items()})
        self.tried: set[str] = set()  # stages of which a pass has ended, well or for good

    @property
    def pulled(self) -> bool:
        """Whether every sync was pulled by this process, and none is being pulled."""
        busy = any(stage.busy or stage.bell.is_set() for stage in self._stages.values() if stage.kind == "pull")
        return not busy and {f"pull:{sync.name}" for sync in self.parts.syncs} <= self.tried

    @property
    def looked(self) -> bool:
        """Whether every watch over the gate has looked, and none is looking at a right again."""
        watches = {"canary", "probe", "watch"} | {name for name in self._stages if name.startswith("rights:")}
        busy = any(stage.busy or stage.bell.is_set() for stage in self._stages.values() if stage.kind == "rights")
        return not busy and watches <= self.tried

    def stop(self) -> None:
        """Ask for a clean end."""
        self._stop.set()

    async def run(self, until: Callable[[Daemon], Coroutine[Any, Any, None]] | None = None) -> None:
        """Serve until stopped, or until `until` returns. Raises BrokenInvariant if a stage broke, and
        LedgerFailed if the ledger did."""
        self._on_signals()  # before anything is accepted that would have to be answered
        await self.public.start()  # before what depends on how much there is: what comes in is stored meanwhile
        await self.private.start()
        starting = asyncio.create_task(self._begin(), name="start")
        waiting = asyncio.create_task(self._stop.wait())
        goal: list[asyncio.Task[None]] = [] if until is None else [asyncio.create_task(until(self))]
        await asyncio.wait([waiting, *goal], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in (starting, *goal):
            task.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await self._shut_down(self._running)
        if self._failure is not None:
            raise self._failure
        for task in goal:
            if task.done() and not task.cancelled():
                task.result()

    async def _begin(self) -> None:
        """What the process before left behind is seen to, the stages start, and the ledger is looked over."""
        try:
            doubtful = await _until_it_fits(sweep.recover, self.parts)
            self._start_stages(lambda stage: stage.kind not in _AFTER_THE_CHECK)
            self._set_bells()
            self._running.append(asyncio.create_task(self._watch_over(), name="liveness"))
            log.info(
                "started",
                syncs=len(self.parts.syncs),
                in_doubt=doubtful,
                callbacks_port=self.public.port,
                admin_port=self.private.port,
            )
            if self.parts.ledger.path.stat().st_size > LARGE:
                await asyncio.sleep(CHECK_AFTER)
            await _until_it_fits(integrity, self.parts)
            self._start_stages(lambda stage: stage.kind in _AFTER_THE_CHECK)
        except SyncdError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
            self._fail(_broken("the start", error))

    def _start_stages(self, which: Callable[[_Stage], bool]) -> None:
        for stage in filter(which, self._stages.values()):
            self._running.append(asyncio.create_task(self._loop(stage), name=stage.name))

    def _fail(self, error: SyncdError) -> None:
        self._failure = self._failure or error
        self.stop()

    # --- stages -------------------------------------------------------------------------------

    def _all_stages(self) -> list[_Stage]:
        parts = self.parts
        stages = [
            _Stage("canary", lambda: self._canary.run_once(parts)),
            _Stage("plan", lambda: plan.run_once(parts)),
            _Stage("inbox", lambda: inbox.run_once(parts)),
            _Stage("sweep", lambda: sweep.run_once(parts)),
            _Stage("verify", lambda: verify.run_once(parts)),
            _Stage("probe", lambda: probe.run_once(parts)),
            _Stage("flush", lambda: probe.flush(parts)),
            _Stage("watch", lambda: self._watch.run_once(parts)),
            _Stage("lease", lambda: work.run_once(parts)),
        ]
        stages += [_Stage(f"dispatch:{name}", partial(dispatch.run_once, parts, name)) for name in parts.lanes]
        written = {sync.crm for sync in parts.syncs}
        stages += [_Stage(f"rights:{name}", partial(rights.run_once, parts, name)) for name in sorted(written)]
        for sync in parts.syncs:
            stages.append(_Stage(f"writeback:{sync.name}", partial(writeback.run_once, parts, sync)))
            stages.append(_Stage(f"pull:{sync.name}", partial(pull.run_once, parts, sync)))
        return stages

    async def _loop(self, stage: _Stage) -> None:
        _AT_WORK.set(stage.name)
        self.parts.liveness.expect(stage.name, self._cadence(stage))
        while True:
            await stage.bell.wait()
            stage.bell.clear()
            if self._stop.is_set():
                return
            try:
                with unit(stage.kind, of=stage.name.partition(":")[2]) as line:
                    moved = line["moved"] = await self._work(stage, line)
            except ConnectorError as error:
                self._postpone(stage, error)
            except LedgerFailed as error:
                self._fail(error)
                return
            except LedgerError as error:
                log.error("ledger_failed", stage=stage.name, why=str(error))
                await asyncio.sleep(1.0)
            except Exception as error:  # noqa: BLE001 - a bug: halt rather than go on wrongly
                self._fail(_broken(f"the stage {stage.name}", error))
                return
            else:
                self.tried.add(stage.name)
                for kind in NEXT.get(stage.kind, ()) if moved else ():
                    self.parts.bells.ring(kind)

    async def _work(self, stage: _Stage, line: Facts) -> int:
        stage.busy = True
        self.parts.liveness.sign(stage.name, busy=True)
        try:
            return await stage.work()
        except Halt as error:
            line["cure"] = error.cure
            raise
        finally:
            stage.busy = False
            self.parts.liveness.sign(stage.name, busy=False)

    def _postpone(self, stage: _Stage, error: ConnectorError) -> None:
        if not isinstance(error, Retry):
            self.tried.add(stage.name)
        elif stage.kind == "pull":  # the others are rung every few seconds anyway
            after = PULL_AGAIN if error.after is None else error.after
            asyncio.get_running_loop().call_later(after / self._speed, stage.bell.set)

    # --- bells --------------------------------------------------------------------------------

    def _set_bells(self) -> None:
        for stage in self._stages.values():
            if (seconds := self._cadence(stage)) is not None:
                self._schedule.every(seconds, stage.bell.set)
                stage.bell.set()
        for sync in self.parts.syncs:
            name = f"pull:{sync.name}"
            if sync.every is not None and not self._once:
                self._schedule.every(self._real(sync.every), self._stages[name].bell.set)
            elif sync.schedule is not None and not self._once:
                self._schedule.cron(cron(sync.schedule), self._stages[name].bell.set)
            self._stages[name].bell.set()

    def _cadence(self, stage: _Stage) -> float | None:
        """Real seconds between its bells, or None for a pull, which has its sync's own."""
        if stage.kind == "pull":
            return None
        return self._real(CADENCE.get(stage.kind, TICK), 0.1 if stage.kind in _AFTER_THE_CHECK else 0.3)

    def _real(self, seconds: float, least: float = 0.1) -> float:
        """Of a rehearsal's seconds; not so often that to look would be most of the work."""
        return max(seconds / self._speed, least)

    # --- signs of life ------------------------------------------------------------------------

    def _answered(self) -> None:
        """The ledger has answered a stage: it moves. Whoever else asks (a listener) is no stage."""
        stage = _AT_WORK.get()
        if stage in self.parts.liveness.turns:
            self.parts.liveness.sign(stage)

    async def _watch_over(self) -> None:
        """Notes how late the loop is; logs once what is late, and once that it no longer is."""
        loop, told = asyncio.get_running_loop(), dict[str, str]()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self.parts.liveness.lag(loop.time() - due)
            if self.parts.clock_was_set:
                self.parts.bells.ring("watch")
            late = self.parts.liveness.late()
            for who in late.keys() - told.keys():
                log.error("late", of=who, why=late[who])
            for who in told.keys() - late.keys():
                log.info("in_time_again", of=who)
            told = late

    # --- the end ------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    async def _shut_down(self, stages: list[asyncio.Task[None]]) -> None:
        log.info("stopping")
        self._stop.set()
        self._schedule.stop()
        for stage in self._stages.values():
            stage.bell.set()
        for lane in self.parts.lanes.values():
            lane.pacer.close()
        _cancel(task for task in stages if not task.get_name().startswith(("dispatch:", "writeback:")))
        busy = (await asyncio.wait(stages, timeout=GRACE))[1] if stages else set()
        _cancel(task for task in busy if task.get_name().startswith("writeback:"))
        if busy:
            _cancel((await asyncio.wait(busy, timeout=STOP_WITHIN))[1])
        await asyncio.gather(*stages, return_exceptions=True)
        await self.public.stop()
        await self.private.stop()
        try:
            await probe.flush(self.parts)
        except LedgerError as error:
            log.warning("counts_lost", why=str(error))
        log.info("stopped")


async def settled(daemon: Daemon) -> None:
    """Return once every sync was pulled and nothing will move by itself any more.

    What waits for a person (a halted connection, callbacks that can't reach us, a doubt that the
    policy leaves to them) or for another day (a budget) does not count.
    """
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(0.2)
        ready = daemon.pulled and daemon.looked
        quiet = quiet + 1 if ready and not await _moving(daemon) else 0


async def _moving(daemon: Daemon) -> int:
    parts = daemon.parts
    spent = list(await parts.ledger.read(connections.over_budget))
    shut = [sync.name for sync in parts.settings.syncs if parts.gate.waits_for_somebody(sync.name)]
    dear = [(name, field) for name, lane in parts.lanes.items() for field in lane.too_dear]
    if moving := await parts.ledger.read(reports.moving, spent, shut, dear):
        return moving
    ask = [name for name, one in parts.settings.connections.items() if one.in_doubt_policy is InDoubtPolicy.ASK]
    return len(await parts.ledger.read(submissions.overdue, ask, now=float("inf")))


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


def _broken(what: str, error: Exception) -> BrokenInvariant:
    broken = BrokenInvariant(f"{what} broke, with {type(error).__name__}")
    broken.__cause__ = error
    return broken


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
