"""One contact, and taking back what was written: `GET /api/contacts/CONNECTION/OBJECT/ID`, `POST /api/undo`.

As `syncd show` and `syncd undo` print it with --json, values in full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd.actions import undoing
from syncd.contract.model import ContactRef
from syncd.ledger import reports, undos
from syncd.ledger.undos import Wanted
from syncd.pipeline.parts import Parts


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
    if unknown := sorted(given.keys() - {*undoing.KEYS, "do"}):
        raise ValueError(f"nothing is chosen by {unknown[0]!r}")
    if "run" in given and type(given["run"]) is not int:
        raise ValueError("run is a number")
    return undoing.wanted({key: str(given[key]) for key in undoing.KEYS if key in given}, now)
