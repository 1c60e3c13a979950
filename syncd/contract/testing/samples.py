"""Made-up people and questions about them, for the tests of providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.contract import normal
from syncd.contract.model import ContactRef, Delivery, EnrichmentRequest, Field, Identity, Source, Submission

CALLBACK = "https://enrich.example.com/callbacks/vendor?contactId=501&a=5f0c&m=9d1e"
EVENTS = "https://enrich.example.com/callbacks/vendor?part=contact&a=5f0c&m=7c2b"  # of single contacts
PROFILE = "https://www.linkedin.com/in/ada-example"
ADA = Identity(first_name="Ada", last_name="Example", company="Acme", domain="acme.example.com", linkedin_url=PROFILE)
BY_NAME = Identity(first_name="Ada", last_name="Example", domain="acme.example.com")
BY_COMPANY = Identity(first_name="Ada", last_name="Example", company="Acme")
BY_MAIL = Identity(email="ada@acme.example.com")
NOBODY = Identity()

EMAIL = (Field.EMAIL,)
PHONE = (Field.PHONE,)
BOTH = (Field.EMAIL, Field.PHONE)


def person(number: int) -> Identity:
    """One of many, each with a profile, a name and an employer of their own."""
    raw = Identity(
        first_name=f"First{chr(97 + number % 26)}",
        last_name=f"Last{chr(97 + number // 26 % 26)}",
        domain=f"company{number}.example.com",
        linkedin_url=f"linkedin.com/in/person-{number}",
    )
    return normal.tidy(raw)


def request(
    identity: Identity = ADA,
    fields: tuple[Field, ...] = EMAIL,
    *,
    id: str = "attempt-1",  # noqa: A002
    contact: str = "501",
) -> EnrichmentRequest:
    ref = ContactRef(connection="crm", object="contacts", id=contact)
    return EnrichmentRequest(id=id, ref=ref, identity=identity, fields=fields)


def submission(*requests: EnrichmentRequest, provider_id: str | None = None, label: str = "") -> Submission:
    asked = requests or (request(),)
    return Submission(
        id="batch-1", requests=asked, callback_url=CALLBACK, contact_url=EVENTS, label=label, provider_id=provider_id
    )


def several(identities: Sequence[Identity], fields: tuple[Field, ...] = BOTH) -> Submission:
    """A bulk: attempt-0, attempt-1 … about contacts 500, 501 …"""
    return submission(
        *(request(who, fields, id=f"attempt-{n}", contact=str(500 + n)) for n, who in enumerate(identities))
    )


def delivery(
    body: bytes, source: Source = Source.CALLBACK, headers: Mapping[str, str] | None = None, part: str = ""
) -> Delivery:
    return Delivery(submission_id="batch-1", source=source, body=body, headers=headers or {}, part=part)
