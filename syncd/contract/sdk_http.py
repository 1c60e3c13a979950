"""The way out for the vendors' own SDKs, which call through urllib3: by which proxy, whose certificates are trusted, a
call's time, and the size of its answer.

urllib3 knows the seconds between two bytes and no more: a server that sends a byte now and then holds its thread for
ever, and one that sends a small compressed body fills the memory. Our own calls are limited in `http`. Import it where
an SDK is imported, not before.
"""

from __future__ import annotations

import io
import ssl
import time
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from urllib3 import (
    HTTPConnectionPool,
    HTTPResponse,
    HTTPSConnectionPool,
    PoolManager,
    ProxyManager,
    Retry,
    make_headers,
)
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ProxyError

from .body import BODY_LIMIT, Body, Unreadable
from .causes import WANTS_LOGIN
from .network import Network
from .watched import Outside

WITHIN = 60.0  # seconds for a whole call, from its first byte to the last one of its answer
_PART = 1 << 16  # bytes
_FRAME = 1 << 20  # bytes of an answer that are no body: its head, and the frame of its chunks
_GONE = {"content-encoding", "content-length", "transfer-encoding"}  # no longer true of a body that was read


def manager(
    network: Network, url: str, *, connections: int, within: float = WITHIN, body_limit: int = BODY_LIMIT
) -> PoolManager:
    """What an SDK is to call hosts like this one through, with `limit_calls`. It repeats nothing and follows no
    redirect."""
    made: dict[str, Any] = {"maxsize": connections, "retries": Retry(0, redirect=0)}
    if url.startswith("https"):
        made["ssl_context"] = network.tls
    if network.proxy:
        login = network.proxy_login
        headers = make_headers(proxy_basic_auth=":".join(login)) if login else None
        found: PoolManager = ProxyManager(network.proxy_url, proxy_headers=headers, **made)
    else:
        found = PoolManager(**made)
    limit_calls(found, within=within, body_limit=body_limit)
    return found


def limit_calls(manager: PoolManager, *, within: float = WITHIN, body_limit: int = BODY_LIMIT) -> None:
    """From now on each call of this manager ends in time, and its answer comes whole and unpacked.

    What breaks the limits, or the connection, once a request may have been sent is raised as a ProtocolError.
    """
    limits = {"within": within, "body_limit": body_limit}
    plain = type("LimitedConnection", (_Connection, HTTPConnection), limits)
    secure = type("LimitedTlsConnection", (_Connection, HTTPSConnection), limits)
    manager.pool_classes_by_scheme = {
        "http": type("LimitedPool", (_Pool, HTTPConnectionPool), {"ConnectionCls": plain, **limits}),
        "https": type("LimitedTlsPool", (_Pool, HTTPSConnectionPool), {"ConnectionCls": secure, **limits}),
    }


class _Call:
    """What is left to the call that a connection carries: a connection carries one at a time."""

    def __init__(self) -> None:
        self._ends = float("inf")
        self._bytes = _FRAME

    def begin(self, within: float, body_limit: int) -> None:
        self._ends = time.monotonic() + within
        self._bytes = body_limit + _FRAME

    def seconds(self) -> float:
        """Until the call's time is over; raises TimeoutError when it is."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return left

    def count(self, came: int) -> None:
        self._bytes -= came
        if self._bytes < 0:
            raise ProtocolError("the answer is too large")


class _Reader(io.RawIOBase):
    """What comes from a socket, as long as the call may last."""

    def __init__(self, sock: _Socket, raw: Any) -> None:
        self._sock, self._raw = sock, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.hurry()
        came: int | None = self._raw.readinto(buffer)
        self._sock.call.count(came or 0)
        return came

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Socket:
    """A connected socket; whatever is done with it ends when the call's time is over."""

    def __init__(self, sock: Any, call: _Call) -> None:
        self._sock, self.call = sock, call
        self._pause: float | None = sock.gettimeout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, seconds: float | None) -> None:
        """The longest pause between two bytes."""
        self._pause = seconds

    def hurry(self) -> None:
        left = self.call.seconds()
        self._sock.settimeout(left if self._pause is None else min(left, self._pause))

    def sendall(self, data: Any) -> None:
        self.hurry()
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """As http.client asks for it: the raw one keeps the socket open until it is read."""
        return io.BufferedReader(_Reader(self, self._sock.makefile(mode, buffering=0)))


class _Connection:
    """Mixed into urllib3's connections."""

    within: float
    body_limit: int
    sock: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._call = _Call()

    def connect(self) -> None:
        """Whatever fails here, the request was not sent: it is raised as a NewConnectionError."""
        self._call.begin(self.within, self.body_limit)
        try:
            super().connect()  # type: ignore[misc]
        except NewConnectionError:
            raise
        except (OSError, HTTPException, HTTPError) as error:
            raise NewConnectionError(self, type(error).__name__) from error  # type: ignore[arg-type]
        self.sock = _Socket(self.sock, self._call)

    def _tunnel(self) -> None:
        """The proxy's answer to CONNECT has to come in time, too."""
        plain, self.sock = self.sock, _Socket(self.sock, self._call)
        try:
            super()._tunnel()  # type: ignore[misc]
        finally:
            if self.sock is not None:
                self.sock = plain

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._call.begin(self.within, self.body_limit)
        super().request(*args, **kwargs)  # type: ignore[misc]

    def getresponse(self) -> HTTPResponse:
        try:
            answer: HTTPResponse = super().getresponse()  # type: ignore[misc]
        except ssl.SSLError as error:  # urllib3 would not tell it from a handshake that failed
            raise ProtocolError(f"TLS broke before the answer: {error.reason}") from error
        return answer


class _Pool:
    """Mixed into urllib3's pools."""

    body_limit: int

    def urlopen(self, method: str, url: str, *args: Any, **kwargs: Any) -> HTTPResponse:
        """See urllib3; the answer was read to its end, whatever is asked for."""
        kwargs["preload_content"] = False
        with Outside(method, urlsplit(url).path) as watched:
            answer: HTTPResponse = super().urlopen(method, url, *args, **kwargs)  # type: ignore[misc]
            if answer.status == 407:
                answer.close()
                raise ProxyError(WANTS_LOGIN, OSError(f"{answer.status} {answer.reason}"))
            try:
                body = _read(answer, self.body_limit)
            except BaseException:  # whatever cut it, a half-read connection must not go back to the pool
                answer.close()
                raise
            finally:
                answer.release_conn()
            watched.answered(answer.status)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _GONE}
        return HTTPResponse(
            body=io.BytesIO(body),
            headers=headers,
            status=answer.status,
            reason=answer.reason,
            version=answer.version,
            preload_content=False,
            request_method=method,
            request_url=url,
        )


def _read(answer: HTTPResponse, limit: int) -> bytes:
    try:
        body = Body(answer.headers.get("content-encoding", ""), limit)
        for part in answer.stream(_PART, decode_content=False):
            body.add(part)
        return body.whole()
    except Unreadable as error:
        raise ProtocolError(str(error)) from error
    except (HTTPError, OSError) as error:
        raise ProtocolError(f"{type(error).__name__} before the answer was complete") from error
