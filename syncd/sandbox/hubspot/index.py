"""The search index: it learns of a change some seconds late, as HubSpot's does.

It matches on what it knew; what is returned is read from the store. So a record still matches its old
value while the new one is shown, a new one is missing, and an archived one counts in `total` without
appearing in `results`. The language of searches is in `search`.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .items import Item


@dataclass(slots=True)
class _Ids:
    """The ids that lack one property, or that have it: sorted, and the same as a set."""

    ids: list[int] = field(default_factory=list)
    known: set[int] = field(default_factory=set)

    def put(self, number: int, belongs: bool) -> None:
        if belongs == (number in self.known):
            return
        place = bisect.bisect_left(self.ids, number)
        if belongs:
            self.ids.insert(place, number)
            self.known.add(number)
        else:
            del self.ids[place]
            self.known.discard(number)


class Index:
    """What searches see. `lag()` gives the seconds until one change is seen."""

    def __init__(self, lag: Callable[[], float]) -> None:
        self._lag = lag
        self._due: list[tuple[float, int, Item]] = []
        self._serial = 0
        self._lacking: dict[str, _Ids] = {}
        self._holding: dict[str, _Ids] = {}
        self.ids: list[int] = []  # sorted
        self.values: dict[int, Mapping[str, str]] = {}
        self.updated: dict[int, int] = {}  # ms

    def changed(self, item: Item, at: int) -> None:
        """To be seen after the lag, counted from `at` (ms); at once where there is none, although stamps of
        one millisecond are told apart by running ahead of the clock."""
        self._serial += 1
        lag = self._lag()
        heapq.heappush(self._due, (at / 1000 + lag if lag else 0.0, self._serial, item))

    def settle(self, now: float) -> None:
        """Take in what is due by `now` (seconds)."""
        while self._due and self._due[0][0] <= now:
            self._see(heapq.heappop(self._due)[2])

    def load(self, items: Iterable[Item]) -> None:
        """Know these at once, and forget about changes on their way: for the start of a world."""
        self._due.clear()
        for item in items:
            self.values[item.id], self.updated[item.id] = item.values, item.updated
        self.ids = sorted(self.values)
        self._lacking.clear()
        self._holding.clear()

    def lacking(self, name: str) -> tuple[list[int], set[int]]:
        """The ids whose property `name` is unset: sorted, and as a set."""
        if name not in self._lacking:
            ids = [number for number in self.ids if not self.values[number].get(name)]
            self._lacking[name] = _Ids(ids, set(ids))
        found = self._lacking[name]
        return found.ids, found.known

    def holding(self, name: str) -> list[int]:
        """The ids whose property `name` is set, sorted."""
        if name not in self._holding:
            ids = [number for number in self.ids if self.values[number].get(name)]
            self._holding[name] = _Ids(ids, set(ids))
        return self._holding[name].ids

    def _see(self, item: Item) -> None:
        number = item.id
        if item.archived:
            if self.values.pop(number, None) is not None:
                del self.ids[bisect.bisect_left(self.ids, number)]
                del self.updated[number]
                for listed in (*self._lacking.values(), *self._holding.values()):
                    listed.put(number, False)
            return
        if number not in self.values:
            bisect.insort(self.ids, number)
        self.values[number], self.updated[number] = item.values, item.updated
        for name, lacking in self._lacking.items():
            lacking.put(number, not item.values.get(name))
        for name, holding in self._holding.items():
            holding.put(number, bool(item.values.get(name)))
