"""Callbacks wake the inbox of other processes, too: who stores one says so, and workers listen (PostgreSQL's NOTIFY).

Nothing is told but that something came. What is missed while a connection is lost is found at the inbox's next bell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from .place import Url
from .store import Tx

AGAIN = 5.0  # seconds after which a connection that was lost is tried again

log = structlog.get_logger("syncd.daemon")


def wake_inbox(tx: Tx) -> None:
    """Once the transaction is over, every worker looks into the inbox."""
    tx.rows("wake_inbox")


async def listen(place: Url, woken: Callable[[], None]) -> None:
    """Call `woken` whenever somebody has woken the inbox, until cancelled."""
    from .sessions import notices  # noqa: PLC0415 - only with PostgreSQL

    told = False
    while True:
        try:
            async for _ in notices(place.text):
                told = False
                woken()
        except OSError as error:
            if not told:  # an outage is told once
                log.warning("not_woken", why=str(error))
            told = True
        await asyncio.sleep(AGAIN)
