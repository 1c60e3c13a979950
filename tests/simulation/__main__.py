"""`python -m tests.simulation --seed 17 --days 30 -v`: one history, or many of them."""

from __future__ import annotations

import argparse
import sys
import traceback

from .run import history


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many, from --seed on")
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("-v", "--verbose", action="store_true", help="every line of the trace")
    asked = parser.parse_args()
    bad = 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        told = history(seed, asked.days, verbose=asked.verbose)
        if told.violations:
            bad += 1
            print("\n".join((*told.tail, *told.violations[:5])), file=sys.stderr)
            if told.cause is not None:
                traceback.print_exception(told.cause)
            print(f"seed {seed} failed; replay: python -m tests.simulation --seed {seed} --days {asked.days} -v",
                  file=sys.stderr)
        print(seed, told.digest[:12], f"{told.days:.0f} days", f"{told.seconds:.2f} s", dict(told.happened.most_common(6)))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
