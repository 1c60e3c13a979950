"""The canary: a callback of our own through the public URL. No round trip, no purchase.

A result that can't reach us is paid for all the same, and some providers have no other way to give
it: so dispatch stays shut until our own address has been seen to work from outside.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from syncd.contract.errors import Retry, Trouble
from syncd.contract.http import Http
from syncd.ledger import canaries, connections

from .address import CANARY
from .parts import Parts
from .proof import callbacks_arrive

WITHIN, BODY_LIMIT = 15.0, 65_536  # real seconds and bytes for the whole answer
NAME = "public callback URL"  # as `syncd status` lists it among the connections


class Canary:
    """Sends itself a callback and looks whether it has come to a receiver of this ledger."""

    async def arrived(self, parts: Parts, nonce: str) -> None:
        """The receiver saw a genuine canary callback. Raises LedgerError where that can't be stored."""
        await parts.ledger.write(canaries.arrived, nonce)

    async def run_once(self, parts: Parts) -> int:
        """Open or shut the gate. Returns 1 when callbacks arrive."""
        callbacks = parts.settings.callbacks
        if callbacks is None or callbacks.self_check:
            nonce = parts.new_id()
            url = parts.addresses.mint(CANARY, nonce, expires=parts.clock.now() + 3600)
            await parts.ledger.write(canaries.sent, nonce, now=parts.clock.now())
            why, cure = await self._fly(parts, url, nonce)
        else:
            why, cure = await callbacks_arrive(parts)
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
        client = Http(url, {}, network=parts.settings.network)
        try:
            answer = await client.call("POST", "", within=WITHIN, body_limit=BODY_LIMIT)
        except Retry as error:
            return f"callbacks can't reach syncd: {str(error).removeprefix('POST : ')}", cure
        finally:
            await client.aclose()
        if not await parts.ledger.write(canaries.over, nonce, now=parts.clock.now()):
            return f"callbacks don't arrive here: the public URL answered HTTP {answer.status}", cure
        return "", ""
