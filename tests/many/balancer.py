"""deploy/many/haproxy.cfg in front of two receivers on this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.rig import environment

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "many" / "haproxy.cfg"


@contextmanager
def balancer(listen: int, receivers: tuple[int, int], log: Path) -> Iterator[None]:
    """Takes callbacks at a port, and gives them to those at two others, while the block lasts."""
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy is not installed: apt install haproxy")
    told = {"BIND": f"127.0.0.1:{listen}"}
    told |= {f"RECEIVER_{name}": f"127.0.0.1:{port}" for name, port in zip("AB", receivers, strict=True)}
    command = ["setpriv", "--pdeathsig", "KILL", "haproxy", "-db", "-f", str(CONFIGURATION)]
    with log.open("wb") as out, subprocess.Popen(command, env={**environment(), **told}, stdout=out, stderr=out) as one:
        try:
            yield
        finally:
            one.kill()
