"""How many callbacks a second are acknowledged, each on disk first, against the same with a ledger that waits for no
disk: real receiver, real ledger, signed answers of FullEnrich about one contact, 64 connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from syncd.pipeline.address import Addresses

from .bars import Value
from .processes import SECRET, NotMeasured, Process, Vendors, configuration, free_port, written
from .providers import Post, answer_about
from .shapes import Say
from .wire import Client

CONNECTIONS, CALLS = 64, 3_000
KINDS = ("durable", "hasty")


def measure(rounds: int, say: Say) -> dict[str, Value]:
    """All figures."""
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        vendors = stack.enter_context(Vendors(0))
        ports = {kind: stack.enter_context(receiver(vendors, kind)) for kind in KINDS}
        numbers = itertools.count(1)
        for number in range(rounds):
            for kind in KINDS if number % 2 else KINDS[::-1]:
                posts = [genuine_callback(ports[kind], next(numbers)) for _ in range(CALLS)]
                rates[kind].append(asyncio.run(pour(posts)))
                say(f"acks {number + 1} {kind}: {rates[kind][-1]:.0f}/s")
    ratio = median(a / b for a, b in zip(*(rates[kind] for kind in KINDS), strict=True))
    return {"ratio": Value(ratio, *(median(rates[kind]) for kind in KINDS))}


@contextlib.contextmanager
def receiver(vendors: Vendors, kind: str) -> Iterator[int]:
    """A receiver's port."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        path = written(Path(folder), configuration(vendors), free_port(), free_port())
        with Process("benchmarks.receiver", str(path), kind) as process:
            yield process.line()


def genuine_callback(port: int, number: int) -> Post:
    """FullEnrich's answer about one contact, to an address that is good for an hour. Each is of another call."""
    addresses = Addresses(f"http://127.0.0.1:{port}", [SECRET])
    address = addresses.mint("fullenrich", f"{number:032x}", expires=time.time() + 3_600, part="each")
    return answer_about(number, address)


async def pour(posts: list[Post], connections: int = CONNECTIONS) -> float:
    """Callbacks a second that were acknowledged, over so many connections."""
    client, left = Client(connections), iter(posts)

    async def caller() -> None:
        for post in left:
            status, _ = await client.send(post.url, post.body, post.headers)
            if status != 200:
                raise NotMeasured(f"a genuine callback was answered with {status}")

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(connections)))
    took = time.perf_counter() - began
    client.close()
    return len(posts) / took
