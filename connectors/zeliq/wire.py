"""What goes to Zeliq, and what its immediate answer means.

Not in here: the results, which come later and elsewhere (`answer`).
Statuses and texts: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api
"""

from __future__ import annotations

import re
from collections.abc import Collection, Set

from syncd.contract.errors import (
    ConnectorError,
    Garbled,
    Halt,
    InDoubt,
    RateLimited,
    Retry,
    Skip,
    Trouble,
    Unlisted,
)
from syncd.contract.http import Response
from syncd.contract.model import Field, Identity, Receipt
from syncd.contract.pacing import Window
from syncd.contract.reading import decode, record, remark, text

DEFAULT_URL = "https://app.zeliq.com"
PATHS = {Field.EMAIL: "/api/contact/enrich/email", Field.PHONE: "/api/contact/enrich/phone"}
BALANCE = "/api/credits/balance"
SPANS = {"perMinute": 60.0, "perHour": 3_600.0, "perDay": 86_400.0}

# Keys under which a value stands in an answer, in `contact` or beside it.
RESULT_KEYS = frozenset({"most_probable_email", "emails", "most_probable_phone", "phones"})
# The help article takes either name of the callback's address and knows `domain`; the older specification
# (https://docs.zeliq.com/reference/enrich-email) knows `callback_url` alone, and no `domain`.
_CALLBACKS = frozenset({"callbackUrl", "callback_url"})
OPTIONAL = _CALLBACKS | {"domain"}
_PROPERTIES = {
    Field.EMAIL: ("linkedin_url", "first_name", "last_name", "company", "domain"),
    Field.PHONE: ("linkedin_url", "email"),
}
_HALTS = {
    401: (Trouble.CREDENTIALS, "Copy the key from Zeliq, Settings > API, into this connection's api_key."),
    402: (Trouble.CREDITS, "Buy credits in Zeliq under Settings > Billing."),
    403: (Trouble.CREDENTIALS, "Copy the key from Zeliq, Settings > API, into this connection's api_key."),
    423: (Trouble.BLOCKED, "Ask Zeliq's support to unblock the account."),
}
_PROPERTY = re.compile(r"property (\S+) should not exist")
_ADDRESS = re.compile(r"callback_?url", re.IGNORECASE)
_INPUT = re.compile(r"linkedin|first_?name|last_?name|company|domain|e-?mail|person|profile", re.IGNORECASE)
_ACCEPTANCE = frozenset({"status", "jobId", "contact", "credit_used"}) | RESULT_KEYS  # one of them is in each


def body(field: Field, told: Identity, callback_url: str, refused: Collection[str]) -> dict[str, str]:
    """The whole body, nothing blank: Zeliq refuses any property that it does not know.

    `refused`: names out of OPTIONAL that this deployment does not know. An older one takes a domain only
    in place of the company's name.
    """
    parts = {name: getattr(told, name) for name in _PROPERTIES[field]} | dict.fromkeys(_CALLBACKS, callback_url)
    if "domain" in refused and field is Field.EMAIL:
        parts["company"] = told.company or told.domain
    return {name: value for name, value in parts.items() if value and name not in refused}


def narrowed(refused: Set[str], complaints: Set[str]) -> frozenset[str] | None:
    """What to leave out of the next body, or None where a complaint can't be met.

    `refused`: what was left out so far; `complaints`: all names that this submission was refused for. One name for
    the callback's address must remain: where Zeliq has changed which of the two it knows, the other one is tried again.
    """
    if not complaints <= OPTIONAL or complaints >= _CALLBACKS:
        return None
    left_out = refused | complaints
    return frozenset(left_out - (_CALLBACKS - complaints) if left_out >= _CALLBACKS else left_out)


def receipt(answer: Response) -> Receipt:
    """A 2xx with any part of Zeliq's own answer is an acceptance. What else comes with a 2xx (a web page, half a body,
    none) is somebody's who may or may not have passed the call on: raises InDoubt."""
    try:
        accepted = decode(answer.body)
    except Garbled as error:
        raise doubtful(answer) from error
    if _ACCEPTANCE.isdisjoint(accepted):
        raise doubtful(answer)
    holds_result = bool(accepted.get("contact")) or not RESULT_KEYS.isdisjoint(accepted)
    return Receipt(provider_id=text(accepted.get("jobId")), body=answer.body if holds_result else None)


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
        case status if 400 <= status < 500:
            return _unlisted(answer, said)
        case _:
            return doubtful(answer)


def unknown_properties(answer: Response) -> frozenset[str]:
    """The names in `property X should not exist`, if that is why the call was refused."""
    return frozenset(_PROPERTY.findall(_message(answer))) if answer.status == 400 else frozenset()


def elsewhere(answer: Response) -> Halt:
    """Something answered that is not Zeliq's API: another site, a proxy, a redirect."""
    kind = remark(answer.headers.get("content-type", "no content type"))[:60]
    said = f"HTTP {answer.status} with {kind} is no answer of Zeliq's API"
    cure = "Leave base_url out, so that both of Zeliq's hosts are tried."
    return Halt(said, trouble=Trouble.MISCONFIGURED, cure=cure)


def doubtful(answer: Response) -> InDoubt:
    """The answer to a paid call is not Zeliq's, so that it tells nothing of what Zeliq has done."""
    kind = remark(answer.headers.get("content-type", "no content type"))[:60]
    return InDoubt(f"HTTP {answer.status} with {kind} is no answer of Zeliq's: the call may have been carried out")


def _unlisted(answer: Response, said: str) -> Unlisted:
    cure = "See what Zeliq says to this; base_url should be left out, so that both of Zeliq's hosts are tried."
    return Unlisted(said, kind=f"Zeliq {answer.status}", cure=cure)


def is_html(answer: Response) -> bool:
    """A web page, such as the shell that a site sends for any address."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def _bad_request(answer: Response, said: str) -> ConnectorError:
    if unknown_properties(answer):
        return Halt(said, trouble=Trouble.MISCONFIGURED, cure="Update syncd: Zeliq no longer takes what it sends.")
    if _ADDRESS.search(_message(answer)):
        cure = "Set callbacks.public_url to the https address under which Zeliq reaches syncd."
        return Halt(said, trouble=Trouble.MISCONFIGURED, cure=cure)
    return Skip(said) if _INPUT.search(_message(answer)) else _unlisted(answer, said)


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
