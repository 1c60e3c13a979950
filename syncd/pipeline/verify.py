"""Verify: is what the providers said good enough to write? Pure, but for `run_once`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.config import FieldPolicy
from syncd.contract.model import EnrichmentResult, Field, Grade, Identity, Outcome
from syncd.contract.normal import FREE_MAIL
from syncd.ledger import writes
from syncd.ledger.states import Reason
from syncd.ledger.store import Tx
from syncd.ledger.writes import Answered

from . import values
from .parts import Parts

PAGE = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """This value may be written."""

    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Nothing acceptable yet: ask this provider next."""

    provider: str
    note: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing acceptable, and nobody left to ask."""

    reason: Reason
    note: str


def verdict(
    field: Field, identity: Identity, said: Mapping[str, Sequence[EnrichmentResult]], policy: FieldPolicy
) -> Accepted | Turn | Ended:
    """Decide on everything that was said: in the waterfall's order, the first acceptable value wins."""
    for provider in policy.providers:
        for result in said.get(provider, ()):
            if (chosen := _acceptable(field, identity, result, policy.accept)) is not None:
                value, grade = chosen
                return Accepted(value, f"{grade} by {provider}{_remark(field, identity, value)}")
    for provider in policy.providers:
        if provider not in said:
            return Turn(provider, _why([r for results in said.values() for r in results]))
    everything = [r for provider in policy.providers for r in said[provider]]
    return Ended(_reason(everything), _why(everything))


async def run_once(parts: Parts) -> int:
    """Decide on all that is answered; returns how many jobs moved."""
    policies = {sync.name: sync.fields for sync in parts.settings.syncs}
    moved = 0
    while jobs := await parts.ledger.read(writes.answered, PAGE, policies):
        decided = [(job, _decide(job, policies[job.sync].get(job.field))) for job in jobs]
        moved += await parts.ledger.write(_advance, decided, now=parts.clock.now())
    return moved


def _decide(job: Answered, policy: FieldPolicy | None) -> Accepted | Turn | Ended:
    if policy is None:
        return Ended(Reason.CANCELLED, "the configuration does not ask for this field any more")
    return verdict(job.field, job.identity, job.said, policy)


def _advance(tx: Tx, decided: Sequence[tuple[Answered, Accepted | Turn | Ended]], *, now: float) -> int:
    moved = 0
    for job, what in decided:
        if not writes.is_all(tx, job):
            continue  # more was said while this was decided on: the next look sees it
        match what:
            case Accepted(value, note):
                moved += writes.accept(tx, job.job_id, value, note, now=now)
            case Turn(provider, note):
                moved += writes.next_turn(tx, job.job_id, provider, note, now=now)
            case Ended(reason, note):
                moved += writes.give_up(tx, job.job_id, reason, note, now=now)
    return moved


def _acceptable(
    field: Field, identity: Identity, result: EnrichmentResult, accept: frozenset[Grade]
) -> tuple[str, Grade] | None:
    if result.outcome is not Outcome.FOUND or result.mismatch:
        return None
    for candidate in result.candidates:
        value = values.normal(field, candidate, identity.country)
        if candidate.grade in accept and value is not None:
            return value, candidate.grade
    return None


def _remark(field: Field, identity: Identity, value: str) -> str:
    if field is not Field.EMAIL:
        return ""
    host = value.rpartition("@")[2]
    if host in FREE_MAIL:
        return ", a personal address"
    return ", on another domain than the company's" if identity.domain and host != identity.domain else ""


def _reason(said: Sequence[EnrichmentResult]) -> Reason:
    outcomes = {r.outcome for r in said}
    if any(r.mismatch for r in said):
        return Reason.MISMATCH
    if Outcome.FOUND in outcomes:
        return Reason.LOW_QUALITY
    if Outcome.UNRESOLVED in outcomes:
        return Reason.DOUBT_EXPIRED
    if Outcome.MISSING in outcomes:
        return Reason.NO_CALLBACK
    return Reason.REJECTED if outcomes == {Outcome.SKIPPED} else Reason.NOT_FOUND


def _why(said: Sequence[EnrichmentResult]) -> str:
    if not said:
        return ""
    last = said[-1]
    if last.mismatch:
        return "the answer speaks of another person"
    if last.outcome is Outcome.FOUND:
        return "found " + ", ".join(sorted({c.grade for c in last.candidates})) + " only"
    return last.note or last.outcome.replace("_", " ")
