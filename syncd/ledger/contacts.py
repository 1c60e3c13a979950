"""Contacts as they were pulled or looked at, and the pulls that brought them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from syncd import __version__
from syncd.contract.jsontext import dump, dump_sorted, parse
from syncd.contract.model import OPT_OUTS, Contact, ContactRef, Field, Identity, Page
from syncd.contract.normal import tidy
from syncd.people import employers

from . import people, search, selections, suppressions
from .results import dump_identity, load_identity
from .states import JobState, Reason
from .store import Tx

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator says of people. `own_domains`: nobody's employer. `by_person`: an opt-out is the person's."""

    own_domains: frozenset[str] = frozenset()
    by_person: bool = True


def start_run(tx: Tx, sync: str, *, now: float) -> int:
    """Note that a pull began; returns its id."""
    return int(tx.value("run_start", sync=sync, now=now))


class LastPull(NamedTuple):
    """When a sync's last pull began, and when it ended (UTC seconds)."""

    started_at: float
    ended_at: float | None


def last_pulls(tx: Tx, syncs: Iterable[str]) -> dict[str, LastPull]:
    """By sync; those that were never pulled are missing."""
    rows = tx.rows("runs_last", syncs=dump(list(syncs)))
    return {row["sync"]: LastPull(row["started_at"], row["ended_at"]) for row in rows}


def store_page(
    tx: Tx, sync: str, run: int, page: Page, fields: Iterable[Field], *, now: float, rules: Rules = Rules()
) -> int:
    """Contacts and cursor in one transaction; a repeated page changes nothing. Returns how many."""
    store_all(tx, sync, page.contacts, tuple(fields), now=now, rules=rules)
    tx.run("run_page", id=run, contacts=len(page.contacts), stale=page.stale)
    return len(page.contacts)


def store_look(
    tx: Tx,
    sync: str,
    seen: Iterable[Contact],
    gone: Iterable[ContactRef],
    fields: Iterable[Field],
    *,
    fingerprint: str,
    now: float,
    rules: Rules = Rules(),
) -> None:
    """What a look at known contacts has shown: how they are now, and who is gone, or not in the selection any more."""
    there = list(seen)
    store_all(tx, sync, there, tuple(fields), now=now, rules=rules)
    for connection, object_ in {(one.ref.connection, one.ref.object) for one in there}:
        ids = dump([one.ref.id for one in there if (one.ref.connection, one.ref.object) == (connection, object_)])
        tx.run("contacts_looked", connection=connection, object=object_, ids=ids, at=now)
    rows = [
        tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
        for ref in sorted(gone, key=str)
    ]
    left(tx, sync, [row["id"] for row in rows if row is not None], fingerprint=fingerprint, now=now)


def unasked(tx: Tx, sync: str, limit: int) -> int:
    """How many contacts are to be decided on, or wait in the queue of a sync; counts to `limit` of each."""
    return int(tx.value("contacts_unasked", sync=sync, limit=limit))


def left(tx: Tx, sync: str, contact_ids: Sequence[int], *, fingerprint: str, now: float) -> None:
    """Contacts were deleted, or are not in the sync's selection any more: what was not asked about them is not asked.

    What was paid for stays. They are decided on anew: another sync may select them, or this one later on."""
    selections.left(tx, contact_ids, fingerprint)
    note = "deleted in the CRM, or not in the sync's selection any more"
    for contact_id in contact_ids:
        for job in tx.rows("jobs_left", contact_id=contact_id, sync=sync):
            tx.move(job["id"], JobState(job["state"]), JobState.DONE, now=now, reason=Reason.CANCELLED, note=note)


def end_run(tx: Tx, run: int, *, now: float, error: str = "") -> None:
    """Note how a pull ended."""
    tx.run("run_end", id=run, now=now, error=error)


def _identity(contact: Contact, rules: Rules) -> Identity:
    """Tidy, with what the mapped properties hold: they are the person's, too."""
    identity = contact.identity
    mail, phone = contact.values.get(Field.EMAIL), contact.values.get(Field.PHONE)
    if mail or phone:
        identity = replace(
            identity,
            email=identity.email or mail,
            emails=tuple(dict.fromkeys((*identity.emails, mail))) if mail and identity.email else identity.emails,
            phones=tuple(dict.fromkeys((*identity.phones, phone))) if phone else identity.phones,
        )
    identity = tidy(identity)
    own = rules.own_domains and identity.domain is not None and employers.domain(identity.domain) in rules.own_domains
    return replace(identity, domain=None) if own else identity


def store(
    tx: Tx, sync: str, contact: Contact, fields: tuple[Field, ...], *, now: float, rules: Rules = Rules()
) -> None:
    """Insert or update one contact."""
    store_all(tx, sync, [contact], fields, now=now, rules=rules)


def store_all(
    tx: Tx,
    sync: str,
    contacts: Iterable[Contact],
    fields: tuple[Field, ...],
    *,
    now: float,
    rules: Rules = Rules(),
) -> None:
    """Insert or update contacts, with one statement for each table.

    Nothing is written about one that says what it said when it was stored last (that it was seen is told to
    `selections`). One that changed is recognised and planned anew if something that matters changed.
    """
    fingerprint = _fingerprints(fields, rules)
    for part in _without_repeats(contacts):
        held = _held(tx, part)
        news: list[_News] = []
        for ref, contact in part.items():
            before, print_ = held.get(ref), fingerprint(contact)
            if before is None or before["fingerprint"] != print_:
                news.append((before, _columns(contact, sync, fields, print_, rules=rules, now=now)))
        news = _without_the_forgotten(tx, news)
        if news:
            _store_news(tx, news, fields, now=now)


class _Columns(NamedTuple):
    """A contact as a row of its table, beside the identity itself."""

    identity: Identity
    opt_out: str
    where: tuple[str, str, str]
    values: tuple[Any, ...]

    @property
    def ref(self) -> ContactRef:
        connection, object_, id_ = self.where
        return ContactRef(connection=connection, object=object_, id=id_)


_News = tuple["sqlite3.Row | None", _Columns]  # a contact as it was, and as it is


def _columns(
    contact: Contact, sync: str, fields: tuple[Field, ...], print_: int, *, rules: Rules, now: float
) -> _Columns:
    identity = _identity(contact, rules)
    lacks = tuple(field for field in fields if not contact.values.get(field))
    blocked, opt_out = "{}", "{}"
    if contact.blocked:
        blocked = dump_sorted(dict(contact.blocked))
        opt_out = dump({f: why for f, why in sorted(contact.blocked.items()) if why in OPT_OUTS})
    ref = contact.ref
    return _Columns(
        identity,
        opt_out,
        (ref.connection, ref.object, ref.id),
        (
            *(sync, _digest(contact.revision), dump_identity(identity), _list_of(lacks), blocked, opt_out, print_),
            *(int(contact.requested), now),
        ),
    )


def _without_the_forgotten(tx: Tx, news: Sequence[_News]) -> list[_News]:
    """Whoever was erased stays so, although the CRM still holds them."""
    unknown = [(columns.ref, columns.identity) for before, columns in news if before is None]
    gone = suppressions.forgotten(tx, unknown) if unknown else set()
    return [one for one in news if one[0] is not None or one[1].ref not in gone]


@lru_cache(maxsize=64)
def _list_of(fields: tuple[Field, ...]) -> str:
    return dump(sorted(fields))


def _store_news(tx: Tx, news: Sequence[_News], fields: tuple[Field, ...], *, now: float) -> None:
    """Write what is new or changed, recognise it, and plan its kin anew where somebody opted out or in again."""
    changed = [before["id"] for before, _ in news if before is not None]
    former = {row["id"]: row for row in tx.rows("contacts_by_id", ids=dump(changed))} if changed else {}
    next_id: int = tx.value("contact_next_id") if len(changed) < len(news) else 0
    added, updated, unrecognised, opted = [], [], [], []
    for before, columns in news:
        if before is None:
            id_, next_id = next_id, next_id + 1
            added.append((id_, str(id_), *columns.where, *columns.values))
            unrecognised.append(people.News(id_, columns.identity))
            was = "{}"
        else:
            id_, was = before["id"], former[before["id"]]["opt_out"]
            updated.append((*_beside(columns.values, former[id_]["lacks"], fields), id_))
            text = former[id_]["identity"]
            if text != columns.values[2] or former[id_]["person"] is None:
                unrecognised.append(people.News(id_, columns.identity, load_identity(text)))
        if was != columns.opt_out:
            opted.append(id_)
    tx.many("contact_add", added)
    tx.many("contact_change", updated)
    search.index(tx, ((one.contact_id, one.identity) for one in unrecognised))
    people.recognise(tx, unrecognised, now=now)
    if opted:
        tx.run("kin_of_contacts_replan", ids=dump(opted))


def _beside(values: tuple[Any, ...], lacked: str, fields: tuple[Field, ...]) -> tuple[Any, ...]:
    """What else it lacked, by a pull that looked at other fields (of another sync, say), it still lacks."""
    others = [field for field in parse(lacked) if field not in fields]
    if not others:
        return values
    sync, revision, identity, lacks, *rest = values
    return (sync, revision, identity, dump(sorted([*parse(lacks), *others])), *rest)


def _without_repeats(contacts: Iterable[Contact]) -> Iterator[dict[ContactRef, Contact]]:
    """The contacts in their order, cut where one comes once more: what came first is stored first."""
    part: dict[ContactRef, Contact] = {}
    for contact in contacts:
        if contact.ref in part:
            yield part
            part = {}
        part[contact.ref] = contact
    yield part


def _held(tx: Tx, refs: Iterable[ContactRef]) -> dict[ContactRef, sqlite3.Row]:
    """The rows of those that are known already: id and fingerprint."""
    objects: dict[tuple[str, str], dict[str, ContactRef]] = {}
    for ref in refs:
        objects.setdefault((ref.connection, ref.object), {})[ref.id] = ref
    return {
        asked[row["ext_id"]]: row
        for (connection, object_), asked in objects.items()
        for row in tx.rows("contact_fingerprints", connection=connection, object=object_, ids=dump([*asked]))
    }


def _fingerprints(fields: tuple[Field, ...], rules: Rules) -> Callable[[Contact], int]:
    """Digests of all that decides how a contact is stored: an equal one means that nothing has changed.

    The version of this program is a part of it: another one may read the same text otherwise.
    """
    basis = dump([__version__, sorted(fields), sorted(rules.own_domains)])
    start = hashlib.blake2b(basis.encode("utf-8", "surrogatepass"), digest_size=6)

    def fingerprint(contact: Contact) -> int:
        said = (contact.revision, _parts(contact.identity), {**contact.values}, {**contact.blocked})
        text = dump_sorted((*said, True) if contact.requested else said)
        digest = start.copy()
        digest.update(text.encode())
        return int.from_bytes(digest.digest(), "big", signed=True)

    return fingerprint


def _digest(text: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "big", signed=True
    )


_parts = attrgetter(*(part.name for part in dataclass_fields(Identity)))


def restate(tx: Tx, contact_id: int, identity: Identity, *, now: float) -> None:
    """Who a record is about now, as it was read just before a write; all that hangs on it is judged anew."""
    row = tx.row("contact_by_id", id=contact_id)
    if row is not None and row["identity"] != dump_identity(identity):
        tx.run("contact_restate", id=contact_id, identity=dump_identity(identity))
        search.index(tx, [(contact_id, identity)])
        people.recognise(tx, [people.News(contact_id, identity, load_identity(row["identity"]))], now=now)
