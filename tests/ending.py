"""What is to be tidied up when this process ends, however it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

REMOVE = 'for _ in $(seq 100); do rm -rf "$0" && exit; sleep 0.1; done'
"""A folder, in which somebody who is just ending may still write."""


def at_our_end(script: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """A shell that runs this script (with `$0`, `$1` …) as soon as its standard input ends: at the latest, when this
    process does, be it killed. To end it earlier: `communicate()`."""
    waiting = f"exec 2> /dev/null; cat > /dev/null; {script}"
    return subprocess.Popen(["sh", "-c", waiting, *arguments], stdin=subprocess.PIPE, start_new_session=True)
