"""Inbox: raw deliveries that are on disk are read, matched to what was asked, and applied."""

from __future__ import annotations

import structlog

from syncd.contract.errors import Garbled
from syncd.ledger import inbox, submissions
from syncd.ledger.inbox import Received

from .parts import Parts

PAGE = 100

log = structlog.get_logger("syncd.inbox")


async def run_once(parts: Parts) -> int:
    """Apply every delivery that waits, oldest first; returns how many jobs were answered."""
    answered = 0
    while waiting := await parts.ledger.read(inbox.received, PAGE):
        for got in waiting:
            answered += await _apply(parts, got)
    return answered


async def _apply(parts: Parts, got: Received) -> int:
    lane = parts.lanes.get(got.provider)
    submission = await parts.ledger.read(submissions.load, got.delivery.submission_id)
    if lane is None or submission is None:
        what = "provider" if lane is None else "submission"
        return await _quarantine(parts, got, f"this ledger knows no such {what}")
    try:
        answer = lane.provider.parse(got.delivery, submission)
    except Garbled as error:
        return await _quarantine(parts, got, str(error))
    now, caps = parts.clock.now(), lane.provider.capabilities
    return await parts.ledger.write(
        inbox.apply,
        got,
        answer,
        poll_at=None if caps.poll_after is None else now + caps.poll_after,
        deadline=now + caps.answer_within,
        now=now,
    )


async def _quarantine(parts: Parts, got: Received, note: str) -> int:
    await parts.ledger.write(inbox.quarantine, got.id, note)
    log.warning("quarantined", connection=got.provider, delivery=got.id, why=note)
    return 0
