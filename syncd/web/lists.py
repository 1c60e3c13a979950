"""Every list that the pages show, for programs: `GET /api/…` as JSON, or with `format=csv` for spreadsheets.

Filters, order and place stand in the address, by the names that the pages use; the command that gives the same list
stands at the foot of each page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd import filters
from syncd.actions import doubts, reviewing, rights, undoing
from syncd.csvs import as_csv
from syncd.ledger import glances, reports, search, undos
from syncd.observe.status import live
from syncd.pipeline.parts import Parts

USUAL, MOST = 50, 1000  # rows of a page
LAST = 1 << 62
_REVIEW = (
    "id", "ref", "sync", "field", "provider", "held", "value", "replaces_typed", "grade", "cost", "found_at", "why",
    "until",
)  # fmt: skip
_DOUBT = ("id", "provider", "sync", "requests", "reserved", "since", "hold_until", "note", "contacts")
_UNPRICED = ("id", "provider", "sync", "requests", "at_risk", "assumed", "since", "note", "contacts")
_ASIDE = ("id", "provider", "submission_id", "source", "note", "repeats", "received_at", "size")
_RUN = ("id", "kind", "sync", "started_at", "ended_at", "contacts", "written", "undone", "open", "error", "note")
_BUDGET = ("budget", "window", "cap", "used", "left", "reached")
_ENTRY = ("id", "kind", "reason", "added_by", "at")
_VALUE = ("contact", "field", "property", "sync", "provider", "run", "at", "ours", "back", "left_because")
_CONTACT = ("ref", "name", "email", "company", "sync", "field", "state", "reason", "provider", "value", "note", "at")


def listed(request: Request, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], whole: Any = None) -> Response:
    """The rows as they were asked for. `whole`: what JSON tells, where that is more than the rows."""
    match request.query_params.get("format", "json"):
        case "json":
            return JSONResponse(rows if whole is None else whole)
        case "csv":
            name = request.url.path.rpartition("/")[2]
            headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
            return Response(as_csv(columns, rows), media_type="text/csv", headers=headers)
    raise ValueError("format is json or csv")


async def contacts(parts: Parts, request: Request) -> Response:
    """`?q=` is the query, `limit=` so many rows, `after=` the `next` of the page before."""
    asked = request.query_params
    wanted = filters.parse(asked.get("q", ""), now=parts.clock.now())
    found = await parts.ledger.read(search.find, wanted, limit=limit_of(request), after=asked.get("after"))
    rows = [asdict(one) for one in found.rows]
    return listed(request, rows, _CONTACT, {"count": found.count, "next": found.next, "contacts": rows})


async def reviews(parts: Parts, request: Request) -> Response:
    """Every value that waits for a person and fits `sync=`, `field=`, `provider=`, `why=`, `q=`; unmasked."""
    said = {key: request.query_params.get(key) or None for key in ("sync", "field", "provider", "why")}
    which = reviewing.Which(**said, query=request.query_params.get("q") or None)  # type: ignore[arg-type]
    chosen = await parts.ledger.read(reviewing.choose, which, parts.listed_prices, now=parts.clock.now())
    order = request.query_params.get("sort") or reviewing.USUAL
    if order not in reviewing.ORDERS:
        raise ValueError(f"there is no order {order!r}; choose one of {', '.join(reviewing.ORDERS)}")
    return listed(request, [one.as_json() for one in sorted(chosen, key=reviewing.ORDERS[order])], _REVIEW)


async def in_doubt(parts: Parts, request: Request) -> Response:
    """Paid calls of which nobody knows what became; with `?expired=1`, calls that are over without a price. Those that
    fit `provider=`, `sync=`, `since=`, `until=`, `q=`."""
    priced, now = request.query_params.get("expired") == "1", parts.clock.now()
    which = which_calls(request.query_params, now)
    calls, about = await parts.ledger.read(doubts.choose, which, priced=priced, now=now)
    return listed(request, [doubts.as_json(one, about) for one in calls], _UNPRICED if priced else _DOUBT)


def which_calls(asked: Mapping[str, str], now: float) -> doubts.Which:
    """What an address says of calls; raises ValueError."""
    moments = {key: filters.moment(asked[key], now) for key in ("since", "until") if asked.get(key)}
    said = {key: asked.get(key) or None for key in ("provider", "sync")}
    return doubts.Which(**said, query=asked.get("q") or None, **moments)  # type: ignore[arg-type]


async def set_aside(parts: Parts, request: Request) -> Response:
    """Answers that are kept and not believed, the newest first; `before=` is the last one of the page before."""
    before = number_of(request, "before", LAST)
    rows = await parts.ledger.read(glances.set_aside, before=before, limit=limit_of(request))
    return listed(request, rows, _ASIDE)


async def runs(parts: Parts, request: Request) -> Response:
    """The newest runs first: of one `sync=`, begun `since=`, before the run `before=`."""
    asked = request.query_params
    since = filters.moment(asked["since"], parts.clock.now()) if asked.get("since") else None
    before = number_of(request, "before", LAST)
    read = partial(reports.runs, limit=limit_of(request), before=before, since=since)
    return listed(request, await parts.ledger.read(read, asked.get("sync") or None), _RUN)


async def budgets(parts: Parts, request: Request) -> Response:
    """Each cap, and how much of it is used."""
    return listed(request, (await live(parts))["budgets"], _BUDGET)


async def undo(parts: Parts, request: Request) -> Response:
    """What `POST /api/undo` would put back: of `run=`, `sync=`, `contact=`, `since=`, `until=`."""
    wanted = undoing.wanted({key: request.query_params.get(key, "") for key in undoing.KEYS}, parts.clock.now())
    values = await parts.ledger.read(undos.find, wanted)
    rows = [one.as_json() for one in values]
    n = sum(not one.why_not for one in values)
    return listed(request, rows, _VALUE, {"put_back": n, "left": len(values) - n, "values": rows})


async def suppressions(parts: Parts, request: Request) -> Response:
    """Who is left alone: why, by whom and since when; whom an entry is about can't be read from it."""
    return listed(request, await parts.ledger.read(rights.listed), _ENTRY)


LISTS = {
    "contacts": contacts, "reviews": reviews, "in-doubt": in_doubt, "set-aside": set_aside, "runs": runs,
    "budgets": budgets, "undo": undo, "suppressions": suppressions,
}  # fmt: skip


async def show(name: str, parts: Parts, request: Request) -> Response:
    """One of LISTS."""
    try:
        return await LISTS[name](parts, request)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)


def limit_of(request: Request) -> int:
    """How many rows are wanted; raises ValueError."""
    limit = number_of(request, "limit", USUAL)
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be a whole number from 1 to {MOST}")
    return limit


def number_of(request: Request, key: str, usual: int) -> int:
    """A whole number of an address; raises ValueError."""
    text = request.query_params.get(key) or str(usual)
    if text.isascii() and text.isdigit() and len(text) <= len(str(LAST)):
        return min(int(text), LAST)
    raise ValueError(f"limit must be a whole number from 1 to {MOST}" if key == "limit" else f"{key} must be a number")
