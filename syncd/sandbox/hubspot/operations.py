"""The table of endpoints: both families of paths, the scope each needs, what it does.

Order of checks, limits and faults of the line are in `app`; reading and writing records in `objects` and `writing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.faults import Faults

from . import objects, writing
from .access import LISTS, READ, SCHEMAS, WRITE, Gates, Token
from .lists import Lists
from .objects import Answer
from .portal import PORTAL_ID, Portal
from .replies import Refusal, error, iso

DATED = "2026-09"
_THINGS = ("/crm/v3/objects/{kind}", f"/crm/objects/{DATED}/{{kind}}")
_WORDS = ("/crm/v3/properties/{kind}", f"/crm/properties/{DATED}/{{kind}}")
_ACCOUNT = ("/account-info/v3", f"/account-info/{DATED}")
_LISTS = ("/crm/v3/lists", f"/crm/lists/{DATED}")
_LINKS = ("/crm/v4/associations/contacts/companies", f"/crm/associations/{DATED}/contacts/companies")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was admitted."""

    token: Token
    kind: str  # contacts or companies
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    size: int  # characters of the body
    url: str
    dated: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint in both families; `{v}` in a path is the version. `group` names its faults of the line."""

    name: str
    method: str
    paths: tuple[str, str]  # v3/v4, dated
    group: str
    scope: str | None
    run: Callable[[Call], objects.Answer]


def operations(portal: Portal, lists: Lists, gates: Gates, faults: Faults) -> list[Operation]:
    """Every endpoint of the account; earlier ones win where paths overlap."""
    return [*_records(portal, faults), *_properties(portal), *_lists(lists), *_account(portal, gates, faults)]


def _lists(lists: Lists) -> list[Operation]:
    def of_records(call: Call) -> Answer:
        return lists.of_records(call.body, dated=call.dated)

    def memberships(call: Call) -> Answer:
        return lists.memberships(call.path["id"], call.query)

    def one(call: Call) -> Answer:
        return lists.fetch(call.path["id"])

    by_record = _under(_LISTS, "/records/memberships/batch/read")
    return [
        Operation("lists/records", "POST", by_record, "list", LISTS, of_records),
        Operation("lists/memberships", "GET", _under(_LISTS, "/{id}/memberships"), "list", LISTS, memberships),
        Operation("lists/get", "GET", _under(_LISTS, "/{id}"), "list", LISTS, one),
    ]


def _records(portal: Portal, faults: Faults) -> list[Operation]:
    def search(call: Call) -> Answer:
        status, body = objects.search(portal, call.kind, call.body, call.size)
        if faults.take("hubspot_empty_results") is not None:
            body = {"total": max(1, body["total"]), "results": []}
        return status, body

    def read(call: Call) -> Answer:
        return objects.read_batch(portal, call.kind, call.body, archived=call.query.get("archived") == "true")

    def update(call: Call) -> Answer:
        return writing.update_batch(portal, call.kind, call.body, call.token, faults, dated=call.dated)

    def listing(call: Call) -> Answer:
        return objects.list_page(portal, call.kind, call.query, call.url)

    def one(call: Call) -> Answer:
        return objects.get_one(portal, call.kind, call.path["id"], call.query)

    def companies(call: Call) -> Answer:
        return objects.companies_of(portal, call.body)

    return [
        Operation("search", "POST", _under(_THINGS, "/search"), "search", READ, search),
        Operation("batch/read", "POST", _under(_THINGS, "/batch/read"), "read", READ, read),
        Operation("batch/update", "POST", _under(_THINGS, "/batch/update"), "update", WRITE, update),
        Operation("list", "GET", _THINGS, "list", READ, listing),
        Operation("get", "GET", _under(_THINGS, "/{id}"), "list", READ, one),
        Operation("associations/batch/read", "POST", _under(_LINKS, "/batch/read"), "read", READ, companies),
    ]


def _properties(portal: Portal) -> list[Operation]:
    def listing(call: Call) -> Answer:
        return 200, {"results": [one.as_json() for one in portal.catalogues[call.kind].properties.values()]}

    def one(call: Call) -> Answer:
        found = portal.catalogues[call.kind].properties.get(call.path["name"])
        if found is None:
            text = f"Property {call.path['name']} does not exist"
            raise Refusal(404, error(text, "OBJECT_NOT_FOUND", subCategory="PropertiesError.PROPERTY_NOT_FOUND"))
        return 200, found.as_json()

    def create(call: Call) -> Answer:
        return 201, portal.catalogues[call.kind].create(call.body).as_json()

    def create_many(call: Call) -> Answer:
        return portal.catalogues[call.kind].create_many(objects.inputs_of(call.body))

    def groups(call: Call) -> Answer:
        return 200, {"results": list(portal.catalogues[call.kind].groups.values())}

    def create_group(call: Call) -> Answer:
        return 201, portal.catalogues[call.kind].create_group(call.body)

    return [
        Operation("properties", "GET", _WORDS, "list", READ, listing),
        Operation("properties/create", "POST", _WORDS, "list", SCHEMAS, create),
        Operation("properties/groups", "GET", _under(_WORDS, "/groups"), "list", READ, groups),
        Operation("properties/groups/create", "POST", _under(_WORDS, "/groups"), "list", SCHEMAS, create_group),
        Operation("properties/batch/create", "POST", _under(_WORDS, "/batch/create"), "list", SCHEMAS, create_many),
        Operation("properties/get", "GET", _under(_WORDS, "/{name}"), "list", READ, one),
    ]


def _account(portal: Portal, gates: Gates, faults: Faults) -> list[Operation]:
    def details(_: Call) -> Answer:
        offset = gates.midnight().utcoffset()
        seconds = int(offset.total_seconds()) if offset else 0
        return 200, {
            "portalId": PORTAL_ID + (faults.setting("hubspot_other_account") is not None),
            "accountType": "STANDARD",
            "timeZone": gates.zone.key,
            "companyCurrency": "EUR",
            "additionalCurrencies": [],
            "utcOffset": f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02}:{abs(seconds) % 3600 // 60:02}",
            "utcOffsetMilliseconds": seconds * 1000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "eu1",
        }

    def usage(_: Call) -> Answer:
        today = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": gates.daily,
            "currentUsage": gates.used_today,
            "collectedAt": iso(portal.now_ms()),
            "fetchStatus": "SUCCESS",
            "resetsAt": iso(int(gates.next_midnight().timestamp() * 1000)),
        }
        return 200, {"results": [today]}

    return [
        Operation("account-info", "GET", _under(_ACCOUNT, "/details"), "list", None, details),
        Operation("api-usage", "GET", _under(_ACCOUNT, "/api-usage/daily/private-apps"), "list", None, usage),
    ]


def _under(both: tuple[str, str], tail: str) -> tuple[str, str]:
    return both[0] + tail, both[1] + tail
