"""What each part of the soak is given, and what it says of itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Figures = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line. `minutes` bounds each part that has no end of its own."""

    years: float
    seed: int
    minutes: float


@dataclass(slots=True)
class Part:
    """What one part came to."""

    name: str
    seed: int
    seconds: float = 0.0
    figures: Figures = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        told = ", ".join(f"{value} {name}" for name, value in self.figures.items() if not isinstance(value, dict))
        verdict = f"{len(self.violations)} VIOLATIONS" if self.violations else "ok"
        return f"{self.name:<12} {verdict:<14} {self.seconds:7.0f} s  {told}"


Work = Callable[[Wishes, Path, Part], None]  # in a folder of its own


class Until:
    """A bound on time: true as long as there is some left."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    def __bool__(self) -> bool:
        return time.monotonic() < self._end


def say(line: str) -> None:
    """A line for whoever looks on."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
