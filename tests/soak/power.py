"""Power cuts of a disk that callbacks are acknowledged on."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults import powercut

from .part import Part, Until, Wishes

CUTS = 500


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Whatever was acknowledged before a cut is there after it."""
    if not powercut.possible():
        part.figures["skipped"] = "it needs root, mkfs.ext4 and mount"
        return
    rng, time_left = random.Random(wishes.seed), Until(wishes.minutes)
    acknowledged: list[int] = []
    while time_left and len(acknowledged) < CUTS:
        acknowledged.append(powercut.cut(folder / str(len(acknowledged)), rng))
    part.figures |= {"power cuts": len(acknowledged), "acknowledged": sum(acknowledged), "lost": 0}
