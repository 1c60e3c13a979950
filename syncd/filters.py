"""The one language in which contacts are asked for, in commands and in the API: `lima reason:low_quality since:2d`.

In here: from what a person typed to what is wanted. Not in here: finding it (`ledger/search`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum

from syncd.config.scalars import seconds
from syncd.config.shape import suggest
from syncd.contract.model import ASKED
from syncd.ledger.search import Wanted
from syncd.ledger.states import JobState, Reason

KEYS = tuple(one.name for one in fields(Wanted) if one.name != "text")
HELP = "words, an id or its beginning, and state: reason: sync: field: provider: since:"
_KINDS: dict[str, Iterable[StrEnum]] = {"state": JobState, "reason": Reason, "field": ASKED}
_VALUES = {key: [one.value for one in kind] for key, kind in _KINDS.items()}


def parse(text: str, *, now: float) -> Wanted:
    """What is wanted; raises ValueError with what is wrong and what there is."""
    try:
        parts = shlex.split(text)
    except ValueError:
        raise ValueError("a quotation mark is left open; close it") from None
    given: dict[str, str | float] = {}
    words = []
    for part in parts:
        key, colon, value = part.partition(":")
        if not colon:
            words.append(part)
            continue
        _check(key, value, given)
        given[key] = moment(value, now) if key == "since" else value
    return Wanted(text=" ".join(words) or None, **given)  # type: ignore[arg-type] # by the names of its parts


def moment(text: str, now: float) -> float:
    """A time as people write it, in UTC seconds; `2h` is two hours ago. Raises ValueError."""
    try:
        return now - seconds(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-27T08:30 (UTC), or 2h for two hours ago") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _check(key: str, value: str, given: dict[str, str | float]) -> None:
    if key not in KEYS:
        raise ValueError(f"nothing is filtered by {key!r}; {suggest(key, KEYS)}")
    if key in given:
        raise ValueError(f"{key}: stands twice; name one")
    if not value:
        raise ValueError(f"{key}: needs a value, directly behind the colon")
    if key in _VALUES and value not in _VALUES[key]:
        raise ValueError(f"there is no {key} {value!r}; {suggest(value, _VALUES[key])}")
