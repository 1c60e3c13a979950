"""Real sockets for the sandbox's tests: vendors served on loopback, a receiver that keeps what it gets.

Everything runs in the loop of the test; nothing is waited for by sleeping.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.fullenrich import KEY as FULLENRICH_KEY
from syncd.sandbox.fullenrich import FullEnrich
from syncd.sandbox.world import Find, Person, World
from syncd.sandbox.zeliq import KEY as ZELIQ_KEY
from syncd.sandbox.zeliq import Zeliq

FAST = 6_000.0  # a minute of the sandbox in ten milliseconds
PATIENCE = 20.0  # real seconds until a test gives up waiting

Vendor = TypeVar("Vendor", Zeliq, FullEnrich)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app` with uvicorn on a free loopback port; yields its base URL."""
    # Told its protocol, or asyncio does not set TCP_NODELAY on what it accepts, and each answer takes 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http="httptools", lifespan="off", log_config=None, access_log=False)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await _stop(server)


async def _stop(server: uvicorn.Server) -> None:
    """What uvicorn's own shutdown does, without its pauses of 100 ms."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    while server.server_state.connections or server.server_state.tasks:
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Post:
    """What a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A callback receiver. `statuses`: its next answers, then 200."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: Request) -> Response:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        post = Post(request.url.path, dict(request.headers), await request.body())
        async with self._arrived:
            self.posts.append(post)
            self._arrived.notify_all()
        self._now -= 1
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    async def wait(self, count: int) -> list[Post]:
        """All posts, once there are `count`."""
        async with asyncio.timeout(PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: len(self.posts) >= count)
        return self.posts


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a real socket."""
    receiver = Receiver()
    async with serving(Starlette(routes=[Route("/{path:path}", receiver.take, methods=["POST"])])) as url:
        receiver.url = url
        yield receiver


@dataclass
class Bench(Generic[Vendor]):
    """A served vendor, a receiver, a client that knows the key, and what they share."""

    vendor: Vendor
    world: World
    clock: SandboxClock
    faults: Faults
    http: httpx.AsyncClient
    receiver: Receiver

    def person(self, number: int = 0, /, **finds: tuple[Find, ...]) -> Person:
        """The person of that number among those with a profile; what either vendor finds of them is as told."""
        person = [one for one in self.world.people if one.linkedin_url][number]
        told = {(vendor, name): found for name, found in finds.items() for vendor in ("zeliq", "fullenrich")}
        person.finds.clear()
        person.finds.update(told)
        return person

    def money(self) -> tuple[int, int, int]:
        """The vendor's balance, what it holds and what it billed, in credits."""
        account = self.vendor.account
        return int(account.balance), int(account.held), int(account.billed)

    async def settled(self) -> None:
        """Wait until the vendor has nothing left to do."""
        async with asyncio.timeout(PATIENCE):
            await self.vendor.settled()

    def to_next_day(self) -> None:
        """Jump to the beginning of a day, hour and minute, so that no window ends by chance."""
        self.clock.skip(86_400 - self.clock.now() % 86_400)


def run_zeliq(
    test: Callable[[Bench[Zeliq]], Coroutine[Any, Any, None]], *, speed: float = FAST, **options: Any
) -> None:
    """Run one test against a fresh Zeliq."""

    async def within() -> None:
        clock, faults = SandboxClock(speed), Faults()
        world = World(7, 60, clock)
        zeliq = Zeliq(world, clock, faults, random.Random(7), **options)
        async with _bench(zeliq, world, clock, faults, {"x-api-key": ZELIQ_KEY}) as bench:
            await test(bench)

    asyncio.run(within())


def run_fullenrich(
    test: Callable[[Bench[FullEnrich]], Coroutine[Any, Any, None]], *, speed: float = FAST, **options: Any
) -> None:
    """Run one test against a fresh FullEnrich."""

    async def within() -> None:
        clock, faults = SandboxClock(speed), Faults()
        world = World(7, 60, clock)
        fullenrich = FullEnrich(world, clock, faults, random.Random(7), **options)
        async with _bench(fullenrich, world, clock, faults, {"authorization": f"Bearer {FULLENRICH_KEY}"}) as bench:
            await test(bench)

    asyncio.run(within())


@contextlib.asynccontextmanager
async def _bench(
    vendor: Vendor, world: World, clock: SandboxClock, faults: Faults, headers: dict[str, str]
) -> AsyncIterator[Bench[Vendor]]:
    async with (
        receiving() as receiver,
        serving(vendor.app) as url,
        httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False, verify=False) as http,
    ):
        try:
            yield Bench(vendor, world, clock, faults, http, receiver)
        finally:
            await vendor.aclose()
