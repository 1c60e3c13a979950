"""What to do next about one field of one contact. Pure.

Facts, the operator's policy and time go in; one decision comes out. It is taken again whenever one of them has
changed, so nothing that was decided is final: an answer that was paid for is judged anew against the contact and the
policy as they are now, before anybody else is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field as with_default
from dataclasses import replace
from enum import Enum

from syncd.config import Ages, FieldPolicy, OnDoubt, WritePolicy
from syncd.contract.errors import BrokenInvariant
from syncd.contract.model import ASKED, BROUGHT, Field, Grade, Identity, Outcome
from syncd.frozen import frozen
from syncd.ledger import reviews
from syncd.ledger.results import Heard
from syncd.ledger.states import Reason
from syncd.people.answers import About, Verdict, about

from . import replacing, values
from .replacing import Standing
from .values import NO_CHECKS, Checks, Judged, Usable

DAY = 86_400.0
FAILED_FOR = DAY  # a provider that could not say anything, and charged nothing, is asked again after this
_CRM_SAID = frozenset({Reason.WRITTEN, Reason.VALUE_KEPT, Reason.GONE, Reason.CLEARED})


@frozen()
class Write:
    """This value may be written. `brings` is what came along for other properties."""

    value: Usable
    result_id: int
    note: str
    brings: tuple[Usable, ...] = ()


@frozen()
class Review:
    """A value that a person should look at; `waits`: nobody else is asked meanwhile."""

    value: Usable
    result_id: int
    note: str
    waits: bool


@frozen()
class Ask:
    """Nothing acceptable yet: ask this provider next; `anew`: it was asked before, and that counts no more."""

    provider: str
    note: str
    anew: bool = False


@frozen()
class Nothing:
    """Nothing is done, for this reason. `until` (UTC seconds): when to decide again; None: once something changes."""

    reason: Reason
    note: str
    until: float | None = None


@frozen()
class Wait:
    """It can't be decided yet: what is missing comes by itself, and is told to the ledger."""

    note: str


Decision = Write | Review | Ask | Nothing | Wait


class Opening(Enum):
    """How a provider that found nobody could be asked differently: in another way, or with more than it was told."""

    NONE = "none"
    WAY = "way"
    MORE = "more"


@frozen(kw_only=True)
class Policy:
    """What the operator decides on one field of one sync. `silent`: providers that never say whom they found.

    `field`: of a value that came along with an answer, the policy of the field that was asked for. `ages`: how long a
    provider's find and its miss count. `refill`: look for another value where a program has cleared ours. `writes`:
    what may stand where a value is written. `checks`: what is looked at beyond the provider's word.
    """

    sync: str
    field: FieldPolicy
    ages: Callable[[str], Ages]
    on_doubt: OnDoubt = OnDoubt.REVIEW
    silent: frozenset[str] = frozenset()
    refill: bool = False
    writes: WritePolicy = WritePolicy.FILL_BLANK
    checks: Checks = NO_CHECKS


@frozen(kw_only=True)
class Facts:
    """All that a decision on one field is taken on.

    `selected`: does a sync's selection hold the contact; None: it has not been looked yet. `seen_at`: UTC seconds when
    the CRM said what it `lacks` and what is `blocked`. `ended`: how the work on this field ended last, with its note,
    and `ended_at`. `retried_at`: since when a person wants it to be tried again: what was in vain before counts no
    more. `written`: the value that we wrote last; `cleared`: those before it that somebody has cleared; `standing`:
    what of ours the CRM still holds, as far as is known. `refused`: values that the CRM does not take, and why.
    `opening`: how a provider that found nobody could be asked differently. `history`: does the CRM tell who cleared a
    value? `undone`: the run that has put our value back, since when nobody has wanted it again. `refreshing`: since
    when (UTC seconds) the value that we wrote is being verified again; None: it is not.
    """

    field: Field
    contact: Identity
    now: float
    became_at: float = 0.0
    selected: bool | None = True
    lacks: bool = True
    blocked: str | None = None
    seen_at: float = 0.0
    ended: tuple[Reason, str] | None = None
    ended_at: float = 0.0
    retried_at: float = 0.0
    written: str | None = None
    cleared: Sequence[str] = ()
    standing: Standing | None = None
    refused: Mapping[str, tuple[Reason, float]] = with_default(default_factory=dict)
    heard: Sequence[Heard] = ()
    opening: Callable[[str], Opening] = lambda _: Opening.NONE
    history: bool = True
    undone: int | None = None
    refreshing: float | None = None


@frozen()
class Weighed:
    """One answer, judged: whose it is, and what of it could be written, the best first."""

    heard: Heard
    about: About
    judged: Sequence[Judged]

    @property
    def best(self) -> Usable | None:
        for one in self.judged:
            if one.value is not None:
                return one.value
        return None

    @property
    def grade(self) -> Grade:
        """Of what could be written; UNKNOWN without any."""
        return next((one.candidate.grade for one in self.judged if one.value is not None), Grade.UNKNOWN)


def decide(policy: Policy | None, facts: Facts) -> tuple[Decision, Sequence[Weighed]]:
    """What to do, and how each answer was judged on the way."""
    if facts.undone is not None:
        return Nothing(Reason.UNDONE, f"put back by run {facts.undone}; `syncd retry` would write it again"), ()
    if policy is not None and facts.refreshing is not None and not facts.lacks and facts.blocked is None:
        return _refreshed(policy, facts, facts.refreshing)
    if policy is not None and _may_replace(policy, facts):
        return _replacement(policy, facts)
    if facts.ended is not None and facts.ended[0] in _CRM_SAID and facts.ended_at > facts.seen_at:
        return Nothing(facts.ended[0], facts.ended[1]), ()  # nothing was heard of the CRM since
    if policy is None:
        return Nothing(Reason.CANCELLED, f"no sync asks for the {facts.field} of this contact any more"), ()
    closed = _not_selected(facts) or _not_wanted(policy, facts)
    return (closed, ()) if closed is not None else _on_answers(policy, facts)


def _may_replace(policy: Policy, facts: Facts) -> bool:
    """Does the CRM hold a value that another one may replace, as far as the ledger knows? What the CRM said to an
    earlier try stands, until a person wants it to be tried again."""
    if policy.writes is WritePolicy.FILL_BLANK or facts.blocked is not None or not facts.selected:
        return False
    if facts.ended is not None and facts.ended[0] is not Reason.WRITTEN and facts.ended_at > facts.retried_at:
        return False
    return facts.standing is not None or (
        policy.writes is WritePolicy.BETTER and facts.history and not facts.lacks and facts.written is None
    )


def _replacement(policy: Policy, facts: Facts) -> tuple[Decision, Sequence[Weighed]]:
    """The first acceptable find that the write policy prefers to what stands; nobody is asked for one."""
    weighed = weigh(facts, policy)
    for one in weighed:
        wanted = one.heard.provider in policy.field.providers and one.about.verdict is Verdict.SAME
        if one.best is None or not wanted or _stands_already(one.best, facts):
            continue
        if replacing.is_wanted(policy.writes, facts.standing, one.grade, one.heard.id):
            return _unless_it_waits(_accepted(facts, one), one.heard), weighed
    return _filled(facts), weighed


def _stands_already(value: Usable, facts: Facts) -> bool:
    standing = facts.standing
    return standing is not None and values.same(facts.field, value.text, standing.value, facts.contact)


def _refreshed(policy: Policy, facts: Facts, since: float) -> tuple[Decision, Sequence[Weighed]]:
    """A value of ours is verified again: what was said before does not count, and nothing is overwritten for it."""
    heard = [one for one in facts.heard if one.asked_at >= since]
    weighed = weigh(replace(facts, heard=heard, written=None, refused={}), policy)
    for one in weighed:
        if one.heard.result.outcome is Outcome.FOUND and one.heard.provider in policy.field.providers:
            return _verified(policy, facts, one), weighed
    turn = _turn(replace(facts, heard=heard), weighed, policy)
    return turn or Nothing(Reason.WRITTEN, f"nobody could verify it again: {_why(weighed)}"), weighed


def _verified(policy: Policy, facts: Facts, one: Weighed) -> Decision:
    """What the first find says of the value that stands."""
    if one.about.verdict is not Verdict.SAME:
        return Nothing(Reason.OUTDATED, "they may have changed jobs: " + ", ".join(one.about.contradicts))
    if one.best is None:
        return Nothing(Reason.OUTDATED, _why([one]))
    if facts.written is not None and values.same(facts.field, one.best.text, facts.written, facts.contact):
        return Nothing(Reason.WRITTEN, f"verified again: {one.grade} by {one.heard.provider}")
    if replacing.is_wanted(policy.writes, facts.standing, one.grade, one.heard.id):
        return _accepted(facts, one)
    return Nothing(Reason.OUTDATED, f"{one.heard.provider} knows another value, which `syncd show` tells")


def _not_selected(facts: Facts) -> Decision | None:
    if facts.selected is None:
        return Wait("whether the sync's selection holds this contact has not been seen yet")
    if not facts.selected:
        return Nothing(Reason.CANCELLED, "the contact is not in the sync's selection any more, or lacks nothing")
    return None


def _not_wanted(policy: Policy, facts: Facts) -> Decision | None:
    if facts.blocked is not None:
        return Nothing(Reason.BLOCKED, facts.blocked)
    if not facts.lacks:
        return _filled(facts)
    if facts.field not in ASKED and facts.ended is not None and facts.ended[0] is Reason.WRITTEN:
        return Nothing(*facts.ended)  # no pull tells whether it stands
    if facts.written is not None and not (policy.refill and facts.history):
        who = "a program" if facts.history else "somebody"
        return Nothing(Reason.CLEARED, f"{who} has cleared what syncd wrote, and `refill` is off")
    return None


def _filled(facts: Facts) -> Nothing:
    if facts.ended is not None and facts.ended[0] in (Reason.WRITTEN, Reason.OUTDATED, Reason.VALUE_KEPT):
        return Nothing(facts.ended[0], facts.ended[1])
    if facts.standing is not None:
        return Nothing(Reason.WRITTEN, "what syncd wrote stands")
    return Nothing(Reason.VALUE_KEPT, "filled in the CRM")


def _on_answers(policy: Policy, facts: Facts) -> tuple[Decision, Sequence[Weighed]]:
    """The first acceptable value wins; else a doubtful one; else the next provider's turn; else nothing."""
    weighed = weigh(facts, policy)
    doubt: Review | None = None
    for one in weighed:
        if one.best is None or (one.heard.provider not in policy.field.providers and facts.field in ASKED):
            continue
        sure = one.about.verdict is Verdict.SAME or (
            one.about.verdict is Verdict.DOUBTFUL and policy.on_doubt is OnDoubt.ACCEPT
        )
        if sure:
            return _unless_it_waits(_accepted(facts, one), one.heard), weighed
        if one.about.verdict is Verdict.DOUBTFUL and doubt is None:
            doubt = _doubtful(one, one.best, policy, facts.now)
    if doubt is not None and doubt.waits:
        return doubt, weighed
    if facts.field not in ASKED:
        return doubt or Nothing(Reason.CANCELLED, "no answer brings it any more"), weighed
    return _turn(facts, weighed, policy) or doubt or _ended(facts, weighed, policy), weighed


# --- answers ------------------------------------------------------------------------------------------


def weigh(facts: Facts, policy: Policy) -> list[Weighed]:
    """Judge each answer that counts: about whom the record is about now, not too old; in the waterfall's order."""
    heard = _without_overcome_skips([one for one in facts.heard if one.asked_at >= facts.became_at])
    fresh = [one for one in heard if _counts(one, policy, facts.now)]
    if len(fresh) > 1:
        order = {name: i for i, name in enumerate(policy.field.providers)}
        fresh.sort(key=lambda one: order.get(one.provider, len(order)))
    weighed = [_weigh(one, facts, policy) for one in fresh]
    return [one for one in weighed if one.heard.asked_at >= facts.retried_at or _still_counts(one)]


def _without_overcome_skips(heard: Sequence[Heard]) -> Sequence[Heard]:
    """That too little was known to ask a provider says nothing any more once it was asked all the same."""
    if not any(one.result.outcome is Outcome.SKIPPED for one in heard):
        return heard
    asked: dict[str, float] = {}
    for one in heard:
        if one.result.outcome is not Outcome.SKIPPED:
            asked[one.provider] = max(one.asked_at, asked.get(one.provider, 0.0))
    return [
        one
        for one in heard
        if one.result.outcome is not Outcome.SKIPPED or one.asked_at >= asked.get(one.provider, 0.0)
    ]


def _still_counts(one: Weighed) -> bool:
    """Although a person wants it to be tried again: a value that may be written, and what a person has decided."""
    return bool(one.heard.decision) or (one.best is not None and one.about.verdict is not Verdict.OTHER)


def _counts(one: Heard, policy: Policy, now: float) -> bool:
    if one.for_approval and one.decision == "":
        return True  # a person takes as long as they like, and nobody is paid meanwhile
    until = stale_at(one, policy)
    return until is None or now < until


def stale_at(one: Heard, policy: Policy) -> float | None:
    """When an answer counts no more (UTC seconds). None: never, for asking again might be paid twice, or is in vain."""
    ages = policy.ages(one.provider)
    match one.result.outcome:
        case Outcome.FOUND:
            return one.asked_at + ages.found
        case Outcome.NOT_FOUND:
            return one.asked_at + ages.not_found
        case Outcome.FAILED:
            return one.asked_at + FAILED_FOR
    return None


def _weigh(one: Heard, facts: Facts, policy: Policy) -> Weighed:
    if one.result.outcome is not Outcome.FOUND:
        return Weighed(one, About(Verdict.SAME), [])
    verdict = _about(one, facts.contact, echoes=one.provider not in policy.silent)
    return Weighed(one, verdict, _judged(one, verdict, facts, policy))


def _judged(one: Heard, verdict: About, facts: Facts, policy: Policy) -> list[Judged]:
    """What could be written, without what the CRM does not take and what was cleared there."""
    if facts.field in BROUGHT:
        return _brought(one, facts.field) if verdict.verdict is Verdict.SAME else []
    asked = Field.PHONE if facts.field is Field.MOBILE else facts.field
    judged = values.judge(asked, one.result.candidates, facts.contact, policy.field, policy.checks)
    if facts.field is Field.MOBILE:
        judged = [j for j in judged if j.value is not None and j.value.field is Field.MOBILE]
    if facts.refused:
        judged = [_unless(j, facts.refused, facts, _NOT_TAKEN) for j in judged]
    if facts.written is None:
        return judged
    return [_unless(j, (facts.written, *facts.cleared), facts, _CLEARED) for j in judged]


_NOT_TAKEN = "a value that the CRM does not take"
_CLEARED = "a value that was cleared in the CRM"


def _unless(one: Judged, unwanted: Iterable[str], facts: Facts, why: str) -> Judged:
    value = one.value
    if value is None or not any(values.same(facts.field, text, value.text, facts.contact) for text in unwanted):
        return one
    return replace(one, value=None, why=why)


def _brought(one: Heard, field: Field) -> list[Judged]:
    found = brought(one, field)
    if found is None or not one.result.candidates:
        return []
    return [Judged(one.result.candidates[0], Usable(text=found, field=field, kind=""))]


def brought(one: Heard, field: Field) -> str | None:
    """What an answer says of the person beside what was asked for. What the provider was told is no news."""
    name = BROUGHT[field]
    told = getattr(one.told, name)
    texts = (getattr(said, name) for said in one.result.said)
    return next((text for text in texts if text and not (told and values.same(field, text, told))), None)


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


def _accepted(facts: Facts, one: Weighed) -> Write:
    """The best value for the field's own property, or else for another one; what is left for others comes along."""
    best = {judged.value.field: judged for judged in reversed(one.judged) if judged.value is not None}
    chosen = best.pop(facts.field, None) or best.pop(next(iter(best)))
    if chosen.value is None:
        raise BrokenInvariant("a value was accepted that is none")
    lowered = (chosen.lowered,) if chosen.lowered else ()
    note = ", ".join((f"{chosen.candidate.grade} by {one.heard.provider}", *lowered, *chosen.value.remarks))
    return Write(chosen.value, one.heard.id, note, tuple(o.value for o in best.values() if o.value is not None))


def _unless_it_waits(write: Write, heard: Heard) -> Write | Review:
    """A value that was put before a person stays there until they have decided."""
    waits = heard.for_approval and heard.in_review is not None
    return for_approval(write) if waits else write


def for_approval(write: Write) -> Review:
    """A value that may be written once a person has approved it."""
    return Review(write.value, write.result_id, reviews.APPROVAL, waits=True)


def _doubtful(one: Weighed, value: Usable, policy: Policy, now: float) -> Review:
    overdue = one.heard.until is not None and one.heard.until <= now
    waits = policy.on_doubt is OnDoubt.REVIEW and not overdue
    return Review(value, one.heard.id, "; ".join(one.about.contradicts) or "little is known", waits)


# --- whom to ask, or why nobody -----------------------------------------------------------------------


def _turn(facts: Facts, weighed: Sequence[Weighed], policy: Policy) -> Ask | None:
    """The next provider that has said nothing that counts, or the same one in another way where it found nobody."""
    if any(_is_not_taken(one) for one in weighed):
        return None  # a value was found, and only the CRM does not take it: no other one is paid for
    for provider in policy.field.providers:
        said = [one.heard.result for one in weighed if one.heard.provider == provider]
        missed = all(result.outcome in (Outcome.NOT_FOUND, Outcome.SKIPPED) for result in said)
        opening = facts.opening(provider) if said and missed else Opening.NONE
        if not said or opening is not Opening.NONE:
            before = any(one.provider == provider for one in facts.heard)
            return Ask(provider, _why(weighed), anew=(before and not said) or opening is Opening.MORE)
    return None


def _is_not_taken(one: Weighed) -> bool:
    return one.best is None and any(judged.why == _NOT_TAKEN for judged in one.judged)


def _ended(facts: Facts, weighed: Sequence[Weighed], policy: Policy) -> Nothing:
    if any(_is_not_taken(one) for one in weighed):
        reason, _since = max(facts.refused.values(), key=lambda refusal: refusal[1])
        return Nothing(reason, "the CRM does not take the value that was found")
    moments = [stale_at(one.heard, policy) for one in weighed if one.heard.provider in policy.field.providers]
    again = [moment for moment in moments if moment is not None]
    return Nothing(_reason(weighed), _why(weighed), min(again) if again else None)


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
