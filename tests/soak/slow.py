"""Two thousand slow clients at once, while honest callbacks come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.faults.attackers import attack
from tests.faults.gauges import watching
from tests.faults.pour import pour
from tests.faults.process import PATIENCE, Site, site

from .part import Part, Wishes

ATTACKERS, PER_SECOND = 2_000, 100.0
DEADLINE, SLACK = (
    10.0,
    5.0,
)  # seconds from being accepted, for which all wait alike: the daemon's, and what may be added
EACH = 32.0 / 1024  # MiB of memory that one attacker may take
MEMORY = ATTACKERS * EACH + 16.0
SECONDS = 600.0


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """No honest callback fails, memory is bounded, and every attacker is let go within the deadlines."""
    with site(folder, 2_000) as here:
        _under_attack(here, min(60 * wishes.minutes, SECONDS), part)


def _under_attack(here: Site, seconds: float, part: Part) -> None:
    daemon = here.start()
    here.serving()
    attackers: dict[str, Any] = {}
    calm = pour(here.client.port, here.urls[1:], PER_SECOND, 20.0)
    with watching(daemon.pid, here.ledger) as gauge:
        with attack(here.client.port, here.urls[0], ATTACKERS, attackers):
            honest = pour(here.client.port, here.urls[1:], PER_SECOND, seconds, first=calm["sent"])
        grown, fds = gauge.grown, max(one.fds for one in gauge.samples)
        left = gauge.samples[-1].fds
    daemon.terminate()
    longest = max(one[1] for one in attackers["lasted (p50, longest)"].values())
    part.figures |= {"seconds an attacker stayed": longest, "ms longest": honest["longest"]}
    part.figures |= {"attackers at once": ATTACKERS, "honest callbacks": honest["sent"], "ms p99": honest["p99"]}
    part.figures |= {"ms p99 in calm": calm["p99"], "MiB more": round(grown, 1), "descriptors at most": fds}
    part.figures |= {"attacked by": attackers, "calm": calm, "honest": honest}
    wrong = {
        "honest callbacks failed": bool(honest["failed"] or calm["failed"]),
        "memory is not bounded": grown > MEMORY,
        "an attacker stayed": longest > DEADLINE + SLACK + honest["longest"] / 1000,
        "descriptors are kept": left > fds / 4,
        "it did not end well": daemon.wait(PATIENCE) != 0,
    }
    part.violations += [what for what, is_so in wrong.items() if is_so]
