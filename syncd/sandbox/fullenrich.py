"""FullEnrich's API, v1 and v2, emulated: keys, the call budget, bulks, results and signed webhooks.

Facts are those of the vendor's OpenAPI document and guides. Here are the calls; what they accept is
in `fullenrich_request`, what happens to a bulk in `fullenrich_jobs`, what a result says in
`fullenrich_results`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from syncd.sandbox import faults as switchboard
from syncd.sandbox.answers import PAGE, Answers, VendorApp, answer_faults
from syncd.sandbox.background import Background
from syncd.sandbox.billing import Account, Bill
from syncd.sandbox.callbacks import Courier, Letter, callback_faults, to_bytes
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.fullenrich_jobs import JOB_FAULTS, Identity, Item, Job, Jobs
from syncd.sandbox.fullenrich_request import V1, V2, Dialect, Refused, read_order
from syncd.sandbox.fullenrich_results import RESULT_FAULTS, Results
from syncd.sandbox.limits import MINUTE, CalendarWindows
from syncd.sandbox.world import World

KEY = "5a9db0c5-0000-4000-8000-sandbox00001"
PER_MINUTE = 60
PAUSES = (60.0,) * 5  # every minute, up to five times

FAULTS: dict[str, str] = {
    "fullenrich_early": "the webhook arrives before the bulk's call is answered",
    "fullenrich_no_id": "a bulk is accepted without telling its enrichment_id",
    "fullenrich_payment_required": "a bulk is refused with 402 (which no document declares)",
    "fullenrich_limited": "429 although there is room",
    "fullenrich_retry_after": "a 429 carries Retry-After (while on; parameter: its value, 60)",
    "fullenrich_key_revoked": "401: no key is known (while on)",
    "fullenrich_in_progress_200": "an unfinished job is 200 IN_PROGRESS without data, not a 400 (while on)",
    "fullenrich_result_status": "GET answers 200 with this status and no data (parameter, RATE_LIMIT)",
    "fullenrich_result_lost": "GET knows no such job: 404",
    "fullenrich_signature_wrong": "a webhook's signature is wrong",
    "fullenrich_signature_missing": "a webhook has no signature",
    "fullenrich_signature_upper": "a webhook's signature is in upper case",
    "fullenrich_signature_prefixed": "a webhook's signature begins with sha1=",
    "fullenrich_signature_old_key": "a webhook is signed with the oldest key that is still valid",
    **answer_faults("fullenrich", "starting a bulk", effect=True),
    **answer_faults("fullenrich_result", "GET of a result", effect=False),
    **callback_faults("fullenrich_webhook"),
    **callback_faults("fullenrich_contact_webhook"),
    **JOB_FAULTS,
    **RESULT_FAULTS,
}
switchboard.register(FAULTS)

Endpoint = Callable[[Request], Awaitable[Response]]


class FullEnrich:
    """One workspace at the emulated FullEnrich."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        faults: Faults,
        rng: random.Random,
        *,
        credits: Decimal | int | str = 10_000,  # noqa: A002 - the vendor's word
        keys: Sequence[str] = (KEY,),
        per_minute: int = PER_MINUTE,
        limit_all: bool = True,
        free: Collection[Identity] = (),
    ) -> None:
        """`keys`: valid ones, newest first; `limit_all`: one budget for all calls, else for starting bulks only;
        `free`: contacts (first name, last name, domain, company, profile) that cost nothing."""
        self.account = Account(Decimal(credits))
        self.keys = list(keys)
        self.calls: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.workspace = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self._clock, self._faults, self._limit_all = clock, faults, limit_all
        self._windows = CalendarWindows(clock, {MINUTE: per_minute})
        self._closing = asyncio.Event()
        self._start_mishaps = Answers(faults, "fullenrich", self._closing)
        self._result_mishaps = Answers(faults, "fullenrich_result", self._closing)
        self._results = Results(faults, rng)
        self._background = Background()
        self._letters: dict[str, list[Letter]] = {}
        self._fetched: set[str] = set()
        self.courier = Courier(clock, faults, pauses=PAUSES, seal=self._seal, forge=_forgery, forged_seal=_forged_seal)
        self.jobs = Jobs(
            world,
            clock,
            faults,
            rng,
            account=self.account,
            on_contact=self._tell_contact,
            on_end=self._tell_end,
            free=free,
        )
        self.app = VendorApp(
            routes=[*self._routes(V1), *self._routes(V2)],
            exception_handlers={404: _no_such_path, 405: _no_such_path},
        )

    @property
    def balance(self) -> Decimal:
        """Credits left."""
        return self.account.balance

    @property
    def billed(self) -> Decimal:
        """Credits really charged so far."""
        return self.account.billed

    @property
    def bills(self) -> list[Bill]:
        """One per contact and kind of value that was looked up, also those of zero credits."""
        return self.account.bills

    @property
    def busy(self) -> int:
        """Jobs that run and webhooks on their way."""
        return self._background.busy + self.courier.busy

    def rotate(self, key: str) -> None:
        """A new key: it signs from now on; the old ones stay valid until they are retired."""
        self.keys.insert(0, key)

    def retire(self, key: str) -> None:
        """Make a key invalid; ValueError for an unknown one and for the last one, which a workspace always has."""
        if self.keys == [key]:
            raise ValueError("a workspace has at least one key")
        self.keys.remove(key)

    async def settled(self) -> None:
        """Wait until every job has ended and its webhooks are acknowledged or given up."""
        await self._background.settled()
        await self.courier.settled()

    async def aclose(self) -> None:
        """Stop all jobs and webhooks; raises if one of them had failed."""
        self._closing.set()
        await self._background.aclose()
        await self.courier.aclose()

    def heard(self) -> set[str]:
        """Jobs whose result somebody has acknowledged or fetched."""
        return self._fetched | self.courier.acknowledged()

    # ---- calls

    def _routes(self, dialect: Dialect) -> list[Route]:
        async def start(request: Request) -> Response:
            return await self._start(request, dialect)

        async def result(request: Request) -> Response:
            return self._result(request, dialect)

        base = f"/api/{dialect.version}"
        bulk = f"{base}/contact/enrich/bulk"
        return [
            Route(f"{base}/account/keys/verify", self._answering("verify", self._verify), methods=["GET"]),
            Route(f"{base}/account/credits", self._answering("credits", self._tell_credits), methods=["GET"]),
            Route(bulk, self._answering("start", start), methods=["POST"]),
            Route(f"{bulk}/{{enrichment_id}}", self._answering("result", result), methods=["GET"]),
        ]

    def _answering(self, call: str, answer: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            self.calls[call] += 1
            try:
                self._check_key(request.headers.get("authorization", ""))
                self._check_rate(call)
                response = await answer(request)
            except Refused as refused:
                response = JSONResponse(refused.body, refused.status, self._headers(refused.status))
            self.answers[response.status_code] += 1
            return response

        return endpoint

    def _headers(self, status: int) -> dict[str, str]:
        after = self._faults.setting("fullenrich_retry_after") if status == 429 else None
        return {} if after is None else {"retry-after": after or "60"}

    def _check_key(self, authorization: str) -> None:
        if not authorization:
            raise Refused("error.authorization.not_set", 401)
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Refused("error.authorization.not_bearer", 401)
        if key.strip() not in self.keys or self._faults.setting("fullenrich_key_revoked") is not None:
            raise Refused("error.api.key", 401)

    def _check_rate(self, call: str) -> None:
        if not self._limit_all and call != "start":
            return
        if self._faults.take("fullenrich_limited") is not None or not self._windows.admit():
            raise Refused("error.rate.limit", 429)

    async def _verify(self, _: Request) -> Response:
        return JSONResponse({"workspace_id": self.workspace})

    async def _tell_credits(self, _: Request) -> Response:
        whole = self.balance == self.balance.to_integral_value()
        return JSONResponse({"balance": int(self.balance) if whole else float(self.balance)})

    async def _start(self, request: Request, dialect: Dialect) -> Response:
        if (mishap := self._start_mishaps.before()) is not None:
            return mishap
        order = read_order(dialect, await request.body(), request.query_params)
        if self._faults.take("fullenrich_payment_required") is not None:
            raise Refused("error.credits.insufficient", 402)
        early = self._faults.take("fullenrich_early") is not None
        job = self.jobs.open(dialect, order, at_once=early)
        if early:
            await self.jobs.run(job)
            await asyncio.gather(*(letter.tried.wait() for letter in self._letters[job.id]))
        else:
            self._background.start(self.jobs.run(job))
        told = {} if self._faults.take("fullenrich_no_id") is not None else {"enrichment_id": job.id}
        return self._start_mishaps.after(JSONResponse(told))

    def _result(self, request: Request, dialect: Dialect) -> Response:
        if (mishap := self._result_mishaps.before()) is not None:
            return mishap
        job = self.jobs.get(request.path_params["enrichment_id"], dialect)
        if job is None or self._faults.take("fullenrich_result_lost") is not None:
            raise Refused("error.enrichment.not_found", 404)
        status = job.status(self._clock.now())
        if (other := self._faults.take("fullenrich_result_status")) is not None:
            return JSONResponse({"id": job.id, "name": job.order.name, "status": other or "RATE_LIMIT"})
        if job.end is None and request.query_params.get("forceResults", "").lower() != "true":
            if self._faults.setting("fullenrich_in_progress_200") is None:
                raise Refused("error.enrichment.in_progress")
            return JSONResponse({"id": job.id, "name": job.order.name, "status": status, "cost": {"credits": 0}})
        if job.end is not None:
            self._fetched.add(job.id)
        code = 402 if job.end == "CREDITS_INSUFFICIENT" else 200
        return Response(to_bytes(self._results.write(job, status)), code, media_type="application/json")

    # ---- webhooks

    def _tell_contact(self, job: Job, item: Item) -> None:
        if job.order.contact_url:
            body = self._results.write(job, "IN_PROGRESS", only=item)
            self._send(job, "fullenrich_contact_webhook", job.order.contact_url, body)

    def _tell_end(self, job: Job) -> None:
        if job.order.webhook_url:
            body = self._results.write(job, job.status(self._clock.now()), final=True)
            self._send(job, "fullenrich_webhook", job.order.webhook_url, body)

    def _send(self, job: Job, channel: str, url: str, body: Mapping[str, object]) -> None:
        letter = Letter(channel, url, to_bytes(body), job.id)
        self._letters.setdefault(job.id, []).append(letter)
        self.courier.send(letter)

    def _seal(self, body: bytes) -> dict[str, str]:
        """Headers of one delivery: hex HMAC-SHA1 over the very bytes sent, keyed with the API key."""
        take = self._faults.take
        if take("fullenrich_signature_missing") is not None:
            return {}
        old = take("fullenrich_signature_old_key") is not None
        signature = sign(body, self.keys[-1 if old else 0])
        if take("fullenrich_signature_wrong") is not None:
            signature = sign(body, "some other key")
        if take("fullenrich_signature_upper") is not None:
            signature = signature.upper()
        if take("fullenrich_signature_prefixed") is not None:
            signature = f"sha1={signature}"
        return {"x-signature-sha1": signature}


def sign(body: bytes, key: str) -> str:
    """The vendor's signature of a webhook."""
    return hmac.new(key.encode(), body, hashlib.sha1).hexdigest()


def _forgery(letter: Letter) -> Letter:
    """What somebody without the key could send: the same with another domain in every address."""
    return replace(letter, body=letter.body.replace(b'.example"', b'.forgery.test"'))


def _forged_seal(body: bytes) -> dict[str, str]:
    return {"x-signature-sha1": sign(body, "a guessed key")}


async def _no_such_path(request: Request, _: Exception) -> Response:
    """Outside of the API the vendor's host answers any path with its web application."""
    if request.url.path.startswith("/api/"):
        return PlainTextResponse("404 page not found", status_code=404)
    return HTMLResponse(PAGE)
