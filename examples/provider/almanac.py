"""Almanac, a made-up provider that answers at once: `POST /v1/find` with a profile, or a name and a domain.

    {"profile": "https://www.linkedin.com/in/ada-example"}
    → {"email": "ada@acme.example.com", "status": "verified", "credits": 1, "person": {"name": "Ada Example", …}}

Nobody found: `{"email": null, "credits": 0}`. Errors are 401 (key), 402 (no credits), 422 (input) and 429 (too fast).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field as Setting
from pydantic import SecretStr

from syncd.contract import ports
from syncd.contract.errors import ConnectorError, Garbled, Halt, InDoubt, RateLimited, Retry, Skip, Trouble, Unlisted
from syncd.contract.http import Response
from syncd.contract.model import (
    Answer,
    Candidate,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
    Finding,
    Grade,
    Identity,
    Level,
    Outcome,
    Question,
    Receipt,
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.ports import ProviderCapabilities, Tools
from syncd.contract.reading import amount, decode, record, remark, text

GRADES = {"verified": Grade.VALID, "guessed": Grade.PROBABLE}
HALTS = {
    401: (Trouble.CREDENTIALS, "Copy the key again from Almanac's settings."),
    402: (Trouble.CREDITS, "Buy credits in Almanac's settings."),
}


class Options(ports.Options):
    """Settings of an Almanac connection."""

    api_key: SecretStr = Setting(description="From Almanac's settings.")


_Options = Options  # inside the class, `Options` is the class's own attribute


class Connector:
    """An Almanac account, reached with its one API key."""

    port: ClassVar[str] = "provider"
    Options: ClassVar[type[_Options]] = _Options
    capabilities: ProviderCapabilities = ProviderCapabilities(
        title="Almanac",
        fields=frozenset({Field.EMAIL}),
        batch=1,
        combines=False,
        price={Field.EMAIL: Decimal(1)},
        windows=(Window(60.0, 120),),
        inputs="a LinkedIn profile, or first name, last name and domain",
        at_once=True,
    )

    def __init__(self, name: str, options: _Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self._clock = tools.clock
        headers = {"authorization": f"Bearer {options.api_key.get_secret_value()}"}
        self._http = tools.http(base_url or "https://api.almanac.example", headers)

    # --- how it can be asked ------------------------------------------------------------------

    def questions(self, request: EnrichmentRequest) -> Sequence[Question]:
        """See `Provider.questions`. The profile comes first: it can mean nobody else."""
        known, ways = request.identity, []
        if known.linkedin_url:
            ways.append(Question(way="profile", told=Identity(linkedin_url=known.linkedin_url)))
        if known.first_name and known.last_name and known.domain:
            told = Identity(first_name=known.first_name, last_name=known.last_name, domain=known.domain)
            ways.append(Question(way="name", told=told))
        return ways

    def lacks(self, request: EnrichmentRequest) -> str | None:
        """See `Provider.lacks`."""
        return None if self.questions(request) else "neither a profile nor a name with a domain is known"

    # --- the paid call ------------------------------------------------------------------------

    async def submit(self, submission: Submission) -> Receipt:
        """See `Provider.submit`. The body of the answer is stored before it is read, as a callback would be."""
        told = submission.requests[0].identity
        parts = {"profile": told.linkedin_url, "first": told.first_name, "last": told.last_name, "domain": told.domain}
        body = {name: value for name, value in parts.items() if value}
        answer = await self._http.call("POST", "/v1/find", json_body=body, paid=True)
        if answer.status == 200 and _is_ours(answer):
            return Receipt(body=answer.body)
        raise _refusal(answer, self._clock.now())

    async def poll(self, submission: Submission) -> Delivery | None:
        """See `Provider.poll`: everything was said at once."""
        raise Skip("Almanac answers at once: there is nothing to ask for later")

    def authenticate(self, delivery: Delivery) -> bool:
        """See `Provider.authenticate`: Almanac calls nobody, so it signs nothing."""
        return True

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        """See `Provider.parse`."""
        said, request = decode(delivery.body), submission.requests[0]
        value, charged = text(said.get("email")), amount(said.get("credits"))
        if "email" not in said or charged is None:
            raise Garbled("no e-mail and no charge are told", charged=charged)
        if value is None and (charged or said["email"] is not None):
            raise Garbled("an answer without a usable e-mail", charged=charged)
        if value is not None and not charged:
            raise Garbled("a find that costs nothing is not Almanac's", charged=charged)
        result = EnrichmentResult(
            request_id=request.id,
            field=Field.EMAIL,
            outcome=Outcome.FOUND if value else Outcome.NOT_FOUND,
            candidates=(_candidate(value, said),) if value else (),
            said=_person(record(said.get("person"))),
        )
        return Answer(results=(result,), final=True, charged=charged)

    # --- the account --------------------------------------------------------------------------

    async def account(self) -> str | None:
        """See `Provider.account`: Almanac tells none."""
        return None

    async def balance(self) -> Decimal | None:
        """See `Provider.balance`."""
        answer = await self._http.call("GET", "/v1/balance")
        if answer.status != 200:
            raise _refusal(answer, self._clock.now())
        return amount(decode(answer.body).get("credits"))

    async def check(self) -> list[Finding]:
        """See `Provider.check`."""
        try:
            left = await self.balance()
        except Halt as error:
            return [Finding(level=Level.ERROR, what=str(error), cure=error.cure, trouble=error.trouble)]
        except ConnectorError as error:
            return [Finding(level=Level.ERROR, what=str(error), cure="Try again in a minute.", passing=True)]
        return [Finding(level=Level.OK, what=f"the key is accepted, {left} credits are left")]

    async def aclose(self) -> None:
        """See `Provider.aclose`."""
        await self._http.aclose()


def _is_ours(answer: Response) -> bool:
    """Not every 200 is the vendor's: a proxy may have sent a page of its own."""
    try:
        return "email" in decode(answer.body)
    except Garbled:
        return False


def _refusal(answer: Response, now: float) -> ConnectorError:
    """What to do about an answer that is no result."""
    said = f"Almanac answered {answer.status}: {remark(_message(answer))}"
    if answer.status in HALTS:
        trouble, cure = HALTS[answer.status]
        return Halt(f"Almanac answered {answer.status}", trouble=trouble, cure=cure)
    match answer.status:
        case 429:
            return RateLimited(said, after=answer.retry_after(now))
        case 422:
            return Skip(said)
        case 408 | 425:
            return Retry(said)
        case status if 400 <= status < 500:
            return Unlisted(said, kind=f"Almanac {status}", cure="See what Almanac says to this.")
        case _:
            return InDoubt(f"HTTP {answer.status} is no answer of Almanac's: the call may have been carried out")


def _message(answer: Response) -> Any:
    try:
        return decode(answer.body).get("message")
    except Garbled:
        return None


def _candidate(value: str, said: dict[str, Any]) -> Candidate:
    word = text(said.get("status")) or ""
    return Candidate(value=value, grade=GRADES.get(word, Grade.UNKNOWN), word=word)


def _person(said: dict[str, Any]) -> tuple[Identity, ...]:
    """Whom the answer is about. Whether that is the person who was meant is not decided here."""
    told = Identity(
        full_name=text(said.get("name")), domain=text(said.get("domain")), linkedin_url=text(said.get("profile"))
    )
    return (told,) if told != Identity() else ()
