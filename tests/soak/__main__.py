"""The long forms of the reliability tests, one after the other, with one report.

    python -m tests.soak [--years 2] [--seed 1] [--minutes 8] [--report .cache/soak.json] [PART ...]

Prints as it goes, writes the report as JSON with the same text beside it (.txt), and exits with 1 if
anything that must hold did not. `--minutes` bounds each part that could go on for ever.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path

import structlog

from syncd import __version__

from . import clock, copies, disk, errors, hostile, kills, labels, load, machine, power, restarts, simulation, slow
from .part import Part, Wishes, Work, say

PARTS: dict[str, Work] = {
    "simulation": simulation.work,
    "hostile": hostile.work,
    "restarts": restarts.work,
    "labels": labels.work,
    "kills": kills.work,
    "errors": errors.work,
    "power": power.work,
    "disk": disk.work,
    "clock": clock.work,
    "copies": copies.work,
    "load": load.work,
    "slow": slow.work,
    "machine": machine.work,
}


def main() -> int:
    """Everything, or the parts that were named; returns the exit status."""
    asked = _asked()
    wishes = Wishes(asked.years, asked.seed, asked.minutes)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    parts: list[Part] = []
    for name in asked.parts or PARTS:
        parts.append(_carry_out(name, wishes))
        _write(asked.report, wishes, parts)
    violations = sum(len(part.violations) for part in parts)
    say(f"{violations} violations; the report is in {asked.report}")
    return int(bool(violations))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--years", type=float, default=2.0, help="how long to simulate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=8.0, help="for each part that has no end of its own")
    parser.add_argument("--report", type=Path, default=Path(".cache/soak.json"))
    return parser.parse_args()


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"{name}: the parts are {', '.join(PARTS)}")
    return name


def _carry_out(name: str, wishes: Wishes) -> Part:
    part, started = Part(name, wishes.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="syncd-soak-") as folder:
        try:
            PARTS[name](wishes, Path(folder), part)
        except Exception:  # noqa: BLE001 - whatever went wrong is what is to be reported
            part.violations.append(traceback.format_exc(limit=-3))
    part.seconds = round(time.monotonic() - started, 1)
    say(part.line())
    return part


def _write(path: Path, wishes: Wishes, parts: list[Part]) -> None:
    """The report so far: what has ended is not lost with what has not."""
    violations = [f"{part.name}: {one}" for part in parts for one in part.violations]
    text = "\n".join([f"syncd {__version__}, seed {wishes.seed}", *(part.line() for part in parts), *violations, ""])
    report = {
        "syncd": __version__,
        "seed": wishes.seed,
        "ok": not violations,
        "parts": [asdict(part) for part in parts],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2), "utf-8")
    path.with_suffix(".txt").write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
