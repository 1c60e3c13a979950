"""Terminations and kills of the daemon under load, and terminations behind nginx as we ship it."""

from __future__ import annotations

from pathlib import Path

from tests.faults import proxy, test_proxy, test_restart
from tests.faults.process import site

from .part import Part, Wishes

RESTARTS, BEHIND_NGINX = 100, 20


def work(_: Wishes, folder: Path, part: Part) -> None:
    """TERM: no callback fails. KILL: nothing acknowledged is lost."""
    for name, end in (("terminations", test_restart.terminate), ("kills", test_restart.kill)):
        (folder / name).mkdir()
        with site(folder / name, 400) as here:
            part.figures |= {name: RESTARTS, f"callbacks over {name}": end(here, RESTARTS)}
    if not proxy.possible():
        part.figures["terminations behind nginx"] = "skipped: nginx or openssl is not installed"
        return
    with site(folder / "nginx", 400) as here:
        part.figures["terminations behind nginx"] = BEHIND_NGINX
        part.figures["callbacks over them"] = test_proxy.behind(here, BEHIND_NGINX)
