"""What is known of the connections across restarts: trouble, learnt limits, balances, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, NamedTuple

from syncd.contract.errors import Trouble
from syncd.contract.jsontext import dump, parse
from syncd.contract.pacing import Window

from . import rates, reconciliation
from .store import Tx


def halt(tx: Tx, name: str, trouble: Trouble, message: str, cure: str, *, now: float) -> bool:
    """The connection is not used until the trouble is lifted; True if that is news."""
    known = tx.row("connection_get", name=name)
    tx.run("connection_halt", name=name, trouble=trouble, message=message, cure=cure, now=now)
    return known is None or known["trouble"] != trouble


def clear(tx: Tx, name: str) -> bool:
    """The trouble is over; False if there was none."""
    return tx.run("connection_clear", name=name) == 1


def trouble(tx: Tx, name: str) -> Trouble | None:
    """Why the connection is halted, or None."""
    row = tx.row("connection_get", name=name)
    return Trouble(row["trouble"]) if row is not None and row["trouble"] else None


def troubles(tx: Tx) -> dict[str, Trouble]:
    """The connections that are halted, and why."""
    return {row["name"]: Trouble(row["trouble"]) for row in tx.rows("connections") if row["trouble"]}


def keep_account(tx: Tx, name: str, account: str) -> str:
    """Keep whose account the connection is for, unless that is known; returns the one that is kept."""
    return str(tx.value("connection_account", name=name, account=account))


def learn_windows(tx: Tx, name: str, windows: Sequence[Window], *, now: float) -> None:
    """Keep the limits that the vendor told."""
    tx.run("connection_windows", name=name, windows=dump([asdict(w) for w in windows]))
    rates.know(tx, name, windows, now=now)


def windows(tx: Tx, name: str) -> tuple[Window, ...]:
    """The limits that the vendor told, or none."""
    row = tx.row("connection_get", name=name)
    return tuple(Window(**w) for w in parse(row["windows"])) if row is not None and row["windows"] else ()


class Refused(NamedTuple):
    """A call was refused for a reason that passes: how many in a row, and until when (UTC seconds) none is made."""

    in_a_row: int
    until: float


NONE = Refused(0, 0.0)


def refuses(tx: Tx, name: str, after: float | None, pause: Callable[[int], float], *, now: float) -> Refused:
    """Nobody calls for `after` seconds; where the vendor does not say for how long, for a `pause` by the refusals in a
    row."""
    in_a_row = refused(tx, name).in_a_row + 1
    until = now + (pause(in_a_row) if after is None else after)
    tx.run("connection_refuses", name=name, until=until)
    return Refused(in_a_row, until)


def takes(tx: Tx, name: str) -> None:
    """A call was taken: no refusal goes before the next one."""
    tx.run("connection_takes", name=name)


def refused(tx: Tx, name: str) -> Refused:
    """How it stands with the last calls."""
    row = tx.row("connection_blocked", name=name)
    return NONE if row is None else Refused(row["refusals"], row["blocked_until"])


def note_balance(tx: Tx, name: str, balance: Decimal, *, now: float) -> reconciliation.News | None:
    """Keep the last known balance; what is new about how it compares with what this ledger was charged."""
    tx.run("connection_balance", name=name, balance=str(balance), now=now)
    return reconciliation.note(tx, name, balance, now=now)


def recall_all(tx: Tx, name: str) -> dict[str, Any]:
    """All that a connector wanted to know again."""
    return {row["key"]: parse(row["value"]) for row in tx.rows("memory_all", connection=name)}


def keep(tx: Tx, name: str, key: str, value: Any) -> None:
    """Keep a connector's value."""
    tx.run("memory_keep", connection=name, key=key, value=dump(value))
