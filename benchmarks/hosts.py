"""What a ledger in PostgreSQL costs beside one in a file, on one machine and one disk: callbacks acknowledged by two
real receivers, with and without a synchronous standby, and what several processes claim together.

PostgreSQL is one of the benchmark's own, and waits for the disk, as a real one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from syncd.ledger.store import Ledger

from .acks import CALLS, CONNECTIONS, genuine_callback, pour, receiver
from .bars import Value
from .processes import NotMeasured, Process, Vendors, configuration, free_port, get, until, written
from .shapes import Say

if TYPE_CHECKING:
    from tests.many.parts import Server

RECEIVERS, WORKERS = 2, 4
JOBS = 20_000


def measure(rounds: int, say: Say) -> dict[str, Value]:
    """All figures."""
    try:
        from tests.many import parts  # noqa: PLC0415 - needs psycopg
        from tests.postgres import programs  # noqa: PLC0415
    except ImportError as error:
        raise NotMeasured(f"{error}: pip install syncd[postgres]") from error
    if programs() is None:
        raise NotMeasured("PostgreSQL is not installed: apt install postgresql")
    server = parts.own_server(fsync="on", full_page_writes="on", autovacuum="on", shared_buffers="128MB")
    try:
        return _acks(server, rounds, say) | _claims(server, rounds, say)
    finally:
        server.stop()


def _acks(server: Server, rounds: int, say: Say) -> dict[str, Value]:
    from tests.many import parts  # noqa: PLC0415

    rates: dict[str, list[float]] = {"file": [], "two": [], "standby": []}
    numbers = itertools.count(1)
    with contextlib.ExitStack() as stack:
        vendors = stack.enter_context(Vendors(0))
        file = stack.enter_context(receiver(vendors, "durable"))
        url = server.empty().text
        two = [stack.enter_context(_receiver(vendors, url)) for _ in range(RECEIVERS)]
        stack.enter_context(parts.standby(server))
        for number in range(rounds):
            for kind in list(rates) if number % 2 else list(rates)[::-1]:
                parts.waits_for(server, "*" if kind == "standby" else "")
                ports = [file] if kind == "file" else two
                posts = [genuine_callback(ports[n % len(ports)], next(numbers)) for n in range(CALLS)]
                rates[kind].append(asyncio.run(pour(posts, CONNECTIONS * len(ports))))
                say(f"hosts {number + 1} {kind}: {rates[kind][-1]:.0f}/s")
        parts.waits_for(server, "")
    return {"acks": _ratio(rates["two"], rates["file"]), "standby": _ratio(rates["standby"], rates["two"])}


def _ratio(ours: list[float], others: list[float]) -> Value:
    return Value(median(a / b for a, b in zip(ours, others, strict=True)), median(ours), median(others))


@contextlib.contextmanager
def _receiver(vendors: Vendors, url: str) -> Iterator[int]:
    """`syncd run --role receiver`; its port."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        port, private = free_port(), free_port()
        settings = configuration(vendors) | {"ledger": {"url": url, "durability": "local"}}
        path = written(Path(folder), settings, port, private)
        with Process("syncd", "run", "--role", "receiver", "-c", str(path), log=Path(folder) / "log") as process:
            until("a receiver", lambda: _is_ready(process, private))
            yield port


def _is_ready(process: Process, port: int) -> bool:
    process.require_alive()
    try:
        return get(port, "/readyz")[0] == 200
    except OSError:
        return False


def _claims(server: Server, rounds: int, say: Say) -> dict[str, Value]:
    """Jobs a second that four processes claim, against one; a job that two of them claimed is no figure."""
    import psycopg  # noqa: PLC0415

    from tests.many.test_pounding import QUEUE, at_once  # noqa: PLC0415

    rates: dict[int, list[float]] = {1: [], WORKERS: []}
    for number, workers in itertools.product(range(rounds), rates):
        url = server.empty()
        Ledger.open(url).close()
        with psycopg.connect(url.text) as connection:
            connection.execute(QUEUE.replace("%(n)s", str(JOBS)).encode())
        said = at_once(url, *((str(n), "claims") for n in range(1, workers + 1)))
        taken = [job for mine, _, _ in said for job in mine]
        if len(taken) != JOBS or len(set(taken)) != JOBS:
            raise NotMeasured(f"{workers} processes claimed {len(taken)} jobs, {len(set(taken))} different ones")
        began, ended = min(began for mine, began, _ in said if mine), max(ended for _, _, ended in said)
        rates[workers].append(JOBS / (ended - began))
        say(f"hosts {number + 1} {workers} claim: {rates[workers][-1]:.0f}/s")
        server.drop(url)
    return {"claims": _ratio(rates[WORKERS], rates[1])}
