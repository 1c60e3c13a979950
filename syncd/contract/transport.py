"""httpx's transport over `wire`: a fraction of its own one's CPU, and it is certain whether anything was sent.

A request's extension: `limit`, bytes of an answer that are read at most. Raises what httpx's transports raise:
`ConnectError` where nothing was sent.
"""

from __future__ import annotations

from .body import BODY_LIMIT
from .lean import httpx
from .network import Network
from .wire import Answer, Broken, Line, NotSent, Request


class Transport(httpx.AsyncBaseTransport):
    """Carries requests to the host of `base_url`."""

    def __init__(self, base_url: str, network: Network) -> None:
        self._line = Line(base_url, network)

    async def carry(self, asked: Request, limit: int) -> Answer:
        """Without httpx's own objects: to make them takes as long as the call does. Raises what its transports do."""
        try:
            return await self._line.send(asked, limit)
        except NotSent as error:
            raise httpx.ConnectError(str(error)) from error
        except Broken as error:
            raise httpx.ReadError(str(error)) from error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """What httpx's clients call."""
        headers = {name: value for name, value in request.headers.items() if name not in {"host", "content-length"}}
        asked = Request(request.method, request.url.raw_path.decode("ascii"), headers, request.content)
        answer = await self.carry(asked, request.extensions.get("limit", BODY_LIMIT))
        told = {name: value for name, value in answer.headers.items() if name != "content-encoding"}  # it is unpacked
        return httpx.Response(answer.status, headers=told, stream=httpx.ByteStream(answer.body))

    async def aclose(self) -> None:
        await self._line.aclose()
