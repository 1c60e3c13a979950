"""Writeback: accepted values go into the CRM, where the field is still blank, and are seen to stand.

Read freshly, decide, note the intent, write, read again, put right what was lost: all for one batch
in one go, with no queue in between, so that the window for a colleague's edit stays seconds wide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from syncd.config import Sync, WritePolicy
from syncd.contract.errors import Halt, Retry, Unusable
from syncd.contract.model import Change, ContactRef, Field, Identity, Snapshot, WriteOutcome, WriteStatus
from syncd.contract.ports import Crm
from syncd.ledger import confirmations, connections, contacts, suppressions, write_limits, writes
from syncd.ledger.claims import Kind
from syncd.ledger.confirmations import Confirmation
from syncd.ledger.contacts import Rules
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Tx
from syncd.ledger.writes import Due, Ended, Intent, Refused, ToWrite, Waiting
from syncd.policy.guard import ARRIVED, Again, Check, End, Judge, Put, Restore, after_write, before_write
from syncd.policy.replacing import FILL_BLANK, Rule

from . import account, provenance, requests
from .gate import REFUSALS
from .parts import Parts
from .room import at_first
from .spending import limits_of
from .work import Held, hold

LINGER = 5.0  # seconds that a part-filled batch waits for company where only what is queued may bring some
RETRY_IN = 30.0
PROBES = 20  # accepted values among which one is chosen that finds out whether the CRM takes writes again

log = structlog.get_logger("syncd.writeback")

Key = tuple[ContactRef, Field]

_ENDS = {
    WriteStatus.GONE: Reason.GONE,
    WriteStatus.DUPLICATE: Reason.DUPLICATE,
    WriteStatus.INVALID: Reason.WRITE_REFUSED,
}


@dataclass(slots=True)
class _Batch:
    """The jobs of one pass, by where their records stand now, and what each was seen to hold."""

    put: dict[Key, tuple[ToWrite, Put]] = field(default_factory=dict)
    check: dict[Key, tuple[ToWrite, str]] = field(default_factory=dict)
    ended: list[tuple[ToWrite, End]] = field(default_factory=list)
    changed: list[tuple[ToWrite, Judge]] = field(default_factory=list)
    merged: dict[int, str] = field(default_factory=dict)  # by job: the id of the record that its own was merged into
    named: Mapping[int, Mapping[str, str]] = field(default_factory=dict)  # the legal basis to be set, by contact


async def run_once(parts: Parts, sync: Sync) -> int:
    """Write one or two batches of one sync; returns how many jobs came to an end."""
    await requests.clear(parts, sync)
    await provenance.renew(parts, sync)
    crm, size = parts.crms[sync.crm], parts.crms[sync.crm].capabilities.write_batch
    state, waiting = await parts.ledger.read(_look, sync.name, 4 * size, now=parts.clock.now())
    await _tell(parts, sync, state)
    if not state.is_shut and (not waiting.records or await _may_linger(parts, sync, state, waiting, size)):
        return 0
    jobs = await _placed(parts, sync, await parts.ledger.read(writes.due, sync.name, 4 * size, now=parts.clock.now()))
    jobs = await _allowed(parts, sync, jobs)
    if state.is_shut:
        jobs = await _probing(parts, sync, state, jobs)
    halted = await parts.ledger.read(connections.trouble, sync.crm) is not None
    if not jobs or halted or not await account.is_known(parts, sync.crm):
        return 0
    first = _of_records(jobs, size)
    begun = {job.contact_id for job in first}
    second = _of_records([job for job in jobs if job.contact_id not in begun], size)
    batches = [first, second] if len({job.contact_id for job in second}) == size else [first]
    outcomes = await asyncio.gather(*(_one_batch(parts, crm, sync, batch) for batch in batches), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    confirmed = await parts.ledger.read(confirmations.load, sync.name)
    await _tell(parts, sync, confirmed)
    now = parts.clock.now()
    if confirmed.is_good(sync.writing, now) and not state.is_good(sync.writing, now):
        parts.bells.ring("dispatch")  # buying has waited for it
    ended = sum(outcome for outcome in outcomes if isinstance(outcome, int))
    if ended and waiting.records >= size:
        parts.bells.go_on(f"writeback:{sync.name}")
    return ended


async def _allowed(parts: Parts, sync: Sync, due: Sequence[Due]) -> list[Due]:
    """What was begun, and of the others as many as the operator's limits allow."""
    left = await parts.ledger.read(write_limits.allowed, sync.name, limits_of(sync), now=parts.clock.now())
    begun = [job for job in due if job.state is not JobState.ACCEPTED]
    return list(due) if left is None else [*begun, *[job for job in due if job.state is JobState.ACCEPTED][:left]]


async def _placed(parts: Parts, sync: Sync, jobs: Sequence[Due]) -> list[Due]:
    """Those for which a property is configured. A field, or where else it is written to, may be taken away."""
    lost = [job.job_id for job in jobs if job.field not in sync.selection.writable]
    if lost:
        await parts.ledger.write(writes.without_place, lost, now=parts.clock.now())
        parts.bells.ring("verify")
    return [job for job in jobs if job.field in sync.selection.writable]


def _look(tx: Tx, sync: str, limit: int, *, now: float) -> tuple[Confirmation, Waiting]:
    """How a sync's writes have gone, and how much waits: most looks find that more is to be waited for."""
    return confirmations.load(tx, sync), writes.waiting(tx, sync, limit, now=now)


async def _probing(parts: Parts, sync: Sync, state: Confirmation, due: Sequence[Due]) -> list[Due]:
    """While the CRM refuses whatever is written: a single value now and then, and what was begun is looked at."""
    now = parts.clock.now()
    begun = [job for job in due if job.state is not JobState.ACCEPTED]
    if not state.may_probe(now):
        return begun
    accepted = await _placed(parts, sync, await parts.ledger.read(writes.due, sync.name, PROBES, now=float("inf")))
    probe = next((job for job in accepted if job.state is JobState.ACCEPTED), None)
    if probe is None or not await parts.ledger.write(confirmations.postpone_probe, sync.name, state.probe_at, now=now):
        return begun
    return [*begun, probe]


async def _tell(parts: Parts, sync: Sync, state: Confirmation) -> None:
    """The gate says why nothing is bought, in the CRM's own words. Without a value to try it with, one is bought."""
    why = cure = ""
    if state.is_shut and await parts.ledger.read(confirmations.can_be_tried, sync.name):
        why = f"{sync.crm} has refused {state.refused} values in a row, the last one with: {state.words}"
        cure = f"Mend what {sync.crm} says there; one value at a time is tried until it is taken, then all are written."
    if parts.gate.set(REFUSALS, why, cure, sync=sync.name):
        await parts.publish()


async def _one_batch(parts: Parts, crm: Crm, sync: Sync, due: Sequence[Due]) -> int:
    async with hold(parts, Kind.RECORD, list(dict.fromkeys(one.contact_id for one in due))) as held:
        mine = [one.job_id for one in due if one.contact_id in held.items]
        jobs = await parts.ledger.read(writes.to_write, mine)
        return await _write_held(parts, crm, sync, held, jobs) if jobs else 0
    return 0


async def _write_held(parts: Parts, crm: Crm, sync: Sync, held: Held, jobs: Sequence[ToWrite]) -> int:
    try:
        return await _write(parts, crm, sync, held, jobs)
    except Halt as error:
        now = parts.clock.now()
        if await parts.ledger.write(connections.halt, sync.crm, error.trouble, str(error), error.cure, now=now):
            log.error("halted", connection=sync.crm, trouble=error.trouble, why=str(error), cure=error.cure)
    except (Retry, Unusable) as error:
        log.warning("write_postponed", connection=sync.crm, why=str(error))
        after = error.after if isinstance(error, Retry) else None
        await parts.clock.sleep(min(after or RETRY_IN, RETRY_IN))
    return 0


async def _write(parts: Parts, crm: Crm, sync: Sync, held: Held, jobs: Sequence[ToWrite]) -> int:
    snapshots = await _read(crm, sync, {job.ref for job in jobs})
    batch = _decide(jobs, snapshots, await _rules(parts, sync, jobs))
    seen = {job.contact_id: snapshots[job.ref].identity for job in jobs}
    batch.named = provenance.to_name(sync, crm, {job.contact_id: snapshots[job.ref] for job in jobs})
    intended = await held.write(_begin, batch, sync, parts.rules, seen, now=parts.clock.now())
    if batch.changed:
        parts.bells.ring("verify")
    written = [job for job, _ in batch.put.values() if job.job_id in intended]
    told = await provenance.along(parts, sync, {job.contact_id: snapshots[job.ref] for job in written})
    changes = [
        Change(
            ref=ref,
            field=fld,
            expected=put.before,
            new=job.value,
            revision=put.revision,
            along={**told.get(job.contact_id, {}), **batch.named.get(job.contact_id, {})},
        )
        for (ref, fld), (job, put) in batch.put.items()
        if job.job_id in intended
    ]
    held.require_lease()
    outcomes = await crm.write(changes, sync.selection) if changes else []
    ended = await held.write(_note_outcomes, batch, outcomes, sync, now=parts.clock.now())
    if crm.capabilities.conditional_write:
        unchecked = [(job, End(Reason.WRITTEN)) for job, _ in batch.check.values()]
        return len(batch.ended) + ended + await held.write(_confirm, unchecked, sync, now=parts.clock.now())
    return len(batch.ended) + ended + await _see_it_stand(parts, crm, sync, held, batch)


async def _rules(parts: Parts, sync: Sync, jobs: Sequence[ToWrite]) -> dict[int, Rule]:
    """By job: what may stand where it is written, if that is anything."""
    replace = [job for job in jobs if sync.writes(job.field) is not WritePolicy.FILL_BLANK]
    ours = await parts.ledger.read(writes.ours, [job.job_id for job in replace]) if replace else {}
    found = {}
    for job in replace:
        place = sync.selection.writable[job.field].property
        here = tuple(one for one in ours.get(job.job_id, ()) if one.property == place)
        field_ = sync.fields.get(job.asked)
        refill = field_ is not None and field_.refill and parts.crms[sync.crm].capabilities.history
        found[job.job_id] = Rule(policy=sync.writes(job.field), ours=here, refill=refill)
    return found


async def _see_it_stand(parts: Parts, crm: Crm, sync: Sync, held: Held, batch: _Batch) -> int:
    """Read again: confirm what stands, put back what our write has covered."""
    snapshots = await _read(crm, sync, {ref for ref, _ in batch.check})
    finished: list[tuple[ToWrite, End]] = []
    again: list[ToWrite] = []
    restore: dict[Key, tuple[ToWrite, Restore]] = {}
    for (ref, fld), (job, seen) in batch.check.items():
        match after_write(job, seen, snapshots[ref], taken=(ref, fld) in batch.put):
            case End() as end:
                finished.append((job, end))
            case Restore() as theirs:
                restore[ref, fld] = (job, theirs)
            case Again():
                again.append(job)
    if again:
        now = parts.clock.now()
        back = [(job, "it was not written", now + RETRY_IN) for job in again]
        await held.write(writes.put_back, back, now=now)
    if restore:
        held.require_lease()
        contacts = {job.contact_id: snapshots[ref] for (ref, _), (job, _) in restore.items()}
        leave = {job.job_id for job, _ in restore.values()}
        told = await provenance.along(parts, sync, contacts, leave=leave)
        done = await _restore(crm, sync, restore, batch, told)
        ended = {job.job_id for job, _ in done}
        left = [job for job, _ in restore.values() if job.job_id not in ended]
        await held.write(writes.postpone, left, now=parts.clock.now())
        finished += done
    await held.write(_confirm, finished, sync, now=parts.clock.now())
    return len(finished)


async def _restore(
    crm: Crm,
    sync: Sync,
    restore: dict[Key, tuple[ToWrite, Restore]],
    batch: _Batch,
    told: Mapping[int, Mapping[str, str]],
) -> list[tuple[ToWrite, End]]:
    """A person was quicker than our write and slower than our read: theirs comes back, and is seen to
    stand in its turn."""
    changes = [
        Change(ref=ref, field=fld, expected=job.value, new=theirs.value, along=told.get(job.contact_id, {}))
        for (ref, fld), (job, theirs) in restore.items()
    ]
    outcomes = await crm.write(changes, sync.selection)
    back = {(o.ref, o.field) for o in outcomes if o.status is WriteStatus.WRITTEN}
    snapshots = await _read(crm, sync, {ref for ref, _ in back})
    done = []
    for ref, fld in sorted(back, key=str):
        job, seen = batch.check[ref, fld]
        if isinstance(after_write(job, seen, snapshots[ref]), End):
            log.warning("race_put_right", contact=str(ref), field=fld)
            note = "a person edited it while we wrote: their value was put back"
            done.append((job, End(Reason.VALUE_KEPT, note, restored=True)))
    return done  # what is not in here stays intended, and is looked at again


def _decide(jobs: Iterable[ToWrite], snapshots: dict[ContactRef, Snapshot], rules: Mapping[int, Rule]) -> _Batch:
    batch = _Batch()
    for job in jobs:
        snapshot = snapshots[job.ref]
        key = (snapshot.current or job.ref, job.field)
        if key in batch.put or key in batch.check:
            continue  # two contacts were merged into one: the other job's turn comes in the next pass
        if key[0] != job.ref:
            batch.merged[job.job_id] = key[0].id
        match before_write(job, snapshot, rules.get(job.job_id, FILL_BLANK)):
            case End() as end:
                batch.ended.append((job, end))
            case Judge() as anew:
                batch.changed.append((job, anew))
            case Put() as put:
                batch.put[key] = (job, put)
            case Check():
                batch.check[key] = (job, job.seen)
    return batch


def _begin(
    tx: Tx,
    batch: _Batch,
    sync: Sync,
    rules: Rules,
    seen: Mapping[int, Identity | None],
    *,
    now: float,
) -> set[int]:
    """T6: every intent and every end, in one transaction; returns the jobs that may be written. `seen`: who each
    contact is by what the CRM says now."""
    writes.merged(tx, batch.merged)
    writes.arrived(tx, [job.job_id for job, end in batch.ended if end.note == ARRIVED], ARRIVED)
    _finish(tx, batch.ended, now=now)
    writes.judge_again(tx, [(job, anew.note) for job, anew in batch.changed], now=now)
    for job, anew in batch.changed:
        contacts.restate(tx, job.contact_id, anew.identity, now=now)
    jobs = [job for job, _ in batch.put.values()]
    unwanted = _unwanted(tx, jobs, rules, seen)
    blocked = [Ended(job, Reason.BLOCKED, unwanted[job.job_id]) for job in jobs if job.job_id in unwanted]
    writes.finish(tx, blocked, now=now)
    wanted = [(job, put) for job, put in batch.put.values() if job.job_id not in unwanted]
    left = write_limits.allowed(tx, sync.name, limits_of(sync), now=now)
    new = [job.job_id for job, _ in wanted if not job.begun]
    waits = set() if left is None else set(new[left:])
    properties = {field: one.property for field, one in sync.selection.writable.items()}
    put = [
        Intent(
            job,
            put.before,
            put.seen,
            properties.get(job.field, ""),
            policy=sync.writes(job.field),
            basis=(sync.legal_basis or "") if job.contact_id in batch.named else "",
            record=batch.merged.get(job.job_id, ""),
        )
        for job, put in wanted
        if job.job_id not in waits
    ]
    intended = writes.intend(tx, put, now=now)
    write_limits.begun(tx, sync.name, limits_of(sync), len(intended.intersection(new)), now=now)
    return intended


def _unwanted(tx: Tx, jobs: Sequence[ToWrite], rules: Rules, seen: Mapping[int, Identity | None]) -> dict[int, str]:
    """By job, why nothing is written: the person opted out in another record, or is on the suppression list."""
    elsewhere = writes.opted_out_elsewhere(tx, jobs) if rules.by_person else {}
    wanted = {job.contact_id: seen.get(job.contact_id) for job in jobs}
    listed = suppressions.of_contacts(tx, wanted, wanted)
    why = {id_: f"opted_out: {ref}" for id_, ref in elsewhere.items()}
    return why | {job.job_id: listed[job.contact_id] for job in jobs if job.contact_id in listed}


def _note_outcomes(tx: Tx, batch: _Batch, outcomes: Iterable[WriteOutcome], sync: Sync, *, now: float) -> int:
    """T7 for what is certain at once; what was written goes on to be checked."""
    ended: list[Ended] = []
    unknown: list[ToWrite] = []
    back: list[tuple[ToWrite, str, float]] = []
    refused: list[Refused] = []
    for outcome in outcomes:
        key = (outcome.ref, outcome.field)
        job, put = batch.put[key]
        if outcome.status is WriteStatus.WRITTEN:
            batch.check[key] = (job, job.seen if job.begun else put.seen)
        elif outcome.status in _ENDS:
            note = f"held by {outcome.holder}" if outcome.holder else outcome.detail
            ended.append(Ended(job, _ENDS[outcome.status], note))
        elif outcome.status is WriteStatus.REFUSED:
            refused.append(Refused(job, outcome.detail))
        elif outcome.status is WriteStatus.UNKNOWN:
            unknown.append(job)
        else:
            due = now + RETRY_IN if outcome.status is WriteStatus.RETRY else now
            back.append((job, outcome.detail or outcome.status, due))
    writes.postpone(tx, unknown, now=now)
    writes.put_back(tx, back, now=now)
    for one, times in zip(refused, writes.refuse(tx, refused, now=now), strict=True):
        confirmations.refuse(tx, sync.name, one.words, first=times == 1, now=now)
    return writes.finish(tx, ended, now=now)


def _confirm(tx: Tx, ends: Sequence[tuple[ToWrite, End]], sync: Sync, *, now: float) -> int:
    """What was written stands: the CRM takes what this sync writes."""
    if any(end.reason is Reason.WRITTEN for _, end in ends) and confirmations.confirm(
        tx, sync.name, sync.writing, now=now
    ):
        log.info("writes_are_taken_again", sync=sync.name)
    return _finish(tx, ends, now=now)


def _finish(tx: Tx, ends: Iterable[tuple[ToWrite, End]], *, now: float) -> int:
    ended = list(ends)
    tx.tally("races_put_right", sum(end.restored for _, end in ended))
    return writes.finish(tx, [Ended(job, end.reason, end.note) for job, end in ended], now=now)


async def _read(crm: Crm, sync: Sync, refs: Iterable[ContactRef]) -> dict[ContactRef, Snapshot]:
    wanted, size = sorted(refs, key=str), crm.capabilities.read_batch
    chunks = [wanted[i : i + size] for i in range(0, len(wanted), size)]
    pages = await asyncio.gather(*(crm.read(chunk, sync.selection) for chunk in chunks))
    return {snapshot.ref: snapshot for page in pages for snapshot in page}


async def _may_linger(parts: Parts, sync: Sync, state: Confirmation, waiting: Waiting, size: int) -> bool:
    """Wait for a fuller batch, unless something has waited long enough, a write is open, buying waits for a first one,
    or nothing is left that could fill it: for some minutes while answers are awaited, for a moment otherwise."""
    now = parts.clock.now()
    age = now - waiting.since
    if waiting.begun or waiting.records >= size or await at_first(parts, sync) == 0:
        return False
    if age < min(LINGER, sync.write_within):
        return await parts.ledger.read(confirmations.may_bring_more, sync.name)
    if age >= sync.write_within or not state.is_good(sync.writing, now):
        return False
    return await parts.ledger.read(confirmations.is_under_way, sync.name)


def _of_records(jobs: Iterable[Due], size: int) -> list[Due]:
    """The jobs of the first `size` records."""
    records: set[int] = set()
    kept = []
    for job in jobs:
        if job.contact_id in records or len(records) < size:
            records.add(job.contact_id)
            kept.append(job)
    return kept
