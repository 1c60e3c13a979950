"""The language of `…/search`: what it takes, what it refuses, what it finds in the index.

Source: HubSpot's page "Search the CRM"; texts of refusals are ours where no recording exists.
"""

from __future__ import annotations

import bisect
import fnmatch
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .catalogue import Catalogue
from .index import Index
from .replies import error, invalid

PAGE, WINDOW, BODY = 200, 10_000, 3_000
GROUPS, PER_GROUP, FILTERS = 5, 6, 18
OPERATORS = (
    "IN",
    "NOT_HAS_PROPERTY",
    "LT",
    "EQ",
    "GT",
    "NOT_IN",
    "GTE",
    "CONTAINS_TOKEN",
    "HAS_PROPERTY",
    "LTE",
    "NOT_CONTAINS_TOKEN",
    "BETWEEN",
    "NEQ",
)
_NEGATIVE = {"NEQ": "EQ", "NOT_IN": "IN", "NOT_CONTAINS_TOKEN": "CONTAINS_TOKEN"}
_IDS = {"hs_object_id"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `values` holds value, or value and highValue, or the values of IN."""

    name: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A search that was accepted."""

    groups: tuple[tuple[Filter, ...], ...]
    sort: tuple[str, bool] | None  # property, descending
    properties: tuple[str, ...]
    limit: int
    after: int
    text: str


def parse(body: Any, size: int, catalogue: Catalogue) -> Query:
    """The query of a request body of `size` characters; raises Refusal."""
    if size > BODY:
        raise invalid(f"The request body has {size} characters; the maximum is {BODY}.")
    if not isinstance(body, Mapping):
        raise invalid("Invalid input JSON on line 1, column 1: an object is expected")
    groups = _groups(body, catalogue)
    limit, after = body.get("limit", 10), str(body.get("after") or "0")
    if not isinstance(limit, int) or not 0 < limit <= PAGE:
        raise invalid(f"Invalid page size {limit}: it must be between 1 and {PAGE}.")
    if not after.isdigit():
        raise invalid(f"after is not a paging cursor of this search: {after}")
    if int(after) >= WINDOW or int(after) + limit > WINDOW:
        raise invalid(f"Only the first {WINDOW} results of a search can be paged through.")
    names = body.get("properties") or ()
    return Query(
        groups, _sort(body, catalogue), tuple(map(str, names)), limit, int(after), str(body.get("query") or "")
    )


def _groups(body: Mapping[str, Any], catalogue: Catalogue) -> tuple[tuple[Filter, ...], ...]:
    raw = [group.get("filters") or [] for group in body.get("filterGroups") or []]
    if body.get("filters"):
        raw.append(body["filters"])
    if len(raw) > GROUPS:
        raise invalid(f"There are {len(raw)} filter groups; the maximum is {GROUPS}.")
    if any(len(group) > PER_GROUP for group in raw) or sum(map(len, raw)) > FILTERS:
        raise invalid(f"A group takes {PER_GROUP} filters at most, a search {FILTERS}.")
    return tuple(tuple(_filter(one, catalogue) for one in group) for group in raw)


def _filter(raw: Mapping[str, Any], catalogue: Catalogue) -> Filter:
    operator, name = str(raw.get("operator", "")), str(raw.get("propertyName", ""))
    if operator not in OPERATORS:
        column = json.dumps(raw, separators=(",", ":")).find(operator) + 1
        raise invalid(
            f"Invalid input JSON on line 1, column {column}: Enum type must be one of: [{', '.join(OPERATORS)}]"
        )
    name = "associatedcompanyid" if name == "associations.company" else name
    if name not in catalogue.properties:
        raise invalid("There was a problem with the request.")
    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return Filter(name, operator)
    if operator in {"IN", "NOT_IN"}:
        given = raw.get("values") or ()
    else:
        given = [raw.get("value")] + ([raw.get("highValue")] if operator == "BETWEEN" else [])
    if not given or any(one is None or not isinstance(one, str | int | float) for one in given):
        raise invalid(f"operator {operator} requires a value: {name}")
    return Filter(name, operator, tuple(map(str, given)))


def _sort(body: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, bool] | None:
    sorts = body.get("sorts") or []
    if not sorts:
        return None
    if len(sorts) > 1:
        raise invalid("Only one sort is supported.")
    rule = sorts[0]
    if isinstance(rule, Mapping):
        name, down = str(rule.get("propertyName", "")), rule.get("direction") == "DESCENDING"
    else:
        name, down = str(rule).removeprefix("-"), str(rule).startswith("-")
    if name not in catalogue.properties:
        raise invalid("There was a problem with the request.")
    return name, down


def unknown_type(name: str) -> dict[str, Any]:
    """400 for an object type that there is not; without a category."""
    return error(f"Unable to infer object type from: {name}", None)


def matches(query: Query, index: Index, catalogue: Catalogue) -> list[int]:
    """The ids that fit, sorted as asked: by id unless said otherwise."""
    groups = [_group_matches(group, index, catalogue) for group in query.groups] or [index.ids]
    # Each is sorted: sorting them joined is a merge, and cheap.
    found: Iterable[int] = (
        groups[0] if len(groups) == 1 else dict.fromkeys(sorted(itertools.chain.from_iterable(groups)))
    )
    if query.text:
        needle = query.text.lower()
        found = [one for one in found if any(needle in value.lower() for value in index.values[one].values())]
    ids = list(found)
    if query.sort is not None:
        name, down = query.sort
        if name not in _IDS:
            key = _sort_key(catalogue.properties[name].type)
            ids.sort(key=lambda one: key(index.values[one].get(name, "")))
        if down:
            ids.reverse()
    return ids


def _group_matches(group: Sequence[Filter], index: Index, catalogue: Catalogue) -> list[int]:
    low = max((int(float(one.values[0])) + (one.operator == "GT") for one in group if _bounds_id(one)), default=0)
    missing = [index.lacking(one.name) for one in group if one.operator == "NOT_HAS_PROPERTY"]
    missing.sort(key=lambda pair: len(pair[0]))
    # Few records have a certain flag set, such as an opt-out: a search for it begins with those.
    flags = [one.name for one in group if one.operator == "EQ" and catalogue.properties[one.name].type == "bool"]
    ids = missing[0][0] if missing else index.holding(flags[0]) if flags else index.ids
    start = bisect.bisect_left(ids, low)
    ids = ids[start:] if start else ids
    for _, known in missing[1:]:
        ids = [one for one in ids if one in known]
    for one in group:
        if one.operator != "NOT_HAS_PROPERTY" and not _bounds_id(one):
            ids = _narrow(ids, one, index, catalogue.properties[one.name].type)
    return ids


def _bounds_id(one: Filter) -> bool:
    return one.name in _IDS and one.operator in {"GT", "GTE"} and one.values[0].replace(".", "", 1).isdigit()


def _narrow(ids: list[int], one: Filter, index: Index, kind: str) -> list[int]:
    if one.name.endswith("lastmodifieddate") and one.operator == "GTE":
        since, updated = moment(one.values[0]), index.updated
        return [number for number in ids if updated[number] >= since]
    fits = _condition(one, kind)
    return [number for number in ids if fits(index.values[number].get(one.name, ""))]


def _condition(one: Filter, kind: str) -> Callable[[str], bool]:
    """Whether a value ("" if unset) fits."""
    if one.operator == "HAS_PROPERTY":
        return bool
    if one.operator in _NEGATIVE:
        inner = _condition(Filter(one.name, _NEGATIVE[one.operator], one.values), kind)
        return lambda value: not inner(value)
    if one.operator == "CONTAINS_TOKEN":
        token = one.values[0].lower()
        return lambda value: any(fnmatch.fnmatch(word, token) for word in re.split(r"[\s,;]+", value.lower()) if word)
    form = _form(kind)
    exact = one.operator == "IN"  # its values are taken as they are: on strings they must be lower-case
    wanted = one.values if exact and form is str.lower else tuple(form(value) for value in one.values)
    compare = _COMPARE[one.operator]
    return lambda value: bool(value) and compare(form(value), wanted)


_COMPARE: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "EQ": lambda value, wanted: value == wanted[0],
    "IN": lambda value, wanted: value in wanted,
    "LT": lambda value, wanted: value < wanted[0],
    "LTE": lambda value, wanted: value <= wanted[0],
    "GT": lambda value, wanted: value > wanted[0],
    "GTE": lambda value, wanted: value >= wanted[0],
    "BETWEEN": lambda value, wanted: wanted[0] <= value <= wanted[1],
}


def _form(kind: str) -> Callable[[str], Any]:
    """How values of a type are compared: case-insensitively, but enumerations exactly."""
    if kind == "number":
        return _number
    if kind in {"datetime", "date"}:
        return moment
    return str if kind == "enumeration" else str.lower


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid(f"{text} is not a number") from None


def _sort_key(kind: str) -> Callable[[str], Any]:
    form = _form(kind)
    return lambda value: (value == "", form(value) if value else "")


@lru_cache(maxsize=4096)
def moment(text: str) -> int:
    """Milliseconds since 1970 of an epoch-ms string or an ISO time."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
    except ValueError:
        raise invalid(f"{text} is not a time") from None
