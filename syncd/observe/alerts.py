"""Who is told what, and when: conditions become messages for each target of `alerts`. Pure.

Each target has a list of what it was told of, or is to be told of (`Told`). A condition is told once it has stood for
`SETTLE`, and its end once it has been over for as long, so that what flickers wakes nobody. In quiet hours nothing is
sent; afterwards one message says what is so, and what came and went meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from syncd.config import Alert

from .conditions import Condition

SETTLE = 60.0  # seconds
TEST_EVERY = {"daily": 86_400.0, "weekly": 7 * 86_400.0, "monthly": 30 * 86_400.0}

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One condition, for one target. Moments are UTC seconds."""

    target: str
    kind: str
    who: str
    detail: str
    line: str  # what is said of it
    since: float  # when it was first seen
    told_at: float | None = None
    over_at: float | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.who, self.detail

    def as_row(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return asdict(self)


class Message(NamedTuple):
    """What is sent. `keys`: the conditions that it is about."""

    title: str
    body: str
    keys: frozenset[Key]


def target_of(alert: Alert) -> str:
    """A digest of the address: the address itself is a secret."""
    return hashlib.blake2b(alert.to.get_secret_value().encode(), digest_size=8, person=b"syncd-alert").hexdigest()


def name_of(position: int, alert: Alert) -> str:
    """How a target is called where people look: by its place in the file and its kind."""
    return f"alerts[{position}] ({alert.to.get_secret_value().partition('://')[0]})"


def is_quiet(alert: Alert, now: float) -> bool:
    """Is it one of the hours in which nothing is sent?"""
    moment = datetime.fromtimestamp(now, ZoneInfo(alert.time_zone))
    return alert.quiet is not None and alert.quiet.hold(moment.hour * 60 + moment.minute)


def seen(
    alert: Alert, known: Iterable[Told], conditions: Iterable[Condition], *, now: float, keep: Collection[str] = ()
) -> dict[Key, Told]:
    """What the target is told of, or is to be told of, with what is so now.

    `keep`: kinds of which it is not known yet whether they are over.
    """
    target = target_of(alert)
    current = {one.key: one for one in conditions if one.kind in alert.on and not one.starting}
    rows = {one.key: one for one in known if one.target == target}
    for key, one in current.items():
        made = Told(target=target, kind=one.kind.value, who=one.who, detail=one.detail, line=_line(one), since=now)
        row = rows.get(key, made)
        rows[key] = replace(row, over_at=None) if row.told_at else replace(row, line=made.line, over_at=None)
    for key in rows.keys() - current.keys():
        if rows[key].over_at is None and rows[key].kind not in keep:
            rows[key] = replace(rows[key], over_at=now)
    return {key: row for key, row in rows.items() if not _is_nothing(row)}


def _is_nothing(row: Told) -> bool:
    """It was over before anybody had to be told."""
    return row.told_at is None and row.over_at is not None and row.over_at - row.since < SETTLE


def due(rows: Mapping[Key, Told], *, now: float, host: str = "") -> Message | None:
    """What is to be sent now, if anything; whether the hour is quiet is the caller's to ask."""
    new = [row for row in rows.values() if row.told_at is None and now - row.since >= SETTLE]
    over = [row for row in rows.values() if row.told_at and row.over_at is not None and now - row.over_at >= SETTLE]
    if not new and not over:
        return None
    standing = [row for row in new if row.over_at is None]
    gone = [row for row in new if row.over_at is not None]
    lines = [*(f"- {row.line}" for row in standing)]
    lines += [f"- over by now, {_span(row)}: {row.line}" for row in gone]
    lines += [f"- over, {_span(row)}: {row.line}" for row in over]
    keys = frozenset(row.key for row in [*new, *over])
    return Message(_title(standing, [*gone, *over], host), "\n".join(lines), keys)


def sent(rows: Mapping[Key, Told], message: Message, *, now: float) -> dict[Key, Told]:
    """The target knows by now; what is over is forgotten."""
    told = {key: replace(row, told_at=row.told_at or now) if key in message.keys else row for key, row in rows.items()}
    return {key: row for key, row in told.items() if key not in message.keys or row.over_at is None}


def sample_message(host: str) -> Message:
    """Shows that alerts arrive."""
    return Message(
        f"syncd{host}: a test", "This shows that alerts of syncd arrive here. Nothing is wrong.", frozenset()
    )


def _title(standing: Sequence[Told], over: Sequence[Told], host: str) -> str:
    if len(standing) + len(over) == 1:
        row = (*standing, *over)[0]
        return f"syncd{host}: {row.who}: {row.kind.replace('_', ' ')}{' is over' if over else ''}"
    parts = [f"wrong, or for you: {len(standing)}"] if standing else []
    parts += [f"over: {len(over)}"] if over else []
    return f"syncd{host}: {', '.join(parts)}"


def _line(one: Condition) -> str:
    cure = f"\n  → {one.cure}" if one.cure else ""
    return f"{one.who} {one.what}: {one.why} [{one.code}]{cure}"


def _span(row: Told) -> str:
    return f"{_clock(row.since)} to {_clock(row.over_at or row.since)} UTC"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
