"""The suppression list: who is never asked about and never written for, kept as keyed digests.

The list works without knowing a single name: an entry is the digest of a mailbox, a domain, a profile, a number or a
record, and each contact is compared by the digests of its own. What a contact is compared by is decided in
`people.suppression`; when, in `cases` (a decision), `candidates` and `submissions` (a purchase) and the write-back.
"""

from __future__ import annotations

import hmac
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef, Field, Identity
from syncd.people import suppression
from syncd.people.answers import Verdict, about
from syncd.people.evidence import Learned
from syncd.people.suppression import Kind, Sign

from . import people, results, search
from .store import Tx

if TYPE_CHECKING:
    import sqlite3

KEY_BYTES = 32
DIGEST_BYTES = 16
_KINDS = dump([*Kind])
SHOWN = 12  # characters of a digest by which an entry is named


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as it is kept: what exactly it is about, nobody can read from it."""

    digest: str
    kind: str
    reason: str
    added_by: str
    at: float  # UTC seconds
    forgotten: bool

    @property
    def id(self) -> str:
        return self.digest[:SHOWN]


class _List(NamedTuple):
    """The list, open for comparing: its key, the kinds that it holds, the former names of connections."""

    key: bytes
    kinds: frozenset[Kind]
    former: Mapping[str, Sequence[str]]

    def digest(self, sign: Sign) -> str:
        return _digest(self.key, sign)

    def of_record(self, connection: str, object_: str, ext_id: str) -> Iterator[Sign]:
        """The signs of a record's own id, under each name that its connection had."""
        for name in (connection, *self.former.get(connection, ())) if Kind.RECORD in self.kinds else ():
            yield Sign(Kind.RECORD, f"{name}/{object_}/{ext_id}")


def _digest(key: bytes, sign: Sign) -> str:
    basis = f"{sign.kind}|{sign.text}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, basis, "sha256")[:DIGEST_BYTES].hex()


def _open(tx: Tx, *, forgotten: bool = False) -> _List | None:
    """None where the list is empty: then nothing has to be compared. `forgotten`: only entries of erased people."""
    rows = tx.rows("suppression_kinds", kinds=_KINDS, forgotten=int(forgotten))
    kinds = frozenset(Kind(row[0]) for row in rows)
    if not kinds:
        return None
    return _List(tx.value("suppression_key"), kinds, _former_names(tx) if Kind.RECORD in kinds else {})


def _former_names(tx: Tx) -> dict[str, list[str]]:
    """The names that connections had, by their names of now."""
    former: dict[str, list[str]] = defaultdict(list)
    for row in tx.rows("former_names"):
        former[row["name"]].append(row["former"])
    return former


# --- keeping the list ---------------------------------------------------------------------------------


def add(tx: Tx, signs: Iterable[Sign], *, reason: str, by: str, now: float, forgotten: bool = False) -> int:
    """Put these on the list; whoever they are is decided on anew. Returns how many are new on it."""
    key = tx.value("suppression_key")
    if key is None:
        key = secrets.token_bytes(KEY_BYTES)
        tx.run("suppression_key_make", key=key)
    wanted = {_digest(key, sign): sign for sign in signs}
    known = {entry.digest for entry in _of(tx, wanted)}
    rows = [(digest, sign.kind, reason, by, now, int(forgotten)) for digest, sign in wanted.items()]
    tx.many("suppression_add", rows)
    _decide_again(tx, wanted.values())
    return len(wanted.keys() - known)


def new(tx: Tx, signs: Iterable[Sign]) -> int:
    """How many of these are not on the list."""
    key = tx.value("suppression_key")
    wanted = set(signs)
    if key is None:
        return len(wanted)
    return len(wanted) - len(_of(tx, [_digest(key, sign) for sign in wanted]))


def entries(tx: Tx) -> list[Entry]:
    """The whole list, oldest first."""
    return [_entry(row) for row in tx.rows("suppressions")]


def named(tx: Tx, text: str) -> list[Entry]:
    """The entries that a person means: by the value itself, or by the beginning of an entry's id."""
    found: list[Entry] = []
    key = tx.value("suppression_key")
    if key is None:
        return found
    with suppress(ValueError):  # then it is an id, or nothing
        found = _of(tx, [_digest(key, suppression.read(text))])
    wanted = text.strip().casefold()
    return found or [one for one in entries(tx) if len(wanted) >= 6 and one.digest.startswith(wanted)]


def remove(tx: Tx, digests: Sequence[str]) -> int:
    """Take these from the list; whoever was left alone is decided on anew. Returns how many were on it."""
    gone = sum(tx.run("suppression_remove", digest=digest) for digest in digests)
    if gone:
        tx.run("suppression_replan_suppressed")
    return gone


def _decide_again(tx: Tx, signs: Iterable[Sign]) -> None:
    """Whoever shows one of these signs is decided on anew, as far as an index finds them. The others are found when
    their turn comes: nothing is bought or written without a look at the list."""
    keys = []
    for sign in signs:
        if sign.kind is Kind.DOMAIN:
            tx.run("suppression_replan_words", words=" ".join(f'"{word}"' for word in search.words(sign.text)))
        elif sign.kind is Kind.RECORD:
            connection, object_, ext_id = sign.text.split("/")
            tx.run("suppression_replan_record", connection=connection, object=object_, ext_id=ext_id)
        else:
            keys += people.keys_of_sign(sign)
    if keys:
        tx.run("suppression_replan_keys", keys=dump(keys))


def _of(tx: Tx, digests: Iterable[str]) -> list[Entry]:
    return [_entry(row) for row in tx.rows("suppressions_of", digests=dump(list(digests)))]


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(**{**dict(row), "forgotten": bool(row["forgotten"])})


def signs_of(tx: Tx, contact_ids: Sequence[int]) -> set[Sign]:
    """All that tells these contacts from others, what answers about them brought included; no domains, no numbers."""
    kinds = frozenset({Kind.EMAIL, Kind.PROFILE, Kind.RECORD, Kind.NAME})
    listed = _List(b"", kinds, _former_names(tx))
    records = {row["id"]: row for row in tx.rows("contacts_by_id", ids=dump(contact_ids))}
    found = {sign for row in records.values() for sign in _of_record(row, listed)}
    for one in _of_answers(tx, listed, [*records]):
        if one.said is not None and _is_about(records[one.contact_id], one.said):
            found |= one.signs
    return found


# --- comparing with it --------------------------------------------------------------------------------


def of_contacts(
    tx: Tx, contact_ids: Iterable[int], seen: Mapping[int, Identity | None] | None = None
) -> dict[int, str]:
    """Those of these contacts that are on the list, each with a sentence that says why.

    A contact is on it by what the CRM holds, by what answers about it said, or through another record of the person.
    `seen`: what the CRM has just said of some of them, which the ledger does not know yet.
    """
    listed = _open(tx)
    ids = list(dict.fromkeys(contact_ids))
    if listed is None or not ids:
        return {}
    rows = tx.rows("suppression_records", ids=dump(ids))
    records = {row["id"]: row for row in rows}
    shown = [_Shown(id_, _of_record(row, listed)) for id_, row in records.items()]
    shown += [
        _Shown(id_, suppression.signs(known, listed.kinds)) for id_, known in (seen or {}).items() if known is not None
    ]
    found = _on_it(tx, listed, [*shown, *_of_answers(tx, listed, [*records])], records)
    why: dict[int, str] = {}
    for row in rows:
        if row["id"] in found:
            why.setdefault(row["contact_id"], _why(found[row["id"]]))
    return why


def of_jobs(tx: Tx, job_ids: Sequence[int]) -> dict[int, str]:
    """The same for the contacts of some jobs."""
    if _open(tx) is None:
        return {}
    return of_contacts(tx, [row["contact_id"] for row in tx.rows("contacts_of_jobs", ids=dump(job_ids))])


class _Shown(NamedTuple):
    """Signs that a record shows; `said`: of whom an answer speaks that brought them."""

    contact_id: int
    signs: set[Sign]
    said: tuple[Identity, ...] | None = None


def _on_it(tx: Tx, listed: _List, shown: Sequence[_Shown], records: Mapping[int, sqlite3.Row]) -> dict[int, Entry]:
    """By record, an entry that it is on the list by. What an answer about somebody else brought is no sign."""
    digests = {sign: listed.digest(sign) for one in shown for sign in one.signs}
    on_it = {entry.digest: entry for entry in _of(tx, digests.values())} if digests else {}
    found: dict[int, Entry] = {}
    for one in shown if on_it else ():
        entry = next((on_it[digest] for sign in sorted(one.signs) if (digest := digests[sign]) in on_it), None)
        if entry is not None and (one.said is None or _is_about(records[one.contact_id], one.said)):
            found.setdefault(one.contact_id, entry)
    return found


def _is_about(record: sqlite3.Row, said: tuple[Identity, ...]) -> bool:
    known = people.usable(record["identity"], record["vague"], Learned(record["learned"]))
    return about(known, said, echoes=True).verdict is not Verdict.OTHER


def _why(entry: Entry) -> str:
    return f"on the suppression list by {entry.kind}: {entry.reason or 'no reason was given'} ({entry.id})"


def _of_record(row: sqlite3.Row, listed: _List) -> set[Sign]:
    found = suppression.signs(results.load_identity(row["identity"]), listed.kinds)
    if row["learned"]:
        found |= suppression.signs(Identity(linkedin_url=row["learned"]), listed.kinds)
    return found.union(listed.of_record(row["connection"], row["object"], row["ext_id"]))


def _of_answers(tx: Tx, listed: _List, contact_ids: Sequence[int]) -> Iterator[_Shown]:
    """What answers said of the person, and the values that they brought."""
    for row in tx.rows("suppression_answers", ids=dump(contact_ids)):
        said = results.load_said(row["said"])
        found = {sign for one in said for sign in suppression.signs(one, listed.kinds)}
        for candidate in results.load_candidates(row["candidates"]):
            found |= suppression.of_value(candidate.value, Field(row["field"]) is Field.EMAIL, listed.kinds)
        yield _Shown(row["contact_id"], found, said)


def forgotten(tx: Tx, people_of: Sequence[tuple[ContactRef, Identity]]) -> set[ContactRef]:
    """Those of these records that are an erased person's: the CRM may still hold them, the ledger does not again."""
    listed = _open(tx, forgotten=True)
    if listed is None:
        return set()
    holders: dict[str, set[ContactRef]] = defaultdict(set)
    for ref, identity in people_of:
        shown = suppression.signs(identity, listed.kinds)
        for sign in shown.union(listed.of_record(ref.connection, ref.object, ref.id)):
            holders[listed.digest(sign)].add(ref)
    return {ref for entry in _of(tx, holders) if entry.forgotten for ref in holders[entry.digest]}
