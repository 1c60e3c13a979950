"""How Salesforce words its refusals: code, message, fields, status. When each is due is said where it is raised.

Codes and most messages are from recorded answers and Salesforce's documents; where neither exists the
message is ours, and as real ones are translated, clients must not depend on any.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

EDGE_PAGE = "<html><head><title>{0}</title></head><body><h1>Salesforce Edge</h1>Error {0}</body></html>"
LOCKED = "unable to obtain exclusive access to this record or 1 records: {}"
TRIGGER = (
    "ContactTrigger: execution of BeforeUpdate\n\ncaused by: System.NullPointerException: "
    "Attempt to de-reference a null object\n\nTrigger.ContactTrigger: line 5, column 1"
)
FLOW = (
    "We can't save this record because the “Keep regions in step” process failed. Give your Salesforce admin these "
    "details. This error occurred when the flow tried to update records: FIELD_CUSTOM_VALIDATION_EXCEPTION: "
    "Region is closed. You can look up ExceptionCode values in the SOAP API Developer Guide. "
    "Error ID: 1545064308-45750 (1670083917)"
)
_APPEND_C = (
    "If you are attempting to use a custom {0}, be sure to append the '__{1}' after the {2} name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


class Refusal(Exception):
    """One error: of a whole call, or of one record of it. `more`: further keys of the error object."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        fields: Iterable[str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.more = code, message, status, more or {}
        self.fields = None if fields is None else list(fields)

    def body(self) -> list[dict[str, Any]]:
        """As a call's whole answer."""
        error: dict[str, Any] = {**self.more, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]

    def entry(self) -> dict[str, Any]:
        """As one record's error within a collection."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields or []}


@lru_cache(maxsize=65_536)
def stamp(seconds: int) -> str:
    """Seconds since 1970 as Salesforce writes times; it keeps no fraction of them."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000+0000"


def expired() -> Refusal:
    """The session is over, or never was one."""
    return Refusal("INVALID_SESSION_ID", "Session expired or invalid", 401)


def over_limit(kind: str) -> Refusal:
    """`kind`: TotalRequests (the day's), ConcurrentRequests, ConcurrentPerOrgLongTxn."""
    return Refusal("REQUEST_LIMIT_EXCEEDED", f"{kind} Limit exceeded.", 403)


def not_found() -> Refusal:
    """No such resource."""
    return Refusal("NOT_FOUND", "The requested resource does not exist", 404)


def no_record(text: str) -> Refusal:
    """No record of that id, or none that the user may see."""
    return Refusal("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {text}", 404)


def deleted() -> Refusal:
    """It is in the recycle bin."""
    return Refusal("ENTITY_IS_DELETED", "entity is deleted", 404, ())


def malformed_id(kind: str, text: object) -> Refusal:
    """No id, or one of another kind of record."""
    return Refusal("MALFORMED_ID", f"{kind} ID: id value of incorrect type: {text}", 400, ["Id"])


def no_type(name: str, at: str = "") -> Refusal:
    """`at`: the block that points into a query."""
    text = f"sObject type '{name}' is not supported. {_APPEND_C.format('object', 'c', 'entity')}"
    return Refusal("INVALID_TYPE", at + text)


def no_column(name: str, kind: str, at: str = "") -> Refusal:
    """A field unknown to a query, or one that field-level security hides."""
    text = f"No such column '{name}' on entity '{kind}'. {_APPEND_C.format('field', 'c', 'custom field')}"
    return Refusal("INVALID_FIELD", at + text)


def no_relation(name: str, at: str) -> Refusal:
    """A path through something that is no relationship."""
    text = f"Didn't understand relationship '{name}' in field path. "
    return Refusal("INVALID_FIELD", at + text + _APPEND_C.format("relationship", "r", "custom relationship"))


def not_writable(names: Iterable[str]) -> Refusal:
    """Fields that nobody, or not this user, may write."""
    named = list(names)
    text = (
        f"Unable to create/update fields: {', '.join(named)}. Please check the security settings of this field and "
        "verify that it is read/write for your profile or permission set."
    )
    return Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", text, 400, named)


def bad_json(message: str, line: int = 1, column: int = 1) -> Refusal:
    """A body that is no JSON, or not of the right shape."""
    return Refusal("JSON_PARSER_ERROR", f"{message} at [line:{line}, column:{column}]")


def duplicates(kind: str, found: Iterable[tuple[str, str]], version: str) -> Refusal:
    """The duplicate rule `found` records (object, id) like that."""
    matches = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": attributes(rival, one, version), "Id": one},
        }
        for rival, one in found
    ]
    result = {
        "entityType": kind,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": matches,
        "rule": f"Standard_{kind}_Match_Rule_v1_1",
        "size": len(matches),
        "success": True,
    }
    verdict = {
        "allowSave": True,
        "duplicateRule": f"Standard_{kind}_Duplicate_Rule",
        "duplicateRuleEntityType": kind,
        "errorMessage": "Use one of these records?",
        "matchResults": [result],
    }
    return Refusal("DUPLICATES_DETECTED", "Use one of these records?", 400, None, {"duplicateResult": verdict})


def attributes(kind: str, record_id: str, version: str) -> dict[str, str]:
    """What every record of an answer begins with."""
    return {"type": kind, "url": f"/services/data/v{version}/sobjects/{kind}/{record_id}"}


def pointer(text: str, at: int) -> str:
    """The block of lines that shows where in a query (index `at`) an error is."""
    row, start = text.count("\n", 0, at) + 1, text.rfind("\n", 0, at) + 1
    shown = max(start, at - 30)
    line = text[shown:].partition("\n")[0][:80]
    return f"\n{line}\n{' ' * (at - shown)}^\nERROR at Row:{row}:Column:{at - start + 1}\n"
