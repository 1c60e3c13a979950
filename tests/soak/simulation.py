"""Years of made-up history, by the simulation itself, and the search for every planted bug."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.simulation.planted import PLANTED

from .part import Part, Wishes


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """No promise is broken in so many years, and whoever breaks one is found."""
    report = folder / "simulation.json"
    failed = _simulation("--soak", f"--years={wishes.years}", f"--seed={wishes.seed}", f"--report={report}")
    part.figures |= json.loads(report.read_text("utf-8"))
    broken = part.figures["broken"]
    assert isinstance(broken, dict)
    part.violations += [f"seed {seed}: {'; '.join(told)}" for seed, told in broken.items()]
    assert bool(failed) == bool(broken)
    if _simulation("--planted", "all", f"--seed={wishes.seed}", "--days=8"):
        part.violations.append("a planted bug was not found")
    part.figures["planted bugs searched for"] = len(PLANTED)


def _simulation(*options: str) -> int:
    return subprocess.run([sys.executable, "-m", "tests.simulation", *options], check=False).returncode
