"""The report as data: figures of a period by day, sync, field and provider, as `--json` and the API tell them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from syncd.ledger import daily
from syncd.ledger.daily import DAY, Figures, Place

from .league import league
from .statistics import percentile, wilson

BY = ("day", "sync", "field", "provider")
USUAL = ("field", "provider")
SINCE = "30d"  # where nothing else is said


COLUMNS = (
    "asked", "found", "misses", "unanswered", "found_share", "verified", "written", "refused", "contradictions",
    "credits", "credits_per_verified", "latency_p50", "latency_p95",
)  # fmt: skip


def grouping(text: str) -> tuple[str, ...]:
    """By what figures are told apart, such as `day,provider`; raises ValueError."""
    names = tuple(filter(None, text.replace(" ", "").split(",")))
    if unknown := [name for name in names if name not in BY]:
        raise ValueError(f"there are no figures by {unknown[0]!r}; there are: {', '.join(BY)}")
    return tuple(name for name in BY if name in names)


def days_of(since: float, until: float) -> tuple[int, int]:
    """The first and the last day of a period (UTC seconds), both whole; raises ValueError."""
    if since > until:
        raise ValueError("the period ends before it begins")
    return int(since // DAY), int(until // DAY)


def report(
    found: Mapping[Place, Figures], days: tuple[int, int], by: Sequence[str], *, uncounted: int = 0
) -> dict[str, Any]:
    """All that is told of a period. Docs: docs/report.md."""
    groups: dict[tuple[Any, ...], list[Figures]] = defaultdict(list)
    for place, one in found.items():
        groups[tuple(getattr(place, name) for name in by)].append(one)
    rows = [
        {**_named(by, key), **as_json(daily.together(groups[key]))} for key in sorted(groups, key=lambda key: [*key])
    ]
    return {
        "since": day(days[0]),
        "until": day(days[1]),
        "by": list(by),
        "uncounted": uncounted,
        "total": as_json(daily.together(found.values())),
        "rows": rows,
        "league": league(found),
        "days": _by_day(found),
    }


def as_json(one: Figures) -> dict[str, Any]:
    """One line of figures; what can't be said is None."""
    share = wilson(one.found, one.asked)
    spent = one.spent_mc / 1000
    return {
        "asked": one.asked,
        "found": one.found,
        "misses": one.missed,
        "unanswered": one.unanswered,
        "found_share": one.found / one.asked if one.asked else None,
        "found_interval": None if share is None else list(share),
        "verified": one.verified,
        "written": one.written,
        "refused": one.refused,
        "contradictions": one.contradicted,
        "credits": spent,
        "credits_per_verified": spent / one.verified if one.verified else None,
        "latency_p50": percentile(one.latency, 0.5),
        "latency_p95": percentile(one.latency, 0.95),
    }


def day(number: int) -> str:
    """Such as 2026-11-27."""
    return _date(number).isoformat()


def _date(number: int) -> date:
    return datetime.fromtimestamp(number * DAY, UTC).date()


def _named(by: Sequence[str], key: Sequence[Any]) -> dict[str, str]:
    named = dict(zip(by, key, strict=True))
    return {name: day(value) if name == "day" else value for name, value in named.items()}


def _by_day(found: Mapping[Place, Figures]) -> list[dict[str, Any]]:
    """For charts: what each provider took, and what was written, day by day."""
    groups: dict[tuple[int, str], list[Figures]] = defaultdict(list)
    for place, one in found.items():
        groups[place.day, place.provider].append(one)
    rows = []
    for (number, provider), of_one in sorted(groups.items()):
        total = daily.together(of_one)
        told = {"verified": total.verified, "written": total.written, "credits": total.spent_mc / 1000}
        rows.append({"day": day(number), "provider": provider, **told})
    return rows
