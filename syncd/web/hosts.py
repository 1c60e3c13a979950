"""Which names the private listener answers to: a page elsewhere must not reach it through a name that leads here.

An address in numbers is nobody's trick. Health tells nothing, and is asked for by any name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse

OPEN = "/healthz"  # to everybody, without a token

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class KnownHosts:
    """An ASGI middleware. `hosts`: names without a port; `*.example.com` is every name below that one."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], hosts: Iterable[str]) -> None:
        self._app = app
        self._names = {host.lower().rstrip(".") for host in hosts}
        self._below = tuple(name.removeprefix("*") for name in self._names if name.startswith("*."))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] == OPEN or self._is_known(name := _host(scope)):
            await self._app(scope, receive, send)
            return
        said = f"syncd does not know itself as {name[:100]!r}: add that name to admin.hosts of the configuration\n"
        await PlainTextResponse(said, 400)(scope, receive, send)

    def _is_known(self, name: str) -> bool:
        return name in self._names or name.endswith(self._below) or _is_address(name)


def _host(scope: Message) -> str:
    """The name that was asked for, without its port."""
    given: str = next((value for key, value in scope["headers"] if key == b"host"), b"").decode("latin-1").lower()
    if given.startswith("["):
        return given.partition("]")[0].removeprefix("[")
    return given.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
