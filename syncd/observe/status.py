"""One look at everything: what the ledger tells to any process, and what only the running daemon knows."""

from __future__ import annotations

import math
from typing import Any

from syncd.config import Port, Settings
from syncd.ledger import budgets, floors, pauses, reports, runway, symptoms
from syncd.ledger.pauses import Pause
from syncd.ledger.store import Tx
from syncd.pipeline.parts import Parts
from syncd.pipeline.spending import budgets_of, floors_of
from syncd.pipeline.watch import disk

from . import summary
from .conditions import OTHERS, derive

ANSWERS_OF = 7 * 86_400.0  # seconds: older answers tell nothing about a provider


def look(tx: Tx, settings: Settings, *, now: float) -> dict[str, Any]:
    """What `syncd status` shows, without the daemon; `conditions` are added by `concluded`."""
    status = reports.status(tx)
    configured = {*settings.connections, *OTHERS}
    status["connections"] = {name: one for name, one in status["connections"].items() if name in configured}
    providers = [name for name, one in settings.connections.items() if one.port is Port.PROVIDER]
    status["balances"] = runway.report(tx, providers, now=now)
    status["pauses"] = [_pause(one) for one in pauses.in_force(tx, now=now)]
    status["floors"] = floors.report(tx, floors_of(settings), now=now)
    status["breakers"] = [one for one in status["breakers"] if one["connection"] in settings.connections]
    why, cure = disk(settings)
    if why and all(one["watch"] != "disk" for one in status["gate"]):  # on a full disk nobody can tell the ledger
        status["gate"].append({"watch": "disk", "sync": "", "why": why, "cure": cure, "since": None})
    status["budgets"] = budgets.report(tx, budgets_of(settings), now=now)
    status["answers"] = reports.answers_lately(tx, since=now - ANSWERS_OF)
    return status


def _pause(one: Pause) -> dict[str, Any]:
    return {"kind": one.kind, "name": one.name, "why": one.why, "since": one.since, "until": one.until, "by": one.by}


def concluded(status: dict[str, Any]) -> dict[str, Any]:
    """With what follows from it."""
    return {**status, "conditions": [one.as_json() for one in derive(status)]}


def summarised(status: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Concluded, with each sync's standing and the whole in a sentence."""
    status = concluded(status)
    standings = summary.syncs(status, settings)
    said = summary.sentence(status, list(standings.values()))
    return {**status, "sentence": said, "syncs": {name: one.as_json() for name, one in standings.items()}}


async def live(parts: Parts) -> dict[str, Any]:
    """The same, with the signs of life of this process."""
    now = parts.clock.now()
    status = await parts.ledger.read(look, parts.settings, now=now)
    lanes = {name: {"next_call_in": _finite(lane.pacer.ready_in())} for name, lane in parts.lanes.items()}
    seen, late = await _symptoms(parts, now), parts.liveness.late()
    own = {"gate": parts.gate.rows(), "lanes": lanes, "late": late, "symptoms": seen}
    return summarised({**status, **own}, parts.settings)


async def _symptoms(parts: Parts, now: float) -> list[dict[str, Any]]:
    """What this process sees of itself, and what others see that may work on the same ledger."""
    mine = parts.symptoms.rows(parts.liveness, parts.calls, now)
    if not parts.ledger.shared:
        return mine
    seen = {(one["kind"], one["who"]) for one in mine}
    others = await parts.ledger.read(symptoms.of_others, parts.at_work.owner)
    return [*mine, *(one for one in others if (one["kind"], one["who"]) not in seen)]


def _finite(seconds: float) -> float | None:
    """None: never, for the process ends. JSON has no word for that."""
    return None if math.isinf(seconds) else round(seconds, 1)
