"""The long form: simulated years on two processes, and a report of what happened in them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from .run import Told, history, say

PROCESSES = 2
YEAR = 365.25


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


def run(first: int, years: float, days: float, report: Path | None) -> int:
    """Histories from seed `first` on until so many years have passed; 1 when a promise was broken."""
    total, started = Sum(), time.monotonic()
    for told in _histories(first, years, days):
        total.add(told)
        if told.violations:
            say(f"seed {told.seed}: {told.violations[0]}")
    text = _report(total, first, days, time.monotonic() - started)
    if report is not None:
        report.write_text(text, "utf-8")
    say(text)
    return int(bool(total.broken))


def _histories(first: int, years: float, days: float) -> Iterator[Told]:
    """In the order in which they end; no more are begun once enough days have passed."""
    seeds, passed = itertools.count(first), 0.0
    with ProcessPoolExecutor(PROCESSES) as pool:
        running: set[Future[Told]] = {pool.submit(history, next(seeds), days) for _ in range(2 * PROCESSES)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                told = one.result()
                passed += told.days
                yield told
                if passed + len(running) * days < years * YEAR:
                    running.add(pool.submit(history, next(seeds), days))


def _report(total: Sum, first: int, days: float, elapsed: float) -> str:
    lines = [
        "# Simulation",
        "",
        f"{total.histories} histories (seeds {first} to {total.last}, {days:g} stormy days each):",
        f"{total.days / YEAR:.1f} simulated years in {elapsed:.0f} s on {PROCESSES} processes,",
        f"{total.days / max(total.seconds, 0.001):.0f} days per second of one processor.",
        "",
        f"Promises broken: {len(total.broken)}.",
        "",
        *(f"- seed {told.seed}: {told.violations[0]}" for told in total.broken),
        "",
        "| what happened | times |",
        "|---|---:|",
        *(f"| {what.replace('_', ' ')} | {n} |" for what, n in total.happened.most_common()),
        "",
    ]
    return "\n".join(lines)
