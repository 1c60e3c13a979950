"""HubSpot on HTTP: both families of paths, the order of checks, the limits, the faults of the line.

`HubSpot.portal` is the account behind it. What each call does is in `objects`, `writing`, `catalogue`.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.sandbox.answers import VendorApp
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.people import Ending
from syncd.sandbox.world import World

from . import line, seed
from .access import COMPANIES, READ, Access, Gates, OAuthApp, Token
from .lists import Lists
from .operations import Call, Operation, operations
from .portal import Portal
from .replies import Refusal, expired, invalid, lacks_scopes, searched_too_often, too_often, unauthenticated
from .search import unknown_type

_LONGEST_URL = 16_200  # characters


class HubSpot:
    """One emulated account, filled with the world's records."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        faults: Faults,
        rng: random.Random,
        *,
        tokens: Iterable[Token] = (Token(),),
        oauth: OAuthApp | None = None,
        tier: str = "starter",
        time_zone: str = "Europe/Paris",
        index_lag: tuple[float, float] = (0.5, 8.0),
        latency: float = 0.0,
        unlimited: bool = False,
        without_properties: Iterable[str] = (),
    ) -> None:
        """`index_lag`: least and most seconds until searches see a change; `latency`: seconds per call, both of
        the sandbox clock. `tier`: starter, professional, enterprise. `unlimited`: no 429 but by fault.
        """
        self.clock, self.faults, self.latency = clock, faults, latency
        self.tokens = tuple(tokens)
        self.oauth = oauth or OAuthApp()
        self.access = Access(clock, self.tokens, self.oauth)
        self.gates = Gates(clock, tier, time_zone, unlimited=unlimited)
        self.portal = Portal(clock, rng, lambda: rng.uniform(*index_lag), without_properties)
        seed.fill(self.portal, world)
        self.lists = Lists(self.portal)
        self.calls: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self._closing = asyncio.Event()
        self.app = VendorApp(routes=self._routes())
        self.app.router.redirect_slashes = False

    @property
    def token(self) -> str:
        """A credential that opens the account."""
        return self.tokens[0].text if self.tokens else ""

    def endings(self) -> dict[int, Ending]:
        """How each record of the world ended up: what the judge compares."""
        return self.portal.endings()

    def human_edit(self, contact_id: int | str, name: str, value: str, user_id: int = 28604240) -> None:
        """A colleague sets a property now; see Portal.human_edit."""
        self.portal.human_edit(contact_id, name, value, user_id)

    async def aclose(self) -> None:
        """Let silent answers end."""
        self._closing.set()

    # --- routing ---

    def _routes(self) -> list[Route]:
        routes = [Route(path, self._refresh, methods=["POST"]) for path in ("/oauth/v1/token", "/oauth/v3/token")]
        routes.append(Route("/oauth/2026-03/token", self._refresh, methods=["POST"]))
        for one in operations(self.portal, self.lists, self.gates, self.faults):
            for path, dated in zip(one.paths, (False, True), strict=True):
                routes.append(Route(path, self._endpoint(one, dated=dated), methods=[one.method]))
        return routes

    # --- one request ---

    def _endpoint(self, operation: Operation, *, dated: bool) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            self.calls[operation.name] += 1
            if self.latency:
                await self.clock.sleep(self.latency)
            try:
                text = (await request.body()).decode("utf-8", "replace")
            except ClientDisconnect:
                return Response(status_code=499)
            prefixes = _prefixes(operation, text)
            spoilt = await line.before(self.faults, prefixes, self._closing)
            if spoilt is not None:
                return self._counted(spoilt)
            with self.portal.lock:
                answer = self._answer(operation, request, text, dated=dated)
            if operation.name == "batch/update" and answer.status_code < 300:
                answer = await line.after(self.faults, "hubspot_update", answer, self._closing)
            return self._counted(await line.midway(self.faults, prefixes, answer, self._closing))

        return endpoint

    def _counted(self, answer: Response) -> Response:
        self.answers[answer.status_code] += 1
        return answer

    def _answer(self, operation: Operation, request: Request, text: str, *, dated: bool) -> Response:
        """The checks in HubSpot's order: credential, limits, object type, body, scopes; then the work."""
        self.portal.settle()
        headers: dict[str, str] = {}
        try:
            token = self._admit(request)
            headers = self._pass_gates(operation, token)
            kind = request.path_params.get("kind", "contacts")
            kind = {"0-1": "contacts", "0-2": "companies", "contact": "contacts", "company": "companies"}.get(
                kind, kind
            )
            self._check_target(request, kind)
            body = _parsed(text) if operation.method == "POST" else None
            self._check_scope(operation, token, kind)
            call = Call(
                token, kind, request.path_params, request.query_params, body, len(text), request.url.path, dated
            )
            status, answer = operation.run(call)
        except Refusal as refusal:
            return _response(refusal.status, refusal.body, {**headers, **refusal.headers})
        return _response(status, answer, headers)

    def _admit(self, request: Request) -> Token:
        if self.faults.take("hubspot_unauthenticated") is not None:
            raise unauthenticated()
        if (ago := self.faults.take("hubspot_expired")) is not None:
            now = self.portal.now_ms()
            raise expired(0 if ago == "malformed" else now - int(float(ago or 75) * 1000), now)
        return self.access.admit(request.headers.get("authorization"))

    def _pass_gates(self, operation: Operation, token: Token) -> dict[str, str]:
        searching = operation.name == "search"
        if self.faults.take("hubspot_daily") is not None:
            raise too_often("DAILY")
        if not searching and self.faults.take("hubspot_burst") is not None:
            raise too_often("TEN_SECONDLY_ROLLING")
        if searching and (wording := self.faults.take("hubspot_secondly")) is not None:
            raise searched_too_often(wording == "newer")
        return self.gates.admit(token, search=searching)

    def _check_target(self, request: Request, kind: str) -> None:
        if len(str(request.url)) > _LONGEST_URL:
            raise Refusal(414, "<html><body><h1>414 Request-URI Too Large</h1></body></html>")
        if kind not in self.portal.catalogues:
            raise Refusal(400, unknown_type(kind))

    def _check_scope(self, operation: Operation, token: Token, kind: str) -> None:
        scope = COMPANIES if kind == "companies" and operation.scope == READ else operation.scope
        taken = self.faults.take("hubspot_forbidden")
        wanted = set(taken.split(",")) if taken else {scope or READ}
        granted = token.scopes - set((self.faults.setting("hubspot_scope_gone") or "").split(","))
        if taken is not None or (scope is not None and scope not in granted):
            raise lacks_scopes(wanted)

    async def _refresh(self, request: Request) -> Response:
        self.calls["oauth/token"] += 1
        form = dict(parse_qsl((await request.body()).decode()))
        if "2026-03" not in request.url.path:  # the dated path takes a form body only
            form = {**request.query_params, **form}
        try:
            return self._counted(_response(200, self.access.refresh(form), {}))
        except Refusal as refusal:
            return self._counted(_response(refusal.status, refusal.body, {}))


def _prefixes(operation: Operation, text: str) -> tuple[str, ...]:
    """Whose faults of the line may strike a call. An update of nothing only asks whether one may: what is to
    strike updates waits for one that carries something."""
    asks = operation.name == "batch/update" and text.replace(" ", "") == '{"inputs":[]}'
    return ("hubspot",) if asks else ("hubspot", f"hubspot_{operation.group}")


def _parsed(text: str) -> Any:
    try:
        body = json.loads(text)
    except json.JSONDecodeError as problem:
        raise invalid(
            f"Invalid input JSON on line {problem.lineno}, column {problem.colno}: {problem.msg}"
        ) from problem
    if not isinstance(body, Mapping):
        raise invalid("Invalid input JSON on line 1, column 1: an object is expected")
    return body


def _response(status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str]) -> Response:
    headers = {"X-HubSpot-Correlation-Id": str(uuid.uuid4()), **headers}
    if isinstance(body, str):
        return Response(body, status, headers, "text/html;charset=iso-8859-1")
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers, "application/json;charset=utf-8")
