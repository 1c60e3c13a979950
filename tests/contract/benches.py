"""Every provider on its bench: how its vendor can be made to behave, and what its callbacks look like.

A new provider gets a bench here and an entry in VENDORS; the suite in `syncd.contract.testing` does the rest.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from connectors import fullenrich, zeliq
from syncd.contract.errors import ConnectorError, Halt, InDoubt, RateLimited, Retry, Trouble
from syncd.contract.model import Candidate, Delivery, EnrichmentRequest, Field, Grade, Submission
from syncd.contract.ports import Provider
from syncd.contract.testing import FOUND, KEY, Bench, HttpBench, Reply, Vendor, scripted, tools

from .fake_provider import FakeProvider

WORDS = (
    *(
        "contact",
        "credit_used",
        "most_probable_email",
        "most_probable_email_status",
        "emails",
        "email",
        "status",
        "phones",
    ),
    *(
        "phone",
        "number",
        "region",
        "statusCode",
        "error",
        "message",
        "first_name",
        "last_name",
        "domain",
        "linkedin_url",
    ),
    *("data", "datas", "custom", "attempt_id", "input", "contact_info", "work_emails", "most_probable_work_email"),
    *("most_probable_phone", "cost", "credits", "id", "line_type", "profile"),
)


@contextmanager
def _zeliq() -> Iterator[Bench]:
    def make(url: str) -> Provider:
        return zeliq.Connector("z", zeliq.Options(api_key=SecretStr(KEY)), url, tools())

    def body(submission: Submission, values: Mapping[Field, str], charged: int) -> dict[str, Any]:
        (request,) = submission.requests
        word, told = request.fields[0], request.identity
        value = values.get(word)
        found = {f"most_probable_{word}": value, "most_probable_email_status": "valid" if value else None}
        echo = {name: getattr(told, name) for name in ("first_name", "last_name", "domain", "linkedin_url", "email")}
        return {"credit_used": charged, "contact": echo | found}

    with scripted() as script:
        yield HttpBench(script, make, _replies(202, {"jobId": "job"}, {"credit_balance": 7}), body, words=WORDS)


@contextmanager
def _fullenrich(version: str) -> Iterator[Bench]:
    def make(url: str) -> Provider:
        options = fullenrich.Options.model_validate({"api_key": KEY, "version": version})
        return fullenrich.Connector("f", options, url, tools())

    def body(submission: Submission, values: Mapping[Field, str], charged: int) -> dict[str, Any]:
        email, phone = values.get(Field.EMAIL), values.get(Field.PHONE)
        v2 = {
            "work_emails": [{"email": email, "status": "DELIVERABLE"}] if email else [],
            "most_probable_phone": {"number": phone} if phone else None,
        }
        v1 = {
            "most_probable_email": email or "",
            "most_probable_email_status": "DELIVERABLE" if email else "",
            "phones": [{"number": phone, "region": None}] if phone else [],
        }

        def item(request: EnrichmentRequest) -> dict[str, Any]:
            told, custom = request.identity, {"custom": {"attempt_id": request.id}}
            if version == "v1":
                names = {"firstname": told.first_name, "lastname": told.last_name, "domain": told.domain}
                return custom | {"contact": v1 | names}
            names = {"first_name": told.first_name, "last_name": told.last_name, "company_domain": told.domain}
            return custom | {"contact_info": v2, "input": names | {"professional_network_url": told.linkedin_url}}

        return {
            "id": "job",
            "status": "FINISHED",
            "cost": {"credits": charged},
            "datas" if version == "v1" else "data": [item(request) for request in reversed(submission.requests)],
        }

    def signature(raw: bytes) -> dict[str, str]:
        return {"x-signature-sha1": hmac.new(KEY.encode(), raw, hashlib.sha1).hexdigest()}

    with scripted() as script:
        replies = _replies(200, {"enrichment_id": "job"}, {"balance": 7})
        yield HttpBench(script, make, replies, body, signature=signature, words=WORDS)


def _replies(accepted: int, receipt: dict[str, Any], balance: dict[str, Any]) -> dict[Vendor, Reply]:
    return {
        Vendor.ACCEPTS: Reply(accepted, receipt),
        Vendor.LIMITED: Reply(429, {"message": "too many"}),
        Vendor.BAD_KEY: Reply(401, {"message": f"who is {KEY}?"}),
        Vendor.NO_CREDITS: Reply(402, {"message": "No Credit Remaining"}),
        Vendor.BALANCE: Reply(200, balance),
    }


@dataclass
class FakeBench:
    """The pipeline's own fake, held to the same duties."""

    made: list[FakeProvider] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    tells_balance: bool = True

    def provider(self, vendor: Vendor = Vendor.ACCEPTS) -> Provider:
        fake = FakeProvider()
        halts = {
            Vendor.BAD_KEY: Halt("who?", trouble=Trouble.CREDENTIALS, cure="Mend the key."),
            Vendor.NO_CREDITS: Halt("no credits", trouble=Trouble.CREDITS, cure="Buy some."),
        }
        refusals: dict[Vendor, ConnectorError] = {
            Vendor.LIMITED: RateLimited("too many"),
            Vendor.LOST: InDoubt("no answer"),
            Vendor.UNREACHABLE: Retry("no way"),
            **halts,
        }
        fake.trouble = halts.get(vendor)
        if vendor in refusals:
            fake.refusals.append(refusals[vendor])
        self.made.append(fake)
        return fake

    def calls(self) -> int:
        return sum(len(fake.submitted) for fake in self.made)

    def found(self, submission: Submission) -> Delivery:
        fake = FakeProvider()
        for request in submission.requests:
            for word in request.fields:
                fake.finds[request.ref.id, word] = (Candidate(value=FOUND[word], grade=Grade.VALID),)
        return fake.delivery(submission)

    def nothing(self, submission: Submission) -> Delivery:
        return FakeProvider().delivery(submission)

    def charged_for_nothing(self, submission: Submission) -> Delivery | None:
        return None


@contextmanager
def _fake() -> Iterator[Bench]:
    yield FakeBench()


FAKE: Callable[[], AbstractContextManager[Bench]] = _fake
VENDORS: dict[str, Callable[[], AbstractContextManager[Bench]]] = {
    "zeliq": _zeliq,
    "fullenrich": lambda: _fullenrich("v2"),
    "fullenrich-v1": lambda: _fullenrich("v1"),
}
