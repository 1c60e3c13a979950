"""A real HTTP server on loopback that answers what a test tells it to, and remembers what it was asked.

Not in here: any vendor's rules.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON unless `body` is bytes. `cut`: close the connection without any answer."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came. Header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Script:
    """What the server will answer, in order, and what it was asked."""

    url: str
    default: Reply = field(default_factory=lambda: Reply(599))
    replies: deque[Reply] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)

    def answer(self, *replies: Reply) -> None:
        self.replies.extend(replies)


@contextmanager
def scripted(*replies: Reply, default: Reply = Reply(599)) -> Iterator[Script]:
    """Serve in a thread; a call for which nothing is scripted is answered with `default`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    script = Script(url=f"http://127.0.0.1:{server.server_address[1]}", default=default, replies=deque(replies))
    server.script = script  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # one request per connection: none is left open at the end

    def do_POST(self) -> None:
        self._take()

    def do_GET(self) -> None:
        self._take()

    def _take(self) -> None:
        script: Script = self.server.script  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        script.calls.append(Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
        reply = script.replies.popleft() if script.replies else script.default
        if reply.cut:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        told = {"content-type": "application/json", "content-length": str(len(content))} | dict(reply.headers)
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a test's output is for its failures."""
