"""Finding contacts, and one contact's journey."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.actions import enriching
from syncd.config import Sync
from syncd.contract.model import ContactRef
from syncd.csvs import as_csv
from syncd.ledger import glances, reports, retries, search
from syncd.ledger.costs import Prices
from syncd.ledger.search import Wanted
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.pages import timeline
from syncd.pages.site import Question, Site, Wrong, command
from syncd.pipeline import account, requests

PAGE = 50
_Found = tuple[search.Results, list[str]]
_COLUMNS = ("at", "field", "verb", "text", "before", "after", "run")  # of a journey


async def contacts(site: Site, request: Request) -> Response:
    """`/contacts?q=…&after=…`"""
    query, after = request.query_params.get("q", ""), request.query_params.get("after")
    wrong, places = "", list[str]()
    found: search.Results | None = None
    frame: glances.Frame | None = None
    try:
        wanted = filters.parse(query, now=site.parts.clock.now())
        (found, places), frame = await site.read(_find, wanted, after)
    except ValueError as error:
        wrong = str(error)
    said = {key: text for key, text in (("q", query), ("after", after)) if text}
    shown: dict[str, Any] = {
        "query": query,
        "found": found,
        "places": places,
        "wrong": wrong,
        "help": filters.HELP,
        "address": urlencode(said),
        "command": command(f"syncd contacts {shlex.quote(query)}" if query else "syncd contacts", {"after": after}),
    }
    return await site.page(request, "contacts.html", frame=frame, code=400 if wrong else 200, **shown)


def _find(tx: Tx, wanted: Wanted, after: str | None) -> _Found:
    found = search.find(tx, wanted, limit=PAGE, after=after)
    return found, [] if found.rows else search.places(tx)


async def contact(site: Site, request: Request) -> Response:
    """`/contacts/CONNECTION/OBJECT/ID?show=money&full=1`"""
    journey, frame = await site.read(_journey, _ref(request), site.parts.listed_prices)
    show, full = request.query_params.get("show", "all"), request.query_params.get("full") == "1"
    entries = timeline.entries(journey, show=show, full=full)
    shown: dict[str, Any] = {
        "journey": journey,
        "jobs": [{**job, "write": _standing_write(job), "waits": _waiting(job)} for job in journey["jobs"]],
        "entries": entries,
        "show": show,
        "full": full,
        "totals": timeline.totals(journey),
        "shows": timeline.SHOWS,
    }
    return await site.page(request, "contact.html", frame=frame, **shown)


def _journey(tx: Tx, ref: ContactRef, prices: Prices) -> dict[str, Any]:
    found = reports.journey(tx, ref, prices)
    if found is None:
        raise Wrong(
            f"The ledger knows no {ref}. It lacks nothing, or no sync has pulled it yet. Search for its e-mail.", 404
        )
    return found


async def journey_csv(site: Site, request: Request) -> Response:
    """`/journey.csv?contact=&show=&full=`: what has happened to a contact."""
    asked = request.query_params
    found = await site.parts.ledger.read(_journey, _parsed(asked.get("contact", "")), site.parts.listed_prices)
    entries = timeline.entries(found, show=asked.get("show", "all"), full=asked.get("full") == "1")
    text = as_csv(_COLUMNS, (one for one in entries if "at" in one))
    headers = {"content-disposition": 'attachment; filename="journey.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


def _standing_write(job: dict[str, Any]) -> dict[str, Any] | None:
    """The newest write that was not put back."""
    return next((one for one in reversed(job["writes"]) if one["state"] == "written"), None)


def _waiting(job: dict[str, Any]) -> str:
    """The value that waits for a person."""
    if job["state"] != JobState.REVIEW:
        return ""
    return next((str(one["value"]) for one in reversed(job["reviews"]) if not one["decision"]), "")


async def delivery(site: Site, request: Request) -> Response:
    """`/deliveries/ID`: a raw answer, as far as it may be shown."""
    number = request.path_params["id"]
    body, frame = await site.read(glances.body, number)
    if body is None:
        raise Wrong(f"There is no answer {number} any more.", 404)
    return await site.page(request, "delivery.html", frame=frame, number=number, body=site.hide(body[:100_000]))


# --- asking again -----------------------------------------------------------------------------


async def ask_again(site: Site, request: Request) -> Response:
    """`/retry?contact=`: what it costs at most."""
    ref = _parsed(request.query_params.get("contact", ""))
    jobs = await site.parts.ledger.read(retries.find, Wanted(text=str(ref)))
    if not jobs:
        raise Wrong(f"Nothing of {ref} can be asked again now: it is under way, or it lacks nothing.")
    told = [
        f"{len(jobs)} {'field is' if len(jobs) == 1 else 'fields are'} decided on again at once.",
        "What was found and paid for is used before anybody is asked.",
        "Where a call was never answered it may be paid twice.",
        f"At most {site.dearest(ref):g} credits are spent, if every provider is asked.",
    ]
    question = Question(
        title=f"Ask again about {ref}?",
        told=told,
        action="/retry",
        fields={"contact": [str(ref)]},
        button="Ask again",
        back=f"/contacts/{ref}",
        twin=f"syncd retry {ref} --yes",
    )
    return await site.confirm(request, question)


async def again(site: Site, request: Request) -> Response:
    """Do it."""
    ref = _parsed(request.state.form.get("contact"))
    jobs = await site.parts.ledger.read(retries.find, Wanted(text=str(ref)))
    await site.parts.ledger.write(retries.retry, jobs, now=site.parts.clock.now())
    site.parts.bells.ring("plan")
    site.note(request, "retry", contact=str(ref), jobs=len(jobs))
    return site.done(request, f"/contacts/{ref}", "It is decided on again.")


async def ask_enrich(site: Site, request: Request) -> Response:
    """`/enrich?contact=`: what is asked, by which sync, and what it costs at most."""
    ref = _parsed(request.query_params.get("contact", ""))
    sync = _sync_for(site, ref)
    told = [
        f"It is read from {ref.connection} now, and decided on by {sync.name} before everybody else.",
        "Selection, budgets, the suppression list and what is known already count as ever.",
        f"At most {site.dearest(ref):g} credits are spent, if every provider is asked.",
    ]
    question = Question(
        title=f"Ask about {ref} now?",
        told=told,
        action="/enrich",
        fields={"contact": [str(ref)]},
        button="Ask now",
        back=f"/contacts/{ref}",
        twin=f"syncd enrich {ref} --yes",
    )
    return await site.confirm(request, question)


async def enrich(site: Site, request: Request) -> Response:
    """Do it."""
    ref = _parsed(request.state.form.get("contact"))
    sync = _sync_for(site, ref)
    await account.require(site.parts, sync.crm)
    [wish] = await requests.enrich(site.parts, sync, [ref])
    site.note(request, "enrich", contact=str(ref))
    held_up = site.parts.gate.why(sync.name)
    said = wish.why_not or f"at most {float(wish.worst):g} credits" + (
        f"; nothing is bought yet: {held_up}" if held_up else ""
    )
    return site.done(request, f"/contacts/{ref}", f"Decided on: {said}.")


def _sync_for(site: Site, ref: ContactRef) -> Sync:
    try:
        return enriching.sync_for(site.parts.settings.syncs, [ref])
    except ValueError as error:
        raise Wrong(f"{error}.") from None


def _ref(request: Request) -> ContactRef:
    return ContactRef(**{key: request.path_params[key] for key in ("connection", "object", "id")})


def _parsed(text: str) -> ContactRef:
    try:
        return ContactRef.parse(text)
    except ValueError as error:
        raise Wrong(str(error)) from None
