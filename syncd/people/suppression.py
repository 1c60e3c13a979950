"""By what a person is left alone: the normal forms of a suppression list's entries, and of what is compared with them.

A sign is a kind and a text in its one form. An entry of the list is the digest of one sign (see `ledger.suppressions`);
a contact is on the list if any of its signs is. Pure; nothing here knows who is on a list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from typing import NamedTuple

from . import emails, employers, evidence, profiles, suffixes
from .identity import Identity
from .text import ends


class Kind(StrEnum):
    """What an entry is about."""

    EMAIL = "email"
    DOMAIN = "domain"  # of an employer or of a mailbox, with all hosts below it
    PROFILE = "profile"
    PHONE = "phone"
    RECORD = "record"  # connection/object/id
    NAME = "name"  # a name at an employer: noted when a person is forgotten, never typed


TYPED = tuple(kind for kind in Kind if kind is not Kind.NAME)


class Sign(NamedTuple):
    """Something by which a person is recognised, in its one form."""

    kind: Kind
    text: str


_RECORD = re.compile(r"[^/\s]+/[^/\s]+/[^/\s]+")


def read(raw: str, kind: Kind | None = None) -> Sign:
    """The sign in a text that a person typed or imported. Without a kind, the text tells it.

    Raises ValueError, with what to write instead.
    """
    shown = raw.strip()
    wanted = kind or _kind_of(shown)
    text = _READ[wanted](shown)
    if text is None:
        raise ValueError(f"{shown!r} is no {wanted}: write {_LIKE[wanted]}")
    return Sign(wanted, text)


def _kind_of(shown: str) -> Kind:
    if "linkedin." in shown.casefold():
        return Kind.PROFILE
    if "@" in shown.strip("@"):
        return Kind.EMAIL
    if shown.startswith("+"):
        return Kind.PHONE
    return Kind.RECORD if _RECORD.fullmatch(shown) else Kind.DOMAIN


def _email(raw: str) -> str | None:
    address = emails.compared(raw)
    local, _, host = address.rpartition("@")
    return address if local and "." in host and " " not in address else None


def _domain(raw: str) -> str | None:
    host = employers.host(raw.removeprefix("@"))
    return host if host is not None and suffixes.parts(host) is not None else None


def _phone(raw: str) -> str | None:
    from . import phones  # noqa: PLC0415 - imported at the first number: 1.4 MB

    found = phones.read(raw)
    return found.e164 if isinstance(found, phones.Phone) else None


def _record(raw: str) -> str | None:
    return raw if _RECORD.fullmatch(raw) else None


def _name(_raw: str) -> str | None:
    return None


_READ: dict[Kind, Callable[[str], str | None]] = {
    Kind.EMAIL: _email,
    Kind.DOMAIN: _domain,
    Kind.PROFILE: profiles.read,
    Kind.PHONE: _phone,
    Kind.RECORD: _record,
    Kind.NAME: _name,
}
_LIKE = {
    Kind.EMAIL: "a whole address, such as ada@example.com",
    Kind.DOMAIN: "a host under which names are registered, such as example.com",
    Kind.PROFILE: "the address of a LinkedIn profile, such as https://www.linkedin.com/in/ada",
    Kind.PHONE: "a number with its country code, such as +33 6 39 98 00 01",
    Kind.RECORD: "connection/object/id, as `syncd contacts` shows it",
    Kind.NAME: "something else: a name alone identifies nobody",
}


def signs(known: Identity, kinds: Collection[Kind] = tuple(Kind)) -> set[Sign]:
    """All by which somebody is compared with a list that holds entries of these kinds. (A record's own id is for the
    caller to add.)"""
    return set(_signs(known, kinds))


def _signs(known: Identity, kinds: Collection[Kind]) -> Iterator[Sign]:
    for address in {known.email, *known.emails} - {None}:
        yield from of_mailbox(str(address), kinds)
    if known.domain and Kind.DOMAIN in kinds:
        yield from _hosts(known.domain)
    profile = profiles.read(known.linkedin_url) if Kind.PROFILE in kinds else None
    if profile:
        yield Sign(Kind.PROFILE, profile)
    for number in known.phones if Kind.PHONE in kinds else ():
        yield from _of_phone(number, known.country or known.employer_country)
    if Kind.NAME in kinds:
        yield from (Sign(Kind.NAME, key) for _, key in evidence.keys(known, evidence.MEDIUM))


def of_mailbox(address: str, kinds: Collection[Kind] = tuple(Kind)) -> Iterator[Sign]:
    """A mailbox, and the hosts that it is at."""
    text = _email(address)
    if text is not None:
        if Kind.EMAIL in kinds:
            yield Sign(Kind.EMAIL, text)
        if Kind.DOMAIN in kinds:
            yield from _hosts(text.rpartition("@")[2])


def of_value(value: str, is_mailbox: bool, kinds: Collection[Kind] = tuple(Kind)) -> set[Sign]:
    """What an answer brought, as a sign of whom it is about."""
    if is_mailbox:
        return set(of_mailbox(value, kinds))
    return set(_of_phone(value, None)) if Kind.PHONE in kinds else set()


def _of_phone(number: str, country: str | None) -> Iterator[Sign]:
    """A number, read as one of the country of its contact where it tells none."""
    from . import phones  # noqa: PLC0415 - imported at the first number: 1.4 MB

    found = phones.read(number, countries=(("", country),))
    if isinstance(found, phones.Phone):
        yield Sign(Kind.PHONE, found.e164)


def _hosts(host: str) -> Iterator[Sign]:
    """A host and those above it, down to the registrable domain."""
    bare = employers.host(host)
    whole = suffixes.parts(bare) if bare is not None else None
    if bare is not None and whole is not None:
        for end in ends(bare)[: bare.count(".") - whole.registrable.count(".") + 1]:
            yield Sign(Kind.DOMAIN, end)
