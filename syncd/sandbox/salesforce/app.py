"""Salesforce on HTTP: the logins, the versions, the order of checks, the faults of the line.

`Salesforce.org` is the org behind it. Everything under /services/data/vXX.X/ goes through `operations`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from syncd.sandbox.answers import VendorApp
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.people import Ending
from syncd.sandbox.world import World

from . import line, seed
from .access import Access, Keys, LoginRefused
from .bulk import Bulk
from .calls import JSON_TYPE, Answer, Call, Operation
from .collections import Collections
from .operations import dispatcher
from .org import ORG_ID, Org
from .reading import Reader
from .replies import EDGE_PAGE, Refusal, expired, not_found
from .rows import Rows
from .saving import Saver
from .schema import Features, Schema
from .usage import Usage

OLDEST, NEWEST = 31, 68  # API versions: Summer '14 to Winter '27
_LONGEST = 16_384  # bytes of an address, or of an address and headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the org is set up; defaults are those of a stock production org.

    `without_fields`, `read_only_fields`: like Contact.Phone. `tracked_fields`: whose history is kept. `opt_outs`:
    whether the user may see HasOptedOutOfEmail and DoNotCall. `individuals`: whether people have an Individual with
    their preferences ("Data Protection and Privacy"). `compares`: the stamp that conditions are about.
    Seconds, of the sandbox clock, are: `session_life`, `commit_lag` (least and most, of what colleagues do in due
    course), `bulk_delay`, `latency` (of every call).
    """

    keys: Keys = field(default_factory=Keys)
    session_life: float = 7200.0
    session_calls: int | None = None
    password_flow: bool = False
    soap_login: bool = True
    daily_limit: int = 115_000
    per_app_limit: int | None = None
    opt_outs: bool = False
    individuals: bool = False
    person_accounts: bool = False
    tracked_fields: tuple[str, ...] = ()
    linkedin_field: str = "LinkedIn_Profile__c"
    without_fields: tuple[str, ...] = ()
    read_only_fields: tuple[str, ...] = ()
    assignment_rule: bool = True
    duplicate_rules: bool = True
    compares: str = "LastModifiedDate"
    commit_lag: tuple[float, float] = (0.0, 0.0)
    bulk_delay: float = 2.0
    latency: float = 0.0
    is_sandbox: bool = False

    def features(self) -> Features:
        """What this means for objects and fields."""
        return Features(
            opt_outs=self.opt_outs,
            individuals=self.individuals,
            person_accounts=self.person_accounts,
            tracked=frozenset(self.tracked_fields),
            linkedin=self.linkedin_field,
            hidden=frozenset(self.without_fields),
            read_only=frozenset(self.read_only_fields),
        )


class Salesforce:
    """One emulated org, filled with the world's Salesforce records."""

    def __init__(self, world: World, clock: SandboxClock, faults: Faults, rng: random.Random, **options: Any) -> None:
        """`options`: those of Settings."""
        self.settings = Settings(**options)
        self.clock, self.faults = clock, faults
        self.keys = self.settings.keys
        self.access = Access(
            clock,
            faults,
            self.keys,
            life=self.settings.session_life,
            calls=self.settings.session_calls,
            password_flow=self.settings.password_flow,
            soap=self.settings.soap_login,
        )
        self.usage = Usage(clock, faults, self.settings.daily_limit, self.settings.per_app_limit)
        self.org = Org(clock, rng, Schema(self.settings.features(), faults), self.settings.commit_lag)
        seed.fill(self.org, world, sandbox=self.settings.is_sandbox)
        self._dispatcher = self._wire()
        self.calls: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self._closing = asyncio.Event()
        methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
        self.app = VendorApp(
            routes=[
                Route("/services/oauth2/token", self._token, methods=["POST"]),
                Route("/services/oauth2/userinfo", self._user, methods=["GET"]),
                Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
                Route("/services/data", self._versions, methods=["GET"]),
                Route("/services/data/", self._versions, methods=["GET"]),
                Route("/services/data/v{version}", self._call, methods=methods),
                Route("/services/data/v{version}/{rest:path}", self._call, methods=methods),
            ]
        )
        self.app.router.redirect_slashes = False

    def endings(self) -> dict[int, Ending]:
        """How each record of the world ended up: what the judge compares."""
        return self.org.endings()

    def human_edit(self, record_id: str, name: str, value: str) -> None:
        """A colleague sets a field now; see Org.human_edit."""
        self.org.human_edit(record_id, name, value)

    async def aclose(self) -> None:
        """Let silent answers end."""
        self._closing.set()

    def _wire(self) -> Any:
        reader = Reader(self.org, self.faults, self.usage)
        saver = Saver(
            self.org,
            self.faults,
            compares=self.settings.compares,
            assignment_rule=self.settings.assignment_rule,
            duplicate_rules=self.settings.duplicate_rules,
        )
        bulk = Bulk(reader, saver, self.faults, self.settings.bulk_delay)
        return dispatcher(reader, Rows(reader, saver), Collections(reader, saver), bulk)

    # --- logins and versions ---

    async def _token(self, request: Request) -> Response:
        self.calls["token"] += 1
        prefixes = ("salesforce_login",)
        if (spoilt := await line.before(self.faults, prefixes, self._closing)) is not None:
            return self._counted(spoilt)
        form = {**request.query_params, **dict(parse_qsl((await request.body()).decode("utf-8", "replace")))}
        host = request.headers.get("host", "")
        try:
            body = self.access.token(form, request.headers.get("authorization"), host, _own_url(request))
        except LoginRefused as refused:
            error = {"error": refused.error, "error_description": refused.description}
            answer = self._response(Answer(400, error))
        else:
            answer = self._response(Answer(body=body))
        return self._counted(await line.midway(self.faults, prefixes, answer, self._closing))

    async def _soap(self, request: Request) -> Response:
        self.calls["soap/login"] += 1
        if (spoilt := await line.before(self.faults, ("salesforce_login",), self._closing)) is not None:
            return self._counted(spoilt)
        version = request.path_params["version"]
        if not _is_version(version):
            return self._counted(Response(status_code=404))
        text = (await request.body()).decode("utf-8", "replace")
        status, body = self.access.soap(version, text, _own_url(request))
        return self._counted(self._response(Answer(status, body, media="text/xml;charset=UTF-8")))

    async def _user(self, request: Request) -> Response:
        self.calls["userinfo"] += 1
        try:
            session = self.access.admit(request.headers.get("authorization"))
        except Refusal:
            return self._counted(Response("Bad_OAuth_Token", 403))
        body = {"user_id": session.user, "organization_id": ORG_ID, "preferred_username": self.keys.username}
        return self._counted(self._response(Answer(body=body)))

    async def _versions(self, _: Request) -> Response:
        """Open to everybody, and the only answer without Sforce-Limit-Info."""
        self.calls["versions"] += 1
        numbers = (f"{number}.0" for number in range(OLDEST, NEWEST + 1))
        body = [{"label": _label(one), "url": f"/services/data/v{one}", "version": one} for one in numbers]
        return self._counted(self._response(Answer(body=body)))

    # --- one call ---

    async def _call(self, request: Request) -> Response:
        address = "/" + request.path_params.get("rest", "")
        found: tuple[Operation, dict[str, str]] | Refusal
        try:
            found = self._dispatcher.find(request.method, address)
        except Refusal as refusal:
            found = refusal
        group = "other" if isinstance(found, Refusal) else found[0].group
        self.calls["unknown" if isinstance(found, Refusal) else found[0].name] += 1
        if self.settings.latency:
            await self.clock.sleep(self.settings.latency)
        prefixes = ("salesforce", f"salesforce_{group}")
        spoilt = await line.before(self.faults, prefixes, self._closing)
        if spoilt is not None:
            return self._counted(spoilt)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        with self.org.lock:
            answer = self._answer(request, found, raw)
        if group == "update" and answer.status_code < 300:
            answer = await line.after(self.faults, answer, self._closing)
        return self._counted(await line.midway(self.faults, prefixes, answer, self._closing))

    def _answer(self, request: Request, found: tuple[Operation, dict[str, str]] | Refusal, raw: bytes) -> Response:
        """The checks in order: size, version, session, limits, address; then the work."""
        self.org.settle()
        if (too_long := _too_long(request)) is not None:
            return too_long
        version = request.path_params["version"]
        try:
            if (odd := self.faults.take("salesforce_odd_401")) is not None:
                return self._odd(odd)
            _check_version(version)
            session = self.access.admit(request.headers.get("authorization"))
            self.usage.count()
            if isinstance(found, Refusal):
                raise found
            operation, path = found
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(session, version, request.method, request.query_params, headers, raw, path=path)
            return self._response(operation.run(call), limited=True)
        except Refusal as refusal:
            return self._response(Answer(refusal.status, refusal.body()), limited=True)

    def _odd(self, form: str) -> Response:
        if form == "html":
            return HTMLResponse(EDGE_PAGE.format(401), 401)
        return self._response(Answer(401, expired().body()[0]))

    def _response(self, answer: Answer, *, limited: bool = False) -> Response:
        headers = {"Date": formatdate(self.clock.now(), usegmt=True), **answer.headers}
        if limited:
            headers["Sforce-Limit-Info"] = self.usage.header()
        if answer.body is None:
            return Response(status_code=answer.status, headers=headers)
        if not answer.media.startswith("application/json"):
            # Not `media_type`, to which Starlette would add a charset.
            return Response(answer.body, answer.status, {**headers, "Content-Type": answer.media})
        text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
        return Response(text, answer.status, {**headers, "Content-Type": JSON_TYPE})

    def _counted(self, answer: Response) -> Response:
        self.answers[answer.status_code] += 1
        return answer


def _own_url(request: Request) -> str:
    """The address that leads here whatever the client called the host."""
    host, port = request.scope["server"]
    return f"http://{host}:{port}"


def _is_version(text: str) -> bool:
    return text.endswith(".0") and text[:-2].isdigit()


def _check_version(text: str) -> None:
    """404 for versions that are still to come, 410 for those that are gone; raises Refusal."""
    if not _is_version(text) or int(text[:-2]) > NEWEST:
        raise not_found()
    if int(text[:-2]) < OLDEST:
        raise Refusal("GONE", f"API version v{text} is retired", 410)


def _label(version: str) -> str:
    """The release's name, as in Spring '26."""
    year, season = divmod(int(version[:-2]) - 33, 3)  # 33.0 came in Spring '15
    return f"{('Spring', 'Summer', 'Winter')[season]} '{15 + year + (season == 2)}"


def _too_long(request: Request) -> Response | None:
    address = len(request.url.path) + len(request.url.query)
    headers = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
    if address > _LONGEST:
        return HTMLResponse("<html><body><h1>414 URI Too Long</h1></body></html>", 414)
    if address + headers > _LONGEST:
        return HTMLResponse("<html><body><h1>431 Request Header Fields Too Large</h1></body></html>", 431)
    return None
