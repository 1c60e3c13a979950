"""Taking back exactly those values that were looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from syncd import filters
from syncd.contract.model import ContactRef
from syncd.ledger import undos
from syncd.ledger.store import Tx
from syncd.ledger.undos import Value, Wanted

KEYS = ("run", "sync", "contact", "since", "until")


def wanted(said: Mapping[str, str], now: float) -> Wanted:
    """What is to be put back, by texts under KEYS, "" for what is not said. Raises ValueError."""
    given = {key: text for key in KEYS if (text := said.get(key, ""))}
    if not given:
        raise ValueError("say what is to be put back: a run, a sync, a contact, or a time")
    moments: dict[str, Any] = {key: filters.moment(given[key], now) for key in ("since", "until") if key in given}
    contact = ContactRef.parse(given["contact"]) if "contact" in given else None
    if not given.get("run", "0").isdigit():
        raise ValueError("run is a number")
    run = int(given["run"]) if "run" in given else None
    return Wanted(run=run, sync=given.get("sync"), contact=contact, **moments)


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
