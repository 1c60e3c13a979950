"""The watches over the gate: room on the disk, a clock that can be believed, a ledger that is up to date,
a CRM that takes what was bought.

What can't be stored or written must not be bought, and a clock that jumped must not make answers look overdue.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from syncd.config import Sync
from syncd.ledger import upkeep, writes

from .gate import BACKLOG as WAITING
from .gate import WRITE_RIGHT
from .parts import Parts

SETTLE = 3600.0  # seconds of steady running after which a leap is believed, whichever way it went
BACKLOG = 100  # values that wait for the CRM for longer than PATIENCE before no more are bought for it
PATIENCE = 86_400.0  # seconds
GOOD_FOR = 1_800.0  # seconds for which a CRM that was seen to take writes is believed to: see `rights`


@dataclass(slots=True)
class Watch:
    """Looks every few seconds, and remembers how the clocks have run since."""

    _steady_since: float | None = field(default=None)
    _last: tuple[float, float] | None = field(default=None)  # wall and monotonic, at the last look

    async def run_once(self, parts: Parts) -> int:
        """Shut or open the gate for each watch; returns 0: looking moves nothing."""
        now, gate = parts.clock.now(), parts.gate
        gate.set("disk", *_disk(parts))
        parts.tell()  # on a full disk the ledger can't
        gate.set("clock", *await self._clock(parts, now))
        gate.set("restored", *await _frozen(parts, now))
        for sync in parts.syncs:
            gate.set(WAITING, *await _backlog(parts, sync, now), sync=sync.name, passing=True)
            _forget(parts, sync)
        await parts.publish()
        return 0

    async def _clock(self, parts: Parts, now: float) -> tuple[str, str]:
        """Why the clock is not believed, or ""; notes the time while it is."""
        known = await parts.ledger.read(upkeep.mark, upkeep.LAST_SEEN)
        steady = self._steady(now, parts.clock.monotonic())
        if known is not None and not steady:
            cure = "Check NTP; after an hour of steady running the clock is believed."
            if now < known - upkeep.BACKWARD:
                why = "the clock was set back: nothing is bought or expires for an hour, or until it has caught up"
                return why, cure
            if now > known + upkeep.FORWARD:
                why = "the clock leapt, or syncd was away for over a week: nothing is bought or expires for an hour"
                return why, cure
        await parts.ledger.write(upkeep.set_mark, upkeep.LAST_SEEN, now)
        return "", ""

    def _steady(self, now: float, monotonic: float) -> bool:
        """Has the wall clock gone along with the monotonic one for long enough?"""
        leapt = self._last is not None and abs((now - self._last[0]) - (monotonic - self._last[1])) > upkeep.BACKWARD
        if leapt or self._steady_since is None:
            self._steady_since = monotonic
        self._last = (now, monotonic)
        return monotonic - self._steady_since >= SETTLE


def _disk(parts: Parts) -> tuple[str, str]:
    folder = parts.settings.ledger.path.parent
    room = os.statvfs(folder)
    free, reserve = room.f_bavail * room.f_frsize, parts.settings.ledger.reserve
    if free >= reserve:
        return "", ""
    why = f"{free >> 20} MiB are free beside the ledger, ledger.reserve wants {reserve >> 20} MiB"
    return why, f"Make room in {folder}."


async def _frozen(parts: Parts, now: float) -> tuple[str, str]:
    until = await parts.ledger.read(upkeep.mark, upkeep.FROZEN_UNTIL)
    if until is None or now >= until:
        return "", ""
    left = (until - now) / 3600
    why = f"the ledger was restored from a copy: nothing is bought for {left:.0f} h, so that what it forgot can come in"
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
