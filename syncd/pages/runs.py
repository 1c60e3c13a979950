"""The runs, and taking back what one has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.actions import crm_calls
from syncd.actions import undoing as taking_back
from syncd.contract.errors import ConnectorError
from syncd.ledger import reports, undos
from syncd.ledger.undos import Value, Wanted
from syncd.pages.site import Question, Site, Wrong, command
from syncd.pipeline import undoing

SHOWN = 50
LAST = 1 << 62  # above every run
LOOK_AT_MOST = 200  # values that are looked up in the CRM while a person waits


async def runs(site: Site, request: Request) -> Response:
    """`/runs?sync=&since=&before=`"""
    said = {key: request.query_params.get(key, "") for key in ("sync", "since")}
    try:
        since = filters.moment(said["since"], site.parts.clock.now()) if said["since"] else None
        before = min(max(int(request.query_params.get("before") or LAST), 0), LAST)
    except ValueError as error:
        raise Wrong(f"{error}.") from None
    found, frame = await site.read(reports.runs, said["sync"] or None, limit=SHOWN + 1, before=before, since=since)
    shown: dict[str, Any] = {
        "runs": found[:SHOWN],
        "asked": said,
        "query": urlencode({key: text for key, text in said.items() if text}),
        "older": found[SHOWN - 1]["id"] if len(found) > SHOWN else None,
        "syncs": [one.name for one in site.parts.settings.syncs],
        "command": command("syncd runs", said),
    }
    return await site.page(request, "runs.html", frame=frame, **shown)


async def ask_undo(site: Site, request: Request) -> Response:
    """`/undo?run=118`, or sync, contact, since, until: what would become of each value."""
    given = {key: value for key in taking_back.KEYS if (value := request.query_params.get(key))}
    wanted = _wanted(site, given)
    values, frame = await site.read(undos.find, wanted)
    mark, first = taking_back.mark_of(values), _first(request)
    looked, trouble = await _as_the_crm_has_them(site, values)
    becomes = Counter(one.why_not for one in looked)
    shown: dict[str, Any] = {
        "given": given,
        "wanted": str(wanted),
        "values": looked[first : first + SHOWN],
        "n": len(looked),
        "back": becomes.pop("", 0),
        "calls": crm_calls.needed(site.parts.crms, (str(one.ref) for one in looked if not one.why_not)),
        "left": becomes,
        "digest": mark,
        "looked": len(values) <= LOOK_AT_MOST and not trouble,
        "trouble": trouble,
        "query": urlencode(given),
        "from": first,
        "more": first + SHOWN if len(looked) > first + SHOWN else None,
        "command": command("syncd undo", given),
    }
    return await site.page(request, "undo.html", frame=frame, **shown)


def _first(request: Request) -> int:
    text = request.query_params.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Wrong("That is no place in the list. Begin at its first page.")
    return int(text)


async def _as_the_crm_has_them(site: Site, values: list[Value]) -> tuple[list[Value], str]:
    """The values with why each would be left, as far as there is time to look; and why nobody could look."""
    if len(values) > LOOK_AT_MOST:
        return values, ""
    try:
        found = await undoing.preview(site.parts.crms, values)
    except ConnectorError as error:
        return values, str(error)
    known = {one.writes[0] for one in found}
    return [
        *found,
        *(replace(one, why_not="its CRM is not configured") for one in values if one.writes[0] not in known),
    ], ""


async def undo(site: Site, request: Request) -> Response:
    """Do it, if the values are the ones that were shown."""
    form = request.state.form
    given = {key: value for key in taking_back.KEYS if (value := form.get(key))}
    wanted = _wanted(site, given)
    run = await site.parts.ledger.write(
        taking_back.ask_exactly, wanted, form.get("set"), site.by(request), now=site.parts.clock.now()
    )
    if run is None:
        raise Wrong("Nothing was done: other values fit now than were shown. Go back and look again.", 409)
    site.parts.bells.ring("undo")
    site.note(request, "undo", what=str(wanted), run=run)
    return site.done(request, f"/runs/{run}", f"Run {run} has begun: values are put back where they are still ours.")


async def progress(site: Site, request: Request) -> Response:
    """`/runs/ID`: how far an undo is."""
    run = request.path_params["id"]
    (counts, left), frame = await site.read(lambda tx: (undos.counts(tx, run), undos.left(tx, run)))
    open_ = counts.get("asked", 0) + counts.get("intent", 0)
    shown: dict[str, Any] = {"run": run, "counts": counts, "left": left, "open": open_, "total": sum(counts.values())}
    return await site.page(request, "undo_progress.html", frame=frame, **shown)


async def ask_stop(site: Site, request: Request) -> Response:
    """`/stop?run=`: what would be left."""
    run = _run_of(request.query_params.get("run", ""))
    counts = await site.parts.ledger.read(undos.counts, run)
    if not (n := counts.get("asked", 0)):
        raise Wrong(f"Nothing of run {run} waits to be put back any more.", 404)
    told = [
        f"{n:,} {'value is' if n == 1 else 'values are'} left in the CRM as syncd wrote {'it' if n == 1 else 'them'}.",
        f"{counts.get('undone', 0):,} were put back already, and stay so; what is being put back now goes on.",
    ]
    question = Question(
        title=f"Stop run {run}?",
        told=told,
        action="/stop",
        fields={"run": [str(run)]},
        button="Stop",
        back=f"/runs/{run}",
        twin=f"syncd undo --stop {run}",
    )
    return await site.confirm(request, question)


async def stop(site: Site, request: Request) -> Response:
    """Do it."""
    run = _run_of(request.state.form.get("run"))
    left = await site.parts.ledger.write(undos.stop, run, site.by(request), now=site.parts.clock.now())
    site.note(request, "stop", run=run, left=left)
    said = f"Run {run} was stopped." if left else f"Run {run} had come to its end before."
    return site.done(request, f"/runs/{run}", said)


def _run_of(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise Wrong("Say which run, by its number.")


def _wanted(site: Site, given: Mapping[str, str]) -> Wanted:
    try:
        return taking_back.wanted(given, site.parts.clock.now())
    except ValueError as error:
        raise Wrong(f"{error}.") from None
