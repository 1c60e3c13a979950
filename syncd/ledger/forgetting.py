"""Erasing a person: every row about them in every table, what others' rows say of them, and their raw answers.

What stays: the calls with what they cost, without a word of whom they were about; the digests of the suppression list,
so that nobody asks about this person again; and the ids of their requests (random numbers), so that a late answer is
recognised and dropped. The person's values in the CRM are the operator's to erase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ContactRef
from syncd.people import emails, suppression
from syncd.people.suppression import Kind, Sign

from . import daily, people, suppressions
from .arrivals import unpacked
from .file import LedgerBusy
from .results import load_identity
from .states import JobState
from .store import Move, Tx

if TYPE_CHECKING:
    import sqlite3

REASON = "forgotten"
_LEFT_BY = "what it waited for was erased"


class InTheWay(LedgerBusy):
    """A process is working on this person at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held on a person. `refs`: their records; `counts`: rows, by what they are."""

    contacts: tuple[int, ...]
    refs: tuple[str, ...]
    counts: dict[str, int]


def find(tx: Tx, text: str) -> tuple[int, ...]:
    """The contacts that a reference or a mailbox means, with all other records of these persons."""
    found: set[int] = set()
    with suppress(ValueError):
        ref = ContactRef.parse(text)
        row = tx.row("contact_by_ref", connection=ref.connection, object=ref.object, ext_id=ref.id)
        found |= {row["id"]} if row is not None else set()
    with suppress(ValueError):
        sign = suppression.read(text, Kind.EMAIL)
        keys = dump(people.keys_of_sign(sign))
        found |= {row[0] for row in tx.rows("contacts_of_keys", keys=keys, limit=1000)}
        found |= {row[0] for row in tx.rows("forget_contacts_holding", value=sign.text)}
    return tuple(row[0] for row in tx.rows("forget_contacts_of_persons", ids=dump(sorted(found))))


def persons(tx: Tx, contacts: Sequence[int]) -> list[str]:
    """A record of each of the persons that these contacts are."""
    return [row["ref"] for row in tx.rows("persons_of_contacts", ids=dump(contacts))]


def signs(tx: Tx, text: str, contacts: Sequence[int]) -> set[Sign]:
    """By what the person is recognised from now on: what was typed, and all that is theirs alone."""
    typed: set[Sign] = set()
    with suppress(ValueError):
        typed.add(suppression.read(text))
    shared = {
        key for row in tx.rows("contacts_by_id", ids=dump(contacts)) for key in (*parse(row["vague"]), *_roles(row))
    }
    return {sign for sign in suppressions.signs_of(tx, contacts) if sign.text not in shared} | typed


def _roles(contact: sqlite3.Row) -> Iterable[str]:
    known = load_identity(contact["identity"])
    addresses = filter(None, (known.email, *known.emails))
    return [emails.compared(address) for address in addresses if emails.is_role(address)]


def held(tx: Tx, contacts: Sequence[int]) -> Held:
    """What there is of these contacts."""
    rows = tx.rows("contacts_by_id", ids=dump(contacts))
    jobs = [row["id"] for row in tx.rows("forget_jobs", ids=dump(contacts))]
    calls = _calls(tx, jobs)
    counts = Counter(
        {"records": len(rows), "fields": len(jobs), "calls": len({call["submission_id"] for call in calls})}
    )
    for job in jobs:
        counts["answers"] += len(tx.rows("results_of_job", job_id=job))
        counts["writes"] += len(tx.rows("writes_of_job", job_id=job))
        counts["reviews"] += len(tx.rows("reviews_of_job", job_id=job))
        counts["steps of history"] += len(tx.rows("events_of_job", job_id=job))
    for call in {call["submission_id"] for call in calls}:
        bodies = tx.rows("forget_deliveries", submission_id=call)
        counts["raw answers"] += sum(1 for row in bodies if row["body"])
    refs = tuple(f"{row['connection']}/{row['object']}/{row['ext_id']}" for row in rows)
    return Held(contacts=tuple(row["id"] for row in rows), refs=refs, counts=dict(counts))


def mentions(tx: Tx, contacts: Sequence[int], traces: Collection[str]) -> list[int]:
    """Answers to questions about others that name this person. Reads all answers: before the writer is held up."""
    own = {row["id"] for row in tx.rows("forget_jobs", ids=dump(contacts))}
    found = tx.rows("forget_mentions", traces=dump(sorted(traces))) if traces else []
    return [row["id"] for row in found if row["job_id"] not in own]


def traces(signs: Iterable[Sign]) -> set[str]:
    """The texts by which others' rows may name the person."""
    return {
        sign.text.casefold().removeprefix("https://www.linkedin.com")
        for sign in signs
        if sign.kind in (Kind.EMAIL, Kind.PROFILE, Kind.RECORD)
    }


def erase(
    tx: Tx, contacts: Sequence[int], mentioned: Sequence[int], traces: Collection[str], *, now: float, alone: bool
) -> Counter[str]:
    """Delete all about these contacts, and what other rows say of them; returns how many rows of what.

    Their words leave the file by `search.merge`. `alone`: no daemon runs. Raises InTheWay where one is working on them.
    """
    ids = dump(contacts)
    rows = tx.rows("forget_jobs", ids=ids)
    jobs = [row["id"] for row in rows]
    calls = _calls(tx, jobs)
    if not alone:
        _not_in_the_way(tx, contacts, jobs, calls, now=now)
    daily.count_all(tx)
    _let_others_go_on(tx, jobs, now=now)
    tx.run("forget_marks", ids=ids)
    _erase_calls(tx, calls)
    gone = Counter({"raw answers": _erase_bodies(tx, calls)})
    _erase_mentions(tx, mentioned, traces)
    gone.update(_erase_jobs(tx, rows))
    for name in ("forget_members", "forget_keys", "forget_words"):
        tx.run(name, ids=ids)
    daily.after_deleting(tx)
    gone["records"] = tx.run("forget_contacts_themselves", ids=ids)
    tx.tally("people_forgotten")
    return gone


def _calls(tx: Tx, jobs: Sequence[int]) -> list[sqlite3.Row]:
    return tx.rows("forget_calls", jobs=dump(jobs))


def _not_in_the_way(
    tx: Tx, contacts: Sequence[int], jobs: Sequence[int], calls: Sequence[sqlite3.Row], *, now: float
) -> None:
    of_calls = dump(sorted({call["submission_id"] for call in calls}))
    values = {"ids": dump(contacts), "jobs": dump(jobs), "calls": of_calls}
    if (why := tx.value("forget_in_the_way", now=now, **values)) is not None:
        raise InTheWay(f"{why} at this moment")


def _let_others_go_on(tx: Tx, jobs: Sequence[int], *, now: float) -> None:
    """Whoever stood behind one of these jobs is asked about in their own turn."""
    behind = [row["id"] for row in tx.rows("jobs_behind", ids=dump(jobs))]
    others = [id_ for id_ in behind if id_ not in jobs]
    tx.move_many([Move(id_, JobState.WAITING, JobState.QUEUED, {"note": _LEFT_BY}) for id_ in others], now=now)


def _erase_calls(tx: Tx, calls: Sequence[sqlite3.Row]) -> None:
    requests = [[call["submission_id"], call["request_id"], call["fields"]] for call in calls]
    tx.run("forget_requests", rows=dump(requests))
    tx.run("forget_labels", calls=dump(sorted({call["submission_id"] for call in calls})))


def _erase_bodies(tx: Tx, calls: Sequence[sqlite3.Row]) -> int:
    """Of a raw answer that speaks of others, too, and was not read to its end, theirs is cut out; others go."""
    requests: dict[str, set[str]] = {}
    for call in calls:
        requests.setdefault(call["submission_id"], set()).add(call["request_id"])
    shared = {call["submission_id"] for call in calls if call["shared"]}
    count = 0
    for submission_id, ids in requests.items():
        for row in tx.rows("forget_deliveries", submission_id=submission_id):
            wanted = submission_id in shared and row["state"] in ("received", "quarantined")
            body = cut(unpacked(row["body"], row["sample"]), ids) if wanted else b""
            count += tx.run("forget_body", id=row["id"], body=body)
    return count


def cut(body: bytes, requests: Collection[str]) -> bytes:
    """A raw answer without the items that name these requests; empty where that can't be done."""
    try:
        kept = _without(parse(body), requests)
    except (ValueError, RecursionError):
        return b""
    text = dump(kept)
    return b"" if any(one in text for one in requests) else text.encode()


def items(body: bytes, requests: Collection[str]) -> Any:
    """The reverse: of a raw answer that speaks of several people, only the items that name these requests."""
    try:
        whole = parse(body)
    except (ValueError, RecursionError):
        return None
    return list(_naming(whole, requests))


def _naming(part: Any, requests: Collection[str]) -> Iterator[Any]:
    match part:
        case list():
            for one in part:
                within = list(_naming(one, requests))
                text = dump(one)
                yield from within or ([one] if any(id_ in text for id_ in requests) else [])
        case dict():
            for value in part.values():
                yield from _naming(value, requests)


def _without(part: Any, requests: Collection[str]) -> Any:
    match part:
        case list():
            texts = ((one, dump(one)) for one in part)
            return [_without(one, requests) for one, text in texts if not any(id_ in text for id_ in requests)]
        case dict():
            return {key: _without(value, requests) for key, value in part.items()}
    return part


def _erase_mentions(tx: Tx, mentioned: Sequence[int], traces: Collection[str]) -> None:
    """What rows of others, and of the whole, say of this person."""
    given = {"traces": dump(sorted(traces))}
    if mentioned:
        ids = dump(mentioned)
        jobs = dump([row["job_id"] for row in tx.rows("forget_jobs_of_results", ids=ids)])
        tx.run("forget_bodies_of_results", ids=ids)
        tx.run("forget_said", ids=ids)
        for name in ("forget_notes_of_jobs", "forget_why_of_reviews", "forget_notes_of_steps"):
            tx.run(name, jobs=jobs, **given)
    if traces:
        for name in _TEXTS:
            tx.run(name, **given)


_TEXTS = (
    "forget_in_breakers",
    "forget_in_connections",
    "forget_in_syncs",
    "forget_in_alerts",
    "forget_in_symptoms",
    "forget_in_runs",
)
_OF_JOBS = {
    "forget_reviews": "reviews",
    "forget_results": "answers",
    "forget_undos": "",
    "forget_writes": "writes",
    "forget_attempts": "questions",
    "forget_again": "",
    "forget_steps": "",
    "forget_jobs_themselves": "fields",
}


def _erase_jobs(tx: Tx, rows: Sequence[sqlite3.Row]) -> Counter[str]:
    """Jobs with all that hangs on them; the counters follow, so that the ledger still adds up."""
    jobs = dump([row["id"] for row in rows])
    gone: Counter[str] = Counter({"steps of history": tx.value("forget_history", jobs=jobs)})
    for name, what in _OF_JOBS.items():
        gone[what] += tx.run(name, jobs=jobs)
    tx.run("steps_forget")
    for (sync, field, state, reason), n in Counter(
        (row["sync"], row["field"], row["state"], row["reason"]) for row in rows
    ).items():
        tx.run("counter_add", sync=sync, field=field, state=state, reason=reason, n=-n)
    del gone[""]
    return gone
