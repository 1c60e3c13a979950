"""Fresh: what was pulled a while ago is looked at again in the CRM before money is spent on it.

Meanwhile somebody may have filled or cleared a field, deleted the record, or taken it out of what the sync selects;
the person may have opted out. A look stores what it finds as a pull would, and whoever left is not asked about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import structlog

from syncd.config import Sync
from syncd.contract.errors import ConnectorError, Halt, Retry
from syncd.contract.model import ContactRef
from syncd.ledger import connections, contacts
from syncd.ledger.candidates import Candidate
from syncd.ledger.submissions import Item

from .deciding import fingerprint
from .parts import Parts

FRESH = 300.0  # seconds for which it is believed what a pull or a look has brought
AGAIN = 30.0  # seconds from a look that failed to the next

log = structlog.get_logger("syncd.fresh")


def is_fresh(one: Candidate, now: float) -> bool:
    """Was its contact read lately? A stamp ahead of a clock that was set back proves nothing."""
    return 0 <= now - one.pulled_at <= FRESH


def ready(batches: Iterable[Sequence[Item]], old: Iterable[ContactRef]) -> list[list[Item]]:
    """The first batches of which nobody has to be looked at again."""
    stale, found = set(old), []
    for batch in batches:
        if any(item.request.ref in stale for item in batch):
            break
        found.append(list(batch))
    return found


def wait(parts: Parts, sync: Sync) -> float:
    """Seconds until a look may be tried again, after one that failed."""
    return max(0.0, parts.look_at.get(sync.crm, float("-inf")) - parts.clock.monotonic())


async def look(parts: Parts, sync: Sync, batches: Sequence[Sequence[Item]], old: Iterable[ContactRef]) -> bool:
    """Look again at those of the next batches who were not read lately. False where no look was possible: then nothing
    may be bought for them now."""
    crm = parts.crms[sync.crm]
    if wait(parts, sync):
        return False
    asked_at = parts.clock.now()  # what happened later may not be in the answers
    stale, size = set(old), crm.capabilities.read_batch
    items = (item for batch in batches for item in batch)
    wanted = list(dict.fromkeys(item.request.ref for item in items if item.request.ref in stale))
    chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    try:
        pages = await asyncio.gather(*(crm.look(chunk, sync.selection) for chunk in chunks))
    except ConnectorError as error:
        await _failed(parts, sync, error)
        return False
    seen = [contact for page in pages for contact in page]
    left = set(wanted) - {contact.ref for contact in seen}
    await parts.ledger.write(
        contacts.store_look,
        sync.name,
        seen,
        left,
        tuple(sync.fields),
        fingerprint=fingerprint(sync),
        now=asked_at,
        rules=parts.rules,
    )
    parts.bells.ring("plan")
    if left:
        log.info("left_selection", sync=sync.name, contacts=len(left))
    return True


async def _failed(parts: Parts, sync: Sync, error: ConnectorError) -> None:
    after = error.after if isinstance(error, Retry) and error.after is not None else AGAIN
    parts.look_at[sync.crm] = parts.clock.monotonic() + after
    log.warning("not_looked_at", connection=sync.crm, sync=sync.name, why=str(error))
    now = parts.clock.now()
    if isinstance(error, Halt) and await parts.ledger.write(
        connections.halt, sync.crm, error.trouble, str(error), error.cure, now=now
    ):
        log.error("halted", connection=sync.crm, trouble=error.trouble, why=str(error), cure=error.cure)
