"""Finding contacts, and one contact's journey."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.contract.model import ContactRef
from syncd.ledger import glances, reports, retries, search
from syncd.ledger.search import Found, Wanted
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.pages import timeline
from syncd.pages.site import Question, Site, Wrong

PAGE = 50
_Found = tuple[search.Results, list[str]]
_COLUMNS = [one.name for one in fields(Found) if one.name != "job_id"]


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
    shown: dict[str, Any] = {"query": query, "found": found, "places": places, "wrong": wrong, "help": filters.HELP}
    return await site.page(request, "contacts.html", frame=frame, code=400 if wrong else 200, **shown)


def _find(tx: Tx, wanted: Wanted, after: str | None, limit: int = PAGE) -> _Found:
    found = search.find(tx, wanted, limit=limit, after=after)
    return found, [] if found.rows else search.places(tx)


async def as_csv(site: Site, request: Request) -> Response:
    """`/contacts.csv?q=…`: the first thousand rows, as `syncd contacts --csv` has them."""
    try:
        wanted = filters.parse(request.query_params.get("q", ""), now=site.parts.clock.now())
        found, _ = await site.parts.ledger.read(_find, wanted, request.query_params.get("after"), 1_000)
    except ValueError as error:
        raise Wrong(str(error)) from None
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows([_harmless(asdict(one)[name]) for name in _COLUMNS] for one in found.rows)
    return Response(text.getvalue(), media_type="text/csv", headers={"content-disposition": "attachment"})


def _harmless(value: Any) -> Any:
    """A spreadsheet must not take a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


async def contact(site: Site, request: Request) -> Response:
    """`/contacts/CONNECTION/OBJECT/ID?show=money&full=1`"""
    ref = _ref(request)
    journey, frame = await site.read(reports.journey, ref, site.parts.listed_prices)
    if journey is None:
        raise Wrong(
            f"The ledger knows no {ref}. It lacks nothing, or no sync has pulled it yet. Search for its e-mail.", 404
        )
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


def _ref(request: Request) -> ContactRef:
    return ContactRef(**{key: request.path_params[key] for key in ("connection", "object", "id")})


def _parsed(text: str) -> ContactRef:
    try:
        return ContactRef.parse(text)
    except ValueError as error:
        raise Wrong(str(error)) from None
