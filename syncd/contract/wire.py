"""HTTP/1.1 on asyncio and httptools: one host's connections, and how far each request went.

`NotSent`: nothing of the request has left this process. `Broken`: some of it has, and no whole answer came. Whoever
calls sets the time limit: a call that is cancelled closes its connection. No cookies, redirects, HTTP/2, repeats.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

import httptools

from .body import Body, TooLarge, Unreadable
from .network import Network

CONNECT = 10.0  # seconds for a connection, with its TLS and a proxy's consent
IDLE = 2.0  # seconds for which an idle connection is kept: many servers close theirs after five
FRAME = 1 << 20  # bytes of an answer that are no body: its head, and the frame of its chunks
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class NotSent(Exception):
    """Nothing of the request has left this process; what it was raised from says why."""


class Broken(Exception):
    """The request, or a part of it, has left, and no whole answer has come."""


@dataclass(frozen=True, slots=True)
class Request:
    """`target`: path and query. `begun`: set once something of it may have left this process."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    begun: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are lower-case; the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries requests to one host."""

    async def send(self, request: Request, limit: int) -> Answer:
        """One request, one answer of at most `limit` bytes. Raises NotSent, Broken, Unreadable."""

    async def aclose(self) -> None:
        """Let go of all connections."""


class _Reading:
    """One answer as it comes: httptools calls back here."""

    def __init__(self, limit: int) -> None:
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.keeps = False  # may the connection carry another request?
        self._limit, self._came = limit, 0
        self._headers: dict[str, str] = {}
        self._body: Body | None = None
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._came += len(data)
        try:
            if self._came > self._limit + FRAME or (self._body is None and self._came > FRAME):
                raise TooLarge(self._limit)
            self._parser.feed_data(data)
        except Unreadable as error:
            self.fail(error)
        except httptools.HttpParserError as error:
            inner = error.__context__
            self.fail(inner if isinstance(inner, Unreadable) else Broken("it is no HTTP answer"))
        except httptools.HttpParserUpgrade:
            self.fail(Broken("it speaks another protocol"))

    def ended(self, error: Exception | None) -> None:
        """The connection has ended: an answer that tells no length ends with it."""
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        if error is None and self._body is not None and not framed:
            self._finish()
        self.fail(Broken("the connection was cut") if error is None else Broken(str(error)))

    def fail(self, error: Exception) -> None:
        self.keeps = False
        if not self.done.done():
            self.done.set_exception(error)

    def on_message_begin(self) -> None:
        self.keeps = False  # what follows an answer was not asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._body = Body(self._headers.get("content-encoding", ""), self._limit)

    def on_body(self, part: bytes) -> None:
        if self._body is not None:
            self._body.add(part)

    def on_message_complete(self) -> None:
        if self._body is None:  # an interim answer: the real one follows
            self._headers = {}
            return
        keeps = self._parser.should_keep_alive()
        self._finish()
        self.keeps = keeps and self.done.exception() is None

    def _finish(self) -> None:
        if self._body is None or self.done.done():
            return
        try:
            self.done.set_result(Answer(self._parser.get_status_code(), self._headers, self._body.whole()))
        except Unreadable as error:
            self.fail(error)


class _Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    _transport: asyncio.Transport
    _reading: _Reading | None = None
    _ended = False
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # of a stream it is one that writes
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self._reading is None:
            self.close()  # nobody has asked for it
        else:
            self._reading.feed(data)

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        if self._reading is not None:
            self._reading.ended(exc)

    async def carry(self, request: Request, head: bytes, limit: int) -> Answer:
        """Send it and read the answer. Raises Broken, Unreadable; the connection is of no use then."""
        self._reading = reading = _Reading(limit)
        try:
            request.begun.set()
            self._transport.write(head + request.body)
            return await reading.done
        finally:
            self._reading = None
            self._idle_since = self._loop.time()
            if not reading.keeps:
                self.close()

    @property
    def is_open(self) -> bool:
        """As far as the event loop has heard."""
        return not self._ended and not self._transport.is_closing()

    @property
    def is_usable(self) -> bool:
        """Idle for a moment only, and nothing has come: a server that has closed its end would get a request for
        nothing, and nobody could say whether it was carried out."""
        if not self.is_open or self._loop.time() - self._idle_since > IDLE:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._ended = True
        self._transport.abort()


class Line:
    """The way to one host. `headers` go with each request."""

    def __init__(self, base_url: str, network: Network) -> None:
        parts = urlsplit(base_url)
        self._scheme, self._network = parts.scheme, network
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._named = parts.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []

    async def send(self, request: Request, limit: int) -> Answer:
        """See Transport."""
        try:
            head = self._head(request)
            connection = self._kept() or await self._open()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise NotSent(str(error)) from error
        answer = await connection.carry(request, head, limit)
        if connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    async def aclose(self) -> None:
        """See Transport."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # the loop closes the sockets

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def _head(self, request: Request) -> bytes:
        """Raises ValueError for what is no header."""
        named = {"host": self._named, **request.headers}
        target = request.target
        if request.body or request.method == "POST":
            named["content-length"] = str(len(request.body))
        if self._network.proxy and self._scheme == "http":
            target = f"http://{self._named}{target}"
            named |= self._proxy_login()
        lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        text = "\r\n".join([*lines, "", ""])
        if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1 or "\0" in text:
            raise ValueError("a header holds a line end")
        return text.encode("latin-1")

    def _proxy_login(self) -> dict[str, str]:
        login = self._network.proxy_login
        return {} if login is None else {"proxy-authorization": f"Basic {b64encode(':'.join(login).encode()).decode()}"}

    async def _open(self) -> _Connection:
        if self._scheme not in {"http", "https"}:
            raise ValueError(f"{self._scheme} is no scheme that is known here")
        tls = self._network.tls if self._scheme == "https" else None
        try:
            async with asyncio.timeout(CONNECT):
                if self._network.proxy:
                    return await self._by_proxy(tls)
                return await self._connect(self._host, self._port, tls)
        except TimeoutError as error:
            raise TimeoutError("no connection in time") from error  # one of ours; a caller's own limit passes by

    async def _connect(self, host: str, port: int, tls: ssl.SSLContext | None) -> _Connection:
        loop = asyncio.get_running_loop()
        name = host if tls else None
        try:
            _, connection = await loop.create_connection(
                _Connection, host, port, ssl=tls, server_hostname=name, happy_eyeballs_delay=0.25
            )
        except OSError as error:
            raise _single(error) from error
        return connection

    async def _by_proxy(self, tls: ssl.SSLContext | None) -> _Connection:
        """Plain requests are sent to the proxy itself; for the others it opens a tunnel."""
        proxy = urlsplit(self._network.proxy_url)
        host, port = proxy.hostname or "", proxy.port or 80
        if tls is None:
            return await self._connect(host, port, None)
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(self._tunnel_head())
            _require_consent(await reader.readuntil(b"\r\n\r\n"))
            await writer.start_tls(tls, server_hostname=self._host)
        except asyncio.IncompleteReadError as error:
            writer.transport.abort()
            raise ConnectionResetError("the proxy closed the connection") from error
        except BaseException:  # a cancelled call, too, must not leave its connection open
            writer.transport.abort()
            raise
        connection = _Connection()
        writer.transport.set_protocol(connection)
        connection.connection_made(writer.transport)
        return connection

    def _tunnel_head(self) -> bytes:
        way = f"{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"
        named = {"host": way, **self._proxy_login()}
        lines = [f"CONNECT {way} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def _require_consent(head: bytes) -> None:
    """Raises ConnectionError with a proxy's refusal: `403 Forbidden`."""
    said = head.decode("latin-1").partition("\r\n")[0].partition(" ")[2]
    if not said.startswith("2"):
        raise ConnectionError(said)


def _single(error: OSError) -> OSError:
    """asyncio joins what several addresses answered to one text; the first one's kind tells more."""
    found = _ERRNO.search(str(error)) if error.errno is None and not isinstance(error, ssl.SSLError) else None
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error
