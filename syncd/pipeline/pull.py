"""Pull: the CRM's contacts that lack something, page by page, into the ledger."""

from __future__ import annotations

import asyncio

from syncd.config import Sync
from syncd.contract.errors import ConnectorError, Halt
from syncd.contract.model import Page
from syncd.ledger import connections, contacts, selections
from syncd.ledger.claims import Kind
from syncd.ledger.selections import Pull
from syncd.ledger.store import Tx

from . import account
from .deciding import fingerprint
from .parts import Parts
from .room import at_first, over_budget
from .work import Held, hold

AHEAD = 200  # contacts that may wait to be asked about while the next page is pulled at once
FAR = 2000  # with so many, most have to be looked at again before they are asked about, held back or not
HELD, LOOK = 5.0, 0.1  # real seconds for which a page is held back at the most, and between two looks


async def run_once(parts: Parts, sync: Sync) -> int:
    """Pull one sync from where it left off, or all of it where a sweep is due; returns how many contacts came.

    Each page is stored together with its cursor: a crash repeats at most the page it was on. Raises
    the connector's Retry or Halt after noting it; what was stored stays.
    """
    selection = await parts.ledger.write(selections.make, fingerprint(sync))
    async with hold(parts, Kind.SELECTION, [selection]) as held:
        return await _pull(parts, sync, held) if held.items else 0
    return 0  # the claim was lost: whoever holds it now goes on from the cursor


async def _pull(parts: Parts, sync: Sync, held: Held) -> int:
    now = parts.clock.now
    begun = await held.write(selections.begin, fingerprint(sync), sweep_after=sync.sweep, now=now())
    run = await held.write(contacts.start_run, sync.name, now=now())
    try:
        await account.require(parts, sync.crm)
        pulled = await _pages(parts, sync, held, begun, run)
    except ConnectorError as error:
        await parts.ledger.write(contacts.end_run, run, now=now(), error=str(error))
        if isinstance(error, Halt):
            await parts.ledger.write(connections.halt, sync.crm, error.trouble, str(error), error.cure, now=now())
        raise
    after: int | None = 0
    missing = 0
    while after is not None:
        after, more = await held.write(selections.not_seen, begun, after)
        missing += more
    await held.finish(_end, begun, run, pulled, missing, now=now())
    parts.bells.ring("plan")
    return pulled


async def _pages(parts: Parts, sync: Sync, held: Held, begun: Pull, run: int) -> int:
    def store(tx: Tx, page: Page, *, now: float, asked_at: float) -> int:
        stored = contacts.store_page(tx, sync.name, run, page, tuple(sync.fields), now=now, rules=parts.rules)
        selections.seen(tx, begun, page, at=asked_at)
        return stored

    pulled, asked_at = 0, parts.clock.now()
    async for page in parts.crms[sync.crm].pull(sync.selection, begun.cursor):
        pulled += await held.write(store, page, now=parts.clock.now(), asked_at=asked_at)
        parts.bells.ring("plan")
        await hold_back(parts, sync)
        asked_at = parts.clock.now()
    return pulled


async def hold_back(parts: Parts, sync: Sync, *, ahead: int = AHEAD, far: int = FAR, held: float = HELD) -> None:
    """What is pulled long before it is asked about has to be looked at again then: the next page waits while those
    before it are asked about, as long as that keeps them fresh."""
    loop = asyncio.get_running_loop()
    until = loop.time() + held
    while loop.time() < until and await _is_asked_for(parts, sync):
        if not ahead < await parts.ledger.read(contacts.unasked, sync.name, far + 1) <= far:
            return
        await asyncio.sleep(LOOK)


async def _is_asked_for(parts: Parts, sync: Sync) -> bool:
    """Is there a dispatch at work that may buy for this sync, and not only for a handful?"""
    full = await over_budget(parts)
    asked = {(field, name) for field, policy in sync.fields.items() for name in policy.providers}
    names = {name for field, name in asked if (sync.name, name, field) not in full}
    lanes = [lane for name, lane in parts.lanes.items() if name in names and _is_at_work(parts, name)]
    if parts.gate.why(sync.name) or not any(lane.breaker.goes_out for lane in lanes):
        return False
    return await at_first(parts, sync) is None


def _is_at_work(parts: Parts, name: str) -> bool:
    return f"dispatch:{name}" in parts.bells.bells


def _end(tx: Tx, begun: Pull, run: int, brought: int, missing: int, *, now: float) -> None:
    selections.end(tx, begun, brought=brought, missing=missing, now=now)
    contacts.end_run(tx, run, now=now)
