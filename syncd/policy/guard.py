"""May this value be written, and did it stand? The judgement of write-back, pure.

A field is filled only while it is blank and nobody blanked it on purpose; what stands there is replaced only where
the operator's write policy allows it (`replacing`). Where the CRM has no conditional write, its history shows
afterwards whether a value slipped in between our read and our write: that value is put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from operator import attrgetter

from syncd.contract.model import Author, Field, Identity, Snapshot, Version
from syncd.contract.normal import tidy
from syncd.frozen import frozen
from syncd.ledger.states import Reason
from syncd.ledger.writes import ToWrite
from syncd.people import evidence
from syncd.people.answers import Verdict, about

from . import replacing, values
from .replacing import FILL_BLANK, Rule

ARRIVED = "a write whose answer was lost may have arrived, and it was cleared since"


@frozen()
class Put:
    """Write it where `before` still stands. `seen`: the stamp of the newest version there is now; `revision`: the
    record's."""

    before: str
    seen: str
    revision: str = ""


@frozen()
class Check:
    """What we would write stands there already: only see whether a write of ours won a race it should not have."""


@frozen()
class End:
    """Nothing (more) to write. `restored` marks a lost race that was put right."""

    reason: Reason
    note: str = ""
    restored: bool = False


@frozen()
class Restore:
    """A value slipped in between our read and our write: put it back ("" where it was a clearing)."""

    value: str


@frozen()
class Again:
    """Our write did not happen: the same again, from a fresh read."""


@frozen()
class Judge:
    """The record says something else of the person by now, and the answer may not be theirs: decide anew."""

    identity: Identity
    note: str


def before_write(job: ToWrite, now_there: Snapshot, rule: Rule = FILL_BLANK) -> Put | Check | End | Judge:
    """Decide on a fresh snapshot, just before the write. `rule`: what may stand there."""
    if now_there.current is None:
        return End(Reason.GONE, "the contact is not there any more")
    changed = _somebody_else(job, now_there)
    if changed is not None and not job.begun:
        return changed
    value = now_there.values.get(job.field, "")
    if job.begun and (done := _followed(job, value, now_there.versions.get(job.field, ()))) is not None:
        return done
    if value:
        if values.same(job.field, value, job.value, job.identity):
            return Check() if job.begun else End(Reason.VALUE_KEPT, "the same value is there already")
        kept = _why_kept(job, value, now_there, rule)
        return kept or changed or _put(job, now_there, before=value)
    return _maybe_cleared(job, now_there) or changed or _blank(job, now_there, rule)


def _followed(job: ToWrite, value: str, versions: Sequence[Version]) -> Check | End | None:
    """What somebody else did since a write was begun; None: nothing."""
    theirs = _theirs(job, job.seen, versions)
    if theirs is None:
        return None
    if not values.same(job.field, theirs.value, value, job.identity):
        return Check()
    if not value and any(version.at > job.seen and _is_ours(job, version) for version in versions):
        return End(Reason.CLEARED, _CLEARED)
    return End(Reason.VALUE_KEPT, "somebody was quicker")


def _why_kept(job: ToWrite, value: str, now_there: Snapshot, rule: Rule) -> End | None:
    """Why another value, which stands there, is not replaced; None where it may be."""
    versions = now_there.versions.get(job.field, ())
    if why := replacing.why_not(rule, job.field, value, versions, job.identity):
        return End(Reason.VALUE_KEPT, why)
    if job.begun and (value != job.before or _was_changed(job.field, job.seen, now_there)):
        return End(Reason.VALUE_KEPT, "it was changed since a write whose answer was lost: left as it is")
    if (obstacle := now_there.blocked.get(job.field)) is not None:
        return End(Reason.BLOCKED, obstacle)
    if job.field in now_there.elsewhere:
        return End(Reason.VALUE_KEPT, "another property holds a value by now")
    return None


def _maybe_cleared(job: ToWrite, now_there: Snapshot) -> End | None:
    """Of a blank field without a history: a write of ours whose answer was lost may have arrived, and somebody cleared
    it. Only a record that nobody has changed since proves that it did not; another change of ours could hide theirs."""
    if not job.begun or not _was_changed(job.field, job.seen, now_there):
        return None
    return End(Reason.CLEARED, "the record was changed since a write whose answer was lost: left as it is")


def _was_changed(field: Field, seen: str, now_there: Snapshot) -> bool:
    """Where no history of the field is told: was the record changed since it was seen?"""
    told = bool(seen and now_there.changed_at) and not now_there.versions.get(field)
    return told and now_there.changed_at != seen


def _somebody_else(job: ToWrite, now_there: Snapshot) -> Judge | None:
    """Judge the answer once more, against the contact as it is now. A pull may have told the ledger of a change after
    a write was begun: then what the ledger knows proves nothing."""
    if now_there.identity is None:
        return None
    now = _as_it_is(job.identity, tidy(now_there.identity))
    if not job.begun and _unchanged(job, now):
        return None
    if evidence.became_another(job.identity, now):
        return Judge(now, "the record is about somebody else by now")
    if not job.verdict or (job.decided and not job.begun):
        return None
    before = _ORDER.index(Verdict.DOUBTFUL if job.decided else Verdict(job.verdict))
    # An answer that names nobody is judged as before: no change of the contact makes it worse.
    verdict = about(evidence.usable(now, job.vague, job.learned), job.said, echoes=False)
    worse = _ORDER.index(verdict.verdict) > before
    return Judge(now, "the contact has changed: " + ", ".join(verdict.contradicts)) if worse else None


def _unchanged(job: ToWrite, now: Identity) -> bool:
    """Does the record say the same of the person? A number, and the mailbox that was found for it, change nothing."""
    known = job.identity
    if _all_but_mailboxes_and_numbers(now) != _all_but_mailboxes_and_numbers(known):
        return False
    return not {*now.emails, now.email} - {*known.emails, known.email, job.learned.email, job.value, None}


_all_but_mailboxes_and_numbers = attrgetter(
    *(part.name for part in fields(Identity) if part.name not in {"email", "emails", "phones"})
)
_ORDER = (Verdict.SAME, Verdict.DOUBTFUL, Verdict.OTHER)


def _as_it_is(known: Identity, read: Identity) -> Identity:
    """What the record says now; of the employer, what an associated company had said stays where it says nothing."""
    return Identity(  # `dataclasses.replace` takes three times as long
        first_name=read.first_name,
        last_name=read.last_name,
        full_name=read.full_name,
        company=read.company or known.company,
        domain=known.domain if known.domain and not read.company else read.domain or known.domain,
        linkedin_url=read.linkedin_url,
        email=read.email or known.email,
        country=read.country or known.country,
        employer_country=read.employer_country or known.employer_country,
        emails=read.emails,
        phones=read.phones,
        shared=read.shared,
        others=read.others,
    )


def _blank(job: ToWrite, now_there: Snapshot, rule: Rule) -> Put | End:
    """The field is blank: because nobody has filled it yet, or because somebody wants it so."""
    if (why := now_there.blocked.get(job.field)) is not None:
        return End(Reason.VALUE_KEPT if why == "cleared_by_person" else Reason.BLOCKED, why)
    if job.field in now_there.elsewhere:
        return End(Reason.VALUE_KEPT, "another property holds a value by now")
    if rule.standing is not None and not rule.refill and not job.begun:
        return End(Reason.CLEARED, "what syncd wrote was cleared since")
    if job.lost is not None and _may_have_arrived(job, job.lost, now_there):
        return End(Reason.CLEARED, ARRIVED)
    return _put(job, now_there, before="")


def _may_have_arrived(job: ToWrite, seen: str, now_there: Snapshot) -> bool:
    """A write of this value that nobody has looked after: did the property hold it since, or, where no history is told,
    has anybody changed the record?"""
    versions = now_there.versions.get(job.field, ())
    if versions:
        return any(one.at > seen and values.same(job.field, one.value, job.value, job.identity) for one in versions)
    return _was_changed(job.field, seen, now_there)


def _put(job: ToWrite, now_there: Snapshot, *, before: str) -> Put:
    versions = now_there.versions.get(job.field, ())
    return Put(before, seen=versions[0].at if versions else now_there.changed_at, revision=now_there.revision)


def after_write(job: ToWrite, seen: str, now_there: Snapshot, *, taken: bool = False) -> End | Restore | Again:
    """Judge the snapshot that follows the write; `seen` is the newest stamp from before it.

    `taken`: the CRM has just said that it took our write. Then our value since `seen` is ours, whoever the CRM's
    history names: some accounts book what an integration writes under a user, or under a word that we don't know.
    """
    if now_there.current is None:
        return End(Reason.GONE, "the contact went while it was written")
    versions: Sequence[Version] = now_there.versions.get(job.field, ())
    value = now_there.values.get(job.field, "")
    if not versions:
        return _without_history(job, seen, now_there, value)
    if taken:
        versions = [_credited(job, seen, version) for version in versions]
    theirs = _theirs(job, seen, versions)
    if theirs is not None and not values.same(job.field, theirs.value, value, job.identity):
        return Restore(theirs.value)
    ours = next((i for i, version in enumerate(versions) if _is_ours(job, version)), None)
    if ours is None:
        return End(Reason.VALUE_KEPT, "somebody filled it first") if value else Again()
    if ours > 0:
        return End(Reason.VALUE_KEPT, _CHANGED) if value else End(Reason.CLEARED, _CLEARED)
    return End(Reason.WRITTEN)


_CHANGED = "somebody changed it right after it was written"
_CLEARED = "somebody cleared it right after it was written"


def _credited(job: ToWrite, seen: str, version: Version) -> Version:
    is_ours = version.at > seen and values.same(job.field, version.value, job.value, job.identity)
    return replace(version, by=Author.MACHINE) if is_ours else version


def _without_history(job: ToWrite, seen: str, now_there: Snapshot, value: str) -> End | Again:
    if values.same(job.field, value, job.value, job.identity):
        return End(Reason.WRITTEN)
    if _was_changed(job.field, seen, now_there):
        return End(Reason.VALUE_KEPT, _CHANGED) if value else End(Reason.CLEARED, _CLEARED)
    return Again()


def _theirs(job: ToWrite, seen: str, versions: Sequence[Version]) -> Version | None:
    """The newest version of somebody else's since `seen`.

    Ours is the value that was found, and also one that we put back: that can cover an edit, too.
    """
    since = [version for version in versions if version.at > seen]
    return next(
        (
            version
            for i, version in enumerate(since)
            if not _is_ours(job, version) and not _was_put_back(job, version, since[i + 1 :])
        ),
        None,
    )


def _was_put_back(job: ToWrite, version: Version, before: Sequence[Version]) -> bool:
    again = any(values.same(job.field, version.value, older.value, job.identity) for older in before)
    return version.by is Author.MACHINE and again


def _is_ours(job: ToWrite, version: Version) -> bool:
    return version.by is Author.MACHINE and values.same(job.field, version.value, job.value, job.identity)
