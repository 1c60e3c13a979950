"""What each contact of a paid call has cost: a call is billed as a whole, and its bill is shared among what it found.

Each find has its share by its provider's listed price, scaled so that all shares are exactly what was charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING

from syncd.contract.jsontext import dump

from .store import Tx

if TYPE_CHECKING:
    import sqlite3

Prices = Mapping[str, Mapping[str, Decimal]]  # credits for a find, by connection and field
_UNKNOWN = Decimal(1)  # the price of a field that the connector does not list: only proportions matter


def of_calls(tx: Tx, calls: Iterable[str], prices: Prices) -> dict[tuple[str, int], int | None]:
    """By call and job: thousandths of a credit; None as long as nobody has told the charge."""
    rows = tx.rows("costs_of_calls", ids=dump(sorted(set(calls))))
    costs: dict[tuple[str, int], int | None] = {}
    for call, asked in groupby(rows, key=lambda row: str(row["submission_id"])):
        of_one = list(asked)
        charged = of_one[0]["charged_mc"]
        shared = shares(charged, [_weight(row, prices) for row in of_one]) if charged is not None else None
        for place, row in enumerate(of_one):
            costs[call, row["job_id"]] = None if shared is None else shared[place]
    return costs


def _weight(row: sqlite3.Row, prices: Prices) -> Decimal:
    """What a find costs by the list; who was not found costs nothing."""
    return prices.get(row["provider"], {}).get(row["field"], _UNKNOWN) if row["found"] else Decimal(0)


def shares(total: int, weights: Sequence[Decimal]) -> list[int]:
    """`total` in whole parts in proportion to `weights`; in equal parts where all weights are 0. The sum is exact."""
    whole = sum(weights, Decimal(0))
    if not whole:
        weights, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
    exact = [total * weight / whole for weight in weights]
    parts = [int(one) for one in exact]
    by_rest = sorted(range(len(parts)), key=lambda place: (parts[place] - exact[place], place))
    for place in by_rest[: total - sum(parts)]:
        parts[place] += 1
    return parts
