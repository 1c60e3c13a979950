"""What a portal keeps: contacts and companies, every version of every property, who wrote it, who owns an e-mail.

The primary store, always fresh. The search index that lags behind it is in `index`; what HTTP makes of it in `objects`.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .replies import iso


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes: how the property history words it."""

    source_type: str
    source_id: str | None = None
    user_id: int | None = None
    label: str | None = None
    program: bool = False  # it is one, whatever the history says

    @property
    def human(self) -> bool:
        return self.user_id is not None and not self.program


def colleague(user_id: int = 28604240) -> Author:
    """A person who edits in HubSpot's own pages."""
    return Author("CRM_UI", f"userId:{user_id}", user_id)


BOOKED_AS_PERSON = replace(colleague(9071), program=True)
IMPORT = Author("IMPORT", "1441503", 28604240)
PORTAL = Author("CONTACTS", "CRM")


@dataclass(frozen=True, slots=True)
class Version:
    """One value a property has had."""

    value: str
    at: int  # ms
    author: Author

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"value": self.value, "timestamp": iso(self.at), "sourceType": self.author.source_type}
        if self.author.source_id:
            body["sourceId"] = self.author.source_id
        if self.author.label:
            body["sourceLabel"] = self.author.label
        if self.author.user_id is not None:
            body["updatedByUserId"] = self.author.user_id
        return body


@dataclass(frozen=True, slots=True)
class Write:
    """A line of the write log."""

    at: int  # ms
    author: Author
    record: int
    property: str
    before: str
    after: str


@dataclass(slots=True)
class Item:
    """A contact or company. `values` is replaced, never changed, so that an index may keep an old one."""

    id: int
    values: Mapping[str, str]
    created: int  # ms
    updated: int  # ms
    history: dict[str, list[Version]] = field(default_factory=dict)  # oldest first
    archived: bool = False
    companies: tuple[int, ...] = ()  # the primary one first


class Store:
    """All items of one object type. Tells `changed` about each item that became different."""

    def __init__(self, kind: str, modified: str, changed: Callable[[Item, int], None]) -> None:
        """`kind`: CONTACT or COMPANY; `modified`: the property that holds the time of the last change."""
        self.kind, self.modified, self._changed = kind, modified, changed
        self.items: dict[int, Item] = {}
        self.ids: list[int] = []  # of the items, sorted
        self.aliases: dict[int, int] = {}  # merged-away id to the id that stands for it now
        self.holders: dict[str, int] = {}  # e-mail, primary or additional, to its contact
        self.blocked_emails: set[str] = set()  # of people erased under the GDPR
        self.log: list[Write] = []

    def get(self, number: int) -> Item | None:
        """The item of that id, or of the one it was merged into; archived ones too."""
        while number in self.aliases:
            number = self.aliases[number]
        return self.items.get(number)

    def add(
        self, number: int, values: Mapping[str, str], author: Author, at: int, companies: Iterable[int] = ()
    ) -> Item:
        """A new item; blank values are left out."""
        kept = {name: value for name, value in values.items() if value}
        item = Item(number, {}, at, at, companies=tuple(companies))
        item.history = {name: [Version(value, at, author)] for name, value in kept.items()}
        item.values = kept
        self._keep(item)
        self._claim_emails(item, {})
        self._stamp(item, at)
        return item

    def write(self, item: Item, values: Mapping[str, str], author: Author, at: int) -> None:
        """Set properties; "" clears. A repeated value renews the stamp, not the history."""
        before = item.values
        after = dict(before)
        for name, value in values.items():
            old = before.get(name, "")
            self.log.append(Write(at, author, item.id, name, old, value))
            if value == old:
                continue
            item.history.setdefault(name, []).append(Version(value, at, author))
            if value:
                after[name] = value
            else:
                after.pop(name, None)
        item.values = after
        self._claim_emails(item, before)
        self._stamp(item, at)

    def archive(self, item: Item, at: int, *, erase: bool = False) -> None:
        """Into the recycling bin; `erase`: for good, as the GDPR has it, and its e-mails are refused from now on."""
        for email in _emails(item.values):
            self.holders.pop(email, None)
            if erase:
                self.blocked_emails.add(email)
        item.archived = True
        item.updated = at
        if erase:
            self._drop(item)
        self._changed(item, at)

    def merge(self, primary: Item, other: Item, new_id: int, at: int) -> Item:
        """A third record takes the place of both; the primary's values win over the other's."""
        gone = [*_ids(primary), *_ids(other)]
        values = {**other.values, **primary.values, "hs_merged_object_ids": ";".join(map(str, gone))}
        values["hs_all_contact_vids"] = ";".join(map(str, [new_id, *gone]))
        values["hs_calculated_merged_vids"] = ";".join(f"{number}:{at}" for number in gone)
        if (spare := other.values.get("email")) and spare != values.get("email"):
            values["hs_additional_emails"] = ";".join(filter(None, (values.get("hs_additional_emails"), spare)))
        item = Item(
            new_id, values, min(primary.created, other.created), at, companies=primary.companies or other.companies
        )
        item.history = {**other.history, **primary.history}
        for old in (primary, other):
            old.archived = True
            self.aliases[old.id] = new_id
            self._drop(old)
            self._changed(old, at)
        self._keep(item)
        self._claim_emails(item, {})
        self._stamp(item, at)
        return item

    def holder(self, email: str, besides: int) -> int | None:
        """The contact other than `besides` that has this e-mail, also as an additional one."""
        found = self.holders.get(email.lower())
        return found if found != besides else None

    def page(self, first: int, count: int, *, archived: bool) -> list[Item]:
        """The next `count` items by id, from `first` on."""
        rest = (self.items[one] for one in itertools.islice(self.ids, bisect.bisect_left(self.ids, first), None))
        return list(itertools.islice((item for item in rest if item.archived == archived), count))

    def _keep(self, item: Item) -> None:
        self.items[item.id] = item
        bisect.insort(self.ids, item.id)

    def _drop(self, item: Item) -> None:
        del self.items[item.id]
        del self.ids[bisect.bisect_left(self.ids, item.id)]

    def _claim_emails(self, item: Item, before: Mapping[str, str]) -> None:
        if self.kind != "CONTACT":
            return
        had, has = _emails(before), _emails(item.values)
        for email in had - has:
            if self.holders.get(email) == item.id:
                del self.holders[email]
        for email in has:
            self.holders[email] = item.id

    def _stamp(self, item: Item, at: int) -> None:
        item.updated = at
        values = {**item.values, "hs_object_id": str(item.id), "createdate": iso(item.created), self.modified: iso(at)}
        if self.kind == "CONTACT":
            values = _calculated(values)
        item.values = values
        self._changed(item, at)


def _emails(values: Mapping[str, str]) -> set[str]:
    listed = [values.get("email", ""), *values.get("hs_additional_emails", "").split(";")]
    return {email.lower() for email in listed if email}


def _ids(item: Item) -> list[int]:
    return [int(one) for one in item.values.get("hs_merged_object_ids", "").split(";") if one] + [item.id]


def _calculated(values: dict[str, str]) -> dict[str, str]:
    """The read-only properties that HubSpot derives from the others."""
    derived = {
        "hs_email_domain": values.get("email", "").partition("@")[2],
        "hs_searchable_calculated_phone_number": _searchable(values.get("phone", "")),
        "hs_searchable_calculated_mobile_number": _searchable(values.get("mobilephone", "")),
    }
    for name, value in derived.items():
        if value:
            values[name] = value
        else:
            values.pop(name, None)
    return values


def _searchable(phone: str) -> str:
    """Area code and local number only: the country code of the emulated countries is cut off."""
    return re.sub(r"^(1|44|33)(?=\d{9,})", "", re.sub(r"\D", "", phone))
