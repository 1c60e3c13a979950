"""Whom a record is about: all mailboxes and numbers that it holds, and where a provider may write to. Pure.

The employer's domain is decided in `records`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from syncd.contract.model import Field, FieldMap, Identity

# HubSpot's own properties that hold something of this person's, besides those that a selection maps.
MAILBOXES = ("email", "work_email", "hs_additional_emails")
NUMBERS = ("phone", "mobilephone")
COUNTRIES = ("country", "hs_country_region_code")  # a name as somebody typed it, or else HubSpot's code
PROPERTIES = ("firstname", "lastname", "company", *COUNTRIES, *MAILBOXES, *NUMBERS)

_SEPARATORS = re.compile(r"[;,\s]+")  # hs_additional_emails is a list with semicolons; people write commas

Read = Callable[[str], str]


def identity(read: Read, mapped: Mapping[Field, FieldMap], profile: str) -> Identity:
    """What the record's own properties say; `read` gives a property's text, `profile` names that of the profile.

    Without an employer's domain. HubSpot's `email` is what a provider is told, or else the first mailbox that
    the record holds.
    """
    boxes = _unique(mailboxes(read(name) for name in (*_names(mapped, Field.EMAIL), *MAILBOXES)))
    numbers = _names(mapped, Field.PHONE, Field.MOBILE)
    return Identity(
        first_name=read("firstname") or None,
        last_name=read("lastname") or None,
        company=read("company") or None,
        linkedin_url=_first(read, (profile, *_names(mapped, Field.LINKEDIN))),
        email=read("email").strip() or next(iter(boxes), None),
        country=_first(read, COUNTRIES),
        emails=boxes,
        phones=_unique(read(name).strip() for name in (*numbers, *NUMBERS)),
    )


def mailboxes(texts: Iterable[str]) -> Iterator[str]:
    """Everything in these texts that has the form of an address."""
    for text in texts:
        for part in _SEPARATORS.split(text):
            local, at, host = part.rpartition("@")
            if local and at and host:
                yield part


def _names(mapped: Mapping[Field, FieldMap], *fields: Field) -> list[str]:
    maps = [mapped[field] for field in fields if field in mapped]
    return [name for one in maps for name in (one.property, *one.also)]


def _first(read: Read, names: Iterable[str]) -> str | None:
    return next((value for name in names if (value := read(name)).strip()), None)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case, in the form that came first; blanks are left out."""
    found: dict[str, str] = {}
    for value in values:
        if value:
            found.setdefault(value.casefold(), value)
    return tuple(found.values())
