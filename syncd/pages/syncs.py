"""The syncs, and one of them: what became of every field that it lacks, and why not more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from syncd.actions import pausing
from syncd.config import Sync
from syncd.ledger import glances, pauses
from syncd.observe.status import live
from syncd.pages.site import Question, Site, Wrong
from syncd.pages.words import span

_UNDER_WAY = ("queued", "waiting", "sending", "sent", "in_doubt", "answered", "review", "accepted", "writing")
# Each step of the funnel, and where those stand, or how they ended, who did not come so far.
_STEPS = (
    ("fields that were empty", ()),
    ("could be asked about", ("suppressed", "rejected_input", "contact_gone", "cancelled")),
    (
        "answered",
        ("queued", "waiting", "sending", "sent", "in_doubt", "no_callback", "in_doubt_expired", "undetermined"),
    ),
    ("found", ("answered", "not_found")),
    ("accepted", ("review", "low_quality", "identity_mismatch", "review_refused", "duplicate_of")),
    ("written", ("accepted", "writing", "human_value_kept", "write_refused", "cleared", "undone")),
)


async def syncs(site: Site, request: Request) -> Response:
    """`/syncs`"""
    status = await live(site.parts)
    beats, frame = await site.read(glances.beats, list(status["syncs"]))
    shown: dict[str, Any] = {
        "status": status,
        "beats_": beats,
        "active": [one.name for one in site.parts.syncs],
        "next": site.next_pulls(status),
        "pauses": status["pauses"],
    }
    return await site.page(request, "syncs.html", frame=frame, **shown)


async def sync(site: Site, request: Request) -> Response:
    """`/syncs/NAME`"""
    name = request.path_params["name"]
    settings = site.parts.settings
    place = next((n for n, one in enumerate(settings.syncs) if one.name == name), None)
    if place is None:
        raise Wrong(f"There is no sync called {name}.", 404)
    one = settings.syncs[place]
    status = await live(site.parts)
    beats, frame = await site.read(glances.beats, [name])
    shown: dict[str, Any] = {
        "sync": one,
        "status": status,
        "standing": status["syncs"][name],
        "funnels": {field: _funnel(status["jobs"], name, field) for field in one.fields},
        "beats_": beats[name],
        "states": _UNDER_WAY,
        "policy": _policy(one),
        "place": settings.places.of("syncs", place),
        "next": site.next_pulls(status).get(name),
        "pause": next((p for p in status["pauses"] if p["kind"] == "all" or p["name"] == name), None),
    }
    return await site.page(request, "sync.html", frame=frame, **shown)


def _funnel(jobs: Iterable[Mapping[str, Any]], sync: str, field: str) -> list[dict[str, Any]]:
    """Each step with how many came so far, how many did not, and why."""
    counts: Counter[str] = Counter()
    for row in jobs:
        if (row["sync"], row["field"]) == (sync, field):
            counts[row["reason"] or row["state"]] += row["n"]
    left, total, steps = sum(counts.values()), sum(counts.values()), []
    for step, ends in _STEPS:
        why = {end: counts[end] for end in ends if counts[end]}
        left -= sum(why.values())
        steps.append({"step": step, "n": left, "of": total, "why": why})
    return steps


def _policy(sync: Sync) -> list[str]:
    """What it does, in sentences."""
    told = [
        f"Pulls {sync.object} from {sync.crm} "
        + (f"by {sync.schedule} ({sync.time_zone})." if sync.schedule else f"every {span(sync.every or 0)}.")
    ]
    for field, one in sync.fields.items():
        grades, asked = ", ".join(sorted(one.accept)), ", then ".join(one.providers)
        told.append(f"{field}: fills {one.property} only where it is blank; asks {asked}; accepts what is {grades}.")
    approval = {None: "Writes without a person's approval.", 0: "Writes nothing that a person has not approved."}
    told.append(approval.get(sync.approve, f"Writes {sync.approve} values of a run without a person's approval."))
    told.append(f"What is doubtful: {sync.on_doubt}.")
    return told


# --- what can be done -------------------------------------------------------------------------


async def ask_pause(site: Site, request: Request) -> Response:
    """`/pause?name=`: why, and until when. Without a name, everything."""
    name = request.query_params.get("name", "")
    _meant(site, name)
    return await site.page(request, "pause.html", name=name, wrong="", reason="", until="")


async def pause(site: Site, request: Request) -> Response:
    """Do it."""
    form = request.state.form
    kind, name = _meant(site, form.get("name"))
    now = site.parts.clock.now()
    reason, until = form.get("reason") or pausing.BY_HAND, form.get("until")
    try:
        end = pausing.end(until, now) if until else None
    except ValueError as error:
        return await site.page(request, "pause.html", code=400, name=name, wrong=str(error), reason=reason, until=until)
    await site.parts.ledger.write(pauses.pause, kind, name, reason, until=end, by=site.by(request), now=now)
    site.note(request, "pause", kind=str(kind), name=name)
    return site.done(request, "/syncs", f"{name or 'Everything'} is paused.")


async def resume(site: Site, request: Request) -> Response:
    """It goes on."""
    kind, name = _meant(site, request.state.form.get("name"))
    done = await site.parts.ledger.write(pauses.resume, kind, name)
    site.note(request, "resume", kind=str(kind), name=name)
    for stage in ("dispatch", "writeback"):
        site.parts.bells.ring(stage)
    return site.done(request, "/syncs", f"{name or 'Everything'} {'goes on' if done else 'was not paused'}.")


async def ask_resume(site: Site, request: Request) -> Response:
    """`/resume?name=`: what would go on."""
    name = request.query_params.get("name", "")
    _meant(site, name)
    told = f"{name or 'Everything'} buys and writes again from now on."
    return await site.confirm(request, _question(f"Resume {name or 'everything'}?", told, "resume", name, "Resume"))


async def ask_pull(site: Site, request: Request) -> Response:
    """`/pull?name=`: what a run costs."""
    name = _sync_named(site, request.query_params.get("name", ""))
    told = "What has changed in the CRM is pulled now, not at its next time. Whoever lacks something is asked about, "
    told += "within the budgets."
    return await site.confirm(request, _question(f"Run {name} now?", told, "pull", name, "Run now"))


def _question(title: str, told: str, action: str, name: str, button: str) -> Question:
    return Question(
        title=title,
        told=[told],
        action=f"/{action}",
        fields={"name": [name]},
        button=button,
        back="/syncs",
        twin=f"syncd {action} {name or '--all'}",
    )


async def pull(site: Site, request: Request) -> Response:
    """Do it."""
    name = _sync_named(site, request.state.form.get("name"))
    site.parts.bells.ring(f"pull:{name}")
    site.note(request, "pull", name=name)
    return site.done(request, f"/syncs/{name}", f"{name} is being pulled.")


def _meant(site: Site, name: str) -> tuple[pauses.PauseKind, str]:
    try:
        return pausing.which(site.parts.settings, name)
    except ValueError as error:
        raise Wrong(str(error), 404) from None


def _sync_named(site: Site, name: str) -> str:
    if name not in {one.name for one in site.parts.syncs}:
        raise Wrong(f"There is no sync called {name!r} that is not paused in the configuration.", 404)
    return name
