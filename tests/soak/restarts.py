"""Terminations and kills of the daemon under load."""

from __future__ import annotations

from pathlib import Path

from tests.faults import test_restart
from tests.faults.process import site

from .part import Part, Wishes

RESTARTS = 100


def work(_: Wishes, folder: Path, part: Part) -> None:
    """TERM: no callback fails. KILL: nothing acknowledged is lost."""
    for name, end in (("terminations", test_restart.terminate), ("kills", test_restart.kill)):
        (folder / name).mkdir()
        with site(folder / name, 40) as here:
            part.figures |= {name: RESTARTS, f"callbacks over {name}": end(here, RESTARTS)}
