"""How many callbacks a second are acknowledged, each on disk first, against the same without a disk.

One process, real sockets, 64 connections, several rounds in turn; medians and their ratio.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.config import Address
from syncd.contract.model import Delivery, Source
from syncd.ledger import inbox
from syncd.ledger.store import Ledger
from syncd.web.listener import Listener

ROUNDS, CALLS, CONNECTIONS = 5, 2000, 64
BODY = b'{"credit_used": 1, "contact": {"most_probable_email": "ada@acme.example", "emails": []}}'


def main(argv: list[str]) -> int:
    """Print the table. `argv`: optionally the number of calls per round."""
    calls = int(argv[0]) if argv else CALLS
    stored, bare = asyncio.run(_measure(calls))
    print(f"acknowledged a second, on disk first    {stored:8.0f}")
    print(f"the same without the disk               {bare:8.0f}")
    print(f"ratio                                   {stored / bare:8.2f}")
    return 0


async def _measure(calls: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(Path(folder) / "ledger.db")
        number = iter(range(10**9))

        async def store(request: Request) -> Response:
            body = await request.body() + str(next(number)).encode()
            await ledger.write(
                inbox.store, "p", Delivery(submission_id="s", source=Source.CALLBACK, body=body), now=1.0
            )
            return Response(b"ok")

        async def bare(request: Request) -> Response:
            await request.body()
            return Response(b"ok")

        app = Starlette(routes=[Route("/store", store, methods=["POST"]), Route("/bare", bare, methods=["POST"])])
        listener = Listener(app, Address("127.0.0.1", 0))
        await listener.start()
        rates: dict[str, list[float]] = {"store": [], "bare": []}
        for _ in range(ROUNDS):
            for name, seen in rates.items():
                seen.append(await _round(f"http://127.0.0.1:{listener.port}/{name}", calls))
        await listener.stop()
        ledger.close()
    return statistics.median(rates["store"]), statistics.median(rates["bare"])


async def _round(url: str, calls: int) -> float:
    """Calls a second, over as many clients as are fast: each keeps one connection."""
    left = iter(range(calls))

    async def caller() -> None:
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for _ in left:
                (await client.post(url, content=BODY)).raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return calls / (time.perf_counter() - started)
