"""What an operator does, asked for by a program: `POST /api/pause`, `resume`, `pull`, `retry`, `in-doubt`, `stop`,
and what `rights` has. Each is a command and a page, too."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncd import filters
from syncd.actions import doubts, pausing
from syncd.ledger import pauses, retries, undos
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced
from syncd.pipeline.parts import Parts

from . import rights
from .rights import BY as BY  # noqa: PLC0414 - who asks by the API

CHUNK = 200  # calls that are decided on in one transaction: the stages write in between

log = structlog.get_logger("syncd.api")
Act = Callable[[Parts, Mapping[str, Any]], Awaitable[dict[str, Any]]]


async def do(name: str, parts: Parts, request: Request) -> Response:
    """Read what is wanted, do it, and note who asked."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": f"POST JSON to /api/{name}"}, 415)
    try:
        told = await ACTS[name](parts, _object(await request.body()))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, 400)
    client = request.client.host if request.client else ""
    log.info("operator_action", action=name, by=BY, client=client)
    return JSONResponse(told)


async def pause(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"name": "people", "reason": "…", "until": "4h"}`; without a name, everything."""
    kind, name = pausing.which(parts.settings, _text(given, "name"))
    now, until = parts.clock.now(), _text(given, "until")
    reason = _text(given, "reason") or pausing.BY_HAND
    end = pausing.end(until, now) if until else None
    await parts.ledger.write(pauses.pause, kind, name, reason, until=end, by=BY, now=now)
    return {"kind": kind, "name": name, "reason": reason, "until": end}


async def resume(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"name": "people"}`; without a name, everything."""
    kind, name = pausing.which(parts.settings, _text(given, "name"))
    done = await parts.ledger.write(pauses.resume, kind, name)
    for stage in ("dispatch", "writeback"):
        parts.bells.ring(stage)
    return {"kind": kind, "name": name, "resumed": done}


async def pull(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"name": "people"}`: now instead of at its next time."""
    name = _text(given, "name")
    if name not in {one.name for one in parts.syncs}:
        raise ValueError(f"there is no sync {name!r} that is not paused in the configuration")
    parts.bells.ring(f"pull:{name}")
    return {"name": name}


async def retry(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"query": "reason:not_found", "do": true}`: without `do`, only how many jobs fit."""
    query, now = _text(given, "query"), parts.clock.now()
    if not query:
        raise ValueError("say what: query, as `syncd contacts` takes it")
    jobs = await parts.ledger.read(retries.find, filters.parse(query, now=now))
    if given.get("do") is True and jobs:
        await parts.ledger.write(retries.retry, jobs, now=now)
        parts.bells.ring("plan")
    return {"jobs": len(jobs), "done": given.get("do") is True and bool(jobs)}


async def resolve(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"calls": ["3f2a…"], "decision": "not-sent"}`; with `"charged": 10` instead, calls that are over without a
    price."""
    ids = given.get("calls")
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        raise ValueError("calls: name them as /api/in-doubt shows them")
    decision = _decision(parts, given)
    calls = await parts.ledger.read(_named, ids, priced="charged" in given)
    for first in range(0, len(calls), CHUNK):
        part = calls[first : first + CHUNK]
        await parts.ledger.write(doubts.carry_out, part, decision, parts.clock.now())
    parts.bells.ring("sweep")
    return {"decision": decision.words, "calls": [one.id for one in calls]}


async def stop(parts: Parts, given: Mapping[str, Any]) -> dict[str, Any]:
    """`{"run": 118}`: leave the rest of an undo as it is."""
    run = given.get("run")
    if type(run) is not int:
        raise ValueError("run: the number of an undo, as /api/runs tells it")
    return {"run": run, "left": await parts.ledger.write(undos.stop, run, BY, now=parts.clock.now())}


ACTS: dict[str, Act] = {
    "pause": pause,
    "resume": resume,
    "pull": pull,
    "retry": retry,
    "in-doubt": resolve,
    "stop": stop,
    "suppress": rights.suppress,
    "unsuppress": rights.unsuppress,
    "forget": rights.forget,
    "export": rights.export,
}


def _named(tx: Tx, ids: Sequence[str], *, priced: bool) -> list[Doubt | Unpriced]:
    known = {one.id: one for one in doubts.choose(tx, doubts.Which(), priced=priced, now=0.0)[0]}
    if unknown := [one for one in ids if one not in known]:
        raise ValueError(f"nothing called {unknown[0]} is {'without a price' if priced else 'in doubt'}")
    return [known[one] for one in ids]


def _decision(parts: Parts, given: Mapping[str, Any]) -> doubts.Decision:
    if "charged" in given:
        return doubts.priced(doubts.amount(str(given["charged"])))
    if given.get("decision") not in doubts.WORDS:
        raise ValueError(f"decision: one of {', '.join(doubts.WORDS)}; or charged, a number of credits")
    within = {name: lane.provider.capabilities.answer_within for name, lane in parts.lanes.items()}
    return doubts.decided(str(given["decision"]), within)


def _object(body: bytes) -> dict[str, Any]:
    given = json.loads(body)
    if isinstance(given, dict):
        return given
    raise ValueError("send a JSON object")


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key, "")
    if isinstance(value, str):
        return value.strip()
    raise ValueError(f"{key} is a text")
