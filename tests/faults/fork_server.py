"""A process that has imported everything once and forks a child for each journey: a start costs next to nothing.

    python -m tests.faults.fork_server    one wish per line (JSON), one answer per line: how the child ended

In here: both ends of that, and strace, which is attached to a child before it begins.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import structlog

from syncd.ledger.file import LedgerError

from . import far_journey, journey
from .labels import Labels

ROOT = Path(__file__).parents[2]
STRACE = shutil.which("strace")
REFUSED = 74  # the exit status of a process that can't go on with its ledger, as syncd's own
PATIENCE = 60.0  # seconds
_SET_PTRACER, _ANYBODY = 0x59616D61, ctypes.c_ulong(-1)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit status, negative for a signal; and what it said."""

    status: int
    said: str


class ForkServer:
    """The asking end. A context manager."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.faults.fork_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)  # its standard input ends, and so does it

    def far_journey(self, folder: Path, kill: tuple[str, int] | None = None, *, puts_off: Sequence[str] = ()) -> Ended:
        """One process of a far journey; the first one prepares it."""
        return self._ask(journey="far", folder=str(folder), kill=kill, puts_off=list(puts_off))

    @staticmethod
    def passed(folder: Path) -> Counter[str]:
        """Which labels the last process of a far journey passed, and how often, if it came to its end."""
        return Counter(json.loads((folder / "labels.json").read_text()))

    def journey(self, folder: Path, *strace: str) -> Ended:
        """One process of a short journey; `strace`: its options, when it is to step in."""
        return self._ask(journey="short", folder=str(folder), strace=list(strace))

    def _ask(self, **wish: Any) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the fork server is gone"
        said = Path(wish["folder"]) / "said"
        return Ended(json.loads(line), said.read_text() if said.exists() else "")


def memory() -> str | None:
    """A folder in memory, where there is one: a process that is killed loses nothing there either."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


# --- the server's own end ------------------------------------------------------------------------


def main() -> None:
    """Until standard input ends."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(dir=memory()) as folder:  # whatever is imported late is imported now
        for name in ("short", "far"):
            _run_journey({"journey": name, "kill": None, "puts_off": []}, Path(folder) / name)
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(json.loads(line))}\n")
        sys.stdout.flush()


def _fork(wish: dict[str, Any]) -> int:
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(wish, ready[1], go[0])
    tracer = None
    if wish.get("strace"):
        os.read(ready[0], 1)
        tracer = _attach_strace(child, Path(wish["folder"]), wish["strace"])
    os.write(go[1], b"!")
    for end in (*ready, *go):
        os.close(end)
    _, status = os.waitpid(child, 0)
    if tracer is not None:
        tracer.wait(PATIENCE)
    return os.waitstatus_to_exitcode(status)


def _be_the_child(wish: dict[str, Any], ready: int, go: int) -> None:
    """The child: never returns."""
    status = 1
    try:
        folder = Path(wish["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        ctypes.CDLL(None).prctl(_SET_PTRACER, _ANYBODY, 0, 0, 0)  # where only a parent may trace
        os.write(ready, b"!")
        os.read(go, 1)
        status = _run_journey(wish, folder)
    except BaseException:  # noqa: BLE001 - the status and what it said are looked at
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _run_journey(wish: dict[str, Any], folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if wish["journey"] == "short":
            journey.main(folder)
        else:
            if not (folder / "world.log").exists():
                far_journey.prepare(folder)
            kill = wish["kill"]
            far_journey.travel(folder, Labels(None if kill is None else tuple(kill)), frozenset(wish["puts_off"]))
    except LedgerError as error:
        os.write(2, f"{error}\n".encode())
        return REFUSED
    return 0


def _attach_strace(child: int, folder: Path, options: Sequence[str]) -> subprocess.Popen[bytes]:
    """strace, once it has the child."""
    assert STRACE is not None
    command = [STRACE, "-f", "-qq", "-o", str(folder / "trace"), "-p", str(child), *options]
    with (folder / "strace").open("wb") as said:
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said)
    end = time.monotonic() + PATIENCE
    while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"strace is not attached to the child: {(folder / 'strace').read_text()}")
        time.sleep(0.001)
    return tracer


if __name__ == "__main__":
    main()
