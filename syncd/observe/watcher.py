"""Looks every few seconds at what is wrong, logs what is new and what is over, and has it told by alerts.

It is no stage: it waits for no other, and a ledger that hangs or is full keeps it from nothing but keeping notes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from syncd.config import ConditionKind
from syncd.ledger import symptoms
from syncd.ledger.file import LedgerError
from syncd.pipeline.parts import Parts

from .alerter import Alerter
from .conditions import Condition, derive
from .status import concluded, live
from .teller import Teller
from .trial import Trial

EVERY = 10.0  # seconds
LOOK_WITHIN = 5.0  # real seconds
YOUNG = 120.0  # seconds after a start in which nobody can know whether what a process sees of itself is over
OF_PROCESS = frozenset({ConditionKind.LATE, ConditionKind.UNREACHABLE, ConditionKind.GATE, ConditionKind.DISK})
LOGGED = frozenset({ConditionKind.GATE, ConditionKind.DISK, ConditionKind.HALTED, ConditionKind.BALANCE})  # by others

log = structlog.get_logger("syncd.conditions")


class Watcher:
    """`every`: real seconds between two looks."""

    def __init__(self, parts: Parts, *, every: float = EVERY, trial: Trial | None = None) -> None:
        self._parts = parts
        self._every = every
        self._trial = trial or Trial(parts.ledger)
        self._alerter, self._teller = Alerter(parts), Teller(parts)
        self._begun = parts.clock.monotonic()
        self._status: dict[str, Any] | None = None  # as it was seen last
        self._kept: list[dict[str, Any]] | None = None
        self._known: dict[tuple[str, str, str], Condition] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                try:
                    await self.round()
                except Exception:  # who only watches never stops the daemon; the next round tries again
                    log.exception("not_watched")
                await asyncio.sleep(self._every)
        finally:
            await self._alerter.close()
            await self._teller.close()

    async def round(self) -> None:
        """One look."""
        parts = self._parts
        why = await self._trial.why()
        parts.symptoms.set(ConditionKind.LATE, "ledger", why, "Look at the disk that the ledger is on.")
        rows = parts.symptoms.rows(parts.liveness, parts.calls, parts.clock.now())
        if not why:
            await self._keep(rows)
        if (status := await self._look(rows)) is None:
            return
        self._status = status
        conditions = derive(status)
        self._log(conditions)
        young = parts.clock.monotonic() - self._begun < YOUNG
        if await self._teller.is_me():
            await self._alerter.round(conditions, writable=not why, keep=OF_PROCESS if young else ())
        else:
            self._alerter.forget()

    async def _look(self, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The status; the last one with what is new of the process, where the ledger does not answer."""
        try:
            async with asyncio.timeout(LOOK_WITHIN):  # `wait_for` of Python 3.11 may swallow that it was cancelled
                return await live(self._parts)
        except (LedgerError, TimeoutError):
            if self._status is None:
                return None
            return concluded({**self._status, "symptoms": rows, "gate": self._parts.gate.rows()})

    async def _keep(self, rows: list[dict[str, Any]]) -> None:
        """For whoever looks into the ledger."""
        if rows == self._kept:
            return
        try:
            await self._parts.ledger.write(symptoms.keep, self._parts.at_work.owner, rows)
        except LedgerError as error:
            log.warning("symptoms_not_kept", why=str(error))
        else:
            self._kept = rows

    def _log(self, conditions: list[Condition]) -> None:
        current = {one.key: one for one in conditions if not one.starting}
        for key, one in current.items():
            if key not in self._known and not _logged_elsewhere(one):
                log.warning("condition", **_facts(one), why=one.why, cure=one.cure)
        for key, one in self._known.items():
            if key not in current and not _logged_elsewhere(one):
                log.info("condition_over", **_facts(one))
        self._known = current


def _logged_elsewhere(one: Condition) -> bool:
    """The stage that found it has a line of its own."""
    return one.kind in LOGGED or (one.kind is ConditionKind.LATE and one.who != "ledger")


def _facts(one: Condition) -> dict[str, str]:
    return {"kind": one.kind.value, "of": one.who, "detail": one.detail, "code": one.code}
