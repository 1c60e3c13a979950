"""Daemons that are ended and started again while callbacks pour in."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Client
from .disk import fail_to_keep, fails_to_keep_from, no_room_at, rivals
from .killing import STRACE
from .process import Site, lost, restarts, site

needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


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


def terminate(here: Site, times: int, through: Client | None = None) -> int:
    """Returns how many callbacks there were."""
    load = asyncio.run(restarts(here, signal.SIGTERM, times, through=through))
    assert load.failed == [], here.log()
    assert len(load.took) == load.sent > 50 * times
    assert lost(here.ledger, load.acknowledged) == set()
    assert all(one.returncode == 0 for one in here.running), here.log()
    assert json.loads(here.command("verify", "--json").stdout)["problems"] == []
    return load.sent


def kill(here: Site, times: int) -> int:
    """Returns how many callbacks there were."""
    load = asyncio.run(restarts(here, signal.SIGKILL, times, stubborn=True))
    assert len(load.took) == load.sent > 50 * times
    assert lost(here.ledger, load.acknowledged) == set()
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


def test_f45_daemons_that_start_at_any_moment(here: Site) -> None:
    """I2: beside one that runs, or two at once right after a kill: exactly one has the ledger."""
    rivals(here, random.Random(2), 1)


@needs_strace
def test_f42_the_disk_fails_to_keep(tmp_path: Path) -> None:
    """I1: an fsync that fails is no acknowledgement; none follows it, the daemon exits with 74, the next one serves."""
    assert fails_to_keep_from(tmp_path, 40, "EIO") > 0


@needs_strace
def test_f42_the_disk_fails_to_give(here: Site) -> None:
    """I1, I13: the same when once it could not be read. It is no bug (70) and no damage (65): all can be read again."""
    files = [word for part in ("", "-wal") for word in ("-P", f"{here.ledger}{part}")]
    load = fail_to_keep(here, "pread64:error=EIO:when=150", *files)
    assert load.acknowledged
    here.start()
    here.serving()


@needs_strace
def test_f42_the_file_fails_to_keep_what_the_wal_has_kept(here: Site) -> None:
    """I13: SQLite goes on when it can't move the -wal into the file. We don't: whoever runs on such a disk is told."""
    load = fail_to_keep(here, "fsync:error=EIO:when=1+", "-P", str(here.ledger), per_second=300.0, padding=8_000)
    assert len(load.acknowledged) > 100


@needs_strace
def test_f24_no_room_for_a_while(tmp_path: Path) -> None:
    """I1: 503 while nothing fits, 200 as soon as something does, by the same process."""
    _, refused = no_room_at(tmp_path, 200, 240)
    assert refused > 0
