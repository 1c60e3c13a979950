"""What only the running process can see of itself, and since when: kept in memory, and put on disk for others.

Late stages and vendors that do not answer are found here; whoever finds something else tells it by `set`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from syncd.config import ConditionKind
from syncd.contract.watched import Calls

from .liveness import Liveness

FAILURES, FAILING = 3, 10.0  # calls in a row that failed, and real seconds since the first, before a vendor seems down


@dataclass(slots=True)
class Symptoms:
    """By kind and who: why, what to do, and since when (UTC seconds)."""

    monotonic: Callable[[], float] = time.monotonic
    told: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _since: dict[tuple[str, str], float] = field(default_factory=dict)

    def set(self, kind: ConditionKind, who: str, why: str, cure: str = "") -> None:
        """This is so until it is told otherwise; with "" it is over."""
        self.told.pop((kind.value, who), None)
        if why:
            self.told[kind.value, who] = why, cure

    def rows(self, liveness: Liveness, calls: Calls, now: float) -> list[dict[str, Any]]:
        """Everything that is so now, for those who show it."""
        found = {**self.told, **_late(liveness), **self._unreachable(calls)}
        self._since = {key: self._since.get(key, now) for key in found}
        return [
            {"kind": kind, "who": who, "why": why, "cure": cure, "since": self._since[kind, who]}
            for (kind, who), (why, cure) in sorted(found.items())
        ]

    def _unreachable(self, calls: Calls) -> dict[tuple[str, str], tuple[str, str]]:
        now = self.monotonic()
        return {
            (ConditionKind.UNREACHABLE.value, name): (
                f"its last {one.failures} calls failed ({one.why})",
                f"Nothing to do if it is an outage there; `syncd check` says what it can see of {name}.",
            )
            for name, one in list(calls.health.items())
            if one.failures >= FAILURES and one.failing_since is not None and now - one.failing_since >= FAILING
        }


def _late(liveness: Liveness) -> dict[tuple[str, str], tuple[str, str]]:
    return {(ConditionKind.LATE.value, who): (why, "") for who, why in liveness.late().items()}
