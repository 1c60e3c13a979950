"""`python -m benchmarks [NAME …]`: measure, print each figure beside its bar, and exit with 1 when one falls short."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import acks, bars, calls, hosts, idle, money, pages, people, plan, shapes, size
from .bars import Line, Value
from .processes import NotMeasured
from .shapes import Say

ROUNDS = 3
Benchmark = Callable[[int, Say], dict[str, Value]]  # how many rounds, and what tells the progress

BENCHMARKS: dict[str, Benchmark] = {
    **{name: partial(shapes.measure, name) for name in shapes.SHAPES},
    "calls": lambda _, say: calls.measure(say),
    "acks": acks.measure,
    "hosts": hosts.measure,
    "size": lambda _, say: size.measure(say),
    "pages": lambda _, say: pages.measure(say),
    "idle": idle.measure,
    "people": people.measure,
    "plan": lambda _, say: plan.measure(say),
    "money": lambda _, say: money.measure(say),
}


def main(argv: Sequence[str]) -> int:
    """0 when all bars are reached, 1 when one is not, or could not be measured, 2 for a wrong call."""
    told = _arguments().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    names = [name for name in BENCHMARKS if name in (told.names or BENCHMARKS)]
    began = time.monotonic()
    values, failed = _measure(names, told.rounds, began + 60 * told.minutes)
    lines = bars.lines(values, names)
    print(bars.table(lines))
    for name, why in failed.items():
        print(f"not measured: {name}: {why}")
    missed = [line.key for line in lines if not line.is_met]
    print(f"{'missed: ' + ', '.join(missed) if missed else 'all bars are reached'} ({time.monotonic() - began:.0f} s)")
    if told.json is not None:
        told.json.write_text(json.dumps(report(lines, failed, time.monotonic() - began), indent=1) + "\n", "utf-8")
    return bars.exit_code(lines)


def report(lines: Sequence[Line], failed: dict[str, str], seconds: float) -> dict[str, Any]:
    """All of it, for programs."""
    figures = [
        {
            "figure": line.key,
            "what": line.what,
            "value": None if line.value is None else line.value.value,
            "ours": None if line.value is None else line.value.ours,
            "other": None if line.value is None else line.value.other,
            "bar": None if line.bar is None else line.bar.limit,
            "at_least": None if line.bar is None else line.bar.least,
            "ok": line.is_met,
        }
        for line in lines
    ]
    return {"figures": figures, "not_measured": failed, "seconds": round(seconds), "cpus": os.cpu_count()}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each comparison; default {ROUNDS}")
    parser.add_argument("--minutes", type=float, default=15.0, help="after these, no benchmark is begun; default 15")
    return parser


def _measure(names: Sequence[str], rounds: int, end: float) -> tuple[dict[str, Value], dict[str, str]]:
    """The figures by `benchmark.figure`, and why a benchmark could not be measured."""
    values, failed = dict[str, Value](), dict[str, str]()
    for number, name in enumerate(names, 1):
        began = time.monotonic()
        if began > end:
            failed[name] = "the time was over"
            continue
        _say(f"[{number}/{len(names)}] {name}")
        try:
            found = BENCHMARKS[name](rounds, _say)
        except (NotMeasured, OSError) as problem:
            failed[name] = str(problem)
            _say(f"{name} could not be measured: {problem}")
            continue
        values |= {f"{name}.{key}": value for key, value in found.items()}
        _say(f"{name}: {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    return values, failed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
