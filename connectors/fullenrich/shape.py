"""What both versions of FullEnrich's API have in common: an item sent, an item read, its values.

Not in here: the keys that differ (`v1`, `v2`), and what a job's status means (`answer`).
Source: https://docs.fullenrich.com/api/v2/contact/enrich/bulk/post.md and …/get.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.contract.model import Candidate, EnrichmentRequest, Field, Grade, Identity
from syncd.contract.reading import record, records, text

_NOBODY = Identity()
CUSTOM_LIMIT = 100  # characters of a value in `custom`, which takes strings only
_GRADES = {
    "DELIVERABLE": Grade.VALID,
    "HIGH_PROBABILITY": Grade.PROBABLE,  # a catch-all domain, likely valid: bounces about 9 in 100
    "CATCH_ALL": Grade.CATCH_ALL,
    "INVALID": Grade.INVALID,
    "INVALID_DOMAIN": Grade.INVALID,
}
_PHONE_DOUBTS = {  # of the optional fields that newer answers have; what is absent casts no doubt
    ("ownership_match", "MISMATCH"): (Grade.UNKNOWN, "ownership mismatch"),
    ("line_status", "INACTIVE"): (Grade.INVALID, "inactive"),
}
_LINES = {"MOBILE": "mobile", "LANDLINE": "fixed", "VOIP": "voip"}  # UNKNOWN and new words tell nothing
_RANK = {grade: place for place, grade in enumerate(Grade)}  # the best first
_NOT_DIGITS = re.compile(r"[^\d+]")
_REGION = re.compile("[A-Z]{2}")
_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class Item:
    """One contact of a result: what was asked (`echo`), whom it found (`person`), and what.

    `offered` is None where the contact was not taken on at all.
    """

    custom: Mapping[str, Any]
    echo: Identity
    person: Identity
    offered: Mapping[Field, tuple[Candidate, ...]] | None

    @property
    def said(self) -> tuple[Identity, ...]:
        """What the item says of the person, in each place that says something."""
        return tuple(identity for identity in (self.echo, self.person) if identity != _NOBODY)


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between the versions. `item` reads one contact of a result, however odd it is."""

    list_key: str  # of the array of contacts, both ways
    first_name: str
    last_name: str
    enrich_fields: Mapping[Field, str]
    params: Mapping[str, str]  # of the query: a contact that can't be taken must not spoil its batch
    contact_events: bool  # takes `webhook_events`
    item: Callable[[Mapping[str, Any]], Item]

    def contact(self, request: EnrichmentRequest) -> dict[str, Any]:
        """One person as the API wants them. Nothing blank: an empty string is refused as a mistake."""
        told = request.identity
        parts = {
            self.first_name: told.first_name,
            self.last_name: told.last_name,
            "domain": told.domain,
            "company_name": told.company,
            "linkedin_url": told.linkedin_url,
            "enrich_fields": [self.enrich_fields[field] for field in request.fields],
        }
        return {key: value for key, value in parts.items() if value}


def asked(known: Identity) -> Identity:
    """The part of the identity that FullEnrich is told: names only together with a company, for a
    name without one makes it refuse the contact, profile or not (`error.enrichment.domain.empty`)."""
    if not (known.first_name and known.last_name and (known.domain or known.company)):
        return Identity(linkedin_url=known.linkedin_url or None)
    return Identity(
        first_name=known.first_name,
        last_name=known.last_name,
        company=known.company or None,
        domain=known.domain or None,
        linkedin_url=known.linkedin_url or None,
    )


def emails(best: Mapping[str, Any], others: object) -> tuple[Candidate, ...]:
    """Each `{email, status}` once, the best grade first and `best` first among equals."""
    words: dict[str, tuple[str, str]] = {}
    for entry in (best, *records(others)):
        value = text(entry.get("email"))
        if value is not None:
            first, word = words.get(value.casefold(), (value, ""))
            words[value.casefold()] = (first, word or text(entry.get("status")) or "")
    return _ranked(
        Candidate(value=value, grade=_GRADES.get(word.upper(), Grade.UNKNOWN), word=word)
        for value, word in words.values()
    )


def phones(best: Mapping[str, Any], others: object) -> tuple[Candidate, ...]:
    """Each `{number, region, …}` once however it is spaced, the best grade first."""
    merged: dict[str, dict[str, Any]] = {}
    for entry in (best, *records(others)):
        number = text(entry.get("number"))
        if number is not None and (digits := _NOT_DIGITS.sub("", number)):
            known = {key: value for key, value in merged.get(digits, {}).items() if value is not None}
            merged[digits] = {**entry, "number": number, **known}
    return _ranked(_phone(entry) for entry in merged.values())


def _phone(entry: Mapping[str, Any]) -> Candidate:
    number, region = entry["number"], (text(entry.get("region")) or "").upper()
    region = region if _REGION.fullmatch(region) else ""
    doubts = [
        doubt
        for (key, word), doubt in _PHONE_DOUBTS.items()
        if key in entry and (text(entry[key]) or "").upper() == word
    ]
    if not region and not number.startswith("+"):
        doubts.append((Grade.UNKNOWN, "no country"))
    return Candidate(
        value=number,
        grade=max((grade for grade, _ in doubts), key=_RANK.__getitem__, default=Grade.VALID),
        word=text(entry.get("line_status")) or "",
        region=region or None,
        line=_LINES.get((text(entry.get("line_type")) or "").upper(), ""),
        note=", ".join(note for _, note in doubts),
    )


def best(raw: object, key: str) -> dict[str, Any]:
    """`most_probable_…` as an entry of its list: an object in v2, a bare string in v1."""
    return {key: raw} if isinstance(raw, str) else record(raw)


def _ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda c: _RANK[c.grade])[:_CANDIDATES])
