"""httpx's transports in the place of the network: for vendors that are emulated in the test's own process."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from syncd.contract.network import Network
from syncd.contract.wire import Answer, Broken, NotSent, Request

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)


class Seam:
    """See `syncd.contract.wire.Transport`."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self._base, self._transport = httpx.URL(base_url), transport

    async def send(self, request: Request, limit: int) -> Answer:
        url = self._base.copy_with(raw_path=request.target.encode())
        sent = httpx.Request(request.method, url, headers=request.headers, content=request.body)
        request.begun.set()
        try:
            told = await self._transport.handle_async_request(sent)
        except _NOT_SENT as error:
            raise NotSent(str(error)) from error
        except httpx.HTTPError as error:
            raise Broken(type(error).__name__) from error
        return Answer(told.status_code, told.headers, await told.aread())

    async def aclose(self) -> None:
        await self._transport.aclose()


def by(transport: httpx.AsyncBaseTransport) -> Callable[[str, Network], Seam]:
    """What `Tools.line` wants."""
    return lambda base_url, _: Seam(base_url, transport)
