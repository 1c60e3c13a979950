"""What an object's fields offer for e-mails, phones and profiles, and how it tells of opt-outs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.contract.model import Field, FieldMap
from syncd.contract.schema import Property, Proposal, mapped

from .records import Lens

TEXT = {"email", "phone", "string", "url", "textarea"}


def proposed(lens: Lens) -> Proposal:
    """Where the fields of this object live, as far as our user sees them."""
    profile = {Field.LINKEDIN: FieldMap(property=lens.linkedin)} if lens.linkedin else {}
    places = {**lens.selection.fields, Field.MOBILE: FieldMap(property="MobilePhone"), **profile}
    seen = lens.catalogue.fields.items()
    properties = [_property(lens, name, one) for name, one in seen if one.get("type", "string") in TEXT]
    return Proposal(fields=mapped(properties, places), opt_outs=tuple(lens.closing()))


def _property(lens: Lens, name: str, definition: Mapping[str, Any]) -> Property:
    usable = definition.get("filterable") is not False and lens.catalogue.writable(name)
    label = str(definition.get("label") or "")
    return Property(name=name, label=label, writable=usable, own=definition.get("custom") is True)
