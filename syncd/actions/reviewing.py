"""Deciding on values that wait for a person: one by one, or all that fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from syncd import filters
from syncd.ledger import reviews, search
from syncd.ledger.costs import Prices
from syncd.ledger.reviews import Review
from syncd.ledger.store import Tx


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
    """The values that wait and fit all that was said. Raises ValueError where the query can't be read."""
    wanted = filters.parse(which.query or "", now=now)
    found = search.fields_of(tx, wanted) if which.query else None
    ids = set(which.ids)
    return [
        one
        for one in reviews.waiting(tx, prices)
        if (not ids or one.id in ids)
        and which.sync in (None, one.sync)
        and which.field in (None, one.field)
        and which.provider in (None, one.provider)
        and (which.why is None or which.why.casefold() in one.why.casefold())
        and (found is None or (one.ref, one.field) in found)
    ]


def mark_of(chosen: Iterable[Review]) -> str:
    """Of exactly these values: another one, or one less, has another mark."""
    said = "\n".join(sorted(f"{one.id} {one.value}" for one in chosen))
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def counts(chosen: Iterable[Review]) -> dict[str, int]:
    """How many of each `sync/field/provider`."""
    return dict(Counter(f"{one.sync}/{one.field}/{one.provider}" for one in chosen))


def shown(chosen: Iterable[Review]) -> Mapping[int, str]:
    """The values as they were shown, for `reviews.decide`: where another one waits by now, nothing is decided."""
    return {one.id: one.value for one in chosen}
