"""A kill at every passing of every label of the far journey, and then once more with a kill of the next process."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults import killing
from tests.faults.fork_server import ForkServer, memory

from .blows import strike_all
from .part import Part, Wishes

MOST = 50  # passings of one label

Blow = tuple[str, int]


def work(wishes: Wishes, _: Path, part: Part) -> None:
    """All that was promised holds after each kill, and in the end."""
    with ForkServer() as fork_server, tempfile.TemporaryDirectory(dir=memory()) as folder:
        passed = killing.passings(fork_server, Path(folder) / "undisturbed")
    rng = random.Random(wishes.seed)
    once = _in_turn(passed, rng)
    twice = [(blow, rng.choice(once)) for blow in once]

    def strike(fork_server: ForkServer, place: Path, blows: tuple[Blow, ...]) -> str:
        struck = killing.kill_at_label(fork_server, place, *blows)
        return ("not met", "single kills", "double kills")[struck]

    part.figures["labels"] = len(passed)
    strike_all([*((blow,) for blow in once), *twice], strike, wishes, part)


def _in_turn(passed: Counter[str], rng: random.Random) -> list[Blow]:
    """Each label once, at any passing, then each once more at another one, as long as there are some."""
    numbers = {label: rng.sample(range(1, most + 1), min(most, MOST)) for label, most in sorted(passed.items())}
    rounds = [[(label, some[n]) for label, some in numbers.items() if n < len(some)] for n in range(MOST)]
    return [blow for one in rounds for blow in rng.sample(one, len(one))]
