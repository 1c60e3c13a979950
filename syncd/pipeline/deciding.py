"""How a decision is taken and carried out: facts from the ledger, the configuration's policy, `policy.decide`.

Shared by the stages that decide: on contacts that changed (`plan`), and on answers (`verify`). A page is read, decided
on beside the writer, and carried out in one transaction, for those contacts of which nothing has changed meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

from syncd.config import Sync, WritePolicy
from syncd.contract.model import ASKED, Field, Identity, Outcome, Question
from syncd.frozen import frozen
from syncd.ledger import cases, decisions, people, provenance, requests, results, reviews, selections, writes
from syncd.ledger.cases import Case, Job, Read
from syncd.ledger.results import Heard
from syncd.ledger.reviews import Doubtful
from syncd.ledger.states import NEVER, JobState, Reason
from syncd.ledger.store import Move, NewJob, Tx
from syncd.people.answers import Verdict
from syncd.policy import values
from syncd.policy.asking import request_for, ways
from syncd.policy.decide import (
    Ask,
    Decision,
    Facts,
    Nothing,
    Opening,
    Policy,
    Review,
    Wait,
    Weighed,
    Write,
    brought,
    decide,
    for_approval,
)
from syncd.policy.values import NO_CHECKS, Checks

from . import standing
from .parts import Parts

AT_A_STRETCH = 0.002  # seconds in which cases are decided on before others in the event loop have their turn
WAITING_TO_ASK = frozenset({JobState.QUEUED, JobState.WAITING})


@frozen()
class Decided:
    """A decision on a case, the sync whose policy it follows, and how each answer was judged."""

    case: Case
    sync: Sync | None
    decision: Decision
    weighed: Sequence[Weighed]


@frozen()
class Selected:
    """The selections that the ledger knows, by fingerprint, and those that were pulled to their end."""

    known: Mapping[str, int]
    whole: frozenset[str]

    @classmethod
    def read(cls, tx: Tx) -> Selected:
        return cls(*selections.known(tx))


def fingerprint(sync: Sync) -> str:
    """Of all that a pull depends on: another fingerprint is another selection, and everybody is looked at again."""
    one = sync.selection
    fields = {name: [m.property, sorted(m.also)] for name, m in one.writable.items()}
    what = [sync.crm, one.object, fields, sorted(one.fields), one.match, *([one.request] if one.request else [])]
    basis = json.dumps(what, sort_keys=True, default=str)
    return hashlib.blake2b(basis.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


async def look(parts: Parts, contact_ids: Iterable[int]) -> tuple[Read, list[Decided]]:
    """Read what there is of some contacts, and decide."""
    found, selected = await parts.ledger.read(_read, contact_ids, parts)
    if any(sync.verify.mail_exchanger for sync in parts.settings.syncs):
        await parts.exchangers.look(_mail_hosts(found), parts.settings.resolver, parts.clock.monotonic())
    return found, await decide_all(parts, found, selected)


def _mail_hosts(found: Read) -> set[str]:
    """The domains of all addresses that were found for these contacts."""
    heard = (one for case in found.cases if case.field is Field.EMAIL for one in case.heard)
    return {values.mail_host(one.value) for each in heard for one in each.result.candidates if "@" in one.value}


def _read(tx: Tx, contact_ids: Iterable[int], parts: Parts) -> tuple[Read, Selected]:
    return cases.read(tx, contact_ids, parts.rules), Selected.read(tx)


async def decide_all(parts: Parts, found: Read, selected: Selected) -> list[Decided]:
    """Decide on each case, by the policy of the sync that looks after it. A callback does not wait for all of them."""
    now, time = parts.clock.now(), asyncio.get_running_loop().time
    governed = _Governed(parts, selected)
    decided = []
    until = time() + AT_A_STRETCH
    for case in found.cases:
        decided.append(_decide(parts, case, governed.by(case), now=now))
        if time() > until:
            await asyncio.sleep(0)
            until = time() + AT_A_STRETCH
    return decided


class _Governor(NamedTuple):
    """The sync that looks after a case; whether its selection holds the contact; its policy; where it would write."""

    sync: Sync | None
    inside: bool | None
    policy: Policy | None
    place: str


class _Governed:
    """The governors of a page of cases: found once for those that are alike in all that this depends on."""

    def __init__(self, parts: Parts, selected: Selected) -> None:
        self._parts, self._selected = parts, selected
        self._marks = {sync.name: fingerprint(sync) for sync in parts.settings.syncs}
        self._known: dict[tuple[str, str, Field, frozenset[int]], _Governor] = {}

    def by(self, case: Case) -> _Governor:
        key = (case.ref.connection, case.ref.object, case.field, case.selections)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._governor(case)
        return found

    def _governor(self, case: Case) -> _Governor:
        sync, inside = governing(self._parts.settings.syncs, case, self._marks, self._selected)
        if sync is None:
            return _Governor(None, inside, None, "")
        place = sync.selection.writable.get(case.field)
        policy = _policy(self._parts, sync, case.field)
        return _Governor(sync, inside, policy, "" if place is None else place.property)


def _decide(parts: Parts, case: Case, by: _Governor, *, now: float) -> Decided:
    facts = _facts(parts, case, by, now)
    if by.sync is not None and by.policy is not None and by.policy.writes is not WritePolicy.FILL_BLANK:
        facts = replace(facts, standing=standing.of(case, by.sync, by.place, by.policy.checks))
    decision, weighed = decide(by.policy, facts)
    return Decided(case, by.sync, decision, weighed)


def governing(
    syncs: Iterable[Sync], case: Case, marks: Mapping[str, str], selected: Selected
) -> tuple[Sync | None, bool | None]:
    """The first sync whose selection holds the contact; else the first that might, and whether it does (None: it was
    not pulled to its end yet)."""
    mine = [
        sync
        for sync in syncs
        if (sync.crm, sync.object) == (case.ref.connection, case.ref.object) and case.field in sync.selection.writable
    ]
    for sync in mine:
        if selected.known.get(marks[sync.name]) in case.selections:
            return sync, True
    if not mine:
        return None, False
    unseen = any(marks[sync.name] not in selected.whole for sync in mine)
    return mine[0], None if unseen else False


def _policy(parts: Parts, sync: Sync, field: Field) -> Policy:
    asked = field if field in ASKED else Field.PHONE
    policy = sync.fields.get(asked) or next(iter(sync.fields.values()))
    silent = frozenset(name for name, lane in parts.lanes.items() if not lane.provider.capabilities.echoes)
    return Policy(
        sync=sync.name,
        field=policy,
        ages=cache(partial(sync.ages, field)),
        on_doubt=sync.on_doubt,
        silent=silent,
        refill=policy.refill,
        writes=sync.writes(field),
        checks=checks_of(parts, sync),
    )


def checks_of(parts: Parts, sync: Sync) -> Checks:
    """What is looked at beyond the provider's word."""
    wanted = sync.verify
    refuses = parts.exchangers.refuses if wanted.mail_exchanger else None
    return Checks(refuses=refuses, employer=wanted.employer) if refuses or wanted.employer else NO_CHECKS


def _facts(parts: Parts, case: Case, by: _Governor, now: float) -> Facts:
    job = case.job
    done = job is not None and job.state is JobState.DONE
    crm = parts.crms.get(case.ref.connection)
    return Facts(
        field=case.field,
        contact=case.identity,
        now=now,
        became_at=case.became_at,
        selected=by.inside,
        lacks=case.lacks,
        blocked=case.blocked,
        seen_at=case.seen_at,
        ended=(Reason(job.reason), job.note) if job is not None and done else None,
        ended_at=job.ended_at if job is not None else 0.0,
        retried_at=job.retried_at if job is not None else 0.0,
        written=case.written.get(by.place),
        cleared=case.cleared.get(by.place, ()),
        refused={text: told for text, told in case.refused.items() if job is None or told[1] >= job.retried_at},
        heard=[one for one in case.heard if not _is_asked_again(one, job)],
        opening=partial(_opening, parts, case),
        history=crm is None or crm.capabilities.history,
        undone=_undone_by(case, job),
        refreshing=job.retried_at if job is not None and job.refreshing else None,
    )


def _undone_by(case: Case, job: Job | None) -> int | None:
    """The run that has put our value back, unless somebody wants it again, or the record is about somebody else now."""
    if case.undone is None or job is None:
        return None
    at, run = case.undone
    return run if at >= max(job.retried_at, case.became_at) else None


def _is_asked_again(one: Heard, job: Job | None) -> bool:
    """A provider that failed, and is asked once more after a while, has not said anything yet."""
    waits = job is not None and job.state in WAITING_TO_ASK and job.provider == one.provider
    return waits and one.result.outcome is Outcome.FAILED


def _opening(parts: Parts, case: Case, provider: str) -> Opening:
    """Could a provider that found nobody be asked in a way in which it was not asked, or be told more?"""
    lane = parts.lanes.get(provider)
    if lane is None:
        return Opening.NONE
    said = [one for one in case.heard if one.provider == provider and one.asked_at >= case.became_at]
    left = ways(lane.provider, request_for(case.field, case.identity))
    if said and said[-1].result.outcome is Outcome.SKIPPED:
        return Opening.MORE if left and _is_news_to_a_refuser(left[0], said, case.own) else Opening.NONE
    told: dict[str, list[Identity]] = {}
    for one in said:
        if one.result.outcome not in (Outcome.FAILED, Outcome.SKIPPED):
            told.setdefault(one.way, []).append(one.told)
    if any(question.way not in told for question in left):
        return Opening.WAY
    misses_are_free = lane.provider.capabilities.bills_finds_only
    more = bool(left) and all(_tells_more(left[0].told, before, case.own) for before in told[left[0].way])
    return Opening.MORE if misses_are_free and more else Opening.NONE


def _is_news_to_a_refuser(best: Question, said: Sequence[Heard], own: Identity) -> bool:
    """A call that was refused told what its way tells; where nobody was called, all was known."""
    if not said[-1].way:
        return _tells_more(own, said[-1].told, own)
    before = [one.told for one in said if one.way == best.way] or [said[-1].told]
    return all(_tells_more(best.told, told, own) for told in before)


def _tells_more(now: Identity, before: Identity, own: Identity) -> bool:
    """Something by which a person is found better, which the contact itself says: a profile, a mailbox, an employer, a
    whole name."""
    return any(getattr(now, name) and getattr(own, name) and not getattr(before, name) for name in _FINDS)


_FINDS = ("linkedin_url", "email", "domain", "company", "last_name", "first_name")


# --- carrying it out ----------------------------------------------------------------------------------


def carry_out(tx: Tx, found: Read, decided: Iterable[Decided], *, now: float) -> tuple[int, int]:
    """Let the ledger follow; returns how many jobs are new, and how many moved."""
    valid = cases.still(tx, found)
    held = _await_approval(tx, [one for one in decided if one.case.contact_id in valid])
    made = decisions.make(tx, [new for one in held if (new := _new(one)) is not None], now=now)
    moved = _follow(tx, [(one, one.case.job) for one in held if one.case.job is not None], now=now)
    decisions.settle(tx, valid, now=now)
    requests.hurry(tx, {one.case.contact_id for one in held if one.case.requested})
    decisions.again(tx, _times(held))
    found_by = [weighed for one in held for weighed in one.weighed if weighed.heard.result.outcome is Outcome.FOUND]
    results.judged(tx, [(weighed.heard.id, weighed.about) for weighed in found_by])
    for one in held:
        _learn(tx, one, now=now)
    return made, moved


def _await_approval(tx: Tx, held: Iterable[Decided]) -> list[Decided]:
    """What a person has to approve waits for them; of a sync that allows some in a run, whatever is beyond those."""
    accepted: dict[str, int] = {}
    found = []
    for one in held:
        if one.sync is None or one.sync.approve is None or not _is_new(one):
            found.append(one)
            continue
        name = one.sync.name
        accepted[name] = n = accepted[name] if name in accepted else tx.value("run_accepted", sync=name) or 0
        if n < one.sync.approve:
            accepted[name] = n + 1
            found.append(one)
        elif isinstance(one.decision, Write):
            found.append(replace(one, decision=for_approval(one.decision)))
    for name, n in accepted.items():
        tx.run("run_accepts", sync=name, n=n)
    return found


def _is_new(one: Decided) -> bool:
    """Would a value be written that no person has approved?"""
    if not isinstance(one.decision, Write) or one.case.job is None or stands(one.case, one.case.job, one.decision):
        return False
    value, heard = one.decision.value.text, _heard(one.case, one.decision.result_id)
    return heard is not None and heard.approved != value and heard.decision != reviews.ACCEPTED


def _heard(case: Case, result_id: int) -> Heard | None:
    return next((one for one in case.heard if one.id == result_id), None)


def _times(held: Iterable[Decided]) -> Iterator[tuple[int, float]]:
    for one in held:
        if isinstance(one.decision, Nothing) and one.decision.until is not None and one.case.job is not None:
            yield one.case.job.id, one.decision.until


def _new(one: Decided) -> NewJob | None:
    """The first decision on a field: to ask, or why not. What was never wanted needs no trace."""
    case, decision = one.case, one.decision
    if case.job is not None or one.sync is None:
        return None
    new = partial(NewJob, case.contact_id, one.sync.name, case.field, case.person)
    match decision:
        case Ask(provider, note):
            return new(state=JobState.QUEUED, provider=provider, note=note)
        case Nothing(reason, note) if reason is not Reason.CANCELLED:
            return new(state=JobState.DONE, reason=reason, note=note)
    return None


def _follow(tx: Tx, held: Iterable[tuple[Decided, Job]], *, now: float) -> int:
    """Move the jobs that don't stand as it was decided; returns how many moved."""
    moves: list[Move] = []
    followed: list[tuple[Decided, Job]] = []
    for one, job in held:
        if one.sync is not None and job.sync != one.sync.name:
            decisions.adopt(tx, job, one.sync.name)
        if stands(one.case, job, one.decision):
            continue
        if job.state is not JobState.ANSWERED:
            moves.append(Move(job.id, job.state, JobState.ANSWERED, {"note": _news(one)}))
        moves.append(_move(one, job, now=now))
        followed.append((one, job))
    moved = tx.move_many(moves, now=now)
    done = [(one, job) for one, job in followed if job.id in moved]
    reviews.open_many(tx, [doubt for one, job in done if (doubt := _doubtful(one, job, now=now)) is not None], now=now)
    provenance.tell_again(tx, [one.case.contact_id for one, job in done if _is_verified(one, job)])
    for one, _ in done:
        if isinstance(one.decision, Write):
            for other in one.decision.brings:
                _bring(tx, one, other.field, one.decision.result_id, one.decision.note, now=now)
    return len(done)


def _is_verified(one: Decided, job: Job) -> bool:
    """Was a value that stands asked about once more, and is the CRM told of such values?"""
    ended = isinstance(one.decision, Nothing) and one.decision.reason is Reason.WRITTEN
    return job.refreshing and ended and one.sync is not None and bool(one.sync.provenance)


def _move(one: Decided, job: Job, *, now: float) -> Move:
    match one.decision:
        case Write(value, result_id, note):
            target = None if value.field is one.case.field else value.field
            return writes.accepting(job.id, value.text, note, now=now, result_id=result_id, target=target)
        case Ask(provider, note, anew):
            return writes.asking_next(job.id, provider, note, round_=job.round + 1 if anew else None)
        case Nothing(reason, note):
            return writes.giving_up(job.id, reason, note)
    if (doubt := _doubtful(one, job, now=now)) is not None:
        return reviews.opening(doubt)
    values = {"note": one.decision.note, "due_at": NEVER}
    return Move(job.id, JobState.ANSWERED, JobState.WAITING, values)


def _doubtful(one: Decided, job: Job, *, now: float) -> Doubtful | None:
    match one.decision:
        case Review(value, result_id, note, waits):
            expires = waits and note != reviews.APPROVAL
            until = now + one.sync.review_within if expires and one.sync else None
            return Doubtful(job.id, result_id, value.text, note, until)
    return None


def stands(case: Case, job: Job, decision: Decision) -> bool:
    """Does a job stand as it was decided already?"""
    match decision:
        case Write(value):
            target = "" if value.field.value == job.destination or not job.destination else job.destination
            return job.state is JobState.ACCEPTED and job.value == value.text and not target
        case Review(value, result_id):
            heard = _heard(case, result_id)
            return job.state is JobState.REVIEW and heard is not None and heard.in_review == value.text
        case Ask(provider):
            return job.state in WAITING_TO_ASK and job.provider == provider and job.due_at < NEVER
        case Nothing(reason):
            return job.state is JobState.DONE and (job.reason == reason or reason is Reason.CANCELLED)
        case Wait():
            return job.state not in (JobState.QUEUED, JobState.ANSWERED)


def _news(one: Decided) -> str:
    return "decided anew" if one.decision.note == "" else one.decision.note


def _bring(tx: Tx, one: Decided, target: Field, result_id: int, note: str, *, now: float) -> None:
    """What came with an answer for nothing, for a property of its own: decided on by itself from now on."""
    if one.sync is not None:
        decisions.bring_along(tx, one.case.contact_id, one.sync.name, target, result_id=result_id, note=note, now=now)


def _learn(tx: Tx, one: Decided, *, now: float) -> None:
    """A profile that surely is the contact's, for the next question; and what else the answer says of the person, for
    the CRM where the operator wants it."""
    extras = one.sync.extras if one.sync is not None else {}
    if one.case.identity.linkedin_url and not extras:
        return
    sure = [
        weighed.heard
        for weighed in one.weighed
        if weighed.about.verdict is Verdict.SAME and weighed.heard.result.outcome is Outcome.FOUND
    ]
    if not one.case.identity.linkedin_url:
        profile = next((text for heard in sure if (text := brought(heard, Field.LINKEDIN))), None)
        if profile is not None:
            people.learn(tx, one.case.contact_id, profile)
    for target in extras if one.case.field in ASKED else ():
        if target is Field.LINKEDIN and one.case.identity.linkedin_url:
            continue
        heard = next((heard for heard in sure if brought(heard, target)), None)
        if heard is not None:
            _bring(tx, one, target, heard.id, f"by {heard.provider}", now=now)
