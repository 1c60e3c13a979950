"""Who does not want to be enriched: the fields that say so, and what each of them closes. Pure.

Some stand on the record, others on the Individual that it refers to (Salesforce, object reference "Individual":
the preferences of one person, whatever records they have).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from syncd.contract.model import Field


@dataclass(frozen=True, slots=True)
class OptOut:
    """A boolean field, or one of the record's Individual; true closes these fields for this reason."""

    path: str
    reason: str  # one of the contract's OPT_OUTS
    fields: frozenset[Field]


# The strictest first: its reason is told where several hold.
OPT_OUTS = (
    # "Don't process my data", which includes collecting and sharing it.
    OptOut("Individual.HasOptedOutProcessing", "processing_opt_out", frozenset(Field)),
    # "Forget me": the record is to be deleted, so nothing may be added to it.
    OptOut("Individual.ShouldForget", "processing_opt_out", frozenset(Field)),
    # "Don't solicit me": addresses and numbers are sought to do just that.
    OptOut("Individual.HasOptedOutSolicit", "processing_opt_out", frozenset(Field)),
    # The channels: who opted out of one says nothing about the other.
    OptOut("HasOptedOutOfEmail", "opted_out", frozenset({Field.EMAIL})),
    OptOut("DoNotCall", "opted_out", frozenset({Field.PHONE, Field.MOBILE})),
)
RECORD = tuple(one.path for one in OPT_OUTS if "." not in one.path)
INDIVIDUAL = tuple(one.path.partition(".")[2] for one in OPT_OUTS if "." in one.path)


def opt_out(read: Callable[[str], str], field: Field) -> str | None:
    """Why this field is closed to us, by the record whose fields `read` gives; None where it is open."""
    found = (one.reason for one in OPT_OUTS if field in one.fields and read(one.path).lower() == "true")
    return next(found, None)


def closing(fields: Collection[Field], sees: Callable[[str], bool]) -> list[str]:
    """What can close one of these fields, of all that our user may see."""
    return [one.path for one in OPT_OUTS if sees(one.path) and not one.fields.isdisjoint(fields)]
