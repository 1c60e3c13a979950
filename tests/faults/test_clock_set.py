"""A whole daemon whose wall clock is set: it serves on as if nothing had happened, and holds what it buys."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .disk import sound
from .process import PATIENCE, Load, Site, kept, site

DAY = 86_400
CC = shutil.which("cc")
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler is installed")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, 40) as made:
        settings = yaml.safe_load(made.config.read_text())
        [sync] = settings["syncs"]
        del sync["every"]
        settings["syncs"] = [sync | {"schedule": "* * * * *"}]
        made.config.write_text(yaml.safe_dump(settings))
        yield made


class SetClock:
    """A library to be preloaded, and the file that says by how much the wall clock is off."""

    def __init__(self, folder: Path) -> None:
        assert CC is not None
        self._file, self._library = folder / "off", folder / "set_clock.so"
        self.set(0)
        source = Path(__file__).with_name("set_clock.c")
        subprocess.run([CC, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"], check=True)

    @property
    def wrapper(self) -> tuple[str, ...]:
        return "env", f"LD_PRELOAD={self._library}", f"SET_CLOCK={self._file}"

    def set(self, off: int) -> None:
        """Put there at once: the file is never half written."""
        new = self._file.with_suffix(".new")
        new.write_text(str(off))
        new.replace(self._file)


def used(pid: int) -> tuple[float, float]:
    """CPU seconds and MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_n1_a_wall_clock_that_is_set_neither_stops_nor_floods_a_daemon(here: Site, tmp_path: Path) -> None:
    clock = SetClock(tmp_path)
    daemon = here.start(*clock.wrapper)
    here.serving()

    async def main() -> Load:
        load, stop = Load(here.client, here.urls, per_second=20.0), asyncio.Event()
        pouring = asyncio.create_task(load.run(stop))
        await asyncio.sleep(1)
        for off in (10 * DAY, 400 * DAY, -400 * DAY, 0):
            clock.set(off)
            await asyncio.sleep(3)
        stop.set()
        await pouring
        return load

    before = used(daemon.pid)
    began = time.monotonic()
    load = asyncio.run(main())
    took = time.monotonic() - began
    after = used(daemon.pid)
    assert load.failed == []
    assert load.acknowledged == kept(here.ledger)
    assert max(load.took) < 5.0, "callbacks are answered as ever"
    assert took < 40.0
    assert after[0] - before[0] < 8.0, "CPU seconds"
    assert after[1] - before[1] < 60.0, "MB"
    assert "the clock was set while syncd ran" in (here.folder / "daemon-0.log").read_text()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(PATIENCE) == 0, here.log()
    sound(here.ledger)


RINGING = """
import asyncio, sys, time
from syncd.schedule import Schedule

async def main():
    schedule = Schedule(time.time)
    schedule.every(0.25, lambda: print("rung", flush=True))
    await asyncio.sleep(7)
    schedule.stop()

asyncio.run(main())
"""


def test_n1_what_has_a_schedule_rings_on_when_the_wall_clock_is_set(tmp_path: Path) -> None:
    clock = SetClock(tmp_path)
    command = [*clock.wrapper, sys.executable, "-c", RINGING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for off in (-10 * DAY, 400 * DAY, 0):
            time.sleep(2)
            clock.set(off)
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert 8 <= told.count("rung") <= 30, "neither stopped nor flooded"
