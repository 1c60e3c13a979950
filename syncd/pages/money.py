"""Providers and budgets."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import tostring

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.ledger import budgets, daily, reconciliation, runway
from syncd.observe.status import live
from syncd.pages.site import Site, Wrong, command
from syncd.report import figures, texts
from syncd.report.charts import charts as drawn
from syncd.report.figures import SINCE


async def providers(site: Site, request: Request) -> Response:
    """`/providers?since=30d`: how each stands, and how they compare."""
    status, now = await live(site.parts), site.parts.clock.now()
    since = request.query_params.get("since", SINCE)
    try:
        days = figures.days_of(filters.moment(since, now), now)
    except ValueError as error:
        raise Wrong(str(error)) from None
    found, frame = await site.read(daily.read, *days, settled=True)
    report = figures.report(found, days, ("field", "provider"))
    rows = [_provider(site, status, name) for name in site.parts.lanes]
    paused = {one["name"] for one in status["pauses"] if one["kind"] == "provider"}
    shown: dict[str, Any] = {
        "status": status,
        "rows": rows,
        "paused": paused,
        "report": report,
        "since": since,
        "command": command("syncd report", {"since": since, "by": "field,provider"}),
        "heads": texts.LEAGUE,
        "league": [texts.league_row(one) for one in report["league"]],
        "notes": texts.NOTES,
        "drawings": [(one, Markup(tostring(one.svg, encoding="unicode"))) for one in drawn(report)],  # noqa: S704 - ours
    }
    return await site.page(request, "providers.html", frame=frame, **shown)


def _provider(site: Site, status: dict[str, Any], name: str) -> dict[str, Any]:
    can = site.parts.lanes[name].provider.capabilities
    nothing = {"submissions": 0, "charged": 0.0, "reserved": 0.0, "in_doubt": 0.0, "assumed": 0.0}
    difference = status["reconciliation"].get(name)
    return {
        "name": name,
        "title": can.title,
        "spent": status["credits"].get(name, nothing),
        "balance": status["connections"].get(name, {}).get("balance"),
        "lasts": runway.in_words(status["balances"].get(name, {"balance": None, "days": {}})),
        "answers": status["answers"].get(name, {"judged": 0, "other": 0}),
        "price": {str(field): price for field, price in can.price.items()},
        "difference": reconciliation.in_words(difference) if difference else "",
        "trouble": [one for one in status["conditions"] if one["who"] == name],
        "next_call_in": status["lanes"].get(name, {}).get("next_call_in"),
    }


async def budgets_(site: Site, request: Request) -> Response:
    """`/budgets`"""
    status = await live(site.parts)
    rows = [{**one, "words": budgets.in_words(one)} for one in status["budgets"]]
    places = {
        one.name: site.parts.settings.places.of("budgets", n) for n, one in enumerate(site.parts.settings.budgets)
    }
    return await site.page(request, "budgets.html", rows=rows, places=places, balances=status["balances"])
