"""Faults that are switched on by name: how often, and with which parameter.

What a fault does is written in the vendor module that takes it; here is only the switchboard.
Written forms: `name` (once), `name:3` (three times), `name:*` (until cleared), `name:5%` (each time
with that chance), each optionally followed by `:parameter`, as in `hubspot_slow:2:30`.
"""

from __future__ import annotations

import difflib
import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KNOWN: dict[str, str] = {}


class UnknownFault(ValueError):
    """There is no fault of that name; the message names the nearest."""


def register(faults: Mapping[str, str]) -> None:
    """Make a vendor's faults known: name to one line that says what happens and what the parameter is."""
    KNOWN.update(faults)


@dataclass(slots=True)
class Armed:
    """One fault that is on. `left` None: until cleared; `chance`: of each opportunity, 0 to 1."""

    left: int | None = 1
    chance: float = 1.0
    param: str = ""

    def __str__(self) -> str:
        often = f"{self.chance * 100:g}%" if self.chance < 1 else "*" if self.left is None else str(self.left)
        return f"{often}:{self.param}" if self.param else often


class Faults:
    """Which faults are on. Several of one name queue up; safe to use from several threads."""

    def __init__(self, specs: Iterable[str] = (), rng: random.Random | None = None) -> None:
        self._armed: dict[str, list[Armed]] = {}
        self._lock = threading.Lock()
        self._rng = rng or random.Random(0)  # noqa: S311 - chance, not secrecy
        self.taken: Counter[str] = Counter()
        for spec in specs:
            self.add(spec)

    def add(self, spec: str) -> None:
        """Switch on from the written form; raises UnknownFault, or ValueError for a bad count."""
        name, _, rest = spec.strip().partition(":")
        often, _, param = rest.partition(":")
        if often.endswith("%"):
            self.on(name, count=None, param=param, chance=float(often[:-1]) / 100)
        else:
            self.on(name, count=None if often == "*" else int(often or "1"), param=param)

    def on(self, name: str, count: int | None = 1, param: object = "", *, chance: float = 1.0) -> None:
        """Switch `name` on for `count` opportunities (None: until cleared)."""
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            raise UnknownFault(f"no fault is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if not 0 < chance <= 1 or (count is not None and count < 1):
            raise ValueError(f"{name}: a count is at least 1, a chance more than 0 and at most 100%")
        with self._lock:
            self._armed.setdefault(name, []).append(Armed(count, chance, str(param)))

    def clear(self, name: str | None = None) -> None:
        """Switch one fault off, or all."""
        with self._lock:
            if name is None:
                self._armed.clear()
            else:
                self._armed.pop(name, None)

    def take(self, name: str) -> str | None:
        """The parameter ("" if none) if the fault strikes now, which uses it up by one; else None."""
        if not self._armed:
            return None
        with self._lock:
            queue = self._armed.get(name)
            if not queue or (queue[0].chance < 1 and self._rng.random() >= queue[0].chance):
                return None
            first = queue[0]
            if first.left is not None:
                first.left -= 1
                if first.left == 0:
                    queue.pop(0)
            self.taken[name] += 1
            return first.param

    def setting(self, name: str) -> str | None:
        """The parameter while the fault is on, without using it up: for faults that are a way of being."""
        queue = self._armed.get(name)
        return queue[0].param if queue else None

    def active(self) -> dict[str, list[str]]:
        """What is on, in the written form without the name."""
        with self._lock:
            return {name: [str(one) for one in queue] for name, queue in self._armed.items() if queue}
