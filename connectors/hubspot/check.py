"""`syncd check` for a portal: token, scopes, properties, filters, daily limit. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.contract.errors import ConnectorError, Halt, Trouble, Unusable
from syncd.contract.model import EXTRAS, FieldMap, Finding, Level, Selection

from . import lists, properties, terms
from .answers import MissingScope
from .calls import Calls, Route
from .consent import LEGAL_BASIS
from .options import Options
from .portal import Catalogue, Portal, is_read_only
from .schema import TEXT

_BASIS = "provenance.legal_basis"
_AGAIN = "try again; if it stays so, look at base_url and at HubSpot's status page"


async def check(calls: Calls, portal: Portal, options: Options, selections: Sequence[Selection]) -> list[Finding]:
    """All findings about this connection; the first obstacle that hides the rest ends the list."""
    try:
        account = await portal.account()
        catalogue = await portal.catalogue(fresh=True)
    except ConnectorError as error:
        return [_finding(error, whole=True)]
    findings = [_portal(account, options), *_budget(calls, options), *_consent(catalogue, options)]
    for number, selection in enumerate(selections):
        wrong = list(_selection(selection, catalogue))
        found = wrong or [*await _counted(calls, selection, catalogue), *_tolerable(selection, catalogue)]
        findings += [replace(one, selection=number) for one in found]
    findings += await _companies(calls)
    findings += await _may_write(calls)
    return findings


def _portal(account: Mapping[str, Any], options: Options) -> Finding:
    zone = account.get("timeZone", "time zone unknown")
    what = f"portal {account.get('portalId', '?')} ({zone}), API {options.api_version}"
    if options.api_version == "v3":
        what += ", which HubSpot supports until September 2027"
    return Finding(level=Level.OK, what=what)


def _budget(calls: Calls, options: Options) -> Iterator[Finding]:
    if calls.limits.daily is None:  # HubSpot does not tell OAuth apps
        return
    limit, left = calls.limits.daily
    what = f"{left} of {limit} calls are left today"
    if left < limit * options.daily_reserve:
        cure = "find the app that uses them up, raise HubSpot's limit, or lower daily_reserve"
        yield Finding(level=Level.WARNING, what=f"{what}, less than the reserve", cure=cure)
    else:
        yield Finding(level=Level.OK, what=what)


def _consent(catalogue: Catalogue, options: Options) -> Iterator[Finding]:
    if options.require_legal_basis and "hs_legal_basis" not in catalogue:
        cure = "switch on data privacy in HubSpot's settings, or require_legal_basis off"
        yield Finding(level=Level.ERROR, what="the portal has no property hs_legal_basis", cure=cure)
    if options.linkedin_property not in catalogue:
        cure = "set linkedin_property to the one that holds profile addresses; without it fewer people are found"
        yield Finding(level=Level.WARNING, what=f"the portal has no property {options.linkedin_property}", cure=cure)


def _selection(selection: Selection, catalogue: Catalogue) -> Iterator[Finding]:
    if selection.object != "contacts":
        what = f"HubSpot's {selection.object} can't be synced"
        yield Finding(level=Level.ERROR, what=what, cure="set object: contacts", at="object")
    for field, fields in selection.fields.items():
        for wrong in _property(fields, catalogue):
            place = f"fields.{field}.property"
            yield Finding(level=Level.ERROR, what=wrong, cure=f"set another property for {field}", at=place)
    for problem in terms.problems(selection, catalogue):
        yield Finding(level=Level.ERROR, what=problem, cure="mend `match` of this sync", at="match")


def _property(fields: FieldMap, catalogue: Catalogue) -> Iterator[str]:
    if fields.property not in catalogue:
        yield f"the portal has no contact property {fields.property!r}"
    definition = catalogue.get(fields.property, {})
    kind = definition.get("type", "string")
    if kind not in TEXT:
        yield f"property {fields.property!r} is of type {kind}, not text"
    if is_read_only(definition):
        yield f"property {fields.property!r} is read-only"


def _beside(selection: Selection, catalogue: Catalogue) -> Iterator[Finding]:
    """Properties that are set or cleared beside values."""
    for told, name in selection.stamps.items():
        for wrong in properties.wrong(told, name, catalogue):
            what, cure = f"{wrong}: values are written without it", "run `syncd setup`, or take it out of `provenance`"
            yield Finding(level=Level.WARNING, what=what, cure=cure, at=f"provenance.{told}")
    if selection.legal_basis and (wrong := _basis(selection.legal_basis, catalogue)):
        cure = "write it as HubSpot's settings do, or take legal_basis out of `provenance`"
        yield Finding(level=Level.WARNING, what=f"{wrong}: values are written without", cure=cure, at=_BASIS)
    if selection.request:
        for wrong in properties.wrong_checkbox(selection.request, catalogue):
            cure = "make a single checkbox of that name, or take `request` out of the sync"
            yield Finding(level=Level.WARNING, what=f"{wrong}: nobody can tick it", cure=cure, at="request")


def _basis(text: str, catalogue: Catalogue) -> str:
    """Why a legal basis can't be named, or ""."""
    definition = catalogue.get(LEGAL_BASIS)
    if definition is None:
        return f"the portal has no property {LEGAL_BASIS} (data privacy is switched off)"
    options = definition.get("options")
    known = [str(one.get("value")) for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    return "" if text in known or not known else f"{LEGAL_BASIS} has no option {text!r}; it has {', '.join(known)}"


def _tolerable(selection: Selection, catalogue: Catalogue) -> Iterator[Finding]:
    """What the sync can do without: properties that also count, fields that come along with an answer, and searches
    for opt-outs."""
    for field, fields in selection.writable.items():
        for name in (one for one in fields.also if one not in catalogue):
            what = f"the portal shows us no contact property {name!r}: what it holds does not count as {field}"
            cure = f"take it out of `also` of {field}, or let us see it"
            yield Finding(level=Level.WARNING, what=what, cure=cure, at=f"fields.{field}.also")
    for field, fields in selection.extras.items():
        for wrong in _property(fields, catalogue):
            cure = f"set another property for {field}, or none; until then it is not filled"
            yield Finding(level=Level.WARNING, what=wrong, cure=cure, at=EXTRAS.get(field, ""))
    yield from _beside(selection, catalogue)
    for name in terms.unsearched(selection, catalogue):
        what = f"`match` leaves no room to search for {name}: who opted out is known only where something lacks"
        yield Finding(
            level=Level.WARNING, what=what, cure="take a filter out of `match`, or merge two into one", at="match"
        )


async def _counted(calls: Calls, selection: Selection, catalogue: Catalogue) -> list[Finding]:
    """How many there are to be looked after; of a list, how many are in it."""
    searched = await _search(calls, selection, catalogue)
    list_id = lists.wanted(selection.match)
    if list_id is None or any(one.level is Level.ERROR for one in searched):
        return searched
    try:
        found = await lists.find(calls, list_id)
    except Unusable as error:
        return [Finding(level=Level.ERROR, what=str(error), cure=error.cure, at="match")]
    except ConnectorError as error:
        return [_finding(error)]
    size = "?" if found.size is None else found.size
    return [Finding(level=Level.OK, what=f"list {list_id} ({found.name}, {found.kind}) holds {size} contacts")]


async def _search(calls: Calls, selection: Selection, catalogue: Catalogue) -> list[Finding]:
    """The right to read contacts, and HubSpot's own opinion of the filters."""
    body = {**terms.request(selection, catalogue, "0", None), "limit": 1}
    try:
        answer = await calls.safe(Route.SEARCH, body)
    except ConnectorError as error:
        return [_finding(error)]
    total = (answer.body or {}).get("total", "?")
    return [Finding(level=Level.OK, what=f"{total} contacts lack {' or '.join(selection.fields)}, or opted out")]


async def _companies(calls: Calls) -> list[Finding]:
    try:
        await calls.safe(Route.COMPANIES, {"inputs": [{"id": "0"}], "properties": ["name"]})
    except MissingScope as error:
        what = f"companies can't be read, so fewer people are found: {error}"
        return [Finding(level=Level.WARNING, what=what, cure=error.cure)]
    except ConnectorError as error:
        return [_finding(error)]
    return []


async def _may_write(calls: Calls) -> list[Finding]:
    """Ask for an update of nothing: scopes come before the inputs in HubSpot's order of checks."""
    try:
        await calls.once(Route.UPDATE, {"inputs": []})
    except ConnectorError as error:
        return [_finding(error)]
    return [Finding(level=Level.OK, what="contacts may be read and written")]


def _finding(error: ConnectorError, *, whole: bool = False) -> Finding:
    """`whole`: nothing at all can be had. A scope that lacks for one thing leaves the others as they are."""
    if not isinstance(error, Halt):
        return Finding(level=Level.ERROR, what=str(error), cure=_AGAIN, passing=True)
    alone = isinstance(error, MissingScope) or error.trouble is Trouble.MISCONFIGURED
    trouble = None if alone and not whole else error.trouble
    return Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=trouble)
