"""Written values that a person wants to be put back: which, what stood there before, and what became of each.

A command stores them as an undo, a run of its own; the daemon carries it out (`pipeline/undoing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef, Field, Identity
from syncd.frozen import frozen
from syncd.people.identity import BLANK

from .results import load_identity
from .store import Tx
from .writes import LANDS

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which written values: those that fit all that is said. Times are UTC seconds."""

    run: int | None = None
    sync: str | None = None
    contact: ContactRef | None = None
    since: float | None = None
    until: float | None = None

    def __str__(self) -> str:
        said = {"run": self.run, "sync": self.sync, "contact": self.contact, "since": self.since, "until": self.until}
        return ", ".join(f"{key} {value}" for key, value in said.items() if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of ours that may be put back. `writes`: the newest write, which stands, and those that it has covered.
    `why_not`: why it can't be, as far as the ledger knows."""

    ref: ContactRef
    field: Field
    property: str
    ours: str
    back: str
    sync: str
    provider: str
    run: int
    at: float
    job_id: int
    contact_id: int
    writes: tuple[int, ...]
    read_before: str
    identity: Identity
    why_not: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        told = {
            key: getattr(self, key) for key in ("field", "property", "sync", "provider", "run", "at", "ours", "back")
        }
        return {"contact": str(self.ref), **told, "left_because": self.why_not or None}


@frozen(kw_only=True)
class ToUndo:
    """A value to be put back. `read_before`: the CRM's stamp of the newest version before we wrote it. `begun`: an
    undo was intended and never resolved; then `seen` is the newest stamp from before it. `basis`: the legal basis that
    we have named for the contact, or ""."""

    run_id: int
    head: int
    job_id: int
    ref: ContactRef
    contact_id: int
    field: Field
    property: str
    ours: str
    back: str
    read_before: str
    identity: Identity = BLANK
    begun: bool = False
    seen: str = ""
    basis: str = ""


def find(tx: Tx, wanted: Wanted) -> list[Value]:
    """Our values that fit, each with what was there before; what waits to be put back already is left out."""
    if wanted.contact is not None:
        ref = wanted.contact
        contact = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
        rows = [] if contact is None else tx.rows("writes_of_contact", contact_id=contact["id"], **_narrow(wanted))
    else:
        first = wanted.run if wanted.run is not None else _first_run(tx, wanted)
        last = wanted.run if wanted.run is not None else _LAST
        rows = tx.rows("writes_of_runs", first=first, last=last, **_narrow(wanted))
    groups = groupby(rows, key=lambda row: (row["job_id"], row["property"]))
    return [_value(list(group)) for _, group in groups]


_LAST = 1 << 62


def _narrow(wanted: Wanted) -> dict[str, Any]:
    return {"run": wanted.run, "sync": wanted.sync, "since": wanted.since, "until": wanted.until}


def _first_run(tx: Tx, wanted: Wanted) -> int:
    """Before it, no run has written anything at a time that is meant."""
    return 0 if wanted.since is None else int(tx.value("run_first_since", since=wanted.since) or 0)


def _value(rows: Sequence[sqlite3.Row]) -> Value:
    """Writes of one value, the newest first: each that the next one has covered goes back with it."""
    newest = rows[0]
    chain = [newest]
    for row in rows[1:]:
        if row["after"] == chain[-1]["before"]:
            chain.append(row)
    return Value(
        ref=ContactRef(connection=newest["connection"], object=newest["object"], id=newest["ext_id"]),
        field=Field(newest["destination"] or newest["field"]),
        property=newest["property"],
        ours=newest["after"],
        back=chain[-1]["before"],
        sync=newest["sync"],
        provider=newest["provider"] or "",
        run=newest["run_id"],
        at=newest["at"],
        job_id=newest["job_id"],
        contact_id=newest["contact_id"],
        writes=tuple(row["id"] for row in chain),
        read_before=newest["seen"],
        identity=load_identity(newest["identity"]),
        why_not="a later value of ours stands there" if newest["later"] else "",
    )


def of(value: Value) -> ToUndo:
    """A value as it would be put back, of an undo that nobody has asked for yet."""
    return ToUndo(
        run_id=0,
        head=value.writes[0],
        job_id=value.job_id,
        ref=value.ref,
        contact_id=value.contact_id,
        field=value.field,
        property=value.property,
        ours=value.ours,
        back=value.back,
        read_before=value.read_before,
        identity=value.identity,
    )


def ask_for(tx: Tx, wanted: Wanted, by: str, *, now: float) -> tuple[list[Value], int | None]:
    """A person wants what fits to be put back: the values, and the run; None where there is nothing to put back."""
    values = find(tx, wanted)
    fits = any(not one.why_not for one in values)
    return values, ask(tx, values, f"{wanted}, by {by}", now=now) if fits else None


def ask(tx: Tx, values: Iterable[Value], note: str, *, now: float) -> int:
    """Store that these are to be put back; returns the run. What another undo has taken on meanwhile is left to it."""
    chosen = [one for one in values if not one.why_not]
    run = int(tx.value("undo_start", note=note, contacts=len(chosen), now=now))
    rows = [[write, run, one.job_id, one.contact_id, one.writes[0], one.back] for one in chosen for write in one.writes]
    tx.run("undos_ask", rows=dump(rows), now=now)
    _end_runs(tx, now=now)
    return run


def stop(tx: Tx, run: int, by: str, *, now: float) -> int:
    """Leave the rest of an undo as it is; what is being put back at this moment goes on. Returns how many writes are
    left."""
    rows = tx.rows("undos_stop", run=run, note=f"stopped by {by}", now=now)
    if rows:
        tx.run("contacts_replan", ids=dump(sorted({row["contact_id"] for row in rows})))
        _end_runs(tx, now=now)
    return len(rows)


def due(tx: Tx, connection: str, limit: int, *, now: float) -> list[int]:
    """Contacts of a CRM with something to put back now, which nobody else holds or writes to."""
    rows = tx.rows("undos_due", connection=connection, now=now, limit=limit)
    return list(dict.fromkeys(row["contact_id"] for row in rows))


def load(tx: Tx, contact_ids: Sequence[int], *, now: float) -> list[ToUndo]:
    """What is to be put back of these contacts by now."""
    return [_to_undo(row) for row in tx.rows("undos_load", ids=dump(list(contact_ids)), now=now)]


def _to_undo(row: sqlite3.Row) -> ToUndo:
    return ToUndo(
        run_id=row["run_id"],
        head=row["head"],
        job_id=row["job_id"],
        ref=ContactRef(connection=row["connection"], object=row["object"], id=row["ext_id"]),
        contact_id=row["contact_id"],
        field=Field(row["destination"] or row["field"]),
        property=row["property"],
        ours=row["after"],
        back=row["back"],
        read_before=row["read_before"],
        identity=load_identity(row["identity"]),
        begun=row["state"] == "intent",
        seen=row["seen"],
        basis=row["basis"] or "",
    )


def intend(tx: Tx, intents: Iterable[tuple[ToUndo, str]], *, now: float) -> None:
    """What will be put back, before it is, with the CRM's stamp of the newest version; an open intent stays."""
    rows = [[one.head, one.run_id, "intent", seen, "", now + LANDS] for one, seen in intents if not one.begun]
    _set(tx, rows, now=None)


def finish(tx: Tx, ended: Sequence[tuple[ToUndo, str, str]], *, now: float) -> int:
    """What came of some: state (undone, kept, gone, refused) and note. Their contacts are decided on again, so that
    nothing that was put back is written again. Returns how many."""
    if not ended:
        return 0
    _set(tx, [[one.head, one.run_id, state, one.seen, note, now] for one, state, note in ended], now=now)
    tx.run("contacts_replan", ids=dump(sorted({one.contact_id for one, _, _ in ended})))
    _end_runs(tx, now=now)
    return len(ended)


def again(tx: Tx, undos: Iterable[tuple[ToUndo, str]], *, due_at: float) -> None:
    """Definitely not put back: the same again at that time, from a fresh read."""
    _set(tx, [[one.head, one.run_id, "asked", "", note, due_at] for one, note in undos], now=None)


def postpone(tx: Tx, undos: Iterable[ToUndo], *, now: float) -> None:
    """Whether these were put back is not known: they are looked at once it must have landed."""
    if heads := [one.head for one in undos]:
        tx.run("undos_postpone", heads=dump(heads), due_at=now + LANDS)


def postpone_all(tx: Tx, *, now: float) -> None:
    """The same for every undo that is open, at a start: a request of the process before may still be on its way."""
    tx.run("undos_postpone_all", due_at=now + LANDS)


def counts(tx: Tx, run: int) -> Mapping[str, int]:
    """How many values of an undo stand where, by state; of values that were written over each other, the newest."""
    return {row["state"]: row["n"] for row in tx.rows("undo_counts", run=run)}


def left(tx: Tx, run: int) -> Mapping[str, int]:
    """Why values of an undo were left as they are, and how many."""
    return {row["note"]: row["n"] for row in tx.rows("undo_left", run=run)}


def _set(tx: Tx, rows: Sequence[Sequence[Any]], *, now: float | None) -> None:
    if rows:
        tx.run("undos_set", rows=dump(rows), now=now)


def _end_runs(tx: Tx, *, now: float) -> None:
    tx.run("undos_end", now=now)
