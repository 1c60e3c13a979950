"""Many blows, by two workers, as long as there is time: what the parts `labels`, `kills` and `errors` share."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.faults import killing
from tests.faults.fork_server import STRACE, ForkServer, memory

from .part import Part, Until, Wishes

P = TypeVar("P")
WORKERS = 2


def strike_all(
    places: Sequence[P], strike: Callable[[ForkServer, Path, P], str], wishes: Wishes, part: Part
) -> Counter[str]:
    """Strike at all places; returns how many came to what `strike` says of each. What the bound on time left
    out is among the figures."""
    time_left = Until(wishes.minutes)
    todo = iter(list(enumerate(places)))

    def work(_: int) -> Iterator[str]:
        with ForkServer() as fork_server, tempfile.TemporaryDirectory(dir=memory()) as folder:
            for number, place in todo:
                if not time_left:
                    yield "left out as the time was over"
                    continue
                try:
                    yield strike(fork_server, Path(folder) / str(number), place)
                except AssertionError as error:
                    part.violations.append(f"{place}: {error}")
                    yield "violations"
                shutil.rmtree(Path(folder) / str(number), ignore_errors=True)

    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = Counter(
            outcome for worker in pool.map(lambda n: list(work(n)), range(WORKERS)) for outcome in worker
        )
    part.figures |= {"places there are": len(places)} | dict(sorted(outcomes.items()))
    return outcomes


def system_calls(wishes: Wishes, part: Part) -> list[tuple[str, int]]:
    """Every system call of a short journey, shuffled; none where strace is missing, which the report then says."""
    if STRACE is None:
        part.figures["skipped"] = "strace is not installed"
        return []
    with ForkServer() as fork_server, tempfile.TemporaryDirectory(dir=memory()) as folder:
        found = killing.points(fork_server, Path(folder) / "whole")
    places = [(call, number) for call, most in sorted(found.items()) for number in range(1, most + 1)]
    random.Random(wishes.seed).shuffle(places)
    return places
