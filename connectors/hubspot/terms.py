"""The `match` vocabulary of a HubSpot sync, and the search request that comes of it.

    match:
      list: 1234                                # a list or segment of contacts: the number in its address
      owner: ["81234567"]                       # one id of an owner, or several
      filters:
        - {property: lifecyclestage, operator: IN, values: [lead, customer]}
        - {property: createdate, operator: GTE, value: 2026-01-01}
        - {property: country, operator: EQ, value: France}

All terms must hold. Operators are HubSpot's own. HubSpot allows 6 filters in a group (we need one
group per field), 18 in all, and 3000 characters. Lists can't be searched by: who is in one is asked of
the list (`lists`), and the other terms hold beside it. What is left of that room is used for groups that
find people who opted out, whatever their records lack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syncd.contract.errors import Unusable
from syncd.contract.model import FieldMap, Selection

from . import lists
from .consent import closing
from .portal import Catalogue
from .records import STAMP, Lens

GROUPS, PER_GROUP, IN_ALL = 5, 6, 18
BODY_LIMIT = 3_000  # characters
PAGE = 200
_OPERANDS = {
    **dict.fromkeys(("LT", "LTE", "GT", "GTE", "EQ", "NEQ", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"), ("value",)),
    **dict.fromkeys(("IN", "NOT_IN"), ("values",)),
    **dict.fromkeys(("HAS_PROPERTY", "NOT_HAS_PROPERTY"), ()),
    "BETWEEN": ("value", "high_value"),
}

Filter = dict[str, Any]


def problems(selection: Selection, catalogue: Catalogue) -> list[str]:
    """What is wrong with a selection's `match`, one sentence each."""
    found = [f"match.{key} is unknown; write filters, owner or list" for key in selection.match if key not in _KEYS]
    found += lists.problems(selection.match)
    terms = selection.match.get("filters", [])
    if not isinstance(terms, list):
        return [*found, "match.filters must be a list of {property, operator, value}"]
    for number, term in enumerate(terms, 1):
        found += [f"match.filters[{number}]: {wrong}" for wrong in _wrong(term, catalogue)]
    return found or _too_much(selection, catalogue)


def require_usable(lens: Lens, catalogue: Catalogue) -> None:
    """Raise Unusable where this selection can't be searched for or read: a field's property is not there, or `match`
    is wrong. Properties of `also` may lack."""
    absent = [name for name in lens.needed if name not in catalogue]
    wrong = [*(f"the portal has no contact property {name!r}" for name in absent), *problems(lens.selection, catalogue)]
    if wrong:
        raise Unusable(wrong[0], cure="mend `fields` or `match` of this sync")


def of_match(selection: Selection, catalogue: Catalogue) -> list[Filter]:
    """The operator's own filters, of which all must hold, in HubSpot's words."""
    return _terms(selection.match, catalogue)


def by_id(ids: Sequence[str], filters: Sequence[Filter]) -> dict[str, Any]:
    """The search for those of these contacts that match the filters."""
    wanted = [*filters, _filter("hs_object_id", "IN", values=list(ids))]
    return {"filterGroups": [{"filters": wanted}], "properties": [STAMP], "limit": PAGE, "after": "0"}


def request(selection: Selection, catalogue: Catalogue, after_id: str, since: int | None) -> dict[str, Any]:
    """The search for contacts that lack a field or opted out, from an id and (unless None) a moment in ms on.

    Every request is the first page of its query, so neither the cap of 10 000 results nor rows that
    leave the set while we work can hide anybody.
    """
    return _request(selection, catalogue, after_id, since, _affordable(selection, catalogue))


def unsearched(selection: Selection, catalogue: Catalogue) -> list[str]:
    """The opt-outs of this portal that a search has no room for beside the operator's filters."""
    found = _affordable(selection, catalogue)
    return [name for name in closing(selection.writable, catalogue) if name not in found]


def _affordable(selection: Selection, catalogue: Catalogue) -> tuple[str, ...]:
    """What is searched for although nothing lacks: the checkbox, then the opt-outs, the strictest first; as many as
    HubSpot's limits leave room for."""
    found: tuple[str, ...] = ()
    request = [selection.request] if selection.request in catalogue else []
    for name in (*request, *closing(selection.writable, catalogue)):
        if not _excess(_longest(selection, catalogue, (*found, name))):
            found = (*found, name)
    return found


def _request(
    selection: Selection, catalogue: Catalogue, after_id: str, since: int | None, opt_outs: Sequence[str]
) -> dict[str, Any]:
    common = [*_terms(selection.match, catalogue), _filter("hs_object_id", "GT", value=after_id)]
    if since is not None:
        common.append(_filter(STAMP, "GTE", value=str(since)))
    lacking = [[_filter(n, "NOT_HAS_PROPERTY") for n in _searchable(m, catalogue)] for m in selection.fields.values()]
    opted_out = [[_filter(name, "EQ", value="true")] for name in opt_outs]
    return {
        "filterGroups": [{"filters": [*special, *common]} for special in (*lacking, *opted_out)],
        "sorts": ["hs_object_id"],
        "properties": [STAMP],
        "limit": PAGE,
        "after": "0",
    }


def _searchable(fields: FieldMap, catalogue: Catalogue) -> list[str]:
    """The properties that count as having a field, without those of `also` that the portal does not show us."""
    return [fields.property, *(name for name in fields.also if name in catalogue)]


_KEYS = {"filters", "owner", "list"}


def _terms(match: Mapping[str, Any], catalogue: Catalogue) -> list[Filter]:
    found = []
    if owners := match.get("owner"):
        values = owners if isinstance(owners, list) else [owners]
        found.append(_filter("hubspot_owner_id", "IN", values=[str(owner) for owner in values]))
    for term in match.get("filters", []):
        kind = str((catalogue.get(term["property"]) or {}).get("type"))
        found.append(_filter(term["property"], term["operator"], **_operands(term, kind)))
    return found


def _operands(term: Mapping[str, Any], kind: str) -> dict[str, Any]:
    operands: dict[str, Any] = {}
    for key in _OPERANDS[term["operator"]]:
        if key == "values":  # HubSpot wants IN on texts in lower case, and enumerations as they are
            words = [_word(value, kind) for value in term["values"]]
            operands["values"] = [word.lower() for word in words] if kind == "string" else words
        else:
            operands["highValue" if key == "high_value" else key] = _word(term[key], kind)
    return operands


def _word(value: object, kind: str) -> str:
    """A YAML value as HubSpot's text: truth in lower case, days and moments (UTC without a zone) in milliseconds."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if kind not in {"date", "datetime"} or text.isdigit():
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text  # HubSpot may know it, or say what it does not know
    return str(round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))


def _filter(name: str, operator: str, **operands: Any) -> Filter:
    return {"propertyName": name, "operator": operator, **operands}


def _wrong(term: object, catalogue: Catalogue) -> list[str]:
    if not isinstance(term, Mapping):
        return ["must have property, operator and value"]
    name, operator = term.get("property"), term.get("operator")
    wrong = [] if name in catalogue else [f"the portal has no contact property {name!r}"]
    if operator not in _OPERANDS:
        return [*wrong, f"operator {operator!r} is none of {', '.join(sorted(_OPERANDS))}"]
    needed = set(_OPERANDS[operator])
    given = set(term) - {"property", "operator"}
    if needed != given:
        wrong.append(
            f"{operator} takes {' and '.join(sorted(needed)) or 'no value'}, not {' and '.join(sorted(given))}"
        )
    elif "values" in needed and (not isinstance(term["values"], Sequence) or isinstance(term["values"], str)):
        wrong.append(f"{operator} takes a list of values")
    elif not all(isinstance(value, str | int | float) for value in _given(term, needed)):
        wrong.append("each value must be a text, a number or true and false")
    return wrong


def _given(term: Mapping[str, Any], keys: set[str]) -> list[Any]:
    return [value for key in keys for value in (term[key] if key == "values" else [term[key]])]


def _too_much(selection: Selection, catalogue: Catalogue) -> list[str]:
    """What is wrong with `match` even where no opt-outs are searched for: it alone exceeds a limit."""
    return _excess(_longest(selection, catalogue, ()))


def _longest(selection: Selection, catalogue: Catalogue, opt_outs: Sequence[str]) -> dict[str, Any]:
    """The request with the longest id and moment: whether it fits must not change from page to page."""
    return _request(selection, catalogue, "9" * 19, 10**13, opt_outs)


def _excess(longest: Mapping[str, Any]) -> list[str]:
    sizes = [len(group["filters"]) for group in longest["filterGroups"]]
    found = []
    if len(sizes) > GROUPS or max(sizes, default=0) > PER_GROUP or sum(sizes) > IN_ALL:
        room = min(PER_GROUP - max(sizes, default=0), (IN_ALL - sum(sizes)) // max(len(sizes), 1))
        found.append(f"match has {-room} filter(s) too many: HubSpot allows {PER_GROUP} in a group and {IN_ALL} in all")
    if len(json.dumps(longest)) > BODY_LIMIT:
        found.append(f"match makes a search of more than {BODY_LIMIT} characters, HubSpot's limit")
    return found
