"""What Salesforce says against one record of a write: whose fault it is, which field's, and why.

Pure reading of refusals (Salesforce, REST error codes; bodies recorded from live orgs). What is sent again
because of it is said in `write`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.contract.model import WriteStatus

from .answers import Refusal
from .records import to18

WORDS = 1_000  # characters of an org's own text
_LOCK = "UNABLE_TO_LOCK_ROW"
_GONE = {"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"}
_LATER = {"REQUEST_LIMIT_EXCEEDED", "PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"}
_UNCERTAIN = {"UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE"}
_READ_ONLY = {"INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_FIELD", "INSUFFICIENT_ACCESS_OR_READONLY"}
_AUTOMATION = {"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER"}  # triggers, flows
_VALUES = {"STRING_TOO_LONG", "INVALID_EMAIL_ADDRESS", "NUMBER_OUTSIDE_VALID_RANGE", "INVALID_TYPE_ON_FIELD_IN_RECORD",
    "JSON_PARSER_ERROR", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"}  # fmt: skip
_ADDRESS = re.compile(r"[^\s\"'=,]+@[^\s\"',}]+")
_NUMBER = re.compile(r"\+\d[\d ().-]{5,}\d")


@dataclass(frozen=True, slots=True)
class Fault:
    """`fields` is empty where Salesforce names none. `locked`: the same again in a moment. `look`: read it again
    first. `closed`: perhaps nobody may write this field at all."""

    status: WriteStatus
    reason: str
    fields: frozenset[str] = frozenset()
    holder: str | None = None
    locked: bool = False
    look: bool = False
    closed: bool = False


def read(status: int, refusals: Sequence[Refusal], values: Iterable[str] = (), own_id: str = "") -> Fault:
    """What a refused update means. `values` are kept out of the reason."""
    if status == 412:  # If-Unmodified-Since did not hold; the body is undocumented
        return Fault(WriteStatus.MOVED_ON, "somebody changed the record first", look=True)
    codes = {one.code for one in refusals}
    fields = frozenset(name for one in refusals for name in one.fields)
    reason = _reason(refusals, values) or f"HTTP {status}"
    if codes & _GONE or (status == 404 and not codes - {""}):
        return Fault(WriteStatus.REFUSED, reason, look=True)  # whether it is gone, a look will tell
    if _is_lock(refusals):
        return Fault(WriteStatus.RETRY, reason, locked=True)
    if "DUPLICATES_DETECTED" in codes:
        return Fault(WriteStatus.DUPLICATE, reason, fields, _holder(refusals, own_id))
    if status >= 500 or codes & _UNCERTAIN:
        return Fault(WriteStatus.UNKNOWN, reason)
    kind = WriteStatus.REFUSED
    if codes & _LATER:
        kind = WriteStatus.RETRY
    elif codes & _VALUES:
        kind = WriteStatus.INVALID
    return Fault(kind, reason, fields, closed=bool(codes & _READ_ONLY))


def _is_lock(refusals: Sequence[Refusal]) -> bool:
    """Triggers and flows pass a lock on in their own text, as a code that no language changes."""
    return any(one.code == _LOCK or (one.code in _AUTOMATION and _LOCK in one.message) for one in refusals)


def _holder(refusals: Sequence[Refusal], own_id: str) -> str | None:
    return next((i for one in refusals for i in one.matches if to18(i) != own_id), None)


def _reason(refusals: Sequence[Refusal], values: Iterable[str]) -> str:
    """The org's words without anybody's address or number."""
    said = "; ".join(" · ".join(part for part in (one.code, one.message.strip()) if part) for one in refusals)
    for value in values:
        if value:
            said = re.sub(re.escape(value), "…", said, flags=re.IGNORECASE)
    return _NUMBER.sub("…", _ADDRESS.sub("…", said))[:WORDS]
