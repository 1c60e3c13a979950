"""Every call to HubSpot passes here: where the paths are, how fast we go, what is repeated, who we are.

Knows nothing of contacts. The SDK is in `wire`, the limits in `limits`, the words for refusals in `answers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from enum import Enum
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from syncd.contract.errors import Halt, InDoubt, Retry, Trouble
from syncd.contract.ports import Tools

from .answers import Answer, expired, translate
from .limits import Limits
from .options import BASE_URL, Options
from .wire import THREADS, Wire

BACKOFF = (0.5, 1.0, 2.0, 4.0)  # seconds before each repetition of a call that is safe to repeat
PATIENCE = 30.0  # a longer wait is the caller's to arrange
REFRESH_EARLY = 300.0  # seconds before an OAuth token ends
_BUSY = {423, 477, 502, 503, 504, 521, 523, 524}  # "slow down" among the statuses


class Route(Enum):
    """What can be asked for: the method, and the path in the v3 family and in the dated one."""

    SEARCH = ("POST", "/crm/v3/objects/contacts/search", "/crm/objects/2026-09/contacts/search")
    READ = ("POST", "/crm/v3/objects/contacts/batch/read", "/crm/objects/2026-09/contacts/batch/read")
    UPDATE = ("POST", "/crm/v3/objects/contacts/batch/update", "/crm/objects/2026-09/contacts/batch/update")
    COMPANIES = ("POST", "/crm/v3/objects/companies/batch/read", "/crm/objects/2026-09/companies/batch/read")
    PROPERTY_GROUP = ("POST", "/crm/v3/properties/contacts/groups", "/crm/properties/2026-09/contacts/groups")
    NEW_PROPERTY = ("POST", "/crm/v3/properties/contacts", "/crm/properties/2026-09/contacts")
    PROPERTIES = ("GET", "/crm/v3/properties/contacts", "/crm/properties/2026-09/contacts")
    LIST = ("GET", "/crm/v3/lists/{of}", "/crm/lists/2026-09/{of}")
    MEMBERS = ("GET", "/crm/v3/lists/{of}/memberships", "/crm/lists/2026-09/{of}/memberships")
    MEMBERSHIPS = (
        "POST",
        "/crm/v3/lists/records/memberships/batch/read",
        "/crm/lists/2026-09/records/memberships/batch/read",
    )
    ACCOUNT = ("GET", "/account-info/v3/details", "/account-info/2026-09/details")
    TOKEN = ("POST", "/oauth/2026-03/token", "/oauth/2026-03/token")  # v1 ends on 2027-02-16

    def at(self, version: str, of: str = "", query: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Method and path; `of`: the id of the thing that is asked about."""
        method, old, dated = self.value
        path = (old if version == "v3" else dated).replace("{of}", quote(of, safe=""))
        return method, f"{path}?{urlencode(query)}" if query else path


class Calls:
    """One portal's line: paced, repeated where that is safe, with a valid token."""

    def __init__(self, options: Options, base_url: str | None, tools: Tools) -> None:
        self._options, self._clock = options, tools.clock
        token = options.access_token.get_secret_value() if options.access_token else None
        self._wire = Wire((base_url or BASE_URL).rstrip("/"), token, network=tools.network)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hubspot")
        self.limits = Limits(options, tools.clock, tools.rng)
        self._token_ends = 0.0 if token is None else float("inf")
        self._token_turn = 0
        self._refreshing = asyncio.Lock()

    async def safe(
        self,
        route: Route,
        body: Mapping[str, Any] | None = None,
        *,
        of: str = "",
        query: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Answer:
        """A call that changes nothing, repeated up to four times. Raises Retry, RateLimited, Halt. `accept`: statuses
        that are answers, too."""
        place = route.at(self._options.api_version, of, query)
        for backoff in BACKOFF:
            try:
                return await self._attempt(route, body, accept, place)
            except InDoubt:
                wait = backoff
            except Retry as error:
                wait = backoff if error.after is None else error.after
                if wait > PATIENCE:
                    raise
            await self._clock.sleep(wait)
        try:
            return await self._attempt(route, body, accept, place)
        except InDoubt as error:
            raise Retry(str(error)) from error

    async def once(self, route: Route, body: Mapping[str, Any]) -> Answer:
        """A call that may change something, sent once; 400 and 409 are answers too.

        Raises Retry and RateLimited when it was definitely not done, InDoubt when nobody knows, Halt.
        """
        return await self._attempt(route, body, frozenset({400, 409}), route.at(self._options.api_version))

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    async def _attempt(
        self, route: Route, body: Mapping[str, Any] | None, accept: frozenset[int], place: tuple[str, str]
    ) -> Answer:
        answer, turn = await self._send(route, body, place)
        if expired(answer) and self._options.refresh_token:
            await self._refresh(turn)
            answer, _ = await self._send(route, body, place)
        if answer.status == 429:
            raise self.limits.refused(answer, search=route is Route.SEARCH)
        if answer.status in accept:
            return answer
        what = f"{route.name.lower()} ({place[1]})"
        if not 200 <= answer.status < 300:
            if answer.status in _BUSY:
                self.limits.slow_down()
            raise translate(answer, what)
        if answer.body is None:
            raise InDoubt(f"{what}: HTTP {answer.status} without JSON")
        return answer

    async def _send(self, route: Route, body: Mapping[str, Any] | None, place: tuple[str, str]) -> tuple[Answer, int]:
        """One answer, and which access token it was asked with."""
        await self.limits.enter(search=route is Route.SEARCH, exempt=route is Route.ACCOUNT)
        if self._clock.now() > self._token_ends - REFRESH_EARLY:
            await self._refresh(self._token_turn)
        turn = self._token_turn
        method, path = place
        answer = await self._in_thread(method, path, body)
        self.limits.learn(answer.headers)
        return answer, turn

    async def _in_thread(
        self, method: str, path: str, body: Any = None, form: list[tuple[str, str]] | None = None
    ) -> Answer:
        call = partial(self._wire.send, method, path, body, form)
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, call)

    async def _refresh(self, turn: int) -> None:
        """Get the next access token; whoever comes meanwhile waits for the same one."""
        async with self._refreshing:
            if turn != self._token_turn:
                return
            method, path = Route.TOKEN.at(self._options.api_version)
            try:
                answer = await self._in_thread(method, path, form=self._grant())
            except InDoubt as error:  # asking twice costs nothing
                raise Retry(str(error)) from error
            body = answer.body or {}
            token, lives = body.get("access_token"), body.get("expires_in")
            if answer.status == 429 or answer.status >= 500:
                raise Retry(f"HubSpot gave no access token: HTTP {answer.status}", after=answer.seconds("retry-after"))
            if answer.status != 200 or not isinstance(token, str):
                raise Halt(
                    f"HubSpot refused the refresh token: {answer.refusal.message or answer.status}",
                    trouble=Trouble.CREDENTIALS,
                    cure="connect the app again and set the new refresh_token",
                )
            self._wire.authorise(token)
            self._token_turn += 1
            self._token_ends = self._clock.now() + (float(lives) if isinstance(lives, int | float) else 1_800.0)

    def _grant(self) -> list[tuple[str, str]]:
        secret, token = self._options.client_secret, self._options.refresh_token
        return [
            ("grant_type", "refresh_token"),
            ("client_id", self._options.client_id or ""),
            ("client_secret", secret.get_secret_value() if secret else ""),
            ("refresh_token", token.get_secret_value() if token else ""),
        ]
