"""What a FullEnrich result says, in our words: which item belongs to whom, and what became of it.

Callbacks and polls have the same body. Not in here: the keys of each version.
Source: https://docs.fullenrich.com/api/v2/general/webhooks and …/contact/enrich/bulk/get.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from syncd.contract import normal
from syncd.contract.errors import Garbled
from syncd.contract.jsontext import dump, parse
from syncd.contract.model import (
    CONTACT_EVENT,
    Answer,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
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
_STUCK = frozenset({"RATE_LIMIT", "UNKNOWN"})  # what they mean is not documented: an end only where they stay
_ABSURD_COST = 1_000_000  # credits of one job; the dearest, a hundred e-mails and phones, is 1 100


def is_final(status: object) -> bool:
    """Will the job never change again? RATE_LIMIT, UNKNOWN and words never seen are no end."""
    return _word(status) in _BLANK


def is_stuck(status: object) -> bool:
    """A status that may pass, but is to be taken for a failure where it stays."""
    return _word(status) in _STUCK


def read(delivery: Delivery, submission: Submission, *, twice: bool = True) -> Answer:
    """The answer to a submission or to some of it; raises Garbled. `twice`: a contact comes by itself, and once more
    with the whole job."""
    said = decode(delivery.body)
    shape = v1.SHAPE if v1.SHAPE.list_key in said else v2.SHAPE
    listed, status = said.get(shape.list_key), _word(said.get("status"))
    if not (listed is None or isinstance(listed, list)) or not (status or listed):
        raise Garbled("neither a status nor a list of contacts", charged=_cost(said))
    items = [_item(shape.list_key, dump(raw)) if twice else shape.item(raw) for raw in records(listed)]
    matched, unmatched = _match(items, submission.requests)
    scope = _scope(delivery, status, items)
    results = _results(submission.requests, matched, scope)
    charged = _cost(said) if scope.final else None
    if charged and not _readable(items) and (delivery.source is Source.POLL or not _missing(results)):
        raise Garbled(f"{charged} credits were charged, but no value could be read", charged=charged)
    return Answer(
        results=results,
        final=scope.final,
        running=not scope.final and not results,
        charged=charged,
        provider_id=text(said.get("id")),
        unmatched=unmatched + len(listed or ()) - len(items),
        note="" if status == "FINISHED" else f"status {status[:60] or 'missing'}",
    )


@lru_cache(maxsize=1024)
def _item(list_key: str, raw: str) -> Item:
    """What comes twice in the same words is read once."""
    shape = v1.SHAPE if list_key == v1.SHAPE.list_key else v2.SHAPE
    return shape.item(parse(raw))


def _word(status: object) -> str:
    return (text(status) or "").upper()


def _cost(said: Mapping[str, Any]) -> Decimal | None:
    """`cost.credits` of the whole job: a non-negative integer, or else not known."""
    credits_used = record(said.get("cost")).get("credits")
    return Decimal(credits_used) if type(credits_used) is int and 0 <= credits_used <= _ABSURD_COST else None


# --- what a delivery settles ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scope:
    """How much a delivery says. `complete`: its contacts are done, whether something was found or not.

    `blank` is the outcome of a contact without values, `absent` of one that is not in a final body.
    """

    final: bool
    complete: bool
    blank: Outcome
    absent: Outcome


def _scope(delivery: Delivery, status: str, items: Sequence[Item]) -> _Scope:
    polled, event = delivery.source is Source.POLL, delivery.part == CONTACT_EVENT
    final = not event and (status in _BLANK or (polled and status in _STUCK))
    # `contact_finished` sends one contact in the envelope of a job that still runs; it had no address of its own once.
    one = delivery.source is Source.CALLBACK and len(items) == 1
    done = one and (status == "IN_PROGRESS" or (event and (status in _BLANK or not status)))
    failed = status == "CANCELED" or status in _STUCK
    # A callback may lack contacts that the job has: only the job's own body, or none at all, says that they failed.
    absent = Outcome.FAILED if failed and (polled or not items) else Outcome.MISSING
    blank = _BLANK.get(status, Outcome.FAILED if final else Outcome.NOT_FOUND)
    return _Scope(final=final, complete=final or done, blank=blank, absent=absent)


def _results(
    requests: Sequence[EnrichmentRequest], matched: Mapping[str, Item], scope: _Scope
) -> tuple[EnrichmentResult, ...]:
    """One result per field that was asked for; what else came along is left alone."""
    results: list[EnrichmentResult] = []
    for request in requests:
        item = matched.get(request.id)
        if item is not None:
            said = item.said
            results += [_result(request.id, field, item, said, scope.blank) for field in request.fields]
        elif scope.final:
            results += (
                EnrichmentResult(request_id=request.id, field=field, outcome=scope.absent) for field in request.fields
            )
    return tuple(result for result in results if scope.complete or result.outcome is Outcome.FOUND)


def _result(request_id: str, field: Field, item: Item, said: tuple[Identity, ...], blank: Outcome) -> EnrichmentResult:
    offered = (item.offered or {}).get(field, ())
    if any(candidate.grade is not Grade.INVALID for candidate in offered):
        outcome = Outcome.FOUND
    elif offered:
        outcome = Outcome.NOT_FOUND  # looked at, and nothing but addresses that bounce
    elif item.offered is None and blank is Outcome.NOT_FOUND:
        outcome = Outcome.SKIPPED  # left out by silentFail
    else:
        outcome = blank
    return EnrichmentResult(request_id=request_id, field=field, outcome=outcome, candidates=offered, said=said)


def _readable(items: Iterable[Item]) -> bool:
    """Is there any value at all, whoever's?"""
    return any(any((item.offered or {}).values()) for item in items)


def _missing(results: Iterable[EnrichmentResult]) -> bool:
    """Is there a contact that the body does not speak of? Then the job is fetched before anything is believed."""
    return any(result.outcome is Outcome.MISSING for result in results)


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
        owners = _owners(item, [request for request in requests if request.id not in matched])
        if len(owners) == 1:
            matched[owners[0]] = item
        else:
            unmatched += 1
    return matched, unmatched


def _owners(item: Item, requests: Sequence[EnrichmentRequest]) -> list[str]:
    """Ids of the requests that told the same as the item echoes; v1 may tell the profile in the person's part only."""
    for keys in (normal.keys(item.echo), normal.keys(item.person)):
        if owners := [request.id for request in requests if keys & normal.keys(asked(request.identity))]:
            return owners
    return []
