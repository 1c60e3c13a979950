"""The first page: is it working, does it need somebody, what of the money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncd.config import ConditionKind
from syncd.ledger import budgets, daily, glances
from syncd.ledger.store import Tx
from syncd.observe.status import live
from syncd.observe.summary import needs_you
from syncd.pages.live import figures
from syncd.pages.site import Site
from syncd.report import figures as report

LATELY = 29  # days before today, of which shares and prices are told
FEW = 30  # questions that are too few for a share

# Where a person looks at a condition of a kind, and what the link says.
_WHERE = {
    ConditionKind.REVIEW: ("/review", "Look at them"),
    ConditionKind.IN_DOUBT: ("/doubts", "Look at them"),
    ConditionKind.PAUSED: ("/syncs", "Resume"),
    ConditionKind.BUDGET: ("/budgets", "Budgets"),
    ConditionKind.CREDITS: ("/providers", "Providers"),
    ConditionKind.FLOOR: ("/providers", "Providers"),
    ConditionKind.BALANCE: ("/providers", "Providers"),
    ConditionKind.CONTRADICTIONS: ("/providers", "Providers"),
    ConditionKind.CONFIGURATION: ("/settings", "Settings"),
}


async def overview(site: Site, request: Request) -> Response:
    """`/`"""
    status = await live(site.parts)
    now = site.parts.clock.now()
    (hours, beats, lately), frame = await site.read(_charts, list(status["syncs"]), now)
    conditions = needs_you(status["conditions"])
    shown: dict[str, Any] = {
        "status": status,
        "active": [one.name for one in site.parts.syncs],
        "figures": figures(status),
        "needs": [{**one, "link": _link(one)} for one in conditions],
        "passing": [one for one in status["conditions"] if one not in conditions],
        "hours": hours,
        "beats_": beats,
        "next": site.next_pulls(status),
        "budgets": [(one["budget"], budgets.in_words(one)) for one in status["budgets"]],
        "lately": lately,
        "few": lately["asked"] < FEW,
        "told_already": lambda why: any(why.endswith(one["why"]) for one in status["conditions"]),
    }
    return await site.page(request, "overview.html", frame=frame, **shown)


def _charts(tx: Tx, syncs: list[str], now: float) -> tuple[list[tuple[float, float]], dict[str, Any], dict[str, Any]]:
    days = report.days_of(now - LATELY * 86_400, now)
    lately = report.report(daily.read(tx, *days, settled=True), days, ())["total"]
    return glances.spent_by_hour(tx, now=now), glances.beats(tx, syncs), lately


def _link(condition: Mapping[str, Any]) -> tuple[str, str]:
    return _WHERE.get(ConditionKind(condition["kind"]), ("/syncs", "Syncs"))
