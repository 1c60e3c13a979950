"""The private listener: health, metrics, and what the operator looks at and decides.

Bound to loopback by default; a token guards it where it is not, and only known Host names are
answered, so that a web page elsewhere can't reach it through a rebound name.
"""

from __future__ import annotations

import hmac
import html
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syncd.config import ConditionKind
from syncd.ledger import budgets, reconciliation, reviews, runway
from syncd.observe import metrics
from syncd.observe.status import live
from syncd.observe.trial import WITHIN, Trial
from syncd.pipeline.parts import Parts

from . import report, runs
from .contacts import contacts
from .hosts import OPEN, KnownHosts

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width">
<title>syncd</title><style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100%; margin: .5rem 0 2rem }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884 }}
th.n, td.n {{ text-align: right; font-variant-numeric: tabular-nums }} .bad {{ color: #c33; font-weight: 600 }}
</style></head><body><h1>syncd</h1>{body}</body></html>"""


def application(parts: Parts, *, commit_within: float = WITHIN) -> Starlette:
    """`/`, `/healthz`, `/readyz`, `/metrics`, and `/api/` status, contacts, runs, undo, reviews."""
    pages = _Pages(parts, commit_within)
    app = Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/healthz", pages.health),
            Route("/readyz", pages.ready),
            Route("/metrics", pages.metrics),
            Route("/api/status", pages.status),
            Route("/api/contacts", partial(contacts, parts)),
            Route("/api/contacts/{connection}/{object}/{id}", partial(runs.journey, parts)),
            Route("/api/report", partial(report.report, parts)),
            Route("/api/runs", partial(runs.runs, parts)),
            Route("/api/undo", partial(runs.undo, parts), methods=["POST"]),
            Route("/api/reviews", pages.reviews),
            Route("/api/reviews/{decision}", pages.decide, methods=["POST"]),
        ],
        middleware=[
            Middleware(KnownHosts, hosts=["localhost", *parts.settings.admin.hosts]),
            Middleware(BaseHTTPMiddleware, dispatch=pages.guard),
        ],
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return app


class _Pages:
    def __init__(self, parts: Parts, commit_within: float) -> None:
        self._parts = parts
        self._trial = Trial(parts.ledger, commit_within)
        token = parts.settings.admin.token
        self._token = None if token is None else token.get_secret_value().encode()

    async def guard(self, request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        """Token first, safe headers last."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        needed = None if request.url.path == OPEN else self._token
        if needed is not None and not hmac.compare_digest(given, needed):
            return PlainTextResponse("send the admin.token of the configuration as a Bearer token\n", 401)
        answer = await call(request)
        answer.headers.update(_HEADERS)
        return answer

    async def health(self, _: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """Everything that is needed to work is there, and the work goes on; otherwise each obstacle in a line, or
        with its cure as JSON where that is what is accepted. What wants a person and stops nothing comes after it."""
        blocking, notes = await self._conditions()
        code = 503 if blocking else 200
        if "application/json" in request.headers.get("accept", ""):
            told = {"ready": not blocking, "obstacles": blocking, "notes": notes}
            return JSONResponse(told, code)
        lines = [f"{one['who']}: {one['why']}" for one in blocking]
        notes_ = [f"note: {one['who']}: {one['why']}" for one in notes]
        return PlainTextResponse("\n".join([*(lines or ["ready"]), *notes_]) + "\n", code)

    async def _conditions(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What blocks, and what else is to be told."""
        if why := await self._trial.why():
            rows = self._parts.symptoms.rows(self._parts.liveness, self._parts.calls, self._parts.clock.now())
            found = [_told({**row, "until": None}) for row in rows if row["who"] != "ledger"]
            return [
                *found,
                {
                    **_told({"kind": ConditionKind.LATE.value}),
                    "who": "ledger",
                    "why": why,
                    "cure": "Look at the disk that it is on.",
                },
            ], []
        conditions = (await live(self._parts))["conditions"]
        blocking = [_told(one) for one in conditions if one["blocks"]]
        return blocking, [_told(one) for one in conditions if not one["blocks"]]

    async def status(self, _: Request) -> Response:
        """What `syncd status --json` prints."""
        return JSONResponse(await live(self._parts))

    async def reviews(self, _: Request) -> Response:
        """What `syncd review list --json` prints: every value that waits for a person, unmasked."""
        waiting = await self._parts.ledger.read(reviews.waiting, self._parts.listed_prices)
        return JSONResponse([one.as_json() for one in waiting])

    async def decide(self, request: Request) -> Response:
        """`POST /api/reviews/accept` or `…/refuse` with `{"ids": [1, 2]}`: how many were still open."""
        decision = {"accept": reviews.ACCEPTED, "refuse": reviews.REFUSED}.get(request.path_params["decision"])
        if decision is None or request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "POST JSON to /api/reviews/accept or /api/reviews/refuse"}, 404)
        try:
            ids = json.loads(await request.body())["ids"]
        except (ValueError, KeyError, TypeError):
            ids = None
        if not isinstance(ids, list) or not all(type(id_) is int for id_ in ids):
            return JSONResponse({"error": 'send {"ids": [1, 2]}, as /api/reviews shows them'}, 400)
        now = self._parts.clock.now()
        decided = await self._parts.ledger.write(reviews.decide, ids, decision, "the private API", now=now)
        self._parts.bells.ring("verify")
        return JSONResponse({"decided": decided})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        return Response(await metrics.scrape(self._parts, self._trial.took), media_type=metrics.CONTENT_TYPE)

    async def overview(self, _: Request) -> Response:
        """One page that says where everything stands."""
        return HTMLResponse(_PAGE.format(body=_overview(await live(self._parts))))


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    """A condition, for a script that asks whether syncd is ready."""
    told = {key: one.get(key, "") for key in ("kind", "who", "why", "cure")}
    code = one.get("code") or told["kind"].replace("_", "-")
    return told | {"code": code} | {key: one.get(key) for key in ("since", "until")}


def _overview(status: dict[str, Any]) -> str:
    jobs = [[r["sync"], r["field"], r["state"], r["reason"].replace("_", " "), r["n"]] for r in status["jobs"]]
    pulls = [[n, _when(r["started_at"]), r["error"], r["contacts"]] for n, r in status["runs"].items()]
    return (
        "".join(
            _trouble(f"{one['who']} {one['what']}: {one['why']}", one["cure"])
            for one in status["conditions"]
            if one["kind"] != ConditionKind.REVIEW  # there is a table of those
        )
        + _waiting(status["reviews"])
        + ("" if jobs else "<p>No job yet.</p>")
        + _table("Jobs", ["sync", "field", "state", "reason"], ["jobs"], jobs)
        + _table(
            "Credits", ["provider"], ["calls", "charged", "assumed", "reserved", "in doubt", "balance"], _spent(status)
        )
        + _table("Budgets", ["budget"], ["used"], [[one["budget"], budgets.in_words(one)] for one in status["budgets"]])
        + _table("Balances", ["provider"], ["last"], _lasting(status))
        + _table("Balances that differ from the charges", ["provider", "difference"], [], _differences(status))
        + _table("Last pull", ["sync", "started (UTC)", "error"], ["contacts"], pulls)
        + _table("Counted", ["what"], ["times"], [[k.replace("_", " "), v] for k, v in status["tallies"].items()])
    )


def _lasting(status: dict[str, Any]) -> list[list[Any]]:
    return [[name, words] for name, one in status["balances"].items() if (words := runway.in_words(one))]


def _spent(status: dict[str, Any]) -> list[list[Any]]:
    balances = {name: one["balance"] for name, one in status["connections"].items()}
    kinds = ("submissions", *metrics.KINDS)
    return [[name, *(c[kind] for kind in kinds), balances.get(name) or ""] for name, c in status["credits"].items()]


def _differences(status: dict[str, Any]) -> list[list[Any]]:
    return [[name, words] for name, one in status["reconciliation"].items() if (words := reconciliation.in_words(one))]


def _waiting(reviews: dict[str, Any]) -> str:
    rows = [[why, n] for why, n in reviews["why"].items()]
    return _table("Waiting for a person", ["because"], ["values"], rows)


def _trouble(what: str, cure: str) -> str:
    return f'<p><span class="bad">{html.escape(what)}</span><br>{html.escape(cure)}</p>'


def _table(title: str, words: list[str], numbers: list[str], rows: list[list[Any]]) -> str:
    """A table, nothing without rows; the columns of `numbers` follow those of `words`."""
    kinds = [""] * len(words) + [' class="n"'] * len(numbers)
    head = "".join(f"<th{kind}>{html.escape(h)}</th>" for kind, h in zip(kinds, words + numbers, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, kinds, row))}</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""


def _cell(kind: str, value: Any) -> str:
    return f"<td{kind}>{html.escape(f'{value:.10g}' if isinstance(value, float) else str(value))}</td>"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
