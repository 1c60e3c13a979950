"""Who is who among the contacts: keys, people, and what changes with them.

The rules are in `syncd.people`. Here: a contact's keys, the records that may be the same person's, and the open work
of every record whose person, name or evidence has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from syncd.contract.model import Field, Identity
from syncd.people import evidence, groups
from syncd.people.evidence import Learned
from syncd.people.groups import Grouping, Record

from .results import load_identity
from .states import ABOUT_THE_PERSON, JobState, Reason
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

RELATED = 200  # records looked at together; a name or a mailbox of more than that is not unravelled


def recognise(tx: Tx, contact_id: int, identity: Identity, before: Identity | None, *, now: float) -> None:
    """A contact is new or says something else of the person than `before`: judge it anew, and all that it touches."""
    near = _rekey(tx, contact_id, identity, new=before is None)
    if before is None and not near:
        tx.run("contact_recognised", id=contact_id, person=str(contact_id), vague="[]", namesakes=0)
        return
    became = before is not None and evidence.became_another(before, identity)
    if became:
        tx.run("contact_became", id=contact_id, now=now)
    changed = _regroup(tx, _component(tx, contact_id, near), fresh=contact_id)
    if before is not None:
        changed.add(contact_id)
    for id_ in sorted(changed):
        _decide_again(tx, id_, became=became and id_ == contact_id, now=now)


def known(row: sqlite3.Row) -> Identity:
    """What is usable of a contact: without what identifies nobody, with the profile and the mailbox that answers
    brought."""
    learned = Learned(row["learned"], row["found_email"] if "found_email" in row.keys() else None)  # noqa: SIM118 - a Row
    return evidence.usable(load_identity(row["identity"]), json.loads(row["vague"]), learned)


def keys_of_others(contact: sqlite3.Row, said: Iterable[Identity]) -> set[str]:
    """Profiles and mailboxes that an answer names and the contact does not hold, as keys."""
    known = load_identity(contact["identity"])
    ours = {_digest(kind.name, key) for kind, key in evidence.keys(known, evidence.STRONG)}
    return {_digest(kind.name, key) for one in said for kind, key in evidence.keys(one, evidence.STRONG)} - ours


def names_record(ref: str) -> str:
    """The doubt about an answer that names what another person's record holds."""
    return f"the answer names the profile or the mailbox of {ref}"


def learn(tx: Tx, contact_id: int, profile: str) -> None:
    """An answer that is surely about the contact brought a profile: the next question tells it."""
    tx.run("contact_learn", id=contact_id, profile=profile)


def kin_opted_out(tx: Tx, row: sqlite3.Row, field: str) -> str | None:
    """The same person's other record that says not to fill this field, as connection/object/id."""
    if row["person"] is None:
        return None
    found: str | None = tx.value("kin_opted_out", person=row["person"], id=row["id"], field=field)
    return found


def _rekey(tx: Tx, contact_id: int, identity: Identity, *, new: bool) -> set[int]:
    """Replace a contact's keys; returns those who share one of the former or the new ones."""
    former = set() if new else {row[0] for row in tx.rows("keys_of_contact", contact_id=contact_id)}
    keys = {_digest(kind.name, key) for kind, key in evidence.keys(identity)}
    if former != keys:
        if former:
            tx.run("keys_forget", contact_id=contact_id)
        tx.run("keys_add", keys=json.dumps(sorted(keys)), contact_id=contact_id)
    return _holders(tx, former | keys) - {contact_id}


def _holders(tx: Tx, keys: Iterable[str]) -> set[int]:
    return {row[0] for row in tx.rows("contacts_of_keys", keys=json.dumps(sorted(keys)), limit=RELATED)}


def _component(tx: Tx, fresh: int, near: set[int]) -> list[Record]:
    """All records that hang together by keys with a contact and those `near` to it, itself first; at most RELATED."""
    found: dict[int, Record] = {}
    todo = [*sorted(near, reverse=True), fresh]
    while todo and len(found) < RELATED:
        id_ = todo.pop()
        row = None if id_ in found else tx.row("contact_by_id", id=id_)
        if row is None:
            continue
        found[id_] = Record(id_, row["connection"], load_identity(row["identity"]))
        if near and len(near) < groups.MANY:  # who hangs together by more is not unravelled
            keys = (key[0] for key in tx.rows("keys_of_contact", contact_id=id_))
            todo += sorted(_holders(tx, keys) - found.keys(), reverse=True)
    return list(found.values())


def _regroup(tx: Tx, records: list[Record], *, fresh: int) -> set[int]:
    """Unite what is one person; returns the contacts for which that is news."""
    grouping = groups.group(records) if len(records) > 1 else Grouping(person={fresh: fresh})
    changed = set()
    for id_, person in grouping.person.items():
        row = tx.row("contact_by_id", id=id_)
        vague = json.dumps(grouping.vague.get(id_, ()), ensure_ascii=False)
        told = (str(person), vague, int(id_ in grouping.namesakes))
        if row is None or (row["person"], row["vague"], row["namesakes"]) == told:
            continue
        tx.run("contact_recognised", id=id_, person=told[0], vague=vague, namesakes=told[2])
        tx.run("jobs_person", contact_id=id_, person=told[0])
        for kin in {row["person"], told[0]} - {None} if row["opt_out"] != "{}" else ():
            tx.run("kin_replan", person=kin, id=0)
        if id_ != fresh:
            changed.add(id_)
        if vague not in ("[]", row["vague"]):
            tx.tally("shared_by_two_names")
    return changed


def _decide_again(tx: Tx, contact_id: int, *, became: bool, now: float) -> None:
    """The evidence has changed: what waits, and what was decided by it, is decided on once more."""
    contact = tx.row("contact_by_id", id=contact_id)
    lacks = set(json.loads(contact["lacks"])) if contact else set()
    for job in tx.rows("jobs_of_contact", contact_id=contact_id):
        state, reason = JobState(job["state"]), job["reason"]
        note = "the record is about somebody else now" if became else "more is known of who is who"
        if state in _DECIDED or (became and state in _UNASKED):
            tx.move(job["id"], state, JobState.ANSWERED, now=now, note=note)
        elif state is JobState.WAITING and job["behind"] is not None:
            tx.move(job["id"], state, JobState.QUEUED, now=now, note=note)
        elif state is JobState.DONE and Field(job["field"]) in lacks and _may_change(reason, became=became):
            tx.move(job["id"], state, JobState.ANSWERED, now=now, note=note)


_DECIDED = frozenset({JobState.REVIEW, JobState.ACCEPTED})
_UNASKED = frozenset({JobState.QUEUED, JobState.WAITING})


def _may_change(reason: str, *, became: bool) -> bool:
    return Reason(reason) is Reason.MISMATCH or (became and Reason(reason) in ABOUT_THE_PERSON)


def _digest(kind: str, key: str) -> str:
    return hashlib.blake2b(f"{kind}|{key}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest().upper()
