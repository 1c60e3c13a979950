"""The private listener: health, metrics, and what the operator looks at and decides.

Bound to loopback by default; a token guards it where it is not, and only known Host names are
answered, so that a web page elsewhere can't reach it through a rebound name.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syncd import words
from syncd.ledger import reviews
from syncd.observe import metrics
from syncd.observe.status import live
from syncd.observe.trial import WITHIN, Trial
from syncd.pages.sessions import Sessions
from syncd.pipeline.parts import Parts

from . import acts, lists, report, runs
from .access import Access, Message, Receive, Send
from .enrich import enrich
from .hosts import KnownHosts

log = structlog.get_logger("syncd.pages")


def application(parts: Parts, *, commit_within: float = WITHIN) -> Starlette:
    """`/healthz`, `/readyz`, `/metrics`, and `/api/`, which tells and does what the commands do; all else are pages."""
    api = _Api(parts, commit_within)
    token = parts.settings.admin.token
    sessions = Sessions(None if token is None else token.get_secret_value())
    app = Starlette(
        routes=[
            Route("/healthz", api.health),
            Route("/readyz", api.ready),
            Route("/metrics", api.metrics),
            Route("/api/status", api.status),
            Route("/api/words", api.words),
            *(Route(f"/api/{name}", partial(lists.show, name, parts), methods=["GET"]) for name in lists.LISTS),
            Route("/api/contacts/{connection}/{object}/{id}", partial(runs.journey, parts)),
            Route("/api/report", partial(report.report, parts)),
            Route("/api/enrich", partial(enrich, parts), methods=["POST"]),
            Route("/api/undo", partial(runs.undo, parts), methods=["POST"]),
            *(Route(f"/api/{name}", partial(acts.do, name, parts), methods=["POST"]) for name in acts.ACTS),
            Route("/api/reviews/{decision}", api.decide, methods=["POST"]),
        ],
        middleware=[
            Middleware(KnownHosts, hosts=["localhost", *parts.settings.admin.hosts]),
            Middleware(Access, sessions=sessions),
        ],
    )
    app.router.default = Pages(parts, sessions)  # all that is not above
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return app


class Pages:
    """The operator's pages, imported by the first one that is asked for."""

    def __init__(self, parts: Parts, sessions: Sessions) -> None:
        self._parts, self._sessions = parts, sessions
        self._making: asyncio.Future[Any] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make))  # callbacks are taken meanwhile
        try:
            app = await asyncio.shield(self._making)
        except (ImportError, OSError) as error:  # a package is missing, or was exchanged under a running daemon
            self._making = None
            log.error("pages_missing", why=str(error))
            said = f"the pages can't be loaded: {error}; install syncd again, then restart it\n"
            app = PlainTextResponse(said, 503)
        await app(scope, receive, send)

    def _make(self) -> Any:
        from syncd.pages.app import application as pages  # noqa: PLC0415 - an idle daemon does without

        return pages(self._parts, self._sessions)


class _Api:
    def __init__(self, parts: Parts, commit_within: float) -> None:
        self._parts = parts
        self._trial = Trial(parts.ledger, commit_within)

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
            ledger = {"kind": "late", "who": "ledger", "why": why, "cure": "Look at the disk that it is on."}
            return [*found, _told(ledger)], []
        conditions = (await live(self._parts))["conditions"]
        blocking = [_told(one) for one in conditions if one["blocks"]]
        return blocking, [_told(one) for one in conditions if not one["blocks"]]

    async def status(self, _: Request) -> Response:
        """What `syncd status --json` prints."""
        return JSONResponse(await live(self._parts))

    async def words(self, _: Request) -> Response:
        """How each state is shown, and what it means."""
        return JSONResponse(words.as_json())

    async def decide(self, request: Request) -> Response:
        """`POST /api/reviews/accept` or `…/refuse` with `{"ids": [1, 2], "reason": "…"}`: how many were open."""
        decision = {"accept": reviews.ACCEPTED, "refuse": reviews.REFUSED}.get(request.path_params["decision"])
        if decision is None or request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "POST JSON to /api/reviews/accept or /api/reviews/refuse"}, 404)
        try:
            given = json.loads(await request.body())
            ids, reason = given["ids"], given.get("reason", "")
        except (ValueError, KeyError, TypeError, AttributeError):
            ids, reason = None, ""
        if not isinstance(ids, list) or not all(type(id_) is int for id_ in ids) or not isinstance(reason, str):
            return JSONResponse({"error": 'send {"ids": [1, 2]}, as /api/reviews shows them'}, 400)
        now = self._parts.clock.now()
        decided = await self._parts.ledger.write(reviews.decide, ids, decision, acts.BY, now=now, reason=reason)
        self._parts.bells.ring("verify")
        return JSONResponse({"decided": decided})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        return Response(await metrics.scrape(self._parts, self._trial.took), media_type=metrics.CONTENT_TYPE)


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    """A condition, for a script that asks whether syncd is ready."""
    told = {key: one.get(key, "") for key in ("kind", "who", "why", "cure")}
    code = one.get("code") or told["kind"].replace("_", "-")
    return told | {"code": code} | {key: one.get(key) for key in ("since", "until")}
