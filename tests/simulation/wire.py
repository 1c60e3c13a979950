"""The way out to the providers: what goes wrong before they act, while they do, and after it.

A request travels on its own, as it does on a network: it arrives although its sender has died.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from .timeline import HOUR, spawn
from .vendor import Reply, Vendor

if TYPE_CHECKING:
    from .life import Life

LATEST = 300.0  # seconds after which a call is carried out although its caller has given up


class Wire(httpx.AsyncBaseTransport):
    """One life's transport."""

    def __init__(self, life: Life) -> None:
        self._life = life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._life.check()
        body = await request.aread()
        answer: asyncio.Future[httpx.Response] = asyncio.get_running_loop().create_future()
        spawn(self._life.world, self._travel(request, body, answer))
        response = await answer
        self._life.check()
        return response

    async def _travel(self, request: httpx.Request, body: bytes, answer: asyncio.Future[httpx.Response]) -> None:
        try:
            response = await self._exchange(request, body, answer)
        except httpx.HTTPError as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(response)

    async def _exchange(
        self, request: httpx.Request, body: bytes, answer: asyncio.Future[httpx.Response]
    ) -> httpx.Response:
        """There, carried out, and back."""
        world, paid = self._life.world, request.method == "POST"
        mixture, vendor = world.mixture, world.vendors[request.url.host.partition(".")[0]]
        if (refused := await self._not_carried_out(vendor, paid=paid)) is not None:
            return refused
        if paid and mixture.hit("late_act"):
            if not answer.done():
                answer.set_exception(httpx.ReadTimeout("no answer"))
            await asyncio.sleep(mixture.rng.uniform(1, LATEST))
        if paid and mixture.hit("crash_before_call"):
            self._life.crash("a paid call is on its way")
        before = len(vendor.purchases)
        reply = vendor.handle(request.method, request.url.path, request.headers, body)
        bought = vendor.purchases[before:]
        world.note(f"{request.method} {vendor.name}{request.url.path} {reply.status}")
        if paid and mixture.hit("crash_after_call"):
            self._life.crash("a paid call was carried out")
        await asyncio.sleep(mixture.rng.uniform(2, 25) if mixture.hit("slow_answer") else mixture.rng.uniform(0.02, 1))
        told = self._told(reply, paid=paid)
        for purchase in bought:
            purchase.arrived = told.is_success and bool(told.content) and self._life.alive
        return told

    async def _not_carried_out(self, vendor: Vendor, *, paid: bool) -> httpx.Response | None:
        """What goes wrong before the provider acts, if anything does."""
        mixture = self._life.world.mixture
        if vendor.trouble == "outage" or mixture.hit("refused_connection"):
            raise httpx.ConnectError("refused")
        await asyncio.sleep(mixture.rng.uniform(0.02, 1))
        if paid and not vendor.trouble and mixture.hit("bad_gateway"):
            spawn(vendor.world, vendor.suffer("bad_gateway", mixture.rng.uniform(60, 10 * HOUR)))
            await asyncio.sleep(0)
        if vendor.trouble == "bad_gateway":
            if paid:
                vendor.spoil()
            return httpx.Response(502, text="bad gateway")
        if mixture.hit("cut_before"):
            raise httpx.RemoteProtocolError("server disconnected")
        if mixture.hit("limited"):
            limits = {"perMinute": 5, "perHour": 50, "perDay": 500}
            return httpx.Response(429, json={"message": "slow down", "limits": limits}, headers={"retry-after": "20"})
        for name, status in (("fail_before", 503), ("timed_out", 408)):
            if mixture.hit(name):
                return httpx.Response(status, text="try later")
        return httpx.Response(200, html="<html>not the API</html>") if mixture.hit("html") else None

    def _told(self, reply: Reply, *, paid: bool) -> httpx.Response:
        """What arrives of an answer."""
        mixture = self._life.world.mixture
        if mixture.hit("cut_after"):
            raise httpx.ReadTimeout("no answer")
        if mixture.hit("fail_after"):
            return httpx.Response(502, text="bad gateway")
        if reply.html:
            return httpx.Response(reply.status, html=reply.body)
        if paid and reply.status < 300 and mixture.hit("garbled_receipt"):
            return httpx.Response(reply.status, content=b"")
        return httpx.Response(reply.status, json=reply.body)
