"""Bells for several workers: one beat for all of them, and nothing that is silent for long."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

pytest.importorskip("procrastinate", reason="procrastinate is not installed")

import psycopg
from psycopg import sql

from syncd.ledger.place import Url
from syncd.ledger.store import Ledger
from syncd.ledger.wakeups import listen, wake_inbox
from syncd.schedule import Schedule
from tests.system.rig import environment, until

from .parts import Part, all_done, assert_right, world

BEATING = """
import asyncio, sys, time
from syncd.ledger.place import Url
from syncd.shared_bells import ring

def beat():
    print("beat", flush=True)
    time.sleep(float(sys.argv[2]))

asyncio.run(ring(Url(sys.argv[1]), 1, beat))
"""


@dataclass
class Beating:
    """A process that is given beats, one a second for all such processes. `stays`: seconds that it stays in each."""

    url: Url
    log: Path
    stays: float = 0.0

    def __enter__(self) -> Beating:
        command = [sys.executable, "-c", BEATING, self.url.text, str(self.stays)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(30)

    @property
    def beats(self) -> int:
        return self.log.read_text("utf-8").count("beat\n")

    def has_beaten(self, n: int = 1) -> None:
        until(f"it was given {n} beats", lambda: self.beats >= n, within=120.0)


def test_each_beat_is_one_process_s(tmp_path: Path, url: Url) -> None:
    with Beating(url, tmp_path / "a") as one, Beating(url, tmp_path / "b") as two:
        one.has_beaten()
        until("both were given some", lambda: two.beats and one.beats, within=120.0)
        before, begun = one.beats + two.beats, time.monotonic()
        time.sleep(6)
        took, after = time.monotonic() - begun, one.beats + two.beats
    assert 1 <= after - before <= took + 2, "one for both, not one for each"


def test_a_process_that_is_killed_within_a_beat_silences_nobody(tmp_path: Path, url: Url) -> None:
    with Beating(url, tmp_path / "a", stays=600.0) as one:
        one.has_beaten()
        one.process.kill()
        with Beating(url, tmp_path / "b") as two:
            two.has_beaten(3)


def test_the_beat_of_a_process_that_was_killed_is_cleared_away_by_the_next_one_that_starts(
    tmp_path: Path, url: Url
) -> None:
    with Beating(url, tmp_path / "a", stays=600.0) as one:
        one.has_beaten()
    with psycopg.connect(url.text, autocommit=True) as connection:
        name = sql.Identifier(f"public_bells_{version('procrastinate')}")
        connection.execute(sql.SQL("SET search_path TO {}").format(name))
        old = "SELECT id FROM procrastinate_jobs WHERE status = 'doing'"
        [[left]] = connection.execute(old).fetchall()
        connection.execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'")
        with Beating(url, tmp_path / "b") as two:
            two.has_beaten()
            assert (left,) not in connection.execute(old).fetchall()


def test_a_database_that_was_away_is_found_again(tmp_path: Path, url: Url) -> None:
    """Its connections were cut."""
    with Beating(url, tmp_path / "a") as one:
        one.has_beaten()
        with psycopg.connect(url.text, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        one.has_beaten(one.beats + 2)


def test_what_was_stored_elsewhere_wakes_the_inbox(url: Url) -> None:
    async def woken() -> float:
        ledger = await asyncio.to_thread(Ledger.open, url)
        heard = asyncio.Event()
        listening = asyncio.create_task(listen(url, heard.set))
        begun = time.monotonic()
        try:
            while not heard.is_set() and time.monotonic() - begun < 60:
                await ledger.write(wake_inbox)  # until it listens
                await asyncio.sleep(0.1)
            heard.clear()
            begun = time.monotonic()
            await ledger.write(wake_inbox)
            await asyncio.wait_for(heard.wait(), 60)
            return time.monotonic() - begun
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            ledger.close()

    assert asyncio.run(woken()) < 5


def test_each_process_looks_by_itself_now_and_then() -> None:
    async def rung() -> int:
        schedule, rings = Schedule(time.time), list[float]()
        schedule.now_and_then(0.2, lambda: rings.append(time.monotonic()))
        async with asyncio.timeout(30):
            while len(rings) < 4:
                await asyncio.sleep(0.01)
        schedule.stop()
        await asyncio.sleep(0.5)
        return len(rings)

    assert asyncio.run(rung()) == 4


def test_all_is_done_while_the_bells_are_silent(tmp_path: Path, url: Url) -> None:
    """The engine's tables are broken: each worker looks by itself every minute (of the rehearsal)."""
    with psycopg.connect(url.text, autocommit=True) as connection:
        name = sql.Identifier(f"public_bells_{version('procrastinate')}")
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    with world(tmp_path, url) as vendors, Part(vendors, name="a", listen=vendors.listen) as one:
        one.until("all is done", lambda: all_done(url))
        assert_right(vendors, url)
        assert one.lines("shared_bells_silent")
        assert one.terminate() == 0
