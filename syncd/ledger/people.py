"""Who is who among the contacts: keys, people, and what changes with them.

The rules are in `syncd.people`. Here: a contact's keys, the records that may be the same person's, and the open work
of every record whose person, name or evidence has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Identity
from syncd.people import evidence, groups, suppression
from syncd.people.evidence import Learned
from syncd.people.groups import Grouping, Record
from syncd.people.suppression import Sign

from .results import load_identity
from .states import ABOUT_THE_PERSON, JobState, Reason
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

RELATED = 200  # records looked at together; a name or a mailbox of more than that is not unravelled
_NO_KEYS: frozenset[int] = frozenset()


class News(NamedTuple):
    """A contact that is new (`before` is None), or that says something else of the person than before."""

    contact_id: int
    identity: Identity
    before: Identity | None = None


def recognise(tx: Tx, news: Sequence[News], *, now: float) -> None:
    """Judge these contacts anew, and all that they touch. They are stored already, new ones as persons of their own.

    Most share no key with anybody, then or now: they are done together. The others are looked at one by one, in
    their order, with all records that hang together with them.
    """
    keys = {one.contact_id: {_digest(kind.name, key) for kind, key in evidence.keys(one.identity)} for one in news}
    changed = [one.contact_id for one in news if one.before is not None]
    former = _keys_of(tx, changed)
    touching = _sharing(tx, {id_: own | former.get(id_, _NO_KEYS) for id_, own in keys.items()})
    if changed:
        touching.update(row[0] for row in tx.rows("contacts_not_alone", ids=dump(changed)))
    _rekey(tx, ((id_, former.get(id_, _NO_KEYS), own) for id_, own in keys.items() if id_ not in touching))
    became = {one.contact_id for one in news if one.before and evidence.became_another(one.before, one.identity)}
    tx.many("contact_became", [(now, id_) for id_ in sorted(became)])
    for one in news:
        id_ = one.contact_id
        if id_ in touching:
            related = _recognise_related(tx, id_, former.get(id_, _NO_KEYS), keys[id_])
            _decide_again(tx, related if one.before is None else related | {id_}, became, now=now)
    _decide_again(tx, set(changed) - touching, became, now=now)


def _recognise_related(tx: Tx, contact_id: int, former: AbstractSet[int], keys: AbstractSet[int]) -> set[int]:
    """Judge one contact together with those that share a key with it; returns the others for which that is news."""
    _rekey(tx, [(contact_id, former, keys)])
    shared = dump([*(former | keys)])
    near = {row[0] for row in tx.rows("contacts_of_keys", keys=shared, limit=RELATED)} - {contact_id}
    return _regroup(tx, _component(tx, contact_id, near), fresh=contact_id)


def known(identity: str, vague: str, profile: str | None, found_email: str | None = None) -> Identity:
    """What is usable of a contact: without what identifies nobody, with the profile and the mailbox that answers
    brought."""
    return usable(identity, vague, Learned(profile, found_email))


@lru_cache(maxsize=1024)
def usable(identity: str, vague: str, learned: Learned) -> Identity:
    """What is usable of a contact, from the texts in which the ledger keeps it."""
    return evidence.usable(load_identity(identity), () if vague == "[]" else parse(vague), learned)


@lru_cache(maxsize=256)  # of each field of a contact an answer says the same
def keys_of_others(identity: str, said: tuple[Identity, ...]) -> frozenset[int]:
    """Profiles and mailboxes that an answer names and the contact (its identity as text) does not hold, as keys."""
    ours = _strong_keys(load_identity(identity))
    return frozenset(_digest(kind, key) for one in said for kind, key in _strong_keys(one) - ours)


def _strong_keys(one: Identity) -> AbstractSet[tuple[str, str]]:
    return {(kind.name, key) for kind, key in evidence.keys(one, evidence.STRONG)}


def keys_of_sign(sign: Sign) -> list[int]:
    """The keys of the contacts that show a sign of the suppression list, where it has one."""
    kind = _OF_SIGNS.get(sign.kind)
    return [] if kind is None else [_digest(kind, sign.text)]


_OF_SIGNS = {suppression.Kind.EMAIL: "mailbox", suppression.Kind.PROFILE: "profile"}


def names_record(ref: str) -> str:
    """The doubt about an answer that names what another person's record holds."""
    return f"the answer names the profile or the mailbox of {ref}"


def learn(tx: Tx, contact_id: int, profile: str) -> None:
    """An answer that is surely about the contact brought a profile: the next question tells it."""
    tx.run("contact_learn", id=contact_id, profile=profile)


def _keys_of(tx: Tx, contacts: Sequence[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for id_, key in tx.rows("keys_of_contacts", ids=dump(contacts)) if contacts else ():
        found.setdefault(id_, set()).add(key)
    return found


def _sharing(tx: Tx, keys: Mapping[int, Iterable[int]]) -> set[int]:
    """Those contacts that share a key with another one: among themselves, or in the ledger."""
    holder: dict[int, int] = {}
    sharing = set()
    for id_, own in keys.items():
        for key in own:
            other = holder.setdefault(key, id_)
            if other != id_:
                sharing |= {id_, other}
    for key, first, last in tx.rows("holders_of_keys", keys=dump([*holder])):
        if first != holder[key] or last != holder[key]:
            sharing.add(holder[key])
    return sharing


def _rekey(tx: Tx, contacts: Iterable[tuple[int, AbstractSet[int], AbstractSet[int]]]) -> None:
    """Replace the former keys of contacts by those of now."""
    gone, new = [], []
    for id_, former, keys in contacts:
        gone += [(key, id_) for key in former - keys]
        new += [(key, id_) for key in keys - former]
    tx.many("keys_forget", gone)
    if new:
        tx.run("keys_add", rows=dump(sorted(new)))


def _component(tx: Tx, fresh: int, near: AbstractSet[int]) -> list[sqlite3.Row]:
    """All records that hang together by keys with a contact and those `near` to it; at most RELATED."""
    found: dict[int, sqlite3.Row] = {}
    wave = [fresh, *sorted(near)]
    while wave and len(found) < RELATED:
        ids = dump(wave[: RELATED - len(found)])
        rows = {row["id"]: row for row in tx.rows("contacts_by_id", ids=ids)}
        found |= {id_: rows[id_] for id_ in wave if id_ in rows}
        if not near or len(near) >= groups.MANY:  # who hangs together by more is not unravelled
            break
        wave = sorted({row[0] for row in tx.rows("contacts_by_shared_key", ids=ids, limit=2 * RELATED)} - found.keys())
    return list(found.values())


def _regroup(tx: Tx, rows: Sequence[sqlite3.Row], *, fresh: int) -> set[int]:
    """Unite what is one person; returns the other contacts for which that is news."""
    records = [Record(row["id"], row["connection"], load_identity(row["identity"])) for row in rows]
    grouping = groups.group(records) if len(records) > 1 else Grouping(person={fresh: fresh})
    changed, opted = [], set()
    for row in rows:
        id_ = row["id"]
        vague = dump(grouping.vague.get(id_, ()))
        told = (str(grouping.person[id_]), vague, int(id_ in grouping.namesakes))
        if (row["person"], row["vague"], row["namesakes"]) == told:
            continue
        changed.append((*told, id_))
        if row["opt_out"] != "{}":
            opted |= {row["person"], told[0]}
        if vague not in ("[]", row["vague"]):
            tx.tally("shared_by_two_names")
    tx.many("contact_recognised", changed)
    tx.many("jobs_person", [(person, id_) for person, _, _, id_ in changed])
    if opted:
        tx.run("kin_replan", people=dump(sorted(opted - {None})))
    return {id_ for *_, id_ in changed} - {fresh}


def _decide_again(tx: Tx, contacts: AbstractSet[int], became: AbstractSet[int], *, now: float) -> None:
    """The evidence about these contacts has changed: what waits, and what was decided by it, is decided on once more.

    `became`: whose records are about somebody else now.
    """
    for job in tx.rows("jobs_of_contacts", ids=dump([*contacts])) if contacts else ():
        other = job["contact_id"] in became
        target = _reopened(JobState(job["state"]), job, became=other)
        if target is not None:
            note = "the record is about somebody else now" if other else "more is known of who is who"
            tx.move(job["id"], JobState(job["state"]), target, now=now, note=note)


def _reopened(state: JobState, job: sqlite3.Row, *, became: bool) -> JobState | None:
    """Where a job goes on, if it is to be decided on once more."""
    if state in _DECIDED or (became and state in _UNASKED):
        return JobState.ANSWERED
    if state is JobState.WAITING and job["behind"] is not None:
        return JobState.QUEUED
    if state is JobState.DONE and job["field"] in parse(job["lacks"]) and _may_change(job["reason"], became=became):
        return JobState.ANSWERED
    return None


_DECIDED = frozenset({JobState.REVIEW, JobState.ACCEPTED})
_UNASKED = frozenset({JobState.QUEUED, JobState.WAITING})


def _may_change(reason: str, *, became: bool) -> bool:
    return Reason(reason) is Reason.MISMATCH or (became and Reason(reason) in ABOUT_THE_PERSON)


def _digest(kind: str, key: str) -> int:
    digest = hashlib.blake2b(f"{kind}|{key}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big", signed=True)
