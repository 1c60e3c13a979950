"""Daemons that are ended and started again while callbacks pour in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.audit import ask

from .killing import STRACE
from .process import PATIENCE, Load, Site, kept, restarts, site


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, 40) as made:
        yield made


def test_three_terminations_under_load_refuse_nobody(here: Site) -> None:
    """I1: the socket is held, accepted connections are answered: not one callback fails, and each is kept."""
    terminate(here, 3)


def test_three_kills_under_load_lose_nothing_acknowledged(here: Site) -> None:
    """I1: whoever got a 2xx finds it in the ledger; whoever got nothing tries again and gets one."""
    kill(here, 3)


def terminate(here: Site, times: int) -> int:
    """Returns how many callbacks there were."""
    load = asyncio.run(restarts(here, signal.SIGTERM, times))
    assert load.failed == [], here.log()
    assert len(load.acknowledged) == load.sent > 50 * times
    assert load.acknowledged <= kept(here.ledger)
    assert all(one.returncode == 0 for one in here.running), here.log()
    assert json.loads(here.command("verify", "--json").stdout)["problems"] == []
    return load.sent


def kill(here: Site, times: int) -> int:
    """Returns how many callbacks there were."""
    load = asyncio.run(restarts(here, signal.SIGKILL, times, stubborn=True))
    assert len(load.acknowledged) == load.sent > 50 * times
    assert load.acknowledged <= kept(here.ledger)
    assert json.loads(here.command("verify", "--json").stdout)["problems"] == []
    return load.sent


def test_f45_a_second_daemon_on_one_ledger(here: Site) -> None:
    """I2: exits with 73 and says why; the first one serves on."""
    first = here.start()
    here.serving()
    second = here.command("run")
    assert second.returncode == 73
    assert "another syncd has" in second.stderr
    assert first.poll() is None
    here.serving()


def test_f43_a_damaged_ledger_at_the_start(here: Site) -> None:
    """I13: exits with 65, says what to do, and leaves the file as it is."""
    with here.ledger.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\x55" * 2000)
    before = here.ledger.read_bytes()
    done = here.command("run")
    assert done.returncode == 65, done.stderr
    assert "restore a copy" in done.stderr
    assert here.ledger.read_bytes() == before


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_f42_the_disk_fails_to_keep(here: Site) -> None:
    """I1: an fsync that fails is no acknowledgement; none follows it, and the daemon exits with 74."""
    calls = "fsync,fdatasync"
    load = failing(here, "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO:when=40+")
    assert any("503" in one for one in load.failed)


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
def test_f42_the_disk_fails_to_give(here: Site) -> None:
    """I1, I13: the same when once it could not be read. It is no bug (70) and no damage (65): all can be read again."""
    files = (f"--trace-path={here.ledger}{part}" for part in ("", "-wal"))
    failing(here, *files, "-e", "trace=pread64", "-e", "inject=pread64:error=EIO:when=150")
    here.start()
    here.serving()


def failing(here: Site, *inject: str) -> Load:
    """A daemon under load whose disk fails, until it ends; what was acknowledged is kept."""
    assert STRACE is not None
    daemon = here.start(STRACE, "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", *inject)
    load = Load(here.door, here.urls, per_second=60.0)

    async def pour() -> None:
        await asyncio.to_thread(here.serving)
        pouring = asyncio.create_task(load.run(asyncio.Event()))
        await asyncio.to_thread(daemon.wait, PATIENCE)
        pouring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pouring

    asyncio.run(pour())
    assert daemon.returncode == 74, here.log()
    assert load.acknowledged
    assert load.acknowledged <= kept(here.ledger)
    assert ask(here.ledger, "PRAGMA integrity_check") == [("ok",)]
    return load
