"""Which contacts belong to which sync's selection, and how far each selection was pulled.

A selection is known by its fingerprint, never by the sync's name: a renamed sync goes on where it was, and a sync whose
filter or properties are others now starts from the beginning. Now and then everything is pulled again (a sweep): whom
it does not bring is not in the selection any more, or lacks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Page

from .states import NEVER
from .store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Where a pull of a selection begins: `cursor` is None at the start of a sweep."""

    selection: int
    sweep: int
    cursor: Mapping[str, Any] | None


def make(tx: Tx, fingerprint: str) -> int:
    """The id of a selection, which is new if it is not known."""
    tx.run("selection_make", fingerprint=fingerprint)
    return int(tx.value("selection_get", fingerprint=fingerprint))


def begin(tx: Tx, fingerprint: str, *, sweep_after: float, now: float) -> Pull:
    """Go on where the last pull ended; or begin a sweep, where the last whole one is `sweep_after` seconds old."""
    tx.run("selection_make", fingerprint=fingerprint)
    row = tx.one("selection_get", fingerprint=fingerprint)
    if not row["sweeping"] and (row["swept_at"] is None or now - row["swept_at"] >= sweep_after):
        tx.run("selection_sweep", id=row["id"])
        row = tx.one("selection_get", fingerprint=fingerprint)
    return Pull(
        selection=row["id"],
        sweep=row["sweep"],
        cursor=None if row["cursor"] is None else parse(row["cursor"]),
    )


def seen(tx: Tx, pull: Pull, page: Page, *, at: float) -> None:
    """A page of the pull is stored. `at`: UTC seconds when it was asked for."""
    tx.run("selection_cursor", id=pull.selection, cursor=dump(page.cursor))
    places = {(one.ref.connection, one.ref.object) for one in page.contacts}
    for connection, object_ in places:
        where = {"connection": connection, "object": object_, "selection": pull.selection}
        ids = dump([one.ref.id for one in page.contacts])
        tx.run("contacts_seen", **where, ids=ids, at=at)
        tx.run("members_seen", **where, ids=ids, sweep=pull.sweep)


def not_seen(tx: Tx, pull: Pull, after: int) -> tuple[int | None, int]:
    """After the last page of a sweep: some of those whom it has not brought are decided on anew.

    Returns where to go on (None once there are no more, or where the pull was no sweep), and for how many of them
    something was still to be done.
    """
    sweeping = any(row["id"] == pull.selection and row["sweeping"] for row in tx.rows("selections"))
    rows = tx.rows("members_not_seen", selection=pull.selection, sweep=pull.sweep, after=after) if sweeping else []
    ids = [row["contact_id"] for row in rows]
    if not ids:
        return None, 0
    missing = int(tx.value("members_missing", ids=dump(ids)))
    tx.run("members_drop", selection=pull.selection, ids=dump(ids))
    tx.run("contacts_replan", ids=dump(ids))
    return int(ids[-1]), missing


def end(tx: Tx, pull: Pull, *, brought: int = 0, missing: int = 0, now: float) -> bool:
    """The pull came to its end; True if it was a sweep: who waited for that is decided on.

    `brought`: how many contacts came; `missing`: see `not_seen`."""
    swept = tx.run("selection_swept", id=pull.selection, brought=brought, missing=missing, now=now) == 1
    if swept:
        tx.run("contacts_unsure", never=NEVER)
    return swept


def admit(tx: Tx, fingerprint: str, connection: str, object_: str, ids: Iterable[str]) -> None:
    """These contacts were seen in the selection by a look."""
    tx.run("selection_make", fingerprint=fingerprint)
    row = tx.one("selection_get", fingerprint=fingerprint)
    where = {"connection": connection, "object": object_, "selection": row["id"]}
    tx.run("members_seen", **where, ids=dump(list(ids)), sweep=row["sweep"])


def left(tx: Tx, contact_ids: Iterable[int], fingerprint: str) -> None:
    """Contacts that were looked for and are not in this selection any more, or gone: they are decided on anew."""
    ids = dump(list(contact_ids))
    tx.run("members_left", ids=ids, fingerprint=fingerprint)
    tx.run("contacts_replan", ids=ids)


def known(tx: Tx) -> tuple[dict[str, int], frozenset[str]]:
    """Every selection (fingerprint → id), and those of them that were pulled to their end at least once."""
    rows = tx.rows("selections")
    whole = frozenset(row["fingerprint"] for row in rows if row["swept_at"] is not None)
    return {row["fingerprint"]: row["id"] for row in rows}, whole
