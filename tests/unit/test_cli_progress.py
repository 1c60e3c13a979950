"""How far long work is, on a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from syncd.ledger import upkeep
from syncd.ledger.store import reading

from .harness import Harness

WORK = """
import sys, time
from syncd.cli.progress import progress
with progress("verifying", "checks") as line:
    line(3, 12)
    time.sleep(float(sys.argv[1]))
"""


def shown(seconds: float) -> str:
    """What a terminal shows while work takes so long and calls once."""
    here, there = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", WORK, str(seconds)], stderr=there, check=True, timeout=30)
        os.write(there, b"end\n")
        told = b""
        while b"end" not in told:
            told += os.read(here, 65_536)
    finally:
        os.close(here)
        os.close(there)
    return told.decode()


def test_a_step_that_takes_long_is_seen_to_go_on_and_leaves_nothing_behind() -> None:
    _, *lines, end = shown(2.5).split("\r\x1b[K")
    seconds = [int(line.removeprefix("verifying: 3 of 12 checks (25 %), ").removesuffix(" s")) for line in lines]
    assert seconds == sorted(seconds)
    assert len(set(seconds)) > 1
    assert end == "end\r\n"


def test_short_work_shows_nothing() -> None:
    assert shown(0) == "end\r\n"


def test_verify_tells_how_many_of_its_checks_are_done(harness: Harness) -> None:
    told: list[tuple[int, int]] = []
    with reading(harness.path) as tx:
        assert list(upkeep.problems(harness.path, tx, lambda done, total: told.append((done, total)))) == []
    total = told[0][1]
    assert told == [(done, total) for done in range(total)]
