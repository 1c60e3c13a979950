"""`POST /api/enrich`: these contacts, now. What was decided on each, and what it can cost at the most."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd.actions import enriching
from syncd.actions.enriching import MOST
from syncd.config import Sync
from syncd.contract.errors import ConnectorError
from syncd.contract.model import ContactRef
from syncd.pipeline import account, requests
from syncd.pipeline.parts import Parts

_HOW = 'send {"contacts": ["hubspot-eu/contacts/501"]}, and perhaps "sync"'


async def enrich(parts: Parts, request: Request) -> Response:
    """`{"contacts": ["hubspot-eu/contacts/501", …], "sync": "contacts"}`, at most a hundred of one sync."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": "POST JSON to /api/enrich"}, 400)
    try:
        refs, sync = _wanted(parts.settings.syncs, json.loads(await request.body()))
    except (ValueError, TypeError, AttributeError) as error:
        return JSONResponse({"error": f"{_HOW}: {error}"}, 400)
    try:
        await account.require(parts, sync.crm)
        wishes = await requests.enrich(parts, sync, refs)
    except ConnectorError as error:
        return JSONResponse({"error": f"{sync.crm} could not be read: {error}"}, 503)
    told = [one.as_json() for one in wishes]
    worst = sum(one["worst_case_credits"] for one in told)
    held_up = parts.gate.why(sync.name)
    return JSONResponse({"contacts": told, "worst_case_credits": worst, "nothing_is_bought_because": held_up or None})


def _wanted(syncs: Sequence[Sync], given: Mapping[str, Any]) -> tuple[list[ContactRef], Sync]:
    """Raises ValueError with what is wrong."""
    if unknown := sorted(given.keys() - {"contacts", "sync"}):
        raise ValueError(f"nothing is chosen by {unknown[0]!r}")
    named = given.get("contacts")
    if not isinstance(named, list) or not 0 < len(named) <= MOST:
        raise ValueError(f"contacts must be a list of 1 to {MOST}")
    refs = list(dict.fromkeys(ContactRef.parse(str(one)) for one in named))
    return refs, enriching.sync_for(syncs, refs, given.get("sync"))
