"""Account: does each connection's key still belong to the account that the ledger's records come from?

A key of another account under the same name would hide its contacts behind the old cursor, write the old account's
finds to strangers, and mix two bills. The first account that a connection is seen with is kept; another one halts it.
Nothing is pulled, bought or written before that was looked at once in this process. Keys change with the
configuration, which is read at a start: one look then is enough, and one more before a halt of whatever kind is lifted.
"""

from __future__ import annotations

import structlog

from syncd.contract.errors import ConnectorError, Halt, Retry, Trouble
from syncd.contract.ports import Crm, Provider
from syncd.ledger import connections

from .parts import Parts

AGAIN = 30.0  # seconds from a look that failed to the next

log = structlog.get_logger("syncd.account")


async def is_known(parts: Parts, name: str) -> bool:
    """Whether a connection may be used as far as its account is concerned; looks where nobody has yet."""
    try:
        await require(parts, name)
    except ConnectorError:
        return False  # it was told where it was found
    return True


async def require(parts: Parts, name: str) -> None:
    """As `is_known`, raising what is in the way. A look that failed is not repeated for a while."""
    async with parts.accounts.locks[name]:
        if name in parts.accounts.known:
            return
        until, error = parts.accounts.failed.get(name, (float("-inf"), Retry("")))
        if parts.clock.monotonic() < until:
            raise error
        await _look(parts, name)


async def look(parts: Parts, name: str) -> bool:
    """As `is_known`, looking once more in any case: the key may be a new one."""
    parts.accounts.known.discard(name)
    parts.accounts.failed.pop(name, None)
    return await is_known(parts, name)


async def _look(parts: Parts, name: str) -> None:
    """Ask the vendor whose key this is, and compare. Halts the connection where it is another account's."""
    one: Crm | Provider = parts.crms[name] if name in parts.crms else parts.lanes[name].provider
    try:
        told = await one.account()
        known = await parts.ledger.write(connections.keep_account, name, told) if told else ""
        if told and told != known:
            raise another(f"{name}/{told}", f"{name}/{known}")
    except ConnectorError as error:
        after = error.after if isinstance(error, Retry) and error.after is not None else AGAIN
        parts.accounts.failed[name] = (parts.clock.monotonic() + max(after, AGAIN), error)
        await _note(parts, name, error)
        raise
    parts.accounts.known.add(name)


def another(told: str, known: str) -> Halt:
    """The key is good, and not the one of the account that this connection has worked with."""
    said = f"the key belongs to account {told}, and all that is known of this connection comes from account {known}"
    cure = f"Put back a key of account {known}, or give account {told} a connection and syncs with names of their own."
    return Halt(said, trouble=Trouble.ACCOUNT, cure=cure)


async def _note(parts: Parts, name: str, error: ConnectorError) -> None:
    if not isinstance(error, Halt):
        log.warning("account_unknown", connection=name, why=str(error))
        return
    now = parts.clock.now()
    if await parts.ledger.write(connections.halt, name, error.trouble, str(error), error.cure, now=now):
        log.error("halted", connection=name, trouble=error.trouble, why=str(error), cure=error.cure)
