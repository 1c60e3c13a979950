"""Contacts that somebody wants to be looked after at once, by the API or by a checkbox in the CRM.

They go before the schedule and before everybody else's questions, and by the same rules: the sync's selection, budgets,
suppression and what is known already count as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import structlog

from syncd.config import Sync
from syncd.contract.errors import ConnectorError
from syncd.contract.model import Change, Contact, ContactRef, Field
from syncd.frozen import frozen
from syncd.ledger import budgets, contacts, requests, selections, upkeep
from syncd.ledger.cases import Read
from syncd.ledger.claims import Kind
from syncd.ledger.contacts import Rules
from syncd.ledger.reports import PlannedTotal
from syncd.ledger.requests import Ticked
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx

from . import account, deciding, forecast
from .deciding import Decided, fingerprint
from .parts import Parts
from .work import hold

WAITS = (JobState.QUEUED, JobState.WAITING)
NOT_SELECTED = "it is not there, or not in the sync's selection"
NOTHING = "it lacks nothing"
CLEARED = "false"  # of a checkbox, in both kinds of CRM

log = structlog.get_logger("syncd.requests")


@frozen(kw_only=True)
class Wish:
    """What was decided on one contact. `fields`: where each stands; `worst`: what they can cost at the most, in
    credits. `why_not`: why nothing is done at all, or ""."""

    ref: ContactRef
    sync: str
    fields: Sequence[Mapping[str, Any]] = ()
    worst: Decimal = Decimal(0)
    why_not: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        return {
            "contact": str(self.ref),
            "sync": self.sync,
            "fields": [dict(one) for one in self.fields],
            "worst_case_credits": float(self.worst),
            "why_not": self.why_not or None,
        }


# --- by the API ---------------------------------------------------------------------------------------


async def enrich(parts: Parts, sync: Sync, refs: Sequence[ContactRef]) -> list[Wish]:
    """Read these contacts, decide on them, and put their questions first. Raises the connector's errors."""
    crm, size, asked_at = parts.crms[sync.crm], parts.crms[sync.crm].capabilities.read_batch, parts.clock.now()
    seen: list[Contact] = []
    for start in range(0, len(refs), size):
        seen += await crm.look(refs[start : start + size], sync.selection)
    known = await parts.ledger.write(_store, sync, seen, refs, now=asked_at, rules=parts.rules)
    await _decide(parts, list(known.values()))
    parts.bells.ring("dispatch")
    parts.bells.ring("writeback")
    return await _told(parts, sync, refs, {one.ref for one in seen}, known)


def _store(
    tx: Tx, sync: Sync, seen: Sequence[Contact], refs: Sequence[ContactRef], *, now: float, rules: Rules
) -> dict[ContactRef, int]:
    """As a pull would; who was not seen is not in the selection. Returns those who were seen, with their numbers."""
    there = {one.ref for one in seen}
    gone, mark = set(refs) - there, fingerprint(sync)
    contacts.store_look(tx, sync.name, seen, gone, tuple(sync.fields), fingerprint=mark, now=now, rules=rules)
    selections.admit(tx, mark, sync.crm, sync.object, [ref.id for ref in there])
    return requests.ids_of(tx, there)


async def _decide(parts: Parts, ids: Sequence[int]) -> None:
    """At once, for those whom nobody else is deciding on just now."""
    async with hold(parts, Kind.CONTACT, ids) as held:
        found, decided = await deciding.look(parts, held.items)
        await held.finish(_carry_out, found, decided, ids, now=parts.clock.now())


def _carry_out(tx: Tx, found: Read, decided: Sequence[Decided], ids: Sequence[int], *, now: float) -> None:
    deciding.carry_out(tx, found, decided, now=now)
    requests.hurry(tx, ids)


async def _told(
    parts: Parts, sync: Sync, refs: Sequence[ContactRef], there: set[ContactRef], known: Mapping[ContactRef, int]
) -> list[Wish]:
    rows: dict[int, list[Any]] = {}
    for row in await parts.ledger.read(requests.jobs_of, known.values()):
        rows.setdefault(row["contact_id"], []).append(row)
    prices = await _worst_prices(parts)
    return [_wish(sync, ref, rows.get(known.get(ref, 0), []), prices, seen=ref in there) for ref in refs]


async def _worst_prices(parts: Parts) -> dict[str, Mapping[Field, Decimal]]:
    """The dearest that a find of each provider is known to cost."""
    now, found = parts.clock.now(), dict[str, Mapping[Field, Decimal]]()
    for name, lane in parts.lanes.items():
        listed = lane.provider.capabilities.price
        found[name] = await parts.ledger.read(budgets.worst_prices, name, listed, now=now)
    return found


def _wish(
    sync: Sync, ref: ContactRef, rows: Iterable[Any], prices: Mapping[str, Mapping[Field, Decimal]], *, seen: bool
) -> Wish:
    fields = [{key: row[key] for key in ("field", "state", "reason", "note", "provider")} for row in rows]
    worst = sum((_worst(sync, one, prices) for one in fields), Decimal(0))
    why_not = NOT_SELECTED if not seen else "" if fields else NOTHING
    return Wish(ref=ref, sync=sync.name, fields=fields, worst=worst, why_not=why_not)


def _worst(sync: Sync, one: Mapping[str, Any], prices: Mapping[str, Mapping[Field, Decimal]]) -> Decimal:
    """Every provider that may still be asked finds something, and charges for it."""
    if one["state"] not in WAITS:
        return Decimal(0)
    total = PlannedTotal(sync=sync.name, field=one["field"], provider=one["provider"] or None, reason=None, contacts=1)
    return sum((turn.worst for turn in forecast.turns_of(total, [sync], prices, {})), Decimal(0))


# --- by a command --------------------------------------------------------------------------------------


async def take_marks(parts: Parts) -> None:
    """`syncd enrich` leaves marks, for it is another process. Where the CRM can't be read, they stay for the next
    time."""
    wanted: dict[str, list[str]] = {}
    for mark in await parts.ledger.read(upkeep.marks, upkeep.ENRICH_NOW):
        name, _, ref = mark.partition(" ")
        wanted.setdefault(name, []).append(ref)
    for name, refs in wanted.items():
        sync = next((one for one in parts.syncs if one.name == name), None)
        if sync is None:
            log.warning("not_asked_about", sync=name, contacts=len(refs), why="there is no such sync any more")
        elif not await _is_asked(parts, sync, [ContactRef.parse(ref) for ref in refs]):
            continue
        await parts.ledger.write(_forget_marks, [f"{upkeep.ENRICH_NOW}{name} {ref}" for ref in refs])


async def _is_asked(parts: Parts, sync: Sync, refs: Sequence[ContactRef]) -> bool:
    try:
        await account.require(parts, sync.crm)
        await enrich(parts, sync, refs)
    except ConnectorError as error:
        log.warning("not_asked_about", sync=sync.name, contacts=len(refs), why=str(error))
        return False
    return True


def _forget_marks(tx: Tx, keys: Iterable[str]) -> None:
    for key in keys:
        upkeep.clear_mark(tx, key)


# --- by a checkbox ------------------------------------------------------------------------------------


async def clear(parts: Parts, sync: Sync) -> int:
    """Clear the checkbox of those who are done with, whatever became of them; returns of how many."""
    if sync.request is None:
        return 0
    crm = parts.crms[sync.crm]
    limit = crm.capabilities.write_batch
    ticked = await parts.ledger.read(requests.answered, sync.crm, sync.object, limit)
    if not ticked:
        return 0
    async with hold(parts, Kind.RECORD, [one.contact_id for one in ticked]) as held:
        mine = [one for one in ticked if one.contact_id in held.items]
        held.require_lease()
        try:
            await crm.write([_clearing(sync, one) for one in mine], sync.selection)
        except ConnectorError as error:
            log.warning("checkbox_not_cleared", sync=sync.name, contacts=len(mine), why=str(error))
            return 0
        await held.finish(requests.cleared, [one.contact_id for one in mine])
        return len(mine)
    return 0  # the claim was lost: whoever holds it now does it


def _clearing(sync: Sync, one: Ticked) -> Change:
    """A change that changes nothing but what goes along with it."""
    field = next(iter(sync.selection.fields))
    return Change(ref=one.ref, field=field, expected="", new="", along={sync.request or "": CLEARED})
