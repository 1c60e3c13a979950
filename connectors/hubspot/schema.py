"""What a portal's properties offer for e-mails, phones and profiles, and how it tells of opt-outs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.contract.model import Field, FieldMap
from syncd.contract.schema import Property, Proposal, mapped

from . import consent
from .options import Options
from .portal import Catalogue, is_read_only

TEXT = {"string", "phone_number"}


def proposed(catalogue: Catalogue, options: Options, usual: Mapping[Field, FieldMap]) -> Proposal:
    """Where the fields of contacts live in this portal."""
    places = {
        **usual,
        Field.MOBILE: FieldMap(property="mobilephone"),
        Field.LINKEDIN: FieldMap(property=options.linkedin_property),
    }
    properties = [_property(name, one) for name, one in catalogue.items() if one.get("type", "string") in TEXT]
    fields = mapped(properties, places)
    profile = fields.get(Field.LINKEDIN)
    other = profile is not None and options.linkedin_property not in catalogue
    return Proposal(
        fields=fields,
        opt_outs=tuple(consent.closing(list(Field), catalogue)),
        options={"linkedin_property": profile.property} if profile and other else {},
    )


def _property(name: str, definition: Mapping[str, Any]) -> Property:
    label = str(definition.get("label") or "")
    own = definition.get("hubspotDefined") is not True
    return Property(name=name, label=label, writable=not is_read_only(definition), own=own)
