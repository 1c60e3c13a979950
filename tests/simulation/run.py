"""One history from its seed: set up, unfolded, judged, and told in figures."""

from __future__ import annotations

import gc
import logging
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import structlog

from .timeline import DAY, on_timeline
from .world import World


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a history. `digest` is the fingerprint of its trace."""

    seed: int
    days: float  # simulated, calm ones included
    seconds: float  # of the processor
    digest: str
    happened: Counter[str]
    violations: tuple[str, ...]
    tail: tuple[str, ...]
    cause: BaseException | None = None


def history(seed: int, days: float, *, verbose: bool = False) -> Told:
    """Unfold and judge one history."""
    started = time.process_time()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    worlds: list[World] = []
    ends: list[float] = []
    shm = Path("/dev/shm")

    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:

        async def main() -> None:
            world = World(seed, Path(folder) / "ledger.db", verbose=verbose)
            worlds.append(world)
            await world.unfold(days)
            ends.append(world.now)

        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            on_timeline(main)
        finally:
            gc.enable()
            gc.unfreeze()
    world = worlds[0]
    world.weather.happened["lives"] = world.lives
    return Told(
        seed=seed,
        days=ends[0] / DAY,
        seconds=time.process_time() - started,
        digest=world.digest.hexdigest(),
        happened=world.weather.happened,
        violations=tuple(world.violations),
        tail=tuple(world.recent),
        cause=world.cause,
    )
