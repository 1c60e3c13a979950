"""Zeliq: one person and one kind of value per call; the answer comes by callback and no other way.

In here: the connector, its settings, Zeliq's limits and prices. `questions` is how it can be asked, `hosts`
where it is called, `wire` what is sent and what the immediate answer means, `answer` what a callback says, `echo`
whether that repeats what was sent. Not in here: pacing, repeats and the callback's own MAC (Zeliq signs nothing),
which are the pipeline's.

Source: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field as Setting
from pydantic import SecretStr, field_validator

from syncd.contract import ports
from syncd.contract.errors import Halt, Retry, Skip
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
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.ports import ProviderCapabilities, Tools

from . import answer, questions, wire
from .hosts import Hosts
from .sample import SAMPLE

Plan = Literal["free", "starter", "essential", "advanced", "enterprise"]

_LIMITS: dict[Plan, tuple[int, int, int]] = {  # calls per minute, hour and day, for the whole organisation
    "free": (50, 200, 600),
    "starter": (200, 400, 2_000),
    "essential": (600, 2_000, 6_000),
    "advanced": (600, 2_000, 6_000),
    "enterprise": (600, 2_000, 6_000),
}
_FREE_EMAIL_PLANS = frozenset({"advanced", "enterprise"})
# Credits that one find may cost. The help article says 1 and 10, but an official sample bills "2" for an e-mail
# (https://docs.zeliq.com/reference/enrich-email), and 15 were seen billed for a phone.
_WORST = {Field.EMAIL: Decimal(2), Field.PHONE: Decimal(15)}
_REFUSED = "refused_properties"
_REFUSES_DOMAIN = "refuses_domain"  # what earlier versions remembered


class Price(ports.Options):
    """Credits for one find as the contract with Zeliq has them; what is left out keeps its default."""

    email: Decimal | None = Setting(default=None, ge=0, description="Credits for one e-mail that is found.")
    phone: Decimal | None = Setting(default=None, ge=0, description="Credits for one phone that is found.")


class Options(ports.Options):
    """Settings of a Zeliq connection. `plan` sets the limits, and makes e-mails free on advanced and enterprise;
    `price` overrides what a find is reckoned with (by default the dearest seen: e-mail 2, phone 15 credits);
    `origin` marks our calls in Zeliq's own records (header x-request-origin, at most 50 characters)."""

    chosen: ClassVar[tuple[str, ...]] = ("plan",)

    api_key: SecretStr = Setting(description="From Zeliq, Settings > API.")
    plan: Plan = Setting(default="starter", description="Sets limits and prices.")
    price: Price = Setting(default=Price(), description="What a find is reckoned with, as your contract says.")
    origin: str = Setting(
        default="syncd",
        max_length=50,
        pattern=r"^[\x21-\x7e]*$",
        description="How our calls are marked in Zeliq's records.",
    )

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("the key is empty, or holds spaces, line ends or letters that no key has")
        return key


def _prices(plan: Plan, told: Price) -> dict[Field, Decimal]:
    """Credits in the worst case, per field."""
    usual = _WORST | ({Field.EMAIL: Decimal(0)} if plan in _FREE_EMAIL_PLANS else {})
    given = {Field.EMAIL: told.email, Field.PHONE: told.phone}
    return usual | {field: price for field, price in given.items() if price is not None}


def _capabilities(plan: Plan, price: Price) -> ProviderCapabilities:
    return ProviderCapabilities(
        title="Zeliq",
        fields=frozenset(ASKED),
        batch=1,
        combines=False,
        price=_prices(plan, price),
        windows=tuple(Window(span, limit) for span, limit in zip(wire.SPANS.values(), _LIMITS[plan], strict=True)),
        inputs="e-mail: a LinkedIn profile, or first name, last name and company or domain; "
        "phone: a LinkedIn profile or an e-mail address",
        needs_email_for=frozenset({Field.PHONE}),
        echoes=True,  # name, domain and profile with an e-mail; profile and e-mail with a phone
        keys="docs/keys.md#zeliq",
        bills_finds_only=True,  # "Credits are refunded if no email is found"; the same for phones
        sample=SAMPLE,
    )


_Options = Options  # inside the class, `Options` is the class's own attribute


class Connector:
    """A Zeliq organisation, reached with its one API key."""

    port: ClassVar[str] = "provider"
    Options: ClassVar[type[_Options]] = _Options
    capabilities: ProviderCapabilities = _capabilities("starter", Price())  # an instance's follow from its options

    def __init__(self, name: str, options: _Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self.capabilities = _capabilities(options.plan, options.price)
        self._tools = tools
        headers = {"x-api-key": options.api_key.get_secret_value(), "accept": "application/json"}
        if options.origin:
            headers["x-request-origin"] = options.origin
        self._hosts = Hosts(base_url, headers, tools)

    async def account(self) -> str | None:
        """See `Provider.account`. Zeliq tells no account's id."""
        return None

    async def check(self) -> list[Finding]:
        """See `Provider.check`: one call to the balance, which is exempt from Zeliq's limits."""
        try:
            left = await self.balance()
        except Halt as error:
            return [Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=error.trouble)]
        except Retry as error:
            cure = "Check the network and base_url, then run the check again."
            return [Finding(level=Level.ERROR, what=str(error), cure=cure, passing=True)]
        if left is None:
            return [Finding(level=Level.WARNING, what="the key is accepted, but Zeliq told no balance")]
        if left <= 0:
            cure = "Buy credits in Zeliq under Settings > Billing."
            return [Finding(level=Level.WARNING, what="the key is accepted, but no credits are left", cure=cure)]
        return [Finding(level=Level.OK, what=f"the key is accepted, {left} credits are left")]

    def lacks(self, request: EnrichmentRequest) -> str | None:
        """See `Provider.lacks`. A profile is enough for both; a phone can't be asked by name."""
        return questions.lacking(request)

    def questions(self, request: EnrichmentRequest) -> Sequence[Question]:
        """See `Provider.questions`. E-mail: `profile`, then `name`; phone: `profile`, then `email`."""
        return questions.ways(request)

    async def submit(self, submission: Submission) -> Receipt:
        """See `Provider.submit`. A 400 about a property that some deployments don't know is followed by one more
        POST without it, for each such property once: nothing was accepted, and it is remembered for good."""
        complaints: frozenset[str] = frozenset()
        refused = self._refused()
        content, response = await self._post(submission, refused)
        while new := wire.unknown_properties(response) - complaints:
            complaints |= new
            narrowed = wire.narrowed(refused, complaints) if new <= content.keys() else None
            if narrowed is None:
                break
            refused = narrowed
            await self._tools.memory.keep(_REFUSED, sorted(refused))
            content, response = await self._post(submission, refused)
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
        request = submission.requests[0]
        field = questions.field_of(request)
        return answer.read(delivery, request, field, price=self.capabilities.price[field], usual=_WORST[field])

    async def balance(self) -> Decimal | None:
        """See `Provider.balance`."""
        return await self._hosts.balance()

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._hosts.aclose()

    async def _post(self, submission: Submission, refused: frozenset[str]) -> tuple[Mapping[str, str], Response]:
        request = submission.requests[0]
        field = questions.field_of(request)
        content = wire.body(field, request.identity, submission.callback_url, refused)
        return content, await self._hosts.pay(wire.PATHS[field], content)

    def _refused(self) -> frozenset[str]:
        """Properties that this deployment is known not to take."""
        kept = self._tools.memory.recall(_REFUSED)
        names = {name for name in kept if name in wire.OPTIONAL} if isinstance(kept, list) else set()
        return frozenset(names | ({"domain"} if self._tools.memory.recall(_REFUSES_DOMAIN) is True else set()))
