"""The watches over the gate: room on the disk, a clock that can be believed, a ledger that is up to date,
a CRM that takes what was bought.

What can't be stored or written must not be bought, and a clock that jumped must not make answers look overdue.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import structlog

from syncd.ledger import upkeep, writes

from .parts import Parts

BACKWARD = 60.0  # seconds by which the clock may lag behind the last time it was seen
FORWARD = 7 * 86_400.0  # a longer silence is more likely a wrong clock than a long stop
SETTLE = 3600.0  # seconds of steady running after which a leap forward is believed
BACKLOG = 100  # values that wait for the CRM for longer than PATIENCE before no more are bought for it
PATIENCE = 86_400.0  # seconds

log = structlog.get_logger("syncd.watch")


@dataclass(slots=True)
class Watch:
    """Looks every few seconds, and remembers how the clocks have run since."""

    _steady_since: float | None = field(default=None)
    _last: tuple[float, float] | None = field(default=None)  # wall and monotonic, at the last look

    async def run_once(self, parts: Parts) -> int:
        """Shut or open the gate for each watch; returns 0: looking moves nothing."""
        now = parts.clock.now()
        changed = [
            parts.gate.set("disk", _disk(parts)),
            parts.gate.set("clock", await self._clock(parts, now)),
            parts.gate.set("restored", await _frozen(parts, now)),
            await _backlogs(parts, now),
        ]
        if any(changed):
            shut = [parts.gate.shut, *parts.gate.backlogs.values()]
            log.warning("gate", shut="; ".join(filter(None, shut)) or "open")
            parts.bells.ring("dispatch")
        return 0

    async def _clock(self, parts: Parts, now: float) -> str:
        """Why the clock is not believed, or ""; notes the time while it is."""
        known = await parts.ledger.read(upkeep.mark, upkeep.LAST_SEEN)
        steady = self._steady(now, parts.clock.monotonic())
        parts.gate.hold = True
        if known is not None and now < known - BACKWARD:
            return "the clock was set back: nothing is bought or expires until it has caught up; check NTP"
        if known is not None and now > known + FORWARD and not steady:
            return "the clock leapt, or syncd was away for over a week: nothing is bought or expires for an hour"
        parts.gate.hold = False
        await parts.ledger.write(upkeep.set_mark, upkeep.LAST_SEEN, now)
        return ""

    def _steady(self, now: float, monotonic: float) -> bool:
        """Has the wall clock gone along with the monotonic one for long enough?"""
        leapt = self._last is not None and abs((now - self._last[0]) - (monotonic - self._last[1])) > BACKWARD
        if leapt or self._steady_since is None:
            self._steady_since = monotonic
        self._last = (now, monotonic)
        return monotonic - self._steady_since >= SETTLE


def _disk(parts: Parts) -> str:
    room = os.statvfs(parts.settings.ledger.path.parent)
    free, reserve = room.f_bavail * room.f_frsize, parts.settings.ledger.reserve
    if free >= reserve:
        return ""
    return f"{free >> 20} MiB are free beside the ledger, ledger.reserve wants {reserve >> 20} MiB: make room"


async def _frozen(parts: Parts, now: float) -> str:
    until = await parts.ledger.read(upkeep.mark, upkeep.FROZEN_UNTIL)
    if until is None or now >= until:
        return ""
    left = (until - now) / 3600
    return (
        f"the ledger was restored from a copy: nothing is bought for {left:.0f} h, so that what it forgot can come in"
    )


async def _backlogs(parts: Parts, now: float) -> bool:
    """Which syncs have bought more than their CRM takes; True if that changed."""
    before, found = parts.gate.backlogs, {}
    for sync in parts.syncs:
        old = await parts.ledger.read(writes.waiting_since, sync.name, now - PATIENCE, BACKLOG + 1)
        if old > BACKLOG:
            found[sync.name] = (
                f"over {BACKLOG} values wait for {sync.crm} for more than a day: {sync.name} buys no more"
            )
    parts.gate.backlogs = found
    return found != before
