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

from syncd.ledger.inbox import KEPT, SURPLUS_KEPT, unpacked
from tests.unit.audit import BODIES, ask
from tests.unit.house import House

from . import corpus, forging
from .door import VENDORS, Door, Said, asked_house, opened, request, target, with_vendors
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
    house, urls = asked_house(folder, 8, vendor)
    with house:
        house.parts = with_vendors(house.parts)
        before = contents(house)
        rng = random.Random(seed)
        assert forging.taken(house, vendor, forging.forgeries(rng, urls, number)) == []
        forged = forging.over_http(rng, urls, over_sockets, vendor)
        honest = [house.parts.addresses.mint("zeliq", f"honest{n}", expires=house.clock.now() + 60) for n in range(40)]
        refused, answered = house.run(under_attack(house, forged, honest))
        assert set(refused) <= {404, 400, 0}
        assert refused.count(404) > over_sockets * 0.9
        assert answered == [200] * len(honest)
        assert contents(house, "zeliq", "honest") == before


async def under_attack(house: House, forged: list[bytes], honest: list[str]) -> tuple[list[int], list[int]]:
    """Forgeries over sockets, and honest callbacks in between; the statuses of both."""
    async with opened(house.parts) as door:
        attack = asyncio.create_task(many(door, forged))
        kept = [(await door.post(url, answer(n))).status for n, url in enumerate(honest)]
        return [said.status for said in await attack], kept


async def many(door: Door, requests: list[bytes]) -> list[Said]:
    """Raw requests, sixteen at a time."""
    places = asyncio.Semaphore(16)

    async def one(raw: bytes) -> Said:
        async with places:
            return await door.raw(raw, within=5.0)

    return await asyncio.gather(*map(one, requests))


def contents(house: House, provider: str = "", prefix: str = "-") -> list[Any]:
    """Every row of every table, but for what came from a provider to calls of a prefix."""
    tables = [
        row[0] for row in house.sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    rows = {table: sorted(house.sql(f"SELECT * FROM {table}"), key=repr) for table in tables if table != "tally"}
    mine = house.sql("SELECT id FROM delivery WHERE provider = ? AND submission_id LIKE ?", provider, f"{prefix}%")
    rows["delivery"] = [row for row in rows["delivery"] if (row[0],) not in mine]
    others = {sample for (sample,) in house.sql("SELECT sample_id FROM delivery WHERE id NOT IN (SELECT value FROM "
              "json_each(?))", json.dumps([id_ for (id_,) in mine]))}  # fmt: skip
    rows["sample"] = [row for row in rows["sample"] if row[0] in others]
    return sorted(rows.items())


# --- bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_malformed_bodies_to_the_right_address(tmp_path: Path, vendor: str) -> None:
    """I5: no 5xx, every body is kept as it came nothing reaches the CRM, and the next good answer is used.

    Of what comes after the last word of a call that nobody signs, a few are kept and the rest is counted.
    """
    house, urls = asked_house(tmp_path, 1, vendor)
    with house:
        house.parts = with_vendors(house.parts)
        bodies = list(corpus.malformed())
        said = house.run(posted(house, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 400, 429}
        settle(house)
        dropped = taken(said, bodies) - kept(house)
        assert kept(house) <= taken(said, bodies)
        assert len(kept(house)) >= min(KEPT, len(set(bodies)))
        assert len(dropped) == max(0, house.tally("deliveries_surplus") - SURPLUS_KEPT), "after a last word, some are"
        assert house.crm.calls.count("write") == 0
        assert house.state("501") in {"sent", "answered", "queued"} or house.job("501")[0] == "done"


@pytest.mark.parametrize("vendor", VENDORS)
def test_naughty_strings_in_every_place(tmp_path: Path, vendor: str) -> None:
    """I5: whatever stands in a well-formed answer, what is written is a clean address and nothing else."""
    house, urls = asked_house(tmp_path, 1, vendor)
    with house:
        house.parts = with_vendors(house.parts)
        request_id = house.fake.submitted[0].requests[0].id
        bodies = list(corpus.naughty(vendor, request_id))
        said = house.run(posted(house, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 429}
        settle(house)
        written = house.held("501")
        assert len(written) <= 254
        assert all(c.isprintable() and not c.isspace() for c in written)
        assert written == "" or written.count("@") == 1
        assert house.sql("SELECT count(*) FROM job") == [(1,)], "no string was taken for SQL"


@pytest.mark.parametrize("vendor", VENDORS)
def test_mutations_of_genuine_answers(tmp_path: Path, vendor: str) -> None:
    """I5: thousands of answers with bytes changed, dropped, doubled: no 5xx, no crash of a stage, all kept."""
    mutate(tmp_path, vendor)


def mutate(folder: Path, vendor: str, *, seed: int = 19, number: int = MUTATIONS) -> None:
    """So many mutated answers to one call."""
    house, urls = asked_house(folder, 1, vendor)
    with house:
        house.parts = with_vendors(house.parts)
        sample = corpus.sample(vendor, house.fake.submitted[0].requests[0].id)
        bodies = list(corpus.mutations(random.Random(seed), sample, number))
        said = house.run(posted(house, vendor, urls[0], bodies))
        assert {one.status for one in said} <= {200, 400, 429}
        settle(house)
        assert kept(house) == taken(said, bodies)
        assert len(kept(house)) >= KEPT
        written = house.held("501")
        assert written == "" or "@" in written


async def posted(house: House, vendor: str, url: str, bodies: list[bytes]) -> list[Said]:
    """Each body to the same address, with the vendor's right signature, on few connections."""
    async with opened(house.parts) as door:
        return await many(door, [request(url, body, corpus.signed(vendor, body)) for body in bodies])


def taken(said: list[Said], bodies: list[bytes]) -> set[bytes]:
    """Those that were not refused because the call has had as many answers as can be genuine."""
    return {body for one, body in zip(said, bodies, strict=True) if one.status != 429}


def settle(house: House) -> None:
    """Everything that came is looked at, decided on and written."""
    house.finish()
    house.clock.time += 60
    house.writeback()


def kept(house: House) -> set[bytes]:
    return {unpacked(*row) for row in house.sql(BODIES)}


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
    house, urls = asked_house(tmp_path, 1)
    with house:
        house.parts = with_vendors(house.parts)
        raw = REQUESTS[what].replace(b"%s", target(urls[0]).encode()) + b"\r\nconnection: close\r\n\r\n{}"

        async def main() -> tuple[int, int]:
            async with opened(house.parts) as door:
                return (await door.raw(raw, within=5.0)).status, (await door.post(urls[0], answer(1))).status

        refused, honest = house.run(main())
        assert refused in {0, 400, 404, 415}
        assert honest == 200
        unread = (
            {b"{}"} if what == "compressed" else set()
        )  # came to a good address: put aside, as whatever nobody can read
        assert kept(house) == {answer(1)} | unread


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
    house, urls = asked_house(tmp_path, 2)
    with house:
        house.parts = with_vendors(house.parts)
        pieces, statuses = slow(urls[0])[way]

        async def main() -> tuple[list[Said], Said]:
            async with opened(house.parts, head=0.5, body=0.5) as door:
                slowly = [asyncio.create_task(door.raw(*pieces, pause=0.1, within=3.0)) for _ in range(20)]
                honest = await door.post(urls[1], answer(1))
                return await asyncio.gather(*slowly), honest

        started = asyncio.run(clock())
        said, honest = house.run(main())
        assert {one.status for one in said} <= statuses
        assert honest.status == 200
        assert asyncio.run(clock()) - started < 15.0


async def clock() -> float:
    return asyncio.get_running_loop().time()


def test_a_flood_of_connections(tmp_path: Path) -> None:
    """I1: hundreds of silent connections are open at once; honest callbacks are answered, and memory is bounded."""
    house, urls = asked_house(tmp_path, 60)
    with house:
        house.parts = with_vendors(house.parts)

        async def main() -> list[int]:
            async with opened(house.parts, head=2.0) as door:
                idle = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(FLOOD)]
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                statuses = [one.status for one in await door.posts(urls, answer(1))]
                for _, writer in idle:
                    writer.close()
                assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB"
                return statuses

        assert house.run(main()) == [200] * 60
        assert ask(house.path, "SELECT count(*) FROM delivery") == [(60,)]


def test_memory_does_not_follow_what_is_refused(tmp_path: Path) -> None:
    """I1: a thousand large bodies to forged addresses leave nothing behind."""
    house, _ = asked_house(tmp_path, 1)
    with house:
        house.parts = with_vendors(house.parts)
        forged = request("https://x.test/callbacks/zeliq?a=1&k=2&m=3", json.dumps({"x": "y" * 100_000}).encode())

        async def main() -> int:
            async with opened(house.parts) as door:
                await many(door, [forged] * 100)
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                await many(door, [forged] * 400)
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

        assert house.run(main()) < 32 * 1024
        assert kept(house) == set()
