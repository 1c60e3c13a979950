"""Finding contacts: by words that a person remembers of them, and by what became of their fields.

Quick at any size: each search begins at an index, and reads on only until a page is full.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from syncd.contract.jsontext import dump
from syncd.contract.model import ContactRef, Identity

from .results import load_identity
from .states import JobState
from .store import Tx

SHORTEST = 3  # characters of an id that stand for it: fewer are the beginning of too many
_WORD = re.compile(r"[^\W_]+")
_LAST = 1 << 62  # above every row's id, and more rows than there are


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which contacts, and which of their fields; None is any. `text`: words, an id or its beginning, or a reference."""

    text: str | None = None
    state: str | None = None
    reason: str | None = None
    sync: str | None = None
    field: str | None = None
    provider: str | None = None
    since: float | None = None  # UTC seconds: what has changed since


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A contact and one of its fields; a contact that lacks nothing has no field."""

    ref: str  # connection/object/id
    name: str
    email: str
    company: str
    sync: str | None
    field: str | None
    state: str | None
    reason: str | None
    provider: str | None
    value: str | None
    note: str | None
    at: float | None
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A page. `next`: where the following one begins; None: there is no more. `count`: of all, where it is known."""

    rows: tuple[Found, ...]
    next: str | None
    count: int | None


def words_of(identity: Identity) -> str:
    """All by which a person may look for somebody."""
    mails = dict.fromkeys(filter(None, (identity.email, *identity.emails)))
    parts = (identity.first_name, identity.last_name, identity.full_name, identity.company, identity.domain, *mails)
    return " ".join(dict.fromkeys(word for part in parts if part for word in words(part)))


def words(text: str) -> list[str]:
    """The words of a text, as they are looked for: without accents, as SQLite's index has them anyway."""
    if not text.isascii():
        apart = unicodedata.normalize("NFD", text)
        text = unicodedata.normalize("NFC", "".join(char for char in apart if not unicodedata.combining(char)))
    return _WORD.findall(text.casefold())


def index(tx: Tx, contacts: Iterable[tuple[int, Identity]]) -> None:
    """These contacts are found by what is known of them now."""
    rows = [[id_, words_of(identity)] for id_, identity in contacts]
    if rows:
        tx.run("words_set", rows=dump(rows))


def merge(tx: Tx) -> bool:
    """A bounded piece of the work by which words that were deleted leave the file, too; False when nothing is left."""
    before = tx.value("changes_so_far")
    tx.run("words_merge")
    return bool(tx.value("changes_so_far") - before >= _SOME_WORK)


_SOME_WORK = 2  # changes: https://sqlite.org/fts5.html#the_merge_command


def find(tx: Tx, wanted: Wanted, *, limit: int = 100, after: str | None = None) -> Results:
    """A page of what is wanted, newest first. Raises ValueError where `after` is no place in a list."""
    pairs = _pairs(tx, wanted, limit + 1, _place(after))
    page = pairs[:limit]
    rows = _rows(tx, page)
    more = f"{page[-1][0]}.{page[-1][1] or 0}" if len(pairs) > limit else None
    return Results(rows=tuple(rows), next=more, count=_count(tx, wanted))


def job_ids(tx: Tx, wanted: Wanted) -> list[int]:
    """The jobs of all that is wanted."""
    return sorted(job for _, job in _pairs(tx, wanted, _LAST) if job is not None)


def fields_of(tx: Tx, wanted: Wanted) -> set[tuple[str, str]]:
    """The same as pairs of contact (`connection/object/id`) and field."""
    return {(row["ref"], row["field"]) for row in tx.rows("found_fields", ids=dump(job_ids(tx, wanted)))}


def resolve(tx: Tx, text: str, *, most: int = 10) -> list[ContactRef]:
    """The contacts that a reference, the beginning of an id, or words can mean, each once; not more than `most`."""
    with suppress(ValueError):
        ref = ContactRef.parse(text)
        if tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id) is not None:
            return [ref]
    rows = _rows(tx, _pairs(tx, Wanted(text=text), 4 * most))
    refs = list(dict.fromkeys(ContactRef.parse(one.ref) for one in rows))
    exact = [ref for ref in refs if text in {str(ref), ref.id}]
    return (exact if len(exact) == 1 else refs)[:most]


def places(tx: Tx) -> list[str]:
    """Where contacts can be: `connection/object`."""
    return [f"{row['crm']}/{row['object']}" for row in tx.rows("places")]


def contacts_of_calls(tx: Tx, calls: Sequence[str]) -> dict[str, list[str]]:
    """Whom each of these calls is about."""
    found: dict[str, list[str]] = {call: [] for call in calls}
    for row in tx.rows("contacts_of_calls", ids=dump(list(calls))):
        found[row["submission_id"]].append(row["ref"])
    return found


_Pair = tuple[int, int | None]  # of a contact and a job


def _pairs(tx: Tx, wanted: Wanted, limit: int, place: tuple[int, int] = (_LAST, _LAST)) -> list[_Pair]:
    narrow = {key: value for key, value in asdict(wanted).items() if key != "text"}
    narrow |= {"limit": limit, "before": place[1]}
    if wanted.text is not None:
        return _by_text(tx, wanted.text, {**narrow, "contact": place[0]})
    if wanted.reason is not None:
        statement = "found_by_reason"
    elif wanted.state not in (None, JobState.DONE) or wanted.since is not None:
        statement = "found_by_state"
    else:
        statement = "found_in_order"
    return [(row[0], row[1]) for row in tx.rows(statement, **narrow)]


def _by_text(tx: Tx, text: str, narrow: dict[str, Any]) -> list[_Pair]:
    *place, start = text.split("/")
    if len(place) == 2 or (not place and len(start) >= SHORTEST and not re.search(r"[\s@]", start)):
        where = dict(zip(("connection", "object"), place or (None, None), strict=True))
        for last in (start + "\1", start + "\U0010ffff"):  # the id itself, or all that begin like it
            rows = tx.rows("found_by_id", first=start, last=last, **where, **narrow)
            if rows:
                return [(row[0], row[1]) for row in rows]
        if place:
            return []
    match = _match(tx, text)
    return [(row[0], row[1]) for row in tx.rows("found_by_words", words=match, **narrow)] if match else []


def _match(tx: Tx, text: str) -> str:
    """Whole words; of the last one its beginning is enough where nothing has the whole one, or with a * behind it."""
    exact = " ".join(f'"{word}"' for word in words(text))
    begins = text.endswith("*") or (exact and not tx.value("words_are_known", words=exact))
    return f"{exact}*" if exact and begins else exact


def _rows(tx: Tx, pairs: Sequence[_Pair]) -> list[Found]:
    return [_found(row) for row in tx.rows("found_rows", pairs=dump(pairs))]


def _found(row: Any) -> Found:
    identity = load_identity(row["identity"])
    names = " ".join(filter(None, (identity.first_name, identity.last_name)))
    return Found(
        ref=f"{row['connection']}/{row['object']}/{row['ext_id']}",
        name=names or identity.full_name or "",
        email=identity.email or "",
        company=identity.company or identity.domain or "",
        at=row["updated_at"],
        **{key: row[key] for key in ("sync", "field", "state", "reason", "provider", "value", "note", "job_id")},
    )


def _count(tx: Tx, wanted: Wanted) -> int | None:
    """From the counters: exact, and as quick for a million."""
    if replace(wanted, state=None, reason=None, sync=None, field=None) != Wanted():
        return None
    narrow = {key: getattr(wanted, key) for key in ("state", "reason", "sync", "field")}
    return int(tx.value("found_count", **narrow))


def _place(after: str | None) -> tuple[int, int]:
    if after is None:
        return _LAST, _LAST
    if not (found := re.fullmatch(r"(\d{1,18})\.(\d{1,18})", after)):
        raise ValueError(f"{after!r} is no place in a list: take `next` of the page before")
    return int(found[1]), int(found[2])
