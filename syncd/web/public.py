"""The public listener: callbacks come in here, and nothing that tells anything goes out.

Cheapest check first: the address's MAC before the body is read, the size before it is kept, the
vendor's signature before it is believed; then on disk, and only then 200. Understanding comes later.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.contract.model import Delivery, Source
from syncd.ledger import inbox
from syncd.ledger.file import LedgerError, LedgerFailed
from syncd.ledger.states import DeliveryState
from syncd.pipeline.address import CANARY
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts

BODY_DEADLINE = 10.0  # seconds for a whole body, real time
BODY_LIMIT = 16 << 20  # bytes, where no connection says what is the most

log = structlog.get_logger("syncd.callbacks")


class TooLarge(Exception):
    """A body above the provider's cap."""


def application(parts: Parts, canary: Canary, *, body_deadline: float = BODY_DEADLINE) -> Starlette:
    """`POST /callbacks/{connection}` and a `/healthz` without detail; all else is an empty 404."""
    receiver = _Receiver(parts, canary, body_deadline)
    return Starlette(
        routes=[
            Route("/callbacks/{connection}", receiver.callback, methods=["POST"]),
            Route("/healthz", _healthz, methods=["GET"]),
        ],
        exception_handlers={404: _nothing, 405: _nothing},
    )


async def _healthz(_: Request) -> Response:
    return Response(status_code=200)


async def _nothing(_: Request, __: Exception) -> Response:
    return _refusal(404)


def _refusal(status: int, **headers: str) -> Response:
    """The connection ends with it: what is left of the request is not waited for."""
    return Response(status_code=status, headers={"connection": "close", **headers})


class _Receiver:
    def __init__(self, parts: Parts, canary: Canary, body_deadline: float) -> None:
        self._body_deadline = body_deadline
        self._parts = parts
        self._canary = canary

    async def callback(self, request: Request) -> Response:
        """Check, store, answer."""
        name = request.path_params["connection"]
        # Not `request.url`: it fails on bytes that are no UTF-8.
        query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        # While the clock is not believed, no address is too old: what was paid for is taken.
        gate = self._parts.gate
        now = 0.0 if gate.hold or self._parts.clock_was_set else self._parts.clock.now() - gate.leapt
        address = self._parts.addresses.check(name, query, now=now)
        if address is None:
            return self._refuse("callbacks_forged", 404)
        if name == CANARY:
            self._canary.arrived(address.submission_id)
            return Response(status_code=200)
        if request.headers.get("content-encoding", "identity") != "identity":
            return self._refuse("callbacks_encoded", 415)
        try:
            body = await asyncio.wait_for(self._body(request, name), self._body_deadline)
        except TooLarge:
            return self._refuse("callbacks_too_large", 413)
        except (TimeoutError, ClientDisconnect):
            return self._refuse("callbacks_too_slow", 408)
        kept = {k: v for k, v in request.headers.items() if k.startswith("x-") or k == "content-type"}
        delivery = Delivery(
            submission_id=address.submission_id,
            source=Source.CALLBACK,
            body=body,
            headers=kept,
            ref=address.ref,
            field=address.field,
            part=address.part,
        )
        return await self._store(name, delivery)

    async def _store(self, name: str, delivery: Delivery) -> Response:
        state, note, status = DeliveryState.RECEIVED, "", 200
        lane = self._parts.lanes.get(name)
        if lane is None:  # the address is ours, so it was paid for
            state, note = DeliveryState.QUARANTINED, "no connection of this name is configured any more"
        elif not lane.provider.authenticate(delivery):
            state, note, status = DeliveryState.QUARANTINED, inbox.UNSIGNED, 401
        elif not _is_json(delivery.body):
            state, note, status = DeliveryState.QUARANTINED, "not JSON", 400
        try:
            new = await self._parts.ledger.write(
                inbox.store, name, delivery, now=self._parts.clock.now(), state=state, note=note
            )
        except LedgerError as error:
            log.error("not_stored", connection=name, why=str(error))
            if isinstance(error, LedgerFailed):
                self._parts.bells.ring("watch")  # any stage that writes ends the daemon now
            return _refusal(503, **{"retry-after": "30"})
        self._parts.tallies[f"callbacks_{state if new else 'repeated'}"] += 1
        if status == 200 and new:
            self._parts.bells.ring("inbox")
        return Response(b'{"status":"ok"}', media_type="application/json") if status == 200 else _refusal(status)

    async def _body(self, request: Request, name: str) -> bytes:
        lane = self._parts.lanes.get(name)
        cap = BODY_LIMIT if lane is None else lane.provider.capabilities.body_limit
        if int(request.headers.get("content-length") or 0) > cap:
            raise TooLarge
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > cap:
                raise TooLarge
        return bytes(body)

    def _refuse(self, tally: str, status: int) -> Response:
        self._parts.tallies[tally] += 1
        return _refusal(status)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True
