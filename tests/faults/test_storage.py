"""What a disk, a kernel and a crash can do to the ledger, done to it for real."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from syncd.contract.model import Delivery, Source
from syncd.ledger import arrivals, copies, upkeep
from syncd.ledger.arrivals import unpacked
from syncd.ledger.file import LedgerCorrupt
from syncd.ledger.store import Ledger, reading
from tests.unit.audit import BODIES, ask, events_gone, sqlite3

from .client import asked_harness, opened, with_vendors
from .disk import NoDisk, fill, small_disk
from .fork_server import ROOT, ForkServer
from .killing import ERRORS, STRACE, fail_at, kill_at, points
from .page_cache import Disk
from .process import within

needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")
BODY = b'{"credit_used": 0, "contact": {"about": "%s"}}'


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    try:
        with small_disk(tmp_path / "disk", 4) as folder:
            yield folder
    except NoDisk:
        pytest.skip("no file system can be mounted here; F24 shows the same with SQLite's own limit")


def test_a_full_disk_refuses_and_recovers(disk: Path) -> None:
    """503 while it is full, 200 once there is room, in the same process; what was acknowledged is there."""
    harness, urls = asked_harness(disk, 40)
    harness.parts = with_vendors(harness.parts)
    ballast = disk / "ballast"

    async def main() -> list[tuple[int, bytes]]:
        taken = []
        async with opened(harness.parts) as client:
            for number, url in enumerate(urls):
                if number == 10:
                    fill(ballast)
                if number == 30:
                    ballast.unlink()
                body = BODY % (str(number) * 5_000).encode()
                taken.append(((await client.post(url, body)).status, body))
        return taken

    taken = harness.run(main())
    statuses = [status for status, _ in taken]
    assert set(statuses[:10]) == {200}
    assert statuses[10:30].count(503) > 10
    assert set(statuses[30:]) == {200}
    harness.close()
    kept = {unpacked(*row) for row in ask(harness.path, BODIES)}
    assert kept == {body for status, body in taken if status == 200}
    assert ask(harness.path, "PRAGMA integrity_check") == [("ok",)]


def test_a_locked_ledger_waits_then_refuses_then_recovers(tmp_path: Path) -> None:
    """A short lock delays the answer, a long one makes it a 503; nothing is lost in either."""
    harness, urls = asked_harness(tmp_path, 3)
    harness.parts = with_vendors(harness.parts)
    other = sqlite3.connect(harness.path, isolation_level=None)

    async def main() -> list[int]:
        async with opened(harness.parts) as client:
            other.execute("BEGIN IMMEDIATE")
            short = asyncio.create_task(client.post(urls[0]))
            _, waiting = await asyncio.wait([short], timeout=0.3)
            assert waiting, "it is not acknowledged while it can't be written"
            other.execute("COMMIT")
            first = await short
            other.execute("BEGIN IMMEDIATE")
            second = await client.post(urls[1])
            other.execute("COMMIT")
            return [first.status, second.status, (await client.post(urls[1])).status]

    assert harness.run(main()) == [200, 503, 200]
    other.close()
    harness.close()
    assert ask(harness.path, "SELECT count(*) FROM delivery") == [(2,)]


@pytest.fixture(scope="module")
def places(fork_server: ForkServer, in_memory: Path) -> list[tuple[str, int]]:
    """Every system call of a journey, by its name and number."""
    found = points(fork_server, in_memory / "whole")
    assert {"pread64", "pwrite64", "fsync", "ftruncate", "openat", "unlink"} <= found.keys()
    return [(call, number) for call, most in sorted(found.items()) for number in range(1, most + 1)]


@needs_strace
def test_kills_at_system_calls(fork_server: ForkServer, in_memory: Path, places: list[tuple[str, int]]) -> None:
    """Nothing acknowledged is lost, nothing is asked twice, and the next process comes to the end."""
    some = random.Random(4).sample(places, 10)
    assert sum(kill_at(fork_server, in_memory / f"kill-{call}-{number}", call, number) for call, number in some) >= 8


@needs_strace
def test_errors_at_system_calls(fork_server: ForkServer, in_memory: Path, places: list[tuple[str, int]]) -> None:
    """The same of whatever the kernel refuses: the process goes on, or says why it can't."""
    outcomes = Counter(
        fail_at(fork_server, in_memory / f"{error}-{call}-{number}", call, number, error)
        for call, number in random.Random(5).sample(places, 5)
        for error in ERRORS
    )
    assert outcomes["went on"] > 0
    assert outcomes["ended"] > 0


@needs_strace
@pytest.mark.parametrize("number", [5, 20], ids=["at the start", "while at work"])
def test_what_the_disk_does_not_give_once_is_not_called_damage(
    fork_server: ForkServer, in_memory: Path, number: int
) -> None:
    """It ends as for any failure of the disk, and is started again: nobody is told to restore a copy."""
    assert fail_at(fork_server, in_memory / f"read-{number}", "pread64", number, "EIO") == "ended"


def test_a_copy_made_under_load_misses_nothing_from_before_it(tmp_path: Path) -> None:
    """VACUUM INTO while callbacks pour in: everything acknowledged before it began is in it, and it adds up."""
    harness, _ = asked_harness(tmp_path / "here", 5)
    copy, restored = tmp_path / "copy.db", tmp_path / "restored.db"

    async def pour(stop: asyncio.Event, taken: list[str]) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            delivery = Delivery(submission_id=f"s{number}", source=Source.CALLBACK, body=BODY % str(number).encode())
            await harness.ledger.write(arrivals.store, "zeliq", delivery, now=1.0)
            taken.append(delivery.submission_id)

    async def main() -> tuple[set[str], int]:
        stop, taken = asyncio.Event(), list[str]()
        pouring = [asyncio.create_task(pour(stop, taken)) for _ in range(4)]
        while len(taken) < 400:
            await asyncio.sleep(0.005)
        before = set(taken)
        await asyncio.to_thread(copies.back_up, harness.path, copy)
        during = len(taken) - len(before)
        stop.set()
        await asyncio.gather(*pouring)
        return before, during

    before, _ = harness.run(main())
    harness.close()
    assert copies.restore(copy, restored, frozen_until=2.0, now=0.0).generation == 1
    kept = {row[0] for row in ask(restored, "SELECT submission_id FROM delivery")}
    assert before <= kept
    assert problems(restored) == []


# --- verify -----------------------------------------------------------------------------------


def problems(path: Path) -> list[str]:
    with reading(path) as tx:
        return list(upkeep.problems(path, tx))


@pytest.fixture(scope="module")
def travelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound ledger at the end of a journey, with one call still open."""
    folder = tmp_path_factory.mktemp("travelled")
    harness, _ = asked_harness(folder, 4)
    with harness:
        for contact in ("501", "502"):
            harness.finds(contact, harness.fake.submitted[0].requests[0].fields[0], f"p{contact}@acme.example.com")
        for call in harness.fake.submitted[:3]:
            harness.call_back(call)
        harness.finish()
    assert problems(harness.path) == []
    return harness.path


def flip(path: Path, table: str, offset: int) -> None:
    """Change one byte within the first page of a table."""
    [(page, size)] = ask(
        path, f"SELECT rootpage, (SELECT * FROM pragma_page_size) FROM sqlite_schema WHERE name = '{table}'"
    )
    with path.open("r+b") as file:
        file.seek((page - 1) * size + offset)
        old = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([old[0] ^ 0x55]))


_NO_TRIGGERS = "DROP TRIGGER submission_moved; DROP TRIGGER submission_made;"
_FLYING = (
    "INSERT INTO step SELECT 1 + (SELECT max(id) FROM step), at, target, 'sending', '', '', provider, submission_id, 1"
    " FROM step WHERE id = (SELECT max(id) FROM step WHERE target = 'done');"
    "UPDATE job SET steps = steps || ',' || (SELECT max(id) FROM step)"
    " WHERE id = (SELECT job_id FROM event WHERE target = 'done' ORDER BY id DESC LIMIT 1);"
)
DAMAGES = {
    "a counter": ("UPDATE counter SET n = n + 1 WHERE state = 'done'", "counter"),
    "a counter that is gone": ("DELETE FROM counter WHERE state = 'sent'", "counter"),
    "the newest event": (
        events_gone("id = (SELECT max(id) FROM event)"),
        "history",
    ),
    "an event in the middle": (
        events_gone("target = 'answered' AND job_id = 1"),
        "gap",
    ),
    "the first event": (
        events_gone("source = '' AND job_id = 1"),
        "gap",
    ),
    "a whole history": ("UPDATE job SET steps = '' WHERE id = 1", "no history"),
    "reserved credits": ("UPDATE spend SET reserved_mc = reserved_mc - 1000", "don't add up"),
    "charged credits": (_NO_TRIGGERS + "UPDATE submission SET charged_mc = 0 WHERE charged_mc > 0", "don't add up"),
    "an illegal move": (_FLYING, "must not happen"),
    "a state that nobody moved": (
        "UPDATE job SET state = 'accepted' WHERE state = 'sent'",
        "history ends",
    ),
    "an attempt": (
        "DELETE FROM attempt WHERE job_id = (SELECT id FROM job WHERE state = 'sent')",
        "without a live attempt",
    ),
    "a confirmed write": ("DELETE FROM write", "without a find or a confirmed write"),
    "the find behind it": ("DELETE FROM result WHERE outcome = 'found'", "without a find"),
    "a call with its answer": (
        "PRAGMA foreign_keys = 0; DELETE FROM attempt; DELETE FROM submission",
        "not in this ledger",
    ),
    "a contact": ("PRAGMA foreign_keys = 0; DELETE FROM contact WHERE id = 1", "missing row"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_verify_finds_planted_damage(travelled: Path, tmp_path: Path, what: str) -> None:
    """Each thing that must add up is found when it does not."""
    path = Path(shutil.copy(travelled, tmp_path / "ledger.db"))
    script, told = DAMAGES[what]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
        connection.commit()
    found = problems(path)
    assert any(told in line for line in found), found


@pytest.mark.parametrize(
    ("table", "offset"), [("job", 0), ("job", 4), ("step", 3), ("contact_key", 8), ("delivery", 5)]
)
def test_verify_and_the_next_start_find_a_flipped_byte(
    travelled: Path, tmp_path: Path, table: str, offset: int
) -> None:
    """One wrong byte in the structure of a page: told by `verify`, and no daemon starts on it."""
    path = Path(shutil.copy(travelled, tmp_path / "ledger.db"))
    flip(path, table, offset)
    before = path.read_bytes()
    assert problems(path) != []
    with pytest.raises(LedgerCorrupt, match="restore a copy"):
        check(path)
    assert path.read_bytes() == before, "it is left as it is"


def check(path: Path) -> None:
    """What a daemon does after its start."""
    ledger = Ledger.open(path)
    try:
        asyncio.run(ledger.check())
    finally:
        ledger.close()


def test_a_look_at_a_damaged_ledger_says_so(travelled: Path, tmp_path: Path) -> None:
    """The commands that only look get no further than the damage, and say what it is."""
    path = Path(shutil.copy(travelled, tmp_path / "ledger.db"))
    flip(path, "job", 0)
    with pytest.raises(LedgerCorrupt, match="restore a copy"), reading(path) as tx:
        tx.rows("jobs_of_contact", contact_id=1)


# --- an fsync that failed, a restart, a power cut ---------------------------------------------


def poured(folder: Path, disk: Disk, name: str, until: int, *inject: str) -> set[str]:
    """A process acknowledges until its disk fails, or is killed after so many; returns what it acknowledged."""
    assert STRACE is not None
    trace = folder / "trace"
    command = [STRACE, *disk.strace, "-o", str(trace), *inject, sys.executable, "-m", "tests.faults.powercut"]
    acknowledged = set()
    with subprocess.Popen([*command, str(folder), name], cwd=ROOT, stdout=subprocess.PIPE, text=True) as pouring:
        assert pouring.stdout is not None
        for line in pouring.stdout:
            acknowledged.add(line.split()[0])
            if len(acknowledged) == until:
                for pid in within(cast("subprocess.Popen[bytes]", pouring)):
                    os.kill(pid, signal.SIGKILL)
    return acknowledged


@needs_strace
@pytest.mark.parametrize("number", [12, 25])
def test_n11_what_was_acknowledged_after_a_failed_fsync_and_a_restart_survives_a_power_cut(
    tmp_path: Path, number: int
) -> None:
    """The frames of the failed commit are in the page cache, and the next process finds them there: what it appends
    is worth nothing before they are on the disk, too."""
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    disk = Disk([path, path.with_name("ledger.db-wal")])
    before = poured(tmp_path, disk, "before", 10_000, "-e", f"inject=fsync,fdatasync:error=EIO:when={number}+")
    assert disk.follow((tmp_path / "trace").read_text().splitlines()) > 0
    assert before
    after = poured(tmp_path, disk, "after", 10)
    assert disk.follow((tmp_path / "trace").read_text().splitlines()) == 0
    disk.cut_the_power(tmp_path / "later")
    later = tmp_path / "later" / "ledger.db"
    assert ask(later, "PRAGMA integrity_check") == [("ok",)]
    kept = Counter(row[0] for row in ask(later, "SELECT submission_id FROM delivery"))
    assert before | after <= set(kept)
