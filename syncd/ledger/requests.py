"""Contacts that somebody wants at once: by a checkbox in the CRM (`contact.requested`), or by the API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef

from .store import Tx

if TYPE_CHECKING:
    import sqlite3

FIRST = 2  # the priority of their jobs: before those of new contacts, which have 1


class Ticked(NamedTuple):
    """A contact whose checkbox is ticked, and of whom nothing is open any more."""

    contact_id: int
    ref: ContactRef


def hurry(tx: Tx, contact_ids: Iterable[int]) -> None:
    """What waits to be asked about these contacts is asked before everything else."""
    if ids := sorted(set(contact_ids)):
        tx.run("jobs_hurry", ids=dump(ids), priority=FIRST)


def answered(tx: Tx, connection: str, object_: str, limit: int) -> list[Ticked]:
    """Whose checkbox may be cleared: decided on, with nothing under way."""
    rows = tx.rows("requests_answered", connection=connection, object=object_, limit=limit)
    return [Ticked(row["id"], ContactRef(connection=connection, object=object_, id=row["ext_id"])) for row in rows]


def cleared(tx: Tx, contact_ids: Sequence[int]) -> None:
    """The checkbox was cleared in the CRM; if it is ticked when the contact is read next, it counts anew."""
    tx.run("requests_cleared", ids=dump(list(contact_ids)))


def ids_of(tx: Tx, refs: Iterable[ContactRef]) -> dict[ContactRef, int]:
    """The contacts that the ledger knows."""
    found: dict[ContactRef, int] = {}
    for ref in refs:
        row = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
        if row is not None:
            found[ref] = row["id"]
    return found


def jobs_of(tx: Tx, contact_ids: Iterable[int]) -> list[sqlite3.Row]:
    """Where each field of these contacts stands."""
    return tx.rows("requests_jobs", ids=dump(sorted(set(contact_ids))))
