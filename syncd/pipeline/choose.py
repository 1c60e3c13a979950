"""Whom to ask next, and what to do with everybody else: pure, for one provider's turn.

Each candidate is asked about, waits behind a job that asks about the same person (or about one who may be, or the very
same question), takes an answer that is there already, or can't be asked at all, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields

from syncd.config import FieldPolicy
from syncd.contract.errors import BrokenInvariant
from syncd.contract.model import ContactRef, EnrichmentRequest, Field, Identity, Outcome, Question
from syncd.contract.ports import Provider
from syncd.ledger import candidates
from syncd.ledger.candidates import Asked, Candidate, Relative
from syncd.ledger.results import Heard, question
from syncd.ledger.states import IN_FLIGHT, JobState, Reason
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Item
from syncd.people.answers import Verdict, about
from syncd.policy import values
from syncd.policy.asking import request_for, unasked
from syncd.policy.values import NO_CHECKS, Checks

Aside = Callable[[Tx, float], None]
LOOK_IS_GOOD_FOR = 900.0  # seconds after which nobody is asked whether a value of ours is still right: it may be gone


@dataclass(slots=True)
class Choice:
    """What is to be asked, and what is put aside and how."""

    ask: list[Item] = field(default_factory=list)
    places: dict[tuple[ContactRef, Identity], int] = field(default_factory=dict)  # in `ask`, by contact and question
    since: float = float("inf")  # when the oldest of `ask` was queued
    aside: list[Aside] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One provider's turn: who it is, what it is (still) asked for by which policy, and the identical questions
    (digests) that were asked lately, for whomever. `checks`: what is looked at beyond the word of a provider.
    `now`: UTC seconds."""

    name: str
    provider: Provider
    fields: Mapping[Field, FieldPolicy]
    asked: Mapping[int, Asked] = field(default_factory=dict)
    told: Mapping[int, Question] | None = None  # what `questions` says of the candidates, where that is known
    checks: Checks = NO_CHECKS
    now: float = 0.0


@dataclass(slots=True)
class _Page:
    """What has been chosen of one page so far: nobody is asked about twice in it."""

    jobs: dict[object, int] = field(default_factory=dict)  # by person, name or question: the job that asks

    def lead(self, one: Candidate, digest: int) -> int | None:
        return next((self.jobs[key] for key in self._keys(one, digest) if key in self.jobs), None)

    def take(self, one: Candidate, digest: int) -> None:
        self.jobs.update(dict.fromkeys(self._keys(one, digest), one.job_id))

    @staticmethod
    def _keys(one: Candidate, digest: int) -> list[object]:
        people = [(one.person, one.field)] if one.person else []
        return [digest, *people, *((name, one.field) for name in one.names)]


def questions(found: Iterable[Candidate], turn: Turn) -> dict[int, Question]:
    """What each candidate (by job) would be asked next; nothing for those who can't be asked."""
    chosen = {}
    for one in found:
        request = request_for(one.field, one.identity, one.ref)
        left = [one.again] if one.again else unasked(turn.provider, request, one.ways)
        if left:
            chosen[one.job_id] = left[0]
    return chosen


def choose(found: Iterable[Candidate], turn: Turn, new_id: Callable[[], str]) -> Choice:
    """Decide on each candidate. The same person, and the identical question, is asked about once, whoever else
    waits for it."""
    waiting = list(found)
    asking = questions(waiting, turn) if turn.told is None else turn.told
    choice, page = Choice(), _Page()
    for one in waiting:
        if one.field not in turn.fields:
            choice.aside.append(skip(one, turn.name, f"{turn.name} is not asked for the {one.field} any more"))
            continue
        told = asking.get(one.job_id)
        if (aside := _over(one, turn) or (_unaskable(one, turn) if told is None else None)) is not None:
            choice.aside.append(aside)
            continue
        if told is None:
            raise BrokenInvariant("a provider lacks nothing, and knows no way to be asked")
        digest = question(one.field, told.told)
        if (aside := _elsewhere(one, turn, told, digest, page)) is not None:
            choice.aside.append(aside)
            continue
        page.take(one, digest)
        choice.since = min(choice.since, one.since)
        _add(choice, one, told, new_id, combine=turn.provider.capabilities.combines)
    return choice


def _add(choice: Choice, one: Candidate, told: Question, new_id: Callable[[], str], *, combine: bool) -> None:
    """A request of its own, or a part of the one that asks for the same contact's other field in the same words."""
    key = (one.ref, told.told)
    position = choice.places.get(key) if combine else None
    if position is None:
        choice.places[key] = len(choice.ask)
        choice.ask.append(_item(one, told, new_id))
    else:
        choice.ask[position] = _join(choice.ask[position], one)


def _over(one: Candidate, turn: Turn) -> Aside | None:
    """There is nothing to ask (any more), or the answer is known from another record of the person."""
    if one.blocked is not None:
        return _drop(one, Reason.BLOCKED, one.blocked)
    if not one.lacking:
        return _drop(one, Reason.VALUE_KEPT, "filled in the CRM before it was asked for")
    if one.refreshing is not None and turn.now - one.refreshing > LOOK_IS_GOOD_FOR:
        return _drop(one, Reason.WRITTEN, "not verified again for now: it waited for long since it was seen in the CRM")
    return _shared(one, turn)


def _unaskable(one: Candidate, turn: Turn) -> Aside:
    why = turn.provider.lacks(request_for(one.field, one.identity, one.ref))
    waits = one.field in turn.provider.capabilities.needs_email_for and not one.identity.email
    if why is not None and one.email_job is not None and waits:
        return _behind(one, one.email_job, "waits for the e-mail to be found first")
    return skip(one, turn.name, why or "it was asked in every way that it knows")


def _elsewhere(one: Candidate, turn: Turn, told: Question, digest: int, page: _Page) -> Aside | None:
    """Somebody else asks about the same person, about one who may be, or the very same question: wait, or take
    the answer."""
    waits = next((r for r in one.relatives if r.state in _ASKS), None)
    lead = waits.job_id if waits is not None else page.lead(one, digest)
    if lead is not None:
        return _behind(one, lead, "the same person, or one who may be, is being asked about")
    before = turn.asked.get(digest)
    if before is None:
        return None
    if before.result_id is None and before.under_way and before.job_id != one.job_id:
        return _behind(one, before.job_id, "the same question is being asked")
    if before.result_id is None:
        return skip(one, turn.name, "the same question was asked already, and nothing came of it")
    result_id, own = before.result_id, before.job_id == one.job_id or before.job_id in _of_the_person(one)
    doubt = "" if own else "it was asked in the same words for another record"
    return _take(one, result_id, told.way, "the same question was answered already", doubt)


_ASKS = IN_FLIGHT | {JobState.ANSWERED, JobState.REVIEW}


def _of_the_person(one: Candidate) -> set[int]:
    return {relative.job_id for relative in one.relatives if not relative.namesake}


def _shared(one: Candidate, turn: Turn) -> Aside | None:
    """The answer to another record of the person serves this one, too, if it is about this contact as well."""
    for relative in one.relatives:
        for heard in relative.heard:
            way = _serves(one, turn, relative, heard)
            if way is not None:
                return _take(one, heard.id, way, "the same person was answered already")
    return None


def _take(one: Candidate, result_id: int, way: str, note: str, doubt: str = "") -> Aside:
    return lambda tx, now: candidates.share(tx, one, result_id, way, note, doubt=doubt, now=now)


def _serves(one: Candidate, turn: Turn, relative: Relative, heard: Heard) -> str | None:
    """The way that an answer spares asking in, or None."""
    policy = turn.fields[one.field]
    ours = heard.provider == turn.name
    if heard.result.outcome is Outcome.NOT_FOUND:
        left = unasked(turn.provider, request_for(one.field, one.identity, one.ref), one.ways)
        told_as_much = bool(left) and _includes(heard.told, left[0].told)
        return left[0].way if ours and told_as_much and not relative.namesake else None
    verdict = about(one.identity, heard.result.said, echoes=turn.provider.capabilities.echoes)
    if verdict.verdict is Verdict.OTHER or (relative.namesake and not verdict.proven):
        return None
    if ours and heard.way not in one.ways:
        return heard.way
    judged = values.judge(one.field, heard.result.candidates, one.identity, policy, turn.checks)
    listed = heard.provider in policy.providers and heard.call not in one.finds and verdict.verdict is Verdict.SAME
    return heard.way if listed and any(one.value for one in judged) else None


def _includes(told: Identity, ours: Identity) -> bool:
    """Was a provider told all that we would tell it now, or more?"""
    return all(getattr(told, f.name) == value for f in dataclass_fields(ours) if (value := getattr(ours, f.name)))


def _drop(one: Candidate, reason: Reason, note: str) -> Aside:
    return lambda tx, now: candidates.drop(tx, one, reason, note, now=now)


def _behind(one: Candidate, lead: int, note: str) -> Aside:
    """Wait. What is only to be verified again is left for another day."""
    if one.refreshing is not None:
        return _drop(one, Reason.WRITTEN, f"not verified again for now: {note}")
    return lambda tx, now: candidates.stand_behind(tx, one, lead, note, now=now)


def skip(one: Candidate, name: str, note: str) -> Aside:
    return lambda tx, now: candidates.skip(tx, one, name, note, now=now)


def put_aside(tx: Tx, aside: Iterable[Aside], *, now: float) -> None:
    for act in aside:
        act(tx, now)


def _item(one: Candidate, told: Question, new_id: Callable[[], str]) -> Item:
    request = EnrichmentRequest(id=new_id(), ref=one.ref, identity=told.told, fields=(one.field,))
    return Item(request=request, jobs={one.field: one.job_id}, rounds={one.field: one.round}, way=told.way)


def _join(item: Item, one: Candidate) -> Item:
    """The same contact's other field, in the same request."""
    before = item.request
    request = EnrichmentRequest(
        id=before.id, ref=before.ref, identity=before.identity, fields=(*before.fields, one.field), known=before.known
    )
    jobs, rounds = {**item.jobs, one.field: one.job_id}, {**item.rounds, one.field: one.round}
    return Item(request=request, jobs=jobs, rounds=rounds, way=item.way)
