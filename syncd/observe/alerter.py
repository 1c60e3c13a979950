"""Carries out what `alerts` decides: each target has a message under way at most, tried again for a while.

What was told stands in the ledger, so that a restart repeats nothing. While the ledger can't be written it stands in
memory alone: a full disk or a hanging writer is told all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog

from syncd.config import Alert
from syncd.ledger import symptoms, upkeep
from syncd.ledger.file import LedgerError
from syncd.pipeline.parts import Parts

from . import alerts
from .alerts import Key, Message, Told
from .conditions import Condition
from .sending import host, send

FIRST, LONGEST, TRIES = 10.0, 900.0, 8  # real seconds between tries, doubled each time; then it is given up
TESTED = "alert_test:"  # before a target: the mark of when the last test message was sent

log = structlog.get_logger("syncd.alerts")


@dataclass(slots=True)
class _Target:
    alert: Alert
    name: str
    rows: dict[Key, Told] = field(default_factory=dict)
    tested_at: float | None = None
    failures: int = 0
    next_try: float = 0.0  # monotonic
    sending: asyncio.Task[None] | None = None


class Alerter:
    """Tells the targets of the configuration. `first`: real seconds until the second try."""

    def __init__(self, parts: Parts, *, first: float = FIRST, tries: int = TRIES) -> None:
        self._parts = parts
        self._first, self._tries = first, tries
        self._targets = [_Target(one, alerts.name_of(n, one)) for n, one in enumerate(parts.settings.alerts)]
        self._loaded = False
        self._kept: list[dict[str, Any]] | None = None

    async def round(self, conditions: Sequence[Condition], *, writable: bool, keep: Collection[str] = ()) -> None:
        """Note what is so now, and begin to send what is due. `keep`: see `alerts.seen`."""
        if not self._targets:
            return
        if not self._loaded:
            await self._load()
        now = self._parts.clock.now()
        for target in self._targets:
            if target.sending is None or target.sending.done():
                known = target.rows.values()
                target.rows = alerts.seen(target.alert, known, conditions, now=now, keep=keep)
                self._begin(target, now)
        if writable:
            await self._keep()

    def forget(self) -> None:
        """Another process tells it now: what was told is read from the ledger before this one does again."""
        self._loaded = False

    async def close(self) -> None:
        """Whatever is under way ends; it is due again after the next start."""
        tasks = [one.sending for one in self._targets if one.sending is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, target: _Target, now: float) -> None:
        if monotonic() < target.next_try or alerts.is_quiet(target.alert, now):
            return
        message = alerts.due(target.rows, now=now, host=host())
        if message is not None:
            target.sending = asyncio.create_task(self._tell(target, message), name=f"alert:{target.name}")
        elif _wants_test(target, now):
            target.sending = asyncio.create_task(self._test(target), name=f"alert:{target.name}")

    async def _tell(self, target: _Target, message: Message) -> None:
        if await self._send(target, message):
            target.rows = alerts.sent(target.rows, message, now=self._parts.clock.now())

    async def _test(self, target: _Target) -> None:
        if await self._send(target, alerts.sample_message(host())):
            target.tested_at = self._parts.clock.now()

    async def _send(self, target: _Target, message: Message) -> bool:
        """Whether there is nothing more to do about it: it was sent, or tried in vain too often."""
        why = await send(self._parts.settings, target.alert, message)
        if not why:
            self._parts.alerts_sent["sent"] += 1
            log.info("alert_sent", target=target.name, about=len(message.keys))
            target.failures, target.next_try = 0, 0.0
            return True
        target.failures += 1
        target.next_try = monotonic() + min(self._first * 2.0 ** (target.failures - 1), LONGEST)
        if target.failures < self._tries:
            self._parts.alerts_sent["failed"] += 1
            log.warning("alert_failed", target=target.name, why=why, failures=target.failures)
            return False
        self._parts.alerts_sent["lost"] += 1
        log.error("alert_lost", target=target.name, why=why, cure="Run `syncd alert test` once it is mended.")
        target.failures = 0
        return True

    async def _load(self) -> None:
        try:
            rows = await self._parts.ledger.read(symptoms.alerts)
            tested = await self._parts.ledger.read(upkeep.marks, TESTED)
        except LedgerError as error:
            log.warning("alerts_not_known", why=str(error))
            return
        self._loaded, self._kept = True, rows
        for target in self._targets:
            digest = alerts.target_of(target.alert)
            target.rows = {one.key: one for one in (Told(**row) for row in rows) if one.target == digest}
            target.tested_at = tested.get(digest)

    async def _keep(self) -> None:
        rows = [row.as_row() for target in self._targets for row in target.rows.values()]
        tested = {alerts.target_of(one.alert): one.tested_at for one in self._targets if one.tested_at is not None}
        now_kept = [*rows, tested]
        if now_kept == self._kept:
            return
        try:
            await self._parts.ledger.write(_keep, rows, tested)
        except LedgerError as error:
            log.warning("alerts_not_kept", why=str(error))
        else:
            self._kept = now_kept


def _keep(tx: Any, rows: Sequence[Mapping[str, Any]], tested: Mapping[str, float]) -> None:
    symptoms.keep_alerts(tx, rows)
    for target, at in tested.items():
        upkeep.set_mark(tx, TESTED + target, at)


def _wants_test(target: _Target, now: float) -> bool:
    if target.alert.test is None:
        return False
    return target.tested_at is None or not 0 <= now - target.tested_at < alerts.TEST_EVERY[target.alert.test]
