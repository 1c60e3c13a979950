"""How much a share of finds can be believed, and how long answers take."""

from __future__ import annotations

import math
from collections.abc import Mapping

CONFIDENCE = 1.959963984540054  # standard deviations within which 95 of 100 samples lie


def wilson(hits: int, trials: int) -> tuple[float, float] | None:
    """The interval that holds the true share in 95 of 100 cases (Wilson's score interval); None without a trial."""
    if not trials:
        return None
    share, square = hits / trials, CONFIDENCE**2 / trials
    middle = (share + square / 2) / (1 + square)
    half = CONFIDENCE / (1 + square) * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def percentile(quarters: Mapping[int, int], part: float) -> float | None:
    """Seconds within which this part of all answers came, to a tenth of it; None without an answer. `quarters`: how
    many took about 2 to the power of a quarter of the key."""
    wanted = part * sum(quarters.values())
    so_far = 0
    for quarter in sorted(quarters):
        so_far += quarters[quarter]
        if so_far >= wanted:
            return float(2.0 ** (quarter / 4))
    return None
