"""Values that wait for a person: the list, one of them, and deciding on some or on all that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncd.actions import crm_calls, reviewing
from syncd.actions.reviewing import Place, Which
from syncd.ledger import reports, reviews
from syncd.ledger.costs import Prices
from syncd.ledger.reviews import Outline, Review
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.pages.site import Form, Site, Wrong, command
from syncd.pipeline.parts import Parts

PAGE = 25
CHUNK = 500  # values that are decided on in one transaction: the stages write in between
_FILTERS = ("sync", "field", "provider", "why", "q")
_DECISIONS = {"accept": reviews.ACCEPTED, "refuse": reviews.REFUSED}


async def review(site: Site, request: Request) -> Response:
    """`/review?sync=&field=&provider=&why=&q=&sort=&after=`"""
    said = {key: request.query_params.get(key, "") for key in (*_FILTERS, "sort")}
    after = _place(request.query_params.get("after", ""))
    now = site.parts.clock.now()
    found, frame = await site.read(_page, site.parts.listed_prices, said, after, now=now)
    filtered = {key: value for key, value in said.items() if value and key != "sort"}
    sort = {"sort": said["sort"]} if said["sort"] else {}
    shown: dict[str, Any] = {
        "rows": [(one, differs(one.held, one.value)) for one in found.rows],
        "more": urlencode({**filtered, **sort, "after": ",".join(map(repr, found.next))}) if found.next else None,
        "sorted": found.order,
        "orders": reviewing.ORDERS,
        "many": reviewing.MANY,
        "filters": said,
        "filtered": urlencode(filtered),
        "total": found.total,
        "choices": {
            "sync": [one.name for one in site.parts.settings.syncs],
            "field": ["email", "phone"],
            "provider": list(site.parts.lanes),
        },
        "command": command("syncd review list", {"filter" if k == "q" else k: v for k, v in filtered.items()}),
    }
    return await site.page(request, "review.html", frame=frame, **shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Values in an order. `next`: the place behind which the next page begins; `total`: how many fit, where known."""

    rows: Sequence[Review]
    order: str
    next: Place | None
    total: int | None


def _page(tx: Tx, prices: Prices, said: dict[str, str], after: Place, *, now: float) -> _Page:
    """Of a few, all are put in order. Of more, the ledger gives a page in the order of the deadline."""
    counts = [row for row in reports.counts(tx) if row["state"] == JobState.REVIEW]
    narrow: Any = {key: said[key] or None for key in ("sync", "field", "provider", "why")}
    try:
        if said["q"] or sum(row["n"] for row in counts) <= reviewing.MANY:
            chosen = reviewing.choose(tx, Which(**narrow, query=said["q"] or None), prices, now=now)
            return _part(chosen, said["sort"] or reviewing.USUAL, after)
        found, more = reviews.page(tx, prices, after=_deadline(after), limit=PAGE, **narrow)
    except ValueError as error:
        raise Wrong(str(error)) from None
    return _Page(rows=found, order="deadline", next=more, total=_total(counts, said))


def _part(chosen: Sequence[Review], order: str, after: Place) -> _Page:
    if order not in reviewing.ORDERS:
        raise ValueError(f"there is no order {order!r}; choose one of {', '.join(reviewing.ORDERS)}")
    key = reviewing.ORDERS[order]
    left = [one for one in sorted(chosen, key=key) if key(one) > after]
    more = key(left[PAGE - 1]) if len(left) > PAGE else None
    return _Page(rows=left[:PAGE], order=order, next=more, total=len(chosen))


def _total(counts: Sequence[dict[str, Any]], said: dict[str, str]) -> int | None:
    """From the counters, where they know it."""
    if said["provider"] or said["why"]:
        return None
    return sum(
        int(row["n"]) for row in counts if said["sync"] in ("", row["sync"]) and said["field"] in ("", row["field"])
    )


def differs(old: str, new: str) -> tuple[str, str, str, str]:
    """What both begin with, what the old one has, what the new one has, and what both end with."""
    start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    rest = min(len(old), len(new)) - start
    end = next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)
    return new[:start], old[start : len(old) - end], new[start : len(new) - end], new[len(new) - end :] if end else ""


async def one(site: Site, request: Request) -> Response:
    """`/review/ID`: both identities side by side."""
    number = request.path_params["id"]
    found, frame = await site.read(
        reviewing.choose, Which(ids=[number]), site.parts.listed_prices, now=site.parts.clock.now()
    )
    if not found:
        raise Wrong(f"Nothing called {number} waits for a decision any more.", 404)
    value = found[0]
    return await site.page(
        request, "review_one.html", frame=frame, one=value, diff=differs(value.old, value.value), sides=_sides(value)
    )


def _sides(one: Review) -> list[tuple[str, str, str]]:
    keys = dict.fromkeys([*one.contact, *(key for said in one.answer for key in said)])
    return [
        (key.replace("_", " "), _text(one.contact.get(key)), _different(_text(said.get(key)) for said in one.answer))
        for key in keys
    ]


def _different(texts: Iterable[str]) -> str:
    """What several places say, each thing once."""
    return " / ".join(dict.fromkeys(filter(None, texts)))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


# --- deciding ---------------------------------------------------------------------------------


async def confirm(site: Site, request: Request) -> Response:
    """`/review/accept?id=1&id=2`, or with the filters and `all=1`: what would be done."""
    decision = request.path_params["decision"]
    given = request.query_params
    which = _which(given.multi_items(), every=given.get("all") == "1")
    return await _confirm(site, request, decision, which)


async def _confirm(site: Site, request: Request, decision: str, which: Which, *, wrong: str = "") -> Response:
    meant, frame = await site.read(_meant, site.parts, which, now=site.parts.clock.now())
    reason = request.state.form.get("reason") if wrong else ""
    shown: dict[str, Any] = {**meant, "decision": decision, "which": which, "reason": reason, "wrong": wrong}
    return await site.page(request, "review_confirm.html", frame=frame, code=409 if wrong else 200, **shown)


def _meant(tx: Tx, parts: Parts, which: Which, *, now: float) -> dict[str, Any]:
    """What would be decided on, and the first of it in full: the riskiest ones, where they are not too many to sort."""
    chosen = reviewing.outline(tx, which, now=now)
    first = chosen if len(chosen) <= reviewing.MANY else chosen[:PAGE]
    return {
        "chosen": sorted(reviews.named(tx, [one.id for one in first], parts.listed_prices), key=reviewing.risk)[:PAGE],
        "n": len(chosen),
        "counts": reviewing.counts(chosen),
        "replaced": sum(one.replaces > 0 for one in chosen),
        "typed": sum(one.replaces > 1 for one in chosen),
        "cost": reviews.spent(tx, chosen, parts.listed_prices),
        "calls": crm_calls.needed(parts.crms, (one.ref for one in chosen)),
        "digest": reviewing.mark_of(chosen),
        "back": urlencode({key: value for key in _FILTERS if (value := _said(which, key))}),
    }


def _said(which: Which, key: str) -> str:
    return getattr(which, "query" if key == "q" else key) or ""


async def decide(site: Site, request: Request) -> Response:
    """Do it, if they are the ones that were shown."""
    decision, form = request.path_params["decision"], request.state.form
    which = _which_of(form)
    chosen = await site.parts.ledger.read(reviewing.outline, which, now=site.parts.clock.now())
    if reviewing.mark_of(chosen) != form.get("set"):
        before = int(form.get("n", "0") or 0)
        wrong = f"Nothing was done: {before} were shown, and {len(chosen)} fit now that are not the same. Look again."
        return await _confirm(site, request, decision, which, wrong=wrong)
    decided = await _carry_out(site, chosen, _DECISIONS[decision], site.by(request), form.get("reason"))
    site.note(request, f"review {decision}", decided=decided)
    site.parts.bells.ring("verify")
    rest = f"; {len(chosen) - decided} had changed meanwhile and wait on" if decided < len(chosen) else ""
    words = {"accept": "accepted: written as soon as the guards let it", "refuse": "refused"}
    return site.done(request, "/review", f"{decided} {'value' if decided == 1 else 'values'} {words[decision]}{rest}.")


async def _carry_out(site: Site, chosen: Sequence[Outline], decision: str, by: str, reason: str) -> int:
    decided, shown = 0, reviewing.shown(chosen)
    ids = list(shown)
    for first in range(0, len(ids), CHUNK):
        decided += await site.parts.ledger.write(
            reviews.decide,
            ids[first : first + CHUNK],
            decision,
            by,
            now=site.parts.clock.now(),
            shown=shown,
            reason=reason,
        )
    return decided


def _which(items: Sequence[tuple[str, str]], *, every: bool) -> Which:
    ids = [int(value) for key, value in items if key == "id" and re.fullmatch(r"[0-9]{1,18}", value)]
    said = {key: value for key, value in items if key in _FILTERS and value}
    if not ids and not said and not every:
        raise Wrong("Nothing is picked. Go back and pick some, or take all that match.")
    if ids:
        return Which(ids=ids)
    return Which(
        query=said.get("q"),
        sync=said.get("sync"),
        field=said.get("field"),
        provider=said.get("provider"),
        why=said.get("why"),
    )


def _which_of(form: Form) -> Which:
    items = [(key, value) for key, values in form.fields.items() for value in values]
    return _which(items, every=form.get("all") == "1")


def _place(text: str) -> Place:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        raise Wrong("That is no place in the list. Begin at its first page.") from None


def _deadline(after: Place) -> tuple[float, int]:
    return (after[0], int(after[1])) if len(after) == 2 else (0.0, 0)
