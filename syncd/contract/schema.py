"""What a CRM's own schema offers for the fields that syncd fills: pure, the same for every CRM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from syncd.frozen import frozen

from .model import ASKED, Field, FieldMap

# What the name or the label of a property of the customer's own ends with, or holds.
_SAYS = {
    Field.EMAIL: re.compile(r"e-?_?mail([ _]?address)?(__c)?$", re.IGNORECASE),
    Field.PHONE: re.compile(r"((tele)?phone|[ _]tel)([ _]?number)?(__c)?$", re.IGNORECASE),
    Field.MOBILE: re.compile(r"mobile|cell[ _]?phone", re.IGNORECASE),
    Field.LINKEDIN: re.compile(r"linked.?in", re.IGNORECASE),
}


@frozen(kw_only=True)
class Property:
    """A text property of an object. `own`: the customer has made it."""

    name: str
    label: str
    writable: bool
    own: bool


@frozen(kw_only=True)
class Proposal:
    """Where the fields of an object live, as far as its schema tells; what has no place there is missing.

    `opt_outs` are the properties by which the CRM says who is to be left alone. `options` are those of the connection
    that this schema makes necessary.
    """

    fields: Mapping[Field, FieldMap]
    opt_outs: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


def mapped(properties: Iterable[Property], usual: Mapping[Field, FieldMap]) -> dict[Field, FieldMap]:
    """The usual property of each field where it is there and may be written, or else one that says so. Whatever else
    says that it holds an e-mail or a phone counts as having one."""
    known = {one.name: one for one in properties}
    found = {name: _place(name, usual.get(name), known) for name in _SAYS}
    return {name: place for name, place in found.items() if place}


def _place(wanted: Field, usual: FieldMap | None, known: Mapping[str, Property]) -> FieldMap | None:
    alike = _alike(wanted, known.values())
    names = [*((usual.property,) if usual else ()), *alike]
    chosen = next((name for name in names if name in known and known[name].writable), None)
    if chosen is None:
        return None
    also = (*((usual.property, *usual.also) if usual else ()), *alike) if wanted in ASKED else ()
    others = dict.fromkeys(name for name in also if name in known and name != chosen)
    return FieldMap(property=chosen, also=tuple(others))


def _alike(wanted: Field, properties: Iterable[Property]) -> Sequence[str]:
    """The customer's own properties that say what they hold."""
    says = _SAYS[wanted]
    return sorted(one.name for one in properties if one.own and (says.search(one.name) or says.search(one.label)))
