"""Paid calls of which nobody knows what became, calls without a price, and answers that were set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncd.actions import doubts as deciding
from syncd.ledger import glances, search, submissions, unpriced
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced
from syncd.pages.site import Question, Site, Wrong

SHOWN = 100
CHUNK = 200  # calls that are decided on in one transaction
LAST = 1 << 62
PRICED = "priced"
WHAT = {  # what each decision does to the money
    deciding.SENT: "It arrived: its answer is waited for, and its credits stay reserved.",
    deciding.NOT_SENT: "It never arrived: its credits are free, and whoever it was about may be asked about again.",
    deciding.GIVE_UP: "Nobody asks this provider about them again; its credits stay counted.",
    deciding.RESEND: "It is sent once more, although it may be paid twice.",
}


async def doubts(site: Site, request: Request) -> Response:
    """`/doubts`"""
    before = request.query_params.get("before", str(LAST))
    if not (before.isascii() and before.isdigit() and len(before) < 20):
        raise Wrong("That is no place in the list. Begin at its first page.")
    found, frame = await site.read(_all, min(int(before), LAST))
    return await site.page(request, "doubts.html", frame=frame, what=WHAT, words_=deciding.WORDS, **found)


def _all(tx: Tx, before: int) -> dict[str, Any]:
    calls, without_price = submissions.doubts(tx), unpriced.unpriced(tx, assumed=True)
    shown: list[Doubt | Unpriced] = [*calls[:SHOWN], *without_price[:SHOWN]]
    aside = glances.set_aside(tx, before=before, limit=SHOWN)
    return {
        "calls": calls[:SHOWN],
        "n": len(calls),
        "at_risk": sum(one.reserved for one in calls),
        "without_price": without_price[:SHOWN],
        "about": search.contacts_of_calls(tx, [one.id for one in shown]),
        "aside": aside,
        "older": aside[-1]["id"] if len(aside) == SHOWN else None,
    }


async def confirm(site: Site, request: Request) -> Response:
    """`/doubts/DECISION?call=…`, or with `all=1`: what would be done."""
    what, given = request.path_params["what"], request.query_params
    calls = await site.parts.ledger.read(_chosen, what, given.getlist("call"), every=given.get("all") == "1")
    if not calls:
        raise Wrong("Nothing is picked, or it was settled meanwhile.", 404)
    at_risk = sum(_risk(one) for one in calls)
    told = [WHAT.get(what, "Each of them counts with the price that you say.")]
    told.append(f"{len(calls)} {'call' if len(calls) == 1 else 'calls'}, at most {at_risk:g} credits.")
    fields = {"call": [one.id for one in calls], "set": [_mark(calls)]}
    title = f"{deciding.WORDS.get(what, 'Priced').capitalize()}: {len(calls)} {'call' if len(calls) == 1 else 'calls'}?"
    asks = [("charged", "Credits that each was charged", "0")] if what == PRICED else []
    question = Question(
        title=title, told=told, action=f"/doubts/{what}", fields=fields, button="Do it", back="/doubts", asks=asks
    )
    return await site.confirm(request, question)


async def resolve(site: Site, request: Request) -> Response:
    """Do it, if they are the ones that were shown."""
    what, form = request.path_params["what"], request.state.form
    calls = await site.parts.ledger.read(_chosen, what, form.fields.get("call", []), every=False)
    if not calls or _mark(calls) != form.get("set"):
        raise Wrong("Nothing was done: some of them were settled meanwhile. Look again.", 409)
    decision = _decision(site, what, form.get("charged"))
    now = site.parts.clock.now()
    for first in range(0, len(calls), CHUNK):
        await site.parts.ledger.write(deciding.carry_out, calls[first : first + CHUNK], decision, now)
    site.note(request, "in-doubt resolve", decision=decision.words, calls=len(calls))
    site.parts.bells.ring("sweep")
    return site.done(request, "/doubts", f"{len(calls)} {'call' if len(calls) == 1 else 'calls'}: {decision.words}.")


def _decision(site: Site, what: str, charged: str) -> deciding.Decision:
    if what != PRICED:
        within = {name: lane.provider.capabilities.answer_within for name, lane in site.parts.lanes.items()}
        return deciding.decided(what, within)
    try:
        return deciding.priced(deciding.amount(charged))
    except ValueError as error:
        raise Wrong(f"Nothing was done: {error}.") from None


def _chosen(tx: Tx, what: str, ids: Sequence[str], *, every: bool) -> list[Doubt | Unpriced]:
    known: Sequence[Doubt | Unpriced] = (
        unpriced.unpriced(tx, assumed=True) if what == PRICED else submissions.doubts(tx)
    )
    wanted = set(ids)
    return [one for one in known if every or one.id in wanted]


def _mark(calls: Iterable[Doubt | Unpriced]) -> str:
    return hashlib.blake2b("\n".join(sorted(one.id for one in calls)).encode(), digest_size=8).hexdigest()


def _risk(call: Doubt | Unpriced) -> Decimal:
    return call.at_risk if isinstance(call, Unpriced) else call.reserved
