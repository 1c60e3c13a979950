"""The runs, and taking back what one has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncd import filters
from syncd.actions import undoing as taking_back
from syncd.contract.errors import ConnectorError
from syncd.contract.model import ContactRef
from syncd.ledger import reports, undos
from syncd.ledger.undos import Value, Wanted
from syncd.pages.site import Site, Wrong
from syncd.pipeline import undoing

SHOWN = 50
LOOK_AT_MOST = 200  # values that are looked up in the CRM while a person waits
_KEYS = ("run", "sync", "contact", "since", "until")


async def runs(site: Site, request: Request) -> Response:
    """`/runs?sync=`"""
    sync = request.query_params.get("sync") or None
    found, frame = await site.read(reports.runs, sync, limit=SHOWN)
    return await site.page(request, "runs.html", frame=frame, runs=found, sync=sync)


async def ask_undo(site: Site, request: Request) -> Response:
    """`/undo?run=118`, or sync, contact, since, until: what would become of each value."""
    given = {key: value for key in _KEYS if (value := request.query_params.get(key))}
    wanted = _wanted(site, given)
    values, frame = await site.read(undos.find, wanted)
    mark = taking_back.mark_of(values)
    looked, trouble = await _as_the_crm_has_them(site, values)
    becomes = Counter(one.why_not for one in looked)
    shown: dict[str, Any] = {
        "given": given,
        "wanted": str(wanted),
        "values": looked[:SHOWN],
        "n": len(looked),
        "back": becomes.pop("", 0),
        "left": becomes,
        "digest": mark,
        "looked": len(values) <= LOOK_AT_MOST and not trouble,
        "trouble": trouble,
        "command": "syncd undo " + " ".join(f"--{key} {value}" for key, value in given.items()),
    }
    return await site.page(request, "undo.html", frame=frame, **shown)


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
    given = {key: value for key in _KEYS if (value := form.get(key))}
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


def _wanted(site: Site, given: Mapping[str, str]) -> Wanted:
    if not given:
        raise Wrong("Say what is to be put back: a run, a sync, a contact, or a time.")
    now = site.parts.clock.now()
    try:
        said: dict[str, Any] = {key: filters.moment(given[key], now) for key in ("since", "until") if key in given}
        contact = ContactRef.parse(given["contact"]) if "contact" in given else None
        run = int(given["run"]) if "run" in given else None
    except ValueError as error:
        raise Wrong(str(error)) from None
    return Wanted(run=run, sync=given.get("sync"), contact=contact, **said)
