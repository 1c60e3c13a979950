"""What HubSpot says against one record of a write: whose fault it is, which property's, and why.

Pure reading of refusals (HubSpot, error handling; bodies recorded from the live API). What is sent
again because of it is said in `write`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from syncd.contract.model import WriteStatus

from .answers import Refusal

_EXISTING = re.compile(r"Existing ID: (\d+)")
_HELD = re.compile(r"on (\d+)\. (\d+) already has that value")
_COORDINATE = re.compile(r"propertyName=(\w+)")
_LISTED = re.compile(r"not valid: (\[.*)", re.DOTALL)
_CONFLICT = {"CONFLICT", "UNIQUE_VALUE_CONFLICT", "CONFLICTING_UNIQUE_VALUE"}
_FOR_ALL = {"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"}  # wrong whatever the record and the value
_VALUES = {"INVALID_EMAIL", "INVALID_PHONE", "INVALID_PHONE_NUMBER", "INVALID_URL", "INVALID_FORMAT", "INVALID_OPTION",
    "INVALID_INTEGER", "INVALID_LONG", "INVALID_DATE", "INVALID_LENGTH", "MAX_LENGTH", "VALUE_TOO_LONG"}  # fmt: skip
_TOO_LONG = re.compile(r"\btoo long\b|exceeds? the (maximum|limit)|maximum (allowed )?length", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s\"'=,]+@[^\s\"',}]+")
_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")


@dataclass(frozen=True, slots=True)
class Fault:
    """`properties` is empty when HubSpot does not name them; `record` is the culprit's id where told."""

    status: WriteStatus
    reason: str
    properties: frozenset[str] = frozenset()
    holder: str | None = None
    record: str | None = None
    for_all: bool = False


def read(refusal: Refusal, values: Iterable[str] = ()) -> Fault:
    """What a refusal (of a request, or one entry of a 207) means. `values` are kept out of the reason."""
    listed = _listed(refusal.message)
    codes = {refusal.category, *(e.category for e in refusal.errors), *(item.get("error", "") for item in listed)}
    names = {*refusal.named("propertyName"), *(item.get("name", "") for item in listed)} - {""}
    message = "; ".join(item.get("message", "") for item in listed) or refusal.message
    reason = _reason(message, codes - {"", "VALIDATION_ERROR"}, refusal.correlation, values)
    if codes & _CONFLICT or "already has that value" in message or "already exists" in message:
        return _conflict(refusal, reason)
    status = WriteStatus.INVALID if codes & _VALUES or _TOO_LONG.search(message) else WriteStatus.REFUSED
    if "OBJECT_NOT_FOUND" in codes:
        status = WriteStatus.GONE
    elif codes & {"RATE_LIMIT", "RATE_LIMITS"}:
        status = WriteStatus.RETRY
    elif any("INTERNAL" in code for code in codes):
        status = WriteStatus.UNKNOWN
    return Fault(
        status,
        reason,
        frozenset(names),
        for_all=bool(codes & _FOR_ALL) and codes <= {*_FOR_ALL, "VALIDATION_ERROR", ""},
    )


def _conflict(refusal: Refusal, reason: str) -> Fault:
    """Another record holds the value: in four forms, two of which name the holder only in prose."""
    existing = _EXISTING.search(refusal.message)
    held = _HELD.search(refusal.message)
    told = refusal.named("existingId")
    name = _COORDINATE.search(refusal.message)
    holder = held[2] if held else existing[1] if existing else told[0] if told else None
    return Fault(
        WriteStatus.DUPLICATE,
        reason,
        frozenset({name[1] if name else "email"}),  # e-mail is the property that HubSpot keeps unique
        holder=holder,
        record=held[1] if held else None,
    )


def _listed(message: str) -> list[dict[str, str]]:
    """The JSON that HubSpot embeds in the message of a 400: one object per wrong property."""
    found = _LISTED.search(message)
    if found is None:
        return []
    try:
        listed, _ = json.JSONDecoder().raw_decode(found[1])
    except ValueError:
        return []
    return [{k: v for k, v in item.items() if isinstance(v, str)} for item in listed if isinstance(item, dict)]


def _reason(message: str, codes: Iterable[str], correlation: str, values: Iterable[str]) -> str:
    """HubSpot's words without anybody's address or number."""
    for value in values:
        for part in (value, value.rpartition("@")[2]):
            if part:
                message = re.sub(re.escape(part), "…", message, flags=re.IGNORECASE)
    message = _NUMBER.sub("…", _ADDRESS.sub("…", message)).strip()
    words = [", ".join(sorted(codes)), message[:300], f"correlation {correlation}" if correlation else ""]
    return " · ".join(word for word in words if word) or "HubSpot gives no reason"
