"""A CRM that the suite plays in: a connection, and the hands of the people behind it.

In here: what the author of a connector gives, and the words in which the suite speaks of it. Not in here: any kind of
CRM.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from syncd.contract.model import (
    Change,
    Contact,
    ContactRef,
    Field,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
    WriteStatus,
)
from syncd.contract.ports import Crm

MAIL, OTHER_MAIL = "ada@example.com", "grace@example.com"
PHONE, OTHER_PHONE = "+442079460123", "+442079460124"
PROFILE = "https://www.linkedin.com/in/ada-example"


class CrmWorld(Protocol):
    """A CRM with nobody in it yet, and what people do there."""

    selection: Selection
    extended: Selection  # the same, with mobile numbers and profiles in properties of their own
    refused_email: str  # an address that this CRM never takes

    @property
    def crm(self) -> Crm:
        """A connection to it."""

    def add(self, first_name: str, email: str = "", phone: str = "", mobile: str = "") -> str:
        """A person types in a new contact; returns its id."""

    def edit(self, record: str, field: Field, value: str) -> None:
        """A person sets a field; "" clears it."""

    def rename(self, record: str, first_name: str, last_name: str) -> None:
        """A person makes the record somebody else's."""

    def opt_out(self, record: str) -> str:
        """The contact does not want e-mails any more; returns the reason that is told of it."""

    def remove(self, record: str) -> None:
        """A person deletes a contact."""

    def merge(self, loser: str, winner: str) -> str:
        """A person merges two contacts; returns the id that is left."""

    def held(self, record: str, field: Field) -> str:
        """What the CRM holds in the mapped property."""

    def count(self) -> int:
        """How many contacts there are."""

    def forbid(self, *, forbidden: bool = True) -> None:
        """An administrator takes away our right to write e-mails, or gives it back."""

    def hide_mobile(self) -> None:
        """An administrator takes away our right to see the mobile number, which also counts as a phone number."""

    def clear_by_program(self, record: str) -> None:
        """A program, not a person, clears the e-mail address."""

    def conditions(self) -> Mapping[str, tuple[Mapping[str, Any], Callable[[str, bool], None]]]:
        """Every kind of term that `match` may have here: an example, and how a person makes a record meet it or not."""

    def settle(self) -> None:
        """Time passes until searches see everything."""


Act = Callable[[CrmWorld], Awaitable[None]]
Play = Callable[[Act], None]


async def pages(world: CrmWorld, cursor: Any = None, selection: Selection | None = None) -> list[Page]:
    return [page async for page in world.crm.pull(selection or world.selection, cursor)]


async def pulled(world: CrmWorld, cursor: Any = None, selection: Selection | None = None) -> dict[str, Contact]:
    return {contact.ref.id: contact for page in await pages(world, cursor, selection) for contact in page.contacts}


def ref(world: CrmWorld, record: str) -> ContactRef:
    return ContactRef(connection=world.crm.name, object=world.selection.object, id=record)


async def read(world: CrmWorld, *records: str, selection: Selection | None = None) -> dict[str, Snapshot]:
    snapshots = await world.crm.read([ref(world, record) for record in records], selection or world.selection)
    assert len(snapshots) == len(records)
    return {snapshot.ref.id: snapshot for snapshot in snapshots}


async def change(world: CrmWorld, record: str, field: Field, new: str) -> Change:
    """A decision on a fresh snapshot."""
    snapshot = (await read(world, record, selection=world.extended))[record]
    expected = snapshot.values.get(field, "")
    return Change(ref=ref(world, record), field=field, expected=expected, new=new, revision=snapshot.revision)


async def write(world: CrmWorld, *changes: Change) -> dict[tuple[str, Field], WriteOutcome]:
    outcomes = await world.crm.write(changes, world.extended)
    found = {(outcome.ref.id, outcome.field): outcome for outcome in outcomes}
    assert len(found) == len(outcomes) == len(changes)
    return found


async def status(world: CrmWorld, *changes: Change) -> dict[tuple[str, Field], WriteStatus]:
    return {key: outcome.status for key, outcome in (await write(world, *changes)).items()}


async def looked(world: CrmWorld, *records: str, selection: Selection | None = None) -> dict[str, Contact]:
    found = await world.crm.look([ref(world, record) for record in records], selection or world.selection)
    assert len({contact.ref for contact in found}) == len(found)
    assert {contact.ref for contact in found} <= {ref(world, record) for record in records}
    return {contact.ref.id: contact for contact in found}
