"""A kill at every write-type system call of a journey, in random order, as long as there is time."""

from __future__ import annotations

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import killing

from .part import Part, Until, Wishes


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Nothing acknowledged is lost, nobody is asked about twice, and the next process arrives."""
    if killing.STRACE is None:
        part.figures["skipped"] = "strace is not installed"
        return
    (folder / "whole").mkdir()
    found = killing.points(folder / "whole")
    todo = [(call, n) for call, most in sorted(found.items()) for n in range(1, most + 1)]
    random.Random(wishes.seed).shuffle(todo)
    time_left = Until(wishes.minutes)

    def one(point: tuple[str, int]) -> str | None:
        if not time_left:
            return None
        place = folder / f"{point[0]}-{point[1]}"
        try:
            killing.kill_at(place, *point)
        except AssertionError as error:
            return f"{point[0]} {point[1]}: {error}"
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return ""

    with ThreadPoolExecutor(2) as pool:
        outcomes = [outcome for outcome in pool.map(one, todo) if outcome is not None]
    part.figures |= {"kills": len(outcomes), "places there are": len(todo)}
    part.violations += filter(None, outcomes)
