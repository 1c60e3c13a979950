"""Undoing: what syncd has written is put back as it was before, where the CRM still holds it.

Read freshly, decide, note the intent, write, read again, put right what was covered: as in `writeback`, whose records
are held by the same claim, so that nothing writes to a record at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from syncd.config import Sync
from syncd.contract.errors import Halt, Retry, Unusable
from syncd.contract.model import Change, ContactRef, Field, FieldMap, Selection, Snapshot, WriteOutcome, WriteStatus
from syncd.contract.ports import Crm
from syncd.ledger import connections, undos
from syncd.ledger.claims import Kind
from syncd.ledger.store import Tx
from syncd.ledger.undos import ToUndo, Value
from syncd.policy.guard import Again, Check, Put, Restore
from syncd.policy.undo import End, Outcome, after_undo, before_undo

from . import account, provenance
from .parts import Parts
from .work import Held, hold

RETRY_IN = 30.0
REFUSED = "refused"

log = structlog.get_logger("syncd.undo")

Key = tuple[ContactRef, Field]
Ended = tuple[ToUndo, str, str]


@dataclass(slots=True)
class _Batch:
    """The values of one pass, by where they stand."""

    put: dict[Key, tuple[ToUndo, Put]] = field(default_factory=dict)
    check: dict[Key, tuple[ToUndo, str]] = field(default_factory=dict)  # with the newest stamp before our write
    taken: set[Key] = field(default_factory=set)  # of which the CRM has said that it took our write
    ended: list[Ended] = field(default_factory=list)


async def run_once(parts: Parts) -> int:
    """Put back one batch at each CRM; returns how many values came to an end."""
    done = 0
    for name, crm in parts.crms.items():
        size = crm.capabilities.write_batch
        contacts = await parts.ledger.read(undos.due, name, size, now=parts.clock.now())
        halted = bool(contacts) and await parts.ledger.read(connections.trouble, name) is not None
        if contacts and not halted and await account.is_known(parts, name):
            done += await _one_batch(parts, crm, contacts)
    return done


async def _one_batch(parts: Parts, crm: Crm, contacts: Sequence[int]) -> int:
    async with hold(parts, Kind.RECORD, contacts) as held:
        found = await parts.ledger.read(undos.load, held.items, now=parts.clock.now())
        if found:
            selection, chosen = alike(found)
            sync = _telling(parts, chosen[0].ref)
            return await _undo_held(parts, crm, held, (_with_all_of(sync, selection), chosen))
    return 0


def alike(found: Iterable[ToUndo]) -> tuple[Selection, list[ToUndo]]:
    """Values that can be read and written together: of one object, a field in one property. The others come later."""
    chosen: list[ToUndo] = []
    maps: dict[Field, FieldMap] = {}
    for one in found:
        same_object = not chosen or one.ref.object == chosen[0].ref.object
        if same_object and maps.setdefault(one.field, FieldMap(property=one.property)).property == one.property:
            chosen.append(one)
    return Selection(object=chosen[0].ref.object, fields={}, extras=maps), chosen


async def preview(crms: Mapping[str, Crm], values: Sequence[Value]) -> list[Value]:
    """The same values as the CRMs hold them now: with why each would be left as it is, where it would. Reads only."""
    return [one for crm in crms.values() for one in await _preview(crm, [v for v in values if _is_of(v, crm)])]


def _is_of(value: Value, crm: Crm) -> bool:
    return value.ref.connection == crm.name


async def _preview(crm: Crm, values: Sequence[Value]) -> list[Value]:
    seen = [one for one in values if one.why_not]
    left = [one for one in values if not one.why_not]
    while left:
        selection, chosen = alike([undos.of(one) for one in left[: crm.capabilities.read_batch]])
        snapshots = await read(crm, selection, {one.ref for one in chosen})
        heads = {one.head: before_undo(one, snapshots[one.ref]) for one in chosen}
        judged, left = [v for v in left if v.writes[0] in heads], [v for v in left if v.writes[0] not in heads]
        for one in judged:
            found = heads[one.writes[0]]
            seen.append(replace(one, why_not=found.note) if isinstance(found, End) else one)
    return seen


def _telling(parts: Parts, ref: ContactRef) -> Sync | None:
    """The sync that tells in the CRM where the values of such records are from."""
    mine = [sync for sync in parts.settings.syncs if (sync.crm, sync.object) == (ref.connection, ref.object)]
    return next((sync for sync in mine if sync.provenance), None)


def _with_all_of(sync: Sync | None, selection: Selection) -> Selection:
    """What stays is told of: then all that a sync writes is read."""
    if sync is None:
        return selection
    others = {field: FieldMap(property=one.property) for field, one in sync.selection.writable.items()}
    return replace(selection, extras={**others, **selection.extras})


async def _undo_held(parts: Parts, crm: Crm, held: Held, wanted: tuple[Selection, list[ToUndo]]) -> int:
    selection, chosen = wanted
    try:
        return await _undo(parts, crm, held, selection, chosen)
    except Halt as error:
        now = parts.clock.now()
        if await parts.ledger.write(connections.halt, crm.name, error.trouble, str(error), error.cure, now=now):
            log.error("halted", connection=crm.name, trouble=error.trouble, why=str(error), cure=error.cure)
    except (Retry, Unusable) as error:
        log.warning("undo_postponed", connection=crm.name, why=str(error))
        after = error.after if isinstance(error, Retry) else None
        await parts.clock.sleep(min(after or RETRY_IN, RETRY_IN))
    return 0


async def _undo(parts: Parts, crm: Crm, held: Held, selection: Selection, chosen: Sequence[ToUndo]) -> int:
    snapshots = await read(crm, selection, {one.ref for one in chosen})
    batch = decide(chosen, snapshots)
    await held.write(_begin, batch, now=parts.clock.now())
    told = await _told(parts, crm, batch, snapshots)
    changes = [
        Change(
            ref=ref,
            field=fld,
            expected=put.before,
            new=one.back,
            revision=put.revision,
            along=told.get(one.contact_id, {}),
        )
        for (ref, fld), (one, put) in batch.put.items()
    ]
    held.require_lease()
    outcomes = await crm.write(changes, selection) if changes else []
    ended = await held.write(_note_outcomes, batch, outcomes, now=parts.clock.now())
    if crm.capabilities.conditional_write:
        done = [(one, Outcome.UNDONE.value, "") for one, _ in batch.check.values()]
        return len(batch.ended) + ended + await held.write(undos.finish, done, now=parts.clock.now())
    return len(batch.ended) + ended + await _see_it_stand(parts, crm, selection, held, batch)


def decide(chosen: Iterable[ToUndo], snapshots: Mapping[ContactRef, Snapshot]) -> _Batch:
    """What to do about each value, as its record is now."""
    batch = _Batch()
    for one in chosen:
        key = (one.ref, one.field)
        match before_undo(one, snapshots[one.ref]):
            case End() as end:
                batch.ended.append((one, end.outcome, end.note))
            case Put() as put:
                batch.put[key] = (one, put)
            case Check():
                batch.check[key] = (one, one.seen)
    return batch


async def _told(
    parts: Parts, crm: Crm, batch: _Batch, snapshots: Mapping[ContactRef, Snapshot]
) -> dict[int, dict[str, str]]:
    """What is told of the values that stay: of those that go, nothing."""
    going = [one for one, _ in batch.put.values()]
    if not going:
        return {}
    sync = _telling(parts, going[0].ref)
    of_contacts, leave = {one.contact_id: snapshots[one.ref] for one in going}, {one.job_id for one in going}
    told = await provenance.along(parts, sync, of_contacts, leave=leave)
    bases = {one.contact_id: one.basis for one in going}
    back = await provenance.to_take_back(parts, crm, bases, of_contacts, leave=leave)
    return {contact: {**told.get(contact, {}), **back.get(contact, {})} for contact in of_contacts}


def _begin(tx: Tx, batch: _Batch, *, now: float) -> None:
    """Every intent and every end, in one transaction."""
    undos.finish(tx, batch.ended, now=now)
    undos.intend(tx, [(one, put.seen) for one, put in batch.put.values()], now=now)


def _note_outcomes(tx: Tx, batch: _Batch, outcomes: Iterable[WriteOutcome], *, now: float) -> int:
    """What is certain at once; what was written goes on to be checked."""
    ended: list[Ended] = []
    unknown: list[ToUndo] = []
    for outcome in outcomes:
        key = (outcome.ref, outcome.field)
        one, put = batch.put[key]
        if outcome.status is WriteStatus.WRITTEN:
            batch.check[key] = (one, put.seen)
            batch.taken.add(key)
        elif outcome.status is WriteStatus.GONE:
            ended.append((one, Outcome.GONE, "the contact is not there any more"))
        elif outcome.status in {WriteStatus.INVALID, WriteStatus.REFUSED, WriteStatus.DUPLICATE}:
            ended.append((one, REFUSED, outcome.detail or f"held by {outcome.holder}"))
        elif outcome.status is WriteStatus.UNKNOWN:
            unknown.append(one)
        else:
            due = now + RETRY_IN if outcome.status is WriteStatus.RETRY else now
            undos.again(tx, [(one, outcome.detail)], due_at=due)
    undos.postpone(tx, unknown, now=now)
    return undos.finish(tx, ended, now=now)


async def _see_it_stand(parts: Parts, crm: Crm, selection: Selection, held: Held, batch: _Batch) -> int:
    """Read again: confirm what stands, put back what our write has covered."""
    snapshots = await read(crm, selection, {ref for ref, _ in batch.check})
    finished: list[Ended] = []
    restore: dict[Key, tuple[ToUndo, Restore]] = {}
    back: list[tuple[ToUndo, str]] = []
    for key, (one, seen) in batch.check.items():
        match after_undo(one, seen, snapshots[one.ref], taken=key in batch.taken):
            case End() as end:
                finished.append((one, end.outcome, end.note))
            case Restore() as theirs:
                restore[key] = (one, theirs)
            case Again():
                back.append((one, "it was not put back"))
    if restore:
        held.require_lease()
        finished += await _restore(crm, selection, restore, batch, snapshots)
        left = [one for one, _ in restore.values() if one not in {done for done, _, _ in finished}]
        await held.write(undos.postpone, left, now=parts.clock.now())
    await held.write(_settle, finished, back, now=parts.clock.now())
    return len(finished)


def _settle(tx: Tx, finished: Sequence[Ended], back: Sequence[tuple[ToUndo, str]], *, now: float) -> None:
    undos.finish(tx, finished, now=now)
    undos.again(tx, back, due_at=now + RETRY_IN)


async def _restore(
    crm: Crm,
    selection: Selection,
    restore: Mapping[Key, tuple[ToUndo, Restore]],
    batch: _Batch,
    there: Mapping[ContactRef, Snapshot],
) -> list[Ended]:
    """A person was quicker than our write and slower than our read: theirs comes back, and is seen to stand in its
    turn. What does not stand stays begun, and is looked at again."""
    changes = [
        Change(ref=ref, field=fld, expected=there[one.ref].values.get(fld, ""), new=theirs.value)
        for (ref, fld), (one, theirs) in restore.items()
    ]
    outcomes = await crm.write(changes, selection)
    back = {(o.ref, o.field) for o in outcomes if o.status is WriteStatus.WRITTEN}
    snapshots = await read(crm, selection, {ref for ref, _ in back})
    note = "a person edited it while we put it back: their value stands"
    return [
        (one, Outcome.KEPT.value, note)
        for one, seen in map(batch.check.__getitem__, sorted(back, key=str))
        if isinstance(after_undo(one, seen, snapshots[one.ref], taken=(one.ref, one.field) in batch.taken), End)
    ]


async def read(crm: Crm, selection: Selection, refs: Iterable[ContactRef]) -> dict[ContactRef, Snapshot]:
    """The records as they are now."""
    wanted, size = sorted(refs, key=str), crm.capabilities.read_batch
    chunks = [wanted[i : i + size] for i in range(0, len(wanted), size)]
    pages = await asyncio.gather(*(crm.read(chunk, selection) for chunk in chunks))
    return {snapshot.ref: snapshot for page in pages for snapshot in page}
