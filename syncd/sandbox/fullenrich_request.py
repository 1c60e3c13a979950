"""What FullEnrich accepts when a bulk is started, and what it refuses, in its two API versions.

Codes and messages are those of the vendor's OpenAPI document. Where it gives a code without a text,
or no code at all (too many contacts, a custom value that is no string, JSON that cannot be read),
the choice is inferred and says so. Blank strings are refused, as seen in the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from syncd.sandbox.people import profile

MOST_CONTACTS, MOST_KEYS, LONGEST_VALUE = 100, 10, 100

_DOMAIN = re.compile(r"[^\s/@:.]+(\.[^\s/@:.]+)+")
_TEXTS = {
    "error.authorization.not_set": "Authorization headers not set",
    "error.authorization.not_bearer": "Authorization headers do not have prefix 'bearer'",
    "error.api.key": "Unknown api key",
    "error.rate.limit": "Too many requests. Try again in 1m",
    "error.enrichment.name.empty": "Enrichment name not set",
    "error.enrichment.webhook_url": "Webhook URL must be start with http or https",
    "error.enrichment.data.empty": "Data is empty",
    "error.enrichment.first_name.empty": "First name cannot be empty",
    "error.enrichment.firstname.empty": "First name cannot be empty",
    "error.enrichment.last_name.empty": "Last name cannot be empty",
    "error.enrichment.lastname.empty": "Last name cannot be empty",
    "error.enrichment.domain.empty": "Domain cannot be empty",
    "error.enrichment.enrich_fields.empty": "enrichFields cannot be empty",
    "error.enrichment.custom.key.exceeded": "Custom field contains too many keys (max: 10 keys)",
    "error.enrichment.custom.value.exceeded": "Custom field value max len exceeded (max: 100 character)",
    "error.enrichment.in_progress": "Enrichment not ready, try again in 30 seconds",
    "error.enrichment.not_found": "Enrichment ID not found",
    # The code is known, the text is inferred:
    "error.enrichment.domain.invalid": "Domain is invalid",
    "error.enrichment.linkedin_url.invalid": "Linkedin URL is invalid",
    "error.linkedin.malformated": "Linkedin URL is malformated",
    # Both are inferred:
    "error.enrichment.data.exceeded": "Data max len exceeded (max: 100 contacts)",
    "error.enrichment.custom.value.invalid": "Custom field value must be a string",
    "error.body.invalid": "Body is not valid",
    "error.credits.insufficient": "Not enough credits",
}
_SKIPPABLE = frozenset({"first", "last", "domain", "linkedin"})


class Refused(Exception):
    """A call is refused with `code`; the text belongs to the code, unless one is given."""

    def __init__(self, code: str, status: int = 400, text: str | None = None, about: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body = {"code": code, "message": _TEXTS[code] if text is None else text}
        self.about = about  # what part of one contact it is about; such contacts can be skipped on request


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one API version calls things. `fields`: its word to the kind of value asked for."""

    version: str
    array: str
    first: str
    last: str
    fields: Mapping[str, str]
    field_text: str


V1 = Dialect(
    "v1",
    "datas",
    "firstname",
    "lastname",
    {
        "contact.emails": "work_email",
        "contact.work_emails": "work_email",
        "contact.phones": "phone",
        "contact.personal_emails": "personal_email",
    },
    "contact.emails or contact.work_emails or contact.phones or contact.personal_emails",
)
V2 = Dialect(
    "v2",
    "data",
    "first_name",
    "last_name",
    {"contact.work_emails": "work_email", "contact.phones": "phone", "contact.personal_emails": "personal_email"},
    "contact.work_emails or contact.phones or contact.personal_emails",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One contact of a bulk, exactly as it was written ("" where nothing was)."""

    first_name: str
    last_name: str
    domain: str
    company_name: str
    linkedin_url: str
    kinds: tuple[str, ...]  # work_email, personal_email, phone
    custom: Mapping[str, str] | None
    skipped: bool = False

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What must be the same, byte for byte, for the vendor's history to know it."""
        return self.first_name, self.last_name, self.domain, self.company_name, self.linkedin_url

    def told(self) -> dict[str, str]:
        """What it says, without blanks, by the arguments of World.find_person."""
        names = ("first_name", "last_name", "domain", "company", "linkedin_url")
        return {name: text for name, text in zip(names, self.identity, strict=True) if text}


@dataclass(frozen=True, slots=True)
class Order:
    """A bulk as accepted."""

    name: str
    webhook_url: str
    contact_url: str
    asks: tuple[Ask, ...]


def read_order(dialect: Dialect, raw: bytes, query: Mapping[str, str]) -> Order:
    """The bulk in a request's body, or Refused. `query`: silentFail (v2), checkLinkedinUrl and checkDomain (v1)."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused("error.body.invalid", text=str(error)) from error
    if not isinstance(body, dict):
        raise Refused("error.body.invalid")
    name = _text(body, "name")
    if not name.strip():
        raise Refused("error.enrichment.name.empty")
    contacts = body.get(dialect.array)
    if not isinstance(contacts, list) or not contacts:
        raise Refused("error.enrichment.data.empty")
    if len(contacts) > MOST_CONTACTS:
        raise Refused("error.enrichment.data.exceeded")
    webhook, each = _text(body, "webhook_url"), _contact_url(body) if dialect is V2 else ""
    if any(url and not url.startswith(("http://", "https://")) for url in (webhook, each)):
        raise Refused("error.enrichment.webhook_url")
    tolerated = _tolerated(dialect, query)
    return Order(name, webhook, each, tuple(_read_contact(dialect, contact, tolerated) for contact in contacts))


def _contact_url(body: Mapping[str, Any]) -> str:
    events = body.get("webhook_events")
    return _text(events, "contact_finished") if isinstance(events, dict) else ""


def _tolerated(dialect: Dialect, query: Mapping[str, str]) -> frozenset[str]:
    """Which problems of a contact only make the vendor skip it."""
    if dialect is V2:
        return _SKIPPABLE if query.get("silentFail", "").lower() == "true" else frozenset()
    checks = {"linkedin": "checkLinkedinUrl", "domain": "checkDomain"}
    return frozenset(about for about, name in checks.items() if query.get(name, "").lower() == "false")


def _read_contact(dialect: Dialect, contact: Any, tolerated: frozenset[str]) -> Ask:
    if not isinstance(contact, dict):
        raise Refused("error.body.invalid")
    skipped = False
    try:
        _check_identity(dialect, contact)
    except Refused as refused:
        if refused.about not in tolerated:
            raise
        skipped = True
    return Ask(
        _text(contact, dialect.first),
        _text(contact, dialect.last),
        _text(contact, "domain"),
        _text(contact, "company_name"),
        _profile_url(contact),
        _kinds(dialect, contact),
        _custom(contact),
        skipped,
    )


def _check_identity(dialect: Dialect, contact: Mapping[str, Any]) -> None:
    linkedin = _profile_url(contact)
    keys = (("first", dialect.first), ("last", dialect.last), ("domain", "domain"), ("domain", "company_name"))
    for about, key in keys:
        blank = key in contact and not _text(contact, key).strip()
        if blank or (about != "domain" and not linkedin and not _text(contact, key)):
            code = dialect.first if about == "first" else dialect.last if about == "last" else "domain"
            raise Refused(f"error.enrichment.{code}.empty", about=about)
    if "linkedin_url" in contact and not linkedin.strip():
        raise Refused("error.enrichment.linkedin_url.invalid", about="linkedin")
    if not (linkedin or _text(contact, "domain") or _text(contact, "company_name")):
        raise Refused("error.enrichment.domain.empty", about="domain")
    if linkedin:
        _check_profile(linkedin)
    if (domain := _text(contact, "domain")) and not _DOMAIN.fullmatch(domain):
        raise Refused("error.enrichment.domain.invalid", about="domain")


def _check_profile(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise Refused("error.enrichment.data.empty", about="linkedin")  # as reported for an address without scheme
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not (host == "linkedin.com" or host.endswith(".linkedin.com")):
        raise Refused("error.enrichment.linkedin_url.invalid", about="linkedin")
    if profile(url) is None:
        raise Refused("error.linkedin.malformated", about="linkedin")


def _kinds(dialect: Dialect, contact: Mapping[str, Any]) -> tuple[str, ...]:
    words = contact.get("enrich_fields")
    if not isinstance(words, list) or not words:
        raise Refused("error.enrichment.enrich_fields.empty")
    for word in words:
        if not isinstance(word, str) or word not in dialect.fields:
            text = f"enrichField '{word}' not valid must be {dialect.field_text}"
            raise Refused("error.enrichment.enrich_field.value", text=text)
    return tuple(dict.fromkeys(dialect.fields[word] for word in words))


def _custom(contact: Mapping[str, Any]) -> Mapping[str, str] | None:
    custom = contact.get("custom")
    if custom is None:
        return None
    if not isinstance(custom, dict) or any(not isinstance(value, str) for value in custom.values()):
        raise Refused("error.enrichment.custom.value.invalid")
    if len(custom) > MOST_KEYS:
        raise Refused("error.enrichment.custom.key.exceeded")
    if any(len(value) > LONGEST_VALUE for value in custom.values()):
        raise Refused("error.enrichment.custom.value.exceeded")
    return custom


def _profile_url(contact: Mapping[str, Any]) -> str:
    return _text(contact, "linkedin_url") or _text(contact, "professional_network_url")


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("error.body.invalid", text=f"{key} must be a string")
    return value
