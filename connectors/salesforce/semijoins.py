"""Semi-joins: `Id IN (SELECT ContactId FROM CampaignMember WHERE …)` in an operator's condition, and campaigns by id.

Salesforce takes them only beside AND, outside of all brackets, two at most, none within another one, none that asks
about the same object, without ORDER BY and LIMIT (SOQL and SOSL Reference, "Comparison Operators"). All of that is
looked at here, since Salesforce's own words for it speak of the whole query, which the operator has not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .records import to18

MOST = 2  # in one query
MEMBERS = {"Contact": "ContactId", "Lead": "LeadId"}  # of CampaignMember
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_OPENS = re.compile(r"\(\s*SELECT\b", re.IGNORECASE)
_BEFORE = re.compile(r"\bIN\s*$", re.IGNORECASE)
_OR = re.compile(r"\bOR\b", re.IGNORECASE)
_NOT = re.compile(r"\bNOT\b(?!\s+IN\b)", re.IGNORECASE)
_UNWANTED = re.compile(r"\b(ORDER\s+BY|LIMIT|OFFSET|COUNT)\b", re.IGNORECASE)
_SOURCE = re.compile(r"\bFROM\s+(\w+)", re.IGNORECASE)


def campaigns(match: Mapping[str, Any]) -> list[str]:
    """The campaigns that `match` names, as they are written."""
    given = match.get("campaign", [])
    return [str(one) for one in (given if isinstance(given, list) else [given])]


def members(match: Mapping[str, Any], kind: str) -> list[str]:
    """The condition that a record is a member of one of these campaigns; none without campaigns."""
    wanted = ",".join(f"'{to18(one)}'" for one in campaigns(match))
    select = f"SELECT {MEMBERS[kind]} FROM CampaignMember WHERE CampaignId IN ({wanted})"  # noqa: S608 - ids, by `to18`
    return [f"Id IN ({select})"] if wanted else []


def there(match: Mapping[str, Any]) -> bool:
    """Does the selection depend on other records, whose changes leave the record's own stamp alone?"""
    where = match.get("where")
    return bool(campaigns(match)) or (isinstance(where, str) and has_one(where))


def has_one(where: str) -> bool:
    return _OPENS.search(_STRING.sub("''", where)) is not None


def problems(match: Mapping[str, Any], kind: str) -> list[str]:
    """What Salesforce would refuse of the semi-joins, one sentence each."""
    named = campaigns(match)
    found = [f"match.campaign: {one!r} is no id of a campaign (701…)" for one in named if not _is_campaign(one)]
    if "campaign" in match and not named:
        found.append("match.campaign must be the id of a campaign (701…), or several")
    where = match.get("where")
    bare = _STRING.sub("''", where) if isinstance(where, str) else ""
    if not _OPENS.search(bare):
        return found
    return found + [f"match.where {wrong}" for wrong in _wrong(bare, kind, beside=bool(named))]


def _is_campaign(text: str) -> bool:
    return text.startswith("701") and to18(text) is not None


def _wrong(bare: str, kind: str, *, beside: bool) -> Iterator[str]:
    inner, outer, depths = _split(bare)
    if not inner:
        yield "has a sub-query that no IN stands before"
    if any(depths):
        yield "has a semi-join in brackets: Salesforce takes it outside of all brackets only"
    if _OR.search(outer):
        yield "joins a semi-join with OR: Salesforce takes AND beside it only"
    if _NOT.search(outer):
        yield "has NOT beside a semi-join: write NOT IN"
    if len(inner) + beside > MOST:
        yield f"has too many semi-joins: Salesforce takes {MOST}" + (", with that of `campaign`" if beside else "")
    for select in inner:
        yield from _wrong_inside(select, kind)


def _wrong_inside(select: str, kind: str) -> Iterator[str]:
    if _OPENS.search(select):
        yield "has a semi-join within a semi-join"
    if found := _UNWANTED.search(select):
        yield f"has {found[0].upper()} in a semi-join"
    source = _SOURCE.search(select)
    if source and source[1].casefold() == kind.casefold():
        yield f"has a semi-join that asks about {kind} itself: Salesforce wants another object there"


def _split(bare: str) -> tuple[Sequence[str], str, Sequence[int]]:
    """The sub-selects, what is left outside of all brackets, and how deep in brackets each sub-select stands."""
    inner, outer, depths, depth, start, at = [], "", [], 0, -1, -1
    for i, c in enumerate(bare):
        if c == "(":
            if start < 0 and _OPENS.match(bare, i) and _BEFORE.search(bare[:i]):
                start, at = i, depth
                depths.append(depth)
            depth += 1
        elif c == ")":
            depth -= 1
            if start >= 0 and depth == at:
                inner.append(bare[start + 1 : i])
                start = -1
        elif depth == 0:
            outer += c
    return inner, outer, depths
