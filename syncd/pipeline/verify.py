"""Verify: whose is what the providers said, and is it good enough to write? Pure, but for `run_once`.

Everything that was said about a job is judged anew each time, against the contact as it is now: so more that is known
of the contact, a person's decision, or another policy changes the outcome of what was bought already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from syncd.config import FieldPolicy, OnDoubt, Sync
from syncd.contract.errors import BrokenInvariant
from syncd.contract.model import Field, Identity, Outcome
from syncd.ledger import people, results, reviews, writes
from syncd.ledger.results import Heard
from syncd.ledger.states import Reason
from syncd.ledger.store import Tx
from syncd.ledger.writes import Answered
from syncd.people.answers import About, Verdict, about

from . import values
from .asking import request_for, unasked
from .parts import Lane, Parts
from .values import Judged, Usable

PAGE = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """This value may be written. `brings` is what came along for other properties."""

    value: Usable
    result_id: int
    note: str
    brings: tuple[Usable, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A value that a person should look at; `waits`: nobody else is asked meanwhile."""

    value: Usable
    result_id: int
    note: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """Nothing acceptable yet: ask this provider next; `anew`: in a new round, for the record is about somebody else."""

    provider: str
    note: str
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing acceptable, and nobody left to ask."""

    reason: Reason
    note: str


Decision = Accepted | Doubtful | Turn | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decides on one field of one sync. `silent`: providers that never say whom they found."""

    field: FieldPolicy
    on_doubt: OnDoubt = OnDoubt.REVIEW
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Weighed:
    """One answer, judged: whose it is, and what of it could be written, the best first."""

    heard: Heard
    about: About
    judged: Sequence[Judged]

    @property
    def best(self) -> Usable | None:
        return next((one.value for one in self.judged if one.value is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision is taken on. `open_ways`: has a provider another way in which it could be asked?"""

    field: Field
    contact: Identity
    became_at: float
    heard: Sequence[Heard]
    now: float
    open_ways: Callable[[str], bool]


def weigh(facts: Facts, policy: Policy) -> list[Weighed]:
    """Judge each answer that was given about whom the record is about now; in the waterfall's order."""
    order = {name: i for i, name in enumerate(policy.field.providers)}
    fresh = [one for one in facts.heard if one.asked_at >= facts.became_at]
    return [_weigh(one, facts, policy) for one in sorted(fresh, key=lambda one: order.get(one.provider, len(order)))]


def _weigh(one: Heard, facts: Facts, policy: Policy) -> Weighed:
    found = one.result.outcome is Outcome.FOUND
    verdict = _about(one, facts.contact, echoes=one.provider not in policy.silent) if found else About(Verdict.SAME)
    judged = values.judge(facts.field, one.result.candidates, facts.contact, policy.field) if found else []
    return Weighed(one, verdict, judged)


def _about(one: Heard, contact: Identity, *, echoes: bool) -> About:
    """What a person decided, else the evidence, else the doubt that came with a shared answer."""
    verdict = about(contact, one.result.said, echoes=echoes)
    if one.decision == reviews.ACCEPTED:
        return replace(verdict, verdict=Verdict.SAME, agrees=(*verdict.agrees, "a person has accepted it"))
    if one.decision == reviews.REFUSED:
        return replace(verdict, verdict=Verdict.OTHER, contradicts=(*verdict.contradicts, "a person has refused it"))
    if one.doubt and verdict.verdict is Verdict.SAME and not verdict.proven:
        return About(Verdict.DOUBTFUL, verdict.agrees, (*verdict.contradicts, one.doubt))
    return verdict


def verdict(facts: Facts, policy: Policy) -> tuple[Decision, Sequence[Weighed]]:
    """Decide on everything that was said: the first acceptable value wins."""
    weighed = weigh(facts, policy)
    doubt: Doubtful | None = None
    for one in weighed:
        if one.best is None or one.heard.provider not in policy.field.providers:
            continue
        sure = one.about.verdict is Verdict.SAME or (
            one.about.verdict is Verdict.DOUBTFUL and policy.on_doubt is OnDoubt.ACCEPT
        )
        if sure:
            return _accepted(facts, one), weighed
        if one.about.verdict is Verdict.DOUBTFUL and doubt is None:
            doubt = _doubtful(one, one.best, policy, facts.now)
    if doubt is not None and doubt.waits:
        return doubt, weighed
    turn = _turn(facts, weighed, policy)
    return turn or doubt or _ended(weighed), weighed


def came_along(facts: Facts, policy: Policy) -> tuple[Decision, Sequence[Weighed]]:
    """Decide on a value that came along with an answer, for a property of its own: nobody is asked for it."""
    weighed = weigh(facts, policy)
    doubt: Doubtful | None = None
    for one in weighed:
        value = _along(facts.field, one)
        if value is None:
            continue
        if one.about.verdict is Verdict.SAME or (
            one.about.verdict is Verdict.DOUBTFUL and policy.on_doubt is OnDoubt.ACCEPT
        ):
            return Accepted(value, one.heard.id, f"by {one.heard.provider}"), weighed
        if one.about.verdict is Verdict.DOUBTFUL and doubt is None:
            doubt = _doubtful(one, value, policy, facts.now)
    if not weighed:
        return Ended(Reason.MISMATCH, "it was found for whom the record was about before"), weighed
    return doubt or _ended(weighed), weighed


def _along(field: Field, one: Weighed) -> Usable | None:
    if field is Field.LINKEDIN:
        profile = next((said.linkedin_url for said in one.heard.result.said if said.linkedin_url), None)
        return Usable(text=profile, field=field, kind="") if profile else None
    return next((judged.value for judged in one.judged if judged.value and judged.value.field is field), None)


def _accepted(facts: Facts, one: Weighed) -> Accepted:
    """The best value for the field's own property, or else for another one; what is left for others comes along."""
    best = {judged.value.field: judged for judged in reversed(one.judged) if judged.value is not None}
    chosen = best.pop(facts.field, None) or best.pop(next(iter(best)))
    if chosen.value is None:
        raise BrokenInvariant("a value was accepted that is none")
    note = ", ".join((f"{chosen.candidate.grade} by {one.heard.provider}", *chosen.value.remarks))
    return Accepted(chosen.value, one.heard.id, note, tuple(o.value for o in best.values() if o.value is not None))


def _doubtful(one: Weighed, value: Usable, policy: Policy, now: float) -> Doubtful:
    overdue = one.heard.until is not None and one.heard.until <= now
    waits = policy.on_doubt is OnDoubt.REVIEW and not overdue
    return Doubtful(value, one.heard.id, "; ".join(one.about.contradicts) or "little is known", waits)


def _turn(facts: Facts, weighed: Sequence[Weighed], policy: Policy) -> Turn | None:
    """The next provider that has said nothing yet, or the same one in another way where it found nobody."""
    for provider in policy.field.providers:
        said = [one.heard.result for one in weighed if one.heard.provider == provider]
        missed = all(result.outcome is Outcome.NOT_FOUND for result in said)
        if not said or (missed and facts.open_ways(provider)):
            former = any(one.provider == provider and one.asked_at < facts.became_at for one in facts.heard)
            return Turn(provider, _why(weighed), former)
    return None


def _ended(weighed: Sequence[Weighed]) -> Ended:
    return Ended(_reason(weighed), _why(weighed))


def _reason(weighed: Sequence[Weighed]) -> Reason:
    outcomes = {one.heard.result.outcome for one in weighed}
    if any(one.heard.decision == reviews.REFUSED for one in weighed):
        return Reason.REFUSED
    if any(one.about.verdict is Verdict.OTHER for one in weighed):
        return Reason.MISMATCH
    if Outcome.FOUND in outcomes:
        return Reason.LOW_QUALITY
    for outcome, reason in _REASONS.items():
        if outcome in outcomes:
            return reason
    return Reason.REJECTED if outcomes == {Outcome.SKIPPED} else Reason.NOT_FOUND


_REASONS = {
    Outcome.UNRESOLVED: Reason.DOUBT_EXPIRED,
    Outcome.MISSING: Reason.NO_CALLBACK,
    Outcome.FAILED: Reason.UNDETERMINED,
}


def _why(weighed: Sequence[Weighed]) -> str:
    if not weighed:
        return ""
    last = weighed[-1]
    if last.about.verdict is not Verdict.SAME:
        whose = "of another person" if last.about.verdict is Verdict.OTHER else "perhaps of another person"
        return f"the answer speaks {whose}: " + ", ".join(last.about.contradicts)
    if last.heard.result.outcome is Outcome.FOUND:
        return "found " + ", ".join(sorted({one.why for one in last.judged if one.why}))
    return last.heard.result.note or last.heard.result.outcome.replace("_", " ")


# --- the stage ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Decided:
    job: Answered
    decision: Decision
    weighed: Sequence[Weighed]
    sync: Sync | None = None


async def run_once(parts: Parts) -> int:
    """Decide on all that is answered; returns how many jobs moved."""
    syncs = {sync.name: sync for sync in parts.settings.syncs}
    moved = 0
    while jobs := await parts.ledger.read(writes.answered, PAGE, syncs):
        decided = [_decide(parts, job, syncs[job.sync]) for job in jobs]
        moved += await parts.ledger.write(_advance, decided, now=parts.clock.now())
    return moved


def _decide(parts: Parts, job: Answered, sync: Sync) -> _Decided:
    policy = _policy_of(sync, job.field)
    if policy is None:
        return _Decided(job, Ended(Reason.CANCELLED, "the configuration does not ask for this field any more"), ())
    facts = Facts(
        field=job.field,
        contact=job.identity,
        became_at=job.became_at,
        heard=job.heard,
        now=parts.clock.now(),
        open_ways=lambda provider: _open_ways(parts.lanes.get(provider), job, provider),
    )
    silent = frozenset(name for name, lane in parts.lanes.items() if not lane.provider.capabilities.echoes)
    decide = verdict if job.field in sync.fields else came_along
    decision, weighed = decide(facts, Policy(field=policy, on_doubt=sync.on_doubt, silent=silent))
    return _Decided(job, decision, weighed, sync)


def _policy_of(sync: Sync, field: Field) -> FieldPolicy | None:
    """What a field is judged by: a mobile number came along with a phone, a profile with the answer to any field."""
    if field is Field.MOBILE:
        phone = sync.fields.get(Field.PHONE)
        return phone if phone is not None and phone.mobile else None
    if field is Field.LINKEDIN:
        return next(iter(sync.fields.values()), None) if sync.linkedin else None
    return sync.fields.get(field)


def _open_ways(lane: Lane | None, job: Answered, provider: str) -> bool:
    """Could a provider that found nobody be asked in a way in which it was not asked in this round?"""
    asked = {one.way for one in job.heard if one.provider == provider and one.result.outcome is not Outcome.FAILED}
    return lane is not None and bool(unasked(lane.provider, request_for(job.field, job.identity), asked))


def _advance(tx: Tx, decided: Sequence[_Decided], *, now: float) -> int:
    moved = 0
    for one in decided:
        if not writes.is_all(tx, one.job):
            continue  # more was said while this was decided on: the next look sees it
        for weighed in one.weighed:  # first: what comes along takes the verdict with it
            if weighed.heard.result.outcome is Outcome.FOUND:
                results.judged(tx, weighed.heard.id, weighed.about)
        moved += _carry_out(tx, one, now=now)
        _learn(tx, one, now=now)
    return moved


def _carry_out(tx: Tx, one: _Decided, *, now: float) -> bool:
    job = one.job
    match one.decision:
        case Accepted(value, result_id, note, brings):
            target = None if value.field is job.field else value.field
            done = writes.accept(tx, job.job_id, value.text, note, now=now, result_id=result_id, target=target)
            for other in brings if done else ():
                writes.bring_along(tx, job, other.field, value=other.text, result_id=result_id, note=note, now=now)
            return done
        case Doubtful(value, result_id, note, waits):
            until = now + one.sync.review_within if waits and one.sync else None
            return reviews.open_(tx, job.job_id, result_id, value.text, note, until=until, now=now)
        case Turn(provider, note, anew):
            round_ = job.round + 1 if anew else None
            return writes.next_turn(tx, job.job_id, provider, note, now=now, round_=round_)
        case Ended(reason, note):
            return writes.give_up(tx, job.job_id, reason, note, now=now)


def _learn(tx: Tx, one: _Decided, *, now: float) -> None:
    """A profile that surely is the contact's: for the next question, and for the CRM where the operator wants it."""
    if one.job.identity.linkedin_url:
        return
    for weighed in one.weighed:
        found = [said.linkedin_url for said in weighed.heard.result.said if said.linkedin_url]
        if found and weighed.about.verdict is Verdict.SAME and weighed.heard.result.outcome is Outcome.FOUND:
            people.learn(tx, one.job.contact_id, found[0])
            if one.sync is not None and one.sync.linkedin:
                note = f"by {weighed.heard.provider}"
                writes.bring_along(
                    tx, one.job, Field.LINKEDIN, value=found[0], result_id=weighed.heard.id, note=note, now=now
                )
            return
