"""Refresh: values that we wrote long ago, and that still stand, are asked about once more.

Before that the CRM is read: whoever left the selection, opted out, or holds another value by now is left as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from syncd.config import Sync
from syncd.contract.errors import ConnectorError
from syncd.contract.model import Contact, ContactRef, Field, Snapshot
from syncd.ledger import connections, contacts, refreshes
from syncd.ledger.claims import Kind
from syncd.ledger.refreshes import Due
from syncd.policy import values

from . import account
from .deciding import fingerprint
from .parts import Parts
from .work import hold

AT_ONCE = 200  # that wait to be asked about: what was read in the CRM is to be fresh when it is asked

log = structlog.get_logger("syncd.refresh")


async def run_once(parts: Parts) -> int:
    """One portion of a round that looks at every value once a day; returns how many are verified again."""
    return await one_portion(parts, most=AT_ONCE) or 0


async def one_portion(parts: Parts, *, most: float) -> int | None:
    """The same; None where nothing has to be looked at now. `most`: so many may wait to be asked about."""
    syncs = {sync.name: sync for sync in parts.syncs if _providers(sync)}
    places = [(name, provider) for name, sync in syncs.items() for provider in _providers(sync)]
    now = parts.clock.now()
    if not syncs or not await parts.in_time(now) or await parts.ledger.read(refreshes.waiting, places) >= most:
        return None
    portion = await parts.ledger.read(refreshes.portion, _before(syncs.values(), now), now=now)
    if portion is None:
        return None
    begun = 0
    for name, sync in syncs.items():
        found = await _begin(parts, sync, [one for one in portion.due if one.sync == name])
        if found is None:
            return None  # the CRM can't be read: the same portion again
        begun += found
    await parts.ledger.write(refreshes.looked, portion.last, now=now)
    return begun


def _before(syncs: Iterable[Sync], now: float) -> dict[tuple[str, Field], float]:
    return {
        (sync.name, field): now - policy.refresh
        for sync in syncs
        for field, policy in sync.fields.items()
        if policy.refresh is not None
    }


def _providers(sync: Sync) -> set[str]:
    return {name for policy in sync.fields.values() if policy.refresh for name in policy.providers}


async def _begin(parts: Parts, sync: Sync, due: Sequence[Due]) -> int | None:
    """Ask about those that still stand; None where that can't be seen now."""
    if not due:
        return 0
    halted = await parts.ledger.read(connections.trouble, sync.crm) is not None
    if halted or not await account.is_known(parts, sync.crm):
        return None
    async with hold(parts, Kind.CONTACT, list(dict.fromkeys(one.contact_id for one in due))) as held:
        mine = [one for one in due if one.contact_id in held.items]
        asked_at = parts.clock.now()
        try:
            there, standing = await _standing(parts, sync, mine)
        except ConnectorError as error:
            log.warning("not_read", connection=sync.crm, why=str(error))
            return None
        await held.write(
            contacts.store_look,
            sync.name,
            there,
            {one.ref for one in mine} - {one.ref for one in there},
            tuple(sync.fields),
            fingerprint=fingerprint(sync),
            now=asked_at,
            rules=parts.rules,
        )
        parts.bells.ring("plan")
        wanted = [(one, sync.fields[one.asked].providers[0]) for one in standing]
        return await held.write(refreshes.begin, wanted, now=parts.clock.now()) if wanted else 0
    return 0


async def _standing(parts: Parts, sync: Sync, due: Sequence[Due]) -> tuple[list[Contact], list[Due]]:
    """The contacts that the selection still holds; and of those who may be asked about, whose property holds what we
    wrote."""
    crm = parts.crms[sync.crm]
    size = crm.capabilities.read_batch
    refs = list(dict.fromkeys(one.ref for one in due))
    there: dict[ContactRef, Contact] = {}
    snapshots: dict[ContactRef, Snapshot] = {}
    for chunk in _chunks(refs, size):
        there |= {one.ref: one for one in await crm.look(chunk, sync.selection)}
        snapshots |= {one.ref: one for one in await crm.read(chunk, sync.selection)}
    standing = [one for one in due if one.ref in there and _stands(one, there[one.ref], snapshots.get(one.ref))]
    return [*there.values()], standing


def _stands(one: Due, contact: Contact, now_there: Snapshot | None) -> bool:
    if now_there is None or now_there.current != one.ref or {one.field, one.asked} & contact.blocked.keys():
        return False
    return values.same(one.field, now_there.values.get(one.field, ""), one.value, one.identity)


def _chunks(refs: Sequence[ContactRef], size: int) -> Iterable[Sequence[ContactRef]]:
    return (refs[start : start + size] for start in range(0, len(refs), size))
