"""What goes wrong between Salesforce and its client: errors of the edge, slow, cut and silent connections, nonsense.

Faults are named `<prefix>_<mishap>`, where the prefix says which calls: `salesforce` (any call to the org),
`salesforce_query`, `salesforce_read`, `salesforce_update`, `salesforce_bulk`, `salesforce_login`; those that
end in `_after` strike once an update was carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable

from starlette.responses import HTMLResponse, Response

from syncd.sandbox.answers import Cut, Silent, Torn
from syncd.sandbox.faults import Faults

from .replies import EDGE_PAGE, Refusal

_PREFIXES = {
    "salesforce": "any call to the org",
    "salesforce_query": "a query or its next page",
    "salesforce_read": "a retrieve, describe, limits or single GET call",
    "salesforce_update": "an update",
    "salesforce_bulk": "a call about a bulk job",
    "salesforce_login": "a login",
}
_BEFORE = {
    "error": "is answered with an error and has no effect (parameter: status; default 503)",
    "cut": "ends with the connection cut, has no effect and no answer",
    "silent": "is never answered and has no effect",
    "html": "is answered 200 with a web page and has no effect",
    "empty": "is answered 200 with nothing and has no effect",
    "nonsense": "is answered 200 with {} and has no effect",
}
_MIDWAY = {
    "slow": "is answered so many real seconds late (parameter; default 1)",
    "torn": "is answered, but the connection is cut in the middle of the body",
}
_AFTER = {
    "error_after": "is carried out, but answered with an error (parameter: status; default 503)",
    "cut_after": "is carried out, but the connection is cut without an answer",
    "silent_after": "is carried out, but never answered",
}
FAULTS = {
    **{
        f"{prefix}_{name}": f"{call} {text}"
        for prefix, call in _PREFIXES.items()
        for name, text in (_BEFORE | _MIDWAY).items()
    },
    **{f"salesforce_update_{name}": f"an update {text}" for name, text in _AFTER.items()},
}
_ERRORS = {
    503: ("SERVER_UNAVAILABLE", "Server too busy"),
    500: (
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-123456)",
    ),
}


async def before(faults: Faults, prefixes: Iterable[str], closing: asyncio.Event) -> Response | None:
    """The answer instead of carrying the call out, if such a fault strikes."""
    for prefix in prefixes:
        for name in _BEFORE:
            if (param := faults.take(f"{prefix}_{name}")) is not None:
                return _spoilt(name, param, closing)
    return None


async def after(faults: Faults, answer: Response, closing: asyncio.Event) -> Response:
    """`answer` to an update, unless a fault swallows it."""
    for name in _AFTER:
        if (param := faults.take(f"salesforce_update_{name}")) is not None:
            return _spoilt(name.removesuffix("_after"), param, closing)
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
        return _error(int(param or 503))
    if name in {"html", "empty", "nonsense"}:
        text = {"html": EDGE_PAGE.format("Maintenance"), "empty": "", "nonsense": "{}"}[name]
        return Response(text, media_type="text/html" if name == "html" else "application/json")
    return Cut() if name == "cut" else Silent(closing)


def _error(status: int) -> Response:
    """JSON where the org answers, a page where the edge before it does."""
    if status not in _ERRORS:
        return HTMLResponse(EDGE_PAGE.format(status), status)
    code, text = _ERRORS[status]
    return Response(json.dumps(Refusal(code, text).body()), status, media_type="application/json")
