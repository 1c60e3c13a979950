"""Clients of our listeners, on real sockets, down to the single byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from syncd.config import Address
from syncd.contract.model import Submission
from syncd.pipeline.canary import Canary
from syncd.web import private, public
from syncd.web.listener import Listener
from tests.contract.fake_provider import SIGNATURE, sign

from .harness import Harness

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """An answer as it stood on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Line:
    """The way to a listener."""

    port: int

    async def say(self, raw: bytes, *, end: bool = False) -> Reply:
        """Send these bytes and read the answer to its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            await writer.drain()
            if end:
                writer.write_eof()
            return await asyncio.wait_for(read_reply(reader), 30)
        finally:
            writer.close()

    async def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """A well-formed request."""
        told = {"host": f"127.0.0.1:{self.port}", "content-length": str(len(body))}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        return await self.say(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)

    async def call_back(self, sent: Submission, body: bytes, **headers: str) -> Reply:
        """What the fake vendor posts: signed."""
        return await self.call("POST", target(sent), body, **{SIGNATURE: sign(body), **headers})


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head[0].split()[1]), headers, body)


def target(sent: Submission) -> str:
    """Path and query of a callback address."""
    parts = urlsplit(sent.callback_url)
    return f"{parts.path}?{parts.query}"


def changed(sent: Submission, path: str = "/callbacks/ann", **query: str | None) -> str:
    """A callback address with other parameters; None takes one away."""
    given = {**dict(parse_qsl(urlsplit(sent.callback_url).query)), **query}
    return f"{path}?{urlencode({k: v for k, v in given.items() if v is not None})}"


@asynccontextmanager
async def served(app: Any, **wishes: Any) -> AsyncIterator[Line]:
    """An app on a port of its own."""
    listener = Listener(app, Address("127.0.0.1", 0), **wishes)
    await listener.start()
    try:
        yield Line(listener.port)
    finally:
        await listener.stop()


def at_the_door(
    harness: Harness, what: Callable[[Line], Awaitable[T]], *, canary: Canary | None = None, **wishes: Any
) -> T:
    """Do something at the public listener of a harness."""

    async def go() -> T:
        async with served(public.application(harness.parts, canary or Canary(), **wishes)) as line:
            return await what(line)

    return harness.run(go())


def at_the_desk(harness: Harness, what: Callable[[Line], Awaitable[T]]) -> T:
    """Do something at the private listener of a harness."""

    async def go() -> T:
        async with served(private.application(harness.parts)) as line:
            return await what(line)

    return harness.run(go())
