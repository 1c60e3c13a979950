"""Lists (HubSpot also calls them segments): whether one can be used, and who is in it.

Source: HubSpot, "Lists" (CRM API, v3 and dated): Fetch list by id, Fetch list memberships ordered by id (250 a call),
Batch read memberships. Reading lists needs the scope crm.lists.read, which nothing else here does; without it a sync
with a list can't be used, and all others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncd.contract.errors import Retry, Unusable

from .answers import Answer, MissingScope
from .calls import Calls, Route
from .records import milliseconds, whole

CONTACTS = "0-1"  # HubSpot's id of the object type
PAGE = 250
CHUNK = 100
_BUSY = ("PROCESS", "PROGRESS", "REFRESH", "UPDAT", "INIT")  # parts of the words for "not worked out yet"
_LATER = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Found:
    """A list. `size`: how many are in it; `added_at`: Unix ms when somebody came into it last; None: not told."""

    name: str
    kind: str
    size: int | None
    added_at: int | None
    busy: bool


def wanted(match: Mapping[str, Any]) -> str | None:
    """The id of the list that a sync's `match` names."""
    return whole(match["list"]) if "list" in match else None


def problems(match: Mapping[str, Any]) -> list[str]:
    """What is wrong with a `list` in `match`, before HubSpot is asked."""
    given = match.get("list", 1)
    number = isinstance(given, int | str) and not isinstance(given, bool) and str(given).isdigit()
    return [] if number else ["match.list must be a list's number, which stands in its address in HubSpot"]


async def find(calls: Calls, list_id: str) -> Found:
    """What HubSpot says of a list of contacts. Raises Unusable where it is none, or may not be read."""
    answer = await _asked(calls, Route.LIST, list_id)
    told = (answer.body or {}).get("list")
    told = told if isinstance(told, dict) else answer.body or {}
    kind = str(told.get("objectTypeId"))
    if kind != CONTACTS:
        raise Unusable(f"list {list_id} holds no contacts (its object type is {kind})", cure="name a list of contacts")
    more = told.get("additionalProperties")
    more = more if isinstance(more, dict) else {}
    size = whole(more.get("hs_list_size", told.get("size")))
    return Found(
        name=str(told.get("name") or ""),
        kind=str(told.get("processingType") or "").lower(),
        size=int(size) if size.isdigit() else None,
        added_at=milliseconds(whole(more.get("hs_last_record_added_at"))) or None,
        busy=any(word in str(told.get("processingStatus")).upper() for word in _BUSY),
    )


async def page(calls: Calls, list_id: str, after: str) -> tuple[list[str], str]:
    """Ids of some who are in it, in order, and where to go on ("" at the end)."""
    query = {"limit": str(PAGE), **({"after": after} if after else {})}
    answer = await _asked(calls, Route.MEMBERS, list_id, query=query)
    paging = (answer.body or {}).get("paging")
    following = paging.get("next") if isinstance(paging, dict) else None
    more = whole(following.get("after")) if isinstance(following, dict) else ""
    if more and more == after:
        raise Retry("HubSpot answered with the same page of a list again")
    return [record for one in answer.results if (record := whole(one.get("recordId")))], more


async def inside(calls: Calls, list_id: str, ids: Sequence[str]) -> set[str]:
    """Those of these contacts that are in it now."""
    found: set[str] = set()
    for start in range(0, len(ids), CHUNK):
        inputs = [{"objectTypeId": CONTACTS, "recordId": one} for one in ids[start : start + CHUNK]]
        answer = await _asked(calls, Route.MEMBERSHIPS, list_id, {"inputs": inputs})
        found |= {whole(one.get("recordId")) for one in answer.results if list_id in _lists(one)}
    return found


def _lists(result: Mapping[str, Any]) -> set[str]:
    told = result.get("recordListMemberships")
    return {whole(one.get("listId")) for one in told if isinstance(one, dict)} if isinstance(told, list) else set()


def require_ready(found: Found, list_id: str) -> None:
    """Raise Retry while HubSpot works out who is in it: whoever is missing then may be in it all the same."""
    if found.busy:
        raise Retry(f"HubSpot is working out who is in list {list_id}", after=_LATER)


async def _asked(
    calls: Calls,
    route: Route,
    list_id: str,
    body: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
) -> Answer:
    try:
        answer = await calls.safe(route, body, of=list_id, query=query, accept=frozenset({404}))
    except MissingScope as error:
        raise Unusable(f"lists can't be read: {error}", cure=error.cure) from error
    if answer.status == 404:
        raise Unusable(f"the portal has no list {list_id}", cure="name another one, or take it out of `match`")
    return answer
