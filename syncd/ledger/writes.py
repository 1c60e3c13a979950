"""From an answer to the CRM: verdicts, write intents, and what became of each write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from syncd.contract.jsontext import dump, parse
from syncd.contract.model import ContactRef, Field, Identity
from syncd.frozen import frozen
from syncd.people.evidence import NOTHING, Learned
from syncd.people.identity import BLANK

from .results import load_identity, load_said
from .states import STATES, JobState, Reason
from .store import Move, Tx

REFUSED_FIRST = 300.0  # seconds until what a rule refused is tried again, doubled each time
REFUSED_LONGEST = 6 * 3600.0
REFUSED_FOR = 60 * 86_400.0  # seconds after which it is not

_TO_WRITE = frozenset({JobState.ACCEPTED, JobState.WRITING})
USUAL = "fill_blank"  # what may stand where a value is written, where the ledger does not say it: nothing
LANDS = 120.0  # seconds in which a write reaches the CRM, or never does: several times as long as a call may take


@frozen(kw_only=True)
class ToWrite:
    """A job with a verified value. `begun`: a write was intended and never resolved."""

    job_id: int
    contact_id: int
    state: JobState
    ref: ContactRef
    field: Field  # of the CRM's property that it is written to
    asked: Field  # what was asked for
    value: str
    accepted_at: float
    identity: Identity = BLANK  # all that the ledger knows of the contact
    vague: tuple[str, ...] = ()  # profiles and mailboxes of it that identify nobody
    learned: Learned = NOTHING  # what answers brought
    said: tuple[Identity, ...] = ()  # whom the answer speaks of
    verdict: str = ""  # how that was judged when it was accepted; "" for what needs no judging
    decided: bool = False  # a person has accepted it
    begun: bool = False
    before: str = ""
    seen: str = ""  # the CRM's stamp of the newest version at the first read
    result_id: int | None = None  # of the answer that the value is from
    lost: str | None = None  # the stamp before a write of this value of which nobody has seen whether it arrived


def accepting(job_id: int, value: str, note: str, *, now: float, result_id: int | None, target: Field | None) -> Move:
    """A value that the policy takes: to be written back, to the field's own property or to `target`'s."""
    where = {"result_id": result_id, "destination": target or ""}
    return Move(job_id, JobState.ANSWERED, JobState.ACCEPTED, {"value": value, "note": note, "due_at": now, **where})


def asking_next(job_id: int, provider: str, note: str, *, round_: int | None = None) -> Move:
    """Nothing acceptable so far: the next provider is asked, in a new round where one is given."""
    return Move(job_id, JobState.ANSWERED, JobState.QUEUED, {"provider": provider, "note": note, "round": round_})


def giving_up(job_id: int, reason: Reason, note: str) -> Move:
    """Nothing acceptable, and nobody left to ask."""
    return Move(job_id, JobState.ANSWERED, JobState.DONE, {"reason": reason, "note": note})


class Waiting(NamedTuple):
    """What there is to write: for how many records, since when (UTC seconds), and whether a write was begun."""

    records: int
    since: float
    begun: bool


def waiting(tx: Tx, sync: str, limit: int, *, now: float) -> Waiting:
    """What `due` would return, counted only: a fuller batch may be waited for, and this is looked at often."""
    records, since, begun = tx.one("writes_ready", sync=sync, now=now, limit=limit)
    return Waiting(records, now if since is None else since, bool(begun))


class Due(NamedTuple):
    """A job that is to be written, or whose write was begun and not brought to its end."""

    job_id: int
    contact_id: int
    state: JobState
    field: Field  # of the CRM's property that it is written to


def due(tx: Tx, sync: str, limit: int, *, now: float) -> list[Due]:
    """What is accepted and due, and what a crash left in the middle of a write, of records that nobody holds; oldest
    first."""
    rows = tx.packed("jobs_to_write", sync=sync, now=now, limit=limit)
    return [Due(id_, contact, STATES[state], _FIELDS[field]) for id_, contact, state, field in rows]


class _Row(NamedTuple):
    """What `writes_load` selects."""

    job_id: int
    contact_id: int
    state: str
    field: str
    destination: str
    value: str
    updated_at: float
    before: str | None
    seen: str | None
    connection: str
    object: str
    ext_id: str
    identity: str
    vague: str
    learned: str | None
    said: str | None
    verdict: str | None
    decision: str
    found_email: str | None
    result_id: int | None
    lost: str | None


def to_write(tx: Tx, jobs: Sequence[int]) -> list[ToWrite]:
    """Those of these jobs that are to be written by now; oldest first."""
    return [_to_write(_Row._make(row)) for row in tx.packed("writes_load", ids=dump(list(jobs)))]


def _to_write(row: _Row) -> ToWrite:
    return ToWrite(
        job_id=row.job_id,
        contact_id=row.contact_id,
        state=STATES[row.state],
        ref=ContactRef(connection=row.connection, object=row.object, id=row.ext_id),
        field=_FIELDS[row.destination or row.field],
        asked=_FIELDS[row.field],
        value=row.value,
        accepted_at=row.updated_at,
        identity=load_identity(row.identity),
        vague=() if row.vague == "[]" else tuple(parse(row.vague)),
        learned=Learned(row.learned, row.found_email) if row.learned or row.found_email else NOTHING,
        said=load_said(row.said or "[]"),
        verdict=row.verdict or "",
        decided=row.decision == "accepted",
        begun=row.before is not None,
        before=row.before or "",
        seen=row.seen or "",
        result_id=row.result_id,
        lost=row.lost,
    )


_FIELDS = {one.value: one for one in Field}  # `Field(...)` takes three times as long, for each job


def ours(tx: Tx, jobs: Iterable[int]) -> dict[int, list[Written]]:
    """By job: all that we have written to its record, the newest first."""
    found: dict[int, list[Written]] = {}
    for row in tx.rows("writes_of_ours", ids=dump(list(jobs))):
        one = Written(row["property"], row["after"], row["seen"], bool(row["stands"]))
        found.setdefault(row["job_id"], []).append(one)
    return found


def waiting_since(tx: Tx, sync: str, before: float, limit: int) -> int:
    """How many found values still wait to be written that were found before a moment; counts to `limit`."""
    return int(tx.value("writes_waiting", sync=sync, before=before, limit=limit))


class Intent(NamedTuple):
    """What is to be written over what; `seen`: the CRM's stamp of the newest version at the first read."""

    job: ToWrite
    before: str
    seen: str
    property: str  # the CRM's
    policy: str = USUAL  # what is allowed to stand there
    basis: str = ""  # the legal basis that is named with it
    record: str = ""  # the id of the record that it goes to, where the job's own was merged into it


class Written(NamedTuple):
    """A value that we have written to a property. `seen`: the CRM's stamp of the newest version before; `stands`: it
    was not put back."""

    property: str
    value: str
    seen: str
    stands: bool


class Ended(NamedTuple):
    """What a job came to; `outcome`: its write, where that is not told by the reason."""

    job: ToWrite
    reason: Reason
    note: str = ""
    outcome: str = ""


def opted_out_elsewhere(tx: Tx, jobs: Iterable[ToWrite]) -> dict[int, str]:
    """By job: the same person's other record that says not to fill this field, as connection/object/id."""
    wanted = [[job.job_id, job.contact_id, job.asked] for job in jobs]
    rows = tx.rows("opted_out_elsewhere", wanted=dump(wanted)) if wanted else []
    return {row["job_id"]: row["ref"] for row in rows}


def judge_again(tx: Tx, jobs: Iterable[tuple[ToWrite, str]], *, now: float) -> None:
    """The records say something else of the person than when the value was accepted: nothing is written for now."""
    _decide_again(tx, [(job.job_id, note) for job, note in jobs], "not_written", now=now)


def arrived(tx: Tx, job_ids: Sequence[int], note: str) -> None:
    """Of writes of these jobs that were lost it was seen that they may have arrived, and were cleared since."""
    if job_ids:
        tx.run("writes_arrived", ids=dump(list(job_ids)), note=note)


def without_place(tx: Tx, job_ids: Iterable[int], *, now: float) -> None:
    """The configuration has no property, or no sync, for these any more: it is decided anew what becomes of them."""
    note = "its property is not configured any more"
    _decide_again(tx, [(id_, note) for id_ in job_ids], "unknown", now=now)


def begun_without_sync(tx: Tx, syncs: Iterable[str]) -> list[int]:
    """Jobs in the middle of a write of whose sync nothing is configured."""
    return [row["id"] for row in tx.rows("writes_without_sync", syncs=dump(list(syncs)))]


def _decide_again(tx: Tx, anew: Sequence[tuple[int, str]], outcome: str, *, now: float) -> None:
    _close(tx, [(id_, outcome, note) for id_, note in anew], now=now)
    states = _states(tx, [id_ for id_, _ in anew])
    moves = [
        Move(id_, states[id_], JobState.ANSWERED, {"note": note}) for id_, note in anew if states[id_] in _TO_WRITE
    ]
    tx.move_many(moves, now=now)


def intend(tx: Tx, intents: Iterable[Intent], *, now: float) -> set[int]:
    """T6: what will be written over what, before it is; an intent that is open stays the first. Returns the jobs that
    may be written: not those for which another value was accepted while their records were read."""
    wanted = list(intents)
    fresh = _still_accepted(tx, [one.job for one in wanted if one.job.state is JobState.ACCEPTED])
    moved = tx.move_many([Move(id_, JobState.ACCEPTED, JobState.WRITING) for id_ in fresh], now=now)
    held = [one for one in wanted if one.job.state is not JobState.ACCEPTED or one.job.job_id in moved]
    made = [
        [one.job.job_id, one.before, one.job.value, one.seen, one.property, _kept(one.policy), one.basis, one.record]
        for one in held
        if not one.job.begun
    ]
    if made:
        tx.run("writes_make", rows=dump(made), now=now)
    return {one.job.job_id for one in held}


def merged(tx: Tx, records: Mapping[int, str]) -> None:
    """By job: the id of the record that its own was merged into. What was begun before counts there from now on."""
    if records:
        tx.run("writes_merged", rows=dump(list(records.items())))


def _kept(policy: str) -> str:
    return "" if policy == USUAL else policy


def _still_accepted(tx: Tx, jobs: Iterable[ToWrite]) -> list[int]:
    values = [[job.job_id, job.value, job.field, job.result_id] for job in jobs]
    return tx.packed("jobs_accepted_as", values=dump(values)) if values else []


def postpone(tx: Tx, jobs: Iterable[ToWrite], *, now: float) -> None:
    """Whether these were written is not known: they are looked at once it must have landed, and their intents stay
    open."""
    if ids := [job.job_id for job in jobs]:
        tx.run("jobs_postpone", ids=dump(ids), state=JobState.WRITING, due_at=now + LANDS)


def postpone_all(tx: Tx, *, now: float) -> None:
    """The same for every write that is open: a request of the process before may still be on its way."""
    tx.run("writes_postpone", due_at=now + LANDS)


def postpone_contacts(tx: Tx, contacts: Sequence[int], *, now: float) -> None:
    """The same for what is open of these contacts, whose process has ended or stands still."""
    if contacts:
        tx.run("writes_of_contacts_postpone", contacts=dump(list(contacts)), due_at=now + LANDS)


def finish(tx: Tx, ended: Iterable[Ended], *, now: float) -> int:
    """T7: each job's last move, and what its write came to. Returns how many moved."""
    ends = list(ended)
    _close(tx, [(one.job.job_id, one.outcome or one.reason, one.note) for one in ends], now=now)
    states = _states(tx, [one.job.job_id for one in ends])
    moves = [
        Move(one.job.job_id, states[one.job.job_id], JobState.DONE, {"reason": one.reason, "note": one.note})
        for one in ends
        if states[one.job.job_id] in _TO_WRITE  # else it was decided on anew meanwhile
    ]
    return len(tx.move_many(moves, now=now))


class Refused(NamedTuple):
    """A value that a rule of the CRM forbids for now, in the CRM's words."""

    job: ToWrite
    words: str


def refuse(tx: Tx, refused: Iterable[Refused], *, now: float) -> list[int]:
    """The same again after minutes, then at growing intervals, for weeks. Returns how often each was refused."""
    told = list(refused)
    if not told:
        return []
    _close(tx, [(one.job.job_id, "refused", one.words) for one in told], now=now)
    rows = tx.rows("writes_refused", ids=dump([one.job.job_id for one in told]))
    known = {row["job_id"]: (row["times"], row["since"]) for row in rows}
    before = {one.job.job_id: known.get(one.job.job_id, (1, now)) for one in told}
    finish(
        tx,
        [
            Ended(one.job, Reason.WRITE_REFUSED, one.words)
            for one in told
            if now - before[one.job.job_id][1] > REFUSED_FOR
        ],
        now=now,
    )
    moves = [
        Move(
            one.job.job_id,
            JobState.WRITING,
            JobState.ACCEPTED,
            {"note": one.words, "due_at": now + min(REFUSED_FIRST * 2.0 ** (times - 1), REFUSED_LONGEST)},
        )
        for one in told
        for times, since in [before[one.job.job_id]]
        if now - since <= REFUSED_FOR
    ]
    tx.move_many(moves, now=now)
    return [before[one.job.job_id][0] for one in told]


def put_back(tx: Tx, jobs: Iterable[tuple[ToWrite, str, float]], *, now: float) -> None:
    """Definitely not written (job, note, UTC seconds): the same again at that time, from a fresh read."""
    back = list(jobs)
    _close(tx, [(job.job_id, "not_written", note) for job, note, _ in back], now=now)
    moves = [
        Move(job.job_id, JobState.WRITING, JobState.ACCEPTED, {"note": note, "due_at": due_at})
        for job, note, due_at in back
    ]
    tx.move_many(moves, now=now)


def _close(tx: Tx, closed: Sequence[tuple[int, str, str]], *, now: float) -> None:
    """What open intents came to: job, state, note."""
    if closed:
        tx.run("writes_close", rows=dump(closed), now=now)


def _states(tx: Tx, job_ids: Sequence[int]) -> dict[int, JobState]:
    rows = tx.packed("jobs_states", ids=dump(job_ids)) if job_ids else []
    return {id_: STATES[state] for id_, state in rows}
