"""Power cuts of a disk that callbacks are acknowledged on."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

from tests.faults import powercut

from .part import Part, Until, Wishes

CUTS = {"ext4": 500, "xfs": 200}


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Whatever was acknowledged before a cut is there after it."""
    rng, time_left = random.Random(wishes.seed), Until(wishes.minutes)
    kinds = [kind for kind in CUTS if powercut.possible(kind, folder / kind)]
    for kind in (kind for kind in CUTS if kind not in kinds):
        part.figures[f"power cuts on {kind}"] = f"skipped: it needs root, mkfs.{kind}, mount and a loop device"
    todo = [kind for kind in kinds for _ in range(CUTS[kind])]
    rng.shuffle(todo)
    cuts, acknowledged = Counter[str](), Counter[str]()
    for kind in todo:
        if not time_left:
            break
        acknowledged[kind] += powercut.cut(folder / "cut", rng, kind)
        cuts[kind] += 1
        shutil.rmtree(folder / "cut")
    for kind in kinds:
        part.figures |= {f"power cuts on {kind}": cuts[kind], f"acknowledged on {kind}": acknowledged[kind]}
        part.figures[f"lost on {kind}"] = 0
