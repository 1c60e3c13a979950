"""The long forms of the reliability tests, one after the other, with one report.

    python -m tests.soak [--years 2] [--seed 1] [--minutes 8] [--report .cache/soak.json]

Prints as it goes, writes the report as JSON with the same text beside it (.txt), and exits with 1 if
anything that must hold did not. `--minutes` bounds each part that could go on for ever.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from syncd import __version__
from tests.faults import killing, powercut, test_hostile, test_restart
from tests.faults.door import VENDORS
from tests.faults.process import site

Figures = dict[str, object]
FORGERIES, POSTED, MUTATIONS = 220_000, 5_000, 10_000  # of each vendor
RESTARTS = 20
CUTS = 25


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line. `minutes` bounds each open-ended part."""

    years: float
    seed: int
    minutes: float
    report: Path


@dataclass(slots=True)
class Part:
    """What one part came to."""

    name: str
    seed: int
    seconds: float = 0.0
    figures: Figures = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        told = ", ".join(f"{value} {name}" for name, value in self.figures.items() if not isinstance(value, dict))
        verdict = f"{len(self.violations)} VIOLATIONS" if self.violations else "ok"
        return f"{self.name:<12} {verdict:<14} {self.seconds:7.0f} s  {told}"


def main() -> int:
    """Everything; returns the exit status."""
    wishes = _wishes()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parts = [_carry_out(name, work, wishes) for name, work in PARTS.items()]
    wishes.report.parent.mkdir(parents=True, exist_ok=True)
    violations = [f"{part.name}: {one}" for part in parts for one in part.violations]
    text = "\n".join([f"syncd {__version__}, seed {wishes.seed}", *(part.line() for part in parts), *violations, ""])
    report = {
        "syncd": __version__,
        "seed": wishes.seed,
        "ok": not violations,
        "parts": [asdict(part) for part in parts],
    }
    wishes.report.write_text(json.dumps(report, indent=2), "utf-8")
    wishes.report.with_suffix(".txt").write_text(text, "utf-8")
    _say(f"{len(violations)} violations; the report is in {wishes.report}")
    return int(bool(violations))


def _wishes() -> Wishes:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--years", type=float, default=2.0, help="how long to simulate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=8.0, help="for each part that has no end of its own")
    parser.add_argument("--report", type=Path, default=Path(".cache/soak.json"))
    return Wishes(**vars(parser.parse_args()))


def _carry_out(name: str, work: Callable[[Wishes, Path, Part], None], wishes: Wishes) -> Part:
    part, started = Part(name, wishes.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="syncd-soak-") as folder:
        try:
            work(wishes, Path(folder), part)
        except Exception:  # noqa: BLE001 - whatever went wrong is what is to be reported
            part.violations.append(traceback.format_exc(limit=-3))
    part.seconds = round(time.monotonic() - started, 1)
    _say(part.line())
    return part


def _simulation(wishes: Wishes, folder: Path, part: Part) -> None:
    """Years of made-up history, by the simulation itself."""
    report = folder / "simulation.json"
    command = [sys.executable, "-m", "tests.simulation", "--soak", f"--years={wishes.years}", f"--seed={wishes.seed}"]
    done = subprocess.run([*command, f"--report={report}"], capture_output=True, text=True, check=False)
    part.figures["years"] = wishes.years
    if report.exists():
        part.figures["report"] = json.loads(report.read_text("utf-8"))
    if done.returncode:
        part.violations.append((done.stdout + done.stderr)[-3000:])


def _hostile(wishes: Wishes, folder: Path, part: Part) -> None:
    """Forgeries and mutated answers, of each vendor."""
    for vendor in VENDORS:
        test_hostile.forge(folder / f"{vendor}-1", vendor, seed=wishes.seed, number=FORGERIES, over_sockets=POSTED)
        test_hostile.mutate(folder / f"{vendor}-2", vendor, seed=wishes.seed, number=MUTATIONS)
    each = len(VENDORS)
    part.figures |= {"forgeries": each * FORGERIES, "of them posted": each * POSTED, "mutations": each * MUTATIONS}


def _restarts(_: Wishes, folder: Path, part: Part) -> None:
    """Terminations and kills under load."""
    for name, end in (("terminations", test_restart.terminate), ("kills", test_restart.kill)):
        (folder / name).mkdir()
        with site(folder / name, 40) as here:
            part.figures |= {name: RESTARTS, f"callbacks over {name}": end(here, RESTARTS)}


def _kills(wishes: Wishes, folder: Path, part: Part) -> None:
    """A kill at every write-type system call of a journey, in random order, as long as there is time."""
    if killing.STRACE is None:
        part.figures["skipped"] = "strace is not installed"
        return
    (folder / "whole").mkdir()
    found = killing.points(folder / "whole")
    todo = [(call, n) for call, most in sorted(found.items()) for n in range(1, most + 1)]
    random.Random(wishes.seed).shuffle(todo)
    end = time.monotonic() + 60 * wishes.minutes

    def one(point: tuple[str, int]) -> str | None:
        if time.monotonic() > end:
            return None
        place = folder / f"{point[0]}-{point[1]}"
        try:
            killing.kill_at(place, *point)
        except AssertionError as error:
            return f"{point[0]} {point[1]}: {error}"
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return ""

    with ThreadPoolExecutor(2) as pool:
        outcomes = [outcome for outcome in pool.map(one, todo) if outcome is not None]
    part.figures |= {"kills": len(outcomes), "places there are": len(todo)}
    part.violations += filter(None, outcomes)


def _power(wishes: Wishes, folder: Path, part: Part) -> None:
    """Power cuts of a disk that callbacks are acknowledged on."""
    if not powercut.possible():
        part.figures["skipped"] = "it needs root, mkfs.ext4 and mount"
        return
    rng = random.Random(wishes.seed)
    acknowledged = [powercut.cut(folder / str(n), rng) for n in range(CUTS)]
    part.figures |= {"power cuts": CUTS, "acknowledged": sum(acknowledged), "lost": 0}


PARTS: dict[str, Callable[[Wishes, Path, Part], None]] = {
    "simulation": _simulation,
    "hostile": _hostile,
    "restarts": _restarts,
    "kills": _kills,
    "power": _power,
}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
