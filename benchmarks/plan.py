"""`syncd plan` on 200,000 contacts of whom nothing is known: its CPU, its highest memory, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .bars import Value
from .processes import NotMeasured, Vendors, configuration, free_port, written
from .shapes import Say

CONTACTS = 200_000
WITHIN = 600.0  # seconds
_ROOT = Path(__file__).parents[1]


def measure(say: Say, contacts: int = CONTACTS) -> dict[str, Value]:
    """The figures of one plan: all of its contacts have to be in it, with both fields."""
    with Vendors(contacts) as vendors, tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        path = written(Path(folder), configuration(vendors, each=False), free_port(), free_port())
        began = time.monotonic()
        with Path(folder, "plan.json").open("wb") as answer:
            command = [sys.executable, "-m", "syncd", "plan", "--json", "-c", str(path)]
            process = subprocess.Popen(command, cwd=_ROOT, stdout=answer, env={**os.environ, "TMPDIR": folder})
            cpu, memory = _ended(process)
        asked = json.loads(Path(folder, "plan.json").read_bytes())["asked"]
        say(f"plan: {contacts:,} contacts in {time.monotonic() - began:.0f} s")
    if asked != 2 * contacts:
        raise NotMeasured(f"it would ask for {asked:,} fields of {contacts:,} contacts")
    return {"cpu": Value(cpu), "memory": Value(memory)}


def _ended(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Seconds of CPU, and MB of memory at the highest, once it has ended by itself."""
    end = time.monotonic() + WITHIN
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() > end:
            process.kill()
            process.wait()
            raise NotMeasured(f"it did not end within {WITHIN:g} s")
        time.sleep(0.1)
    if process.returncode:
        raise NotMeasured(f"it ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
