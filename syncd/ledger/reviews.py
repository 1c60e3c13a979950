"""Values that wait for a person's decision, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import Candidate, Field

from . import costs, daily
from .results import ACCEPTED as ACCEPTED  # noqa: PLC0414 - a person's decisions are said here
from .results import APPROVAL as APPROVAL  # noqa: PLC0414
from .results import REFUSED as REFUSED  # noqa: PLC0414
from .results import in_full, load_candidates
from .states import NEVER, JobState
from .store import Move, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A value in question. `id` is its answer's; `speaks_for` and `speaks_against` are sentences about whose it is.

    `old`: a value of ours that it would replace; `replaces_typed`: it would replace one that is not ours. `held`: what
    it would replace, as the last pull brought it; "" for a blank, and where the record's values don't tell which one.
    `cost`: this contact's part of the call, in credits; None: not known. `found_at`: UTC seconds when the provider was
    asked.
    """

    id: int
    ref: str  # connection/object/id
    sync: str
    field: str
    provider: str
    value: str
    old: str
    replaces_typed: bool
    held: str
    grade: str
    cost: float | None
    found_at: float
    why: str
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]
    contact: dict[str, Any]  # what is known of the contact, blanks left out
    answer: list[dict[str, Any]]  # whom the answer speaks of, one entry for each place
    since: float
    until: float | None  # None: as long as it takes

    def as_json(self) -> dict[str, Any]:
        """Plain data for scripts."""
        return {name: getattr(self, name) for name in self.__slots__}


class Outline(NamedTuple):
    """A value in question, as far as is needed to choose, count and decide: of many, that is read in a fraction of the
    time. The names are those of `Review`; `replaces`: 0 a blank, 1 a value of ours, 2 one that is not ours."""

    id: int
    job_id: int
    call: str | None
    ref: str
    sync: str
    field: str
    provider: str
    value: str
    why: str
    replaces: int


class Doubtful(NamedTuple):
    """An answer that is in doubt, and the value in question; it waits for a person at most until a moment (UTC
    seconds)."""

    job_id: int
    result_id: int
    value: str
    why: str
    until: float | None


def opening(one: Doubtful) -> Move:
    """The move of a job whose answer is in doubt; `open_many` is told once it has moved."""
    due = NEVER if one.until is None else one.until
    return Move(one.job_id, JobState.ANSWERED, JobState.REVIEW, {"note": one.why, "due_at": due})


def open_many(tx: Tx, doubtful: Iterable[Doubtful], *, now: float) -> None:
    """These wait for a person."""
    rows = [[one.result_id, one.job_id, one.value, one.why, one.until] for one in doubtful]
    if rows:
        tx.run("reviews_open", rows=dump(rows), now=now)


def waiting(tx: Tx, prices: costs.Prices | None = None) -> list[Review]:
    """Everything that waits for a decision, oldest first. `prices`: by which a call's bill is shared."""
    return _reviews(tx, tx.rows("reviews_waiting"), prices)


def named(tx: Tx, ids: Iterable[int], prices: costs.Prices | None = None) -> list[Review]:
    """Those of these that still wait, oldest first."""
    return _reviews(tx, tx.rows("reviews_named", ids=dump(list(ids))), prices)


def outlines(tx: Tx, ids: Sequence[int] = ()) -> list[Outline]:
    """Everything that waits for a decision, in short; or those of these that still wait."""
    wanted = {"ids": dump(list(ids))} if ids else {}
    return [Outline(*one) for one in tx.packed("reviews_outlined_named" if ids else "reviews_outlined", **wanted)]


def spent(tx: Tx, chosen: Iterable[Outline], prices: costs.Prices) -> float:
    """Credits that these have cost together, as far as is known."""
    jobs = [(one.call, one.job_id) for one in chosen if one.call]
    shares = costs.of_calls(tx, {call for call, _ in jobs}, prices) if jobs else {}
    return sum(shares.get(one) or 0 for one in jobs) / 1000


def _reviews(tx: Tx, rows: Sequence[Any], prices: costs.Prices | None) -> list[Review]:
    calls = [row["submission_id"] for row in rows if row["submission_id"]]
    shares = costs.of_calls(tx, calls, prices or {}) if calls else {}
    return [_review(row, shares.get((row["submission_id"], row["job_id"]), 0)) for row in rows]


def page(
    tx: Tx,
    prices: costs.Prices | None = None,
    *,
    after: tuple[float, int] = (0.0, 0),
    limit: int,
    sync: str | None = None,
    field: str | None = None,
    provider: str | None = None,
    why: str | None = None,
) -> tuple[list[Review], tuple[float, int] | None]:
    """The first ones that fit behind `after`, those first that are over first; and where the next page begins."""
    narrow = {"sync": sync, "field": field, "provider": provider, "why": why}
    rows = tx.rows("reviews_page", due_at=after[0], job_id=after[1], limit=limit + 1, **narrow)
    shown, more = rows[:limit], len(rows) > limit
    return _reviews(tx, shown, prices), (shown[-1]["due_at"], shown[-1]["job_id"]) if more else None


def decide(
    tx: Tx,
    ids: Sequence[int],
    decision: str,
    by: str,
    *,
    now: float,
    shown: Mapping[int, str] | None = None,
    reason: str = "",
) -> int:
    """Accept or refuse; the jobs are decided on again. `shown`: the values that were decided on; where another one
    waits by now, nothing is decided. `reason`: in the person's words, for the history. Returns how many were open."""
    values = {"note": f"{decision} by {by}" + (f": {reason}" if reason else "")}
    rows = dump([[id_, shown.get(id_) if shown is not None else None] for id_ in ids])
    decided = tx.rows("reviews_decide", rows=rows, decision=decision, by=by, now=now)
    if decision == REFUSED:
        daily.refused(tx, [row["result_id"] for row in decided], now=now)
    moves = [Move(row["job_id"], JobState.REVIEW, JobState.ANSWERED, values) for row in decided]
    tx.move_many(moves, now=now)
    return len(decided)


def decide_overdue(tx: Tx, *, now: float) -> int:
    """Nobody has decided for as long as the operator wanted to wait: the next provider's turn."""
    values = {"note": "nobody has decided in time"}
    due = [Move(row[0], JobState.REVIEW, JobState.ANSWERED, values) for row in tx.rows("reviews_due", now=now)]
    return len(tx.move_many(due, now=now))


def _review(row: Any, cost: int | None) -> Review:
    evidence = parse(row["evidence"] or "{}")
    blank, typed = row["replaces"] == 0, row["replaces"] == 2
    ours = row["ours"] or ""
    contact = in_full(parse(row["identity"]))
    return Review(
        id=row["result_id"],
        ref=row["ref"],
        sync=row["sync"],
        field=row["field"],
        provider=row["provider"],
        value=row["value"],
        old="" if blank else ours,
        replaces_typed=typed,
        held="" if blank else ours or _held(row["field"], contact),
        grade=grade_of(row["candidates"], row["value"]),
        cost=None if cost is None else cost / 1000,
        found_at=row["asked_at"],
        why=row["why"],
        speaks_for=tuple(evidence.get("for", ())),
        speaks_against=tuple(evidence.get("against", ())),
        contact=contact,
        answer=[in_full(one) for one in parse(row["said"])],
        since=row["opened_at"],
        until=row["until"],
    )


def _held(field: str, contact: Mapping[str, Any]) -> str:
    """The record's own value of a field, where it has a single one."""
    held = [contact["email"]] if field == Field.EMAIL and "email" in contact else contact.get("phones", [])
    return str(held[0]) if len(held) == 1 and (field == Field.EMAIL) == ("@" in held[0]) else ""


def grade_of(candidates: str, value: str) -> str:
    """How good the provider says that the value is."""
    found = candidate_of(candidates, value)
    return "" if found is None else str(found.grade)


def candidate_of(candidates: str, value: str) -> Candidate | None:
    """What the provider said of a value; values are written in another form than they come in."""
    found = load_candidates(candidates)
    same = [one for one in found if _plain(one.value) == _plain(value)] or list(found)
    return same[0] if same else None


def _plain(value: str) -> str:
    return value.casefold().strip() if "@" in value else "".join(filter(str.isdigit, value))[-8:]
