"""FullEnrich: up to a hundred people per call, e-mail and phone together; answers by callback or poll.

In here: the connector, its settings, FullEnrich's limits and prices. `wire` is what is sent
and what the immediate answer means, `answer` what a result says, `v1` and `v2` the keys of either
version. Not in here: pacing and repeats, which are the pipeline's.

Source: https://docs.fullenrich.com (v2; v1 under …/api/v1)
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Literal
from urllib.parse import quote

from pydantic import Field as Setting
from pydantic import SecretStr, field_validator

from syncd.contract import ports
from syncd.contract.errors import Garbled, Halt, Retry, Skip
from syncd.contract.http import Response
from syncd.contract.model import (
    ASKED,
    Answer,
    Delivery,
    EnrichmentRequest,
    Field,
    Finding,
    Level,
    Question,
    Receipt,
    Source,
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.ports import ProviderCapabilities, Tools
from syncd.contract.reading import amount, decode

from . import answer, wire
from .sample import SAMPLE
from .shape import CUSTOM_LIMIT, asked

_CAPABILITIES = ProviderCapabilities(
    title="FullEnrich",
    keys="docs/keys.md#fullenrich",
    fields=frozenset(ASKED),
    batch=100,
    combines=True,
    price={Field.EMAIL: Decimal(1), Field.PHONE: Decimal(10)},
    windows=(Window(60.0, 60, fixed=True),),
    inputs="a LinkedIn profile, or first name, last name and company or domain; best all of them",
    poll_after=300.0,
    polls_count=True,
    body_limit=16 * 1024 * 1024,
    signed=True,
    echoes=True,  # `input`, and `profile` where one was given or found
    bills_finds_only=True,  # https://docs.fullenrich.com/api/v2/general/credit
    sample=SAMPLE,
    calls_again=True,  # "receiving a non-2xx status code, we will retry every minute, up to 5 times"
)
_SIGNATURE = "x-signature-sha1"
_MINUTE = 60.0
_STAYS = 3_600.0  # seconds: far more than the minutes that a job takes, far less than an answer is waited for
_STUCK_KEPT = 1_000  # jobs
_WORKSPACE = "workspace"


class Options(ports.Options):
    """Settings of a FullEnrich connection. `previous_api_key`: still accepted in signatures while
    jobs that began before a change of keys run on. `contact_webhooks`: also be told of each contact
    as soon as it is done (v2 only)."""

    api_key: SecretStr = Setting(description="From FullEnrich, Settings > API.")
    previous_api_key: SecretStr | None = Setting(
        default=None, description="Signatures made with it are still accepted."
    )
    version: Literal["v2", "v1"] = Setting(default="v2", description="Which version of the API is called.")
    contact_webhooks: bool = Setting(
        default=True, description="Hear of each contact at once, not only of the whole batch."
    )

    @field_validator("api_key", "previous_api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("the key is empty, or holds spaces, line ends or letters that no key has")
        return key


_Options = Options  # inside the class, `Options` is the class's own attribute


class Connector:
    """A FullEnrich workspace, reached with its API key."""

    port: ClassVar[str] = "provider"
    Options: ClassVar[type[_Options]] = _Options
    capabilities: ProviderCapabilities = _CAPABILITIES

    def __init__(self, name: str, options: _Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self._tools = tools
        self._options = options
        self._shape = answer.SHAPES[options.version]
        self._workspaces: tuple[str, str] | None = None  # the key's and the former one, where they differ
        self._stuck: dict[str, float] = {}  # job ids, and since when a poll has shown a status that may pass
        self._bulk = f"/api/{options.version}/contact/enrich/bulk"
        keys = [options.api_key, options.previous_api_key]
        self._signing = [hmac.new(key.get_secret_value().encode(), digestmod="sha1") for key in keys if key is not None]
        headers = {"authorization": f"Bearer {options.api_key.get_secret_value()}", "accept": "application/json"}
        self._http = tools.http(re.sub(r"(/api(/v\d+)?)?/*$", "", base_url or wire.DEFAULT_URL), headers)

    async def account(self) -> str | None:
        """See `Provider.account`: the workspace's id."""
        return await self._workspace()

    async def check(self) -> list[Finding]:
        """See `Provider.check`: which workspace the key belongs to, and how many credits it has."""
        try:
            workspace = await self._workspace()
            left = await self.balance()
        except Halt as error:
            return [Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=error.trouble)]
        except Retry as error:
            cure = "Check the network and base_url, then run the check again."
            return [Finding(level=Level.ERROR, what=str(error), cure=cure, passing=True)]
        if self._workspaces is not None:
            other = wire.other_workspace(*self._workspaces)
            return [Finding(level=Level.ERROR, what=str(other), cure=other.cure, trouble=other.trouble)]
        key = f"the key of workspace {workspace} is accepted" if workspace else "the key is accepted"
        if left is None:
            return [Finding(level=Level.WARNING, what=f"{key}, but FullEnrich told no balance")]
        if left <= 0:
            cure = "Buy credits in FullEnrich, or raise the workspace's plan."
            return [Finding(level=Level.WARNING, what=f"{key}, but no credits are left", cure=cure)]
        return [Finding(level=Level.OK, what=f"{key}, {left} credits are left")]

    def lacks(self, request: EnrichmentRequest) -> str | None:
        """See `Provider.lacks`. One such contact could make FullEnrich refuse its whole batch."""
        known = request.identity
        if len(request.ref.id) > CUSTOM_LIMIT:
            return f"the CRM's id of the contact is longer than {CUSTOM_LIMIT} characters"
        if known.linkedin_url or (known.first_name and known.last_name and (known.domain or known.company)):
            return None
        return "needs a LinkedIn profile, or first name, last name and company or domain"

    def questions(self, request: EnrichmentRequest) -> Sequence[Question]:
        """See `Provider.questions`: all at once is the best way, and the only one."""
        return () if self.lacks(request) else (Question(way="all", told=asked(request.identity)),)

    async def submit(self, submission: Submission) -> Receipt:
        """See `Provider.submit`. Split or Skip where a contact may be at fault; Halt where `check` has
        found that the key belongs to another workspace."""
        if self._workspaces is not None:
            raise wire.other_workspace(*self._workspaces)
        content = wire.body(submission, self._shape, contact_webhooks=self._options.contact_webhooks)
        params = self._shape.params
        response = await self._http.call("POST", self._bulk, json_body=content, params=params, paid=True)
        if not 200 <= response.status < 300:
            raise wire.start_refusal(response, len(submission.requests), self._after(response))
        return wire.receipt(response)

    async def poll(self, submission: Submission) -> Delivery | None:
        """See `Provider.poll`. None as well while the job's id is not known, for a callback can
        still tell it. Results are kept for three months."""
        if submission.provider_id is None:
            return None
        response = await self._http.call("GET", f"{self._bulk}/{quote(submission.provider_id, safe='')}")
        if response.status == 400 and wire.code(response) == wire.IN_PROGRESS:
            self._stuck.pop(submission.provider_id, None)
            return None
        if response.status == 404 and wire.code(response):
            raise Skip(
                "FullEnrich does not know this job: results are kept for three months, per workspace and version"
            )
        if response.status == 400:
            raise Retry("FullEnrich refused a poll", after=self._after(response))
        if response.status not in {200, 402}:
            raise wire.refusal(response, self._after(response))
        return self._polled(response, submission)

    def authenticate(self, delivery: Delivery) -> bool:
        """See `Provider.authenticate`: lower-case hex HMAC-SHA1 of the raw body, keyed with the API
        key (https://docs.fullenrich.com/api/v2/general/webhooks). What we fetched needs none."""
        if delivery.source is not Source.CALLBACK:
            return True
        told = delivery.headers.get(_SIGNATURE, "").strip().lower().encode("utf-8", "replace")
        return any(hmac.compare_digest(told, _signature(key, delivery.body)) for key in self._signing)

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        """See `Provider.parse`. Reads either version, whichever is configured now."""
        return answer.read(delivery, submission, twice=self._options.contact_webhooks)

    async def balance(self) -> Decimal | None:
        """See `Provider.balance`: GET /account/credits, `{"balance": 4999.75}`."""
        response = await self._http.call("GET", f"/api/{self._options.version}/account/credits")
        if wire.is_html(response):
            raise wire.elsewhere(response)
        if response.status != 200:
            raise wire.refusal(response, self._after(response))
        try:
            return amount(decode(response.body).get("balance"))
        except Garbled:
            return None

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._http.aclose()

    def _after(self, response: Response) -> float:
        """Seconds to wait after a 429: what was told, or the rest of the clock minute and a bit."""
        now = self._tools.clock.now()
        told = response.retry_after(now)
        return told if told is not None else _MINUTE - now % _MINUTE + self._tools.rng.uniform(0.0, 3.0)

    def _polled(self, response: Response, submission: Submission) -> Delivery | None:
        """A 402 holds the result of a job that ran out of credits, or else an error about the account."""
        if wire.is_html(response):
            raise wire.elsewhere(response)
        try:
            status = decode(response.body).get("status")
        except Garbled as error:
            raise Retry(f"FullEnrich's answer to a poll is {error}") from error
        if response.status == 402 and status is None:
            raise wire.refusal(response, self._after(response))
        if not answer.is_final(status) and not self._stays(submission.provider_id or "", status):
            return None
        return Delivery(submission_id=submission.id, source=Source.POLL, body=response.body)

    def _stays(self, job: str, status: object) -> bool:
        """Has a poll shown for an hour what may pass? Counted anew after a restart."""
        if not answer.is_stuck(status):
            self._stuck.pop(job, None)
            return False
        if job not in self._stuck and len(self._stuck) >= _STUCK_KEPT:
            self._stuck.clear()  # jobs that a callback ended are never polled again
        now = self._tools.clock.now()
        return now - self._stuck.setdefault(job, now) >= _STAYS

    async def _workspace(self) -> str | None:
        """GET /account/keys/verify, `{"workspace_id": …}`; None where that is not told. The first one is remembered:
        jobs and credits of another workspace are not this connection's."""
        response = await self._http.call("GET", f"/api/{self._options.version}/account/keys/verify")
        told = wire.workspace(response, self._after(response))
        if told is not None and (known := self._tools.memory.recall(_WORKSPACE)) is None:
            await self._tools.memory.keep(_WORKSPACE, told)
        elif told is not None:
            self._workspaces = None if told == known else (told, str(known))
        return told


def _signature(key: hmac.HMAC, body: bytes) -> bytes:
    """`hmac.digest` begins with the key each time, and lets other threads run meanwhile, however short the body is."""
    signing = key.copy()
    signing.update(body)
    return signing.hexdigest().encode()
