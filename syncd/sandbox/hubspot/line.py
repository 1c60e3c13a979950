"""What goes wrong between HubSpot and its client: errors of gateways, slow, cut and silent connections, nonsense.

Faults are named `<prefix>_<mishap>`, where the prefix says which calls: `hubspot` (any), `hubspot_search`,
`hubspot_list` (also properties and account), `hubspot_read`, `hubspot_update`; those that end in `_after`
strike once an update was carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from starlette.responses import HTMLResponse, JSONResponse, Response

from syncd.sandbox.answers import Cut, Silent, Torn
from syncd.sandbox.faults import Faults

from .replies import error

_PREFIXES = {
    "hubspot": "any call",
    "hubspot_search": "a search",
    "hubspot_list": "a list, properties or account call",
    "hubspot_read": "a batch read",
    "hubspot_update": "an update of records",
}
_BEFORE = {
    "error": "is answered with an error and has no effect (parameter: status, or status@Retry-After; default 503)",
    "cut": "ends with the connection cut, has no effect and no answer",
    "silent": "is never answered and has no effect",
    "html": "is answered 200 with a web page and has no effect",
    "nonsense": "is answered 200 with {} and has no effect",
    "plain": "is answered 500 with plain text and has no effect",
}
_MIDWAY = {
    "slow": "is answered so many real seconds late (parameter; default 1)",
    "torn": "is answered, but the connection is cut in the middle of the body",
}
_AFTER = {
    "error_after": "is carried out, but answered with an error (parameter: status; default 524)",
    "cut_after": "is carried out, but the connection is cut without an answer",
    "silent_after": "is carried out, but never answered",
}
_GATEWAY = frozenset({502, 520, 521, 522, 523, 524, 525, 526})

FAULTS = {
    **{
        f"{prefix}_{name}": f"{call} {text}"
        for prefix, call in _PREFIXES.items()
        for name, text in (_BEFORE | _MIDWAY).items()
    },
    **{f"hubspot_update_{name}": f"an update {text}" for name, text in _AFTER.items()},
    "hubspot_unauthenticated": "401 INVALID_AUTHENTICATION whatever the token",
    "hubspot_expired": "401 EXPIRED_AUTHENTICATION (parameter: seconds ago, or malformed)",
    "hubspot_forbidden": "403 MISSING_SCOPES (parameter: the scopes, with commas)",
    "hubspot_other_account": "the token is another portal's, while on",
    "hubspot_scope_gone": "the token lacks scopes, while on (parameter: the scopes, with commas)",
    "hubspot_burst": "429 TEN_SECONDLY_ROLLING; not on searches",
    "hubspot_daily": "429 DAILY",
    "hubspot_secondly": "429 of the search limit (parameter: newer, for the newer wording)",
    "hubspot_empty_results": "a search is answered with a total but no results",
}


async def before(faults: Faults, prefixes: Iterable[str], closing: asyncio.Event) -> Response | None:
    """The answer instead of carrying the call out, if such a fault strikes."""
    for prefix in prefixes:
        for name in _BEFORE:
            if (param := faults.take(f"{prefix}_{name}")) is not None:
                return _spoilt(name, param, closing)
    return None


async def after(faults: Faults, prefix: str, answer: Response, closing: asyncio.Event) -> Response:
    """`answer`, unless a fault swallows it."""
    for name in _AFTER:
        if (param := faults.take(f"{prefix}_{name}")) is not None:
            return _spoilt(name.removesuffix("_after"), param or "524", closing)
    return answer


async def midway(faults: Faults, prefixes: Iterable[str], answer: Response, closing: asyncio.Event) -> Response:
    """`answer`, perhaps late, perhaps torn."""
    for prefix in prefixes:
        if (param := faults.take(f"{prefix}_slow")) is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), float(param or 1))
        if faults.take(f"{prefix}_torn") is not None:
            answer = Torn(answer)
    return answer


def _spoilt(name: str, param: str, closing: asyncio.Event) -> Response:
    if name == "error":
        return _error(param or "503")
    if name == "html":
        return HTMLResponse("<!doctype html><html><head><title>HubSpot</title></head><body></body></html>")
    if name == "nonsense":
        return JSONResponse({})
    if name == "plain":
        return Response("upstream connect error or disconnect/reset before headers", 500, media_type="text/plain")
    return Cut() if name == "cut" else Silent(closing)


def _error(param: str) -> Response:
    status, _, wait = param.partition("@")
    headers = {"Retry-After": wait} if wait else {}
    if int(status) in _GATEWAY:
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1>cloudflare</body></html>"
        return HTMLResponse(page, int(status), headers)
    texts = {
        423: "This resource is locked by another request.",
        477: "The account is being moved to another data centre.",
    }
    return JSONResponse(
        error(texts.get(int(status), "There was a problem with the request."), None), int(status), headers
    )
