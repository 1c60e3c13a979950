"""The canary: a callback of our own through the public URL. No round trip, no purchase.

A result that can't reach us is paid for all the same, and some providers have no other way to give
it: so dispatch stays shut until our own address has been seen to work from outside.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import httpx

from syncd.contract.errors import Trouble
from syncd.ledger import canaries, connections

from .address import CANARY
from .parts import Parts

NAME = "public callback URL"  # as `syncd status` lists it among the connections


class Canary:
    """Sends itself a callback and looks whether it has come to a receiver of this ledger."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None  # to make one means to read all certificates of the host

    async def arrived(self, parts: Parts, nonce: str) -> None:
        """The receiver saw a genuine canary callback. Raises LedgerError where that can't be stored."""
        await parts.ledger.write(canaries.arrived, nonce)

    async def run_once(self, parts: Parts) -> int:
        """Open or shut the gate. Returns 1 when callbacks arrive."""
        nonce = parts.new_id()
        url = parts.addresses.mint(CANARY, nonce, expires=parts.clock.now() + 3600)
        await parts.ledger.write(canaries.sent, nonce, now=parts.clock.now())
        why, cure = await self._fly(parts, url, nonce)
        parts.gate.set("callbacks", why, cure)
        if why:
            await parts.ledger.write(connections.halt, NAME, Trouble.UNREACHABLE, why, cure, now=parts.clock.now())
        else:
            await parts.ledger.write(connections.clear, NAME)
        await parts.publish()
        return int(not why)

    async def _fly(self, parts: Parts, url: str, nonce: str) -> tuple[str, str]:
        """Why the gate must be shut, and what to do about it; twice "" when all is well."""
        host = urlsplit(url).netloc
        cure = f"Check DNS, proxy and certificate of callbacks.public_url ({host}); it must lead to callbacks.listen."
        try:
            self._context = self._context or httpx.create_ssl_context(trust_env=False)
            async with httpx.AsyncClient(
                timeout=10, trust_env=False, follow_redirects=False, verify=self._context
            ) as client:
                answer = await client.post(url)
        except httpx.HTTPError as error:
            return f"callbacks can't reach syncd: {type(error).__name__} at {host}", cure
        if not await parts.ledger.write(canaries.over, nonce, now=parts.clock.now()):
            return f"callbacks don't arrive here: the public URL answered HTTP {answer.status_code}", cure
        return "", ""
