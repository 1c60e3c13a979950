"""An ASGI app on a socket of ours, by uvicorn, stopped by the daemon and by nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Generator
from typing import Any

from . import lean  # noqa: F401 - before uvicorn

# isort: split
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from syncd.config import Address
from syncd.contract.errors import ConfigError

BACKLOG = 4096  # callbacks wait here while the daemon restarts
DRAIN = 20  # seconds
HEAD_LIMIT = 64 << 10  # bytes of a request's head, and of what follows its body
HEAD_DEADLINE = 10.0  # seconds from a connection to the end of its request's head
TICK = 1.0  # seconds between two Date headers
GRACE = 0.5  # seconds in which an accepted connection may still bring its request while we stop


_FIRST_FD = 3  # by systemd's convention
_TURNS = 3  # of the event loop, from accepting a connection to knowing it


class _Corked:
    """A transport that sends an answer's head together with its body: one call of the kernel instead of two."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))


class _Connection(HttpToolsProtocol):
    """One client: it has so long to say what it wants, and what it said before the end is answered."""

    head_deadline = HEAD_DEADLINE
    _since = 0  # bytes that came since the last head was whole, or the last piece of a body
    _in_head = False
    _reaper: asyncio.TimerHandle | None = None
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Corked(transport, self.loop))  # type: ignore[arg-type] # all that uvicorn uses
        self._reaper = self.loop.call_later(self.head_deadline, self._reap)

    def data_received(self, data: bytes) -> None:
        self._since += len(data)
        super().data_received(data)
        if self._in_head and self._reaper is None:
            self._reaper = self.loop.call_later(self.head_deadline, self._reap)
        if self._since > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The head is too large.")

    def on_body(self, body: bytes) -> None:
        self._since = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._since = 0
        super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._since = 0
        self._in_head = False
        self._let_live()
        super().on_headers_complete()
        if self._ending and self.cycle is not None:
            self.cycle.keep_alive = False

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_live()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """uvicorn would drop a connection that it has accepted and not read: a callback may be in it."""
        self._ending = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(GRACE, self._close_if_idle)
        else:
            super().shutdown()

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._reap()

    def _reap(self) -> None:
        self._reaper = None
        self.timeout_keep_alive_handler()

    def _let_live(self) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None


class _Server(uvicorn.Server):
    """`stopping` ends it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        """uvicorn's own looks ten times a second whether it shall end; that is most of what an idle daemon would do."""
        while not self.stopping.is_set():
            await self.on_tick(0)  # the Date header anew
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self.stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The daemon handles signals: uvicorn would raise them again and end the process."""
        yield


class NoListener:
    """In place of a `Listener` where nobody is to call."""

    port = 0
    app: Any = None

    async def start(self) -> None:
        """Nothing listens."""

    async def stop(self) -> None:
        """Nothing did."""


class Listener:
    """Serves one app on one address. `app` may be replaced at any time: the next request is the new one's.
    `head_deadline`: seconds that a client has for its request's head."""

    def __init__(self, app: Any, address: Address, *, head_deadline: float = HEAD_DEADLINE) -> None:
        self.app = app
        self._socket = _inherited(address) or _bind(address)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._answer,
            http=type("_Connection", (_Connection,), {"head_deadline": head_deadline}),
            loop="none",
            interface="asgi3",
            ws="none",
            lifespan="off",
            proxy_headers=False,  # nobody asks who called: the address's MAC tells
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=DRAIN,
            timeout_keep_alive=5,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accepting connections when this returns."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="listener")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":  # for answers that go on until we end
            scope.setdefault("extensions", {})["syncd.stopping"] = self._server.stopping
        await self.app(scope, receive, send)

    async def stop(self) -> None:
        """Answer what was accepted, close the socket; what was not accepted waits in it, if systemd holds it."""
        asyncio.get_running_loop().remove_reader(self._socket)
        for _ in range(_TURNS):  # uvicorn tells the connections that it knows: one more would keep it from ending
            await asyncio.sleep(0)
        self._server.stopping.set()
        if self._task is not None:
            await self._task


def _inherited(address: Address) -> socket.socket | None:
    """The socket that systemd holds for this address (LISTEN_FDS): callbacks wait in it while we restart."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    for number in range(_FIRST_FD, _FIRST_FD + int(os.environ.get("LISTEN_FDS", "0"))):
        # Adopted as what it is: uvicorn's own --fd takes it for a UNIX socket and leaves Nagle on.
        held = socket.socket(fileno=os.dup(number))
        if held.family in (socket.AF_INET, socket.AF_INET6) and held.getsockname()[1] == address.port:
            return held
        held.close()
    return None


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # Named TCP, so that asyncio switches Nagle off on what is accepted: 40 ms an answer otherwise.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address.host, address.port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            [f"can't listen on {address.host}:{address.port}: {error.strerror}; choose another `listen`"]
        ) from error
    return listening
