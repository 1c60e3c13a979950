"""What is to be written, and how much of it at once; what was written long ago: against the same in Python."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from syncd.contract.model import ContactRef, Field, Identity
from syncd.ledger import cases, contacts, provenance, refreshes, upkeep, write_limits, writes
from syncd.ledger.contacts import Rules
from syncd.ledger.refreshes import Portion
from syncd.ledger.states import JobState, Reason
from syncd.ledger.write_limits import WriteLimits, begun
from syncd.ledger.writes import Written

from .by_hand import DAY, EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SYNCS, FIELDS = ("a", "b"), (Field.EMAIL, Field.PHONE)


# --- what is to be written ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_what_is_due_to_be_written_is_found_and_counted_alike(tables: Tables, seed: int) -> None:
    """Of records that nobody holds, where no write of another field is open and nothing is being put back."""
    rng = random.Random(seed)
    jobs: list[dict[str, Any]] = []
    held, undone = {n for n in range(1, 13) if rng.random() < 0.2}, {n for n in range(1, 13) if rng.random() < 0.2}
    for contact, field in itertools.product(range(1, 13), FIELDS):
        state = rng.choice([JobState.ACCEPTED, JobState.WRITING, JobState.DONE, JobState.ANSWERED])
        row = {"id": len(jobs) + 1, "contact_id": contact, "state": state, "sync": rng.choice(SYNCS)}
        row |= {"due_at": NOW + rng.choice((-5, -1, 0, 1, 5)), "updated_at": float(rng.randint(1, 9))}
        row["destination"] = rng.choice(["", "mobile"]) if field is Field.PHONE else ""
        tables.add(Where("job", "field"), field, **row)
        jobs.append({**row, "field": field})
    for contact in held:
        tables.add(Where("claim", "kind"), "record", item=str(contact))
    for contact in set(range(1, 13)) - held:
        tables.add(Where("claim", "kind"), "contact", item=str(contact))
    for contact in range(1, 13):
        tables.add(
            Where("undo", "state"), "intent" if contact in undone else "asked", contact_id=contact, job_id=contact
        )

    def is_due(job: dict[str, Any]) -> bool:
        others = [one for one in jobs if one["contact_id"] == job["contact_id"]]
        blocked = any(one["state"] is JobState.WRITING and one["due_at"] > NOW for one in others)
        mine = job["state"] is JobState.WRITING or (job["state"] is JobState.ACCEPTED and not blocked)
        return mine and job["due_at"] <= NOW and job["contact_id"] not in held | undone and job["sync"] == "a"

    due = sorted(filter(is_due, jobs), key=lambda job: (job["due_at"], job["id"]))
    found = tables.read(writes.due, "a", 50, now=NOW)
    assert [(one.job_id, one.contact_id, one.state, one.field) for one in found] == [
        (job["id"], job["contact_id"], job["state"], Field(job["destination"] or job["field"])) for job in due
    ]
    assert tables.read(writes.due, "a", 1, now=NOW) == found[:1]
    told = tables.read(writes.waiting, "a", 50, now=NOW)
    assert told.records == len({job["contact_id"] for job in due})
    if due:
        assert told.since == min(job["updated_at"] for job in due)
        assert told.begun is any(job["state"] is JobState.WRITING for job in due)
        assert tables.read(writes.waiting, "a", 1, now=NOW).records == 1


def test_of_what_is_to_be_written_each_has_its_own_intent(tables: Tables) -> None:
    """And its own contact, answer, review and e-mail."""
    for n in (1, 2):
        given = {**EMPTY, "connection": "crm", "object": "o", "became_at": 5.0}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
        of_job = {"state": "writing", "value": f"v{n}", "result_id": n, "updated_at": 9.0, "sync": "a"}
        tables.add(Where("job", "id"), n, contact_id=n, field="phone", due_at=float(-n), **of_job)
        of_result = {"outcome": "found", "at": 1.0, "said": "[]", "verdict": ("same", "doubtful")[n - 1]}
        tables.add(Where("result", "id"), n, job_id=n, **of_result)
        of_mail = {"state": "done", "value": f"{n}@acme.test", "updated_at": (6.0, 5.0)[n - 1], "sync": "a"}
        tables.add(Where("job", "id"), n + 10, contact_id=n, field="email", **of_mail)
    tables.add(Where("write", "job_id"), 1, state="intent", before="", after="v1", seen="7", property="phone", at=1.0)
    tables.add(Where("write", "job_id"), 2, state="written", before="x", after="v", seen="8", property="phone", at=1.0)
    tables.add(Where("review", "result_id"), 2, job_id=2, value="v2", why="doubt", decision="accepted", opened_at=1.0)
    second, first = tables.read(writes.to_write, [1, 2])
    assert (first.job_id, first.begun, first.seen, first.verdict, first.decided) == (1, True, "7", "same", False)
    assert (second.job_id, second.begun, second.seen, second.verdict, second.decided) == (
        2,
        False,
        "",
        "doubtful",
        True,
    )
    assert (first.learned.email, second.learned.email) == ("1@acme.test", None)
    assert [one.job_id for one in tables.read(writes.to_write, [1, 11])] == [1]


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({}, None),
        ({"per_hour": 5}, 3),
        ({"per_run": 4}, 3),
        ({"per_hour": 5, "per_run": 3}, 2),
        ({"per_hour": 3, "per_run": 9}, 1),
        ({"per_hour": 1, "per_run": 9}, 0),
        ({"per_run": 0}, 0),
        ({"per_hour": 9, "canary": 1}, 1),
        ({"canary": 9, "per_run": 2}, 1),
    ],
)
def test_as_many_writes_are_begun_as_the_least_limit_allows(
    tables: Tables, limits: dict[str, Any], allowed: int | None
) -> None:
    """Two were begun in this hour, one of them in this run."""
    for id_ in (1, 2):
        tables.add(Where("run", "sync"), "a", id=id_, started_at=1.0)
        tables.add(Where("write", "job_id"), id_, state="written", run_id=id_, property="x", at=1.0)
    tables.write(begun, "a", WriteLimits(per_hour=99), 2, now=NOW)
    assert tables.read(write_limits.allowed, "a", WriteLimits(**limits), now=NOW) == allowed
    assert tables.read(write_limits.allowed, "b", WriteLimits(**limits), now=NOW) == min(limits.values(), default=None)


def test_after_its_canary_a_sync_waits_for_a_person_unless_it_writes_something_else(tables: Tables) -> None:
    canary = WriteLimits(canary=3, policy="p")
    for writes_, left in ((0, 3), (2, 1), (1, 0)):
        tables.write(begun, "a", canary, writes_, now=NOW)
        assert tables.read(write_limits.canary_left, "a", canary) == left
    assert tables.read(write_limits.allowed, "a", canary, now=NOW) == 0, "it is paused"
    assert tables.read(write_limits.canary_left, "a", WriteLimits(canary=3, policy="another")) == 3
    tables.write(lambda tx: tx.run("canary_looked_at", sync="a"))
    assert tables.read(write_limits.canary_left, "a", canary) is None
    tables.write(begun, "a", canary, 5, now=NOW)
    assert tables.read(write_limits.canary_left, "a", canary) is None
    tables.write(begun, "a", WriteLimits(canary=3, policy="another"), 1, now=NOW)
    assert tables.read(write_limits.canary_left, "a", WriteLimits(canary=3, policy="another")) == 2


def test_where_a_limit_was_lowered_nothing_is_left_and_not_less(tables: Tables) -> None:
    high = WriteLimits(per_hour=9, canary=9, policy="p")
    tables.add(Where("run", "sync"), "a", id=1, started_at=1.0)
    for job in (1, 2):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", sync="a", state="done")
        tables.add(Where("write", "job_id"), job, state="written", at=NOW, property="x", run_id=1)
    tables.write(begun, "a", high, 2, now=NOW)
    assert tables.read(write_limits.canary_left, "a", WriteLimits(canary=1, policy="p")) == 0
    for limits in (WriteLimits(per_hour=1), WriteLimits(per_run=1), WriteLimits(canary=1, policy="p")):
        assert tables.read(write_limits.allowed, "a", limits, now=NOW) == 0, limits
    for limits in (WriteLimits(per_hour=3), WriteLimits(per_run=3), WriteLimits(canary=3, policy="p")):
        assert tables.read(write_limits.allowed, "a", limits, now=NOW) == 1, limits


# --- values that are old -----------------------------------------------------------------------------


OLD = NOW - 30 * DAY


@pytest.mark.parametrize(
    ("job", "write", "result", "is_old"),
    [
        ({}, {}, OLD, True),
        ({}, {}, None, True),
        ({}, {}, OLD + 1, False),
        ({}, {"at": OLD + 1, "done_at": OLD}, OLD, True),
        ({}, {"at": OLD, "done_at": OLD + 1}, OLD, False),
        ({}, {"at": OLD + 1, "done_at": None}, OLD, False),
        ({}, {"state": "cleared"}, OLD, False),
        ({"state": "answered", "reason": ""}, {}, OLD, False),
        ({"reason": "outdated"}, {}, OLD, False),
        ({"sync": "b"}, {}, OLD, False),
        ({"field": "phone"}, {}, OLD, False),
        ({"value": None}, {}, OLD, False),
    ],
)
def test_which_values_are_old(
    tables: Tables, job: dict[str, Any], write: dict[str, Any], result: float | None, is_old: bool
) -> None:
    tables.add(Where("contact", "ext_id"), "e1", id=1, **EMPTY)
    of_job = {"field": "email", "state": "done", "reason": "written", "sync": "a", "value": "x", **job}
    tables.add(Where("job", "contact_id"), 1, id=7, **of_job)
    of_write = {"state": "written", "at": OLD, "done_at": OLD, **write}
    tables.add(Where("write", "job_id"), 7, **of_write)
    if result is not None:
        tables.add(Where("result", "job_id"), 7, at=result)
    ages = json.dumps([["a", "email", OLD]])

    def due(tx: Any, after: int, until: int) -> Sequence[Any]:
        return [row["id"] for row in tx.rows("refresh_due", ages=ages, after=after, until=until)]

    assert tables.read(due, 6, 7) == ([7] if is_old else [])
    assert tables.read(due, 7, 9) == tables.read(due, 0, 6) == []


@pytest.mark.parametrize(
    ("looked_to", "ended", "looks"),
    [
        (None, None, True),
        (None, NOW, False),
        (None, NOW - DAY + 1, False),
        (None, NOW - DAY, True),
        (None, NOW + 1, True),
        (6.0, NOW - 1, True),
    ],
)
def test_all_values_are_looked_at_once_a_day(
    tables: Tables, looked_to: float | None, ended: float | None, looks: bool
) -> None:
    """A round that is under way goes on, whatever the clock was set to meanwhile."""
    tables.add(Where("job", "id"), 7, contact_id=1, field="email", sync="a", state="queued")
    for key, value in ((refreshes.LOOKED_TO, looked_to), (refreshes.ROUND_ENDED, ended)):
        if value is not None:
            tables.write(lambda tx, key=key, value=value: upkeep.set_mark(tx, key, value))
    found = tables.read(refreshes.portion, {}, now=NOW)
    assert found == (Portion([], 7) if looks else None)
    if looks:
        tables.write(refreshes.looked, 7, now=NOW)
        assert tables.read(refreshes.portion, {}, now=NOW) == Portion((), None)
        tables.write(refreshes.looked, None, now=NOW)
        assert tables.read(refreshes.portion, {}, now=NOW) is None


def test_who_is_to_be_decided_on_or_asked_about_is_counted_up_to_a_limit(tables: Tables) -> None:
    """Before a sync pulls more."""

    def left(limit: int = 9) -> int:
        return int(tables.read(contacts.unasked, "a", limit))

    assert left() == 0
    for n in (1, 2, 3):
        tables.add(Where("contact", "id"), n, **EMPTY, planned=int(n == 3))
    assert (left(), left(1)) == (2, 1)
    for sync, field, state, n in (("a", "email", "queued", 4), ("a", "phone", "queued", 3), ("a", "email", "sent", 9),
                                  ("b", "email", "queued", 9)):  # fmt: skip
        tables.add(Where("counter", "sync"), sync, field=field, state=state, reason="", n=n)
    assert (left(), left(3)) == (6, 5)


def test_what_is_ours_is_told_of_each_job_the_newest_first_and_whether_it_stands(tables: Tables) -> None:
    """A value stands until it was put back: an undo that was asked for, or that has left it, changes nothing."""
    for n, (job, state) in enumerate(
        ((1, "written"), (2, "written"), (1, "written"), (1, "cleared"), (1, "written"), (3, "written")), 1
    ):
        row = {"property": "x", "after": f"v{n}", "seen": f"s{n}", "state": state, "run_id": 1, "at": 1.0}
        tables.add(Where("write", "job_id"), job, id=n, **row)
    for write, state in ((1, "undone"), (3, "kept"), (3, "asked"), (5, "kept")):
        tables.add(Where("undo", "state"), state, write_id=write, head=write, run_id=len(state), job_id=1)
    assert tables.read(writes.ours, [2, 1, 9]) == {
        1: [Written("x", "v5", "s5", True), Written("x", "v3", "s3", True), Written("x", "v1", "s1", False)],
        2: [Written("x", "v2", "s2", True)],
    }


def test_what_was_written_to_a_record_for_another_one_is_its_own(tables: Tables) -> None:
    """The other's was merged into it. Equal ids mean nothing in another CRM, or of another kind of object."""
    for n, (connection, kind) in enumerate((("a", "o"), ("a", "o"), ("b", "o"), ("a", "p"), ("a", "o")), 1):
        given = {**EMPTY, "connection": connection, "object": kind, "lacks": '["email", "phone"]'}
        tables.add(Where("contact", "ext_id"), "1" if n < 5 and n != 2 else f"e{n}", id=n, **given)
        if n != 5:
            tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="done", reason="written")
    for n, (job, record) in enumerate(((1, ""), (2, ""), (2, "1"), (2, "e5"), (4, "e5")), 1):
        row = {"property": "x", "after": f"v{n}", "seen": f"s{n}", "state": "written", "run_id": 1, "at": 1.0}
        tables.add(Where("write", "job_id"), job, id=n, record=record, **row)
    ours = tables.read(writes.ours, [1, 2, 3, 4])
    assert {job: [one.value for one in mine] for job, mine in ours.items()} == {
        1: ["v3", "v1"], 2: ["v4", "v3", "v2"], 4: ["v5"],
    }  # fmt: skip
    read = tables.read(cases.read, [1, 2, 3, 4, 5], Rules())
    assert {(one.contact_id, one.field.value): one.stands["x"].value for one in read.cases if one.stands} == {
        (1, "email"): "v3", (2, "email"): "v4", (4, "email"): "v5", (5, "email"): "v4",
    }  # fmt: skip


# --- what may be under way, and what the CRM is told --------------------------------------------------


@pytest.mark.parametrize(("due", "later"), [(NOW, NOW + 120.0), (NOW + DAY, NOW + DAY)])
def test_open_writes_are_looked_at_once_they_must_have_landed(tables: Tables, due: float, later: float) -> None:
    """Never earlier than they were to be; what is only accepted is written as soon as before."""
    for n, (contact, state) in enumerate(((1, "writing"), (1, "accepted"), (2, "writing"), (3, "answered")), 1):
        tables.add(Where("job", "id"), n, contact_id=contact, field=f"f{n}", sync="a", state=state, due_at=due)

    def told() -> list[float]:
        return [rows[0][0] for _, rows in sorted(tables.rows(Where("job", "id"), ["due_at"]).items())]

    tables.write(writes.postpone_contacts, [1, 3], now=NOW)
    assert told() == [later, due, due, due]
    tables.write(writes.postpone_all, now=NOW)
    assert told() == [later, due, later, due]


@pytest.mark.parametrize(
    ("job", "claim", "told"),
    [
        (None, None, True),
        ("accepted", None, False),
        ("writing", None, False),
        ("queued", None, True),
        (None, ("record", "1"), False),
        (None, ("record", "2"), True),
        (None, ("contact", "1"), True),
    ],
)
def test_the_crm_is_told_anew_of_whom_nothing_is_under_way(
    tables: Tables, job: str | None, claim: tuple[str, str] | None, told: bool
) -> None:
    places = (("crm", "o"), ("crm", "o"), ("crm", "x"), ("other", "o"), ("crm", "o"))
    for n, (connection, object_) in enumerate(places, 1):
        given = {**EMPTY, "connection": connection, "object": object_, "to_tell": 0}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given)
    tables.write(provenance.tell_again, [1, 3, 4, 5])
    if job is not None:
        tables.add(Where("job", "id"), 1, contact_id=1, field="email", sync="a", state=job)
    tables.add(Where("job", "id"), 2, contact_id=2, field="email", sync="a", state="writing")
    if claim is not None:
        tables.add(Where("claim", "kind"), claim[0], item=claim[1])
    found = tables.read(provenance.to_tell, "crm", "o", 9)
    assert found == {n: ContactRef(connection="crm", object="o", id=f"e{n}") for n in ([1, 5] if told else [5])}
    assert [*tables.read(provenance.to_tell, "crm", "o", 1)] == [1 if told else 5]
    tables.write(provenance.told, [5, 3])
    left = {id_ for id_, rows in tables.rows(Where("contact", "id"), ["to_tell"]).items() if rows == [(1,)]}
    assert left == {1, 4}


def test_which_values_of_ours_stand_and_what_was_found_for_them_since(tables: Tables) -> None:
    """Of each field the newest that was written and not put back, or that is being written."""
    for n in (1, 2, 3):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "identity": f'{{"fn":"Ada{n}"}}'})
    jobs = ((1, "email", ""), (1, "phone", "mobile"), (2, "email", ""), (3, "email", ""))
    for n, (contact, field, destination) in enumerate(jobs, 1):
        tables.add(Where("job", "id"), n, contact_id=contact, field=field, destination=destination, state="done")
    said = json.dumps([["valid", "v2"]])
    writes_ = (
        (1, "written", 5.0), (1, "written", 6.0), (1, "cleared", 7.0), (2, "written", 5.0), (2, "intent", None),
        (3, "written", 5.0), (3, "written", 6.0), (4, "cleared", 5.0),
    )  # fmt: skip
    for n, (job, state, done) in enumerate(writes_, 1):
        row = {"state": state, "done_at": done, "at": 4.0, "after": f"v{n}", "run_id": n, "property": "x"}
        tables.add(Where("write", "job_id"), job, id=n, **row, result_id=job)
    for write, state in ((7, "undone"), (6, "kept")):
        tables.add(Where("undo", "state"), state, write_id=write, run_id=1, job_id=3, contact_id=2)
    answers = (
        (1, "found", "same", 6.0), (2, "found", "same", 9.0), (3, "found", "same", 1.0), (1, "found", "same", 6.1),
        (1, "found", "doubtful", 8.0), (1, "not_found", "same", 8.0), (3, "found", "same", 5.5),
        (4, "found", "same", 9.0),
    )  # fmt: skip
    for n, (job, outcome, verdict, at) in enumerate(answers, 1):
        row = {"outcome": outcome, "verdict": verdict, "at": at, "provider": f"p{n}", "delivery_id": None}
        tables.add(Where("result", "id"), n, job_id=job, **row, candidates=said if n != 4 else said.replace("v2", "w"))
    found = tables.read(provenance.standing, [3, 2, 1])
    told = [(one.job_id, one.value, one.provider, one.run, one.at, one.open, one.again_at) for one in found]
    assert told == [
        (1, "v2", "p1", 2, 6.0, False, 6.1), (2, "v5", "p2", 5, 4.0, True, 0.0), (3, "v6", "p3", 6, 5.0, False, 5.5),
    ]  # fmt: skip
    assert (found[0].field, found[1].field) == (Field.EMAIL, Field.MOBILE)
    assert found[0].said is not None
    assert [one.value for one in found[0].again] == ["w"]
    assert found[2].identity.first_name == "Ada2"


def test_a_canary_is_looked_at_by_itself(tables: Tables) -> None:
    limits = WriteLimits(canary=2, policy="p")
    for sync in SYNCS:
        tables.write(begun, sync, limits, 2, now=NOW)
    assert [tables.read(write_limits.canary_left, sync, limits) for sync in SYNCS] == [0, 0]
    tables.write(lambda tx: tx.run("canary_looked_at", sync="a"))
    assert [tables.read(write_limits.canary_left, sync, limits) for sync in SYNCS] == [None, 0]


def test_old_values_come_in_the_order_of_their_jobs(tables: Tables) -> None:
    tables.add(Where("contact", "ext_id"), "e1", id=1, **EMPTY)
    for job, field in ((8, "email"), (7, "phone"), (9, "mobile")):
        of_job = {"field": field, "state": "done", "reason": "written", "sync": "a", "value": "x"}
        tables.add(Where("job", "id"), job, contact_id=1, **of_job)
        tables.add(Where("write", "job_id"), job, state="written", at=OLD, done_at=OLD)
    ages = {("a", Field.EMAIL): OLD, ("a", Field.PHONE): OLD}
    found = tables.read(refreshes.portion, ages, now=NOW)
    assert ([one.job_id for one in found.due], found.last) == ([7, 8], 9)


def test_another_record_of_the_person_may_say_not_to_fill_a_field(tables: Tables) -> None:
    """The first of them is named; not the record itself, nor somebody else's, nor where it speaks of another field."""
    opt_outs = {
        1: ("p", "email"),
        2: ("p", "email"),
        3: ("p", "email"),
        4: ("q", "phone"),
        5: ("q", "email"),
        6: ("r", ""),
    }
    for n, (person, field) in opt_outs.items():
        opt_out = json.dumps({field: "opted_out"}) if field else "{}"
        given = {**EMPTY, "connection": "crm", "object": "o", "person": person, "opt_out": opt_out}
        tables.add(Where("contact", "ext_id"), f"e{10 - n}", id=n, **given)
        for add, asked in ((0, "email"), (10, "phone")):
            job = {"state": "accepted", "contact_id": n, "sync": "a", "value": "v", "due_at": 1.0}
            tables.add(Where("job", "id"), n + add, field=asked, **job)
    jobs = tables.read(writes.to_write, [*range(1, 7), *range(11, 17)])
    assert len(jobs) == 12
    found = tables.read(writes.opted_out_elsewhere, jobs)
    assert found == {1: "crm/o/e7", 2: "crm/o/e7", 3: "crm/o/e8", 4: "crm/o/e5", 15: "crm/o/e6"}
    assert tables.read(writes.opted_out_elsewhere, []) == {}
    rows = tables.read(lambda tx: [(row["contact_id"], row["ref"]) for row in tx.rows("cases_kin", ids="[4, 6]")])
    assert rows == [(4, "crm/o/e5")]


def test_a_value_that_was_found_long_ago_and_waits_to_be_written(tables: Tables) -> None:
    for n, (state, outcome, at, sync) in enumerate(
        (("accepted", "found", 5.0, "a"), ("writing", "found", 4.0, "a"), ("accepted", "found", 5.1, "a"),
         ("accepted", "not_found", 1.0, "a"), ("done", "found", 1.0, "a"), ("accepted", "found", 1.0, "b")), 1
    ):  # fmt: skip
        tables.add(Where("job", "id"), n, contact_id=n, field="email", state=state, sync=sync)
        tables.add(Where("result", "id"), n, job_id=n, outcome=outcome, at=at, delivery_id=n)
    assert tables.read(writes.waiting_since, "a", 5.0, 9) == 2
    assert tables.read(writes.waiting_since, "a", 5.0, 1) == 1
    assert tables.read(writes.waiting_since, "b", 0.9, 9) == 0


def test_a_write_that_is_open_stays_the_only_one_and_ends_once(tables: Tables) -> None:
    """With the newest run of its own sync, and the answer that it is from."""
    for n, sync in ((1, "a"), (2, "b"), (3, "a")):
        tables.add(Where("run", "id"), n, sync=sync, started_at=1.0)
    for n, sync in ((1, "a"), (2, "b"), (3, "c")):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", state="writing", sync=sync, result_id=10 + n)
    rows = json.dumps(
        [[n, f"before{n}", f"after{n}", f"seen{n}", "email", "fill_blank", "basis", f"record{n}"] for n in (1, 2, 3)]
    )
    for _ in range(2):
        tables.write(lambda tx: tx.run("writes_make", rows=rows, now=7.0))
    columns = [
        "before",
        "after",
        "seen",
        "property",
        "policy",
        "basis",
        "record",
        "state",
        "at",
        "run_id",
        "result_id",
        "done_at",
    ]
    told = tables.rows(Where("write", "job_id"), columns)
    runs = {1: 3, 2: 2, 3: 0}
    assert told == {
        n: [
            (
                f"before{n}",
                f"after{n}",
                f"seen{n}",
                "email",
                "fill_blank",
                "basis",
                f"record{n}",
                "intent",
                7.0,
                runs[n],
                10 + n,
                None,
            )
        ]
        for n in runs
    }
    for state in ("written", "cleared"):
        ended = json.dumps([[1, state, "a note"], [2, state, ""]])
        tables.write(lambda tx, ended=ended: tx.run("writes_close", rows=ended, now=8.0))
    told = tables.rows(Where("write", "job_id"), ["state", "note", "done_at"])
    assert told == {1: [("written", "a note", 8.0)], 2: [("written", "", 8.0)], 3: [("intent", "", None)]}
    tables.write(lambda tx: tx.run("writes_make", rows=rows, now=9.0))
    assert {n: len(rows) for n, rows in tables.rows(Where("write", "job_id"), ["at"]).items()} == {1: 2, 2: 2, 3: 1}


def test_how_often_a_crm_refused_a_value(tables: Tables) -> None:
    for n, (job, state, at) in enumerate(
        ((1, "refused", 5.0), (1, "refused", 3.0), (1, "written", 1.0), (2, "refused", 4.0), (3, "refused", 2.0)), 1
    ):
        tables.add(Where("write", "id"), n, job_id=job, state=state, at=at, property="x", run_id=1)
    found = tables.read(lambda tx: {row[0]: tuple(row)[1:] for row in tx.rows("writes_refused", ids="[1, 2, 9]")})
    assert found == {1: (2, 3.0), 2: (1, 4.0)}
    for n, state in ((1, "writing"), (2, "accepted"), (3, "writing")):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", state=state, sync="abc"[n - 1], due_at=1.0)
    tables.write(lambda tx: tx.run("jobs_postpone", ids="[1, 2]", state="writing", due_at=9.0))
    due = {n: rows[0][0] for n, rows in tables.rows(Where("job", "id"), ["due_at"]).items()}
    assert due == {1: 9.0, 2: 1.0, 3: 1.0}
    assert sorted(tables.read(writes.begun_without_sync, ["a"])) == [3]
    assert sorted(tables.read(writes.begun_without_sync, [])) == [1, 3]


@pytest.mark.parametrize(
    ("times", "first_ago", "wait"),
    [
        (1, 0.0, 300.0), (2, 600.0, 600.0), (3, DAY, 1_200.0), (7, DAY, 19_200.0), (8, DAY, 21_600.0),
        (50, 60 * DAY, 21_600.0), (2, 60 * DAY + 1, None),
    ],
)  # fmt: skip
def test_what_a_rule_forbids_is_tried_again_at_growing_intervals_for_two_months(
    tables: Tables, times: int, first_ago: float, wait: float | None
) -> None:
    """Its newest try is the one that was just refused; that of another job says nothing."""
    for job in (1, 2):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", sync="a", state="writing", value="v")
        tables.add(Where("write", "job_id"), job, state="intent", at=NOW - first_ago, property="x", run_id=1)
    for n in range(1, times):
        tables.add(Where("write", "job_id"), 1, state="refused", at=NOW - first_ago + n / 100, property="x", run_id=1)
    assert tables.write(writes.refuse, [writes.Refused(a_value(1), "a rule")], now=NOW) == [times]
    told = tables.rows(Where("job", "id"), ["state", "reason", "note", "due_at"])[1][0]
    assert told[:3] == (("done", "write_refused", "a rule") if wait is None else ("accepted", "", "a rule"))
    assert wait is None or told[3] == NOW + wait
    written = tables.rows(Where("write", "job_id"), ["state", "note"])
    assert (written[1].count(("refused", "a rule")), written[2]) == (1, [("intent", "")])
    assert tables.write(writes.refuse, [], now=NOW) == []


def a_value(job: int, state: JobState = JobState.WRITING, **more: Any) -> writes.ToWrite:
    ref = ContactRef(connection="crm", object="contacts", id=str(job))
    given = {"field": Field.EMAIL, "asked": Field.EMAIL, "value": "v", "accepted_at": NOW, "identity": Identity()}
    return writes.ToWrite(job_id=job, contact_id=job, state=state, ref=ref, **{**given, **more})


@pytest.mark.parametrize("state", list(JobState))
def test_what_was_decided_on_anew_while_it_was_written_stays_so(tables: Tables, state: JobState) -> None:
    """Its write is closed all the same; what is written still is done, or decided on anew."""
    for job in (1, 2, 3):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", sync="a", state=state)
        tables.add(Where("write", "job_id"), job, state="intent", at=NOW, property="x", run_id=1)
    open_ = state in (JobState.ACCEPTED, JobState.WRITING)
    done = tables.write(writes.finish, [writes.Ended(a_value(1), Reason.WRITTEN, "taken")], now=NOW)
    tables.write(writes.judge_again, [(a_value(2), "somebody else")], now=NOW)
    tables.write(writes.without_place, [3], now=NOW)
    told = {job: rows[0][0] for job, rows in tables.rows(Where("job", "id"), ["state"]).items()}
    assert (done, told) == (
        (1, {1: "done", 2: "answered", 3: "answered"}) if open_ else (0, {1: state, 2: state, 3: state})
    )
    assert tables.rows(Where("write", "job_id"), ["state", "note"]) == {
        1: [("written", "taken")],
        2: [("not_written", "somebody else")],
        3: [("unknown", "its property is not configured any more")],
    }


def test_what_a_write_came_to_is_told_by_its_outcome_where_there_is_one(tables: Tables) -> None:
    for job in (1, 2):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", sync="a", state="writing")
        tables.add(Where("write", "job_id"), job, state="intent", at=NOW, property="x", run_id=1)
    ended = [writes.Ended(a_value(1), Reason.VALUE_KEPT), writes.Ended(a_value(2), Reason.VALUE_KEPT, "", "restored")]
    assert tables.write(writes.finish, ended, now=NOW) == 2
    assert tables.rows(Where("write", "job_id"), ["state"]) == {1: [(Reason.VALUE_KEPT,)], 2: [("restored",)]}
    assert tables.rows(Where("job", "id"), ["reason"]) == {1: [(Reason.VALUE_KEPT,)], 2: [(Reason.VALUE_KEPT,)]}


def test_an_open_intent_stays_the_first_one(tables: Tables) -> None:
    """One that another value was accepted for meanwhile is not written."""
    given = {"value": "v", "destination": "", "result_id": None, "field": "email", "sync": "a"}
    for job, state in ((1, "accepted"), (2, "writing"), (3, "accepted")):
        tables.add(Where("job", "id"), job, contact_id=job, state=state, **{**given, "value": "w" if job == 3 else "v"})
        tables.add(Where("contact", "id"), job, **EMPTY, sync="a")
    tables.add(Where("write", "job_id"), 2, state="intent", at=1.0, property="x", run_id=1, before="b", seen="first")
    wanted = [
        writes.Intent(a_value(1, JobState.ACCEPTED), "", "stamp", "x", "better", "consent"),
        writes.Intent(a_value(2, begun=True), "", "stamp", "x"),
        writes.Intent(a_value(3, JobState.ACCEPTED), "", "stamp", "x"),
    ]
    assert tables.write(writes.intend, wanted, now=NOW) == {1, 2}
    told = tables.rows(Where("write", "job_id"), ["before", "seen", "property", "policy", "basis", "at"])
    assert told[1] == [("", "stamp", "x", "better", "consent", NOW)]
    assert [row[:3] for row in told[2]] == [("b", "first", "x")]
    assert set(told) == {1, 2}


def test_what_is_still_accepted_as_it_was(tables: Tables) -> None:
    given = {"state": "accepted", "value": "v", "destination": "", "result_id": 5, "field": "email"}
    others: tuple[dict[str, Any], ...] = (
        {}, {"state": "writing"}, {"value": "w"}, {"destination": "mobile"}, {"result_id": 6}, {"result_id": None},
    )  # fmt: skip
    for n, other in enumerate(others, 1):
        tables.add(Where("job", "id"), n, contact_id=n, sync="a", **{**given, **other})
    values = json.dumps([[n, "v", "email", 5] for n in range(1, 7)])
    assert tables.read(lambda tx: tx.packed("jobs_accepted_as", values=values)) == [1]
    values = json.dumps([[4, "v", "mobile", 5], [6, "v", "email", None], [3, "w", "email", 5]])
    assert sorted(tables.read(lambda tx: tx.packed("jobs_accepted_as", values=values))) == [3, 4, 6]


@pytest.mark.parametrize("state", ["done", "queued", "answered"])
def test_a_value_is_verified_again_last_of_all(tables: Tables, state: str) -> None:
    for n in (1, 2):
        tables.add(
            Where("job", "id"), n, contact_id=n, field="email", sync="a", state=state, priority=1, retried_at=2.0
        )
    tables.write(lambda tx: tx.run("refresh_begin", ids="[1]", now=NOW))
    told = tables.rows(Where("job", "id"), ["priority", "retried_at"])
    assert told == {1: [(-1, NOW) if state == "done" else (1, 2.0)], 2: [(1, 2.0)]}
    jobs = (
        ("a", "ann", "queued", -1),
        ("a", "ann", "queued", 0),
        ("a", "bob", "queued", -1),
        ("b", "ann", "queued", -1),
        ("a", "ann", "done", -1),
    )
    for n, (sync, provider, at, priority) in enumerate(jobs, 11):
        tables.add(
            Where("job", "id"),
            n,
            contact_id=n,
            field="email",
            sync=sync,
            provider=provider,
            state=at,
            priority=priority,
        )
    assert tables.read(refreshes.waiting, [("a", "ann")]) == 1
    assert tables.read(refreshes.waiting, [("a", "ann"), ("b", "ann"), ("b", "bob")]) == 2


def test_a_record_is_restated_and_another_sync_looks_after_it(tables: Tables) -> None:
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "planned": 1, "fingerprint": 5})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="queued")
    tables.write(lambda tx: tx.run("contact_restate", id=1, identity='{"ln":"Stone"}'))
    told = tables.rows(Where("contact", "id"), ["identity", "planned", "fingerprint"])
    assert told == {1: [('{"ln":"Stone"}', 0, None)], 2: [("{}", 1, 5)]}
    tables.write(lambda tx: tx.run("job_adopt", id=1, sync="b"))
    assert tables.rows(Where("job", "id"), ["sync"]) == {1: [("b",)], 2: [("a",)]}
    assert tables.read(lambda tx: tx.row("job_of_contact", contact_id=2, field="email")["id"]) == 2
    assert tables.read(lambda tx: tx.row("job_of_contact", contact_id=2, field="phone")) is None
