"""Whom a record is about: all mailboxes and numbers that it holds, and where a provider may write to. Pure.

The employer's domain is decided in `records`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from syncd.contract.model import Field, FieldMap, Identity

# Codes exist where the org has switched on picklists for countries; names may be in any language.
_CONTACT_COUNTRIES = ("MailingCountryCode", "MailingCountry")
_LEAD_COUNTRIES = ("CountryCode", "Country")
_COUNTRIES = (*_CONTACT_COUNTRIES, *_LEAD_COUNTRIES)
_ACCOUNT_COUNTRIES = ("Account.BillingCountryCode", "Account.BillingCountry")
_NUMBERS = ("Phone", "MobilePhone")
_BOTH = ("FirstName", "LastName", "Email", *_NUMBERS)
FIELDS = {
    "Contact": (*_BOTH, *_CONTACT_COUNTRIES, "AccountId"),
    "Lead": (*_BOTH, *_LEAD_COUNTRIES, "Company", "Website"),
}
ACCOUNT = ("Name", "Website", "BillingCountryCode", "BillingCountry")

_SEPARATORS = re.compile(r"[;,\s]+")  # a custom text field may hold several addresses

Read = Callable[[str], str]


def identity(read: Read, mapped: Mapping[Field, FieldMap], profile: str | None) -> Identity:
    """What the record and its account say; `read` gives a field's text, `profile` names that of the profile.

    Without an employer's domain. `Email` is what a provider is told, or else the first mailbox that the record
    holds.
    """
    boxes = _unique(mailboxes(read(name) for name in ("Email", *_names(mapped, Field.EMAIL))))
    numbers = (*_names(mapped, Field.PHONE, Field.MOBILE), *_NUMBERS)
    return Identity(
        first_name=read("FirstName") or None,
        last_name=read("LastName") or None,
        company=read("Account.Name") or read("Company") or None,
        linkedin_url=_first(read, (*([profile] if profile else []), *_names(mapped, Field.LINKEDIN))),
        email=read("Email") or next(iter(boxes), None),
        country=_first(read, _COUNTRIES),
        employer_country=_first(read, _ACCOUNT_COUNTRIES),
        emails=boxes,
        phones=_unique(read(name) for name in numbers),
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
    return next((value for name in names if (value := read(name))), None)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case, in the form that came first; blanks are left out."""
    found: dict[str, str] = {}
    for value in values:
        if value:
            found.setdefault(value.casefold(), value)
    return tuple(found.values())
