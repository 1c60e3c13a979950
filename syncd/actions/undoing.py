"""Taking back exactly those values that were looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from syncd.ledger import undos
from syncd.ledger.store import Tx
from syncd.ledger.undos import Value, Wanted


def mark_of(values: Iterable[Value]) -> str:
    """Of exactly these written values: another one, or one less, has another mark."""
    said = "\n".join(sorted(f"{one.writes} {one.back}" for one in values if not one.why_not))
    return hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def ask_exactly(tx: Tx, wanted: Wanted, mark: str, by: str, *, now: float) -> int | None:
    """Store that what fits is to be put back, if it is what has this mark; returns the run, or None."""
    values = undos.find(tx, wanted)
    if mark_of(values) != mark or not any(not one.why_not for one in values):
        return None
    return undos.ask(tx, values, f"{wanted}, by {by}", now=now)
