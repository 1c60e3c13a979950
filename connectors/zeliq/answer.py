"""What Zeliq's callbacks say, in our words.

A callback names no job and no request: the address it came to did. What the shapes are:
https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api ("Callback payloads").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from syncd.contract import normal
from syncd.contract.echo import contradicts
from syncd.contract.errors import Garbled
from syncd.contract.model import (
    Answer,
    Candidate,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
    Grade,
    Identity,
    Outcome,
)
from syncd.contract.reading import amount, decode, record, records, remark, text

from .wire import asked

_GRADES = {
    "valid": Grade.VALID,
    "safe to send": Grade.VALID,  # the older page's word
    "catch-all": Grade.CATCH_ALL,
    "invalid": Grade.INVALID,
    "unknown": Grade.UNKNOWN,
}
_BEST_FIRST = tuple(Grade)
_ABSURD_CHARGE = Decimal(1_000)  # credits for one value; the dearest known is 15
_CANDIDATES = 50


def read(body: bytes, request: EnrichmentRequest) -> Answer:
    """The answer to one request for one field; raises Garbled."""
    said = decode(body)
    contact = said.get("contact")
    if contact is not None and not isinstance(contact, dict):
        raise Garbled("`contact` is not an object")
    if contact is None and not said.keys() & {"contact", "credit_used", "statusCode", "error"}:
        raise Garbled("the body has neither `contact` nor `credit_used` nor an error")
    charged, note = _charged(said.get("credit_used"))
    failed = contact is None and bool(said.keys() & {"statusCode", "error"})
    result = _failure(request, said) if failed else _result(request, record(contact))
    return Answer(results=(result,), final=True, charged=charged, provider_id=text(said.get("jobId")), note=note)


def _failure(request: EnrichmentRequest, said: Mapping[str, Any]) -> EnrichmentResult:
    note = remark(f"{said.get('statusCode', '')} {said.get('message') or said.get('error')}")
    return EnrichmentResult(request_id=request.id, field=request.fields[0], outcome=Outcome.FAILED, note=note)


def _result(request: EnrichmentRequest, contact: Mapping[str, Any]) -> EnrichmentResult:
    field = request.fields[0]
    offered = _emails(contact) if field is Field.EMAIL else _phones(contact)
    # What is marked invalid is kept for the record, but nothing was found with it.
    found = any(candidate.grade is not Grade.INVALID for candidate in offered)
    return EnrichmentResult(
        request_id=request.id,
        field=field,
        outcome=Outcome.FOUND if found else Outcome.NOT_FOUND,
        candidates=offered,
        mismatch=contradicts(asked(request), _echo(contact)),
    )


def _echo(contact: Mapping[str, Any]) -> Identity:
    return Identity(
        first_name=text(contact.get("first_name")),
        last_name=text(contact.get("last_name")),
        domain=normal.domain(text(contact.get("domain"))),
        linkedin_url=normal.linkedin(text(contact.get("linkedin_url"))),
        email=text(contact.get("email")),
    )


def _emails(contact: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """All addresses, the best grade first, and `most_probable_email` first among equals: it can be
    invalid or unknown while another one is valid."""
    best = {"email": contact.get("most_probable_email"), "status": contact.get("most_probable_email_status")}
    words: dict[str, tuple[str, str]] = {}
    for item in (best, *records(contact.get("emails"))):
        value = text(item.get("email"))
        if value is not None:
            first, word = words.get(value.casefold(), (value, ""))
            words[value.casefold()] = (first, word or text(item.get("status")) or "")
    return _ranked(Candidate(value=value, grade=_grade(word), word=word) for value, word in words.values())


def _phones(contact: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """All numbers, each once. Zeliq gives numbers no status: one in international form counts as
    found; another can't be told from a wrong one."""
    numbers: dict[str, str] = {}
    for raw in (contact.get("most_probable_phone"), *(item.get("phone") for item in records(contact.get("phones")))):
        value = text(raw)
        if value is not None and (digits := re.sub(r"[^\d+]", "", value)):
            numbers.setdefault(digits, value)
    return _ranked(
        Candidate(value=value, grade=Grade.VALID)
        if digits.startswith("+")
        else Candidate(value=value, grade=Grade.UNKNOWN, note="no country code")
        for digits, value in numbers.items()
    )


def _ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda c: _BEST_FIRST.index(c.grade))[:_CANDIDATES])


def _grade(word: str) -> Grade:
    return _GRADES.get(word.lower().replace("_", "-"), Grade.UNKNOWN)


def _charged(raw: object) -> tuple[Decimal | None, str]:
    """Credits, and a note where they are not told: never guessed from the price list."""
    credits_used = amount(raw)
    if credits_used is None or credits_used > _ABSURD_CHARGE:
        return None, "credit_used is missing" if raw is None else "credit_used is no sensible number"
    return credits_used, ""
