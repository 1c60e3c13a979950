"""What Zeliq accepts and what it refuses: plans, and the checks of a request's body.

The texts are literal where the vendor's documents give them; those of a bad callback URL, a wrong
type and a long origin are worded as its framework (NestJS) words such things.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from syncd.sandbox.faults import Faults
from syncd.sandbox.limits import DAY, HOUR, MINUTE

ORIGIN_LENGTH = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan allows: calls per minute, hour, day; credits for an e-mail (a phone is 10, a few are dearer)."""

    per_minute: int
    per_hour: int
    per_day: int
    email: Decimal = Decimal(1)
    phone: Decimal = Decimal(10)

    def limits(self) -> dict[str, int]:
        """The `limits` object of a 429."""
        return {"perMinute": self.per_minute, "perHour": self.per_hour, "perDay": self.per_day}

    def windows(self) -> dict[float, int]:
        """Calls per window, by its length in seconds."""
        return {MINUTE: self.per_minute, HOUR: self.per_hour, DAY: self.per_day}


PLANS: dict[str, Plan] = {
    "free": Plan(50, 200, 600),
    "starter": Plan(200, 400, 2_000),
    "essential": Plan(600, 2_000, 6_000),
    "advanced": Plan(600, 2_000, 6_000, email=Decimal(0)),
    "enterprise": Plan(600, 2_000, 6_000, email=Decimal(0)),
}

_IDENTITY = {
    "email": ("linkedin_url", "first_name", "last_name", "company", "domain"),
    "phone": ("linkedin_url", "email"),
}
_UNKNOWN = {  # fault to the property that is not known while it is on
    "zeliq_no_domain": "domain",
    "zeliq_only_callback_url": "callbackUrl",
    "zeliq_only_callbackUrl": "callback_url",
}
_REASONS = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 423: "Locked", 429: "Too Many Requests"}


class Refused(Exception):
    """A call is refused: status and body of the answer."""

    def __init__(self, status: int, message: str | list[str], error: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {"statusCode": status, "error": error or _REASONS[status], "message": message}


def read_request(faults: Faults, field: str, raw: bytes, origin: str) -> tuple[dict[str, str], str]:
    """What is asked and where the callback goes. `origin`: the header x-request-origin. Raises Refused."""
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(400, str(error)) from error
    complaints = _complaints(faults, body, origin, field)
    if complaints:
        listed = faults.setting("zeliq_message_list") is not None
        raise Refused(400, complaints if listed else complaints[0], "VALIDATION_FAILED")
    asked = {name: body[name] for name in _IDENTITY[field] if body.get(name)}
    if problem := _unidentified(asked, field):
        raise Refused(400, problem)
    return asked, body.get("callbackUrl") or body["callback_url"]


def _complaints(faults: Faults, body: Any, origin: str, field: str) -> list[str]:
    if not isinstance(body, dict):
        return ["the body must be an object"]
    unknown = {name for fault, name in _UNKNOWN.items() if faults.setting(fault) is not None}
    known = {*_IDENTITY[field], "callbackUrl", "callback_url"} - unknown
    lenient = faults.setting("zeliq_lenient") is not None
    found = [] if lenient else [f"property {name} should not exist" for name in body if name not in known]
    texts = {name: value for name, value in body.items() if name in known and value is not None}
    found += [f"{name} must be a string" for name, value in texts.items() if not isinstance(value, str)]
    if not found and not _is_url(texts.get("callbackUrl") or texts.get("callback_url") or ""):
        found.append("callbackUrl must be a URL address")
    if len(origin) > ORIGIN_LENGTH:
        found.append(f"x-request-origin must be shorter than or equal to {ORIGIN_LENGTH} characters")
    return found


def _unidentified(asked: Mapping[str, str], field: str) -> str | None:
    if asked.get("linkedin_url"):
        return None
    if field == "phone":
        return None if asked.get("email") else "linkedin_url or email is required"
    if asked.get("first_name") and asked.get("last_name") and (asked.get("company") or asked.get("domain")):
        return None
    return "Either linkedin_url OR (first_name, last_name, and company or domain) are required"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
