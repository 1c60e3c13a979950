"""The stages at work: one loop for each, woken by its bell, and the schedule that rings the bells.

The schedule keeps no jobs: the ledger is the only truth, a missed bell costs nothing but time. Stages also ring each
other when they leave work behind. `stop` lets paid calls and writes in flight end, starts no more, and ends every
other stage where it stands: each can die at any instruction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

import structlog

from syncd.config import CronLine, Sync
from syncd.contract.errors import ConnectorError, Halt, Retry, SyncdError
from syncd.ledger import contacts
from syncd.ledger.contacts import LastPull
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.place import Url
from syncd.log import Facts, unit
from syncd.orders import broken
from syncd.pipeline import dispatch, inbox, plan, probe, pull, refresh, rights, sweep, undoing, verify, work, writeback
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.pipeline.watch import Watch
from syncd.schedule import Schedule

log = structlog.get_logger("syncd.daemon")

_AT_WORK: ContextVar[str] = ContextVar("stage", default="")  # in whose pass we are

TICK = 1.0  # seconds between bells of a stage that may wait for a rate window, or for a moment that is near
CADENCE = {
    "sweep": 15.0,
    "probe": 60.0,
    "canary": 300.0,
    "rights": 30.0,
    "flush": 5.0,
    "watch": 10.0,
    "lease": 60.0,
    "undo": 5.0,
    "refresh": 60.0,
    **dict.fromkeys(("plan", "inbox", "verify"), 5.0),  # whoever leaves them work rings them at once
}
SHARED = ("plan", "inbox", "verify", "undo", "sweep")  # with a database, one worker is rung for all of them
BEAT = 5  # seconds between two beats for all workers
ALONE = 60.0  # seconds after which each of them looks by itself, and whether a pull is due that nobody has begun
BEHIND = 20.0  # seconds by which it must be overdue then
# Real seconds from a pass that moved something to the next, for several rings; not where it has left full batches.
APART = {"inbox": 0.2, "verify": 0.2, "writeback": 0.2}
QUIET, POURING = 0.05, 2.0  # real seconds without a callback after which they are applied; and at the latest
NEXT = {
    "pull": ("plan",),
    "plan": ("dispatch",),
    "dispatch": (),
    "inbox": ("verify",),
    "sweep": ("plan", "dispatch", "verify", "inbox"),
    "verify": ("writeback", "dispatch"),
    "undo": ("plan", "undo"),
    "refresh": ("dispatch",),
    "probe": ("rights", "pull", "dispatch", "writeback", "undo"),
    "lease": ("plan", "dispatch", "inbox", "verify", "writeback"),
}
BUYS_OR_WRITES = ("dispatch", "writeback", "undo")  # what can't be taken back: not before the ledger was looked over
WRITES = ("writeback:", "undo")
STOP_WITHIN = 35.0  # real seconds: longer than any call's time-out
GRACE = 3.0  # real seconds for a write in flight: its intent is on disk, the next start looks what became of it
LOOKED_FOR = 5.0  # real seconds from one look for processes that have ended to the next, where there may be others
PULL_AGAIN = 60.0  # seconds after a pull that failed for a reason that passes


@dataclass(slots=True)
class Stage:
    """One stage, or one stage of a connection or a sync: `dispatch:finder`."""

    name: str
    work: Callable[[], Awaitable[int]]
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    busy: bool = False

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]


class Stages:
    """Every stage over the same parts. `fail` is told what broke one of them; the daemon ends then.

    `once`: each sync is pulled at the start only.
    """

    def __init__(
        self,
        parts: Parts,
        canary: Canary,
        watch: Watch,
        fail: Callable[[SyncdError], None],
        *,
        speed: float = 1.0,
        once: bool = False,
    ) -> None:
        self.parts = parts
        self.tried: set[str] = set()  # stages of which a pass has ended, well or for good
        self._canary = canary
        self._watch = watch
        self._fail = fail
        self._speed = speed
        self._once = once
        self._ending = False
        self._running: list[asyncio.Task[None]] = []
        self._schedule = Schedule(parts.clock.now)
        self._beats = 0
        self._looking: asyncio.Task[None] | None = None
        self._stages = {stage.name: stage for stage in self._all_stages()}
        for lane in parts.lanes.values():
            lane.pacer.open()
        parts.ledger.on_answer = self._answered
        parts.liveness.turns.clear()
        parts.bells.bells.clear()
        parts.bells.bells.update({name: stage.bell for name, stage in self._stages.items()})

    @property
    def pulled(self) -> bool:
        """Whether every sync was pulled by this process, and none is being pulled."""
        busy = any(stage.busy or stage.bell.is_set() for stage in self._stages.values() if stage.kind == "pull")
        return not busy and {f"pull:{sync.name}" for sync in self.parts.syncs} <= self.tried

    @property
    def looked(self) -> bool:
        """Whether every watch over the gate has looked, and none is looking at a right again."""
        watches = {one.name for one in self._stages.values() if one.kind in {"canary", "probe", "watch", "rights"}}
        busy = any(stage.busy or stage.bell.is_set() for stage in self._stages.values() if stage.kind == "rights")
        return not busy and watches <= self.tried

    def start(self, which: Callable[[Stage], bool] = lambda _: True) -> None:
        """Let these stages work."""
        for stage in filter(which, self._stages.values()):
            self._running.append(asyncio.create_task(self._loop(stage), name=stage.name))

    async def stop(self) -> None:
        """Returns once none of them is at work any more."""
        self._ending = True
        self._schedule.stop()
        for stage in self._stages.values():
            stage.bell.set()
        for lane in self.parts.lanes.values():
            lane.pacer.close()
        _cancel(task for task in self._running if not task.get_name().startswith(("dispatch:", *WRITES)))
        busy = (await asyncio.wait(self._running, timeout=GRACE))[1] if self._running else set()
        _cancel(task for task in busy if task.get_name().startswith(WRITES))
        if busy:
            _cancel((await asyncio.wait(busy, timeout=STOP_WITHIN))[1])
        await asyncio.gather(*self._running, return_exceptions=True)

    def _all_stages(self) -> list[Stage]:
        parts = self.parts
        stages = [
            Stage("plan", lambda: plan.run_once(parts)),
            Stage("inbox", lambda: inbox.run_once(parts)),
            Stage("sweep", lambda: sweep.run_once(parts)),
            Stage("verify", lambda: verify.run_once(parts)),
            Stage("probe", lambda: probe.run_once(parts)),
            Stage("flush", lambda: probe.flush(parts)),
            Stage("watch", lambda: self._watch.run_once(parts)),
            Stage("lease", lambda: work.run_once(parts)),
            Stage("undo", lambda: undoing.run_once(parts)),
        ]
        if any(policy.refresh for sync in parts.syncs for policy in sync.fields.values()):
            stages.append(Stage("refresh", lambda: refresh.run_once(parts)))
        if parts.settings.callbacks is not None:
            stages.append(Stage("canary", lambda: self._canary.run_once(parts)))
        stages += [Stage(f"dispatch:{name}", partial(dispatch.run_once, parts, name)) for name in parts.lanes]
        written = {sync.crm for sync in parts.syncs}
        stages += [Stage(f"rights:{name}", partial(rights.run_once, parts, name)) for name in sorted(written)]
        for sync in parts.syncs:
            stages.append(Stage(f"writeback:{sync.name}", partial(writeback.run_once, parts, sync)))
            stages.append(Stage(f"pull:{sync.name}", partial(pull.run_once, parts, sync)))
        return stages

    async def _loop(self, stage: Stage) -> None:
        _AT_WORK.set(stage.name)
        self.parts.liveness.expect(stage.name, self._cadence(stage))
        moved_at = float("-inf")
        while True:
            await stage.bell.wait()
            await self._come_together(stage, moved_at)
            begun = asyncio.get_running_loop().time()
            stage.bell.clear()
            if self._ending:
                return
            try:
                of = stage.name.partition(":")[2]
                with unit(stage.kind, of=of) as line, self._traced(stage.kind, of, line):
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
                self._fail(broken(f"the stage {stage.name}", error))
                return
            else:
                self.tried.add(stage.name)
                self._come_back(stage)
                moved_at = begun if moved else moved_at
                for kind in NEXT.get(stage.kind, ()) if moved else ():
                    self.parts.bells.ring(kind)

    async def _come_together(self, stage: Stage, moved_at: float) -> None:
        """What comes in quick succession is done in one pass; what comes alone, and what fills a pass, at once."""
        seconds = moved_at + APART.get(stage.kind, 0.0) - asyncio.get_running_loop().time()
        if not self.parts.bells.goes_on(stage.name) and seconds > 0 and not self._ending:
            await asyncio.sleep(seconds)
        if stage.kind == "inbox":
            await self._let_callbacks_in()

    async def _let_callbacks_in(self) -> None:
        """As long as callbacks pour in they are acknowledged first, and those that came are applied together."""
        now = asyncio.get_running_loop().time
        latest = now() + POURING

        def left() -> float:
            return min(self.parts.bells.called_at + QUIET, latest) - now()

        while left() > 0 and not self._ending:  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(left())

    async def _work(self, stage: Stage, line: Facts) -> int:
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

    def _traced(self, kind: str, of: str, line: Facts) -> AbstractContextManager[None]:
        tracer = self.parts.calls.tracer
        return nullcontext() if tracer is None else tracer.unit(kind, of, line)

    def _postpone(self, stage: Stage, error: ConnectorError) -> None:
        if not isinstance(error, Retry):
            self.tried.add(stage.name)
        elif stage.kind == "pull":  # the others are rung every few seconds anyway
            after = PULL_AGAIN if error.after is None else error.after
            asyncio.get_running_loop().call_later(after / self._speed, stage.bell.set)

    def _come_back(self, stage: Stage) -> None:
        """Calls may go out again before the next tick: at that very moment."""
        kind, _, name = stage.name.partition(":")
        wait = self.parts.lanes[name].pacer.ready_in() if kind == "dispatch" else 0.0
        if 0 < wait < TICK:
            asyncio.get_running_loop().call_later(wait / self._speed, stage.bell.set)

    # --- bells for several workers ----------------------------------------------------------------

    def _set_shared_bells(self, place: Url) -> None:
        self._schedule.beats(place, BEAT, self._beat)
        self._schedule.now_and_then(self._real(ALONE), self._look_alone)

    def _beat(self) -> None:
        """This process was chosen to look for all of them."""
        for kind in SHARED:
            if self._beats % max(1, round(CADENCE[kind] / BEAT)) == 0:
                self.parts.bells.ring(kind)
        self._beats += 1
        self._look_for_pulls(0.0)

    def _look_alone(self) -> None:
        for kind in SHARED:
            self.parts.bells.ring(kind)
        self._look_for_pulls(BEHIND)

    def _look_for_pulls(self, behind: float) -> None:
        if not self._once and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._ring_pulls(behind), name="due pulls")

    async def _ring_pulls(self, behind: float) -> None:
        """Ring each pull that nobody has begun since its moment, and each that somebody has left undone."""
        now = self.parts.clock.now() - behind
        names = [sync.name for sync in self.parts.syncs]
        try:
            last = await self.parts.ledger.read(contacts.last_pulls, names)
        except LedgerError as error:
            log.debug("due_pulls_unknown", why=str(error))
            return
        for sync in self.parts.syncs:
            if is_due(sync, last.get(sync.name), now):
                self._stages[f"pull:{sync.name}"].bell.set()

    # --- bells --------------------------------------------------------------------------------

    def set_bells(self) -> None:
        """Ring every stage now, and from now on when its time has come."""
        shared = isinstance(place := self.parts.ledger.place, Url)
        for stage in self._stages.values():
            if (seconds := self._cadence(stage)) is not None and not (shared and stage.kind in SHARED):
                self._schedule.tick(seconds, stage.bell.set)
            stage.bell.set()
        if isinstance(place, Url):
            self._set_shared_bells(place)
        elif not self._once:
            self._set_bells_of_pulls()

    def _set_bells_of_pulls(self) -> None:
        for sync in self.parts.syncs:
            bell = self._stages[f"pull:{sync.name}"].bell
            if sync.every is not None:
                self._schedule.every(self._real(sync.every), bell.set)
            elif sync.schedule is not None:
                self._schedule.cron(CronLine(sync.schedule, sync.time_zone), bell.set)

    def _cadence(self, stage: Stage) -> float | None:
        """Real seconds between its bells, or None for a pull, which has its sync's own."""
        if stage.kind == "pull":
            return None
        if stage.kind == "lease" and self.parts.ledger.shared:  # what others leave is taken over soon
            return min(LOOKED_FOR, self.parts.at_work.owner.lease / 6)
        if stage.kind in SHARED and isinstance(self.parts.ledger.place, Url):
            return self._real(ALONE)
        return self._real(CADENCE.get(stage.kind, TICK), 0.1 if stage.kind in BUYS_OR_WRITES else 0.5)

    def _real(self, seconds: float, least: float = 0.1) -> float:
        """Of a rehearsal's seconds; not so often that to look would be most of the work."""
        return max(seconds / self._speed, least)

    def _answered(self) -> None:
        """The ledger has answered a stage: it moves. Whoever else asks (a listener) is no stage."""
        stage = _AT_WORK.get()
        if stage in self.parts.liveness.turns:
            self.parts.liveness.sign(stage)


def is_due(sync: Sync, last: LastPull | None, now: float) -> bool:
    """Whether a pull of the sync is to begin, or somebody has left the last one undone (its claim says whether)."""
    if last is None:
        return True
    if last.ended_at is None:
        return last.started_at + ALONE <= now
    if sync.every is not None:
        return last.started_at + sync.every <= now
    due = None if sync.schedule is None else CronLine(sync.schedule, sync.time_zone).next_after(last.started_at)
    return due is not None and due <= now


def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
