"""The watches over the gate: room on the disk, a clock that can be believed, a ledger that is up to date,
a CRM that takes what was bought.

What can't be stored or written must not be bought, and a clock that jumped must not make answers look overdue.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import structlog

from syncd.config import Settings, Sync
from syncd.ledger import submissions, upkeep, writes

from .gate import BACKLOG as WAITING
from .gate import STEP, WRITE_RIGHT
from .parts import Parts

SETTLE = 3600.0  # seconds of steady running after which a leap that nobody saw is believed, whichever way it went
STEADY = 600.0  # the same, after a step that this process saw: how far it went is known
BACKLOG = 100  # values that wait for the CRM for longer than PATIENCE before no more are bought for it
PATIENCE = 86_400.0  # seconds
GOOD_FOR = 1_800.0  # seconds for which a CRM that was seen to take writes is believed to: see `rights`

log = structlog.get_logger("syncd.watch")


@dataclass(slots=True)
class Watch:
    """Looks every few seconds, and remembers how the clocks have run since."""

    _steady_since: float | None = field(default=None)  # monotonic; nothing deviated since
    _offset: float = field(default=0.0)  # the wall clock less the monotonic one, by which a step is told
    _offset_at: float = field(default=0.0)  # monotonic: when that was taken
    _believed: float | None = field(default=None)  # the offset when the clock was believed last
    _stepped: bool = field(default=False)  # the clock was stepped, and has not run steadily for long enough since

    async def run_once(self, parts: Parts) -> int:
        """Shut or open the gate for each watch; returns 0: looking moves nothing."""
        gate = parts.gate
        if parts.shared_time is not None:
            await parts.shared_time.look(parts.ledger)
        gate.set("disk", *disk(parts.settings))
        parts.tell()  # on a full disk the ledger can't
        now, monotonic = parts.moment()
        gate.set("clock", *await self._clock(parts, now, monotonic), passing=True)
        gate.set("restored", *await _frozen(parts, now))
        for sync in parts.syncs:
            gate.set(WAITING, *await _backlog(parts, sync, now), sync=sync.name, passing=True)
            _forget(parts, sync)
        await parts.publish()
        return 0

    async def _clock(self, parts: Parts, now: float, monotonic: float) -> tuple[str, str]:
        """Why the clock is not believed, or ""; notes the time while it is."""
        known = await parts.ledger.read(upkeep.mark, upkeep.LAST_SEEN)
        if self._steady_since is None:
            self._stepped = await parts.ledger.read(upkeep.mark, upkeep.STEPPED) is not None
            leapt = await parts.ledger.read(upkeep.mark, upkeep.LEAPT)
            parts.gate.leapt = leapt or 0.0
        if self._deviates(now, monotonic) and not _others_went_on(parts, known, now):
            self._stepped = True
            await parts.ledger.write(upkeep.set_mark, upkeep.STEPPED, now)
        steady_for = monotonic - (self._steady_since or 0.0)
        if known is None:
            known = now
        if self._stepped and steady_for < STEADY:
            why = "the clock was set while syncd ran: nothing is bought or expires until it is steady for ten minutes"
            return why, "Check NTP if this comes again."
        if self._stepped:
            await self._believe(parts, known, now, monotonic)
        elif steady_for < SETTLE and (why := _doubt(now, known)):
            return why, "Check NTP; after an hour of steady running the clock is believed."
        else:
            parts.gate.leapt = await parts.ledger.write(upkeep.seen, now=now)
        self._believed = parts.gate.offset = now - monotonic
        return "", ""

    async def _believe(self, parts: Parts, known: float, now: float, monotonic: float) -> None:
        """What is due goes on from where it stood when the clock was stepped: not all of it is overdue now."""
        by = now - monotonic - self._believed if self._believed is not None else max(0.0, now - known - STEADY)
        parts.gate.leapt = await parts.ledger.write(upkeep.go_on_after_step, by, known, now=now)
        for name in parts.lanes:  # their time, too, is another one by now
            await parts.ledger.write(submissions.poll_all_now, name, now=now)
        self._stepped = False
        log.warning("clock_stepped", seconds=round(by), why="what is due was moved along with the clock")

    def _deviates(self, now: float, monotonic: float) -> bool:
        """Has the wall clock not gone along with the monotonic one? A drift is followed, slowly."""
        offset = now - monotonic
        first, self._steady_since = self._steady_since is None, self._steady_since or monotonic
        deviates = not first and abs(offset - self._offset) > STEP
        if deviates:
            self._steady_since = monotonic
        if first or deviates or monotonic - self._offset_at >= STEADY:
            self._offset, self._offset_at = offset, monotonic
        return deviates


def _others_went_on(parts: Parts, known: float | None, now: float) -> bool:
    """Have other processes seen the database's clock come to this time? Then it was this host that stood still."""
    return parts.ledger.shared and known is not None and abs(now - known) <= STEP


def _doubt(now: float, known: float) -> str:
    if now < known - upkeep.BACKWARD:
        return "the clock was set back: nothing is bought or expires for an hour, or until it has caught up"
    if now > known + upkeep.FORWARD:
        return "the clock leapt, or syncd was away for over a week: nothing is bought or expires for an hour"
    return ""


async def integrity(parts: Parts) -> None:
    """Once, after a start: nothing is bought on the word of a damaged ledger. Raises LedgerFailed if it is one."""
    await parts.ledger.check()
    if parts.gate.set("integrity", ""):
        await parts.publish()


def disk(settings: Settings) -> tuple[str, str]:
    """Why nothing more may be stored, and the cure, or "": whoever is on this host may look. (Of a database it is told
    when it says so itself.)"""
    if settings.ledger.path is None:
        return "", ""
    folder = settings.ledger.path.parent
    room = os.statvfs(folder)
    free, reserve = room.f_bavail * room.f_frsize, settings.ledger.reserve
    if free >= reserve:
        return "", ""
    why = f"{free >> 20} MiB are free beside the ledger, ledger.reserve wants {reserve >> 20} MiB"
    return why, f"Make room in {folder}."


async def _frozen(parts: Parts, now: float) -> tuple[str, str]:
    until = await parts.ledger.read(upkeep.mark, upkeep.FROZEN_UNTIL)
    if until is None or now >= until:
        return "", ""
    minutes = max(1.0, (until - now) / 60)
    left = f"{minutes / 60:.0f} h" if minutes >= 90 else f"{minutes:.0f} min"
    why = f"the ledger was restored from a copy: nothing is bought for {left}, so that what it forgot can come in"
    cure = "Wait; what comes in meanwhile is taken and written. `syncd thaw` says what it would mean to buy at once."
    return why, cure


async def _backlog(parts: Parts, sync: Sync, now: float) -> tuple[str, str]:
    """Has this sync bought more than its CRM takes?"""
    old = await parts.ledger.read(writes.waiting_since, sync.name, now - PATIENCE, BACKLOG + 1)
    if old <= BACKLOG:
        return "", ""
    why = f"over {BACKLOG} values wait for {sync.crm} for more than a day: {sync.name} buys no more"
    return why, f"Look at the log for why {sync.crm} takes no writes; `syncd check` says what it can see of it."


def _forget(parts: Parts, sync: Sync) -> None:
    """A CRM that was not seen to take writes for long may not take them any more."""
    gate, now = parts.gate, parts.clock.monotonic()
    if not gate.is_shut(WRITE_RIGHT, sync.name) and now - gate.seen.get(sync.name, now) > GOOD_FOR:
        why = f"{sync.crm} was last seen to take writes over {GOOD_FOR / 60:.0f} minutes ago"
        gate.set(
            WRITE_RIGHT,
            why,
            f"If it stays so, see what `syncd check` says of {sync.crm}.",
            sync=sync.name,
            passing=True,
        )
