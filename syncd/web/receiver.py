"""The private listener of a process that only takes callbacks: health, readiness, metrics. The pages and the API are on
the workers.

`/readyz` says whether this process may be taken away without a loss, and whether it can do its work; a balancer asks
the public listener's `/healthz`, which is red only while the process is about to end.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syncd.config import OnLedgerDown, Port
from syncd.observe import metrics
from syncd.pages.sessions import Sessions
from syncd.pipeline.parts import Parts

from .access import Access
from .hosts import KnownHosts
from .intake import Intake


def application(parts: Parts, intake: Intake) -> Starlette:
    """`/healthz`, `/readyz`, `/metrics`; all else is a 404."""
    shown = _Shown(parts, intake)
    admin = parts.settings.admin
    sessions = Sessions(None if admin.token is None else admin.token.get_secret_value())
    app = Starlette(
        routes=[
            Route("/healthz", shown.health),
            Route("/readyz", shown.ready),
            Route("/metrics", shown.metrics),
        ],
        middleware=[
            Middleware(KnownHosts, hosts={"localhost", *admin.hosts}),
            Middleware(Access, sessions=sessions),
        ],
    )
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return app


class _Shown:
    def __init__(self, parts: Parts, intake: Intake) -> None:
        self._parts, self._intake = parts, intake

    async def health(self, _: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """Each obstacle in a line, or as JSON where that is what is accepted."""
        found = list(self._obstacles())
        code = 503 if found else 200
        if "application/json" in request.headers.get("accept", ""):
            told = [dict(zip(("who", "why", "cure"), one, strict=True)) for one in found]
            return JSONResponse({"ready": not found, "obstacles": told, "notes": []}, code)
        return PlainTextResponse("\n".join([f"{who}: {why}" for who, why, _ in found] or ["ready"]) + "\n", code)

    def _obstacles(self) -> Iterator[tuple[str, str, str]]:
        """Who, why, and what to do."""
        intake = self._intake
        if intake.draining:
            yield "receiver", "it is about to end", "Nothing: balancers send it no more callbacks."
        if intake.down and (refusing := self._refusing()):
            why = f"{intake.down}; callbacks of {', '.join(refusing)} are refused (503)"
            yield "ledger", why, "Look at PostgreSQL; these callbacks are sent again for some minutes only."
        if waiting := intake.waiting.callbacks:
            why = f"{waiting} callbacks wait on this host until the ledger has them"
            yield "spool", why, "Keep this host and its disk until there are none; look at PostgreSQL."

    def _refusing(self) -> list[str]:
        every = self._parts.settings.connections.values()
        return [one.name for one in every if one.port is Port.PROVIDER and one.on_ledger_down is OnLedgerDown.REFUSE]

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        ready, answers = not list(self._obstacles()), not self._intake.down
        told = metrics.of_receiver(self._parts, self._intake.waiting, ready=ready, answers=answers)
        return Response(told, media_type=metrics.CONTENT_TYPE)
