"""The daemon's heartbeat: it notes how late the event loop is, tells what stands still, and feeds the watchdog.

The service manager's watchdog is fed only while the event loop turns, every stage moves and the ledger answers a
commit that does nothing. A ledger that refuses (a full disk) answers, too, and a database need not answer: another
start would not mend that.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from syncd import systemd
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Tx
from syncd.pipeline.liveness import EVENT_LOOP
from syncd.pipeline.parts import Parts

BEAT = 0.5  # seconds between two looks at the event loop's lag
FEED = 5.0  # seconds between two messages to the service manager, or a third of what its watchdog allows
START_WITHIN = 60  # seconds that a start may still take, told with every message: it is alive

log = structlog.get_logger("syncd.daemon")


class Heartbeat:
    """`refused`: why a changed configuration is not in use, or ""; the service manager shows it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.refused = ""
        self._told: dict[str, str] = {}
        self._trial: asyncio.Task[None] | None = None
        self._every = min(FEED, (systemd.watchdog() or 3 * FEED) / 3)
        self._fed_at = 0.0
        self._ready = False
        self._stopping = False

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self.parts.liveness.lag(loop.time() - due)
            if self.parts.clock_was_set:
                self.parts.bells.ring("watch")
            self._tell_late()
            if loop.time() - self._fed_at >= self._every:
                self._fed_at = loop.time()
                self._feed()

    def ready(self) -> None:
        """It works, after a start or after a reload."""
        self._ready = True
        systemd.notify(READY=1, STATUS=self.words())

    def goes_on(self) -> None:
        """It works as before."""
        if self._ready:
            self.ready()

    def reloading(self) -> None:
        """The configuration is being read again."""
        if not self._ready:
            return
        systemd.notify(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def stopping(self) -> None:
        """It is about to end; the watchdog is fed until then."""
        self._stopping = True
        systemd.notify(STOPPING=1, STATUS=self.words())

    def words(self) -> str:
        """How it is, in a sentence."""
        if self._stopping:
            return "Stopping: calls under way are finished."
        late = self.parts.liveness.late()
        if self.refused:
            return f"The changed configuration is not in use: {self.refused}"
        if late:
            return "Stands still: " + "; ".join(f"{who}: {why}" for who, why in late.items())
        if why := self.parts.gate.shut:
            return f"Working; buys nothing: {why}"
        held = {sync.name: why for sync in self.parts.syncs if (why := self.parts.gate.why(sync.name))}
        return "Working" + "".join(f"; buys nothing for {sync}: {why}" for sync, why in held.items()) + "."

    def _tell_late(self) -> None:
        """Log once what is late, and once that it no longer is."""
        late = self.parts.liveness.late()
        for who in late.keys() - self._told.keys():
            log.error("late", of=who, why=late[who])
        for who in self._told.keys() - late.keys():
            log.info("in_time_again", of=who)
        self._told = late

    def _feed(self) -> None:
        """A sign of life, unless the commit that was tried last has not come back or a stage stands still."""
        if self._ready:
            sign = {"WATCHDOG": 1} if self._is_alive() else {}
            systemd.notify(**sign, STATUS=self.words())
        else:
            systemd.notify(EXTEND_TIMEOUT_USEC=START_WITHIN * 1_000_000, STATUS="Starting: what was left is seen to.")

    def _is_alive(self) -> bool:
        if self._trial is not None and not self._trial.done():
            return self.parts.ledger.path is None  # another start would not mend a database that does not answer
        self._trial = asyncio.create_task(self._try_ledger(), name="heartbeat")
        return not self.parts.liveness.late().keys() - {EVENT_LOOP}

    async def _try_ledger(self) -> None:
        try:
            await self.parts.ledger.write(_nothing)
        except LedgerError as error:
            log.debug("commit_refused", why=str(error))


def _nothing(_: Tx) -> None:
    """A commit that changes nothing."""
