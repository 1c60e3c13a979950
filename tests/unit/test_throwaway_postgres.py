"""The tests' own PostgreSQL leaves nothing behind, however the process ends that has started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from tests.postgres import needed
from tests.system.rig import environment, until

STARTS = """
import sys, time
import psycopg
from tests.postgres import needed

connection = psycopg.connect(needed().url("postgres").text)  # which nobody closes
print("started", flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(("stays", "status"), [(0, 0), (600, -signal.SIGKILL)], ids=["ends", "is killed"])
def test_its_folder_goes_with_the_process_that_started_it(stays: int, status: int) -> None:
    needed()
    with tempfile.TemporaryDirectory(prefix="syncd-") as folder:  # a short path, for it holds a socket
        Path(folder).chmod(0o755)
        with subprocess.Popen(
            [sys.executable, "-c", STARTS, str(stays)], env=environment(TMPDIR=folder), stdout=subprocess.PIPE
        ) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == b"started\n"
            if status:
                assert list(Path(folder).iterdir())
                one.kill()
        assert one.returncode == status
        until("nothing is left", lambda: not list(Path(folder).iterdir()), within=30)
