"""How Salesforce's answers are read: bodies of which every part may be lacking, and what a status means.

Codes decide, never messages: those are in the language of the user. Nothing here sends, waits or decides
about a record; daily limits are the business of `limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, Self

from syncd.contract.errors import ConnectorError, Halt, InDoubt, Retry, Trouble
from syncd.contract.jsontext import parse

# Salesforce's default is TRUE: a lead would change hands because we gave it an e-mail. On every call and every part.
NO_ASSIGNMENT = {"Sforce-Auto-Assign": "FALSE"}
_GRANT = "give the integration user's permission set read access to it"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error: of a request, of a part of a composite one (`errorCode`), of a collection's row (`statusCode`)."""

    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()  # ids that a duplicate rule names

    @classmethod
    def read(cls, item: object) -> Refusal:
        part = item if isinstance(item, dict) else {}
        fields = part.get("fields")
        return cls(
            code=_text(part.get("errorCode") or part.get("statusCode") or part.get("error")),
            message=_text(part.get("message") or part.get("error_description")),
            fields=tuple(_text(name) for name in fields) if isinstance(fields, list) else (),
            matches=tuple(_matches(part)),
        )


def refusals(body: object) -> tuple[Refusal, ...]:
    """Every error in a body of whatever shape."""
    items = body if isinstance(body, list) else [body]
    return tuple(Refusal.read(item) for item in items if isinstance(item, dict))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of whatever status. `body` is JSON, or bytes of CSV, or None. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], raw: bytes) -> Self:
        names = {name.lower(): value for name, value in headers.items()}
        if names.get("content-type", "").startswith("text/csv"):
            return cls(status, names, raw)
        try:
            body = parse(raw)
        except (ValueError, RecursionError):
            body = None
        return cls(status, names, body)

    @property
    def refusal(self) -> Refusal:
        """The first error; a blank one where none is told."""
        return Refusal.read(self.body[0] if isinstance(self.body, list) and self.body else self.body)

    @property
    def date(self) -> float | None:
        """The server's clock in UTC seconds, without its fraction."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except ValueError:
            return None

    def part(self, name: str) -> list[Any]:
        """A list in the body; raises InDoubt when there is none: the call succeeded, and nobody can say how."""
        found = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(found, list):
            raise InDoubt(f"Salesforce answered HTTP {self.status} without {name}")
        return found

    def rows(self) -> list[Any]:
        """A body that is a list; raises InDoubt when it is none."""
        if not isinstance(self.body, list):
            raise InDoubt(f"Salesforce answered HTTP {self.status} without rows")
        return self.body


class Unknown(Halt):
    """A field or an object that this user can't see, or that is not there: nobody can tell which. Or a query that
    can't be read, because of an operator's own condition."""


class Slow(Retry):
    """A query that took too long."""


class Stale(Retry):
    """A locator that Salesforce does not know, or not any more."""


_MEND = "mend `match` of this sync"
_UNKNOWN = {
    **dict.fromkeys(("INVALID_FIELD", "INVALID_TYPE"), _GRANT),
    **dict.fromkeys(("MALFORMED_QUERY", "INVALID_QUERY_FILTER_OPERATOR"), _MEND),
}
_PAUSES: Mapping[str, tuple[type[Retry], float]] = {
    "QUERY_TIMEOUT": (Slow, 60.0),
    "INVALID_QUERY_LOCATOR": (Stale, 1.0),
}


def translate(answer: Answer, what: str) -> ConnectorError:
    """The error that an answer other than success and REQUEST_LIMIT_EXCEEDED stands for."""
    status, refusal = answer.status, answer.refusal
    if status == 420 or status >= 500:
        return InDoubt(f"{what}: HTTP {status}")
    if refusal.code in _PAUSES:
        kind, after = _PAUSES[refusal.code]
        return kind(f"{what}: {refusal.code}", after=after)
    words = " ".join(refusal.message.split())[-300:]
    said = f"{refusal.code or f'HTTP {status}'}{': ' if words else ''}{words}"
    if status == 401:
        return Halt(
            f"Salesforce does not accept our session: {said}",
            trouble=Trouble.CREDENTIALS,
            cure="look at the app's policies and at the integration user's login history",
        )
    if refusal.code in {"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"}:
        cure = "use an edition with API access, and give the user the permission API Enabled"
        return Halt(f"the API is shut: {said}", trouble=Trouble.BLOCKED, cure=cure)
    if refusal.code in _UNKNOWN or status == 404:
        cure = _UNKNOWN.get(refusal.code, _GRANT)
        return Unknown(f"{what}: {said}", trouble=Trouble.MISCONFIGURED, cure=cure)
    return Halt(f"Salesforce refused {what}: {said}", trouble=Trouble.MISCONFIGURED, cure=_cure(status))


def _cure(status: int) -> str:
    if 300 <= status < 400:
        return "set domain to the org's present My Domain"
    if status == 403:
        return "give the integration user's permission set the right that it lacks"
    if status == 410:
        return "raise api_version: Salesforce has retired this one"
    return "run `syncd check`, and mend `match` or `fields` of this sync"


def seconds(stamp: str) -> float:
    """`2026-11-21T10:00:01.000+0000` as UTC seconds. Raises Retry without a zone: that would be local time."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError as error:
        raise Retry(f"Salesforce gave {stamp!r} for a moment") from error
    if moment.tzinfo is None:
        raise Retry(f"Salesforce gave {stamp!r} for a moment, without a zone")
    return moment.timestamp()


def http_date(moment: float) -> str:
    """UTC seconds as `Sat, 21 Nov 2026 10:00:01 GMT`."""
    return formatdate(moment, usegmt=True)


def _matches(part: Mapping[str, Any]) -> list[str]:
    """Salesforce: duplicateResult.matchResults[].matchRecords[].record.Id."""
    result = part.get("duplicateResult")
    groups = _list(result, "matchResults")
    records = [match.get("record") for group in groups for match in _list(group, "matchRecords")]
    return [str(record["Id"]) for record in records if isinstance(record, dict) and record.get("Id")]


def _list(part: object, name: str) -> list[dict[str, Any]]:
    found = part.get(name) if isinstance(part, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
