"""What each running process sees of itself, on disk for others to look at; and what was told of by alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .claims import Owner
from .store import Tx


def keep(tx: Tx, owner: Owner, symptoms: Iterable[Mapping[str, Any]]) -> None:
    """These are all that a process sees: kind, who, why, cure, since."""
    tx.run("symptoms_empty", owner=owner.id)
    for one in symptoms:
        tx.run("symptom_add", **one, owner=owner.id)


def of_others(tx: Tx, owner: Owner) -> list[dict[str, Any]]:
    """What all the other processes see."""
    return [dict(row) for row in tx.rows("symptoms_of_others", owner=owner.id)]


def forget(tx: Tx) -> None:
    """At a start of a process that is alone: nobody sees anything yet."""
    tx.run("symptoms_forget")


def forget_the_ended(tx: Tx) -> None:
    """What processes saw that have ended."""
    tx.run("symptoms_expire")


def alerts(tx: Tx) -> list[dict[str, Any]]:
    """What each target of alerts was told of, or is to be told of."""
    return [dict(row) for row in tx.rows("alerts")]


def keep_alerts(tx: Tx, rows: Iterable[Mapping[str, Any]]) -> None:
    """These are all there are; few."""
    tx.run("alerts_empty")
    for one in rows:
        tx.run("alert_add", **one)
