"""What befalls a history by itself, again and again: crashes, faults of the vendors, edits, other configurations.

In here: the events of the mixture, carried out. How often each begins stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from syncd.stages import CADENCE

from .timeline import DAY, HOUR, spawn

if TYPE_CHECKING:
    from .world import World


class Events:
    """One for each world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.mixture.rng

    async def happen(self, name: str, rate: float) -> None:
        """Again and again, so many times a day on average, until the faults are switched off."""
        mixture = self._world.mixture
        while True:
            await asyncio.sleep(mixture.rng.expovariate(rate) * DAY)
            if not mixture.active:
                return
            mixture.happened[name] += 1
            if name in _OF_VENDORS:
                await self._vendor_in_trouble(name)
            elif name in _EVENTS:
                await _EVENTS[name](self)
            else:
                self._world.colleagues.act(name)

    async def _vendor_in_trouble(self, name: str) -> None:
        vendor = self._world.vendors[self._rng.choice(("zeliq", "fullenrich"))]
        self._world.note(f"-- {vendor.name}: {name}")
        await vendor.suffer(name, self._rng.uniform(60, 10 * HOUR))

    async def _crash(self) -> None:
        if self._world.life is not None:
            self._world.life.crash("out of the blue")

    async def _restart(self) -> None:
        if self._world.life is not None:
            await self._world.life.stop()

    async def _drain(self) -> None:
        vendor = self._world.vendors[self._rng.choice(("zeliq", "fullenrich"))]
        self._world.note(f"-- {vendor.name}'s credits run out")
        left, vendor.credits = vendor.credits, self._rng.choice((0, 0, 1, 9, 15))
        await asyncio.sleep(self._rng.uniform(HOUR, 30 * HOUR))
        vendor.credits += left

    async def _cut_off(self) -> None:
        """Callbacks can't reach us. The canary is sent soon after each change, as its schedule would have it."""
        self._world.note("-- the public address is gone")
        self._world.cut_off_since = self._world.now
        spawn(self._world, self._send_canary())
        await asyncio.sleep(self._rng.uniform(60, 6 * HOUR))
        self._world.cut_off_since = None
        spawn(self._world, self._send_canary())

    async def _send_canary(self) -> None:
        await asyncio.sleep(self._rng.uniform(0, CADENCE["canary"]))
        if self._world.life is not None:
            self._world.life.ring("canary")

    async def _set_the_clock(self) -> None:
        clock = self._world.wall_clock
        clock.jump(self._rng.choice((-7200.0, -60.0, 3600.0, DAY, 10 * DAY, -clock.skew)))
        self._world.note(f"-- the clock is {clock.skew:.0f} s off")

    async def _refuse_writes(self) -> None:
        crm = self._world.crms[self._rng.choice(sorted(self._world.crms))]
        self._world.note(f"-- a rule of {crm.name} refuses whatever is written")
        crm.rule = True
        await asyncio.sleep(self._rng.uniform(HOUR, 30 * HOUR))
        self._world.note(f"-- the rule of {crm.name} is gone")
        crm.rule = False

    async def _reconfigure(self) -> None:
        """The operator edits the configuration, and restarts."""
        what = self._world.configuration.change()
        if what:
            self._world.note(f"-- {what}")
            self._world.mixture.happened[what.rpartition(": ")[2]] += 1
            await self._restart()

    async def _give_another_account(self) -> None:
        """A CRM's token is one of another account's for a while: by mistake, from a start to another one."""
        crm = self._world.crms[self._rng.choice(sorted(self._world.crms))]
        self._world.note(f"-- {crm.name}'s token is another account's")
        for foreign, seconds in ((True, self._rng.uniform(HOUR, 20 * HOUR)), (False, 0.0)):
            crm.foreign = foreign
            await self._restart()
            await asyncio.sleep(seconds)

    async def _rotate(self) -> None:
        """A new key at the provider; some hours later the operator configures it and restarts."""
        world, vendor = self._world, self._world.vendors["fullenrich"]
        world.note("-- FullEnrich's key is rotated")
        world.old_key, vendor.key = vendor.key, f"key-f-{self._rng.randrange(10**6)}"
        world.keys.add(vendor.key)
        if world.life is not None:
            await asyncio.sleep(self._rng.uniform(1, HOUR))
            await self._restart()


_OF_VENDORS = frozenset({"key_revoked", "blocked", "web_page", "outage"})
_EVENTS: dict[str, Callable[[Events], Awaitable[None]]] = {
    "crash": Events._crash,
    "restart": Events._restart,
    "drained": Events._drain,
    "no_way_in": Events._cut_off,
    "key_rotated": Events._rotate,
    "clock_jump": Events._set_the_clock,
    "rule": Events._refuse_writes,
    "another_account": Events._give_another_account,
    "reconfigured": Events._reconfigure,
}
