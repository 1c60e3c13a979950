"""The lean vendors as a process: `python -m benchmarks.vendors '{"contacts": 1000, …}'`; its first line tells the port.

HubSpot, FullEnrich and Zeliq share one port. GET /bench/counts tells what came in, GET /bench/held what was kept back.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import uvicorn

from .portal import Portal
from .providers import Providers

_LIMITS = [  # HubSpot's, so high that nobody meets them
    (b"x-hubspot-ratelimit-max", b"1000000"),
    (b"x-hubspot-ratelimit-remaining", b"999999"),
    (b"x-hubspot-ratelimit-interval-milliseconds", b"10000"),
    (b"x-hubspot-ratelimit-daily", b"100000000"),
    (b"x-hubspot-ratelimit-daily-remaining", b"99999999"),
]


class Vendors:
    def __init__(
        self, contacts: int, *, speed: float = 1.0, origin: float = 0.0, pace: float | None = None, hold: bool = False
    ) -> None:
        self._speed, self._origin = speed, origin or time.time()
        self.portal, self.providers = Portal(contacts, self.now), Providers(pace=pace, hold=hold)
        self._head: tuple[float, list[tuple[bytes, bytes]]] = (0.0, [])

    def now(self) -> float:
        """The vendors' clock: as a rehearsal has it."""
        return self._origin + (time.time() - self._origin) * self._speed

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/bench/counts":
            return 200, self._counts()
        if path == "/bench/held":
            return 200, [[one.url, one.headers, one.body.decode()] for one in self.providers.held]
        told = json.loads(body) if body else {}
        if path.startswith(("/crm/", "/account-info/")):
            return self.portal.answer(method, path, told)
        return self.providers.answer(path, told)

    def _counts(self) -> dict[str, Any]:
        portal, providers = self.portal, self.providers
        return {
            "calls": portal.calls,
            "values": portal.values,
            "wrong": portal.wrong,
            "began": portal.began,
            "nearly": portal.nearly,
            "finished": portal.finished,
            "asked": providers.asked,
            "asked_first": providers.began,
            "called_back": providers.called_back,
            "refused": providers.refused,
            "held": len(providers.held),
        }

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        """The ASGI application."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, said = self._answer(scope["method"], scope["path"], body)
        out = json.dumps(said, separators=(",", ":")).encode()
        head = [*self._headers(), (b"content-length", str(len(out)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": out})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        """The date is the vendors' own: clients tell their clock by it. Made anew once a second."""
        now = self.now()
        if now - self._head[0] >= 1.0:
            date = formatdate(now, usegmt=True).encode()
            self._head = (now, [(b"content-type", b"application/json"), (b"date", date), *_LIMITS])
        return self._head[1]


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)


async def _serve(options: dict[str, Any]) -> None:
    vendors = Vendors(**options)
    config = uvicorn.Config(
        vendors, host="127.0.0.1", port=0, http="httptools", loop="asyncio", ws="none", lifespan="off",
        access_log=False, log_level="warning", date_header=False, server_header=False, timeout_keep_alive=60,
    )  # fmt: skip
    calling = asyncio.create_task(vendors.providers.run())
    await _Server(config).serve()
    calling.cancel()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
