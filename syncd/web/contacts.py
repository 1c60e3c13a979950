"""`GET /api/contacts`: what `syncd contacts --json` prints."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd import filters
from syncd.ledger import search
from syncd.pipeline.parts import Parts

USUAL, MOST = 50, 1000  # rows of a page


async def contacts(parts: Parts, request: Request) -> Response:
    """`?q=` is the query, `limit=` so many rows, `after=` the `next` of the page before."""
    asked = request.query_params
    try:
        limit = limit_of(request)
        wanted = filters.parse(asked.get("q", ""), now=parts.clock.now())
        found = await parts.ledger.read(search.find, wanted, limit=limit, after=asked.get("after"))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    rows = [asdict(one) for one in found.rows]
    return JSONResponse({"count": found.count, "next": found.next, "contacts": rows})


def limit_of(request: Request) -> int:
    """How many rows are wanted; raises ValueError."""
    text = request.query_params.get("limit", str(USUAL))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST):
        raise ValueError(f"limit must be a whole number from 1 to {MOST}")
    return int(text)
