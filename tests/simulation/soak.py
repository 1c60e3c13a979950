"""The long form: simulated years on two processes, and a report of what happened in them."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .run import Told, history, replay, say

PROCESSES = 2
YEAR = 365.25
DAYS = 60.0  # with faults, in each history
EVERY = 120.0  # seconds between two lines about how far it is


@dataclass(slots=True)
class Sum:
    """What all histories come to."""

    histories: int = 0
    days: float = 0.0
    seconds: float = 0.0  # of the processors
    happened: Counter[str] = field(default_factory=Counter)
    broken: list[Told] = field(default_factory=list)
    last: int = 0

    def add(self, told: Told) -> None:
        self.histories += 1
        self.days += told.days
        self.seconds += told.seconds
        self.happened += told.happened
        self.last = max(self.last, told.seed)
        if told.violations:
            self.broken.append(told)

    def line(self) -> str:
        """One line for people."""
        speed = self.days / max(self.seconds, 0.001)
        return (
            f"{self.days / YEAR:.1f} simulated years in {self.histories} histories with {self.happened['crashes']} "
            f"crashes, {speed:.0f} days per second of one processor, {len(self.broken)} broken"
        )


def run(first: int, years: float, days: float, report: Path | None) -> int:
    """Histories from seed `first` on until so many years have passed; 1 when a promise was broken."""
    total, started, told_at = Sum(), time.monotonic(), time.monotonic()
    for told in _histories(first, years, days):
        total.add(told)
        if told.violations:
            say(f"seed {told.seed}: {told.violations[0]}\n  {replay(told.seed, days)}")
        if time.monotonic() - told_at > EVERY:
            told_at = time.monotonic()
            say(total.line())
    say(total.line())
    if report is not None:
        figures = _figures(total, first, days, time.monotonic() - started)
        report.write_text(json.dumps(figures, indent=2), "utf-8")
    return int(bool(total.broken))


def _histories(first: int, years: float, days: float) -> Iterator[Told]:
    """In the order in which they end; no more are begun once enough days have passed."""
    seeds, passed = itertools.count(first), 0.0
    with ProcessPoolExecutor(PROCESSES) as pool:
        running: set[Future[Told]] = {pool.submit(_one, next(seeds), days) for _ in range(2 * PROCESSES)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                told = one.result()
                passed += told.days
                yield told
                if passed + len(running) * days < years * YEAR:
                    running.add(pool.submit(_one, next(seeds), days))


def _one(seed: int, days: float) -> Told:
    return replace(history(seed, days), cause=None)  # not every exception travels between processes


def _figures(total: Sum, first: int, days: float, elapsed: float) -> dict[str, Any]:
    return {
        "simulated years": round(total.days / YEAR, 2),
        "histories": total.histories,
        "first seed": first,
        "last seed": total.last,
        "days with faults each": days,
        "seconds": round(elapsed),
        "days per second of one processor": round(total.days / max(total.seconds, 0.001), 1),
        "crashes": total.happened["crashes"],
        "broken": {str(told.seed): [*told.violations, replay(told.seed, days)] for told in total.broken},
        "what happened": dict(total.happened.most_common()),
    }
