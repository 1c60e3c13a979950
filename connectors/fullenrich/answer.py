"""What a FullEnrich result says, in our words: which item belongs to whom, and what became of it.

Callbacks and polls have the same body. What does not live here: the keys of each version.
Source: https://docs.fullenrich.com/api/v2/general/webhooks and …/contact/enrich/bulk/get.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from syncd.contract import normal
from syncd.contract.echo import contradicts
from syncd.contract.errors import Garbled
from syncd.contract.model import (
    Answer,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Grade,
    Identity,
    Outcome,
    Source,
    Submission,
)
from syncd.contract.reading import decode, record, records, text

from . import v1, v2
from .shape import Item, Shape, asked

SHAPES: dict[str, Shape] = {"v1": v1.SHAPE, "v2": v2.SHAPE}
_BLANK = {  # the statuses that end a job, and what a contact without any value means then
    "FINISHED": Outcome.NOT_FOUND,
    "CREDITS_INSUFFICIENT": Outcome.NO_CREDITS,
    "CANCELED": Outcome.FAILED,
}
_ABSURD_COST = 1_000_000  # credits of one job; the dearest, a hundred e-mails and phones, is 1 100


def is_final(status: object) -> bool:
    """Will the job never change again? RATE_LIMIT, UNKNOWN and words never seen are no end."""
    return _word(status) in _BLANK


def read(delivery: Delivery, submission: Submission) -> Answer:
    """The answer to a submission or to some of it; raises Garbled."""
    said = decode(delivery.body)
    shape = v1.SHAPE if v1.SHAPE.list_key in said else v2.SHAPE
    listed, status = said.get(shape.list_key), _word(said.get("status"))
    if not (listed is None or isinstance(listed, list)) or not (status or listed):
        raise Garbled("neither a status nor a list of contacts")
    items = [shape.item(raw) for raw in records(listed)]
    odd = len(listed or ()) - len(items)
    matched, unmatched = _match(items, submission.requests)
    # `contact_finished` sends one contact in the envelope of a job that still runs.
    finished_one = delivery.source is Source.CALLBACK and status == "IN_PROGRESS" and len(items) == 1
    final = status in _BLANK
    results = [
        result
        for request in submission.requests
        for result in _results(request, matched.get(request.id), _BLANK.get(status, Outcome.NOT_FOUND), final=final)
        if final or finished_one or result.outcome is Outcome.FOUND
    ]
    return Answer(
        results=tuple(results),
        final=final,
        running=not final and not results,
        charged=_cost(said) if final else None,
        provider_id=text(said.get("id")),
        unmatched=unmatched + odd,
        note="" if status == "FINISHED" else f"status {status[:60] or 'missing'}",
    )


def _word(status: object) -> str:
    return (text(status) or "").upper()


def _cost(said: Mapping[str, Any]) -> Decimal | None:
    """`cost.credits` of the whole job: a non-negative integer, or else not known."""
    credits_used = record(said.get("cost")).get("credits")
    return Decimal(credits_used) if type(credits_used) is int and 0 <= credits_used <= _ABSURD_COST else None


def _results(
    request: EnrichmentRequest, item: Item | None, blank: Outcome, *, final: bool
) -> Iterable[EnrichmentResult]:
    """One result per field that was asked for; what else came along is left alone."""
    if item is None:
        if final:
            yield from (
                EnrichmentResult(request_id=request.id, field=field, outcome=Outcome.MISSING)
                for field in request.fields
            )
        return
    mismatch = contradicts(asked(request.identity), item.echo)
    for field in request.fields:
        offered = (item.offered or {}).get(field, ())
        if any(candidate.grade is not Grade.INVALID for candidate in offered):
            outcome = Outcome.FOUND
        elif offered:
            outcome = Outcome.NOT_FOUND  # looked at, and nothing but addresses that bounce
        elif item.offered is None and blank is Outcome.NOT_FOUND:
            outcome = Outcome.SKIPPED  # left out by silentFail
        else:
            outcome = blank
        yield EnrichmentResult(
            request_id=request.id, field=field, outcome=outcome, candidates=offered, mismatch=mismatch
        )


# --- whose item is it? ------------------------------------------------------------------------


def _match(items: Iterable[Item], requests: Sequence[EnrichmentRequest]) -> tuple[dict[str, Item], int]:
    """Items by request id, and how many belong to none: by our id, then by the echo of what we sent
    where there is no id, never by position. An item with a foreign id is nobody's."""
    matched: dict[str, Item] = {}
    nameless: list[Item] = []
    unmatched = 0
    known = {request.id for request in requests}
    for item in items:
        ours = item.custom.get("attempt_id")
        if ours is None:
            nameless.append(item)
        elif isinstance(ours, str) and ours in known and ours not in matched:
            matched[ours] = item
        else:
            unmatched += 1
    for item in nameless:
        keys = _keys(item.echo)
        owners = [r.id for r in requests if r.id not in matched and keys & _keys(asked(r.identity))]
        if len(owners) == 1:
            matched[owners[0]] = item
        else:
            unmatched += 1
    return matched, unmatched


def _keys(identity: Identity) -> set[str]:
    """The person's digests: by profile, by name and domain, by name and company."""
    views = (
        Identity(linkedin_url=identity.linkedin_url),
        replace(identity, linkedin_url=None, company=None),
        replace(identity, linkedin_url=None, domain=None),
    )
    return {key for view in views if (key := normal.person_key(view)) is not None}
