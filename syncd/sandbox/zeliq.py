"""Zeliq's enrichment API, emulated: paths, refusals, plans, credits, and jobs that end in a callback.

Shapes and texts are those of the vendor's help article and OpenAPI page; where neither says
anything (the order of the checks, bodies of 402 and 423, what a refused header gets) the choice is
inferred. What a callback says is in `zeliq_results`; how it travels, in `callbacks`.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from syncd.sandbox import faults as switchboard
from syncd.sandbox.answers import Answers, VendorApp, answer_faults
from syncd.sandbox.background import Background
from syncd.sandbox.billing import Account, Bill
from syncd.sandbox.callbacks import Courier, Letter, callback_faults, guess_token, to_bytes
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.limits import CalendarWindows, SlidingWindows, Windows
from syncd.sandbox.world import Person, World
from syncd.sandbox.zeliq_request import PLANS, Refused, read_request
from syncd.sandbox.zeliq_results import RESULT_FAULTS, Results, found

KEY = "sk-sandbox-zeliq"
ACCEPTED = "Request accepted, results will be sent to the callback URL"
ORIGIN_LENGTH = 50
PAUSES = tuple(30.0 * 2**retry for retry in range(8))  # 30 s … 64 min: "just over 1 hour" for the eighth
LATENCY = (20.0, 0.9, 3.0, 240.0)  # median, sigma (log-normal), least, most: sandbox seconds

FAULTS: dict[str, str] = {
    "zeliq_early": "the callback arrives before the call is answered",
    "zeliq_status": "the call is accepted with another status (parameter, 200)",
    "zeliq_no_job_id": "the call is accepted without a jobId",
    "zeliq_result_in_body": "200 with the result itself and no callback (parameter `both`: one all the same)",
    "zeliq_limited": "429 although there is room",
    "zeliq_no_limits": "a 429 does not tell the plan's limits (while on)",
    "zeliq_retry_after": "a 429 carries Retry-After (while on; parameter: its value, 30)",
    "zeliq_no_credit": "402 although there are credits",
    "zeliq_blocked": "423: the account is blocked (while on)",
    "zeliq_key_revoked": "401: the key was regenerated (while on)",
    "zeliq_message_list": "the message of a 400 is a list (while on)",
    "zeliq_lenient": "unknown properties are not refused (while on)",
    "zeliq_no_domain": "an older deployment that refuses the property `domain` (while on)",
    "zeliq_only_callback_url": "a deployment that refuses the property `callbackUrl` (while on)",
    "zeliq_only_callbackUrl": "a deployment that refuses the property `callback_url` (while on)",
    "zeliq_slow": "the job takes long (parameter: sandbox seconds, 3600)",
    **answer_faults("zeliq", "an enrichment call", effect=True),
    **callback_faults("zeliq_callback"),
    **RESULT_FAULTS,
}
switchboard.register(FAULTS)


@dataclass(slots=True)
class Job:
    """One accepted call."""

    id: str
    field: str  # email or phone
    asked: Mapping[str, str]
    url: str
    person: Person | None
    price: Decimal
    held: Decimal


class Zeliq:
    """One organization's account at the emulated Zeliq."""

    def __init__(
        self,
        world: World,
        clock: SandboxClock,
        faults: Faults,
        rng: random.Random,
        *,
        plan: str = "essential",
        credits: Decimal | int = 10_000,  # noqa: A002 - the vendor's word
        keys: Sequence[str] = (KEY,),
        hold: bool = True,
        sliding: bool = False,
    ) -> None:
        """`hold`: take credits at acceptance and refund, else charge at the end; `sliding`: strictest windows."""
        self.plan = PLANS[plan]
        self.keys = list(keys)
        self.account = Account(Decimal(credits))
        self.calls: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.jobs: dict[str, Job] = {}
        self._world, self._clock, self._faults, self._rng, self._hold = world, clock, faults, rng, hold
        self._seed = rng.getrandbits(64)
        self._serial = itertools.count()
        self._in_answers: set[str] = set()
        self._windows: Windows = (SlidingWindows if sliding else CalendarWindows)(clock, self.plan.windows())
        self._closing = asyncio.Event()
        self._mishaps = Answers(faults, "zeliq", self._closing)
        self._results = Results(world, faults, self._seed)
        self._background = Background()
        self.courier = Courier(clock, faults, pauses=PAUSES, forge=self._forgery)
        self.app = VendorApp(
            routes=[
                Route("/api/credits/balance", self._answering("balance", self._tell_balance), methods=["GET"]),
                Route("/api/contact/enrich/email", self._answering("email", self._take_email), methods=["POST"]),
                Route("/api/contact/enrich/phone", self._answering("phone", self._take_phone), methods=["POST"]),
            ],
            exception_handlers={404: _no_such_path, 405: _no_such_path},
        )

    @property
    def balance(self) -> Decimal:
        """Credits as the vendor reports them now: what is held is off already."""
        return self.account.balance

    @property
    def billed(self) -> Decimal:
        """Credits really charged so far."""
        return self.account.billed

    @property
    def bills(self) -> list[Bill]:
        """One per ended job, also those of zero credits."""
        return self.account.bills

    @property
    def busy(self) -> int:
        """Jobs that run and callbacks on their way."""
        return self._background.busy + self.courier.busy

    async def settled(self) -> None:
        """Wait until every job has ended and its callback is acknowledged or given up."""
        await self._background.settled()
        await self.courier.settled()

    async def aclose(self) -> None:
        """Stop all jobs and callbacks; raises if one of them had failed."""
        self._closing.set()
        await self._background.aclose()
        await self.courier.aclose()

    def heard(self) -> set[str]:
        """Jobs whose result somebody has acknowledged, or got in the answer to the call."""
        return self._in_answers | self.courier.acknowledged()

    # ---- calls

    def _answering(
        self, call: str, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.calls[call] += 1
            try:
                self._check_key(request)
                response = await answer(request)
            except Refused as refused:
                response = JSONResponse(refused.body, refused.status, self._headers(refused.status))
            self.answers[response.status_code] += 1
            return response

        return endpoint

    def _headers(self, status: int) -> dict[str, str]:
        after = self._faults.setting("zeliq_retry_after") if status == 429 else None
        return {} if after is None else {"retry-after": after or "30"}

    def _check_key(self, request: Request) -> None:
        key = request.headers.get("x-api-key")
        if not key:
            raise Refused(401, "API key is required")
        if key not in self.keys or self._faults.setting("zeliq_key_revoked") is not None:
            raise Refused(401, "Invalid API key")
        if self._faults.setting("zeliq_blocked") is not None:
            raise Refused(423, "User is blocked")

    async def _tell_balance(self, _: Request) -> Response:
        return JSONResponse({"credit_balance": _number(self.balance)})

    async def _take_email(self, request: Request) -> Response:
        return await self._enrich(request, "email", self.plan.email)

    async def _take_phone(self, request: Request) -> Response:
        return await self._enrich(request, "phone", self.plan.phone)

    async def _enrich(self, request: Request, field: str, price: Decimal) -> Response:
        if (mishap := self._mishaps.before()) is not None:
            return mishap
        self._check_rate()
        origin = request.headers.get("x-request-origin", "")
        asked, url = read_request(self._faults, field, await request.body(), origin)
        if price > self.balance or self._faults.take("zeliq_no_credit") is not None:
            raise Refused(402, "No Credit Remaining")
        return self._mishaps.after(await self._accept(self._open(field, asked, url, price)))

    def _check_rate(self) -> None:
        if self._faults.take("zeliq_limited") is None and self._windows.admit():
            return
        refused = Refused(429, "Rate limit exceeded. Please try again later.")
        if self._faults.setting("zeliq_no_limits") is None:
            refused.body["limits"] = self.plan.limits()
        raise refused

    # ---- jobs

    def _open(self, field: str, asked: dict[str, str], url: str, price: Decimal) -> Job:
        person = self._world.find_person(**asked)
        name = uuid.UUID(int=random.Random(f"{self._seed}:{next(self._serial)}").getrandbits(128), version=4)  # noqa: S311
        job = Job(str(name), field, asked, url, person, price, held=price if self._hold else Decimal(0))
        self.account.hold(job.held)
        self.jobs[job.id] = job
        return job

    async def _accept(self, job: Job) -> Response:
        if (both := self._faults.take("zeliq_result_in_body")) is not None:
            body = self._finish(job)
            self._in_answers.add(job.id)
            if both == "both":
                self._send(job, body)
            return Response(body, media_type="application/json")
        if self._faults.take("zeliq_early") is not None:
            await self._send(job, self._finish(job)).tried.wait()
        else:
            self._background.start(self._work(job))
        other = self._faults.take("zeliq_status")
        status = 202 if other is None else int(other or 200)
        told = {"status": status, "message": ACCEPTED, "jobId": job.id}
        if self._faults.take("zeliq_no_job_id") is not None:
            del told["jobId"]
        return JSONResponse(told, status)

    async def _work(self, job: Job) -> None:
        slow = self._faults.take("zeliq_slow")
        await self._clock.sleep(self._latency(job) if slow is None else float(slow or 3600))
        self._send(job, self._finish(job))

    def _finish(self, job: Job) -> bytes:
        """Settle the bill and write the callback."""
        self.account.release(job.held)
        result = self._results.write(job.field, job.asked, job.person, job.price)
        self.account.charge(
            Bill(
                job.id,
                result.person.key if result.person else None,
                job.field,
                result.charge,
                self._clock.now(),
                result.reason,
                result.told,
                job.asked,
                result.person is not job.person,
            )
        )
        return to_bytes(result.body)

    def _send(self, job: Job, body: bytes) -> Letter:
        letter = Letter("zeliq_callback", job.url, body, job.id)
        self.courier.send(letter)
        return letter

    def _latency(self, job: Job) -> float:
        who = job.person.key if job.person else "|".join(job.asked.values())
        median, sigma, least, most = LATENCY
        chance = random.Random(f"{self._seed}:{job.field}:{who}")  # noqa: S311 - chance, not secrecy
        return min(max(chance.lognormvariate(math.log(median), sigma), least), most)

    def _forgery(self, letter: Letter) -> Letter:
        job = self.jobs[letter.job]
        value = "forged@forgery.test" if job.field == "email" else "+447700900999"
        fake = found(job.field, job.asked, None, [(value, "valid")])
        url = guess_token(letter.url, random.Random(f"{self._seed}:{job.id}"))  # noqa: S311
        return Letter(letter.channel, url, to_bytes({"credit_used": 1, "contact": fake}), letter.job)


async def _no_such_path(request: Request, _: Exception) -> Response:
    message = f"Cannot {request.method} {request.url.path}"
    return JSONResponse({"message": message, "error": "Not Found", "statusCode": 404}, status_code=404)


def _number(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)
