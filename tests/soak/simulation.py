"""Years of made-up history, by the simulation itself, and every planted bug once more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .part import Part, Wishes


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Two processes, until so many years have passed."""
    report = folder / "simulation.json"
    command = [sys.executable, "-m", "tests.simulation", "--soak", f"--years={wishes.years}", f"--seed={wishes.seed}"]
    done = subprocess.run([*command, f"--report={report}"], capture_output=True, text=True, check=False)
    if report.exists():
        part.figures |= json.loads(report.read_text("utf-8"))
    if done.returncode:
        part.violations.append((done.stdout + done.stderr)[-3000:])
