"""A provider without a vendor, for the tests of the pipeline: it keeps the port's contract, and
does what the test scripted.

    fake = FakeProvider(finds={("501", Field.EMAIL): (Candidate(value="ada@acme.test", grade=Grade.VALID),)})
    fake.refusals.append(RateLimited("slow down", after=30.0))  # the next submit raises it
    fake.delivery(submission)                                   # the callback that it would send
    fake.finished.add(submission.id)                            # from now on, a poll finds the result

An answer echoes what was told, unless the test says otherwise:

    fake.says[("501", Field.EMAIL)] = (STRANGER,)               # `body` and `delivery` speak of somebody else
    fake.body(submission, said=(STRANGER,))                     # the same for one body and all its results
    said([{..., "said": [{"first_name": "Bo"}]}])               # in a body by hand; [] says nothing of the person
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, ClassVar

from syncd.contract import ports
from syncd.contract.errors import ConnectorError, Garbled, Halt, InDoubt, Skip
from syncd.contract.model import (
    ASKED,
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
    Source,
    Submission,
)
from syncd.contract.pacing import Window
from syncd.contract.ports import ProviderCapabilities

CAPABILITIES = ProviderCapabilities(
    title="Fake",
    fields=frozenset(ASKED),
    batch=10,
    combines=True,
    price={Field.EMAIL: Decimal(1), Field.PHONE: Decimal(10)},
    windows=(Window(60.0, 600),),
    inputs="a LinkedIn profile, or a last name",
    poll_after=300.0,
    signed=True,
)
STRANGER = Identity(
    first_name="Zoltan",
    last_name="Querfurt",
    company="Elsewhere",
    domain="elsewhere.example.org",
    linkedin_url="https://www.linkedin.com/in/zoltan-querfurt-example",
)
SIGNATURE = "x-fake-signature"
_KEY = b"fake"


class FakeProvider:
    """Answers from `finds`, by contact id and field; whoever is not in it is not found.

    `says`: whom an answer speaks of, by contact id and field; whoever is not in it is echoed as told.
    `ways`: the ways to ask, the best first, each with the names of the parts of an identity that it tells;
    one is open where that includes a profile, a last name or an e-mail address. Without it there is one
    way, `all`, which tells the identity as it is.
    `refusals`: what the next calls of `submit` raise, in order. An InDoubt among them was carried
    out all the same: only its answer is lost. `poll_troubles`: the same for `poll`. `trouble`: what
    `balance` raises and `check` reports.
    """

    port: ClassVar[str] = "provider"
    Options: ClassVar[type[ports.Options]] = ports.Options
    capabilities: ProviderCapabilities = CAPABILITIES

    def __init__(
        self,
        name: str = "fake",
        *,
        finds: Mapping[tuple[str, Field], tuple[Candidate, ...]] | None = None,
        capabilities: ProviderCapabilities = CAPABILITIES,
        ways: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.name = name
        self.capabilities = capabilities
        self.finds = dict(finds or {})
        self.ways = ways
        self.says: dict[tuple[str, Field], tuple[Identity, ...]] = {}
        self.refusals: deque[ConnectorError] = deque()
        self.poll_troubles: deque[ConnectorError] = deque()
        self.trouble: Halt | None = None
        self.workspace: str | None = None  # whose the key is, where that is told
        self.left: Decimal | None = Decimal(1_000)
        self.submitted: list[Submission] = []  # every call of submit
        self.accepted: dict[str, Submission] = {}  # those that cost something, by submission id
        self.polled: list[str] = []
        self.finished: set[str] = set()  # submissions whose result a poll finds
        self.closed = False

    # --- the port -----------------------------------------------------------------------------

    async def account(self) -> str | None:
        if self.trouble is not None and self.workspace is not None:
            raise self.trouble
        return self.workspace

    async def check(self) -> list[Finding]:
        if self.trouble is not None:
            return [
                Finding(level=Level.ERROR, what=str(self.trouble), cure=self.trouble.cure, trouble=self.trouble.trouble)
            ]
        return [Finding(level=Level.OK, what=f"{self.left} credits are left")]

    def lacks(self, request: EnrichmentRequest) -> str | None:
        return None if self._open_ways(request) else "needs a LinkedIn profile, or a last name"

    def questions(self, request: EnrichmentRequest) -> Sequence[Question]:
        return self._open_ways(request) if self.lacks(request) is None else ()

    def _open_ways(self, request: EnrichmentRequest) -> Sequence[Question]:
        known = request.identity
        if self.ways is None:
            return (Question(way="all", told=known),) if known.linkedin_url or known.last_name else ()
        told = {way: Identity(**{part: getattr(known, part) for part in parts}) for way, parts in self.ways.items()}
        return tuple(
            Question(way=way, told=part)
            for way, part in told.items()
            if part.linkedin_url or part.last_name or part.email
        )

    async def submit(self, submission: Submission) -> Receipt:
        self.submitted.append(submission)
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal is None or isinstance(refusal, InDoubt):
            self.accepted[submission.id] = submission
        if refusal is not None:
            raise refusal
        return Receipt(provider_id=f"job-{submission.id}")

    async def poll(self, submission: Submission) -> Delivery | None:
        self.polled.append(submission.id)
        if self.poll_troubles:
            raise self.poll_troubles.popleft()
        if self.capabilities.poll_after is None:
            raise Skip("there is nothing to poll")
        return self.delivery(submission, Source.POLL) if submission.id in self.finished else None

    def authenticate(self, delivery: Delivery) -> bool:
        if not self.capabilities.signed or delivery.source is not Source.CALLBACK:
            return True
        told = delivery.headers.get(SIGNATURE, "").encode("utf-8", "replace")
        return hmac.compare_digest(told, sign(delivery.body).encode())

    def parse(self, delivery: Delivery, submission: Submission) -> Answer:
        try:
            said = json.loads(delivery.body.decode("utf-8"))
            return _answer(said, submission)
        except (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError) as error:
            raise Garbled("not an answer of the fake provider's") from error

    async def balance(self) -> Decimal | None:
        if self.trouble is not None:
            raise self.trouble
        return self.left

    async def aclose(self) -> None:
        self.closed = True

    # --- what a test makes of it --------------------------------------------------------------

    def body(self, submission: Submission, *, final: bool = True, said: Sequence[Identity] | None = None) -> bytes:
        """What the vendor says about a submission: what `finds` holds, at its price.

        `said`: whom every result speaks of; by default what `says` holds, or what was told.
        """
        results = [self._found(request, field, said) for request in submission.requests for field in request.fields]
        charged = sum(
            (self.capabilities.price[Field(r["field"])] for r in results if r["outcome"] == Outcome.FOUND), Decimal(0)
        )
        return body_of(results, final=final, charged=charged, provider_id=f"job-{submission.id}")

    def delivery(self, submission: Submission, source: Source = Source.CALLBACK, body: bytes | None = None) -> Delivery:
        """The callback (or another delivery) with this body, or with what `finds` holds; signed."""
        raw = self.body(submission) if body is None else body
        headers = {SIGNATURE: sign(raw)} if source is Source.CALLBACK else {}
        return Delivery(submission_id=submission.id, source=source, body=raw, headers=headers)

    def _found(self, request: EnrichmentRequest, field: Field, said: Sequence[Identity] | None) -> dict[str, Any]:
        about = self.says.get((request.ref.id, field), (request.identity,)) if said is None else said
        candidates = self.finds.get((request.ref.id, field), ())
        outcome = Outcome.FOUND if candidates else Outcome.NOT_FOUND
        values = [{"value": c.value, "grade": c.grade, "region": c.region, "line": c.line} for c in candidates]
        parts = [{key: value for key, value in asdict(identity).items() if value} for identity in about]
        return {"id": request.id, "field": field, "outcome": outcome, "candidates": values, "said": parts}


def sign(body: bytes) -> str:
    """The fake vendor's signature."""
    return hmac.new(_KEY, body, hashlib.sha256).hexdigest()


def said(
    results: list[dict[str, Any]], *, final: bool = True, charged: Decimal | None = None, provider_id: str = "job"
) -> bytes:
    """A body, for answers that `FakeProvider.body` does not give: outcomes, strangers, partial ones.

    A result may have `said`, a list of the parts of identities; one without it echoes what was told.
    """
    told = None if charged is None or not final else str(charged)
    return json.dumps({"final": final, "charged": told, "job": provider_id, "results": results}).encode()


body_of = said  # where a parameter is called `said`


def _answer(said: Mapping[str, Any], submission: Submission) -> Answer:
    asked = {(request.id, field) for request in submission.requests for field in request.fields}
    told = {(r["id"], Field(r["field"])): _result(r) for r in said["results"]}
    echo = {request.id: (request.identity,) for request in submission.requests}
    silent = {(r["id"], Field(r["field"])) for r in said["results"] if "said" not in r}
    results = [
        replace(result, said=echo[result.request_id]) if key in silent else result
        for key, result in told.items()
        if key in asked
    ]
    final = bool(said["final"])
    if final:
        missing = sorted(asked - told.keys())
        results += [EnrichmentResult(request_id=i, field=f, outcome=Outcome.MISSING) for i, f in missing]
    return Answer(
        results=tuple(results),
        final=final,
        running=not final and not results,
        charged=None if said["charged"] is None else Decimal(said["charged"]),
        provider_id=said["job"],
        unmatched=len(told.keys() - asked),
    )


def _result(raw: Mapping[str, Any]) -> EnrichmentResult:
    candidates = tuple(
        Candidate(value=c["value"], grade=Grade(c["grade"]), region=c.get("region"), line=c.get("line", ""))
        for c in raw.get("candidates", ())
    )
    return EnrichmentResult(
        request_id=raw["id"],
        field=Field(raw["field"]),
        outcome=Outcome(raw["outcome"]),
        candidates=candidates,
        said=tuple(_identity(one) for one in raw.get("said", ())),
    )


def _identity(raw: Mapping[str, Any]) -> Identity:
    parts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
    return Identity(**parts)
