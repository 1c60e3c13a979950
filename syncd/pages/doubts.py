"""Paid calls of which nobody knows what became, calls without a price, and answers that were set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.actions import doubts as deciding
from syncd.ledger import glances
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced
from syncd.pages.site import Question, Site, Wrong, command

SHOWN = 100
CHUNK = 200  # calls that are decided on in one transaction
LAST = 1 << 62
PRICED = "priced"
_FILTERS = ("provider", "sync", "since", "until", "q")
WHAT = {  # what each decision does to the money
    deciding.SENT: "It arrived: its answer is waited for, and its credits stay reserved.",
    deciding.NOT_SENT: "It never arrived: its credits are free, and whoever it was about may be asked about again.",
    deciding.GIVE_UP: "Nobody asks this provider about them again; its credits stay counted.",
    deciding.RESEND: "It is sent once more, although it may be paid twice.",
}


async def doubts(site: Site, request: Request) -> Response:
    """`/doubts?provider=&sync=&since=&until=&q=&before=`"""
    before = request.query_params.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise Wrong("That is no place in the list. Begin at its first page.")
    said = {key: request.query_params.get(key, "") for key in _FILTERS}
    now = site.parts.clock.now()
    found, frame = await site.read(_all, _which(said, now), int(before or LAST), now=now)
    shown: dict[str, Any] = {
        "asked": said,
        "query": urlencode({key: text for key, text in said.items() if text}),
        "before": before,
        "choices": {"provider": list(site.parts.lanes), "sync": [one.name for one in site.parts.settings.syncs]},
        "command": command("syncd in-doubt list", {"filter" if k == "q" else k: text for k, text in said.items()}),
    }
    return await site.page(request, "doubts.html", frame=frame, what=WHAT, words_=deciding.WORDS, **shown, **found)


def _which(said: Mapping[str, str], now: float) -> deciding.Which:
    try:
        moments = {key: filters.moment(said[key], now) for key in ("since", "until") if said[key]}
    except ValueError as error:
        raise Wrong(f"{error}.") from None
    return deciding.Which(
        provider=said["provider"] or None, sync=said["sync"] or None, query=said["q"] or None, **moments
    )


def _all(tx: Tx, which: deciding.Which, before: int, *, now: float) -> dict[str, Any]:
    calls, about = _fit(tx, which, priced=False, now=now)
    without_price, about_priced = _fit(tx, which, priced=True, now=now)
    aside = glances.set_aside(tx, before=before, limit=SHOWN)
    return {
        "calls": calls[:SHOWN],
        "n": len(calls),
        "at_risk": sum(_risk(one) for one in calls),
        "without_price": without_price[:SHOWN],
        "about": {**about, **about_priced},
        "aside": aside,
        "older": aside[-1]["id"] if len(aside) == SHOWN else None,
    }


def _fit(
    tx: Tx, which: deciding.Which, *, priced: bool, now: float
) -> tuple[list[Doubt | Unpriced], dict[str, list[str]]]:
    try:
        return deciding.choose(tx, which, priced=priced, now=now)
    except ValueError as error:
        raise Wrong(f"{error}.") from None


async def confirm(site: Site, request: Request) -> Response:
    """`/doubts/DECISION?call=…`, or with `all=1`: what would be done."""
    what, given = request.path_params["what"], request.query_params
    now = site.parts.clock.now()
    which = _which({key: given.get(key, "") for key in _FILTERS}, now) if given.get("all") == "1" else None
    calls = await site.parts.ledger.read(_chosen, what, given.getlist("call"), which, now=now)
    if not calls:
        raise Wrong("Nothing is picked, or it was settled meanwhile.", 404)
    at_risk = sum(_risk(one) for one in calls)
    n = f"{len(calls)} {'call' if len(calls) == 1 else 'calls'}"
    told = [WHAT.get(what, "Each of them counts with the price that you say."), f"At most {at_risk:g} credits in all."]
    option = "--expired … --charged …" if what == PRICED else f"--{what}"
    question = Question(
        title=f"{n}: {deciding.WORDS.get(what, 'what each was charged')}?",
        told=told,
        action=f"/doubts/{what}",
        fields={"call": [one.id for one in calls], "set": [_mark(calls)]},
        button="Do it",
        back="/doubts",
        twin=f"syncd in-doubt resolve {calls[0].id if len(calls) == 1 else '…'} {option}",
        asks=[("charged", "Credits that each was charged", "0")] if what == PRICED else [],
    )
    return await site.confirm(request, question)


async def resolve(site: Site, request: Request) -> Response:
    """Do it, if they are the ones that were shown."""
    what, form = request.path_params["what"], request.state.form
    now = site.parts.clock.now()
    calls = await site.parts.ledger.read(_chosen, what, form.fields.get("call", []), None, now=now)
    if not calls or _mark(calls) != form.get("set"):
        raise Wrong("Nothing was done: some of them were settled meanwhile. Look again.", 409)
    decision = _decision(site, what, form.get("charged"))
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


def _chosen(
    tx: Tx, what: str, ids: Sequence[str], which: deciding.Which | None, *, now: float
) -> list[Doubt | Unpriced]:
    """Those that are named, or with `which` all that fit."""
    known, _ = _fit(tx, which or deciding.Which(), priced=what == PRICED, now=now)
    wanted = set(ids)
    return [one for one in known if which is not None or one.id in wanted]


def _mark(calls: Iterable[Doubt | Unpriced]) -> str:
    return hashlib.blake2b("\n".join(sorted(one.id for one in calls)).encode(), digest_size=8).hexdigest()


def _risk(call: Doubt | Unpriced) -> Decimal:
    return call.at_risk if isinstance(call, Unpriced) else call.reserved
