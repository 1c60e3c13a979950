"""Whom a record is about: all mailboxes and numbers that it holds, and where a provider may write to. Pure.

The employer's domain is decided in `records`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from syncd.contract.model import Field, FieldMap, Identity

# HubSpot's own properties that hold something of this person's, besides those that a selection maps.
MAILBOXES = ("email", "work_email", "hs_additional_emails")
NUMBERS = ("phone", "mobilephone")
COUNTRIES = ("country", "hs_country_region_code")  # a name as somebody typed it, or else HubSpot's code
PROPERTIES = ("firstname", "lastname", "company", *COUNTRIES, *MAILBOXES, *NUMBERS)

_SEPARATORS = re.compile(r"[;,\s]+")  # hs_additional_emails is a list with semicolons; people write commas

Texts = Mapping[str, str]  # a record's properties; what is null is not in it


@dataclass(frozen=True, slots=True)
class Places:
    """The properties that hold something of the person, in the order in which they are believed."""

    mailboxes: tuple[str, ...]
    numbers: tuple[str, ...]
    profiles: tuple[str, ...]

    @classmethod
    def of(cls, mapped: Mapping[Field, FieldMap], profile: str) -> Places:
        """`profile` names the portal's property for the profile."""
        return cls(
            mailboxes=tuple(dict.fromkeys((*_names(mapped, Field.EMAIL), *MAILBOXES))),
            numbers=tuple(dict.fromkeys((*_names(mapped, Field.PHONE, Field.MOBILE), *NUMBERS))),
            profiles=(profile, *_names(mapped, Field.LINKEDIN)),
        )


def identity(
    texts: Texts,
    places: Places,
    *,
    company: str | None = None,
    domain: Callable[[str | None], str | None] = lambda _: None,
    employer_country: str | None = None,
) -> Identity:
    """What the record's own properties say, and what is told of the employer: `company` goes before the record's own
    word, `domain` gives the employer's, from the person's mailbox if need be.

    HubSpot's `email` is what a provider is told, or else the first mailbox that the record holds.
    """
    boxes = _unique(mailboxes(texts[name] for name in places.mailboxes if name in texts))
    email = texts.get("email", "").strip() or next(iter(boxes), None)
    return Identity(
        first_name=texts.get("firstname") or None,
        last_name=texts.get("lastname") or None,
        company=company or texts.get("company") or None,
        domain=domain(email),
        linkedin_url=_first(texts, places.profiles),
        email=email,
        country=_first(texts, COUNTRIES),
        employer_country=employer_country,
        emails=boxes,
        phones=_unique(texts[name].strip() for name in places.numbers if name in texts),
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


def _first(texts: Texts, names: Iterable[str]) -> str | None:
    for name in names:
        text = texts.get(name)
        if text and text.strip():
            return text
    return None


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case, in the form that came first; blanks are left out."""
    found: dict[str, str] = {}
    for value in values:
        if value:
            found.setdefault(value.casefold(), value)
    return tuple(found.values())
