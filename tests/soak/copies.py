"""Copies of the ledger: made under load, restored, and old ones that take the ledger's place."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from pathlib import Path

from tests.faults import drills
from tests.faults.process import site

from .part import Part, Until, Wishes

UNDER_LOAD, COPIES = 5, 6  # daemons, and copies of each
OLD = 200  # copies from any moment


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """A copy misses nothing from before it began; an old one buys nobody twice who was answered, or can be."""
    rng, time_left = random.Random(wishes.seed), Until(wishes.minutes)
    made, old = Counter[str](), Counter[str]()
    for number in range(UNDER_LOAD):
        with site(folder / f"load-{number}", 40) as here:
            made.update(asyncio.run(drills.copy_under_load(here, rng, COPIES)))
    for seed in range(wishes.seed, wishes.seed + OLD):
        if not time_left:
            break
        place = folder / f"old-{seed}"
        try:
            old.update({"drills": 1} | drills.old_copy(place, seed))
        except AssertionError as error:
            part.violations.append(f"drill {seed}: {error}")
        shutil.rmtree(place)
    part.figures |= {"copies under load": made["copies"], "acknowledged meanwhile": made["acknowledged"], "missing": 0}
    part.figures |= {f"old copies: {name}": number for name, number in old.items()}
