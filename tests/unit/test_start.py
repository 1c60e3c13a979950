"""The start: callbacks are taken first, and nothing is bought before the ledger was looked over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.daemon import Daemon
from syncd.ledger.file import DiskFailed, LedgerCorrupt, LedgerError
from syncd.ledger.store import Ledger
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import UNTRIED, Gate
from syncd.pipeline.parts import Parts

from .audit import ask, sqlite3
from .callers import Line
from .harness import Harness


class Home(Canary):
    """Its callbacks always arrive."""

    async def run_once(self, parts: Parts) -> int:
        parts.gate.set("callbacks", "")
        return 1


def bytes_read() -> int:
    """By this process so far, from the page cache or from the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A ledger of 64 MB."""
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 64) "
        "INSERT INTO memory SELECT 'ann', i, hex(zeroblob(500000)) FROM n"
    )
    connection.commit()
    connection.close()
    assert path.stat().st_size > 64e6
    return path


def test_n13_opening_a_large_ledger_reads_next_to_nothing_of_it(large: Path) -> None:
    before = bytes_read()
    ledger = Ledger.open(large)
    opened = bytes_read()
    asyncio.run(ledger.check())
    checked = bytes_read()
    ledger.close()
    assert opened - before < 0.02 * large.stat().st_size
    assert checked - opened > 0.9 * large.stat().st_size


def test_n13_the_check_ends_when_the_ledger_is_closed(large: Path) -> None:
    async def main() -> None:
        ledger = Ledger.open(large)
        checking = asyncio.create_task(ledger.check())
        await asyncio.sleep(0)
        await asyncio.to_thread(ledger.close)
        await checking

    asyncio.run(asyncio.wait_for(main(), 30))


def waiting_to_buy(harness: Harness) -> Harness:
    """Somebody to be asked about, and a gate that has not been looked at."""
    harness.person("Ada")
    harness.parts = replace(harness.parts, gate=Gate())
    return harness


def test_n13_callbacks_are_taken_while_the_ledger_is_checked_and_nothing_is_bought(harness: Harness) -> None:
    harness.person("Bo")
    assert harness.ask() > 0
    call, bought = harness.fake.submitted[0], len(harness.fake.submitted)
    waiting_to_buy(harness)
    go_on, check = asyncio.Event(), harness.ledger.check

    async def slow() -> None:
        await go_on.wait()
        await check()

    harness.ledger.check = slow  # type: ignore[method-assign]

    async def until(running: Daemon) -> None:
        reply = await Line(running.public.port).call_back(call, harness.fake.delivery(call).body)
        assert reply.status == 200
        while not {"canary", "watch", "rights:crm", "pull:people", "plan", "inbox"} <= running.working.stages.tried:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert len(harness.fake.submitted) == bought
        assert harness.parts.gate.shut == UNTRIED["integrity"]
        go_on.set()
        while len(harness.fake.submitted) == bought:
            await asyncio.sleep(0.02)

    harness.run(asyncio.wait_for(Daemon(harness.parts, Home()).run(until), 60))
    assert ask(harness.path, "SELECT count(*) FROM delivery") == [(1,)]


def test_n13_the_door_is_open_before_anything_is_recovered(harness: Harness) -> None:
    """What the process before left behind takes long to be seen to: here, until it is over."""
    harness.person("Bo")
    assert harness.ask() > 0
    call = harness.fake.submitted[0]
    waiting_to_buy(harness)
    go_on, read = asyncio.Event(), harness.ledger.read

    async def slow(work, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        await go_on.wait()
        return await read(work, *args, **kwargs)

    harness.ledger.read = slow  # type: ignore[method-assign]

    async def until(running: Daemon) -> None:
        reply = await Line(running.public.port).call_back(call, harness.fake.delivery(call).body)
        assert reply.status == 200
        assert running.working.stages.tried == set()
        go_on.set()
        while "inbox" not in running.working.stages.tried:
            await asyncio.sleep(0.02)

    harness.run(asyncio.wait_for(Daemon(harness.parts, Home()).run(until), 60))


@pytest.mark.parametrize("error", [LedgerCorrupt("it is damaged"), DiskFailed("it could not be read")])
def test_f43_a_damaged_ledger_ends_the_daemon_once_that_is_known(harness: Harness, error: LedgerError) -> None:
    waiting_to_buy(harness)

    async def damaged() -> None:
        await asyncio.sleep(0.1)
        raise error

    harness.ledger.check = damaged  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        harness.run(asyncio.wait_for(Daemon(harness.parts, Home()).run(), 60))
    assert harness.fake.submitted == []


def test_a_ledger_that_is_full_for_a_while_at_the_start_ends_nobody(harness: Harness) -> None:
    waiting_to_buy(harness)
    check, tries = harness.ledger.check, list[int]()

    async def full_at_first() -> None:
        tries.append(1)
        if len(tries) < 2:
            raise LedgerError("database or disk is full")
        await check()

    harness.ledger.check = full_at_first  # type: ignore[method-assign]

    async def until(running: Daemon) -> None:
        while not harness.fake.submitted:
            await asyncio.sleep(0.02)

    harness.run(asyncio.wait_for(Daemon(harness.parts, Home()).run(until), 60))
