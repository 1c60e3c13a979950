"""Pull: the CRM's contacts that lack something, page by page, into the ledger."""

from __future__ import annotations

from syncd.config import Sync
from syncd.contract.errors import ConnectorError, Halt
from syncd.ledger import connections, contacts

from . import account
from .parts import Parts


async def run_once(parts: Parts, sync: Sync) -> int:
    """Pull one sync from where it left off; returns how many contacts came.

    Each page is stored together with its cursor: a crash repeats at most the page it was on. Raises
    the connector's Retry or Halt after noting it; what was stored stays.
    """
    crm, now = parts.crms[sync.crm], parts.clock.now
    start = await parts.ledger.read(contacts.cursor, sync.name)
    run = await parts.ledger.write(contacts.start_run, sync.name, now=now())
    pulled = 0
    try:
        await account.require(parts, sync.crm)
        async for page in crm.pull(sync.selection, start):
            fields = tuple(sync.fields)
            pulled += await parts.ledger.write(
                contacts.store_page, sync.name, run, page, fields, now=now(), rules=parts.rules
            )
            parts.bells.ring("plan")
    except ConnectorError as error:
        await parts.ledger.write(contacts.end_run, run, now=now(), error=str(error))
        if isinstance(error, Halt):
            await parts.ledger.write(connections.halt, sync.crm, error.trouble, str(error), error.cure, now=now())
        raise
    await parts.ledger.write(contacts.end_run, run, now=now())
    return pulled
