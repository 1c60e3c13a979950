"""Connections that have another name now: their work, their answers and their credits go with them.

Done once, at the start with the other name. Every statement here reads a whole table.
"""

from __future__ import annotations

from collections.abc import Mapping

from .store import Tx

STATEMENTS = (
    "rename_connection_in_contacts",
    "rename_connection_in_jobs",
    "rename_connection_in_submissions",
    "rename_connection_in_attempts",
    "rename_connection_in_results",
    "rename_connection_in_deliveries",
    "make_room_connection_in_memory",
    "rename_connection_in_memory",
    "make_room_connection_in_balances",
    "rename_connection_in_balances",
    "rename_connection_in_syncs",
    "make_room_connection_in_connection",
    "rename_connection_in_connection",
    "make_room_connection_in_spend",
    "rename_connection_in_spend",
    "make_room_connection_in_totals",
    "rename_connection_in_totals",
    "make_room_connection_in_daily",
    "rename_connection_in_daily",
    "make_room_connection_in_daily_latency",
    "rename_connection_in_daily_latency",
    "make_room_connection_in_prices",
    "rename_connection_in_prices",
    "make_room_connection_in_reconciliation",
    "rename_connection_in_reconciliation",
    "make_room_connection_in_breaker",
    "rename_connection_in_breaker",
    "make_room_connection_in_pauses",
    "rename_connection_in_pauses",
    "make_room_connection_in_turns",
    "rename_connection_in_turns",
    "make_room_connection_in_rates",
    "rename_connection_in_rates",
    "former_name_moves",
    "former_name_add",
)


def follow(tx: Tx, marks: Mapping[str, str]) -> dict[str, str]:
    """Let the ledger follow the names of the connections. `marks`: of each that is configured.

    Returns former name → name of those that were renamed now: they are gone, and one is new that has the same mark.
    """
    before = {row["name"]: row["mark"] for row in tx.rows("connections_known")}
    gone = {mark: name for name, mark in before.items() if name not in marks}
    renamed = {gone[mark]: name for name, mark in marks.items() if name not in before and mark in gone}
    for old, new in renamed.items():
        _rename(tx, old, new)
    for name, mark in marks.items():
        tx.run("connection_known", name=name, mark=mark)
    return renamed


def former_names(tx: Tx) -> dict[str, str]:
    """Names that connections had once → what they are called now."""
    return {row["former"]: row["name"] for row in tx.rows("former_names")}


def _rename(tx: Tx, old: str, new: str) -> None:
    for statement in STATEMENTS:
        tx.run(statement, old=old, new=new)
    tx.run("connection_forgotten", name=old)
