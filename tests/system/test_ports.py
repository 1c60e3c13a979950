"""The rig's own ports: no two processes of these tests are given the same one, of this checkout or another."""

import subprocess
import sys

from .rig import environment, free_port

HELD = "import sys\nfrom tests.system.rig import free_port\nprint(free_port(), flush=True)\nsys.stdin.read()"


def test_processes_beside_each_other_have_ports_of_their_own() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        ours = [free_port() for _ in range(300)]  # more than a range has
        other.communicate()
    assert all(one // 250 != theirs // 250 for one in ours)
    assert len({*ours}) == 300
