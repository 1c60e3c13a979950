"""People who ask to be left alone: now and then the operator suppresses one, or erases one, while all goes on."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from syncd.contract.normal import tidy
from syncd.ledger import forgetting, suppressions
from syncd.ledger.file import LedgerError
from syncd.ledger.forgetting import InTheWay
from syncd.people import suppression
from syncd.people.suppression import Kind, Sign

from .crm import Record, told_identity
from .life import Dead, Life
from .timeline import DAY

if TYPE_CHECKING:
    from .world import World

TRIES = 5  # while a process works on the person
_CONTACTS = "SELECT connection || '/' || object || '/' || ext_id AS ref FROM contact ORDER BY id"


class Rights:
    """In one history of four. `left`: when each record was to be left alone from; `erased`: those of erased people."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = random.Random(f"who asks to be left alone, {seed}")
        self._per_day = self._rng.choice((0.0, 0.0, 0.0, 0.4))
        self.left: dict[str, float] = {}
        self.erased: set[str] = set()
        self._signs: set[Sign] = set()
        self._traces: set[str] = set()  # texts by which answers about others may name an erased person

    async def work(self) -> None:
        """For ever."""
        while self._per_day:
            await asyncio.sleep(self._rng.expovariate(self._per_day) * DAY)
            life = self._world.life
            if life is not None and life.alive and life.ready:
                try:
                    await asyncio.wait_for(self._leave_alone(life), 900.0)
                except (TimeoutError, LedgerError, Dead):
                    self._world.note("-- somebody's wish was not noted")

    def may_be_erased(self, ref: str, record: Record) -> bool:
        """Does it show something by which an erased person is recognised?"""
        return ref in self.erased or bool(self._signs & suppression.signs(tidy(told_identity(record))))

    def names_somebody_erased(self, body: bytes) -> bool:
        """Does an answer name a person who was erased, whoever it is about?"""
        text = body.decode("utf-8", "replace").casefold()
        return any(trace in text for trace in self._traces)

    async def _leave_alone(self, life: Life) -> None:
        refs = [row["ref"] for row in life.ledger.connection.execute(_CONTACTS)]
        if not refs:
            return
        ref = self._rng.choice(refs)
        if self._rng.random() < 0.5:
            self._world.note(f"{ref} is to be left alone")
            self._world.mixture.happened["suppress"] += 1
            await self._add(life, {Sign(Kind.RECORD, ref)}, [ref])
            return
        self._world.note(f"{ref} is to be erased")
        self._world.mixture.happened["forget"] += 1
        await self._erase(life, ref)

    async def _erase(self, life: Life, ref: str) -> None:
        tx = life.ledger.tx
        contacts = forgetting.find(tx, ref)
        signs, refs = forgetting.signs(tx, ref, contacts), forgetting.held(tx, contacts).refs
        await self._add(life, signs, refs, forgotten=True)
        self._signs |= signs
        self.erased |= {self._world.first_ref(one) for one in refs}
        traces = forgetting.traces(signs)
        self._traces |= traces
        for _ in range(TRIES):
            life.check()
            mentioned = forgetting.mentions(tx, contacts, traces)
            try:
                now = self._world.wall_clock.now()
                await life.ledger.write(forgetting.erase, contacts, mentioned, traces, now=now, alone=False)
            except InTheWay:
                await asyncio.sleep(60.0)
            else:
                return

    async def _add(
        self, life: Life, signs: set[Sign], refs: list[str] | tuple[str, ...], *, forgotten: bool = False
    ) -> None:
        now = self._world.wall_clock.now()
        await life.ledger.write(suppressions.add, signs, reason="", by="the operator", now=now, forgotten=forgotten)
        for ref in refs:
            self.left.setdefault(self._world.first_ref(ref), self._world.now)
