"""The one HTTP recipe for connectors that speak JSON, over a transport of httpx.

Owns time-outs, the size of an answer, the number of calls in flight, and the question that money hangs
on: when a call fails, was it certainly not carried out (`Retry`) or can nobody say (`InDoubt`)? What a
status code means is the connector's to say.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote, urlencode

from .body import BODY_LIMIT, Body, Unreadable
from .causes import WANTS_LOGIN, unreached
from .errors import ConnectorError, Garbled, InDoubt, Retry
from .jsontext import dump_bytes, parse
from .lean import httpx
from .network import Network
from .transport import Transport
from .watched import Outside
from .wire import Request

WITHIN = 30.0  # real seconds for a whole call, from its first byte to the last one of its answer
IN_FLIGHT = 8
RETRY_AFTER_CAP = 900.0

_HEADERS = {"accept": "*/*", "accept-encoding": "gzip", "connection": "keep-alive", "user-agent": "syncd"}
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_SAFE = "/:@!$&'()*+,;=%-._~"  # what may stand in a path as it is


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body; raises Garbled with the first characters of what came instead."""
        try:
            return parse(self.body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            start = self.body[:200].decode("utf-8", "replace")
            raise Garbled(f"HTTP {self.status} without JSON, it begins {start!r}") from error

    def retry_after(self, now: float) -> float | None:
        """Seconds from a Retry-After header (seconds or date), at most a quarter of an hour."""
        text = self.headers.get("retry-after", "").strip()
        if not text:
            return None
        try:
            seconds = float(text)
        except ValueError:
            seconds = _seconds_until(text, now)
        return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_CAP)


def _seconds_until(date: str, now: float) -> float:
    """Seconds until an HTTP date, which is UTC whether it says so or not; NaN for anything else."""
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


class Http:
    """One client per connection, for the life of the process."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        network: Network | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = httpx.URL(base_url.rstrip("/"))
        self._path, _, self._query = self._base.raw_path.decode("ascii").partition("?")
        self._path = self._path.rstrip("/")
        self._host = self._base.host or base_url
        self._headers = {**_HEADERS, **headers}
        self._json_headers = {**self._headers, "content-type": "application/json"}
        self._network = network or Network()
        self._transport = transport or Transport(base_url, self._network)
        self._places = asyncio.Semaphore(IN_FLIGHT)

    async def call(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        params: Mapping[str, str] | None = None,
        paid: bool = False,
        body_limit: int = BODY_LIMIT,
        within: float = WITHIN,
    ) -> Response:
        """One request, one answer of whatever status; never repeated, never redirected.

        Raises Retry when nothing was sent, and otherwise InDoubt for a paid call, Retry for one
        that is safe to repeat. 5xx of a paid call counts as InDoubt, of another as Retry; so does an
        answer of more than `body_limit` bytes, or one that is not complete `within` so many seconds.
        """
        content = None if json_body is None else dump_bytes(json_body)
        headers = self._headers if json_body is None else self._json_headers
        query = "&".join(filter(None, (self._query, urlencode(params or {}))))
        target = quote(self._path + path, safe=_SAFE) + (f"?{query}" if query else "")
        asked = Request(method, target or "/", headers, content or b"")
        lost: type[ConnectorError] = InDoubt if paid else Retry
        async with self._places:
            try:
                with Outside(method, self._path + path) as watched:
                    async with asyncio.timeout(within):
                        answer = await self._carry(asked, body_limit)
                    watched.answered(answer.status)
            except _NOT_SENT as error:
                raise self._unreached(error) from error
            except TimeoutError as error:
                if isinstance(self._transport, Transport) and not asked.begun.is_set():
                    raise self._unreached(error) from error
                raise lost(f"{method} {path}: the answer was not complete within {within:g} seconds") from error
            except (httpx.HTTPError, Unreadable) as error:
                raise lost(f"{method} {path}: {error or type(error).__name__}") from error
        if answer.status == 407 and self._network.proxy:
            raise Retry(f"could not reach {self._host}: {WANTS_LOGIN}")
        if answer.status >= 500:
            raise lost(f"{method} {path}: HTTP {answer.status}")
        return answer

    async def _carry(self, asked: Request, limit: int) -> Response:
        if isinstance(self._transport, Transport):
            answer = await self._transport.carry(asked, limit)
            return Response(answer.status, answer.headers, answer.body)
        url, extensions = self._base.copy_with(raw_path=asked.target.encode("ascii")), {"limit": limit}
        headers, content = asked.headers, asked.body or None
        request = httpx.Request(asked.method, url, headers=headers, content=content, extensions=extensions)
        told = await self._transport.handle_async_request(request)
        return Response(told.status_code, told.headers, await _read(told, limit))

    def _unreached(self, error: Exception) -> Retry:
        return Retry(unreached(self._host, error, proxy=self._network.proxy_url))

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _read(answer: httpx.Response, limit: int) -> bytes:
    """The body, unpacked by us: httpx would unpack a thousandfold what came before anybody could look at its size."""
    try:
        body = Body(answer.headers.get("content-encoding", ""), limit)
        async for part in answer.stream:  # type: ignore[union-attr] # an async client has async streams
            body.add(part)
        return body.whole()
    finally:
        await answer.aclose()
