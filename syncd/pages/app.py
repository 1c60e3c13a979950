"""The addresses of the pages. `SITE_ACTIONS` are those that change something: each is a command and in the API, too."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from syncd.pipeline.parts import Parts

from . import contacts, doubts, money, overview, review, rights, runs, settings, syncs
from .sessions import Sessions
from .site import HERE, Site, View, Wrong

WRONG_TOKEN = 1.0  # seconds after which a wrong token is answered
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ASSETS = {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in (HERE / "static").iterdir()}

# What can be done here: the page that asks, the page that does, and the command that does the same.
SITE_ACTIONS: dict[str, tuple[str, View, View]] = {
    "pause": ("/pause", syncs.ask_pause, syncs.pause),
    "resume": ("/resume", syncs.ask_resume, syncs.resume),
    "pull": ("/pull", syncs.ask_pull, syncs.pull),
    "review": ("/review/{decision}", review.confirm, review.decide),
    "in-doubt": ("/doubts/{what}", doubts.confirm, doubts.resolve),
    "retry": ("/retry", contacts.ask_again, contacts.again),
    "undo": ("/undo", runs.ask_undo, runs.undo),
    "stop": ("/stop", runs.ask_stop, runs.stop),
    "enrich": ("/enrich", contacts.ask_enrich, contacts.enrich),
    "suppress": ("/suppress", rights.ask_suppress, rights.suppress),
    "unsuppress": ("/unsuppress", rights.ask_unsuppress, rights.unsuppress),
    "forget": ("/forget", rights.ask_forget, rights.forget),
    "export": ("/export", rights.ask_export, rights.export),
}


def application(parts: Parts, sessions: Sessions) -> Any:
    """All pages, the stream of figures, and what they are made of."""
    site = Site(parts, sessions)
    pages: dict[str, View] = {
        "/": overview.overview,
        "/syncs": syncs.syncs,
        "/syncs/{name}": syncs.sync,
        "/contacts": contacts.contacts,
        "/journey.csv": contacts.journey_csv,
        "/contacts/{connection}/{object}/{id}": contacts.contact,
        "/deliveries/{id:int}": contacts.delivery,
        "/review": review.review,
        "/review/{id:int}": review.one,
        "/doubts": doubts.doubts,
        "/providers": money.providers,
        "/runs": runs.runs,
        "/runs/{id:int}": runs.progress,
        "/budgets": money.budgets_,
        "/settings": settings.settings,
        "/suppressions": rights.listed,
    }
    routes = [Route(path, site.handler(view), methods=["GET"]) for path, view in pages.items()]
    for path, asks, does in SITE_ACTIONS.values():
        routes += [Route(path, site.handler(_known(asks)), methods=["GET"])]
        routes += [Route(path, site.handler(_known(does)), methods=["POST"])]
    routes += [
        Route("/login", site.handler(_login), methods=["GET", "POST"]),
        Route("/logout", site.handler(_logout), methods=["POST"]),
        Route("/live", _live(site)),
        Route("/static/{name}", _static),
    ]

    async def not_found(request: Request, _: Exception) -> Response:
        return site.trouble(request, 404, "There is nothing here.")

    app = Starlette(routes=routes, exception_handlers={404: not_found})
    app.router.redirect_slashes = False
    return app


def _known(view: View) -> View:
    """Of an action with a choice in its address: only what there is."""

    async def checked(site: Site, request: Request) -> Response:
        choice = request.path_params
        if choice.get("decision", "accept") not in {"accept", "refuse"}:
            raise Wrong("There is nothing here.", 404)
        if choice.get("what", doubts.PRICED) not in {*doubts.WHAT, doubts.PRICED}:
            raise Wrong("There is nothing here.", 404)
        return await view(site, request)

    return checked


async def _login(site: Site, request: Request) -> Response:
    where = request.query_params.get("next", "/")
    if request.method == "GET":
        return await site.login(request, where)
    form = request.state.form
    if not site.sessions.knows(form.get("token")):
        site.note(request, "login refused")
        await asyncio.sleep(WRONG_TOKEN)
        return await site.login(request, form.get("next"), "That is not the admin.token of the configuration.")
    session = site.sessions.begin(form.get("name"))
    request.scope["session"] = session
    site.note(request, "login")
    return site.log_in(request, session, form.get("next"))


async def _logout(site: Site, request: Request) -> Response:
    site.note(request, "logout")
    return site.log_out(request)


def _live(site: Site) -> Any:
    async def live(request: Request) -> Response:
        if request.scope["locked"]:
            return PlainTextResponse("log in first\n", 401)
        if site.live.is_full:
            return PlainTextResponse("enough pages are told already: load this one again to see what is new\n", 503)
        stopping = request.scope.get("extensions", {}).get("syncd.stopping") or asyncio.Event()
        headers = {"x-accel-buffering": "no"}  # nginx would keep it until it is long
        return StreamingResponse(site.live.stream(stopping), media_type="text/event-stream", headers=headers)

    return live


async def _static(request: Request) -> Response:
    asset = ASSETS.get(request.path_params["name"])
    if asset is None:
        return PlainTextResponse("there is nothing here\n", 404)
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(asset[0], media_type=asset[1], headers=headers)
