"""Who may use the private listener: the token of the configuration, or a session that began with it.

Programs send the token with each request. A browser sends a cookie: it opens pages, and lets read what the API tells;
what changes something is taken from a form of ours (`pages.forms`), or with the token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from syncd.pages.sessions import Session, Sessions, cookies, name_of

from .hosts import OPEN

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with `no-referrer`, browsers don't say where a form was sent from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
WITHOUT_LOGIN = ("/static/", "/login")
FOR_PROGRAMS = ("/api/", "/metrics", "/readyz")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Access:
    """An ASGI middleware: the token or a session first, safe headers last. What comes in has `scope["session"]`; where
    a person has to log in first, `scope["locked"]` is True."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        session = self._session(headers, scope)
        scope["session"], scope["locked"] = session, False
        if not self._may(scope, headers, session):
            if "text/html" not in headers.get("accept", "") or scope["path"].startswith(FOR_PROGRAMS):
                said = "send the admin.token of the configuration as a Bearer token\n"
                await PlainTextResponse(said, 401)(scope, receive, safely)
                return
            scope["locked"] = True
        await self._app(scope, receive, safely)

    def _session(self, headers: Headers, scope: Message) -> Session | None:
        port = (scope.get("server") or ("", 0))[1] or 0
        return self._sessions.read(cookies(headers.get("cookie", "")).get(name_of(port), ""))

    def _may(self, scope: Message, headers: Headers, session: Session | None) -> bool:
        path: str = scope["path"]
        if not self._sessions.guarded or path == OPEN or path.startswith(WITHOUT_LOGIN):
            return True
        if self._has_token(headers):
            return True
        return session is not None and (scope["method"] in {"GET", "HEAD"} or not path.startswith(FOR_PROGRAMS))

    def _has_token(self, headers: Headers) -> bool:
        given = headers.get("authorization", "")
        return self._sessions.knows(given.removeprefix("Bearer "))
