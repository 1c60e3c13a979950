"""What goes to Zeliq, and what its immediate answer means.

What does not live here: the results, which come later and elsewhere (`answer`).
Statuses and texts: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api
"""

from __future__ import annotations

import re

from syncd.contract.errors import ConnectorError, Garbled, Halt, RateLimited, Retry, Skip, Trouble
from syncd.contract.http import Response
from syncd.contract.model import EnrichmentRequest, Field, Identity, Receipt
from syncd.contract.pacing import Window
from syncd.contract.reading import decode, record, remark, text

DEFAULT_URL = "https://app.zeliq.com"  # https://api.zeliq.com answers as well
PATHS = {Field.EMAIL: "/api/contact/enrich/email", Field.PHONE: "/api/contact/enrich/phone"}
BALANCE = "/api/credits/balance"
SPANS = {"perMinute": 60.0, "perHour": 3_600.0, "perDay": 86_400.0}

_HALTS = {
    401: (Trouble.CREDENTIALS, "Copy the key from Zeliq, Settings > API, into this connection's api_key."),
    402: (Trouble.CREDITS, "Buy credits in Zeliq under Settings > Billing."),
    403: (Trouble.CREDENTIALS, "Copy the key from Zeliq, Settings > API, into this connection's api_key."),
    423: (Trouble.BLOCKED, "Ask Zeliq's support to unblock the account."),
}
_PROPERTY = re.compile(r"property (\S+) should not exist")
_CALLBACK = re.compile(r"callback_?url", re.IGNORECASE)


def asked(request: EnrichmentRequest) -> Identity:
    """The part of the identity that Zeliq is told: the least that its endpoint needs."""
    known = request.identity
    if known.linkedin_url:
        return Identity(linkedin_url=known.linkedin_url)
    if Field.PHONE in request.fields:
        return Identity(email=known.email)
    company = None if known.domain else known.company
    return Identity(first_name=known.first_name, last_name=known.last_name, domain=known.domain, company=company)


def body(identity: Identity, callback_url: str, *, refuses_domain: bool) -> dict[str, str]:
    """The whole body, nothing blank: Zeliq refuses any property that it does not know.

    `refuses_domain`: an older deployment that takes a domain only in place of the company's name.
    """
    parts = {
        "linkedin_url": identity.linkedin_url,
        "email": identity.email,
        "first_name": identity.first_name,
        "last_name": identity.last_name,
        "domain": None if refuses_domain else identity.domain,
        "company": identity.domain if refuses_domain and identity.domain else identity.company,
        "callbackUrl": callback_url,
    }
    return {key: value for key, value in parts.items() if value}


def receipt(answer: Response) -> Receipt:
    """Any 2xx is an acceptance, whatever its body; only a web page is not, for it is not the API's."""
    if is_html(answer):
        raise elsewhere(answer)
    try:
        accepted = decode(answer.body)
    except Garbled:
        return Receipt()
    return Receipt(provider_id=text(accepted.get("jobId")), body=answer.body if accepted.get("contact") else None)


def refusal(answer: Response, now: float) -> ConnectorError:
    """What to do about an answer that is no acceptance."""
    said = f"Zeliq answered {answer.status}: {_message(answer)}"
    if answer.status in _HALTS:
        trouble, cure = _HALTS[answer.status]
        return Halt(said, trouble=trouble, cure=cure)
    match answer.status:
        case 429:
            return RateLimited(said, after=answer.retry_after(now), windows=_told_windows(answer))
        case 408 | 425:
            return Retry(said, after=answer.retry_after(now))
        case 400 | 413 | 422:
            return _bad_request(answer, said)
        case _:
            return elsewhere(answer)


def unknown_property(answer: Response) -> str | None:
    """The name in `property X should not exist`, if that is why the call was refused."""
    found = _PROPERTY.search(_message(answer)) if answer.status == 400 else None
    return found[1] if found else None


def elsewhere(answer: Response) -> Halt:
    """Something answered that is not Zeliq's API: another site, a proxy, a redirect."""
    kind = remark(answer.headers.get("content-type", "no content type"))[:60]
    said = f"HTTP {answer.status} with {kind} is no answer of Zeliq's: base_url does not point at the API"
    return Halt(said, trouble=Trouble.MISCONFIGURED, cure=f"Set base_url to {DEFAULT_URL}, or leave it out.")


def is_html(answer: Response) -> bool:
    """A web page, such as the shell that a site sends for any address."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def _bad_request(answer: Response, said: str) -> ConnectorError:
    if unknown_property(answer) is not None:
        return Halt(said, trouble=Trouble.MISCONFIGURED, cure="Update syncd: Zeliq no longer takes what it sends.")
    if _CALLBACK.search(_message(answer)):
        cure = "Set callbacks.public_url to the https address under which Zeliq reaches syncd."
        return Halt(said, trouble=Trouble.MISCONFIGURED, cure=cure)
    return Skip(said)


def _told_windows(answer: Response) -> tuple[Window, ...]:
    """`limits: {perMinute, perHour, perDay}` of a 429; empty where it is absent or odd."""
    try:
        limits = record(decode(answer.body).get("limits"))
    except Garbled:
        return ()
    told = ((span, limits.get(key)) for key, span in SPANS.items())
    return tuple(Window(span, limit) for span, limit in told if type(limit) is int and limit > 0)


def _message(answer: Response) -> str:
    """The vendor's text, a string or a list of them: https://docs.zeliq.com/reference/enrich-email."""
    try:
        return remark(decode(answer.body).get("message"))
    except Garbled:
        return remark(answer.body[:200].decode("utf-8", "replace"))
