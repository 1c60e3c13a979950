"""Looking again at contacts that a pull has brought: are they there, do they still match, and what do they hold now?

One read of the primary store answers that, with the properties that `match` names. Only conditions that can't be
judged from a property's text (`membership`) are asked of the search, whose index knows of a change some seconds late.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from syncd.contract.model import Contact, ContactRef

from . import lists, membership, terms
from .calls import Calls, Route
from .portal import Portal
from .records import Lens, Record, record_id


async def look(calls: Calls, portal: Portal, lens: Lens, refs: Sequence[ContactRef]) -> list[Contact]:
    """See the port. A record that was merged comes back under another id, which nobody asked for."""
    terms.require_usable(lens, await portal.catalogue())
    ids = [ref.id for ref in refs if ref.id.isdigit()]
    if (list_id := lists.wanted(lens.selection.match)) is not None:
        there = await lists.inside(calls, list_id, ids)
        ids = [one for one in ids if one in there]
    kept = await matching(calls, portal, lens, ids)
    companies = await portal.companies(kept.values())
    return [lens.contact(record, companies[one]) for one, record in kept.items()]


async def matching(calls: Calls, portal: Portal, lens: Lens, ids: Sequence[str]) -> dict[str, Record]:
    """Those of these contacts that are there and meet the sync's filters now, read freshly."""
    catalogue = await portal.catalogue()
    conditions = membership.conditions(terms.of_match(lens.selection, catalogue), catalogue)
    records = await portal.contacts(ids, lens, also=[one.name for one in conditions.judged])
    found = {record_id(record): record for record in records if conditions.hold(record)}
    kept = {one: found[one] for one in ids if one in found}
    return await _matching(calls, kept, conditions.searched) if conditions.searched else kept


async def _matching(calls: Calls, records: dict[str, Record], filters: Sequence[terms.Filter]) -> dict[str, Record]:
    """Those of these records that the search finds by these filters."""
    matching: set[str] = set()
    for body in _searches(list(records), filters):
        answer = await calls.safe(Route.SEARCH, body)
        matching |= {record_id(record) for record in answer.results}
    return {one: record for one, record in records.items() if one in matching}


def _searches(ids: Sequence[str], filters: Sequence[terms.Filter]) -> Iterator[dict[str, Any]]:
    """As few searches as HubSpot's limit of characters allows."""
    if not ids:
        return
    body = terms.by_id(ids, filters)
    if len(ids) > 1 and len(json.dumps(body)) > terms.BODY_LIMIT:
        middle = len(ids) // 2
        yield from _searches(ids[:middle], filters)
        yield from _searches(ids[middle:], filters)
    else:
        yield body
