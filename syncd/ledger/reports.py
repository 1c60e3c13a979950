"""What the ledger can tell, read-only and cheap at any size: counters, credits, one contact's journey."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ContactRef

from . import costs, gates, reconciliation, results, upkeep, writes
from .costs import Prices
from .inbox import UNSIGNED
from .states import JobState, Reason
from .store import Tx

if TYPE_CHECKING:
    import sqlite3


_LAST = 1 << 62  # above every run
LOOKED_AT = 5_000  # jobs whose waiting values are counted by their reason
MORE = "not looked at, for there are too many"  # the reason that those beyond are counted under
CHANGED_CONFIGURATION = "changed configuration"  # one that a reload has refused: it stands among the connections
_FOUND = {  # an end for which a value was found, whether it could be used or not
    Reason.WRITTEN,
    Reason.LOW_QUALITY,
    Reason.MISMATCH,
    Reason.DUPLICATE,
    Reason.REFUSED,
    Reason.WRITE_REFUSED,
}
_MOVING = (
    JobState.QUEUED,
    JobState.SENDING,
    JobState.SENT,
    JobState.ANSWERED,
    JobState.ACCEPTED,
    JobState.WRITING,
)


def counts(tx: Tx) -> list[dict[str, Any]]:
    """Jobs by sync, field, state and reason."""
    return [dict(row) for row in tx.rows("counts")]


def by_state(tx: Tx) -> dict[JobState, int]:
    """Jobs by state."""
    totals = dict.fromkeys(JobState, 0)
    for row in tx.rows("counts"):
        totals[JobState(row["state"])] += row["n"]
    return totals


@dataclass(frozen=True, slots=True)
class Far:
    """How far everything is: fields that are done, of how many, values that were found, credits that were charged."""

    done: int
    total: int
    found: int
    charged: float

    def in_words(self, before: Far) -> str:
        """What was found of what is done since then, and what was charged for it."""
        done = self.done - before.done
        share = f"{100 * (self.found - before.found) / done:.0f} % found" if done > 0 else ""
        spent = self.charged - before.charged
        return ", ".join(filter(None, (share, f"{spent:,.10g} credit{'' if spent == 1 else 's'}")))


def far(tx: Tx) -> Far:
    """By counters: as quick for a million contacts."""
    rows = [(JobState(row["state"]), row["reason"], row["n"]) for row in tx.rows("counts")]
    return Far(
        done=sum(n for state, _, n in rows if state is JobState.DONE),
        total=sum(n for _, _, n in rows),
        found=sum(n for state, reason, n in rows if state is JobState.DONE and reason in _FOUND),
        charged=sum(one["charged"] for one in credits_by_provider(tx).values()),
    )


def moving(
    tx: Tx,
    over_budget: Sequence[tuple[str, str, str]] = (),
    shut: Sequence[str] = (),
    dear: Sequence[tuple[str, str]] = (),
    providers: Sequence[str] | None = None,
    *,
    unwritten: Sequence[str] = (),
) -> int:
    """How many things will still move by themselves.

    Not counted: what is in doubt, what is queued at a halted connection, for a sync of `shut`, for a sync, provider and
    field for which a budget has no room (`over_budget`), or for a field that a connection is short of credits for
    (`dear`), what was answered and set aside, what a halted CRM, or a pause (`unwritten`: syncs) keeps from being
    written, what waits for a provider
    that is none of `providers` any more (None: all of them are there), and what stands behind another job, which is
    counted itself.
    """
    states = by_state(tx)
    held = {"over_budget": over_budget, "shut": shut, "dear": dear, "unwritten": unwritten}
    stuck = tx.value("stuck", **{key: dump(list(of)) for key, of in held.items()}, unsigned=UNSIGNED)
    if providers is not None:
        stuck += tx.value("beyond_reach", providers=dump(list(providers)), unsigned=UNSIGNED)
    open_work = tx.value("open_work", unsigned=UNSIGNED) + tx.value("undos_open")
    return int(sum(states[state] for state in _MOVING) - stuck + open_work)


def credits_by_provider(tx: Tx) -> dict[str, dict[str, Any]]:
    """Credits per provider: charged, reserved (worst case of what is open), of that in doubt, and what counts as
    charged although nobody told (`assumed`)."""
    return {
        row["provider"]: {
            "submissions": row["submissions"],
            "charged": _credits(row["charged_mc"]),
            "reserved": _credits(row["reserved_mc"]),
            "in_doubt": _credits(row["doubt_mc"]),
            "assumed": _credits(row["assumed_mc"]),
        }
        for row in tx.rows("credits_by_provider")
    }


def status(tx: Tx) -> dict[str, Any]:
    """Everything `syncd status` shows."""
    return {
        "jobs": counts(tx),
        "credits": credits_by_provider(tx),
        "reconciliation": reconciliation.report(tx),
        "connections": {row["name"]: _connection(row) for row in tx.rows("connections")},
        "runs": {row["sync"]: dict(row) for row in tx.rows("runs_latest")},
        "tallies": {row["name"]: row["n"] for row in tx.rows("tallies")},
        "gate": gates.shut(tx),
        "breakers": [dict(row) for row in tx.rows("breakers_shut")],
        "reviews": reviews(tx),
        "in_doubt": {row["provider"]: _doubt(row) for row in tx.rows("doubts_by_provider")},
        "refusals": [dict(row) for row in tx.rows("syncs_refused")],
        "sweeps": [dict(row) for row in tx.rows("sweeps")],
        "symptoms": [dict(row) for row in tx.rows("symptoms")],
        "shared_by_two_names": tx.value("vague_contacts"),
        "looked_at": upkeep.mark(tx, upkeep.LOOKED_AT),
    }


def runs(
    tx: Tx, sync: str | None = None, *, limit: int = 50, before: int | None = None, since: float | None = None
) -> list[dict[str, Any]]:
    """The newest pulls and undos first, with how many values each has written, put back, and has still to put back.
    Only those `before` a run, and those that began since then (UTC seconds)."""
    narrow = {"sync": sync, "before": _LAST if before is None else before, "since": since or 0.0}
    return [dict(row) for row in tx.rows("runs_newest", **narrow, limit=limit)]


def reviews(tx: Tx, *, most: int = LOOKED_AT) -> dict[str, Any]:
    """How many values wait for a person, since when, and why: by reason. Of more than `most` jobs the first are looked
    at, and the others are counted."""
    rows = tx.rows("reviews_by_reason", most=most)
    why = {row["why"]: row["n"] for row in rows}
    if rest := max(0, _jobs_in_review(tx) - most):
        why[MORE] = rest
    return {"waiting": sum(why.values()), "since": rows[0]["since"] if rows else None, "why": why}


def _jobs_in_review(tx: Tx) -> int:
    anywhere = dict.fromkeys(("reason", "sync", "field"))
    return int(tx.value("found_count", state=JobState.REVIEW, **anywhere))


def _doubt(row: Any) -> dict[str, Any]:
    return {"calls": row["calls"], "credits": _credits(row["reserved_mc"]), "since": row["since"]}


def answers_lately(tx: Tx, *, since: float) -> dict[str, dict[str, int]]:
    """By provider: how many of its newest answers were judged, and how many of those were about somebody else."""
    rows = tx.rows("answers_lately", since=since)
    return {row["provider"]: {"judged": row["judged"], "other": row["other"]} for row in rows}


def journey(tx: Tx, ref: ContactRef, prices: Prices | None = None) -> dict[str, Any] | None:
    """One contact's whole way: each job with its events, calls, answers and writes; None if unknown. `prices`: what
    finds cost by the list, by which a call's bill is shared among the contacts that it was about."""
    contact = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
    if contact is None:
        return None
    return {
        "contact": str(ref),
        "sync": contact["sync"],
        "pulled_at": contact["pulled_at"],
        "known": results.in_full(parse(contact["identity"])),
        "identifies_nobody": parse(contact["vague"]),
        "learned": contact["learned"],
        "lacks": parse(contact["lacks"]),
        "blocked": parse(contact["blocked"]),
        "jobs": [_job(tx, dict(row), prices or {}) for row in tx.rows("jobs_of_contact", contact_id=contact["id"])],
    }


def _job(tx: Tx, job: dict[str, Any], prices: Prices) -> dict[str, Any]:
    attempts = [dict(row) for row in tx.rows("attempts_of_job", job_id=job["id"])]
    shares = costs.of_calls(tx, [attempt["submission_id"] for attempt in attempts], prices)
    own = {attempt["submission_id"]: shares.get((attempt["submission_id"], job["id"])) for attempt in attempts}
    return {
        **{key: job[key] for key in ("id", "field", "state", "reason", "note", "provider", "value")},
        "events": [dict(row) for row in tx.rows("events_of_job", job_id=job["id"])],
        "calls": [
            {
                "provider": attempt["provider"],
                "submission": attempt["submission_id"],
                "provider_id": attempt["provider_id"],
                "state": attempt["state"],
                "requests": attempt["requests"],
                "reserved": _credits(attempt["reserved_mc"]),
                "charged": _credits(attempt["charged_mc"]),
                "cost": _credits(own[attempt["submission_id"]]),
                "at": attempt["created_at"],
                "deliveries": [
                    dict(d) for d in tx.rows("deliveries_of_submission", submission_id=attempt["submission_id"])
                ],
            }
            for attempt in attempts
        ],
        "answers": [_answer(row) for row in tx.rows("results_of_job", job_id=job["id"])],
        "reviews": [dict(row) for row in tx.rows("reviews_of_job", job_id=job["id"])],
        "writes": [_write(row, own) for row in tx.rows("writes_of_job", job_id=job["id"])],
        "same_person": _same_person(tx, job),
    }


def _write(row: sqlite3.Row, own: Mapping[str, int | None]) -> dict[str, Any]:
    """A written value, in which run, from whom, why it was allowed, and what this contact's part of the call has cost.
    An answer that was asked for another record of the person costs this one nothing."""
    told = {
        key: row[key] for key in ("id", "property", "before", "after", "state", "note", "at", "done_at", "provider")
    }
    undone = {"run": row["undo_run"], "state": row["undo_state"], "at": row["undo_at"], "note": row["undo_note"]}
    return {
        **told,
        "run": row["run_id"] or None,
        "policy": row["policy"] or writes.USUAL,
        "found": row["found"] or "",
        "accepted_by": row["decided_by"] or None,
        "cost": _credits(own.get(row["submission_id"], 0)),
        "undo": undone if row["undo_run"] else None,
    }


def _answer(row: Any) -> dict[str, Any]:
    """What was said, whom it speaks of, and what speaks for and against its being about this contact."""
    told = {k: row[k] for k in ("provider", "outcome", "note", "at", "way", "verdict", "decision")}
    evidence = parse(row["evidence"] or "{}")
    return {
        **told,
        "candidates": results.candidates_in_full(row["candidates"]),
        "said": [results.in_full(one) for one in parse(row["said"])],
        "speaks_for": evidence.get("for", []),
        "speaks_against": evidence.get("against", []),
    }


def _same_person(tx: Tx, job: Mapping[str, Any]) -> list[str]:
    if job["person"] is None:
        return []
    rows = tx.rows("same_person", person=job["person"], field=job["field"], job_id=job["id"])
    return [f"{row['connection']}/{row['object']}/{row['ext_id']}" for row in rows]


def _connection(row: Any) -> dict[str, Any]:
    shown = {k: row[k] for k in ("trouble", "message", "cure", "since", "balance", "balance_at")}
    shown["blocked_until"] = row["blocked_until"] or None
    return {**shown, "limits": parse(row["windows"]) if row["windows"] else None}


def _credits(thousandths: int | None) -> float | None:
    return None if thousandths is None else float(Decimal(thousandths) / 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A decision that is to be carried out. `skipped`: why nobody is asked, in a sentence; `reason` is its word."""

    job_id: int
    contact: str  # connection/object/id
    sync: str
    field: str
    provider: str | None
    reason: str | None
    skipped: str | None


def newest_event(tx: Tx) -> int:
    """The number of the last thing that happened to a job."""
    return int(tx.value("newest_event") or 0)


def newest_run(tx: Tx) -> int:
    """The number of the last pull."""
    return int(tx.value("run_newest"))


def pulled_since(tx: Tx, *, run: int) -> int:
    """How many contacts the pulls after that one have brought so far."""
    return int(tx.value("pulled_since", run=run))


def planned(tx: Tx, *, since_event: int, jobs: Sequence[int] | None = None, limit: int = sys.maxsize) -> list[Planned]:
    """Every decision since then, and all that waits to be asked about; of some `jobs` alone, where they are given."""
    rows = tx.rows("planned", since=since_event, ids=_ids(jobs), limit=limit)
    return [_planned(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTotal:
    """How many contacts would be asked about at a provider, or not, for a reason (the other is None)."""

    sync: str
    field: str
    provider: str | None
    reason: str | None
    contacts: int


def planned_totals(tx: Tx, *, since_event: int, jobs: Sequence[int] | None = None) -> list[PlannedTotal]:
    """The same, counted."""
    return [PlannedTotal(**dict(row)) for row in tx.rows("planned_totals", since=since_event, ids=_ids(jobs))]


def _ids(jobs: Sequence[int] | None) -> str | None:
    return None if jobs is None else dump(list(jobs))


def hit_rates(tx: Tx, *, at_least: int) -> dict[tuple[str, str], float]:
    """By provider and field: which share of the questions was answered with a find, where there were enough."""
    rows = [row for row in tx.rows("answers_counted") if row["asked"] >= at_least]
    return {(row["provider"], row["field"]): row["found"] / row["asked"] for row in rows}


def _planned(row: sqlite3.Row) -> Planned:
    asked = row["state"] in (JobState.QUEUED, JobState.SENDING)
    return Planned(
        job_id=row["id"],
        contact=row["ref"],
        sync=row["sync"],
        field=row["field"],
        provider=row["provider"] if asked else None,
        reason=None if asked else row["reason"] or row["state"],
        skipped=None if asked else row["note"] or row["reason"].replace("_", " ") or row["state"],
    )
