"""How the answer to a call goes wrong on its way: an error or a page instead, a cut connection, silence.

Whether the call was carried out is decided by who asks: `before` spoils a call that has no effect,
`after` one that has. The client cannot tell them apart, which is their point.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from syncd.sandbox.faults import Faults

PAGE = "<!doctype html><html><head><title>App</title></head><body><div id='root'></div></body></html>"

_MISHAPS = {
    "error": "is answered with a server error (parameter: the status, 502)",
    "html": "is answered with 200 and a web page",
    "garbled": "is answered with 200 and broken JSON",
    "empty": "is answered with 200 and nothing",
    "cut": "ends with the connection cut, without an answer",
    "silent": "is never answered; the connection stays open until the caller hangs up",
}


def answer_faults(prefix: str, call: str, *, effect: bool) -> dict[str, str]:
    """The faults of one kind of call, named `<prefix>_<mishap>`; `effect`: with those after its effect, too."""
    before = {f"{prefix}_{kind}": f"{call} has no effect and {line}" for kind, line in _MISHAPS.items()}
    after = {
        f"{prefix}_{kind}_after": f"{call} is carried out (and billed) but {line}" for kind, line in _MISHAPS.items()
    }
    return before | after if effect else before


class VendorApp(Starlette):
    """An application whose answers can cut their connection (uvicorn only)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's `send` is a method of the object that owns the connection; ASGI itself has no way to cut it.
        scope["sandbox.transport"] = getattr(getattr(send, "__self__", None), "transport", None)
        await super().__call__(scope, receive, send)


class Cut(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope.get("sandbox.transport")
        if transport is None:
            raise RuntimeError("only a VendorApp served by uvicorn can cut its connections")
        transport.abort()
        await _hung_up(receive)


class Silent(Response):
    """No answer while the caller waits."""

    def __init__(self, closing: asyncio.Event) -> None:
        super().__init__()
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hung_up = asyncio.ensure_future(_hung_up(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        done, pending = await asyncio.wait({hung_up, closing}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if hung_up not in done:
            await Cut()(scope, receive, send)


class Torn(Response):
    """Promises the whole body, sends half of it, and cuts the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self.body)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        scope["sandbox.transport"].close()
        await _hung_up(receive)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Answers:
    """The mishaps of one kind of call, as `answer_faults` names them."""

    def __init__(self, faults: Faults, prefix: str, closing: asyncio.Event) -> None:
        """`closing`: set when the vendor shuts down, so that silent answers end."""
        self._faults = faults
        self._closing = closing
        self._before = {f"{prefix}_{kind}": kind for kind in _MISHAPS}
        self._after = {f"{prefix}_{kind}_after": kind for kind in _MISHAPS}

    def before(self) -> Response | None:
        """What to answer instead of carrying the call out, if such a fault strikes."""
        return self._strike(self._before)

    def after(self, answer: Response) -> Response:
        """What to answer although the call was carried out: `answer`, unless a fault strikes."""
        return self._strike(self._after) or answer

    def _strike(self, names: dict[str, str]) -> Response | None:
        for name, kind in names.items():
            if (param := self._faults.take(name)) is not None:
                return self._spoilt(kind, param)
        return None

    def _spoilt(self, kind: str, param: str) -> Response:
        if kind == "error":
            return JSONResponse({"message": "upstream request failed"}, status_code=int(param or 502))
        if kind == "html":
            return HTMLResponse(PAGE)
        if kind == "garbled":
            return Response(b'{"status":202,"mess', media_type="application/json")
        if kind == "empty":
            return Response(b"", media_type="application/json")
        return Cut() if kind == "cut" else Silent(self._closing)
