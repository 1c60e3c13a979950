"""What is told in the CRM of a record's values, beside them: who found them, how good they are, when and in which run
they were written. It is set in the same update as a value; a value that is taken back takes it along. Of a value that
was verified again it is renewed by an update of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import structlog

from syncd.config import Sync
from syncd.contract.errors import ConnectorError
from syncd.contract.model import Candidate, Change, ContactRef, Snapshot, Told
from syncd.contract.ports import Crm
from syncd.ledger import provenance
from syncd.ledger.claims import Kind
from syncd.ledger.provenance import Standing
from syncd.policy import values
from syncd.policy.values import Checks

from .deciding import checks_of
from .parts import Parts
from .work import Held, hold

log = structlog.get_logger("syncd.provenance")


async def along(
    parts: Parts, sync: Sync | None, snapshots: Mapping[int, Snapshot], *, leave: Collection[int] = ()
) -> dict[int, dict[str, str]]:
    """By contact: the properties to set along with what is written now. `snapshots`: the records as they are, by
    contact; `leave`: jobs whose value goes."""
    if sync is None or not sync.provenance or not snapshots:
        return {}
    told = await _standing(parts, snapshots, leave)
    checks = checks_of(parts, sync)
    return {contact: texts(sync.provenance, standing, checks) for contact, standing in told.items()}


async def renew(parts: Parts, sync: Sync) -> None:
    """Tell the CRM of values that were verified again: updates that change no value."""
    if not sync.provenance:
        return
    crm = parts.crms[sync.crm]
    limit = min(crm.capabilities.read_batch, crm.capabilities.write_batch)
    due = await parts.ledger.read(provenance.to_tell, sync.crm, sync.object, limit)
    if not due:
        return
    async with hold(parts, Kind.RECORD, list(due)) as held:
        mine = {contact: due[contact] for contact in held.items}
        if not mine:
            return
        try:
            await crm.write(await _renewals(parts, sync, crm, mine, held), sync.selection)
        except ConnectorError as error:
            log.warning("provenance_not_renewed", sync=sync.name, contacts=len(mine), why=str(error))
            return
        await held.finish(provenance.told, list(mine))


async def _renewals(parts: Parts, sync: Sync, crm: Crm, contacts: Mapping[int, ContactRef], held: Held) -> list[Change]:
    """Of those that are still there."""
    read = {one.ref: one for one in await crm.read(list(contacts.values()), sync.selection)}
    there = {id_: read[ref] for id_, ref in contacts.items() if read[ref].current == ref}
    told = await along(parts, sync, there)
    held.require_lease()
    field = next(iter(sync.selection.fields))
    return [Change(ref=there[id_].ref, field=field, expected="", new="", along=texts) for id_, texts in told.items()]


async def _standing(
    parts: Parts, snapshots: Mapping[int, Snapshot], leave: Collection[int]
) -> dict[int, list[Standing]]:
    """By contact: what of ours stands, beside what goes."""
    found: dict[int, list[Standing]] = {contact: [] for contact in snapshots}
    for one in await parts.ledger.read(provenance.standing, list(snapshots)):
        if one.job_id not in leave and _stands(one, snapshots[one.contact_id]):
            found[one.contact_id].append(one)
    return found


def to_name(sync: Sync, crm: Crm, snapshots: Mapping[int, Snapshot]) -> dict[int, dict[str, str]]:
    """By contact: the legal basis, to be set along with a value, of those whose record names none."""
    place = crm.capabilities.legal_basis
    if not sync.legal_basis or not place:
        return {}
    blank = [contact for contact, snapshot in snapshots.items() if snapshot.legal_basis == ""]
    return {contact: {place: sync.legal_basis} for contact in blank}


async def to_take_back(
    parts: Parts, crm: Crm, bases: Mapping[int, str], snapshots: Mapping[int, Snapshot], *, leave: Collection[int]
) -> dict[int, dict[str, str]]:
    """By contact: the legal basis that we have named (`bases`) is taken back with the last value of ours, if it still
    stands there."""
    place = crm.capabilities.legal_basis
    named = {contact: snapshots[contact] for contact, text in bases.items() if text}
    if not place or not named:
        return {}
    standing = await _standing(parts, named, leave)
    gone = [contact for contact in named if not standing[contact] and named[contact].legal_basis == bases[contact]]
    return {contact: {place: ""} for contact in gone}


def _stands(one: Standing, snapshot: Snapshot) -> bool:
    return one.open or values.same(one.field, snapshot.values.get(one.field, ""), one.value, snapshot.identity)


def texts(places: Mapping[str, str], standing: Iterable[Standing], checks: Checks) -> dict[str, str]:
    """What each property tells of these values; without any, all are blank. `checks`: what can lower a grade."""
    ours = sorted(standing, key=lambda one: one.field)
    said = {
        Told.SOURCE: ", ".join(f"{one.field}: {one.provider}" for one in ours),
        Told.STATUS: ", ".join(f"{one.field}: {_grade(one, checks)}" for one in ours),
        Told.AT: _moment(max(_since(one) for one in ours)) if ours else "",
        Told.RUN: str(max(one.run for one in ours)) if ours else "",
    }
    return {name: said[Told(told)] for told, name in places.items()}


def _grade(one: Standing, checks: Checks) -> str:
    """As it counts when values are compared, which may be less than the provider's word."""
    said = _verified(one) or one.said
    return values.counted(one.field, said, one.identity, checks)[0] if said is not None else ""


def _since(one: Standing) -> float:
    """When it was written, or found once more (UTC seconds)."""
    return one.at if _verified(one) is None else one.again_at


def _verified(one: Standing) -> Candidate | None:
    """What was said of the same value since it was written."""
    same = (said for said in one.again if values.same(one.field, said.value, one.value, one.identity))
    return next(same, None)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
