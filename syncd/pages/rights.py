"""A person's wish: left alone, told what is held on them, erased; and who is left alone already."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from syncd.actions import rights
from syncd.contract.errors import SyncdError
from syncd.ledger import suppressions
from syncd.pages.site import Question, Site, Wrong

SHOWN = 200
LIST = "/suppressions"


async def listed(site: Site, request: Request) -> Response:
    """`/suppressions`: the list, newest first, and the form that puts somebody on it."""
    entries, frame = await site.read(rights.listed)
    shown: dict[str, Any] = {"rows": entries[::-1][:SHOWN], "n": len(entries)}
    return await site.page(request, "suppressions.html", frame=frame, **shown)


async def ask_suppress(site: Site, request: Request) -> Response:
    """`/suppress?value=&reason=`: who would be left alone."""
    value, reason = request.query_params.get("value", "").strip(), request.query_params.get("reason", "").strip()
    [sign] = _signs(value)
    told = [
        f"Nobody who is known by this {sign.kind} is asked about or written for any more, in any CRM.",
        "Only a digest of it is kept. What was bought and written stays as it is.",
        "To take it back: the list of those who are left alone, or `syncd suppress remove`.",
    ]
    question = Question(
        title=f"Leave {value} alone?",
        told=told,
        action="/suppress",
        fields={"value": [value]},
        button="Leave alone",
        back=LIST,
        twin=f"syncd suppress add {value} --reason …",
        asks=[("reason", "Why; it is shown wherever somebody is left alone for it", reason)],
    )
    return await site.confirm(request, question)


async def suppress(site: Site, request: Request) -> Response:
    """Do it."""
    form = request.state.form
    signs = _signs(form.get("value"))
    by, now = site.by(request), site.parts.clock.now()
    new = await site.parts.ledger.write(suppressions.add, signs, reason=form.get("reason"), by=by, now=now)
    site.note(request, "suppress", kind=str(signs[0].kind), new=new)
    site.parts.bells.ring("plan")
    return site.done(request, LIST, "It is left alone from now on." if new else "It was left alone already.")


async def ask_unsuppress(site: Site, request: Request) -> Response:
    """`/unsuppress?value=ID`: what follows."""
    value = request.query_params.get("value", "")
    await _entry(site, value)
    told = ["Whoever was left alone because of it is decided on anew, and may be asked about within the budgets."]
    question = Question(
        title=f"Take {value} from the list?",
        told=told,
        action="/unsuppress",
        fields={"value": [value]},
        button="Take from the list",
        back=LIST,
        twin=f"syncd suppress remove {value}",
    )
    return await site.confirm(request, question)


async def unsuppress(site: Site, request: Request) -> Response:
    """Do it."""
    digest = await _entry(site, request.state.form.get("value"))
    await site.parts.ledger.write(suppressions.remove, [digest])
    site.note(request, "unsuppress")
    site.parts.bells.ring("plan")
    return site.done(request, LIST, "It is on the list no more: whoever it concerned is decided on anew.")


async def ask_forget(site: Site, request: Request) -> Response:
    """`/forget?who=`: what is held, and would be erased."""
    who = request.query_params.get("who", "")
    person = await _person(site, who)
    told = [f"{what}: {n:,}" for what, n in person.held.counts.items() if n] or ["Nothing is held on this person."]
    told += [f"Records: {', '.join(person.held.refs)}."] if person.held.refs else []
    told += ["What their calls cost stays, and digests by which they are never asked about again.", rights.ELSEWHERE]
    question = Question(
        title=f"Erase all that is held on {who}? It can't be taken back.",
        told=told,
        action="/forget",
        fields={"who": [who]},
        button="Erase",
        back=_back(who),
        twin=f"syncd forget {who} --yes",
    )
    return await site.confirm(request, question)


async def forget(site: Site, request: Request) -> Response:
    """Do it."""
    person = await _person(site, request.state.form.get("who"))
    gone = await rights.erase(site.parts, person, site.by(request))
    site.note(request, "forget", records=len(person.contacts))
    n = gone.total()
    return site.done(
        request, "/contacts", f"Erased: {n:,} {'row' if n == 1 else 'rows'}. They are left alone from now on."
    )


async def ask_export(site: Site, request: Request) -> Response:
    """`/export?who=`: what would be in the file."""
    who = request.query_params.get("who", "")
    person = await _person(site, who)
    if not person.contacts:
        raise Wrong(f"Nothing is held on {who}.", 404)
    told = [f"{what}: {n:,}" for what, n in person.held.counts.items() if n]
    told += ["The file holds personal data in full: give it to nobody but the person."]
    question = Question(
        title=f"Export all that is held on {who}?",
        told=told,
        action="/export",
        fields={"who": [who]},
        button="Export as JSON",
        back=_back(who),
        twin=f"syncd export {who}",
    )
    return await site.confirm(request, question)


async def export(site: Site, request: Request) -> Response:
    """The file."""
    try:
        told = await site.parts.ledger.read(rights.export, request.state.form.get("who"), site.parts.listed_prices)
    except SyncdError as error:
        raise Wrong(str(error), 404) from None
    site.note(request, "export")
    headers = {"content-disposition": 'attachment; filename="person.json"'}
    text = json.dumps(told, ensure_ascii=False, indent=2, default=str)
    return Response(text, media_type="application/json", headers=headers)


def _signs(value: str) -> Any:
    try:
        return rights.signs_of([value])
    except ValueError as error:
        raise Wrong(f"{error}.") from None


async def _entry(site: Site, value: str) -> str:
    try:
        return await site.parts.ledger.read(rights.entry_of, value)
    except SyncdError as error:
        raise Wrong(f"{error}.", 404) from None


async def _person(site: Site, who: str) -> rights.Person:
    try:
        return await site.parts.ledger.read(rights.look, who)
    except SyncdError as error:
        raise Wrong(f"{error}.", 404) from None


def _back(who: str) -> str:
    return f"/contacts/{who}" if who.count("/") == 2 else f"/contacts?{urlencode({'q': who})}"
