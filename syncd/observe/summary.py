"""Where each sync stands, in one word, and the whole installation in one sentence. Pure.

The words and signs are the same on the page, in `syncd status` and in `/api/status`; docs/pages.md explains each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from syncd.config import ConditionKind, CronLine, Settings, Sync
from syncd.config.scalars import is_loopback
from syncd.ledger.pauses import PauseKind
from syncd.ledger.states import JobState
from syncd.words import STANDINGS, Standing

Status = Mapping[str, Any]

SIGNS = {standing: shown.sign for standing, shown in STANDINGS.items()}

_BY_ITSELF = {JobState.QUEUED, JobState.SENDING, JobState.ANSWERED, JobState.ACCEPTED, JobState.WRITING}
_AT_A_VENDOR = {JobState.SENT, JobState.IN_DOUBT}
# What stops one sync, or with "syncd" as its subject all of them.
_STOPPING = {ConditionKind.GATE, ConditionKind.DISK, ConditionKind.PAUSED, ConditionKind.REFUSALS}
_NO_PERSON_NEEDED = {ConditionKind.BUDGET, ConditionKind.BREAKER, ConditionKind.UNREACHABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStanding:
    """One sync: its standing, why, and how many fields are where."""

    name: str
    standing: Standing
    why: str
    moving: int
    waiting: int  # values for a person
    written: int
    done: int

    @property
    def sign(self) -> str:
        """Beside the word, for whom colours tell nothing."""
        return SIGNS[self.standing]

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        told = {key: getattr(self, key) for key in ("why", "moving", "waiting", "written", "done")}
        return {"state": self.standing.value, "sign": self.sign, **told}


def syncs(status: Status, settings: Settings) -> dict[str, SyncStanding]:
    """Every sync of the configuration; `status` as `observe.status` makes it, with its conditions."""
    return {one.name: _sync(status, one.name, one.crm, paused=one.paused) for one in settings.syncs}


def _sync(status: Status, name: str, crm: str, *, paused: bool) -> SyncStanding:
    counts: Counter[str] = Counter()
    for row in status["jobs"]:
        if row["sync"] == name:
            counts[row["state"]] += row["n"]
            counts[f"reason {row['reason']}"] += row["n"]
    standing, why = _standing(status, name, crm, counts, paused=paused)
    return SyncStanding(
        name=name,
        standing=standing,
        why=why,
        moving=sum(counts[state] for state in _BY_ITSELF | _AT_A_VENDOR),
        waiting=counts[JobState.REVIEW],
        written=counts["reason written"],
        done=counts[JobState.DONE],
    )


def _standing(status: Status, name: str, crm: str, counts: Counter[str], *, paused: bool) -> tuple[Standing, str]:
    if paused:
        return Standing.STOPPED, "paused in the configuration"
    if why := _stopped_by(status["conditions"], name, crm):
        return Standing.STOPPED, why
    if error := status["runs"].get(name, {}).get("error"):
        return Standing.FAILED, f"the last pull failed: {error}"
    return _at_work(status["conditions"], counts)


def _stopped_by(conditions: Iterable[Mapping[str, Any]], name: str, crm: str) -> str:
    for one in conditions:
        if one["kind"] in _STOPPING and one["who"] in (name, "syncd") and not _of_a_provider(one):
            return str(one["why"])
        if one["kind"] == ConditionKind.HALTED and one["who"] == crm:
            return f"{crm}: {one['why']}"
    return ""


def _at_work(conditions: Iterable[Mapping[str, Any]], counts: Counter[str]) -> tuple[Standing, str]:
    by_itself, elsewhere = (sum(counts[state] for state in states) for states in (_BY_ITSELF, _AT_A_VENDOR))
    blocked = [one for one in conditions if one["kind"] in _WAITING_FOR_VENDOR]
    if by_itself and not (blocked and by_itself == counts[JobState.QUEUED]):
        return Standing.MOVING, ""
    if by_itself or elsewhere:
        why = f"{blocked[0]['who']}: {blocked[0]['why']}" if blocked else "answers are on their way"
        return Standing.FOR_VENDOR, why
    return (Standing.FOR_YOU, "values are to be looked at") if counts[JobState.REVIEW] else (Standing.IDLE, "")


_WAITING_FOR_VENDOR = {
    ConditionKind.HALTED,
    ConditionKind.BREAKER,
    ConditionKind.BUDGET,
    ConditionKind.CREDITS,
    ConditionKind.FLOOR,
    ConditionKind.UNREACHABLE,
}


def _of_a_provider(condition: Mapping[str, Any]) -> bool:
    return bool(condition["kind"] == ConditionKind.PAUSED and condition["detail"] == PauseKind.PROVIDER)


def next_pulls(status: Status, settings: Settings, now: float) -> dict[str, float | None]:
    """When each sync is pulled next, as far as its schedule tells; None: nobody can say."""
    return {sync.name: _next_pull(sync, status["runs"].get(sync.name), now) for sync in settings.syncs}


def _next_pull(sync: Sync, last: Mapping[str, Any] | None, now: float) -> float | None:
    if sync.paused:
        return None
    if sync.schedule is not None:
        return CronLine(sync.schedule, sync.time_zone).next_after(now)
    return None if last is None or sync.every is None else max(now, last["started_at"] + sync.every)


def mode(settings: Settings) -> str:
    """Whether it is about real people: LIVE, or SANDBOX."""
    hosts = [urlsplit(one.base_url).hostname or "" for one in settings.connections.values() if one.base_url]
    return "SANDBOX" if settings.rehearsal is not None or any(map(is_loopback, hosts)) else "LIVE"


def needs_you(conditions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The conditions that a person has to end, in the order in which they came."""
    return [one for one in conditions if one["kind"] not in _NO_PERSON_NEEDED and not one["starting"]]


def sentence(status: Status, standings: Sequence[SyncStanding]) -> str:
    """Is it working, and does it wait for somebody?"""
    return " ".join(filter(None, (_working(status, standings), _waiting(status))))


def _working(status: Status, standings: Sequence[SyncStanding]) -> str:
    total = len(standings)
    if not total:
        return "No sync is configured yet."
    if not status["runs"]:
        return "Nothing has run yet."
    counted = Counter(one.standing for one in standings)
    syncs_ = f"{total} sync" if total == 1 else f"{total} syncs"
    if n := counted[Standing.FAILED] + counted[Standing.STOPPED]:
        words = "Stopped" if n == total else "Partly stopped"
        return f"{words}: {n} of {syncs_} {'does' if n == 1 else 'do'} not go on."
    if n := counted[Standing.MOVING] + counted[Standing.FOR_VENDOR]:
        return f"Working: {n} of {syncs_} {'is' if n == 1 else 'are'} under way."
    return "Working: everything that could be done is done."


def _waiting(status: Status) -> str:
    waiting = status["reviews"]["waiting"]
    return f"{waiting:,} {'value waits' if waiting == 1 else 'values wait'} for you." if waiting else ""
