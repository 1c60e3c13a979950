"""What was written, and taking it back: `GET /api/runs`, `GET /api/contacts/CONNECTION/OBJECT/ID`, `POST /api/undo`.

As `syncd runs`, `syncd show` and `syncd undo` print it with --json, values in full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd import filters
from syncd.contract.model import ContactRef
from syncd.ledger import reports, undos
from syncd.ledger.undos import Wanted
from syncd.pipeline.parts import Parts

from .contacts import limit_of

_KEYS = ("run", "sync", "contact", "since", "until", "do")


async def runs(parts: Parts, request: Request) -> Response:
    """`?sync=` is one sync's, `limit=` so many."""
    try:
        limit = limit_of(request)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(await parts.ledger.read(reports.runs, request.query_params.get("sync"), limit=limit))


async def journey(parts: Parts, request: Request) -> Response:
    """One contact's whole way, each written value with its run, its policy and its cost."""
    ref = ContactRef(**{key: request.path_params[key] for key in ("connection", "object", "id")})
    found = await parts.ledger.read(reports.journey, ref, parts.listed_prices)
    return JSONResponse({"error": f"the ledger knows no {ref}"}, 404) if found is None else JSONResponse(found)


async def undo(parts: Parts, request: Request) -> Response:
    """`{"run": 118}`, or sync, contact, since, until: what would be put back; with `"do": true` it is."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": "POST JSON to /api/undo"}, 400)
    try:
        given = json.loads(await request.body())
        wanted = _wanted(given, now=parts.clock.now())
    except (ValueError, TypeError, AttributeError) as error:
        return JSONResponse({"error": f'send {{"run": 118}}, or sync, contact, since, until: {error}'}, 400)
    run = None
    if given.get("do") is True:
        work = parts.ledger.write(undos.ask_for, wanted, "the private API", now=parts.clock.now())
        values, run = await work
        parts.bells.ring("undo")
    else:
        values = await parts.ledger.read(undos.find, wanted)
    n = sum(not one.why_not for one in values)
    told = {"put_back": n, "left": len(values) - n, "done": run is not None, "run": run}
    return JSONResponse({**told, "values": [one.as_json() for one in values]})


def _wanted(given: Mapping[str, Any], *, now: float) -> Wanted:
    """Raises ValueError where something is not meant to be there, or nothing is said."""
    said = {key: value for key, value in given.items() if key != "do"}
    if unknown := sorted(given.keys() - {*_KEYS}):
        raise ValueError(f"nothing is chosen by {unknown[0]!r}")
    if not said:
        raise ValueError("say what")
    if "run" in said and type(said["run"]) is not int:
        raise ValueError("run is a number")
    contact = ContactRef.parse(str(said["contact"])) if "contact" in said else None
    moments = {key: filters.moment(str(said[key]), now) for key in ("since", "until") if key in said}
    sync = str(said["sync"]) if "sync" in said else None
    return Wanted(run=said.get("run"), sync=sync, contact=contact, **moments)
