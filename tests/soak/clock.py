"""Jumps of the clock at random moments: back, forward, frozen, set by seconds, by days and by weeks."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from tests.faults.clocks import walk

from .part import Part, Until, Wishes

JUMPS, EACH = 200, 10  # at least so many, in walks of so many


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """No purchase, no expiry and no purge in hold mode; once the clock is right, everybody has their value."""
    time_left, seed = Until(wishes.minutes / 4), wishes.seed
    jumps, met = Counter[str](), Counter[str]()
    held = people = 0
    while jumps.total() < JUMPS or time_left:
        place = folder / str(seed)
        try:
            walked = walk(place, seed, EACH)
        except AssertionError as error:
            part.violations.append(f"walk {seed}: {error}")
            return
        jumps, met = jumps + walked.jumps, met + walked.met
        held, people, seed = held + walked.held, people + walked.people, seed + 1
        shutil.rmtree(place)
    part.figures |= {"jumps": jumps.total(), "looks in hold mode": held, "people": people}
    part.figures |= {"kinds of jump": dict(jumps), "states of jobs at a jump": dict(met)}
