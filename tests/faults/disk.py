"""A small disk, a disk that fails, a ledger that somebody else holds: done to a daemon while callbacks pour in.

In here: doing it, once or as often as one likes, and what must be true of it. How often: the tests and the
soak. `Site` and `Load` are in `process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from syncd.ledger import upkeep
from syncd.ledger.store import reading
from tests.unit.audit import ask, sqlite3

from .killing import STRACE
from .process import PATIENCE, Load, Site, kept, site, within

SIZE = 32  # MB of a small disk that a daemon works on


class NoDisk(Exception):
    """No file system can be mounted here."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own. Raises NoDisk where that needs rights that we have not."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        made = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        raise NoDisk
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # even while something in it is open


def fill(ballast: Path) -> None:
    """Until nothing more fits."""
    with ballast.open("wb", buffering=0) as file:
        for block in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * block):
                    pass


def sound(ledger: Path) -> None:
    """Nothing is broken in it, and it adds up."""
    with reading(ledger) as tx:
        assert list(upkeep.problems(ledger, tx)) == []


async def wait_until(look: Callable[[], bool], what: str) -> None:
    """Look until it is so."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(here: Site, per_second: float, padding: int = 0) -> AsyncIterator[Load]:
    """Callbacks pour in on a running daemon, which is the same one at the end and ends well."""
    daemon = here.start()
    await asyncio.to_thread(here.serving)
    load, stop = Load(here.client, here.urls, per_second=per_second, padding=padding), asyncio.Event()
    pouring = asyncio.create_task(load.run(stop))
    try:
        yield load
    finally:
        stop.set()
        await pouring
    assert daemon.poll() is None, here.log()
    daemon.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(daemon.wait, PATIENCE) == 0, here.log()
    assert load.acknowledged <= kept(here.ledger)
    sound(here.ledger)


# --- full -------------------------------------------------------------------------------------


async def fill_and_free(here: Site, cycles: int) -> dict[str, int]:
    """A disk that fills up and is freed so many times: 503 while it is full, 200 after, and nothing else."""
    ballast = here.ledger.with_name("ballast")
    async with under_load(here, 100.0, padding=2_000) as load:
        for cycle in range(cycles):
            seen = len(load.failed)
            fill(ballast)
            await wait_until(lambda seen=seen: len(load.failed) >= seen + 10, f"cycle {cycle}: 503")  # type: ignore[misc]
            ballast.unlink()
            seen = len(load.took)
            await wait_until(lambda seen=seen: len(load.took) >= seen + 10, f"cycle {cycle}: 200")  # type: ignore[misc]
    assert set(load.failed) == {"HTTP 503"}
    return {"cycles": cycles, "acknowledged": len(load.acknowledged), "refused": len(load.failed)}


# --- failing ----------------------------------------------------------------------------------


def _failing(here: Site, inject: str, *only: str) -> subprocess.Popen[bytes]:
    assert STRACE is not None
    call = inject.partition(":")[0]
    return here.start(STRACE, "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", f"inject={inject}")


def fail_to_keep(here: Site, inject: str, *only: str, per_second: float = 60.0, padding: int = 0) -> Load:
    """A daemon on a disk that fails to keep, as strace is told to `inject` it; it exits with 74."""
    daemon = _failing(here, inject, *only)
    load = Load(here.client, here.urls, per_second=per_second, padding=padding)

    async def pour() -> None:
        pouring = asyncio.create_task(load.run(asyncio.Event()))
        await asyncio.to_thread(daemon.wait, PATIENCE)
        pouring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pouring

    asyncio.run(pour())
    assert daemon.returncode == 74, (daemon.returncode, here.log())
    assert load.acknowledged <= kept(here.ledger)
    sound(here.ledger)
    return load


def fails_to_keep_from(folder: Path, number: int, error: str) -> int:
    """From the so-manieth fsync on each fails; the next start serves. Returns how many were acknowledged before."""
    with site(folder, 40) as here:
        load = fail_to_keep(here, f"fsync:error={error}:when={number}+")
        here.start()
        here.serving()
        return len(load.acknowledged)


def no_room_at(folder: Path, first: int, last: int) -> tuple[int, int]:
    """Writes to the disk, from the first of these to the last, find no room. While it starts, that may end the
    daemon; from then on it answers with 503, and with 200 once there is room. Returns (acknowledged, refused)."""
    with site(folder, 40) as here:
        daemon = _failing(here, f"pwrite64:error=ENOSPC:when={first}..{last}")
        load, stop = Load(here.client, here.urls, per_second=60.0), asyncio.Event()

        async def pour() -> None:
            pouring = asyncio.create_task(load.run(stop))
            await wait_until(
                lambda: (len(load.acknowledged) >= 40 and bool(load.failed)) or daemon.poll() is not None,
                "refusals, then acknowledgements",
            )
            if daemon.poll() is not None:
                assert not load.acknowledged, here.log()
                here.start()
                await wait_until(lambda: len(load.acknowledged) >= 40, "the next start serves")
            stop.set()
            await pouring

        asyncio.run(pour())
        for pid in (*within(here.running[-1]), here.running[-1].pid):
            os.kill(pid, signal.SIGTERM)
        assert here.running[-1].wait(PATIENCE) == 0, here.log()
        assert set(load.failed) <= {"HTTP 503"}
        assert load.acknowledged <= kept(here.ledger)
        sound(here.ledger)
        return len(load.acknowledged), len(load.failed)


# --- held -------------------------------------------------------------------------------------


async def hold(here: Site, seconds: float) -> dict[str, int]:
    """Somebody else holds the ledger for so long; then all is well again."""
    async with under_load(here, 50.0) as load:
        await wait_until(lambda: len(load.acknowledged) >= 20, "acknowledgements before")
        other = sqlite3.connect(here.ledger, isolation_level=None, timeout=30.0)
        other.execute("BEGIN IMMEDIATE")
        before, failed = len(load.acknowledged), len(load.failed)
        await asyncio.sleep(seconds)
        during, refused = len(load.acknowledged) - before, len(load.failed) - failed
        other.execute("COMMIT")
        other.close()
        seen = len(load.acknowledged)
        await wait_until(lambda: len(load.acknowledged) >= seen + 100, "acknowledgements after")
    assert during <= 20, "what was committed when the lock came may still have been answered"
    assert set(load.failed) <= {"HTTP 503"}
    return {"acknowledged": len(load.acknowledged), "refused while it was held": refused}


# --- two --------------------------------------------------------------------------------------


def rivals(here: Site, rng: random.Random, tries: int) -> None:
    """Daemons started beside one that runs, or two at once right after a kill: one runs, the others exit with 73."""
    here.start()
    here.serving()
    for _ in range(tries):
        first = here.running[-1]
        if rng.random() < 0.5:
            time.sleep(rng.random() * 0.3)
            contenders = [first, here.start()]
        else:
            first.kill()
            contenders = [here.start(), here.start()]
        loser = _first_to_end(contenders)
        assert loser.returncode == 73, here.log()
        contenders.remove(loser)
        here.serving()
        assert contenders[0].poll() is None, here.log()
        here.running.remove(contenders[0])
        here.running.append(contenders[0])
    assert ask(here.ledger, "PRAGMA integrity_check") == [("ok",)]


def _first_to_end(processes: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for process in processes:
            if process.poll() is not None:
                return process
        time.sleep(0.01)
    raise AssertionError(f"{len(processes)} daemons run on one ledger")
