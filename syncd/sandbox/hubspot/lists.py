"""Lists (segments) of contacts: kept by hand or by a rule, read by id, by page, and by record.

Source: HubSpot, "Lists" (v3 and dated): Fetch list, Fetch list memberships ordered by id, Batch read memberships.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .items import Item
from .portal import Portal
from .replies import Refusal, error, invalid, iso

PAGE, MOST = 100, 250
CONTACTS = "0-1"
Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class List:
    """One list. `rule`: who is in it, of one that is kept by HubSpot; else `members` says it. Times are ms."""

    id: int
    name: str
    object_type: str = CONTACTS
    rule: Callable[[Item], bool] | None = None
    members: dict[int, int] = field(default_factory=dict)  # contact id to when it was added
    added_at: int | None = None
    removed_at: int | None = None
    status: str = "COMPLETE"

    def add(self, contact: int | str, at: int) -> None:
        self.members.setdefault(int(contact), at)
        self.added_at = at

    def remove(self, contact: int | str, at: int) -> None:
        if self.members.pop(int(contact), None) is not None:
            self.removed_at = at


class Lists:
    """All lists of a portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.lists: dict[int, List] = {}

    def make(self, name: str, rule: Callable[[Item], bool] | None = None, object_type: str = CONTACTS) -> List:
        """A new list, which is returned; without a rule, whoever is added is in it."""
        made = List(len(self.lists) + 1, name, object_type, rule)
        self.lists[made.id] = made
        return made

    def fetch(self, number: str) -> Answer:
        """GET …/lists/{id}."""
        return 200, {"list": self._as_json(self._get(number))}

    def memberships(self, number: str, query: Mapping[str, str]) -> Answer:
        """GET …/lists/{id}/memberships: by record id; `after` is the last id of the page before, unlike to be read."""
        one = self._get(number)
        limit = int(query.get("limit", PAGE))
        if not 0 < limit <= MOST:
            raise invalid(f"limit must be between 1 and {MOST}")
        members = self._members(one)
        rest = sorted(id_ for id_ in members if id_ > int(query.get("after") or 0))
        found = [{"recordId": str(id_), "membershipTimestamp": iso(members[id_])} for id_ in rest[:limit]]
        body: dict[str, Any] = {"total": len(members), "results": found}
        if len(rest) > limit:
            body["paging"] = {"next": {"after": str(rest[limit - 1]), "link": "https://api.hubapi.com/nowhere"}}
        return 200, body

    def of_records(self, body: Any, *, dated: bool) -> Answer:
        """POST …/lists/records/memberships/batch/read: the lists of each record; their ids are texts in dated paths."""
        inputs = body.get("inputs")
        if not isinstance(inputs, list) or len(inputs) > PAGE:
            raise invalid(f"inputs must be a list of at most {PAGE}")
        results = [self._of_record(str(one.get("recordId")), dated=dated) for one in inputs]
        return 200, {"status": "COMPLETE", "results": results}

    def _of_record(self, record: str, *, dated: bool) -> dict[str, Any]:
        mine = [one for one in self.lists.values() if record.isdigit() and int(record) in self._members(one)]
        told = [{"listId": str(one.id) if dated else one.id, "listVersion": 1} for one in mine]
        return {"objectTypeId": CONTACTS, "recordId": record, "recordListMemberships": told}

    def _get(self, number: str) -> List:
        found = self.lists.get(int(number)) if number.isdigit() else None
        if found is None:
            text = f"List does not exist with ID {number}."
            raise Refusal(404, error(text, "OBJECT_NOT_FOUND", subCategory="ILS.LIST_NOT_FOUND"))
        return found

    def _members(self, one: List) -> dict[int, int]:
        """Ids of those in it that are there, and when they came into it."""
        if one.object_type != CONTACTS:
            return {}
        there = {item.id: item for item in self._portal.contacts.items.values() if not item.archived}
        if one.rule is None:
            return {id_: at for id_, at in one.members.items() if id_ in there}
        inside = {id_ for id_, item in there.items() if one.rule(item)}
        now = self._portal.now_ms()
        if inside - one.members.keys():
            one.added_at = now
        one.members = {id_: one.members.get(id_, now) for id_ in inside}
        return one.members

    def _as_json(self, one: List) -> dict[str, Any]:
        size = len(self._members(one))
        told = {
            "hs_list_size": str(size),
            "hs_last_record_added_at": one.added_at,
            "hs_last_record_removed_at": one.removed_at,
        }
        return {
            "listId": str(one.id),
            "listVersion": 1,
            "name": one.name,
            "objectTypeId": one.object_type,
            "processingType": "DYNAMIC" if one.rule else "MANUAL",
            "processingStatus": one.status,
            "additionalProperties": {name: str(value) for name, value in told.items() if value is not None},
        }
