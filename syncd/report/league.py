"""Which provider finds most: compared only on what can be compared.

A provider that is asked second is asked about those whom others missed: its share of finds says nothing beside that of
the first one. What can be compared is what each has found of those about whom it was asked first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from syncd.ledger import daily
from syncd.ledger.daily import Figures, Place

from .statistics import percentile, wilson

ENOUGH = 30  # questions; of fewer, the share of finds is chance


def league(found: Mapping[Place, Figures]) -> list[dict[str, Any]]:
    """By field, the best first; who can't be ranked comes last, with the reason."""
    groups: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for place, one in found.items():
        groups[place.field, place.provider].append(one)
    asked = [(*key, daily.together(of_one)) for key, of_one in groups.items()]
    lines = [_line(field, provider, total) for field, provider, total in asked if total.asked]
    lines.sort(key=lambda line: (line["field"], line["why_not"], -(line["first_share"] or 0), line["provider"]))
    return _ranked(lines)


def _line(field: str, provider: str, total: Figures) -> dict[str, Any]:
    return {
        "field": field,
        "provider": provider,
        "rank": None,
        "why_not": _why_not(total),
        "asked_second": total.asked_first < total.asked,
        "asked": total.asked,
        "found": total.found,
        **_share("found", total.found, total.asked),
        "first_asked": total.asked_first,
        "first_found": total.found_first,
        **_share("first", total.found_first, total.asked_first),
        "verified": total.verified,
        "credits_per_verified": total.spent_mc / 1000 / total.verified if total.verified else None,
        "contradicted_share": total.contradicted / total.found if total.found else None,
        "refused": total.refused,
        "latency_p50": percentile(total.latency, 0.5),
        "latency_p95": percentile(total.latency, 0.95),
    }


def _share(name: str, hits: int, trials: int) -> dict[str, Any]:
    interval = wilson(hits, trials)
    return {
        f"{name}_share": hits / trials if trials else None,
        f"{name}_interval": None if interval is None else list(interval),
    }


def _why_not(total: Figures) -> str:
    if total.asked < ENOUGH:
        return "too few to rank"
    return "too few were asked first to rank" if total.asked_first < ENOUGH else ""


def _ranked(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    ranks: dict[str, int] = defaultdict(int)
    ranked = []
    for line in lines:
        if not line["why_not"]:
            ranks[line["field"]] += 1
        ranked.append({**line, "rank": None if line["why_not"] else ranks[line["field"]]})
    return ranked
