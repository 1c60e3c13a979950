"""How many calls to a CRM a thousand contacts cost: when answers trickle in, and in batches as full as can be.

Counts, not times: the trickles go side by side, thirty times as fast as in life.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Self

from .bars import Value
from .processes import Daemon, NotMeasured, Org, Vendors, configuration, until
from .shapes import CRM_CALLS, Say

CONTACTS, FULL = 600, 2_000  # of the trickles; of the org that gets all answers at once
SPEED, SPEED_OF_FULL = 30.0, 5.0  # the second one so slow that all answers are there before a batch has waited enough
PACE = 0.5  # contacts that are answered in one second of the vendors' time
WITHIN = 150.0  # seconds
_READ, _WRITTEN = 2_000, 25  # records of one call of Salesforce's; each is written under its own condition


def measure(say: Say) -> dict[str, Value]:
    """All figures."""
    with _Run(CONTACTS, pace=PACE) as hubspot, _Run(CONTACTS, pace=PACE, org=True) as salesforce:
        for run in (hubspot, salesforce):
            run.wait_until_asked()
        trickles = {
            "hubspot_trickle": hubspot.calls_for_answers(),
            "salesforce_trickle": salesforce.calls_for_answers(),
        }
    say(f"calls: {trickles}")
    spent, least = _at_once(FULL), least_calls(FULL)
    say(f"calls: {spent} of Salesforce's for {FULL} contacts at once")
    per_thousand = {name: Value(1000 * calls / CONTACTS) for name, calls in trickles.items()}
    return per_thousand | {"salesforce_full": Value(spent / least, spent, least)}


def least_calls(contacts: int) -> int:
    """Of Salesforce's API: everybody is read once more, and written."""
    return math.ceil(contacts / _READ) + math.ceil(contacts / _WRITTEN)


def _at_once(contacts: int) -> int:
    """Salesforce's calls where all answers come as fast as they can."""
    with _Run(contacts, org=True) as run:
        run.wait_until_written()
        return run.calls


class _Run:
    """A daemon between one CRM and FullEnrich. Everybody is asked about before the first answer comes, as in a sync
    that has been running for long."""

    def __init__(self, contacts: int, *, pace: float | None = None, org: bool = False) -> None:
        self._speed = SPEED_OF_FULL if pace is None else SPEED
        self._size, self._pace, self._has_org = contacts, pace and pace * self._speed, org
        self._before = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._vendors = stack.enter_context(
                Vendors(0 if self._has_org else self._size, speed=self._speed, pace=self._pace)
            )
            self._org = stack.enter_context(Org(self._size, self._vendors)) if self._has_org else None
            settings = configuration(self._vendors, org=self._org, each=self._pace is not None, buy_before_write=0)
            self._daemon = stack.enter_context(Daemon(settings))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def calls(self) -> int:
        """To the CRM so far."""
        if self._org is not None:
            return self._org.counts()["calls"]
        return sum(self._vendors.counts()["calls"].get(kind, 0) for kind in CRM_CALLS)

    def wait_until_asked(self) -> None:
        """Everybody was asked about, and nobody has been answered yet."""
        self._until("asked about everybody", lambda: self._vendors.counts()["asked"] >= self._size)
        self._before = self.calls
        if self._vendors.counts()["called_back"]:
            raise NotMeasured("the first answer came too early")

    def wait_until_written(self) -> None:
        """All values stand in the CRM."""
        self._until("written for everybody", self._is_written)
        time.sleep(1.0)  # the last batch is read once more

    def calls_for_answers(self) -> int:
        """To the CRM, from the first answer until all is written."""
        self.wait_until_written()
        return self.calls - self._before

    def _is_written(self) -> bool:
        counts = self._vendors.counts() if self._org is None else self._org.counts()
        if counts["wrong"]:
            raise NotMeasured(f"{counts['wrong']} values are wrong")
        return bool(counts["values"] >= 2 * self._size)

    def _until(self, what: str, look: Callable[[], bool]) -> None:
        def alive() -> bool:
            self._daemon.require_alive()
            return look()

        try:
            until(what, alive, within=WITHIN, every=0.3)
        except NotMeasured as problem:
            raise NotMeasured(f"{problem}\n{self._daemon.tail()}") from None
