"""A lean HTTP/1.1 client on httptools: what the bare script calls with, the vendors call back with, and the load.

It keeps its connections, knows no TLS, no redirects and no compression, and repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httptools

Answer = tuple[int, bytes]  # status, body


class _Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[Answer] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the connection was closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        if not self._parser.should_keep_alive() and self.transport is not None:
            self.transport.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), body))

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer


class Client:
    """At most `connections` requests at once; whoever comes later waits."""

    def __init__(self, connections: int = 8) -> None:
        self._places = asyncio.Semaphore(connections)
        self._idle: dict[str, list[_Connection]] = {}

    async def send(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST a body (JSON unless `headers` say otherwise); raises OSError where no answer comes."""
        host, request = _request(url, body, headers or {"content-type": "application/json"})
        async with self._places:
            connection = await self._connected(host)
            answer = await connection.ask(request)
            self._idle.setdefault(host, []).append(connection)
            return answer

    async def _connected(self, host: str) -> _Connection:
        idle = self._idle.get(host, [])
        while idle:
            connection = idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection
        name, _, port = host.partition(":")
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, name, int(port))
        return connection

    def close(self) -> None:
        """Close the connections that carry nothing."""
        for connection in (one for idle in self._idle.values() for one in idle):
            if connection.transport is not None:
                connection.transport.close()


def _request(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[str, bytes]:
    """The host with its port, and all that is sent to it."""
    host, _, path = url.partition("://")[2].partition("/")
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST /{path} HTTP/1.1\r\nhost: {host}\r\n{named}content-length: {len(body)}\r\n\r\n"
    return host, head.encode("latin-1") + body
