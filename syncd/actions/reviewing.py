"""Deciding on values that wait for a person: one by one, or all that fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

from syncd import filters
from syncd.contract.model import Grade
from syncd.ledger import reviews, search
from syncd.ledger.costs import Prices
from syncd.ledger.reviews import Outline, Review
from syncd.ledger.store import Tx

One = TypeVar("One", Review, Outline)
Place = tuple[float, ...]  # of a value within an order
_RISKY = (Grade.INVALID, Grade.UNKNOWN, Grade.CATCH_ALL, Grade.PROBABLE, Grade.VALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What was said of those that are meant; what is None or empty fits all. `why`: words that the reason holds;
    `query`: only what `syncd contacts QUERY` finds."""

    ids: Sequence[int] = ()
    sync: str | None = None
    field: str | None = None
    provider: str | None = None
    why: str | None = None
    query: str | None = None

    @property
    def by_filter(self) -> bool:
        """Is anything said beside ids?"""
        return any((self.sync, self.field, self.provider, self.why, self.query))


def choose(tx: Tx, which: Which, prices: Prices | None, *, now: float) -> list[Review]:
    """The values that wait and fit all that was said, the riskiest first. Raises ValueError where the query can't be
    read."""
    waiting = reviews.named(tx, which.ids, prices) if which.ids else reviews.waiting(tx, prices)
    return sorted(_fitting(tx, which, waiting, now=now), key=risk)


def outline(tx: Tx, which: Which, *, now: float) -> list[Outline]:
    """The same values in short and in no order: for counting and deciding, however many they are."""
    return _fitting(tx, which, reviews.outlines(tx, which.ids), now=now)


def _fitting(tx: Tx, which: Which, waiting: Sequence[One], *, now: float) -> list[One]:
    wanted = filters.parse(which.query or "", now=now)
    found = search.fields_of(tx, wanted) if which.query else None
    return [
        one
        for one in waiting
        if which.sync in (None, one.sync)
        and which.field in (None, one.field)
        and which.provider in (None, one.provider)
        and (which.why is None or which.why.casefold() in one.why.casefold())
        and (found is None or (one.ref, one.field) in found)
    ]


def risk(one: Review) -> Place:
    """Least where most can go wrong: a value that is not ours would be replaced, then one of ours; the lower grade, the
    larger difference. Of equals, what is over first."""
    grade = _RISKY.index(Grade(one.grade)) if one.grade else -1
    return (int(not one.replaces_typed), int(not one.old), grade, -_difference(one), *deadline(one))


def deadline(one: Review) -> Place:
    """What is over first comes first; what waits without end, by its age."""
    return (FOREVER if one.until is None else one.until, one.since, one.id)


def newest(one: Review) -> Place:
    """What was found last comes first."""
    return (-one.found_at, -one.id)


FOREVER = 1e15  # UTC seconds beyond every deadline
USUAL = "risk"
MANY = 500  # values that are put in another order than that of the deadline while a person waits
ORDERS: Mapping[str, Callable[[Review], Place]] = {"risk": risk, "deadline": deadline, "newest": newest}


def _difference(one: Review) -> float:
    """Between what stands there and the value, from 0 (alike) to 1; of a blank, 0."""
    return 1 - SequenceMatcher(None, one.held, one.value, autojunk=False).ratio() if one.held else 0.0


def mark_of(chosen: Iterable[Review | Outline]) -> str:
    """Of exactly these values: another one, or one less, has another mark."""
    said = "\n".join(sorted(f"{one.id} {one.value}" for one in chosen))
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def counts(chosen: Iterable[Review | Outline]) -> dict[str, int]:
    """How many of each `sync/field/provider`."""
    return dict(Counter(f"{one.sync}/{one.field}/{one.provider}" for one in chosen))


def shown(chosen: Iterable[Review | Outline]) -> Mapping[int, str]:
    """The values as they were shown, for `reviews.decide`: where another one waits by now, nothing is decided."""
    return {one.id: one.value for one in chosen}
