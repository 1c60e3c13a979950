"""The ids that travel: of paid calls and of their requests. They stand in addresses, in what vendors echo, in logs.

A call's id never comes twice, also after a ledger was restored from an old copy: it is random. It is short, because it
stands in many rows; what makes an address safe is its MAC. A request is named after its call, and the ledger keeps only
what it has of its own.
"""

from __future__ import annotations

import re
import secrets

_BYTES = 9  # as text without "-" and "_": 71 random bits
_REQUEST = re.compile(rb"[0-9A-Za-z]{12,}\.[0-9]+")


def new() -> str:
    """The id of a call: 12 letters and digits."""
    while not (made := secrets.token_urlsafe(_BYTES)).isalnum():
        pass
    return made


def of_request(call: str, number: int) -> str:
    """The id of a call's request. No one is the beginning of another one: who looks for it in a text finds no other."""
    return f"{call}.{number:04}"


def requests_in(body: bytes) -> frozenset[str]:
    """What may be ids of requests in an answer."""
    return frozenset(found.decode() for found in _REQUEST.findall(body))


def own_part(call: str, request: str) -> str:
    """What a request's id has of its own; "" where it is its call's. The view `question` puts them together again."""
    return request.removeprefix(call) if request == call or request.startswith(f"{call}.") else request
