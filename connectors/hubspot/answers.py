"""How HubSpot's answers are read: bodies of which every part may be lacking, and what a status means.

Nothing here sends, waits or decides about a record; 429 is the business of `limits`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from syncd.contract.errors import ConnectorError, Halt, InDoubt, Retry, Trouble
from syncd.contract.jsontext import parse

DAY = 86_400.0
_UNREACHABLE = "HubSpot can't be reached behind its own proxy"
_PAUSES = {  # statuses that say "not done", and the seconds to wait where no header says
    423: ("HubSpot has locked the records for a moment", 2.0),
    477: ("HubSpot is moving this portal", 3_600.0),
    522: (_UNREACHABLE, 300.0),
    525: (_UNREACHABLE, 300.0),
    526: (_UNREACHABLE, 300.0),
}
_AGE = re.compile(r"expired (\d+) day")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of whatever status. `body` is None when it was no JSON object. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any] | None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], raw: bytes) -> Self:
        try:
            body = parse(raw)
        except (ValueError, RecursionError):
            body = None
        lower = {name.lower(): value for name, value in headers.items()}
        return cls(status, lower, body if isinstance(body, dict) else None)

    @property
    def refusal(self) -> Refusal:
        return Refusal.read(self.body)

    @property
    def results(self) -> list[dict[str, Any]]:
        """The records of a list or batch answer; raises Retry when there are none to speak of."""
        results = (self.body or {}).get("results")
        if not isinstance(results, list) or not all(isinstance(record, dict) for record in results):
            raise Retry(f"HubSpot answered HTTP {self.status} without results")
        return results

    def seconds(self, header: str, cap: float = DAY) -> float | None:
        """A header that holds seconds, clamped to 0…cap; None when it is absent or no number."""
        try:
            return min(max(float(self.headers.get(header, "")), 0.0), cap)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error body, or one entry of `errors` in a 207. HubSpot: every part of it is optional."""

    message: str = ""
    category: str = ""
    policy: str = ""
    correlation: str = ""
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: tuple[Refusal, ...] = ()

    @classmethod
    def read(cls, body: object) -> Refusal:
        part = body if isinstance(body, dict) else {}
        context = part.get("context")
        errors = part.get("errors")
        return cls(
            message=_text(part.get("message")),
            category=_text(part.get("category") or part.get("errorType") or part.get("code")),
            policy=_text(part.get("policyName")),
            correlation=_text(part.get("correlationId")),
            context={k: _texts(v) for k, v in context.items()} if isinstance(context, dict) else {},
            errors=tuple(cls.read(e) for e in errors) if isinstance(errors, list) else (),
        )

    def named(self, key: str) -> tuple[str, ...]:
        """What the context says under `key`, here and in the entries below."""
        return (*self.context.get(key, ()), *(value for error in self.errors for value in error.context.get(key, ())))


class MissingScope(Halt):
    """The token may not do this one thing; it may be good for all others."""


def translate(answer: Answer, what: str) -> ConnectorError:
    """The error that an answer other than success and 429 stands for."""
    status, refusal = answer.status, answer.refusal
    if status == 401:
        return _unauthorised(refusal)
    if status == 403:
        return _forbidden(refusal)
    if status in _PAUSES:
        reason, seconds = _PAUSES[status]
        return Retry(f"{reason} (HTTP {status})", after=answer.seconds("retry-after") or seconds)
    if status >= 500:
        return InDoubt(f"{what}: HTTP {status}")
    hint = refusal.category or ("no reason given" if answer.body else "the answer is no JSON")
    return Halt(
        f"HubSpot refused {what}: HTTP {status}, {hint}",
        trouble=Trouble.MISCONFIGURED,
        cure="run `syncd check`, and compare base_url, api_version and match with HubSpot's reference",
    )


def expired(answer: Answer) -> bool:
    """Is this the 401 that a fresh OAuth token mends?"""
    return answer.status == 401 and answer.refusal.category == "EXPIRED_AUTHENTICATION"


def _unauthorised(refusal: Refusal) -> Halt:
    age = _AGE.search(refusal.message)
    if age and int(age[1]) > 10_000:  # "expired 20336 days ago" is 1970: HubSpot could not decode it
        message, cure = "the access token is malformed", "copy the whole access token again, without quotes or spaces"
    elif refusal.category == "EXPIRED_AUTHENTICATION":
        message, cure = "the access token has expired", "rotate the key in HubSpot and set the new access_token"
    else:
        message, cure = (
            "HubSpot does not accept the access token",
            "set access_token to a valid service key or app token",
        )
    return Halt(message, trouble=Trouble.CREDENTIALS, cure=cure)


def _forbidden(refusal: Refusal) -> Halt:
    scopes = ", ".join(dict.fromkeys(refusal.named("requiredGranularScopes")))
    if scopes or refusal.category == "MISSING_SCOPES":
        return MissingScope(
            f"the access token lacks a scope: {scopes or 'HubSpot does not say which'}",
            trouble=Trouble.CREDENTIALS,
            cure=f"grant one of these scopes to the service key or app: {scopes or 'see HubSpot'}",
        )
    return Halt(
        "HubSpot refuses this account or address (HTTP 403)",
        trouble=Trouble.BLOCKED,
        cure="look whether the portal is suspended or an IP allow-list is set",
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(v) for v in value) if isinstance(value, list) else (_text(value),)
