"""Figures for metrics, cheap at any size: how long queues wait, when something last went well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from . import upkeep
from .store import Tx

K = TypeVar("K")

HEARD = "heard:"  # before a provider's name: the mark of when a callback last came


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All moments are UTC seconds; what there is none of is left out."""

    inbox: int  # deliveries that are not read yet
    waits_since: dict[str, float] = field(default_factory=dict)  # by stage: the first of its queue
    queued_since: dict[tuple[str, str], float] = field(default_factory=dict)  # by sync and provider: the next one
    writes_due: dict[str, float] = field(default_factory=dict)  # by sync: the first value that is to be written
    pulled_at: dict[str, float] = field(default_factory=dict)  # by sync: the last whole pull without an error
    heard_at: dict[str, float] = field(default_factory=dict)  # by provider: the last callback


def read(tx: Tx, syncs: Iterable[str], providers: Iterable[str]) -> Figures:
    """As the ledger has them now."""
    names, asked = list(syncs), list(providers)
    pairs = {(sync, name): tx.value("head_of_queue", sync=sync, provider=name) for sync in names for name in asked}
    heard = upkeep.marks(tx, HEARD)
    return Figures(
        inbox=int(tx.value("inbox_length")),
        waits_since=_there(dict(tx.one("heads"))),
        queued_since=_there(pairs),
        writes_due=_there({sync: tx.value("head_of_writes", sync=sync) for sync in names}),
        pulled_at=_there({sync: tx.value("pulled_at", sync=sync) for sync in names}),
        heard_at={name: heard[name] for name in asked if name in heard},
    )


def note_heard(tx: Tx, heard: dict[str, float]) -> None:
    """Callbacks came from these providers, last at these moments."""
    for name, at in heard.items():
        upkeep.set_mark(tx, HEARD + name, at)


def _there(found: dict[K, float | None]) -> dict[K, float]:
    return {key: value for key, value in found.items() if value is not None}
