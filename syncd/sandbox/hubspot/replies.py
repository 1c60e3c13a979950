"""How HubSpot words its refusals: status, body, headers. When each is due is said where it is raised.

Bodies were taken from recorded answers and HubSpot's documents; where no recording exists, the
wording is ours and clients must not depend on it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

AUTH_TEXT = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)
SCOPES_PAGE = "https://developers.hubspot.com/scopes"
NOT_FOUND_PAGE = (
    '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
    "<title>Error 404 Not Found</title>\n</head>\n<body><h2>HTTP ERROR 404</h2>\n"
    "<p>Problem accessing the resource. Reason:\n<pre>    Not Found</pre></p>\n</body>\n</html>\n"
)


class Refusal(Exception):
    """An answer other than success, raised where HubSpot would stop looking further."""

    def __init__(self, status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, dict(headers or {})


@lru_cache(maxsize=65_536)
def iso(ms: int) -> str:
    """Milliseconds since 1970 as HubSpot writes times."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def error(message: str, category: str | None, **more: Any) -> dict[str, Any]:
    """The usual envelope; `category` is missing from some real answers."""
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    body.update(more)
    if category:
        body["category"] = category
    return body


def invalid(message: str, **more: Any) -> Refusal:
    """400 VALIDATION_ERROR."""
    return Refusal(400, error(message, "VALIDATION_ERROR", **more))


def unauthenticated() -> Refusal:
    """401 for a missing, unknown or badly written credential."""
    return Refusal(401, error(AUTH_TEXT, "INVALID_AUTHENTICATION"))


def expired(at_ms: int, now_ms: int) -> Refusal:
    """401 for an OAuth token past its time; HubSpot says 1970 for one it cannot read."""
    ago = (now_ms - at_ms) // 1000
    since = f"{ago} second(s)" if at_ms else f"{ago // 86400} day(s)"
    return Refusal(
        401,
        error(
            f"The OAuth token used to make this call expired {since} ago.",
            "EXPIRED_AUTHENTICATION",
            context={"expire time": [iso(at_ms) if at_ms else "1970-01-01T00:00:00Z"]},
        ),
    )


def lacks_scopes(wanted: Iterable[str]) -> Refusal:
    """403 MISSING_SCOPES."""
    return Refusal(
        403,
        error(
            "This app hasn't been granted all required scopes to make this call. "
            f"Read more about required scopes here: {SCOPES_PAGE}.",
            "MISSING_SCOPES",
            errors=[
                {
                    "message": "One or more of the following scopes are required.",
                    "context": {"requiredGranularScopes": sorted(wanted)},
                }
            ],
            links={"scopes": SCOPES_PAGE},
        ),
    )


def too_often(policy: str, headers: Mapping[str, str] | None = None) -> Refusal:
    """429 of the general limits; `policy`: TEN_SECONDLY_ROLLING or DAILY."""
    body = error(f"You have reached your {policy.lower()} limit.", None, errorType="RATE_LIMIT", policyName=policy)
    body["requestId"] = str(uuid.uuid4())
    return Refusal(429, body, headers)


def searched_too_often(newer: bool) -> Refusal:
    """429 of the search limit: no Retry-After, no rate headers. `newer`: the wording reported since."""
    text = "You have reached your secondly limit."
    if newer:
        return Refusal(429, error(text, None, errorType="RATE_LIMIT", policyName="SECONDLY"))
    return Refusal(429, error(text, "RATE_LIMITS"))


def bad_properties(problems: list[dict[str, Any]]) -> dict[str, Any]:
    """400 for values that don't fit: the problems stand as JSON inside the message, without their record."""
    named = [
        {"message": one["message"], "code": one["error"], "context": {"propertyName": [one["name"]]}}
        for one in problems
    ]
    text = json.dumps(problems, ensure_ascii=False, separators=(",", ":"))
    return error(f"Property values were not valid: {text}", "VALIDATION_ERROR", errors=named)


def missing_objects(kind: str, ids: list[str]) -> dict[str, Any]:
    """The entry of a 207 for ids that do not exist; `kind`: CONTACT or COMPANY."""
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": ids},
    }
