"""One contact's journey as a list of what happened, oldest first; long waits in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .words import STATES, credits_, span

SHOWS = {"all": "everything", "money": "money", "changes": "changes", "errors": "errors", "calls": "calls"}
WAIT = 60.0  # seconds between two entries that are worth a line
# Steps of a job that say nothing beside the call, the answer or the write that they belong to.
_BESIDE = {"sending", "sent", "answered", "writing", "accepted"}
_BAD = {"in_doubt", "no_callback", "in_doubt_expired", "undetermined", "write_refused", "identity_mismatch"}


def entries(journey: Mapping[str, Any], *, show: str, full: bool) -> list[dict[str, Any]]:
    """What is to be shown; `show` is a key of SHOWS, `full` leaves out nothing."""
    found = [one for job in journey["jobs"] for one in _of_job(job, full=full)]
    found.sort(key=lambda one: one["at"])
    if show != "all":
        found = [one for one in found if show in one["kinds"]]
    return list(_with_waits(found))


def totals(journey: Mapping[str, Any]) -> dict[str, Any]:
    """What it has cost, in how many calls, and how long it took."""
    calls = [call for job in journey["jobs"] for call in job["calls"]]
    known = [call["cost"] for call in calls if call["cost"] is not None]
    moments = [event["at"] for job in journey["jobs"] for event in job["events"]]
    return {
        "credits": sum(known),
        "unknown": len(calls) - len(known),
        "calls": len(calls),
        "took": max(moments) - min(moments) if moments else 0.0,
    }


def _of_job(job: Mapping[str, Any], *, full: bool) -> Iterator[dict[str, Any]]:
    for event in job["events"]:
        if full or event["target"] not in _BESIDE:
            yield _event(job["field"], event)
    for call in job["calls"]:
        yield _call(job["field"], call)
    for answer in job["answers"]:
        yield _answer(job["field"], answer)
    for write in job["writes"]:
        yield from _write(job["field"], write)


def _entry(at: float, field: str, sign: str, verb: str, text: str, *kinds: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "field": field, "sign": sign, "verb": verb, "text": text, "kinds": {"all", *kinds}, **more}


def _event(field: str, event: Mapping[str, Any]) -> dict[str, Any]:
    what = event["reason"] or event["target"]
    sign, _, said = STATES.get(what, ("○", "idle", what))
    verb = "chosen" if not event["source"] else said
    if not event["source"] and event["target"] != "queued":
        verb = f"chosen, {said}"
    note = "" if event["note"] == said else event["note"]
    text = ", ".join(filter(None, (event["provider"], note)))
    return _entry(event["at"], field, sign, verb, text, *(["errors"] if what in _BAD else []))


def _call(field: str, call: Mapping[str, Any]) -> dict[str, Any]:
    text = f"{call['provider']}, {call['requests']} {'contact' if call['requests'] == 1 else 'contacts'}"
    if call["charged"] is not None:
        text += f" · charged {credits_(call['charged'])}"
    elif call["reserved"]:
        text += f" · at most {credits_(call['reserved'])} reserved"
    if call["cost"] is not None and call["requests"] > 1:
        text += f" · this contact's part {credits_(call['cost'])}"
    bad = call["state"] in {"in_doubt", "failed", "expired", "refused"}
    kinds = ["money", "calls", *(["errors"] if bad else [])]
    state = call["state"].replace("_", " ")
    return _entry(call["at"], field, "●", f"asked ({state})", text, *kinds, bodies=call["deliveries"])


def _answer(field: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    found = ", ".join(f"{one['value']} ({one['grade']})" for one in answer["candidates"])
    text = " · ".join(
        filter(None, (answer["provider"], found or answer["note"] or answer["outcome"].replace("_", " ")))
    )
    return _entry(
        answer["at"], field, "●", "answer", text, "calls", whose=answer["decision"] or answer["verdict"],
        speaks_for=answer["speaks_for"], speaks_against=answer["speaks_against"],
    )  # fmt: skip


def _write(field: str, write: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    allowed = f" · accepted by {write['accepted_by']}" if write["accepted_by"] else ""
    text = f"{write['property']}: {write['note'] or write['state']}{allowed}"
    kinds = ["changes", *(["errors"] if write["state"] not in {"written", "intent"} else [])]
    sign = "✓" if write["state"] == "written" else "○"
    yield _entry(
        write["done_at"] or write["at"], field, sign, write["state"], text, *kinds,
        before=write["before"], after=write["after"], run=write["run"],
    )  # fmt: skip
    if undo := write["undo"]:
        words = {"undone": "put back", "asked": "to be put back", "intent": "is being put back"}
        verb = words.get(undo["state"], "left as it is")
        yield _entry(
            undo["at"], field, "○", verb, undo["note"] or f"run {undo['run']}", "changes",
            before=write["after"], after=write["before"], run=undo["run"],
        )  # fmt: skip


def _with_waits(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    last: dict[str, Any] | None = None
    for one in found:
        if last is not None and one["at"] - last["at"] >= WAIT:
            yield {"wait": span(one["at"] - last["at"])}
        yield one
        last = one
