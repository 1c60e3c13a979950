"""Salesforce's records in our words: which fields are read, and what they say.

Pure: a record goes in, a Contact or a Snapshot comes out. Who fetches records is the business of `org`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from syncd.contract import normal
from syncd.contract.model import (
    Author,
    Contact,
    ContactRef,
    Field,
    Identity,
    Selection,
    Snapshot,
    Version,
    cleared_by_person,
)

from . import consent, person
from .options import Options

Record = Mapping[str, Any]

STAMP = "SystemModstamp"  # indexed, never before LastModifiedDate; seconds, no fractions
TYPES = {"contacts": "Contact", "leads": "Lead"}  # our objects, and Salesforce's
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_LINKEDIN = re.compile(r"linked.?in", re.IGNORECASE)
_STATE = (*consent.RECORD, "IsConverted", "IsPersonAccount")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What our user may see of an object, from its describe: by API name; what FLS hides is not in it."""

    fields: Mapping[str, Mapping[str, Any]]
    account: frozenset[str] = frozenset()  # the account's fields
    individual: frozenset[str] = frozenset()  # the individual's, whose preferences are those of the person
    updateable: bool = True  # the object, by this user

    def writable(self, name: str) -> bool:
        return self.updateable and self.fields.get(name, {}).get("updateable") is True

    def sees(self, path: str) -> bool:
        """May our user read this field, or this one of the record's account or individual?"""
        parent, _, name = path.rpartition(".")
        return name in {"": self.fields, "Account": self.account, "Individual": self.individual}.get(parent, ())


@dataclass(frozen=True, slots=True)
class Lens:
    """How one selection looks at the records of one object."""

    connection: str
    selection: Selection
    options: Options
    catalogue: Catalogue
    us: str = ""  # our user's id
    tracked: bool = False  # is there a field history?
    type: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "type", TYPES[self.selection.object])

    @property
    def needed(self) -> tuple[str, ...]:
        """The fields without which nothing can be pulled: those that a record may lack."""
        return tuple(fields.property for fields in self.selection.fields.values())

    @property
    def mapped(self) -> tuple[str, ...]:
        """All fields that hold what a record may lack."""
        return tuple(name for fields in self.selection.fields.values() for name in (fields.property, *fields.also))

    @property
    def written(self) -> tuple[str, ...]:
        """The fields that the selection writes to; an extra one only where our user may write it."""
        needed = (fields.property for fields in self.selection.fields.values())
        extras = (fields.property for fields in self.selection.extras.values())
        return tuple(dict.fromkeys((*needed, *(name for name in extras if self.catalogue.writable(name)))))

    @property
    def linkedin(self) -> str | None:
        """The field with the profile's address: the one that is set, or a custom one that says LinkedIn."""
        if self.options.linkedin_field is not None:
            return self.options.linkedin_field if self.options.linkedin_field in self.catalogue.fields else None
        found = [
            (one.get("type") != "url", name)
            for name, one in self.catalogue.fields.items()
            if one.get("custom") is True and one.get("type") in {"url", "string"}
            if _LINKEDIN.search(name) or _LINKEDIN.search(str(one.get("label") or ""))
        ]
        return min(found)[1] if found else None

    def columns(self) -> list[str]:
        """What a query selects: only what our user can see, since one field too many fails the whole of it."""
        account = (f"Account.{name}" for name in person.ACCOUNT)
        individual = (f"Individual.{name}" for name in consent.INDIVIDUAL)
        return [*self.checked(), *(path for path in (*account, *individual) if self.catalogue.sees(path))]

    def checked(self) -> list[str]:
        """The record's own fields: what can be read by id, without its account and its individual."""
        extras = (name for fields in self.selection.extras.values() for name in (fields.property, *fields.also))
        own = (*self.mapped, *extras, *person.FIELDS[self.type], self.linkedin or "")
        wanted = dict.fromkeys((*own, *_STATE, "LastModifiedDate", STAMP, self.selection.request))
        return ["Id", *(name for name in wanted if self.catalogue.sees(name))]

    def closing(self) -> list[str]:
        """The fields that are true for people who opted out, and that are told of by `blocked`."""
        return consent.closing(self.selection.writable, self.catalogue.sees)

    def ref(self, record: Record) -> ContactRef:
        return ContactRef(connection=self.connection, object=self.selection.object, id=str(record["Id"]))

    def contact(self, record: Record, past: Sequence[Record] = ()) -> Contact:
        return Contact(
            ref=self.ref(record),
            revision=text(record, STAMP),
            identity=self._identity(record),
            values=self._held(record),
            blocked=self._blocked(record, past),
            requested=text(record, self.selection.request).lower() == "true" if self.selection.request else False,
        )

    def snapshot(self, asked: ContactRef, record: Record | None, past: Sequence[Record] = ()) -> Snapshot:
        """`past` are the rows of the record's field history, where there is one."""
        if record is None:
            return Snapshot(ref=asked, current=None)
        ours = self.ref(record)
        fields = self.selection.writable.items()
        return Snapshot(
            ref=asked,
            current=asked if to18(asked.id) == ours.id else ours,
            revision=text(record, STAMP),
            identity=self._identity(record),
            values={f: value for f, m in fields if (value := text(record, m.property))},
            elsewhere=frozenset(f for f, _ in fields if self._is_elsewhere(record, f)),
            blocked=self._blocked(record, past),
            versions={f: self._versions(past, m.property) for f, m in fields} if self.us else {},
            changed_at=text(record, "LastModifiedDate"),
        )

    def _held(self, record: Record) -> dict[Field, str]:
        """What the mapped fields hold, or else those that also count."""
        held = {}
        for one, fields in self.selection.writable.items():
            value = next((v for n in (fields.property, *fields.also) if (v := text(record, n))), "")
            if value:
                held[one] = value
        return held

    def _is_elsewhere(self, record: Record, field: Field) -> bool:
        """Does another field hold it? Not one that is written as an extra: phone and mobile may both be filled."""
        extras = {fields.property for one, fields in self.selection.extras.items() if one is not field}
        return any(name not in extras and text(record, name) for name in self.selection.writable[field].also)

    def _blocked(self, record: Record, past: Sequence[Record]) -> dict[Field, str]:
        """Fields that are not filled, and why; an opt-out is told of a field that holds something, too."""
        found = {one: self._obstacle(record, one, past) for one in self.selection.writable}
        return {one: reason for one, reason in found.items() if reason}

    def _obstacle(self, record: Record, one: Field, past: Sequence[Record]) -> str | None:
        """Opt-outs come first: their reason speaks of the person, every other one of this record alone."""
        if reason := consent.opt_out(partial(text, record), one):
            return reason
        if record.get("IsPersonAccount") is True:
            return "person_account"  # its address is kept on the account
        if record.get("IsConverted") is True:
            return "converted"  # read-only from then on
        name = self.selection.writable[one].property
        cleared = not text(record, name) and cleared_by_person(self._versions(past, name))
        return "cleared_by_person" if cleared else None

    def _versions(self, past: Sequence[Record], name: str) -> tuple[Version, ...]:
        """A field's history, newest first. Flows run as whoever set them off: all but ourselves are people."""
        rows = [row for row in past if row.get("Field") == name]
        read = [
            Version(
                value=text(row, "NewValue"),
                at=text(row, "CreatedDate"),
                by=Author.MACHINE if self.us and text(row, "CreatedById")[:15] == self.us[:15] else Author.PERSON,
            )
            for row in rows
        ]
        return tuple(sorted(read, key=lambda version: version.at, reverse=True))  # stable among equal stamps

    def _identity(self, record: Record) -> Identity:
        own = person.identity(partial(text, record), self.selection.writable, self.linkedin)
        site = text(record, "Account.Website") or text(record, "Website")
        return replace(own, domain=work_domain(site) or work_domain(own.email or ""))


def text(record: Record, path: str) -> str:
    """A field as text; "" where it is null or absent, also where `Account` itself is null."""
    value: Any = record
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return "" if value is None else str(value).strip()


def to18(raw: str) -> str | None:
    """An id in its form of 18 characters; None when it is none. The first 15 are case-sensitive."""
    if not _ID.fullmatch(raw):
        return None
    parts = (raw[0:5], raw[5:10], raw[10:15])
    return raw[:15] + "".join(_CHECK[sum(c.isupper() << i for i, c in enumerate(part))] for part in parts)


def work_domain(raw: str) -> str | None:
    """The host of a web or mail address, unless everybody may have a mailbox there."""
    return normal.employer_host(raw)
