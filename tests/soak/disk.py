"""Disks that fill up, fail or are held, and daemons that fight for one ledger."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import disk
from tests.faults.killing import STRACE
from tests.faults.process import site

from .part import Part, Until, Wishes

CYCLES, SYNCS, TRIES = 50, 100, 20
NO_ROOM = 30  # stretches of writes that find no room
HOLDS = (4.0, 60.0)  # seconds; a writer waits for five


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """503 or the end with 74 while it lasts, 200 after, and nothing acknowledged is lost."""
    rng = random.Random(wishes.seed)
    _full(folder / "full", part)
    for seconds in HOLDS:
        with site(folder / f"held-{seconds:g}", 40) as here:
            _note(part, f"held for {seconds:g} s", asyncio.run(disk.hold(here, seconds)))
    with site(folder / "rivals", 5) as here:
        disk.rivals(here, rng, TRIES)
        part.figures["fights for one ledger"] = TRIES
    if STRACE is None:
        part.figures["failing disks"] = "skipped: strace is not installed"
        return
    _failing(folder, wishes, rng, part)


def _full(folder: Path, part: Part) -> None:
    try:
        with disk.small_disk(folder / "disk", disk.SIZE) as small, site(folder, 400, small) as here:
            _note(part, "full disk", asyncio.run(disk.fill_and_free(here, CYCLES)))
    except disk.NoDisk:
        part.figures["full disk"] = "skipped: no file system can be mounted"


def _note(part: Part, what: str, figures: dict[str, int]) -> None:
    part.figures |= {f"{what}: {name}": number for name, number in figures.items()}


def _failing(folder: Path, wishes: Wishes, rng: random.Random, part: Part) -> None:
    time_left = Until(wishes.minutes)

    def fails(number: int) -> int:
        return disk.fails_to_keep_from(folder / f"sync-{number}", number, "EIO" if number % 4 else "ENOSPC")

    def full(first: int) -> int:
        return disk.no_room_at(folder / f"room-{first}", first, first + 40)[1]

    acknowledged = _each(fails, range(1, SYNCS + 1), time_left, folder, part)
    refused = _each(full, rng.sample(range(1, 600), NO_ROOM), time_left, folder, part)
    part.figures |= {"fsyncs that failed": len(acknowledged), "acknowledged before them": sum(acknowledged)}
    part.figures |= {"stretches without room": len(refused), "refused in them": sum(refused)}


def _each(one: Callable[[int], int], numbers: Iterable[int], time_left: Until, folder: Path, part: Part) -> list[int]:
    """Two at a time, as long as there is time; what went wrong with one does not end the others."""

    def tried(number: int) -> int | None:
        if not time_left:
            return None
        try:
            return one(number)
        except AssertionError as error:
            part.violations.append(f"{one.__name__} {number}: {error}")
        finally:
            for place in folder.glob(f"*-{number}"):
                shutil.rmtree(place, ignore_errors=True)
        return None

    with ThreadPoolExecutor(2) as pool:
        return [came for came in pool.map(tried, numbers) if came is not None]
