"""Callbacks from people who mean harm, and from vendors who make mistakes.

The short run; `FORGERIES`, `MUTATIONS` and so on say how much of it there is. The soak runs the same more often.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
from pathlib import Path
from typing import Any

import pytest

from syncd.ledger.arrivals import KEPT, unpacked
from syncd.ledger.inbox import SURPLUS_KEPT
from tests.unit.audit import BODIES, ask
from tests.unit.harness import Harness

from . import corpus, forging
from .client import VENDORS, Client, Said, asked_harness, opened, request, target, with_vendors
from .process import answer

FORGERIES = 20_000  # at the address check itself
POSTED = 500  # of them over a socket
MUTATIONS = 1_000  # of each vendor
FLOOD = 500


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_forgery_is_taken(tmp_path: Path, vendor: str) -> None:
    """I6: not one of twenty thousand passes; every row of the ledger is the same before and after."""
    forge(tmp_path, vendor)


def forge(folder: Path, vendor: str, *, seed: int = 17, number: int = FORGERIES, over_sockets: int = POSTED) -> None:
    """So many forgeries at the check itself, and some over sockets between honest callbacks."""
    harness, urls = asked_harness(folder, 8, vendor)
    with harness:
        harness.parts = with_vendors(harness.parts)
        before = contents(harness)
        rng = random.Random(seed)
        assert forging.taken(harness, vendor, forging.forgeries(rng, urls, number)) == []
        forged = forging.over_http(rng, urls, over_sockets, vendor)
        honest = [
            harness.parts.addresses.mint("zeliq", f"honest{n}", expires=harness.clock.now() + 60) for n in range(40)
        ]
        refused, answered = harness.run(under_attack(harness, forged, honest))
        assert set(refused) <= {404, 400, 0}
        assert refused.count(404) > over_sockets * 0.9
        assert answered == [200] * len(honest)
        assert contents(harness, "zeliq", "honest") == before


async def under_attack(harness: Harness, forged: list[bytes], honest: list[str]) -> tuple[list[int], list[int]]:
    """Forgeries over sockets, and honest callbacks in between; the statuses of both."""
    async with opened(harness.parts) as client:
        attack = asyncio.create_task(many(client, forged))
        kept = [(await client.post(url, answer(n))).status for n, url in enumerate(honest)]
        return [said.status for said in await attack], kept


async def many(client: Client, requests: list[bytes]) -> list[Said]:
    """Raw requests, sixteen at a time."""
    places = asyncio.Semaphore(16)

    async def one(raw: bytes) -> Said:
        async with places:
            return await client.raw(raw, within=5.0)

    return await asyncio.gather(*map(one, requests))


def contents(harness: Harness, provider: str = "", prefix: str = "-") -> list[Any]:
    """Every row of every table, but for what came from a provider to calls of a prefix."""
    tables = [
        row[0] for row in harness.sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    rows = {table: sorted(harness.sql(f"SELECT * FROM {table}"), key=repr) for table in tables if table != "tally"}
    mine = harness.sql("SELECT id FROM delivery WHERE provider = ? AND submission_id LIKE ?", provider, f"{prefix}%")
    rows["delivery"] = [row for row in rows["delivery"] if (row[0],) not in mine]
    others = {sample for (sample,) in harness.sql("SELECT sample_id FROM delivery WHERE id NOT IN (SELECT value FROM "
              "json_each(?))", json.dumps([id_ for (id_,) in mine]))}  # fmt: skip
    rows["sample"] = [row for row in rows["sample"] if row[0] in others]
    return sorted(rows.items())


# --- bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_malformed_bodies_to_the_right_address(tmp_path: Path, vendor: str) -> None:
    """I5: no 5xx, every body is kept as it came nothing reaches the CRM, and the next good answer is used.

    Of what comes after the last word of a call that nobody signs, a few are kept and the rest is counted.
    """
    harness, urls = asked_harness(tmp_path, 1, vendor)
    with harness:
        harness.parts = with_vendors(harness.parts)
        bodies = list(corpus.malformed())
        said = harness.run(posted(harness, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 400, 429}
        settle(harness)
        dropped = taken(said, bodies) - kept(harness)
        assert kept(harness) <= taken(said, bodies)
        assert len(kept(harness)) >= min(KEPT, len(set(bodies)))
        assert len(dropped) == max(0, harness.tally("deliveries_surplus") - SURPLUS_KEPT), "after a last word, some are"
        assert harness.crm.calls.count("write") == 0
        assert harness.state("501") in {"sent", "answered", "queued"} or harness.job("501")[0] == "done"


@pytest.mark.parametrize("vendor", VENDORS)
def test_naughty_strings_in_every_place(tmp_path: Path, vendor: str) -> None:
    """I5: whatever stands in a well-formed answer, what is written is a clean address and nothing else."""
    harness, urls = asked_harness(tmp_path, 1, vendor)
    with harness:
        harness.parts = with_vendors(harness.parts)
        request_id = harness.fake.submitted[0].requests[0].id
        bodies = list(corpus.naughty(vendor, request_id))
        said = harness.run(posted(harness, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 429}
        settle(harness)
        written = harness.held("501")
        assert len(written) <= 254
        assert all(c.isprintable() and not c.isspace() for c in written)
        assert written == "" or written.count("@") == 1
        assert harness.sql("SELECT count(*) FROM job") == [(1,)], "no string was taken for SQL"


@pytest.mark.parametrize("vendor", VENDORS)
def test_mutations_of_genuine_answers(tmp_path: Path, vendor: str) -> None:
    """I5: thousands of answers with bytes changed, dropped, doubled: no 5xx, no crash of a stage, all kept."""
    mutate(tmp_path, vendor)


def mutate(folder: Path, vendor: str, *, seed: int = 19, number: int = MUTATIONS) -> None:
    """So many mutated answers to one call."""
    harness, urls = asked_harness(folder, 1, vendor)
    with harness:
        harness.parts = with_vendors(harness.parts)
        sample = corpus.sample(vendor, harness.fake.submitted[0].requests[0].id)
        bodies = list(corpus.mutations(random.Random(seed), sample, number))
        said = harness.run(posted(harness, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 400, 429}
        settle(harness)
        assert kept(harness) == taken(said, bodies)
        assert len(kept(harness)) >= KEPT
        written = harness.held("501")
        assert written == "" or "@" in written


async def posted(harness: Harness, vendor: str, url: str, bodies: list[bytes]) -> list[Said]:
    """Each body to the same address, with the vendor's right signature, on few connections."""
    async with opened(harness.parts) as client:
        return await many(client, [request(url, body, corpus.signed(vendor, body)) for body in bodies])


def taken(said: list[Said], bodies: list[bytes]) -> set[bytes]:
    """Those that were not refused because the call has had as many answers as can be genuine."""
    return {body for one, body in zip(said, bodies, strict=True) if one.status != 429}


def settle(harness: Harness) -> None:
    """Everything that came is looked at, decided on and written."""
    harness.finish()
    harness.clock.time += 60
    harness.writeback()


def kept(harness: Harness) -> set[bytes]:
    return {unpacked(*row) for row in harness.sql(BODIES)}


REQUESTS = {
    "no UTF-8 in the query": b"POST /callbacks/zeliq?a=\xff\xfe HTTP/1.1\r\nhost: x",
    "no UTF-8 in the path": b"POST /callbacks/\xff?a=1 HTTP/1.1\r\nhost: x",
    "no UTF-8 in a header": b"POST /callbacks/zeliq?a=1 HTTP/1.1\r\nhost: \xff\xfe",
    "broken escapes": b"POST /callbacks/zeliq?%ff=%zz&&==&a HTTP/1.1\r\nhost: x",
    "no such port": b"POST /callbacks/zeliq?a=1 HTTP/1.1\r\nhost: x:99999999",
    "half an IPv6 address": b"POST /callbacks/zeliq?a=1 HTTP/1.1\r\nhost: [",
    "somebody else's URL": b"POST http://[/callbacks/zeliq?a=1 HTTP/1.1\r\nhost: x",
    "a negative length": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: -5",
    "a length in words": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 1e3",
    "two lengths": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3",
    "a length and chunks": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked",
    "compressed": b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-encoding: gzip",
    "another protocol": b"PRI * HTTP/2.0",
    "a very long line": b"POST /callbacks/zeliq?a=" + b"x" * 200_000 + b" HTTP/1.1\r\nhost: x",
}


@pytest.mark.parametrize("what", REQUESTS)
def test_malformed_requests(tmp_path: Path, what: str) -> None:
    """I6: refused or dropped without a 5xx and without a trace in the ledger; the next callback is answered."""
    harness, urls = asked_harness(tmp_path, 1)
    with harness:
        harness.parts = with_vendors(harness.parts)
        raw = REQUESTS[what].replace(b"%s", target(urls[0]).encode()) + b"\r\nconnection: close\r\n\r\n{}"

        async def main() -> tuple[int, int]:
            async with opened(harness.parts) as client:
                return (await client.raw(raw, within=5.0)).status, (await client.post(urls[0], answer(1))).status

        refused, honest = harness.run(main())
        assert refused in {0, 400, 404, 415}
        assert honest == 200
        unread = (
            {b"{}"} if what == "compressed" else set()
        )  # came to a good address: put aside, as whatever nobody can read
        assert kept(harness) == {answer(1)} | unread


# --- clients ----------------------------------------------------------------------------------

HEAD = b"POST /callbacks/zeliq HTTP/1.1\r\nhost: x\r\n"
DRIP = [b"x"] * 200


def slow(url: str) -> dict[str, tuple[list[bytes], set[int]]]:
    """Five ways of being slow, by what is said (a piece each tenth of a second) and what may come back."""
    whole = request(url, b"").replace(b"content-length: 0", b"content-length: 1000")
    return {
        "says nothing": ([], {0}),
        "half a request line": ([b"POST /callb"], {0}),
        "drips a header": ([HEAD + b"x-slow: ", *DRIP], {0}),
        "drips a body": ([whole, *DRIP], {408, 0}),
        "announces a body": ([whole], {408}),
    }


@pytest.mark.parametrize("way", list(slow("https://x.test/")))
def test_slow_clients_are_let_go(tmp_path: Path, way: str) -> None:
    """I1: whoever does not come to the point within the deadline loses the connection; others are served."""
    harness, urls = asked_harness(tmp_path, 2)
    with harness:
        harness.parts = with_vendors(harness.parts)
        pieces, statuses = slow(urls[0])[way]

        async def main() -> tuple[list[Said], Said]:
            async with opened(harness.parts, head=0.5, body=0.5) as client:
                slowly = [asyncio.create_task(client.raw(*pieces, pause=0.1, within=3.0)) for _ in range(20)]
                honest = await client.post(urls[1], answer(1))
                return await asyncio.gather(*slowly), honest

        started = asyncio.run(clock())
        said, honest = harness.run(main())
        assert {one.status for one in said} <= statuses
        assert honest.status == 200
        assert asyncio.run(clock()) - started < 15.0


async def clock() -> float:
    return asyncio.get_running_loop().time()


def test_a_flood_of_connections(tmp_path: Path) -> None:
    """I1: hundreds of silent connections are open at once; honest callbacks are answered, and memory is bounded."""
    harness, urls = asked_harness(tmp_path, 60)
    with harness:
        harness.parts = with_vendors(harness.parts)

        async def main() -> list[int]:
            async with opened(harness.parts, head=2.0) as client:
                idle = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(FLOOD)]
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                statuses = [one.status for one in await client.posts(urls, answer(1))]
                for _, writer in idle:
                    writer.close()
                assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB"
                return statuses

        assert harness.run(main()) == [200] * 60
        assert ask(harness.path, "SELECT count(*) FROM delivery") == [(60,)]


def test_memory_does_not_follow_what_is_refused(tmp_path: Path) -> None:
    """I1: a thousand large bodies to forged addresses leave nothing behind."""
    harness, _ = asked_harness(tmp_path, 1)
    with harness:
        harness.parts = with_vendors(harness.parts)
        forged = request("https://x.test/callbacks/zeliq?a=1&k=2&m=3", json.dumps({"x": "y" * 100_000}).encode())

        async def main() -> int:
            async with opened(harness.parts) as client:
                await many(client, [forged] * 100)
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                await many(client, [forged] * 400)
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

        assert harness.run(main()) < 32 * 1024
        assert kept(harness) == set()
