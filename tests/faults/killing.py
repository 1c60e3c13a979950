"""Kills a journey at one of its system calls, or lets one of them fail, and looks at what is left.

What lives here: one kill and the inspection that follows. How many, and where: the tests and the soak.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from syncd.ledger.store import Ledger
from tests.unit.audit import ask, audit

from .journey import PEOPLE, World, value_of

ROOT = Path(__file__).parents[2]
WRITES = ("pwrite64", "fsync", "ftruncate", "unlink")
STRACE = shutil.which("strace")


def journey(folder: Path, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """One process that travels."""
    command = [*wrapper, sys.executable, "-m", "tests.faults.journey", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def strace(folder: Path, *options: str) -> tuple[str, ...]:
    """The wrapper that steps in at system calls."""
    assert STRACE is not None
    return (STRACE, "-f", "-qq", "-o", str(folder / "trace"), *options)


def points(folder: Path) -> Counter[str]:
    """How often one thread of a whole journey makes each write-type call."""
    done = journey(folder, *strace(folder, "--seccomp-bpf", "-e", f"trace={','.join(WRITES)}"))
    assert done.returncode == 0, done.stderr
    lines = (folder / "trace").read_text().splitlines()
    seen = Counter(found.groups() for line in lines if (found := re.match(r"(\d+) +(\w+)\(", line)))
    most: Counter[str] = Counter()
    for (_, name), number in seen.items():
        most[name] = max(most[name], number)
    return most


def kill_at(folder: Path, call: str, number: int) -> None:
    """A journey that is killed at its so-manieth system call, and then travelled to its end."""
    folder.mkdir()
    killed = journey(folder, *strace(folder, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"))
    assert killed.returncode != 0, "it was to be killed"
    inspect(folder)
    finished = journey(folder)
    assert finished.returncode == 0, finished.stderr
    inspect(folder, arrived=True)


def inspect(folder: Path, *, arrived: bool = False) -> None:
    """What must hold in whatever a process has left behind."""
    world, path = World(folder), folder / "ledger.db"
    called = [one["asked"][0]["contact"] for one in world.happened("call")]
    assert max(Counter(called).values(), default=0) <= 1, "nobody is asked about twice"
    if not path.exists() or not path.stat().st_size:
        assert called == []
        return
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    Ledger.open(path).close()  # a kill may have come before the schema was there
    audit(path)
    kept = {row[0] for row in ask(path, "SELECT submission_id FROM delivery")}
    assert {one["id"] for one in world.happened("acknowledged")} <= kept, "what was acknowledged is kept"
    known = {row[0] for row in ask(path, "SELECT id FROM submission")}
    assert {one["id"] for one in world.happened("call")} <= known, "the intent was there before the call"
    for fact in world.happened("write"):
        assert fact["value"] == value_of(fact["contact"])
    if arrived:
        _arrived(path, world, called)


def _arrived(path: Path, world: World, called: list[str]) -> None:
    """Whoever was asked about has the value; whose call was only intended is in doubt, unpaid by the world."""
    rows = ask(path, "SELECT ext_id, state, reason FROM job JOIN contact ON contact.id = contact_id")
    assert {contact for contact, _, _ in rows} == set(PEOPLE)
    for contact, state, reason in rows:
        assert (state, reason) == (("done", "written") if contact in called else ("in_doubt", "")), contact
    assert {fact["contact"] for fact in world.happened("write")} == set(called)
