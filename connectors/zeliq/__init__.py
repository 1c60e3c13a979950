"""Zeliq: one person and one kind of value per call; the answer comes by callback and no other way.

What lives here: the connector, its settings, Zeliq's limits and prices. `wire` is what is sent and
what the immediate answer means, `answer` what a callback says. What does not: pacing, repeats and
the callback's own MAC (Zeliq signs nothing), which are the pipeline's.

Source: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field as Setting
from pydantic import SecretStr, field_validator

from syncd.contract import ports
from syncd.contract.errors import Garbled, Halt, Retry, Skip
from syncd.contract.http import Http, Response
from syncd.contract.model import (
    ASKED,
    Answer,
    Delivery,
    EnrichmentRequest,
    Field,
    Finding,
    Identity,
    Level,
    Receipt,
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.ports import ProviderCapabilities, Tools
from syncd.contract.reading import amount, decode

from . import answer, wire

Plan = Literal["free", "starter", "essential", "advanced", "enterprise"]

_LIMITS: dict[Plan, tuple[int, int, int]] = {  # calls per minute, hour and day, for the whole organisation
    "free": (50, 200, 600),
    "starter": (200, 400, 2_000),
    "essential": (600, 2_000, 6_000),
    "advanced": (600, 2_000, 6_000),
    "enterprise": (600, 2_000, 6_000),
}
_FREE_EMAIL_PLANS = frozenset({"advanced", "enterprise"})
_REFUSES_DOMAIN = "refuses_domain"


class Options(ports.Options):
    """Settings of a Zeliq connection. `plan` sets the limits and the price of an e-mail; `origin`
    marks our calls in Zeliq's own records (header x-request-origin, at most 50 characters)."""

    api_key: SecretStr
    plan: Plan = "starter"
    origin: str = Setting(default="syncd", max_length=50, pattern=r"^[\x21-\x7e]*$")

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("the key is empty, or holds spaces, line ends or letters that no key has")
        return key


def _capabilities(plan: Plan) -> ProviderCapabilities:
    return ProviderCapabilities(
        title="Zeliq",
        fields=frozenset(ASKED),
        batch=1,
        combines=False,
        price={Field.EMAIL: Decimal(0 if plan in _FREE_EMAIL_PLANS else 1), Field.PHONE: Decimal(10)},
        windows=tuple(Window(span, limit) for span, limit in zip(wire.SPANS.values(), _LIMITS[plan], strict=True)),
        inputs="e-mail: a LinkedIn profile, or first name, last name and company or domain; "
        "phone: a LinkedIn profile or an e-mail address",
        needs_email_for=frozenset({Field.PHONE}),
    )


_Options = Options  # inside the class, `Options` is the class's own attribute


class Connector:
    """A Zeliq organisation, reached with its one API key."""

    port: ClassVar[str] = "provider"
    Options: ClassVar[type[_Options]] = _Options
    capabilities: ProviderCapabilities = _capabilities("starter")  # an instance's follow from its plan

    def __init__(self, name: str, options: _Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self.capabilities = _capabilities(options.plan)
        self._tools = tools
        headers = {"x-api-key": options.api_key.get_secret_value(), "accept": "application/json"}
        if options.origin:
            headers["x-request-origin"] = options.origin
        self._http = Http((base_url or wire.DEFAULT_URL).rstrip("/").removesuffix("/api"), headers, tools.transport)

    async def check(self) -> list[Finding]:
        """See `Provider.check`: one call to the balance, which is exempt from Zeliq's limits."""
        try:
            left = await self.balance()
        except Halt as error:
            return [Finding(level=Level.ERROR, what=str(error), cure=error.cure)]
        except Retry as error:
            cure = "Check the network and base_url, then run the check again."
            return [Finding(level=Level.ERROR, what=str(error), cure=cure)]
        if left is None:
            return [Finding(level=Level.WARNING, what="the key is accepted, but Zeliq told no balance")]
        if left <= 0:
            cure = "Buy credits in Zeliq under Settings > Billing."
            return [Finding(level=Level.WARNING, what="the key is accepted, but no credits are left", cure=cure)]
        return [Finding(level=Level.OK, what=f"the key is accepted, {left} credits are left")]

    def lacks(self, request: EnrichmentRequest) -> str | None:
        """See `Provider.lacks`. A profile is enough for both; a phone can't be asked by name."""
        known = request.identity
        if known.linkedin_url:
            return None
        if Field.PHONE in request.fields:
            return None if known.email else "a phone needs a LinkedIn profile or an e-mail address"
        if known.first_name and known.last_name and (known.domain or known.company):
            return None
        return "an e-mail needs a LinkedIn profile, or first name, last name and company or domain"

    async def submit(self, submission: Submission) -> Receipt:
        """See `Provider.submit`. A 400 about the property `domain` is followed by one more POST with
        `company` in its place: nothing was accepted, and it is remembered for good."""
        asked = wire.asked(submission.requests[0])
        response = await self._post(submission, asked)
        if asked.domain and not self._refuses_domain() and wire.unknown_property(response) == "domain":
            await self._tools.memory.keep(_REFUSES_DOMAIN, True)
            response = await self._post(submission, asked)
        if not 200 <= response.status < 300:
            raise wire.refusal(response, self._tools.clock.now())
        return wire.receipt(response)

    async def poll(self, submission: Submission) -> Delivery | None:
        """See `Provider.poll`: Zeliq has no address for it, so this always raises Skip."""
        raise Skip("Zeliq can't be asked for a result: it comes by callback or not at all")

    def authenticate(self, delivery: Delivery) -> bool:
        """See `Provider.authenticate`: Zeliq signs nothing."""
        return True

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        """See `Provider.parse`."""
        return answer.read(delivery.body, submission.requests[0])

    async def balance(self) -> Decimal | None:
        """See `Provider.balance`: GET /api/credits/balance, `{"credit_balance": 4500}`."""
        response = await self._http.call("GET", wire.BALANCE)
        if wire.is_html(response):
            raise wire.elsewhere(response)
        if response.status != 200:
            error = wire.refusal(response, self._tools.clock.now())
            raise wire.elsewhere(response) if isinstance(error, Skip) else error
        try:
            return amount(decode(response.body).get("credit_balance"))
        except Garbled:
            return None

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._http.aclose()

    async def _post(self, submission: Submission, asked: Identity) -> Response:
        field = submission.requests[0].fields[0]
        content = wire.body(asked, submission.callback_url, refuses_domain=self._refuses_domain())
        return await self._http.call("POST", wire.PATHS[field], json_body=content, paid=True)

    def _refuses_domain(self) -> bool:
        return self._tools.memory.recall(_REFUSES_DOMAIN) is True
