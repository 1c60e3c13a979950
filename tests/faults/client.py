"""The public listener of a harness on a real socket, and clients that need not be polite.

In here: opening the client, and saying raw bytes to it. What is to be true stands in the tests.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors import fullenrich, zeliq
from syncd.config import Address
from syncd.contract.model import Field
from syncd.contract.pacing import Pacer
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Lane, Parts
from syncd.sandbox.hubspot.portal import PORTAL_ID
from syncd.web import public
from syncd.web.listener import Listener
from tests.connectors.fullenrich_said import KEY
from tests.contract.bench import bench
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

DAY = 86_400.0
VENDORS = ("zeliq", "fullenrich")


@dataclass(frozen=True, slots=True)
class Said:
    """What came back; status 0: the connection ended without an answer."""

    status: int
    head: bytes = b""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Client:
    """The way in; `tls` and the `host` of its certificate where a proxy stands in front."""

    port: int
    tls: ssl.SSLContext | None = None
    host: str | None = None

    async def raw(self, *pieces: bytes, pause: float = 0.0, within: float = 20.0) -> Said:
        """Say these bytes one after the other, with pauses, and listen until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls, server_hostname=self.host)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            answer = await asyncio.wait_for(reader.read(), within)
        except ConnectionError:
            answer = b""
        finally:
            writer.close()
        return _read(answer)

    async def post(
        self, url: str, body: bytes = b"{}", headers: Mapping[str, str] | None = None, within: float = 20.0
    ) -> Said:
        """A callback to an address, as a vendor makes it."""
        return await self.raw(request(url, body, headers), within=within)

    async def posts(self, urls: Iterable[str], body: bytes = b"{}") -> list[Said]:
        """Many, sixteen at a time; the answers in order."""
        places = asyncio.Semaphore(16)

        async def one(url: str) -> Said:
            async with places:
                return await self.post(url, body)

        return await asyncio.gather(*(one(url) for url in urls))


def request(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole POST, as bytes."""
    told = {"host": "enrich.example.com", "content-type": "application/json", "content-length": str(len(body))}
    lines = "".join(
        f"{name}: {value}\r\n" for name, value in (told | {"connection": "close"} | dict(headers or {})).items()
    )
    return f"POST {target(url)} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


def target(url: str) -> str:
    """Path and query of an address."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@contextmanager
def nobody() -> Iterator[int]:
    """A port where nobody listens, and where nobody else can meanwhile."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])


def _read(answer: bytes) -> Said:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return Said(int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, head, body)


@asynccontextmanager
async def opened(
    parts: Parts, *, canary: Canary | None = None, head: float = 10.0, body: float = 10.0
) -> AsyncIterator[Client]:
    """The receiver, serving. `head` and `body`: its deadlines in seconds."""
    app = public.application(parts, canary or Canary(), body_deadline=body)
    listener = Listener(app, Address("127.0.0.1", 0), head_deadline=head)
    await listener.start()
    try:
        yield Client(listener.port)
    finally:
        await listener.stop()


def with_vendors(parts: Parts) -> Parts:
    """The same harness, with the real connectors of both vendors behind its client."""
    tools = bench(parts.clock)
    connectors = (
        zeliq.Connector("zeliq", zeliq.Options(api_key=SecretStr("zq-very-secret")), None, tools),
        fullenrich.Connector("fullenrich", fullenrich.Options(api_key=SecretStr(KEY)), None, tools),
    )
    lanes = {one.name: Lane(provider=one, pacer=Pacer((), parts.clock)) for one in connectors}
    return replace(parts, lanes=lanes)


def asked_harness(
    folder: Path,
    people: int | Sequence[str],
    provider: str = "zeliq",
    field: Field = EMAIL,
    *,
    now: float | None = None,
) -> tuple[Harness, list[str]]:
    """A harness whose provider has taken on a call for each of so many people, and the calls' addresses, in order of
    the contacts. `people` may be the contacts' ids."""
    fake = FakeProvider(provider, capabilities=replace(ONE_BY_ONE, windows=()))
    folder.mkdir(parents=True, exist_ok=True)
    harness = Harness(folder, providers=[fake], fields={field: [provider]})
    harness.clock.time = now or harness.clock.time
    made = [harness.person(f"Person{number}") for number in range(people if isinstance(people, int) else len(people))]
    if not isinstance(people, int):
        named = zip(people, made, strict=True)
        harness.crm.records = {contact: replace(harness.crm.records[one], id=contact) for contact, one in named}
        harness.crm.owner = str(PORTAL_ID)  # they are the sandbox's
    harness.ask()
    return harness, [one.callback_url for one in fake.accepted.values()]
