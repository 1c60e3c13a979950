"""The queries we ask, and the `match` vocabulary of a Salesforce sync.

    match:
      where: "OwnerId = '005…' AND Account.Industry = 'Energy'"
      campaign: 701…                            # members of a campaign, or of several: [701…, 701…]

The operator's condition is SOQL as it stands, semi-joins included (`semijoins`); everything else in a query is a name
from the describe, an id that is known to be one, or a moment. No value of a record ever gets here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from syncd.contract.model import Selection

from . import semijoins
from .records import STAMP, TYPES, Lens, to18

URI_LIMIT = 16_384  # bytes of address and headers (Salesforce, error codes 414 and 431)
ROOM = 1_500  # of them for headers and for what a page's place adds
IDS = 400  # in one IN: about 12 KB
_KEYS = {"where", "campaign"}
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_ODD = ((";", "a semicolon"), ("--", "a comment"), ("/*", "a comment"), ("//", "a comment"))


def problems(selection: Selection) -> list[str]:
    """What is wrong with a selection's `match`, one sentence each; what only Salesforce knows, `check` asks."""
    found = [f"match.{key} is unknown; write where or campaign" for key in selection.match if key not in _KEYS]
    found += semijoins.problems(selection.match, TYPES.get(selection.object, ""))
    where = selection.match.get("where", "")
    if not isinstance(where, str) or ("where" in selection.match and not where.strip()):
        return [*found, "match.where must be a SOQL condition"]
    return found + [f"match.where {wrong}" for wrong in _wrong(where)]


def page(lens: Lens, after: Sequence[str], limit: int) -> str:
    """One page of those that lack a field or opted out: `after` holds conditions; ordered for the next page's sake.

    One row more than `limit` is asked for, so that a last page that is just full is known to be the last.
    """
    by = f"{STAMP} ASC, Id ASC" if any(STAMP in one for one in after) else "Id ASC"
    conditions = [wanted(lens), *_own(lens), *after]
    return _select(lens.columns(), lens.type, conditions, f"ORDER BY {by} LIMIT {limit + 1}")


def everybody(lens: Lens) -> str:
    """For a bulk job: what all pages together would give. An order, or bounds of ids, would keep Salesforce from
    cutting the work up by id ("PK Chunking")."""
    return _select(lens.columns(), lens.type, [wanted(lens), *_own(lens)])


def count(lens: Lens, after: Sequence[str], most: int) -> str:
    """How many that are; Salesforce need not go on counting beyond `most`."""
    return _select(["COUNT()"], lens.type, [wanted(lens), *_own(lens), *after], f"LIMIT {most}")


def wanted(lens: Lens) -> str:
    """Those for whom a field and all that also count as it are blank, and those who opted out. What our user may not
    see does not count."""
    names = [(m.property, *filter(lens.catalogue.sees, m.also)) for m in lens.selection.fields.values()]
    blank = [" AND ".join(f"{name} = null" for name in one) for one in names]
    ticked = [lens.selection.request] if lens.catalogue.sees(lens.selection.request) else []
    opted_out = [f"{path} = true" for path in (*ticked, *lens.closing())]
    return f"({' OR '.join([*(f'({one})' for one in blank), *opted_out])})"


def by_id(lens: Lens, ids: Iterable[str]) -> str:
    """These records, as a pull selects them."""
    return _select(lens.columns(), lens.type, [f"Id IN ({_list(ids)})"])


def looks(lens: Lens, ids: Sequence[str]) -> list[str]:
    """Queries for those of these records that a pull could bring, whether or not they lack something: as few as the
    limit of an address allows."""
    query = _select(lens.columns(), lens.type, [f"Id IN ({_list(ids)})", *_own(lens)])
    if len(ids) > 1 and (len(ids) > IDS or len(quote(query)) > URI_LIMIT - ROOM):
        middle = len(ids) // 2
        return [*looks(lens, ids[:middle]), *looks(lens, ids[middle:])]
    return [query] if ids else []


def organization() -> str:
    return _select(["Id"], "Organization", ["Id != null"], "LIMIT 1")


def after_id(last: str) -> str:
    return f"Id > '{_sure(last)}'"


def between(since: float, until: float) -> list[str]:
    return [f"{STAMP} >= {moment(since)}", f"{STAMP} < {moment(until)}"]


def after_row(stamp: float, last: str) -> str:
    """Thousands of rows may share one stamp after a bulk update: among them the id decides."""
    return f"({STAMP} > {moment(stamp)} OR ({STAMP} = {moment(stamp)} AND Id > '{_sure(last)}'))"


def masters(kind: str, ids: Iterable[str]) -> str:
    """For `queryAll`: who of these was merged, and into whom."""
    return _select(["Id", "MasterRecordId"], kind, ["IsDeleted = true", f"Id IN ({_list(ids)})"])


def history(lens: Lens, ids: Iterable[str]) -> str:
    """Every recorded change of the fields that we write (ContactHistory has ContactId, LeadHistory LeadId)."""
    parent = f"{lens.type}Id"
    columns = [parent, "Field", "NewValue", "CreatedById", "CreatedDate"]
    conditions = [f"{parent} IN ({_list(ids)})", f"Field IN ({_names(lens)})"]
    return _select(columns, f"{lens.type}History", conditions, "ORDER BY CreatedDate DESC")


def any_history(lens: Lens) -> str:
    """Is any of these fields tracked? No row, no history."""
    return _select(["Id"], f"{lens.type}History", [f"Field IN ({_names(lens)})"], "LIMIT 1")


def moment(seconds: float) -> str:
    """UTC seconds as a SOQL literal. There is no form for a local time, so none can slip in."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def too_long(lens: Lens) -> bool:
    """Would the longest page request be refused with 414 or 431?"""
    longest = page(lens, [*between(0, 0), after_row(0, "0" * 15)], lens.options.page)
    return len(quote(longest)) > URI_LIMIT - ROOM


def _select(columns: Iterable[str], source: str, conditions: Iterable[str], tail: str = "") -> str:
    where = " AND ".join(conditions)
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {where} {tail}".rstrip()  # noqa: S608 - see above


def _own(lens: Lens) -> list[str]:
    """Converted leads are read-only, and the operator's condition."""
    found = ["IsConverted = false"] if "IsConverted" in lens.catalogue.fields else []
    found += semijoins.members(lens.selection.match, lens.type)
    where = lens.selection.match.get("where")
    if where:  # a semi-join may not stand in brackets, and has only AND beside it, which needs none
        found.append(str(where) if semijoins.has_one(str(where)) else f"({where})")
    return found


def named_campaigns(lens: Lens) -> str:
    """The campaigns that `match` names, with how many members of our object each has."""
    count = {"Contact": "NumberOfContacts", "Lead": "NumberOfLeads"}[lens.type]
    wanted = semijoins.campaigns(lens.selection.match)
    return _select(["Id", "Name", count], "Campaign", [f"Id IN ({_list(wanted)})"])


def _wrong(where: str) -> list[str]:
    """The condition is put in brackets, so whatever can't get out of them can do no harm."""
    bare = _STRING.sub("''", where)
    found = [f"has {name}" for mark, name in _ODD if mark in bare]
    if any(not c.isprintable() and not c.isspace() for c in where):
        found.append("has a control character")
    if bare.replace("''", "").count("'"):
        found.append("has an open quotation mark")
    depth = 0
    for c in bare:
        depth += (c == "(") - (c == ")")
        if depth < 0:
            break
    return [*found, "has brackets that do not match"] if depth else found


def _sure(raw: str) -> str:
    made = to18(raw)
    if made is None:
        raise ValueError(f"{raw!r} is no id")
    return made


def _list(ids: Iterable[str]) -> str:
    return ",".join(f"'{_sure(one)}'" for one in ids)


def _names(lens: Lens) -> str:
    return ",".join(f"'{name}'" for name in lens.written)
