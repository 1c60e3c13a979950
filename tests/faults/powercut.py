"""Cuts the power of a disk while callbacks are acknowledged on it, for real: ext4 or xfs on a loop device and
the shutdown ioctl, after which nothing that was not synced is there any more.

    python -m tests.faults.powercut FOLDER [NAME]   pours into FOLDER/ledger.db, a line for each acknowledgement

For the soak only: it needs root, the file system's mkfs and a loop device.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from syncd.contract.model import Delivery, Source
from syncd.ledger import arrivals
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Ledger
from tests.unit.audit import ask

ROOT = Path(__file__).parents[2]
_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, and XFS_IOC_GOINGDOWN
_NO_FLUSH = struct.pack("I", 2)  # not even the journal is flushed
_SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}  # bytes, of a sparse file; mkfs.xfs makes nothing below 300 MiB


def possible(kind: str, folder: Path) -> bool:
    """Can this kind of file system be made and mounted here? Tried once, in a folder of its own."""
    if os.geteuid() != 0 or not all(map(shutil.which, (f"mkfs.{kind}", "mount", "umount"))):
        return False
    try:
        with _mounted(_made(kind, folder), folder / "disk"):
            return True
    except subprocess.CalledProcessError:
        return False


def cut(folder: Path, rng: random.Random, kind: str = "ext4") -> int:
    """One power cut after some hundred acknowledgements; returns how many, none of which was lost."""
    image, disk = _made(kind, folder), folder / "disk"
    with _mounted(image, disk):
        acknowledged = _pour_and_cut(disk, rng.randrange(50, 1500))
    with _mounted(image, disk):
        path = disk / "ledger.db"
        assert ask(path, "PRAGMA integrity_check") == [("ok",)]
        lost = acknowledged - {row[0] for row in ask(path, "SELECT submission_id FROM delivery")}
        assert lost == set(), f"{len(lost)} acknowledged callbacks are lost"
    return len(acknowledged)


def _made(kind: str, folder: Path) -> Path:
    """An image with an empty file system, and a folder to mount it on."""
    image = folder / "image"
    (folder / "disk").mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(_SIZES[kind])
    _run(f"mkfs.{kind}", "-q", str(image))
    return image


@contextlib.contextmanager
def _mounted(image: Path, disk: Path) -> Iterator[None]:
    _run("mount", "-o", "loop", str(image), str(disk))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(disk))


def _pour_and_cut(disk: Path, after: int) -> set[str]:
    """The acknowledgements from before the cut. The ioctl takes a few milliseconds, in which a sync may still
    seem to succeed; where the power is really off, nobody is told any more."""
    command = [sys.executable, "-m", "tests.faults.powercut", str(disk)]
    acknowledged: dict[str, float] = {}
    moment = math.inf
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as pouring:
        assert pouring.stdout is not None
        for line in pouring.stdout:
            submission, at = line.split()
            acknowledged[submission] = float(at)
            if len(acknowledged) == after:
                handle = os.open(disk, os.O_RDONLY)
                moment = time.monotonic()
                fcntl.ioctl(handle, _SHUTDOWN, _NO_FLUSH)
                os.close(handle)
    before = {submission for submission, at in acknowledged.items() if at < moment}
    assert len(before) >= after
    return before


async def pour(folder: Path, name: str = "s") -> None:
    """Store and acknowledge until the disk is gone; `name`: what the calls' names begin with."""
    ledger = Ledger.open(folder / "ledger.db")
    numbers = itertools.count()

    async def one_after_the_other() -> None:
        for number in numbers:
            delivery = Delivery(submission_id=f"{name}{number}", source=Source.CALLBACK, body=b"%d" % number * 100)
            await ledger.write(arrivals.store, "zeliq", delivery, now=1.0)
            os.write(1, f"{name}{number} {time.monotonic()}\n".encode())

    with contextlib.suppress(LedgerError):
        await asyncio.gather(*(one_after_the_other() for _ in range(8)))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    asyncio.run(pour(Path(sys.argv[1]), *sys.argv[2:]))
    os._exit(0)  # the disk is gone: nothing can be closed properly
