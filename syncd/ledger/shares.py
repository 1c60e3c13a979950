"""How the credits of one call are split among the fields that it asks for, so that a budget can count some of them.

Credits cross this border as Decimal and are kept as thousandths: each call with the share of each field, as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Field

from . import costs
from .store import Tx

Shares = Mapping[Field, Decimal]  # credits, by the field that they are spent for


def milli(amount: Decimal) -> int:
    """Credits as whole thousandths, rounded up: a reservation is never too small."""
    return math.ceil(amount * 1000)


def reservation(reserve: Shares) -> tuple[int, str]:
    """What a call reserves in thousandths, and how that is split among its fields, as the ledger keeps it."""
    shares = {field.value: milli(amount) for field, amount in reserve.items()}
    return sum(shares.values()), dump(shares)


def of_charges(tx: Tx, charges: Mapping[str, int]) -> dict[str, str | None]:
    """How what calls were charged (thousandths, by their ids) is split among their fields; None: as before.

    Nobody says what each field of a mixed call cost. Each find counts with the price that was reserved for its field,
    and all of them are dearer, or cheaper, in the same proportion.
    """
    rows = tx.rows("submissions_shares", ids=dump([id_ for id_, charge in charges.items() if charge]))
    before: dict[str, dict[str, int]] = {row["id"]: parse(row["shares"]) for row in rows}
    weights = _finds(tx, {id_: shares for id_, shares in before.items() if len(shares) > 1})
    split = {id_: _split(charges[id_], weights.get(id_, shares)) for id_, shares in before.items()}
    return {id_: dump(split[id_]) if id_ in split else None for id_ in charges}


def _finds(tx: Tx, reserved: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What the finds of each call would cost by what was reserved for each field; if nothing was found, all of that."""
    found: dict[str, dict[str, int]] = {}
    rows = tx.rows("asked_and_found", ids=dump(list(reserved))) if reserved else []
    for row in rows:
        shares = reserved[row["id"]]
        part = shares.get(row["field"], 0) * row["found"] // row["asked"]
        found.setdefault(row["id"], dict.fromkeys(shares, 0))[row["field"]] = part
    return {id_: weights if any(weights.values()) else dict(reserved[id_]) for id_, weights in found.items()}


def _split(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    return dict(zip(weights, costs.shares(amount, [Decimal(weight) for weight in weights.values()]), strict=True))
