"""`GET /api/report`: what `syncd report --json` prints; with `format=csv`, its rows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd import filters
from syncd.ledger import daily
from syncd.ledger.daily import Figures, Place
from syncd.ledger.store import Tx
from syncd.pipeline.parts import Parts
from syncd.report import figures
from syncd.report.figures import SINCE, USUAL

from .lists import listed


async def report(parts: Parts, request: Request) -> Response:
    """`?since=`, `until=`: moments as the command takes them; `by=day,sync,field,provider`."""
    asked, now = request.query_params, parts.clock.now()
    try:
        names = figures.grouping(asked.get("by", ",".join(USUAL)))
        until = filters.moment(asked["until"], now) if "until" in asked else now
        days = figures.days_of(filters.moment(asked.get("since", SINCE), now), until)
        found, behind = await parts.ledger.read(_read, days)
        told = figures.report(found, days, names, uncounted=behind)
        return listed(request, told["rows"], [*names, *figures.COLUMNS], told)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)


def _read(tx: Tx, days: tuple[int, int]) -> tuple[dict[Place, Figures], int]:
    return daily.read(tx, *days), daily.uncounted(tx)
