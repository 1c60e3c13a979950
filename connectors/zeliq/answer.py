"""What Zeliq's callbacks say, in our words.

A callback names no job and no request: the address it came to did. Nobody signs it either, so that a find is only
believed if it repeats something that was sent and if its charge fits. What the shapes are:
https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api ("Callback payloads"); clients of others also guard
against plain strings in the lists, `{"number": …}`, and an answer without `contact`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from syncd.contract import normal
from syncd.contract.errors import Garbled
from syncd.contract.model import (
    Answer,
    Candidate,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
    Grade,
    Identity,
    Outcome,
    Source,
)
from syncd.contract.reading import amount, decode, record, remark, text

from .echo import agrees
from .wire import RESULT_KEYS

_GRADES = {
    "valid": Grade.VALID,
    "safe to send": Grade.VALID,  # the older page's word
    "catch-all": Grade.CATCH_ALL,
    "invalid": Grade.INVALID,
    "unknown": Grade.UNKNOWN,
}
_UNREADABLE = "credit_used is no sensible number"
_BEST_FIRST = tuple(Grade)
_CANDIDATES = 50


def read(delivery: Delivery, request: EnrichmentRequest, field: Field, *, price: Decimal, usual: Decimal) -> Answer:
    """The answer to one request for one field.

    `price`: credits that a find costs at most; `usual`: what it costs most customers. Raises Garbled, with what was
    charged, where that is told.
    """
    said = decode(delivery.body)
    charged, note = _charged(said.get("credit_used"))
    result = _result(said, _contact(said, charged), request, field)
    if not result.candidates:
        _believe_blank(result, charged, note)
    if delivery.source is Source.CALLBACK:
        _believe_charge(result, charged, price=price, most=2 * max(price, usual))
        _believe_find(result, request, charged)
    if result.outcome is Outcome.FAILED:
        note = ""  # what a failure does not tell stays reserved until no answer can come any more
    return Answer(results=(result,), final=True, charged=charged, provider_id=text(said.get("jobId")), note=note)


def _result(
    said: Mapping[str, Any], contact: Mapping[str, Any], request: EnrichmentRequest, field: Field
) -> EnrichmentResult:
    candidates = _emails(contact) if field is Field.EMAIL else _phones(contact)
    error = "" if candidates else _error(said)
    # What is marked invalid is kept for the record, but nothing was found with it.
    found = any(candidate.grade is not Grade.INVALID for candidate in candidates)
    about = _echo(contact, field)
    return EnrichmentResult(
        request_id=request.id,
        field=field,
        outcome=Outcome.FAILED if error else Outcome.FOUND if found else Outcome.NOT_FOUND,
        candidates=candidates,
        said=() if about == Identity() else (about,),
        note=error,
    )


def _contact(said: Mapping[str, Any], charged: Decimal | None) -> Mapping[str, Any]:
    """The contact's part of the body, or the whole body where the values stand beside it."""
    contact = said.get("contact")
    if contact is not None and not isinstance(contact, dict):
        raise Garbled("`contact` is not an object", charged=charged)
    if RESULT_KEYS.isdisjoint(contact or {}) and not RESULT_KEYS.isdisjoint(said):
        return {**said, **record(contact)}
    if contact is None and said.keys().isdisjoint({"contact", "credit_used", "statusCode", "error"}):
        raise Garbled("the body has neither `contact` nor `credit_used` nor an error")
    return record(contact)


def _error(said: Mapping[str, Any]) -> str:
    """What went wrong at Zeliq, for people; empty where nothing did."""
    code = said.get("statusCode")
    number = amount(code)
    failed = code not in (None, "") and (number is None or not 200 <= number < 300)
    if not failed and not said.get("error"):
        return ""
    return remark(f"{code or ''} {said.get('message') or said.get('error')}")


def _echo(contact: Mapping[str, Any], field: Field) -> Identity:
    """Who the answer is about. The `email` of an answer to an e-mail question is what was found."""
    return Identity(
        first_name=text(contact.get("first_name")),
        last_name=text(contact.get("last_name")),
        company=text(contact.get("company")),
        domain=normal.domain(text(contact.get("domain"))),
        linkedin_url=normal.linkedin(text(contact.get("linkedin_url"))),
        email=text(contact.get("email")) if field is Field.PHONE else None,
    )


# --- is it to be believed? --------------------------------------------------------------------


def _believe_blank(result: EnrichmentResult, charged: Decimal | None, note: str) -> None:
    """Raises Garbled where something was, or may have been, charged and no value could be read."""
    if charged:
        raise Garbled(f"{charged} credits were charged, but no value could be read", charged=charged)
    if note == _UNREADABLE and result.outcome is not Outcome.FAILED:
        raise Garbled(f"no value could be read, and {note}")


def _believe_charge(result: EnrichmentResult, charged: Decimal | None, *, price: Decimal, most: Decimal) -> None:
    """Raises Garbled for a charge that no genuine answer has. `most`: credits, with room for a price that rose."""
    if charged is not None and charged > most:
        raise Garbled(f"{charged} credits are no charge for one value", charged=charged)
    if result.outcome is not Outcome.FOUND:
        return
    if charged is None:
        raise Garbled("a find that does not tell its charge in credit_used")
    if charged == 0 < price:
        said = "a find for 0 credits: it is not Zeliq's, or this connection's plan or price are not the account's"
        raise Garbled(said, charged=charged)


def _believe_find(result: EnrichmentResult, request: EnrichmentRequest, charged: Decimal | None) -> None:
    """Raises Garbled for a find that repeats nothing of what was sent, and nothing else that is known of the contact
    (a profile that was renamed comes back with the names)."""
    ours = (request.identity, request.known)
    if result.outcome is Outcome.FOUND and not any(agrees(one, about) for one in ours for about in result.said):
        raise Garbled("a find that repeats nothing of what was sent", charged=charged)


def _charged(raw: object) -> tuple[Decimal | None, str]:
    """Credits, and a note where they are not told: never guessed from the price list."""
    if raw is None or raw == "":
        return None, "credit_used is missing"
    credits_used = amount(raw)
    if credits_used is not None:
        return credits_used, ""
    below_zero = isinstance(raw, int | float | str) and amount(str(raw).strip().removeprefix("-")) is not None
    return None, "credit_used is below 0" if below_zero else _UNREADABLE


# --- values -----------------------------------------------------------------------------------


def _emails(contact: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """All addresses, the best grade first, and `most_probable_email` first among equals: it can be
    invalid or unknown while another one is valid."""
    best = contact.get("most_probable_email")
    top = {"status": contact.get("most_probable_email_status")} | (record(best) or {"email": best})
    words: dict[str, tuple[str, str]] = {}
    for item in (top, *_entries(contact.get("emails"), "email")):
        value = text(item.get("email"))
        if value is not None and ("@" in value or item.get("status")):  # what is graded was meant as an address
            first, word = words.get(value.casefold(), (value, ""))
            words[value.casefold()] = (first, word or text(item.get("status")) or "")
    return _ranked(Candidate(value=value, grade=_grade(word), word=word) for value, word in words.values())


def _phones(contact: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """All numbers, each once. Zeliq gives numbers neither a status nor a kind of line: one in international form
    counts as found; another can't be told from a wrong one."""
    numbers: dict[str, str] = {}
    for item in _entries([contact.get("most_probable_phone"), *_listed(contact.get("phones"))], "phone"):
        value = text(item.get("phone")) or text(item.get("number"))
        if value is not None and (digits := re.sub(r"[^\d+]", "", value)).strip("+"):
            numbers.setdefault(digits, value)
    return _ranked(
        Candidate(value=value, grade=Grade.VALID)
        if digits.startswith("+")
        else Candidate(value=value, grade=Grade.UNKNOWN, note="no country code")
        for digits, value in numbers.items()
    )


def _entries(raw: object, key: str) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; a plain string counts as an object with that `key`."""
    for item in _listed(raw):
        if isinstance(item, str):
            yield {key: item}
        elif isinstance(item, dict):
            yield item


def _listed(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda c: _BEST_FIRST.index(c.grade))[:_CANDIDATES])


def _grade(word: str) -> Grade:
    return _GRADES.get(word.lower().replace("_", "-"), Grade.UNKNOWN)
