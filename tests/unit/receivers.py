"""Who is told by alerts and traces: servers on loopback, which keep what they get."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    """It runs meanwhile; its port."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """It says nothing."""


@dataclass
class Web:
    """Answers `status` to every POST; `hold` keeps it from answering until it is set."""

    port: int = 0
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    hold: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook"


@contextmanager
def web() -> Iterator[Web]:
    """A web server that takes what `json://` sends."""
    server = Web()

    class Handler(_Handler):
        def do_POST(self) -> None:
            body = self.body()
            if server.hold is not None:
                server.hold.wait(30)
            if server.status == 200:
                server.got.append(json.loads(body))
            self.reply(server.status)

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server.port:
        yield server


@dataclass
class Mail:
    """What came by SMTP."""

    port: int = 0
    got: list[str] = field(default_factory=list)


@contextmanager
def mail(tls: ssl.SSLContext | None = None) -> Iterator[Mail]:
    """A mail server that takes everything, behind TLS where it is given a context."""
    server = Mail()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    server.got.append("".join(part.decode() for part in iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

    made = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        made.socket = tls.wrap_socket(made.socket, server_side=True)
    with _serving(made) as server.port:
        yield server


@dataclass
class Collector:
    """What came."""

    port: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Any]:
        """All of them, as they came."""
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [s for one in requests for r in one.resource_spans for scope in r.scope_spans for s in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """A receiver of OTLP over HTTP."""
    made = Collector()

    class Handler(_Handler):
        def do_POST(self) -> None:
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            made.bodies.append(self.body())
            self.reply(200)

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as made.port:
        yield made
