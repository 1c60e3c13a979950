"""The properties that tell of a value where it is from: whether a portal has them, and making them.

Source: HubSpot, "Properties" (CRM API). Names can't be changed afterwards; who may make properties needs the scope
crm.schemas.contacts.write, which nothing else here does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.contract.errors import ConnectorError, Halt, Trouble
from syncd.contract.model import Finding, Level, Selection, Told

from .calls import Calls, Route
from .portal import Catalogue, Portal, is_read_only

GROUP = "syncd"
LABELS: Mapping[str, str] = {
    Told.SOURCE: "Enrichment source",
    Told.AT: "Enriched at",
    Told.STATUS: "Enrichment status",
    Told.RUN: "Enrichment run",
    "request": "Enrich now",
}
_REQUEST = "request"
_KINDS: Mapping[str, Mapping[str, object]] = {
    Told.AT: {"type": "datetime", "fieldType": "date"},
    _REQUEST: {
        "type": "bool",
        "fieldType": "booleancheckbox",
        "options": [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}],
    },
}
_TAKES = {Told.AT: ("datetime", "string")}  # types of property; of all others: text
_TEXT = ("string",)
_THERE = (409,)  # somebody has made it at the same time


def wrong(told: str, name: str, catalogue: Catalogue) -> Iterator[str]:
    """Why a property can't take what it is to tell."""
    definition = catalogue.get(name)
    if definition is None:
        yield f"the portal has no contact property {name!r}"
    elif is_read_only(definition):
        yield f"property {name!r} is read-only"
    elif definition.get("type") not in _TAKES.get(Told(told), _TEXT):
        yield f"property {name!r} is of type {definition.get('type')}"


def wrong_checkbox(name: str, catalogue: Catalogue) -> Iterator[str]:
    """Why nobody can want a contact now by this property."""
    definition = catalogue.get(name)
    if definition is None:
        yield f"the portal has no contact property {name!r}"
    elif definition.get("type") not in {"bool", "enumeration"} or is_read_only(definition):
        yield f"property {name!r} is no checkbox that we may clear"


async def make(calls: Calls, portal: Portal, selection: Selection, *, dry_run: bool) -> list[Finding]:
    """One finding for each property: it is there, it was made, or what a person has to do."""
    stamps = {**selection.stamps, **({_REQUEST: selection.request} if selection.request else {})}
    try:
        catalogue = await portal.catalogue(fresh=True)
        found = [await _one(calls, told, name, catalogue, dry_run=dry_run) for told, name in stamps.items()]
        if not dry_run:
            await portal.catalogue(fresh=True)
    except ConnectorError as error:
        cure = error.cure if isinstance(error, Halt) else "try again in a minute"
        by_hand = f"{cure}; or make the properties by hand in HubSpot's settings: {_in_words(stamps)}"
        return [Finding(level=Level.ERROR, what=str(error), cure=by_hand)]
    return found


async def _one(calls: Calls, told: str, name: str, catalogue: Catalogue, *, dry_run: bool) -> Finding:
    if name in catalogue:
        problems = wrong_checkbox(name, catalogue) if told == _REQUEST else wrong(told, name, catalogue)
        problem = next(problems, "")
        where = "request" if told == _REQUEST else "provenance"
        cure = f"name another property in `{where}`" if problem else ""
        level = Level.WARNING if problem else Level.OK
        return Finding(level=level, what=problem or f"property {name!r} is there", cure=cure)
    if not dry_run:
        await _make_one(calls, told, name)
    return Finding(level=Level.OK, what=f"property {name!r} {'would be' if dry_run else 'was'} made")


async def _make_one(calls: Calls, told: str, name: str) -> None:
    await _create(calls, Route.PROPERTY_GROUP, {"name": GROUP, "label": "syncd", "displayOrder": -1})
    kind = _KINDS.get(told, {"type": "string", "fieldType": "text"})
    await _create(calls, Route.NEW_PROPERTY, {"groupName": GROUP, "name": name, "label": LABELS[told], **kind})


async def _create(calls: Calls, route: Route, body: Mapping[str, object]) -> None:
    """Raises Halt where HubSpot does not want it; what is there already is as good."""
    answer = await calls.once(route, body)
    refusal = answer.refusal
    if answer.status in _THERE or "already exists" in refusal.message:
        return
    if answer.status >= 400:
        raise Halt(
            f"HubSpot did not make {body['name']!r}: {refusal.message}",
            trouble=Trouble.MISCONFIGURED,
            cure="choose a name of lower-case letters, digits and _",
        )


def _in_words(stamps: Mapping[str, str]) -> str:
    kinds = {Told.AT: "date and time", _REQUEST: "single checkbox"}
    return ", ".join(f"{name} ({kinds.get(told, 'single-line text')})" for told, name in stamps.items())
