"""Probe: balances are looked at, halted connections are tried again, counts are put on disk."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import structlog

from syncd.contract.errors import ConnectorError, Halt, Trouble
from syncd.contract.model import Level
from syncd.contract.ports import Crm
from syncd.ledger import breakers, connections, figures
from syncd.ledger.claims import Kind
from syncd.ledger.reconciliation import News
from syncd.ledger.store import Tx

from . import account, breaker
from .breaker import Breaker
from .parts import Lane, Parts
from .work import hold

log = structlog.get_logger("syncd.probe")


async def run_once(parts: Parts) -> int:
    """Look at every connection; returns how many came back."""
    back = 0
    for name, lane in parts.lanes.items():
        trouble = await parts.ledger.read(connections.trouble, name)
        state = breaker.from_row(await parts.ledger.read(breakers.load, name))
        now = parts.clock.now()
        waits_for = state.lift_at if trouble is Trouble.MISCONFIGURED else 0.0 if state.closed else state.next_look_at
        if not state.is_due(waits_for, now):
            continue
        async with hold(parts, Kind.CONNECTION, [name]) as held:
            back += await _look_at(parts, name, lane, trouble, state) if held.items else 0
    for name, crm in parts.crms.items():
        if await parts.ledger.read(connections.trouble, name) is None:
            await account.is_known(parts, name)
        else:
            back += await _crm(parts, name, crm)
    return back


async def _look_at(parts: Parts, name: str, lane: Lane, trouble: Trouble | None, state: Breaker) -> int:
    now = parts.clock.now()
    try:
        return await _provider(parts, name, lane, trouble, state)
    except ConnectorError as error:
        if not state.closed:
            await _silent(parts, name, now)
            await _halt(parts, name, error)
        elif trouble is None:
            log.warning("balance_unknown", connection=name, why=str(error))
        return 0


async def flush(parts: Parts) -> int:
    """Put what was counted in memory into the ledger."""
    counted = {name: n for name, n in parts.tallies.items() if n}
    if counted:
        await parts.ledger.write(_tally, counted)
        parts.tallies.subtract(counted)
    if parts.heard:
        heard = dict(parts.heard)
        await parts.ledger.write(figures.note_heard, heard)
        for name, at in heard.items():
            if parts.heard[name] == at:
                del parts.heard[name]
    return 0


async def _provider(parts: Parts, name: str, lane: Lane, trouble: Trouble | None, state: Breaker) -> int:
    if trouble in (Trouble.CREDENTIALS, Trouble.BLOCKED, Trouble.MISCONFIGURED, Trouble.ACCOUNT):
        well = all(f.level is not Level.ERROR for f in await lane.provider.check())
        return await _lift(parts, name, well and await account.look(parts, name))
    if trouble is None and not await account.is_known(parts, name):
        return 0
    balance = await lane.provider.balance()
    if balance is not None:
        _tell(name, await parts.ledger.write(connections.note_balance, name, balance, now=parts.clock.now()))
    back = await _answered(parts, name, state, balance)
    if state.short is None:
        enough = balance is None or balance >= max(lane.provider.capabilities.price.values())
    else:
        enough = state.saw_balance(balance, parts.clock.now()).short is None
    return back + await _lift(parts, name, trouble is Trouble.CREDITS and enough)


async def _answered(parts: Parts, name: str, state: Breaker, balance: Decimal | None) -> int:
    """The free call came through: a paid one may be tried, and what was too dear may not be any more."""
    now = parts.clock.now()
    after = state.free_answered(now).saw_balance(balance, now)
    if after != state:
        await _step(parts, name, lambda state: state.free_answered(now).saw_balance(balance, now))
    return int((after.trial and not state.trial) or (after.short is None and state.short is not None))


async def _silent(parts: Parts, name: str, now: float) -> None:
    await _step(parts, name, lambda state: state.silent(now))


async def _step(parts: Parts, name: str, step: Callable[[Breaker], Breaker]) -> None:
    await parts.ledger.write(breakers.change, name, breaker.on_row(step))


async def _halt(parts: Parts, name: str, error: ConnectorError) -> None:
    """The free call tells what is wrong: that is for a person to mend."""
    if not isinstance(error, Halt):
        return
    now = parts.clock.now()
    if await parts.ledger.write(connections.halt, name, error.trouble, str(error), error.cure, now=now):
        log.error("halted", connection=name, trouble=error.trouble, why=str(error), cure=error.cure)


def _tell(name: str, news: News | None) -> None:
    """A difference between the balance and the charges is told when it is certain, and when it is over."""
    if news is None:
        return
    if news.now == 0:
        log.info("reconciled", connection=name)
    elif news.before == 0:
        log.warning(
            "credits_differ",
            connection=name,
            credits=str(news.now),
            why="credits are gone that were not charged here" if news.now > 0 else "charged credits are not gone",
            cure="See whether others use this account; `syncd reconcile` shows what was compared.",
        )


async def _crm(parts: Parts, name: str, crm: Crm) -> int:
    selections = [sync.selection for sync in parts.syncs if sync.crm == name]
    try:
        findings = await crm.check(selections)
    except ConnectorError as error:
        log.warning("still_halted", connection=name, why=str(error))
        return 0
    well = all(f.level is not Level.ERROR for f in findings)
    return await _lift(parts, name, well and await account.look(parts, name))


async def _lift(parts: Parts, name: str, well: bool) -> int:
    if not (well and await parts.ledger.write(connections.clear, name)):
        return 0
    log.info("back", connection=name)
    return 1


def _tally(tx: Tx, counted: dict[str, int]) -> None:
    for name, n in counted.items():
        tx.tally(name, n)
