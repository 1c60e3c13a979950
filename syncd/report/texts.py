"""The report in words: what stands in the tables of a terminal and of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .charts import between, percent

FIGURES = (
    "asked", "found", "verified", "written", "refused", "misses", "credits", "a verified value", "p50", "p95",
    "contradicted",
)  # fmt: skip
LEAGUE = (
    "field", "rank", "provider", "asked", "found", "asked first", "found of these", "95 %", "a verified value", "p50",
    "p95", "contradicted", "refused",
)  # fmt: skip
NOTES = (
    "Days are whole days in UTC. Questions and credits belong to the day of the call, values to that of their write.",
    "A verified value: its cost in credits. p50, p95: half of the answers, and 95 of 100, came within this time.",
    "Providers are ranked by what they found of those about whom nobody else had been asked before (asked first).",
    "95 %: the interval that holds the true share in 95 of 100 cases.",
    "* asked second: also about those whom another provider had missed, so that this share is not to be compared.",
)


def row_of(one: Mapping[str, Any]) -> list[Any]:
    """A line of figures, as `FIGURES` names them."""
    counted = [one[name] for name in ("asked", "found", "verified", "written", "refused", "misses")]
    spent = [f"{one['credits']:g}", _credits(one["credits_per_verified"])]
    return [*counted, *spent, span(one["latency_p50"]), span(one["latency_p95"]), one["contradictions"]]


def league_row(one: Mapping[str, Any]) -> list[Any]:
    """A provider's line, as `LEAGUE` names it."""
    found = percent(one["found_share"]) + (" *" if one["asked_second"] else "")
    return [
        one["field"],
        one["why_not"] or one["rank"],
        one["provider"],
        one["asked"],
        found,
        one["first_asked"],
        percent(one["first_share"]),
        between(one["first_interval"]),
        _credits(one["credits_per_verified"]),
        span(one["latency_p50"]),
        span(one["latency_p95"]),
        percent(one["contradicted_share"]),
        one["refused"],
    ]


def span(seconds: float | None) -> str:
    """A time as people say it: 40 s, 12 m, 3 h, 2 d."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _credits(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.2f}"
