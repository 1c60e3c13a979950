"""Why a host could not be reached, in words. Whatever the HTTP client, the cause is among the errors behind its own."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator

_TUNNEL = re.compile(r"(?:Tunnel connection failed: )?(?P<status>[1-5]\d\d)\b[ :]*(?P<reason>.*)")
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_CUT = {
    "ConnectionResetError",
    "BrokenPipeError",
    "EndOfStream",
    "RemoteProtocolError",
    "ReadError",
    "RemoteDisconnected",
}
WANTS_LOGIN = "the proxy wants a user and a password (407); write them into network.proxy"
_COMPANY = "a company's own authority belongs in network.ca_file"


def unreached(host: str, error: BaseException, *, proxy: str = "") -> str:
    """`could not reach HOST: …`, for an error before anything was sent. `proxy`: the one that was to be used."""
    errors = list(_chain(error))
    for one in errors:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"could not reach {host}: its certificate is not trusted: {one.verify_message} ({_COMPANY})"
        if isinstance(one, ssl.SSLError):
            return f"could not reach {host}: TLS failed ({one.reason or 'no reason given'}); does its port speak https?"
    refused = next(filter(None, map(_refusal, errors)), "") if proxy else ""
    if refused.startswith("407"):
        return f"could not reach {host}: {WANTS_LOGIN}"
    if refused:
        return f"could not reach {host}: the proxy {proxy} refused the way ({refused})"
    whose = f"the proxy {proxy}: " if proxy else ""
    return f"could not reach {host}: {whose}{_why(errors)}"


def _why(errors: list[BaseException]) -> str:
    for one in errors:
        if isinstance(one, socket.gaierror):
            return f"its name is not known ({one.strerror})"
        if isinstance(one, ConnectionRefusedError):
            return "it refused the connection, nothing listens there"
        if isinstance(one, OSError) and one.errno in _NO_WAY:
            return f"there is no way to it ({one.strerror})"
    if any(isinstance(one, TimeoutError) or "timeout" in type(one).__name__.lower() for one in errors):
        return "it did not answer in time"
    if any(type(one).__name__ in _CUT for one in errors):  # httpx's, anyio's and http.client's among them
        return "it cut the connection"
    return type(errors[0]).__name__


def _refusal(error: BaseException) -> str:
    """What a proxy answered to CONNECT: httpx says `403 Forbidden`, urllib3 puts words before it."""
    found = _TUNNEL.fullmatch(str(error))
    return "" if found is None else f"{found['status']} {found['reason'][:60]}".strip()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from, the nearest first."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [
            one.__cause__,
            one.__context__,
            getattr(one, "reason", None),
            *getattr(one, "exceptions", ()),
            *one.args,
        ]
        waiting += [each for each in inner if isinstance(each, BaseException)]
