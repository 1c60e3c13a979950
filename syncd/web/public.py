"""The public listener: callbacks come in here, and nothing that tells anything goes out.

Cheapest check first: the address's MAC before the body is read, the size before it is kept, the
vendor's signature before it is believed; then on disk, and only then 200. Understanding comes later.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.responses import Response

from syncd.contract.body import Body, TooLarge, Unreadable
from syncd.contract.jsontext import parse
from syncd.contract.model import Delivery, Source
from syncd.ledger import inbox
from syncd.ledger.arrivals import Kept
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.states import DeliveryState
from syncd.pipeline.address import CANARY, Address
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Lane, Parts

from .intake import Intake

BODY_DEADLINE = 10.0  # seconds for a whole body, real time
BODY_LIMIT = 1 << 20  # bytes, where no connection says what is the most
READING_LIMIT = 128 << 20  # bytes of all bodies that are being read and stored at a time

log = structlog.get_logger("syncd.callbacks")


class TooSlow(Exception):
    """A body that does not come to its end."""


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(
    parts: Parts, canary: Canary, intake: Intake | None = None, *, body_deadline: float = BODY_DEADLINE
) -> Application:
    """`POST /callbacks/{connection}` and a `/healthz` without detail; all else is an empty 404. `intake`: where what
    comes is kept; without one, in the ledger.

    Plain ASGI: a framework's routing and request objects cost as much as everything that is done here.
    """
    return _Receiver(parts, canary, intake or Intake(parts.ledger), body_deadline).answer


def _refusal(status: int, **headers: str) -> Response:
    """The connection ends with it: what is left of the request is not waited for."""
    return Response(status_code=status, headers={"connection": "close", **headers})


_WELL = Response()
_KEPT = Response(b'{"status":"ok"}', media_type="application/json")
_CALLBACKS = "/callbacks/"


class _Receiver:
    def __init__(self, parts: Parts, canary: Canary, intake: Intake, body_deadline: float) -> None:
        self._body_deadline = body_deadline
        self._intake = intake
        self._parts = parts
        self._canary = canary
        self._reading = 0  # bytes

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        method, path = scope["method"], scope["path"]
        name = path.removeprefix(_CALLBACKS)
        if method == "POST" and name != path and name and "/" not in name:
            response = await self._callback(name, scope, receive)
        else:
            response = self._health() if path == "/healthz" and method in {"GET", "HEAD"} else _refusal(404)
        await response(scope, receive, send)

    def _health(self) -> Response:
        """A balancer is to send no more to a process that is about to end."""
        return _refusal(503) if self._intake.draining else _WELL

    async def _callback(self, name: str, scope: Scope, receive: Receive) -> Response:
        """Check, store, answer."""
        query = _parameters(scope["query_string"].decode("latin-1"))
        # While the clock is not believed, no address is too old: what was paid for is taken.
        gate = self._parts.gate
        now = 0.0 if gate.hold or self._parts.clock_was_set else self._parts.clock.now() - gate.leapt
        address = self._parts.addresses.check(name, query, now=now)
        if address is None:
            return self._refuse("callbacks_forged", 404)
        name = self._parts.former.get(name, name)
        if name == CANARY:
            return await self._canary_arrived(address.submission_id)
        headers = {
            key.decode("latin-1"): value.decode("latin-1")
            for key, value in scope["headers"]
            if key.startswith((b"x-", b"content-"))
        }
        lane = self._parts.lanes.get(name)
        cap = BODY_LIMIT if lane is None else lane.provider.capabilities.body_limit
        told = int(headers.get("content-length") or cap)  # as much as may come, where nobody tells
        if self._reading + min(told, cap) > READING_LIMIT:
            return _refusal(503, **{"retry-after": "30"})
        self._reading += min(told, cap)
        try:
            return await self._take(name, address, headers, receive, cap)
        finally:
            self._reading -= min(told, cap)

    async def _take(self, name: str, address: Address, headers: dict[str, str], receive: Receive, cap: int) -> Response:
        """Read what a genuine address is called with, and store it."""
        unread = ""
        try:
            body = await self._read(receive, cap, told=int(headers.get("content-length") or 0))
            if encoding := headers.get("content-encoding"):
                body = _unpacked(body, encoding, cap)
        except TooLarge:
            return self._refuse("callbacks_too_large", 413)
        except TooSlow:
            return self._refuse("callbacks_too_slow", 408)
        except Unreadable as error:  # kept as it came: it was paid for
            unread = str(error)
        delivery = Delivery(
            submission_id=address.submission_id,
            source=Source.CALLBACK,
            body=body,
            headers={key: value for key, value in headers.items() if key.startswith("x-") or key == "content-type"},
            ref=address.ref,
            field=address.field,
            part=address.part,
        )
        return await self._store(name, delivery, unread)

    async def _canary_arrived(self, nonce: str) -> Response:
        try:
            async with self._intake.in_time():
                await self._canary.arrived(self._parts, nonce)
        except LedgerError as error:
            log.error("not_stored", connection=CANARY, why=str(error))
            return _refusal(503, **{"retry-after": "30"})
        return _WELL

    async def _store(self, name: str, delivery: Delivery, unread: str = "") -> Response:
        """`unread`: why nothing more is known of the body than its bytes, or ""."""
        lane = self._parts.lanes.get(name)
        seen = _look(lane, delivery, unread)
        try:
            kept = await self._intake.keep(
                name,
                delivery,
                thanked=seen.status == 200,
                now=self._parts.clock.now(),
                state=seen.state,
                note=seen.note,
                believed=seen.believed,
                sample=b"" if lane is None else lane.provider.capabilities.sample,
            )
        except LedgerError as error:
            log.error("not_stored", connection=name, why=str(error))
            if isinstance(error, LedgerFailed):
                self._parts.bells.ring("watch")  # any stage that writes ends the daemon now
            return _refusal(503, **{"retry-after": "30"})
        if kept is Kept.GONE or kept is Kept.TOO_MANY:
            return self._refuse("callbacks_not_kept", 410 if kept is Kept.GONE else max(seen.status, 429))
        self._parts.tallies[f"callbacks_{seen.state if kept is Kept.NEW else 'repeated'}"] += 1
        if seen.status == 200:
            self._parts.heard[name] = self._parts.clock.now()
        if seen.status == 200 and kept is Kept.NEW:
            self._parts.bells.callback()
        return _KEPT if seen.status == 200 else _refusal(seen.status)

    async def _read(self, receive: Receive, cap: int, *, told: int) -> bytes:
        """All that the client sends. `told`: the size that its head tells. Raises TooLarge, TooSlow."""
        if told > cap:
            raise TooLarge(cap)
        body = Body(limit=cap)
        try:
            async with asyncio.timeout(self._body_deadline):
                more = True
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise TooSlow  # it hung up
                    body.add(message["body"])
                    more = message["more_body"]
        except TimeoutError:
            raise TooSlow from None
        return body.whole()

    def _refuse(self, tally: str, status: int) -> Response:
        self._parts.tallies[tally] += 1
        return _refusal(status)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the receiver can tell of a body, and the answer for it."""

    status: int = 200
    note: str = ""
    believed: bool = True

    @property
    def state(self) -> DeliveryState:
        return DeliveryState.QUARANTINED if self.note else DeliveryState.RECEIVED


def _look(lane: Lane | None, delivery: Delivery, unread: str) -> _Seen:
    if unread:  # nobody can say whether it is signed
        return _Seen(415, unread, believed=lane is None or not lane.provider.capabilities.signed)
    if lane is None:  # the address is ours, so it was paid for
        return _Seen(note="no connection of this name is configured any more")
    if not lane.provider.authenticate(delivery):
        return _Seen(401, inbox.UNSIGNED, believed=False)
    return _Seen() if _is_json(delivery.body) else _Seen(400, "not JSON")


def _parameters(query: str) -> list[tuple[str, str]]:
    if "%" in query or "+" in query:
        return parse_qsl(query, keep_blank_values=True)
    pairs = (
        part.partition("=") for part in query.split("&") if part
    )  # as we mint them: the same in a fifth of the time
    return [(name, value) for name, _, value in pairs]


def _unpacked(body: bytes, encoding: str, cap: int) -> bytes:
    unpacked = Body(encoding, cap)
    unpacked.add(body)
    return unpacked.whole()


def _is_json(body: bytes) -> bool:
    try:
        parse(body.removeprefix(codecs.BOM_UTF8).decode())
    except (ValueError, RecursionError):
        return False
    return True
