"""What goes to FullEnrich, and what its immediate answer means.

Not in here: the results (`answer`) and the keys of each version (`v1`, `v2`).
Codes: the OpenAPI of https://docs.fullenrich.com; an error is `{"code": …, "message": …}`.
"""

from __future__ import annotations

import re
from typing import Any

from syncd.contract.errors import (
    ConnectorError,
    Garbled,
    Halt,
    InDoubt,
    RateLimited,
    Retry,
    Skip,
    Split,
    Trouble,
    Unlisted,
)
from syncd.contract.http import Response
from syncd.contract.model import EnrichmentRequest, Receipt, Submission
from syncd.contract.reading import decode, remark, text

from .shape import CUSTOM_LIMIT, Shape

DEFAULT_URL = "https://app.fullenrich.com"
IN_PROGRESS = "error.enrichment.in_progress"

_KEY_CURE = "Copy the key from FullEnrich, Settings > API, into this connection's api_key."
_HALTS = {
    401: (Trouble.CREDENTIALS, _KEY_CURE),
    402: (Trouble.CREDITS, "Buy credits in FullEnrich, or raise the workspace's plan."),
    403: (Trouble.CREDENTIALS, _KEY_CURE),
    423: (Trouble.BLOCKED, "Ask FullEnrich's support to unblock the workspace."),
}
# Codes that accuse what we send for every contact alike; any other 400 may be one contact's fault, `data.empty`
# included: others saw it for one odd contact in a call that held several.
_OUR_FAULT = re.compile(r"error\.enrichment\.(name\.empty|webhook_url|provider\.empty|enrich_fields?\.|custom\.)")
# Codes that accuse a part of what is told of the contact.
_INPUT = re.compile(r"error\.(enrichment\.)?(domain|first_?name|last_?name|company|linkedin)")
_ID = re.compile(r"[\w.:-]{1,128}")


def body(submission: Submission, shape: Shape, *, contact_webhooks: bool) -> dict[str, Any]:
    """The whole body of a start. `name` is what FullEnrich's dashboard lists."""
    contacts = [shape.contact(request) | {"custom": _custom(submission, request)} for request in submission.requests]
    started: dict[str, Any] = {
        "name": submission.label.strip() or f"syncd {submission.id}",
        shape.list_key: contacts,
    }
    if submission.callback_url:
        started["webhook_url"] = submission.callback_url
    if contact_webhooks and shape.contact_events and submission.contact_url:
        started["webhook_events"] = {"contact_finished": submission.contact_url}
    return started


def _custom(submission: Submission, request: EnrichmentRequest) -> dict[str, str]:
    """Strings that come back with the answer; `connection` and `object` say whose `contact_id` it is."""
    ids = {"attempt_id": request.id, "batch_id": submission.id, "contact_id": request.ref.id}
    whose = {"connection": request.ref.connection, "object": request.ref.object}
    return ids | {key: value for key, value in whose.items() if 0 < len(value) <= CUSTOM_LIMIT}


def receipt(answer: Response) -> Receipt:
    """A 2xx with `enrichment_id`, usable or not, or with an empty object is an acceptance. What else comes with a 2xx
    (a web page, half a body, none) is somebody's who may or may not have passed the call on: raises InDoubt."""
    try:
        accepted = decode(answer.body)
    except Garbled as error:
        raise doubtful(answer) from error
    if accepted and "enrichment_id" not in accepted:
        raise doubtful(answer)
    job = text(accepted.get("enrichment_id"))
    return Receipt(provider_id=job if job and _ID.fullmatch(job) else None)


def workspace(answer: Response, after: float) -> str | None:
    """The workspace's id out of `{"workspace_id": …}`, or None where this address does not tell it.

    Raises Halt and Retry as other calls do where the answer is about the key, the account or the pace.
    """
    if answer.status in {408, 425, 429, *_HALTS}:
        raise refusal(answer, after)
    try:
        told = text(decode(answer.body).get("workspace_id")) if answer.status == 200 else None
    except Garbled:
        return None
    return told if told and _ID.fullmatch(told) else None


def other_workspace(told: str, known: str) -> Halt:
    """The key is good, but not the one of the account that this connection has worked with."""
    said = f"the key belongs to workspace {told}, and this connection has worked with workspace {known}"
    cure = "Put the former workspace's key back, or give the new workspace a connection of its own, with another name."
    return Halt(said, trouble=Trouble.ACCOUNT, cure=cure)


def start_refusal(answer: Response, contacts: int, after: float) -> ConnectorError:
    """Why a start was refused: nothing of it runs. The error never says which contact is at fault."""
    if not 400 <= answer.status < 500:
        return doubtful(answer)
    if answer.status in {408, 425, 429, *_HALTS}:
        return refusal(answer, after)
    said = _said(answer)
    found = _OUR_FAULT.match(code(answer)) if answer.status in {400, 413, 422} else None
    if found is None:
        cure = f"See what FullEnrich says to this; base_url should be {DEFAULT_URL}, or left out."
        named = code(answer)
        kind = f"FullEnrich {answer.status} {remark(named)}" if named else f"FullEnrich {answer.status}"
        if contacts > 1:
            return Split(said)
        return Skip(said) if _INPUT.match(code(answer)) else Unlisted(said, kind=kind, cure=cure)
    cure = "Update syncd: FullEnrich no longer takes what it sends."
    if found[1] == "webhook_url":
        cure = "Set callbacks.public_url to the https address under which FullEnrich reaches syncd."
    return Halt(said, trouble=Trouble.MISCONFIGURED, cure=cure)


def refusal(answer: Response, after: float) -> ConnectorError:
    """What to do about an answer that is no success. `after`: seconds until the next clock minute,
    when FullEnrich counts anew (https://docs.fullenrich.com/api/v2/general/ratelimit)."""
    if answer.status in _HALTS:
        trouble, cure = _HALTS[answer.status]
        return Halt(_said(answer), trouble=trouble, cure=cure)
    if answer.status == 429:
        return RateLimited(_said(answer), after=after)
    if answer.status in {408, 425}:
        return Retry(_said(answer), after=after)
    return elsewhere(answer)


def elsewhere(answer: Response) -> Halt:
    """Something answered that is not FullEnrich's API: its website, a proxy, a redirect."""
    kind = remark(answer.headers.get("content-type", "no content type"))[:60]
    said = f"HTTP {answer.status} with {kind} is no answer of FullEnrich's: base_url does not point at the API"
    return Halt(said, trouble=Trouble.MISCONFIGURED, cure=f"Set base_url to {DEFAULT_URL}, or leave it out.")


def doubtful(answer: Response) -> InDoubt:
    """The answer to a paid call is not FullEnrich's, so that it tells nothing of what FullEnrich has done."""
    kind = remark(answer.headers.get("content-type", "no content type"))[:60]
    return InDoubt(f"HTTP {answer.status} with {kind} is no answer of FullEnrich's: the call may have been carried out")


def is_html(answer: Response) -> bool:
    """A web page: app.fullenrich.com answers 200 with one for any address that it does not know."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def code(answer: Response) -> str:
    """The error's code, or an empty string."""
    try:
        return text(decode(answer.body).get("code")) or ""
    except Garbled:
        return ""


def _said(answer: Response) -> str:
    try:
        message = decode(answer.body).get("message")
    except Garbled:
        message = answer.body[:200].decode("utf-8", "replace")
    return f"FullEnrich answered {answer.status} {remark(code(answer))}: {remark(message)}"
