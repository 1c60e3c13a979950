"""Reading records over the API: one, a list, a batch, a search, and which companies contacts belong to.

Every function takes what the request said and returns status and body, or raises Refusal. Writing is in `writing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .items import Item, Store
from .portal import PORTAL_ID, Portal
from .replies import NOT_FOUND_PAGE, Refusal, error, invalid, iso, missing_objects
from .search import matches, parse

BATCH, HISTORY_BATCH, ASSOCIATION_BATCH, LIST = 100, 50, 1000, 100
TOO_MANY = "The maximum number of inputs supported in a batch{} is {}. Please reduce the number of items and try again"
_TYPE_IDS = {"contacts": "0-1", "companies": "0-2"}
_DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
}
Answer = tuple[int, dict[str, Any]]


def store_of(portal: Portal, kind: str) -> Store:
    """The store of an object type, contacts or companies."""
    return portal.contacts if kind == "contacts" else portal.companies


def render(portal: Portal, kind: str, item: Item, names: Sequence[str], history: Sequence[str] = ()) -> dict[str, Any]:
    """A record as JSON: null for what is unset, nothing for what does not exist."""
    known, values = portal.catalogues[kind].properties, item.values
    stamps = {"createdate", store_of(portal, kind).modified, "hs_object_id"}
    wanted = stamps.union(name for name in names if name in known) if names else _DEFAULTS[kind]
    body: dict[str, Any] = {
        "id": str(item.id),
        "properties": {name: values.get(name) for name in sorted(wanted)},
        "createdAt": iso(item.created),
        "updatedAt": iso(item.updated),
        "archived": item.archived,
        "url": f"https://app.hubspot.com/contacts/{PORTAL_ID}/record/{_TYPE_IDS[kind]}/{item.id}",
    }
    if history:
        body["propertiesWithHistory"] = {
            name: [version.as_json() for version in reversed(item.history.get(name, ()))]
            for name in history
            if name in known
        }
    if item.archived:
        body["archivedAt"] = iso(item.updated)
    return body


def search(portal: Portal, kind: str, body: Any, size: int) -> Answer:
    """POST …/search: matches what the index knows, shows what the store has."""
    catalogue, index = portal.catalogues[kind], portal.index if kind == "contacts" else portal.company_index
    query = parse(body, size, catalogue)
    ids = matches(query, index, catalogue)
    page = ids[query.after : query.after + query.limit]
    items = [item for one in page if (item := store_of(portal, kind).items.get(one)) and not item.archived]
    _seen(portal, kind, items)
    answer: dict[str, Any] = {
        "total": len(ids),
        "results": [render(portal, kind, one, query.properties) for one in items],
    }
    if len(ids) > query.after + query.limit:
        answer["paging"] = {"next": {"after": str(query.after + query.limit)}}
    return 200, answer


def read_batch(portal: Portal, kind: str, body: Any, *, archived: bool) -> Answer:
    """POST …/batch/read: in no particular order; 207 with OBJECT_NOT_FOUND for what is not there."""
    inputs, names = inputs_of(body), _names(body, "properties")
    history = _names(body, "propertiesWithHistory")
    if len(inputs) > BATCH:
        raise invalid(TOO_MANY.format("", BATCH))
    if history and len(inputs) > HISTORY_BATCH:
        raise invalid(TOO_MANY.format(" request for property histories", HISTORY_BATCH))
    asked = list(dict.fromkeys(str(one.get("id", "")) for one in inputs))
    store, by = store_of(portal, kind), body.get("idProperty")
    found: dict[int, Item] = {}
    missing = []
    for text in asked:
        item = _by_property(store, text, by) if by else _by_id(store, text)
        if item is None or item.archived != archived:
            missing.append(text)
        else:
            found[item.id] = item
    items = list(found.values())
    portal.rng.shuffle(items)
    _seen(portal, kind, items)
    results = [render(portal, kind, item, names, history) for item in items]
    return finish(portal, results, [missing_objects(store.kind, missing)] if missing else [])


def finish(portal: Portal, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> Answer:
    """The envelope of every batch answer: 200, or 207 with errors (`status` stays COMPLETE)."""
    stamp = iso(portal.now_ms())
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return (207 if errors else 200), body


def list_page(portal: Portal, kind: str, query: Mapping[str, str], path: str) -> Answer:
    """GET …/contacts: ordered by id, `after` is the next record's id; fresh, unfiltered, without a cap."""
    names, history = _listed(query, "properties"), _listed(query, "propertiesWithHistory")
    limit, most = query.get("limit", "10"), HISTORY_BATCH if history else LIST
    if not limit.isdigit() or not 0 < int(limit) <= most:
        raise invalid(f"Invalid limit {limit}: it must be between 1 and {most}.")
    after = query.get("after") or "0"
    if not after.isdigit():
        raise invalid(f"after is not a paging cursor of this list: {after}")
    archived = query.get("archived") == "true"
    store = store_of(portal, kind)
    items = store.page(int(after), int(limit) + 1, archived=archived)
    following = items.pop().id if len(items) > int(limit) else None
    _seen(portal, kind, items)
    results = [render(portal, kind, item, names, history) for item in items]
    if "companies" in _listed(query, "associations"):
        for item, result in zip(items, results, strict=True):
            _associate(result, item)
    answer: dict[str, Any] = {"results": results}
    if following is not None:
        link = f"https://api.hubapi.com{path}?after={following}"
        answer["paging"] = {"next": {"after": str(following), "link": link}}
    return 200, answer


def get_one(portal: Portal, kind: str, text: str, query: Mapping[str, str]) -> Answer:
    """GET …/contacts/{id}; a missing id is answered with a web page, one that is no number with JSON."""
    store, by = store_of(portal, kind), query.get("idProperty")
    if not by and not text.isdigit():
        raise Refusal(404, error("Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND"))
    item = _by_property(store, text, by) if by else _by_id(store, text)
    if item is None or item.archived != (query.get("archived") == "true"):
        raise Refusal(404, NOT_FOUND_PAGE)
    _seen(portal, kind, [item])
    result = render(portal, kind, item, _listed(query, "properties"), _listed(query, "propertiesWithHistory"))
    if "companies" in _listed(query, "associations"):
        _associate(result, item)
    return 200, result


def companies_of(portal: Portal, body: Any) -> Answer:
    """POST …/associations/contacts/companies/batch/read: ids of companies as numbers, type 1 for the primary one."""
    inputs = inputs_of(body)
    if len(inputs) > ASSOCIATION_BATCH:
        raise invalid(TOO_MANY.format("", ASSOCIATION_BATCH))
    results, errors = [], []
    for one in inputs:
        text = str(one.get("id", ""))
        item = _by_id(portal.contacts, text)
        if item is None or not item.companies:
            errors.append(_no_company(text))
        else:
            to = [_association(company, order) for order, company in enumerate(item.companies)]
            portal.rng.shuffle(to)
            results.append({"from": {"id": text}, "to": to})
    return finish(portal, results, errors)


def inputs_of(body: Any) -> list[Mapping[str, Any]]:
    """The `inputs` of a batch request; raises Refusal."""
    inputs = body.get("inputs") if isinstance(body, Mapping) else None
    if not isinstance(inputs, list) or not all(isinstance(one, Mapping) for one in inputs):
        raise invalid("Invalid input JSON on line 1, column 1: Some required fields were not set: [inputs]")
    return inputs


def _names(body: Mapping[str, Any], key: str) -> list[str]:
    return [str(name) for name in body.get(key) or ()]


def _listed(query: Mapping[str, str], key: str) -> list[str]:
    return [name.strip() for name in query.get(key, "").split(",") if name.strip()]


def _by_id(store: Store, text: str) -> Item | None:
    return store.get(int(text)) if text.isdigit() else None


def _by_property(store: Store, text: str, name: str) -> Item | None:
    if name not in {"email", "hs_object_id"}:
        raise invalid(f"{name} is not a property with unique values")
    if name == "hs_object_id":
        return _by_id(store, text)
    holder = store.holders.get(text.lower())
    return store.get(holder) if holder is not None else None


def _seen(portal: Portal, kind: str, items: Iterable[Item]) -> None:
    if kind == "contacts":
        portal.seen(items)


def _association(company: int, order: int) -> dict[str, Any]:
    types: list[dict[str, Any]] = [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}]
    if order == 0:
        types.insert(0, {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"})
    return {"toObjectId": company, "associationTypes": types}


def _associate(result: dict[str, Any], item: Item) -> None:
    if item.companies:
        listed = [{"id": str(company), "type": "contact_to_company"} for company in item.companies]
        result["associations"] = {"companies": {"results": listed}}


def _no_company(text: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No company is associated with contact {text}.",
        "context": {"fromObjectId": [text], "fromObjectType": ["contact"], "toObjectType": ["company"]},
    }
