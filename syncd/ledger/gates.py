"""The gate's reasons on disk: for those who look, never for the daemon, which looks for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import upkeep
from .store import Tx


def keep(tx: Tx, reasons: Iterable[Mapping[str, Any]], *, now: float) -> None:
    """These are all the reasons there are, as seen at this moment; what an earlier process left is gone."""
    tx.run("gate_empty")
    for one in reasons:
        tx.run("gate_shut", **one)
    upkeep.set_mark(tx, upkeep.LOOKED_AT, now)


def shut(tx: Tx) -> list[dict[str, Any]]:
    """Why nothing is bought: watch, sync ("" for all of them), why, cure, since."""
    there = tx.value("gate_is_kept") == 1  # in the ledger of an older daemon it is not
    return [dict(row) for row in tx.rows("gate")] if there else []
