"""One history from its seed: set up, unfolded, judged, and told in figures."""

from __future__ import annotations

import gc
import io
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from syncd.contract.model import Grade

from .crm import PROPERTY
from .mixture import draw
from .planted import FOCUS, LOUD, PLANTED
from .timeline import DAY, on_timeline
from .world import World

MEMORY = Path("/dev/shm")  # a file there costs no disk
OVERHEARD = 20  # of so many histories, the log of one is written and read


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a history. `digest` is the fingerprint of its trace."""

    seed: int
    days: float  # simulated, those without faults included
    seconds: float  # of the processor
    digest: str
    happened: Counter[str]
    violations: tuple[str, ...]
    tail: tuple[str, ...]
    stands: Mapping[str, str]  # what stands in the CRMs at the end, by record and property
    theirs: Mapping[str, Collection[str]]  # by the same: every value that a provider has for that very person
    cause: BaseException | None = None


def history(
    seed: int,
    days: float,
    *,
    focus: Collection[str] = (),
    only: Collection[str] | None = None,
    overheard: bool = False,
    verbose: bool = False,
) -> Told:
    """Unfold and judge one history of so many days with faults, and as many without as it takes.

    `focus`: faults that are at their strongest; `only`: the only ones that there are.
    `overheard`: the log is written and read, as it is in one history of OVERHEARD anyway.
    """
    started = time.process_time()
    heard = io.StringIO() if overheard or seed % OVERHEARD == 0 else None
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder, _silence(), _no_surprises():
        world = World(seed, Path(folder) / "ledger.db", draw(focus, only), heard=heard, verbose=verbose)
        end = on_timeline(lambda: world.unfold(days))
    world.mixture.happened.update(lives=world.lives, bells=world.rings)
    return Told(
        seed=seed,
        days=end / DAY,
        seconds=time.process_time() - started,
        digest=world.digest.hexdigest(),
        happened=world.mixture.happened,
        violations=tuple(world.violations),
        tail=tuple(world.recent),
        stands={
            f"{n}/{r.id} {k}": v for n, crm in world.crms.items() for r in crm.alive() for k, v in r.values.items()
        },
        theirs={
            f"{n}/{r.id} {name}": r.person.good(fld, {Grade.VALID})
            for n, crm in world.crms.items()
            for r in crm.alive()
            for fld, name in PROPERTY.items()
        },
        cause=world.cause,
    )


def finding(bug: str, seeds: Iterable[int], days: float) -> Told | None:
    """The first history in which a planted bug is found, or None."""
    for seed in seeds:
        with PLANTED[bug]():
            told = history(seed, days, focus=FOCUS.get(bug, ()), overheard=bug in LOUD)
        if told.violations:
            return told
    return None


def replay(seed: int, days: float) -> str:
    """The command that unfolds a history once more, with every line of its trace."""
    return f"replay: python -m tests.simulation --seed {seed} --days {days:g} -v"


def say(line: str) -> None:
    """A line for whoever looks on."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _silence() -> Iterator[None]:
    """The daemon's log would be most of the work; where it is overheard, each life sets it up anew."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(level)


@contextmanager
def _no_surprises() -> Iterator[None]:
    """No object is finalised at a moment that depends on the machine, and what was there before stays out of it."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
