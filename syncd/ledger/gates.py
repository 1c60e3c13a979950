"""Why nothing is bought, in the ledger: what one process has seen of its host, and what concerns them all.

The transaction of each intent looks here; so do those who only look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import upkeep
from .claims import Owner
from .store import Tx

EVERYBODY = 0  # in place of an owner: it concerns every process


class Shut(Exception):
    """Nothing may be bought now, and why; nothing was written."""


def keep(
    tx: Tx,
    owner: Owner,
    own: Iterable[Mapping[str, Any]],
    shared: Iterable[Mapping[str, Any]],
    opened: Mapping[tuple[str, str], float],
    *,
    now: float,
) -> None:
    """These are all the reasons that `owner` has of its own, as seen at this moment. Of those that concern everybody,
    it has found `shared`, and that the `opened` ones (by watch and sync) were none when it looked (UTC seconds)."""
    tx.run("gate_empty", owner=owner.id)
    for one in own:
        tx.run("gate_shut", **one, owner=owner.id)
    for one in shared:
        tx.run("gate_shut", **one, owner=EVERYBODY)
    for (watch, sync), looked_at in opened.items():
        tx.run("gate_open", watch=watch, sync=sync, looked_at=looked_at)
    upkeep.set_mark(tx, upkeep.LOOKED_AT, now)


def require_open(tx: Tx, owner: Owner, *, sync: str, provider: str, crm: str, now: float) -> None:
    """Raises Shut while the gate is shut for a sync, one of its connections is halted, no call may go out to the
    provider, or one of them is paused, whichever process has found that."""
    which = {"owner": owner.id, "sync": sync, "provider": provider, "crm": crm}
    if (why := tx.value("what_stops_a_call", **which, now=now)) is not None:
        raise Shut(why)


def forget(tx: Tx) -> None:
    """At a start of a process that is alone: whatever was seen is looked at again."""
    tx.run("gates_forget")


def forget_the_ended(tx: Tx) -> None:
    """What processes have seen of their hosts that have ended."""
    tx.run("gates_expire")


def shut(tx: Tx) -> list[dict[str, Any]]:
    """Why nothing is bought: watch, sync ("" for all of them), why, cure, since."""
    return [dict(row) for row in tx.rows("gate")]
