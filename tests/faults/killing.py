"""Kills a journey at one of its labels or system calls, or lets one of those fail, and looks at what is left.

In here: one such blow and the inspection that follows. How many, and where: the tests and the soak.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from syncd.ledger.store import Ledger
from tests.unit.audit import ask, audit

from .far_verdict import judge
from .fork_server import REFUSED, STRACE, ForkServer
from .journey import PEOPLE, World, value_of

__all__ = ["ERRORS", "STRACE", "fail_at", "kill_at", "kill_at_label", "passings", "points"]

KILLED = -9
WRITES = ("openat", "pread64", "pwrite64", "fsync", "ftruncate", "unlink")
ERRORS = ("EIO", "ENOSPC", "EINTR")


# --- labels ---------------------------------------------------------------------------------------


def passings(fork_server: ForkServer, folder: Path) -> Counter[str]:
    """How often an undisturbed far journey passes each label."""
    ended = fork_server.far_journey(folder)
    assert ended.status == 0, ended.said
    judge(folder, arrived=True)
    return fork_server.passed(folder)


def kill_at_label(
    fork_server: ForkServer, folder: Path, *blows: tuple[str, int], puts_off: tuple[str, ...] = ()
) -> int:
    """A far journey killed at a label's so-manieth passing, the next process at the next one, the last one at none.

    Returns how many struck: the second process may not come by what it was to be killed at.
    """
    struck = 0
    for blow in blows:
        ended = fork_server.far_journey(folder, blow, puts_off=puts_off)
        assert ended.status in (0, KILLED), ended.said
        struck += ended.status == KILLED
        judge(folder, arrived=ended.status == 0)
    ended = fork_server.far_journey(folder, puts_off=puts_off)
    assert ended.status == 0, ended.said
    judge(folder, arrived=True)
    return struck


# --- system calls ---------------------------------------------------------------------------------


def points(fork_server: ForkServer, folder: Path) -> Counter[str]:
    """How often one thread of a whole short journey makes each write-type call about the ledger."""
    ended = fork_server.journey(folder, *_about(folder, *WRITES))
    assert ended.status == 0, ended.said
    lines = (folder / "trace").read_text().splitlines()
    seen = Counter(found.groups() for line in lines if (found := re.match(r"(\d+) +(\w+)\(", line)))
    most: Counter[str] = Counter()
    for (_, name), number in seen.items():
        most[name] = max(most[name], number)
    return most


def kill_at(fork_server: ForkServer, folder: Path, call: str, number: int) -> bool:
    """A short journey that is killed at its so-manieth system call, and then travelled to its end.

    Returns whether it was: how many calls there are varies a little, with what is committed together.
    """
    ended = fork_server.journey(folder, *_about(folder, call), "-e", f"inject={call}:signal=KILL:when={number}")
    assert ended.status in (0, KILLED), ended.said
    inspect(folder, arrived=ended.status == 0)
    _travel_on(fork_server, folder)
    return ended.status == KILLED


def fail_at(fork_server: ForkServer, folder: Path, call: str, number: int, error: str) -> str:
    """A short journey of which one system call fails: it goes on, or ends and says why; then the rest of it.

    Returns what became of it: it "went on", it "ended", or the call was "not met".
    """
    ended = fork_server.journey(folder, *_about(folder, call), "-e", f"inject={call}:error={error}:when={number}")
    assert ended.status == 0 or (ended.status == REFUSED and ended.said.startswith("the ledger ")), ended
    assert "restore a copy" not in ended.said, "one bad moment of a disk is no damage"
    inspect(folder, arrived=ended.status == 0)
    met = "INJECTED" in (folder / "trace").read_text()
    _travel_on(fork_server, folder)
    return ("went on" if met else "not met") if ended.status == 0 else "ended"


def _about(folder: Path, *calls: str) -> tuple[str, ...]:
    """strace's options for calls about the ledger's files."""
    files = [f"--trace-path={folder}/ledger.db{part}" for part in ("", "-wal", "-shm", "-journal")]
    return (*files, "-e", f"trace={','.join(calls)}")


def _travel_on(fork_server: ForkServer, folder: Path) -> None:
    ended = fork_server.journey(folder)
    assert ended.status == 0, ended.said
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
