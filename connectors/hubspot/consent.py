"""Who does not want to be enriched: the properties that say so, and which fields each of them closes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from syncd.contract.model import Field

LEGAL_BASIS = "hs_legal_basis"


@dataclass(frozen=True, slots=True)
class OptOut:
    """A property of type bool; true closes these fields for this reason (one of the contract's OPT_OUTS)."""

    property: str
    reason: str
    fields: frozenset[Field]


# The strictest first: its reason is told where several hold, and it is searched for where there is room for one only.
OPT_OUTS = (
    # HubSpot's own, labelled "Enrichment opt out": this person is not to be enriched at all.
    OptOut("hs_contact_enrichment_opt_out", "enrichment_opt_out", frozenset(Field)),
    # "Unsubscribed from all email": nobody is to look for their address; it says nothing about the phone.
    OptOut("hs_email_optout", "opted_out", frozenset({Field.EMAIL})),
)


def opt_outs(texts: Mapping[str, str]) -> dict[Field, str]:
    """The fields that are closed to us, by the record with these properties, and why."""
    closed: dict[Field, str] = {}
    for one in OPT_OUTS:
        if texts.get(one.property, "").strip().lower() == "true":
            closed = dict.fromkeys(one.fields, one.reason) | closed
    return closed


def closing(fields: Collection[Field], known: Collection[str]) -> list[str]:
    """The properties of this portal that can close one of these fields, the strictest first."""
    return [one.property for one in OPT_OUTS if one.property in known and not one.fields.isdisjoint(fields)]
