"""Where the fields of an object live: the CRM's own schema proposes it, the operator decides."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from syncd.cli.output import tell
from syncd.config import Kind
from syncd.contract.model import ASKED, Field, FieldMap, Selection
from syncd.contract.ports import CrmCapabilities, ProposesFields
from syncd.contract.schema import Proposal

from .answers import Answers
from .connections import Connections, Refused

NONE = "-"  # typed where a field is to have no property
COMES_WITH = {Field.MOBILE: Field.PHONE}  # is filled only where the other one is asked for


def agreed(connections: Connections, crm: Kind, kind: str, wanted: Collection[Field]) -> Proposal:
    """For an object of a CRM: proposed, corrected, and seen by the CRM to be usable."""
    sync, answers = f"{crm.name}-{kind}", connections.answers
    found = asyncio.run(_proposed(connections, crm, kind, wanted))
    _show(sync, found)
    while True:
        chosen = _corrected(answers, sync, found)
        selection = Selection(object=kind, fields={name: one for name, one in chosen.fields.items() if name in ASKED})
        if not selection.fields:
            raise Refused(f"{sync}: no property may be written there for {' or '.join(wanted)}; see the CRM's rights")
        if connections.is_taken(crm.name, [selection]):
            return chosen
        if answers.interactive and not answers.agreed("Choose other properties?", default=True):
            return chosen
        connections.once_more(sync, [key for key in answers.given if key.startswith(f"{sync}.")])


async def _proposed(connections: Connections, crm: Kind, kind: str, wanted: Collection[Field]) -> Proposal:
    made: Any = connections.make(crm.name)
    usual = crm.capabilities.objects[kind] if isinstance(crm.capabilities, CrmCapabilities) else {}
    try:
        found = await made.propose(kind) if isinstance(made, ProposesFields) else Proposal(fields=usual)
    finally:
        await made.aclose()
    kept = {name: one for name, one in found.fields.items() if _is_wanted(name, wanted)}
    return Proposal(fields=kept, opt_outs=found.opt_outs, options=found.options)


def _is_wanted(name: Field, wanted: Collection[Field]) -> bool:
    return COMES_WITH.get(name, name) in wanted or (name not in ASKED and name not in COMES_WITH)


def _show(sync: str, found: Proposal) -> None:
    tell(f"\n{sync}: what the CRM's own schema offers")
    for name, place in found.fields.items():
        also = f" (these count too: {', '.join(place.also)})" if place.also else ""
        tell(f"  {name:<9} {place.property}{also}")
    tell(f"  opt-outs  {', '.join(found.opt_outs) or 'none that we can see'}")


def _corrected(answers: Answers, sync: str, found: Proposal) -> Proposal:
    """As the operator wants it: taken as it is, or property by property."""
    given = any(key.startswith(f"{sync}.") for key in answers.given)
    if not given and answers.agreed("Write to these?", default=True):
        return found
    places = {name: _place(answers, sync, name, place) for name, place in found.fields.items()}
    fields = {name: place for name, place in places.items() if place}
    return Proposal(fields=fields, opt_outs=found.opt_outs, options=found.options)


def _place(answers: Answers, sync: str, name: Field, found: FieldMap) -> FieldMap | None:
    key = f"{sync}.{name}"
    chosen = answers.text(key, f"Property for {name} ({NONE} for none)", found.property)
    if chosen in ("", NONE):
        return None
    if name not in ASKED:
        return FieldMap(property=chosen)
    usual = [one for one in (found.property, *found.also) if one != chosen]
    also = answers.text(f"{key}.also", f"Others that count as {name}, with commas", ",".join(usual))
    return FieldMap(property=chosen, also=tuple(filter(None, (one.strip() for one in also.split(",")))))
