"""People at work: colleagues in the CRMs, at any time and most of all in the middle of a write of ours, and the
operator, who decides now and then on the answers that wait for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from syncd.contract.model import ASKED, Change, Field, Grade, Identity
from syncd.ledger import reviews, undos
from syncd.ledger.file import LedgerError
from syncd.ledger.reviews import Review
from syncd.ledger.undos import Wanted

from .crm import PROPERTY, Crm, Record
from .life import Dead, Life
from .timeline import DAY, spawn

if TYPE_CHECKING:
    from .world import World


class Colleagues:
    """Whoever edits records."""

    def __init__(self, world: World) -> None:
        self._world = world

    def act(self, what: str) -> None:
        """Somebody does something somewhere."""
        rng = self._world.mixture.rng
        crm = self._world.crms[rng.choice(sorted(self._world.crms))]
        alive = crm.alive()
        if not alive:
            return
        record, fld = rng.choice(alive), rng.choice(list(ASKED))
        match what:
            case "edit" | "other_program":
                crm.edit(record, PROPERTY[fld], self._typed(fld), "person" if what == "edit" else "program")
            case "clear" if record.values.get(PROPERTY[fld]):
                crm.edit(record, PROPERTY[fld], "", "person")
            case "bounce":
                self._bounce(crm, record, fld)
            case "opt_out":
                crm.opt_out(record, fld)
            case _:
                self._of_the_record(what, crm, record)

    def _of_the_record(self, what: str, crm: Crm, record: Record) -> None:
        match what:
            case "merge":
                self._merge(crm, record)
            case "delete":
                crm.delete(record)
            case "rename":
                self._rename(crm, record)
            case "move":
                crm.move(record)

    def before_read(self, crm: Crm, record_id: str) -> None:
        """Somebody is quicker than the read that goes before a write."""
        record = crm.stands(record_id)
        if record is not None and self._world.mixture.hit("rename_before_read"):
            self._rename(crm, record)

    def before_write(self, crm: Crm, change: Change) -> None:
        """Somebody is quicker than the write that is on its way."""
        record, mixture, name = crm.records[change.ref.id], self._world.mixture, PROPERTY[change.field]
        if record.gone or record.now is not None:
            return
        if mixture.hit("edit_before_write"):
            crm.edit(record, name, self._typed(change.field), "person")
        if mixture.hit("clear_before_write"):
            if not record.values.get(name):
                crm.edit(record, name, self._typed(change.field), "person")
            crm.edit(record, name, "", "person")
        if mixture.hit("opt_out_before_write"):
            crm.opt_out(record, change.field)
        if mixture.hit("rename_before_write"):
            self._rename(crm, record)
        if mixture.hit("merge_before_write"):
            self._merge(crm, record)

    def after_write(self, crm: Crm, change: Change) -> None:
        """Somebody edits before the write has been looked at."""
        record, mixture = crm.records[change.ref.id], self._world.mixture
        if not record.gone and record.now is None and mixture.hit("edit_after_write"):
            crm.edit(record, PROPERTY[change.field], self._typed(change.field), "person")

    def _merge(self, crm: Crm, record: Record) -> None:
        others = [other for other in crm.alive() if other is not record and other.person is record.person]
        if others:
            crm.merge(record, others[0])

    @staticmethod
    def _bounce(crm: Crm, record: Record, fld: Field) -> None:
        name = PROPERTY[fld]
        newest = next((e for e in reversed(crm.log) if (e.record, e.name) == (record.id, name)), None)
        if newest is not None and newest.who == "syncd" and newest.value:
            crm.edit(record, name, "", "program")

    def _rename(self, crm: Crm, record: Record) -> None:
        """The record is given to somebody else who is named in it."""
        rng = self._world.mixture.rng
        others = [p for p in self._world.market.people if p is not record.person and p.identity.last_name]
        others = [p for p in others if p.truth.last_name != record.person.truth.last_name and not p.truth.email]
        if others:
            person = rng.choice(others)
            crm.rename(record, person, f"{person.key}.moved{rng.randrange(10**6)}@typed.example.com")

    def _typed(self, fld: Field) -> str:
        number = self._world.mixture.rng.randrange(10**6)
        return f"typed{number}@typed.example.com" if fld is Field.EMAIL else f"+12125550{100 + number % 100}"


class Operator:
    """Decides now and then on what waits for review: accepts what is right, refuses what is wrong.

    `refused`: record, field and value. It judges by what it is shown, and has a rhythm of its own. In some histories it
    takes back what was written, a whole run or a single contact.
    """

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._per_day = rng.choice((0.0, 0.15, 1.0))
        self._undoes_per_day = rng.choice((0.0, 0.0, 0.5))
        self.refused: set[tuple[str, str, str]] = set()

    async def work(self) -> None:
        """For ever."""
        if self._undoes_per_day:
            spawn(self._world, self._now_and_then(self._undoes_per_day, self._undo))
        await self._now_and_then(self._per_day, self._decide)

    async def _now_and_then(self, per_day: float, act: Callable[[Life], Awaitable[None]]) -> None:
        while per_day:
            await asyncio.sleep(self._rng.expovariate(per_day) * DAY)
            life = self._world.life
            if life is not None and life.alive and life.ready:
                try:
                    await asyncio.wait_for(act(life), 60.0)
                except (TimeoutError, LedgerError, Dead):
                    self._world.note("-- the operator's decision was not taken")

    async def _undo(self, life: Life) -> None:
        """What was written in one of the last runs, or to one of the contacts of that run."""
        written = undos.find(life.ledger.tx, Wanted())
        if not written:
            return
        one = self._rng.choice(written)
        wanted = Wanted(run=one.run) if self._rng.random() < 0.5 else Wanted(contact=one.ref)
        self._world.note(f"the operator takes back what was written: {wanted}")
        self._world.mixture.happened["undo"] += 1
        life.check()
        await life.ledger.write(undos.ask_for, wanted, "the operator", now=self._world.wall_clock.now())

    async def _decide(self, life: Life) -> None:
        for review in reviews.waiting(life.ledger.tx):
            decision = reviews.ACCEPTED if self._is_right(review) else reviews.REFUSED
            if decision == reviews.REFUSED:
                self.refused.add((self._world.first_ref(review.ref), review.field, review.value))
            self._world.note(f"the operator has {decision} {review.value!r} for {review.ref}")
            self._world.mixture.happened[f"review {decision}"] += 1
            life.check()
            await life.ledger.write(
                reviews.decide, [review.id], decision, "the operator", now=self._world.wall_clock.now()
            )
            life.ring("verify")

    def _is_right(self, review: Review) -> bool:
        shown = review.contact
        known = Identity(
            first_name=shown.get("first_name"),
            last_name=shown.get("last_name"),
            domain=shown.get("domain"),
            linkedin_url=shown.get("linkedin_url"),
            email=shown.get("email"),
        )
        return any(
            review.value in p.good(Field(review.field), frozenset(Grade)) for p in self._world.market.meant(known)
        )
