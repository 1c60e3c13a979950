"""Histories from the command line.

    python -m tests.simulation --seed 17 --days 30 -v        one, with every line of its trace
    python -m tests.simulation --seed 1 --seeds 200          many
    python -m tests.simulation --planted all                 which seed finds each planted bug
    python -m tests.simulation --soak --years 100 --seed 1 --report FILE

Exit code 1 when a promise was broken, or a planted bug was not found.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from . import soak
from .planted import PLANTED
from .run import Told, finding, history, replay, say


def main() -> int:
    """Do what was asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many, from --seed on")
    parser.add_argument("--days", type=float, help="days with faults in each history (30; in a soak 60)")
    parser.add_argument("-v", "--verbose", action="store_true", help="every line of the trace")
    parser.add_argument("--planted", metavar="NAME", help="find a planted bug, or `all` of them")
    parser.add_argument("--within", type=int, default=200, help="so many seeds to find it in")
    parser.add_argument("--soak", action="store_true", help="two processes, until --years have passed")
    parser.add_argument("--years", type=float, default=1.0)
    parser.add_argument("--report", type=Path, help="where the soak's report goes")
    asked = parser.parse_args()
    if asked.soak:
        return soak.run(asked.seed, asked.years, asked.days or soak.DAYS, asked.report)
    days = asked.days or 30.0
    if asked.planted:
        return hunt(list(PLANTED) if asked.planted == "all" else [asked.planted], asked.seed, asked.within, days)
    broken = 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        told = history(seed, days, verbose=asked.verbose)
        show(told, days)
        broken += bool(told.violations)
    return int(broken > 0)


def show(told: Told, days: float) -> None:
    """One line; where a promise was broken, what led to it and how to see it again."""
    if told.violations:
        sys.stderr.write("\n".join((*told.tail, *told.violations[:5])) + "\n")
        if told.cause is not None:
            traceback.print_exception(told.cause)
        sys.stderr.write(replay(told.seed, days) + "\n")
    most = ", ".join(f"{n} {what}" for what, n in told.happened.most_common(7))
    verdict = "BROKEN" if told.violations else "kept"
    say(f"seed {told.seed} {verdict} {told.digest[:12]} {told.days:.0f} days in {told.seconds:.2f} s: {most}")


def hunt(names: list[str], first: int, within: int, days: float) -> int:
    """Find planted bugs; 1 when one of them is not found."""
    missed = 0
    for name in names:
        told = finding(name, range(first, first + within), days)
        missed += told is None
        say(f"{name}: " + ("not found" if told is None else f"seed {told.seed}: {told.violations[0]}"))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
