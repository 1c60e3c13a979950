"""HubSpot's records in our words: which properties are read, and what they say.

Pure: a record goes in, a Contact or a Snapshot comes out. Who fetches records is `portal`'s business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from syncd.contract import normal
from syncd.contract.model import (
    OPT_OUTS,
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
from .person import Texts

Record = Mapping[str, Any]

STAMP = "lastmodifieddate"  # contacts have this one; companies have hs_lastmodifieddate
_MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")
_EMPLOYER = ("website", "hs_email_domain", "associatedcompanyid")
_CONSENT = (*(one.property for one in consent.OPT_OUTS), consent.LEGAL_BASIS)

# Collected from public connectors; the list is open, and what is not on it counts as a person.
_MACHINES = {
    *("INTEGRATION", "API", "INTEGRATIONS_SYNC", "BATCH_UPDATE", "SALESFORCE", "EXTENSION", "AUTOMATION_PLATFORM"),
    *("EMAIL_INTEGRATION", "CONTACTS", "CONTACTS_WEB", "MIGRATION", "ANALYTICS", "TASK", "ASSISTS"),
}


@dataclass(frozen=True, slots=True)
class Company:
    """What a contact's primary company adds to its identity."""

    name: str | None = None
    domain: str | None = None
    country: str | None = None

    @classmethod
    def of(cls, record: Record) -> Company:
        domain = work_domain(prop(record, "domain")) or work_domain(prop(record, "website"))
        return cls(prop(record, "name") or None, domain, prop(record, "country") or None)


@dataclass(frozen=True, slots=True)
class Lens:
    """How one selection looks at contact records."""

    connection: str
    selection: Selection
    options: Options
    places: person.Places = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        places = person.Places.of(self.selection.writable, self.options.linkedin_property)
        object.__setattr__(self, "places", places)

    @property
    def needed(self) -> tuple[str, ...]:
        """The properties without which nothing can be pulled: those of the fields that a record may lack."""
        return tuple(fields.property for fields in self.selection.fields.values())

    @property
    def mapped(self) -> tuple[str, ...]:
        """All properties that hold a field that a record may lack."""
        return tuple(name for fields in self.selection.fields.values() for name in (fields.property, *fields.also))

    def properties(self, known: Collection[str]) -> list[str]:
        """What to read: only what the portal has, since HubSpot ignores the rest without a word."""
        extras = (name for fields in self.selection.extras.values() for name in (fields.property, *fields.also))
        own = (*person.PROPERTIES, *_EMPLOYER, self.options.linkedin_property)
        wanted = (*self.mapped, *extras, *own, *_CONSENT, *_MERGED, STAMP, self.selection.request)
        return [name for name in dict.fromkeys(wanted) if name in known]

    def history(self, known: Collection[str]) -> list[str]:
        """The properties to read with their history: those that are written."""
        wanted = dict.fromkeys(fields.property for fields in self.selection.writable.values())
        return [name for name in wanted if name in known]

    def ref(self, record: Record) -> ContactRef:
        return ContactRef(connection=self.connection, object=self.selection.object, id=record_id(record))

    def is_wanted(self, record: Record) -> bool:
        """Does it lack something, or is its checkbox ticked; or has the person opted out, so that their other records
        are left alone too?"""
        return (
            self.lacks(record)
            or self._is_requested(said := texts(record))
            or not OPT_OUTS.isdisjoint(self._blocked(record, said, self._own(said)).values())
        )

    def lacks(self, record: Record) -> bool:
        """Is there a field that neither its property nor another one holds?"""
        return not self.selection.fields.keys() <= self._held(texts(record)).keys()

    def contact(self, record: Record, company: Company) -> Contact:
        said = texts(record)
        return Contact(
            ref=self.ref(record),
            revision=said.get(STAMP, ""),
            identity=self._identity(said, company),
            values=self._held(said),
            blocked=self._blocked(record, said, self._own(said)),
            requested=self._is_requested(said),
        )

    def _is_requested(self, said: Texts) -> bool:
        return said.get(self.selection.request, "").lower() == "true"

    def snapshot(self, asked: ContactRef, record: Record | None) -> Snapshot:
        """The company stays out of the identity: to read it would be another call before each write."""
        if record is None:
            return Snapshot(ref=asked, current=None)
        fields, said = self.selection.writable, texts(record)
        own = self._own(said)
        past = {f: versions(record, m.property, self.options.app_id) for f, m in fields.items()}
        return Snapshot(
            ref=asked,
            current=self.ref(record),
            revision=said.get(STAMP, ""),
            identity=self._identity(said, _NO_COMPANY),
            values=own,
            elsewhere=frozenset(
                field for field, place in fields.items() if place.also and self._is_elsewhere(said, field)
            ),
            blocked=self._blocked(record, said, own, past),
            versions=past,
            legal_basis=said.get(consent.LEGAL_BASIS, "").strip(),
        )

    def _blocked(
        self,
        record: Record,
        said: Texts,
        own: Mapping[Field, str],
        past: Mapping[Field, Sequence[Version]] | None = None,
    ) -> dict[Field, str]:
        """Fields that are not filled, and why; an opt-out is told of a field that holds something, too. `own`: what
        the mapped properties hold; `past`: the fields' versions, where they were read already.

        Opt-outs come first: their reason speaks of the person, every other one of this record alone.
        """
        closed = consent.opt_outs(said)
        without_basis = self.options.require_legal_basis and blank(said.get(consent.LEGAL_BASIS, ""))
        found = {}
        for one, fields in self.selection.writable.items():
            if (reason := closed.get(one)) is not None:
                found[one] = reason
            elif without_basis:
                found[one] = "no_legal_basis"
            elif one not in own and cleared_by_person(
                versions(record, fields.property, self.options.app_id) if past is None else past[one]
            ):
                found[one] = "cleared_by_person"
        return found

    def _own(self, said: Texts) -> dict[Field, str]:
        """What the mapped properties themselves hold."""
        held = {one: said.get(fields.property, "") for one, fields in self.selection.writable.items()}
        return {one: value for one, value in held.items() if not blank(value)}

    def _held(self, said: Texts) -> dict[Field, str]:
        """What the mapped properties hold, or else those that also count."""
        held = {}
        for one, fields in self.selection.writable.items():
            for name in (fields.property, *fields.also):
                if name in said and not blank(said[name]):
                    held[one] = said[name]
                    break
        return held

    def _is_elsewhere(self, said: Texts, field: Field) -> bool:
        """Does another property hold it? Not one that is written as an extra: phone and mobile may both be filled."""
        also = [name for name in self.selection.writable[field].also if not blank(said.get(name, ""))]
        extras = {fields.property for one, fields in self.selection.extras.items() if one is not field} if also else ()
        return any(name not in extras for name in also)

    def _identity(self, said: Texts, company: Company) -> Identity:
        def domain(mailbox: str | None) -> str | None:
            told = (work_domain(said[name]) for name in ("hs_email_domain", "website") if name in said)
            # last, of a mailbox in another property than HubSpot's own
            return company.domain or next(filter(None, told), None) or work_domain((mailbox or "").rpartition("@")[2])

        return person.identity(said, self.places, company=company.name, domain=domain, employer_country=company.country)


_NO_COMPANY = Company()


def texts(record: Record) -> Texts:
    """Its properties as texts, without those that are null."""
    properties = record.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        name: value if type(value) is str else str(value) for name, value in properties.items() if value is not None
    }


def prop(record: Record, name: str) -> str:
    """A property as text; "" where it is null, absent or not even an object."""
    properties = record.get("properties")
    value = properties.get(name) if isinstance(properties, dict) else None
    return "" if value is None else str(value)


def blank(value: str) -> bool:
    return not value.strip()


def record_id(record: Record) -> str:
    """The id as HubSpot's own text: it is a 64-bit number that must not pass through a float."""
    return whole(record.get("id"))


def whole(value: object) -> str:
    """An id that may come as text, as a number, or as text of a float ("123.0")."""
    text = "" if value is None else str(value)
    return text.removesuffix(".0")


def merged_ids(record: Record) -> set[str]:
    """The ids that were merged into this record ("123;456", or "123:1600000000000;…")."""
    return {part.split(":")[0].strip() for name in _MERGED for part in prop(record, name).split(";")} - {""}


def milliseconds(stamp: str) -> int:
    """An ISO stamp or a number of milliseconds as Unix milliseconds; 0 where it is neither."""
    if stamp.isascii() and stamp.isdigit():
        return int(stamp)
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return 0
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def versions(record: Record, name: str, app_id: str | None) -> tuple[Version, ...]:
    """A property's history, newest first."""
    histories = record.get("propertiesWithHistory")
    entries = histories.get(name) if isinstance(histories, dict) else None
    if not isinstance(entries, list):
        return ()
    read = [_version(entry, app_id) for entry in entries if isinstance(entry, dict)]
    if len(read) > 1:
        read.sort(key=lambda version: version.at, reverse=True)  # stable among equal stamps
    return tuple(read)


def author(entry: Mapping[str, Any], app_id: str | None) -> Author:
    """Who made a history entry. Ours are known by the app's id; any sign of a user means a person."""
    source = str(entry.get("sourceId") or "")
    if app_id and source == app_id:
        return Author.MACHINE
    if entry.get("updatedByUserId") or source.startswith("userId:"):
        return Author.PERSON
    return Author.MACHINE if entry.get("sourceType") in _MACHINES else Author.PERSON


def work_domain(raw: str) -> str | None:
    """The host of a web or mail address, unless everybody may have a mailbox there."""
    return normal.employer_host(raw)


def _version(entry: Mapping[str, Any], app_id: str | None) -> Version:
    value = entry.get("value")
    at = _moment(str(entry.get("timestamp") or ""))
    return Version(value="" if value is None else str(value), at=at, by=author(entry, app_id))


@lru_cache(maxsize=1024)
def _moment(stamp: str) -> str:
    """A stamp in the form in which texts sort as moments do. What is written at once has one stamp."""
    moment = datetime.fromtimestamp(milliseconds(stamp) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
