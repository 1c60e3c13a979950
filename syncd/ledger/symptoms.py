"""What the running process sees of itself, on disk for others to look at; and what it has told of by alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .store import Tx


def keep(tx: Tx, symptoms: Iterable[Mapping[str, Any]]) -> None:
    """These are all there are: kind, who, why, cure, since."""
    tx.run("symptoms_empty")
    for one in symptoms:
        tx.run("symptom_add", **one)


def alerts(tx: Tx) -> list[dict[str, Any]]:
    """What each target of alerts was told of, or is to be told of."""
    return [dict(row) for row in tx.rows("alerts")]


def keep_alerts(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """These are all there are; few."""
    tx.run("alerts_empty")
    for one in rows:
        tx.run("alert_add", **one)
