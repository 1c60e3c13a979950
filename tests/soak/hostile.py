"""Forged callbacks and mutated answers, of each vendor."""

from __future__ import annotations

from pathlib import Path

from tests.faults import test_hostile
from tests.faults.client import VENDORS

from .part import Part, Wishes

FORGERIES, POSTED, MUTATIONS = 500_000, 10_000, 10_000  # of each vendor


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Nothing of it is taken, and nothing of it is answered with a 5xx."""
    for vendor in VENDORS:
        test_hostile.forge(folder / f"{vendor}-1", vendor, seed=wishes.seed, number=FORGERIES, over_sockets=POSTED)
        test_hostile.mutate(folder / f"{vendor}-2", vendor, seed=wishes.seed, number=MUTATIONS)
    each = len(VENDORS)
    part.figures |= {"forgeries": each * FORGERIES, "of them posted": each * POSTED, "mutations": each * MUTATIONS}
