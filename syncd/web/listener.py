"""A Starlette app on a socket of ours, by uvicorn, stopped by the daemon and by nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.applications import Starlette

from syncd.config import Address
from syncd.contract.errors import ConfigError

BACKLOG = 4096  # callbacks wait here while the daemon restarts
DRAIN = 20  # seconds


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The daemon handles signals: uvicorn would raise them again and end the process."""
        yield


class Listener:
    """Serves one app on one address."""

    def __init__(self, app: Starlette, address: Address) -> None:
        self._socket = _bind(address)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="none",
            lifespan="off",
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
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """Close the socket, answer what was accepted."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


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
