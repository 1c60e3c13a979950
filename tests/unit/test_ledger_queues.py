"""Whose turn it is: to be asked about, to be written, to be verified again; against the same in Python."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from syncd.contract.model import Field
from syncd.ledger import breakers, candidates, inbox, submissions, write_limits, writes
from syncd.ledger.candidates import Asked
from syncd.ledger.results import Since
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.ledger.write_limits import WriteLimits, begun

from .by_hand import DAY, EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SEEDS = range(4)
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


# --- whom to ask -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_whose_turn_it_is_at_a_provider(tables: Tables, seed: int) -> None:
    """Queued, seen in the CRM, held by nobody: by priority, then age."""
    rng = random.Random(seed)
    jobs: list[dict[str, Any]] = []
    for n in range(1, 60):
        contact: dict[str, Any] = {"pulled_at": rng.choice((0.0, 1.0, 2.0))}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **EMPTY, **contact)
        job: dict[str, Any] = {
            "sync": rng.choice("aab"),
            "provider": rng.choice(("ann", "ann", "bob")),
            "priority": rng.randint(-1, 2),
        }
        job |= {"state": rng.choice(("queued", "queued", "waiting")), "field": rng.choice(FIELDS)}
        tables.add(Where("job", "id"), n, contact_id=n, **job)
        claim = rng.choice(("", "", "job", "contact"))
        if claim:
            tables.add(Where("claim", "kind"), claim, item=str(n))
        jobs.append({**contact, **job, "id": n, "held": claim == "job"})
    for fields, (least, most), limit in itertools.product(
        (None, [Field.PHONE], list(FIELDS)), ((0, 99), (-1, -1), (1, 1), (0, 1)), (1, 4, 100)
    ):
        wanted = [
            job for job in jobs
            if job["sync"] == "a" and job["provider"] == "ann" and job["state"] == "queued" and job["pulled_at"] > 0
            and not job["held"] and least <= job["priority"] <= most and (fields is None or job["field"] in fields)
        ]  # fmt: skip
        wanted.sort(key=lambda job: (-job["priority"], job["id"]))
        found = tables.read(candidates.waiting, "a", "ann", limit, fields=fields, at_least=least, at_most=most)
        assert found == [job["id"] for job in wanted][:limit]


JOB: dict[str, Any] = {
    "sync": "a", "provider": "ann", "round": 2, "priority": 0, "state": "sending", "field": "email", "person": "p",
}  # fmt: skip


@pytest.mark.parametrize(
    ("job", "contact", "others", "by_person", "wanted"),
    [
        ({}, {}, [], True, True),
        ({"provider": "bob"}, {}, [], True, False),
        ({"round": 1}, {}, [], True, False),
        ({"sync": "b"}, {}, [], True, False),
        ({}, {"lacks": '["phone"]'}, [], True, False),
        ({"priority": 1}, {"lacks": '["phone"]'}, [], True, False),
        ({"priority": -1}, {"lacks": '["phone"]'}, [], True, True),
        ({}, {"blocked": '{"email": "opted_out"}'}, [], True, False),
        ({"priority": -1}, {"blocked": '{"email": "opted_out"}'}, [], True, False),
        ({}, {"blocked": '{"phone": "opted_out"}'}, [], True, True),
        ({}, {}, [{"state": "sending"}], True, False),
        ({}, {}, [{"state": "sent"}], False, False),
        ({}, {}, [{"state": "in_doubt"}], True, False),
        ({}, {}, [{"state": "answered"}], True, True),
        ({}, {}, [{"state": "sent", "field": "phone"}], True, True),
        ({}, {}, [{"state": "sent", "person": "q"}], True, True),
        ({}, {"opt_out": '{"email": "opted_out"}'}, [], True, False),
        ({}, {"opt_out": '{"email": "opted_out"}'}, [], False, True),
        ({}, {"opt_out": '{"phone": "opted_out"}'}, [], True, True),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}'}], True, False),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}'}], False, True),
        ({}, {}, [{"state": "done", "opt_out": '{"email": "opted_out"}', "person": "q"}], True, True),
        ({}, {}, [{"state": "done", "opt_out": '{"phone": "opted_out"}'}], True, True),
    ],
)
def test_who_is_not_wanted_any_more(
    tables: Tables, job: dict[str, Any], contact: dict[str, Any], others: list[dict[str, Any]], by_person: bool,
    wanted: bool,
) -> None:  # fmt: skip
    """Between the choice and the intent: another turn, a filled or blocked field, the same person asked about."""
    contact = {**EMPTY, "person": "p", "lacks": '["email", "phone"]', **contact}
    tables.add(Where("contact", "id"), 1, **contact)
    tables.add(Where("job", "id"), 1, contact_id=1, **{**JOB, **job})
    for n, other in enumerate(others, 2):
        person = other.get("person", "p")
        tables.add(Where("contact", "id"), n, **{**EMPTY, "person": person, "opt_out": other.get("opt_out", "{}")})
        values = {k: v for k, v in other.items() if k != "opt_out"}
        tables.add(Where("job", "id"), n, contact_id=n, **{**JOB, "person": "p", **values})
    values = {"provider": "ann", "sync": "a", "by_person": int(by_person)}

    def refused(tx: Tx, pairs: list[tuple[int, int]]) -> bool:
        return tx.row("jobs_not_wanted", **values, wanted=json.dumps(pairs)) is not None

    assert tables.read(refused, [(1, 2)]) is not wanted
    assert not tables.read(refused, [])


@pytest.mark.parametrize(
    ("attempt", "job", "outcome", "taken"),
    [
        ({}, {}, "not_found", False),
        ({"created_at": 21.0}, {}, "not_found", True),
        ({"created_at": 20.0}, {}, "not_found", False),
        ({"created_at": 20.0}, {}, "found", True),
        ({"created_at": 11.0}, {}, None, True),
        ({"created_at": 10.0}, {}, "found", False),
        ({"created_at": 10.0}, {}, None, False),
        ({"created_at": 1.0}, {"state": "sending"}, None, True),
        ({"created_at": 1.0}, {"state": "sent"}, "not_found", True),
        ({"created_at": 1.0}, {"state": "in_doubt"}, None, True),
        ({"created_at": 1.0}, {"state": "answered"}, None, False),
        ({"created_at": 1.0}, {"state": "sent", "submission_id": "another"}, None, False),
        ({"created_at": 30.0, "live": 0}, {"state": "sent"}, None, False),
        ({"created_at": 30.0, "provider": "bob"}, {"state": "sent"}, None, False),
        ({"created_at": 30.0, "question": 8}, {"state": "sent"}, None, False),
    ],
)
def test_which_question_was_asked_lately(
    tables: Tables, attempt: dict[str, Any], job: dict[str, Any], outcome: str | None, taken: bool
) -> None:
    """Misses count from 20 on; finds, and what has no answer, from 10 on; what is under way always."""
    told = {"question": 7, "provider": "ann", "live": 1, "created_at": 15.0, **attempt}
    tables.add(Where("job", "id"), 1, field="email", **{"state": "done", "submission_id": "s", **job})
    tables.add(Where("attempt", "job_id"), 1, submission_id="s", **told)
    for n, other in enumerate(("another job's", "another call's")):
        where = {"job_id": 2, "submission_id": "s"} if n == 0 else {"job_id": 1, "submission_id": "t"}
        tables.add(Where("result", "note"), other, **where, outcome="not_found", at=1.0)
    if outcome is not None:
        tables.add(Where("result", "id"), 9, job_id=1, submission_id="s", outcome=outcome, at=1.0)
    since = Since(missed=20.0, found=10.0)
    asked = tables.read(candidates.asked, "ann", {7: since})
    under_way = job.get("state") in ("sending", "sent", "in_doubt")
    answer = None if outcome is None else 9
    assert asked == ({7: Asked(job_id=1, under_way=under_way, result_id=answer)} if taken else {})

    def is_taken(tx: Tx) -> bool:
        return tx.row("questions_taken", questions=json.dumps([[7, "ann", *since]])) is not None

    assert tables.read(is_taken) is taken


def test_which_results_are_asked_for_now(tables: Tables) -> None:
    """Accepted and due, the longest due first; not what another process asks for just now."""
    call = Where("submission", "id", fixed={"shares": "{}"})
    due = {"a": 5.0, "b": 3.0, "c": 10.0, "d": 10.5, "e": None, "f": 1.0, "g": 1.0, "h": 2.0, "i": 4.0}
    given: dict[str, dict[str, Any]] = {"f": {"state": "in_doubt"}, "g": {"provider": "bob"}}
    for name, poll_at in due.items():
        tables.add(call, name, **{"state": "accepted", "provider": "ann", "poll_at": poll_at, **given.get(name, {})})
    tables.add(Where("claim", "kind"), "submission", item="h")
    tables.add(Where("claim", "kind"), "delivery", item="i")
    assert tables.read(submissions.to_poll, "ann", 10, now=10.0) == ["b", "i", "a", "c"]
    assert tables.read(submissions.to_poll, "ann", 2, now=10.0) == ["b", "i"]
    tables.write(submissions.poll_all_now, "ann", now=7.0)
    assert tables.read(submissions.to_poll, "ann", 10, now=7.0) == ["a", "b", "c", "d", "i"]


# --- refusals, failures, repeats ---------------------------------------------------------------------


def test_how_often_a_contact_was_refused_in_a_call_of_its_own(tables: Tables) -> None:
    """Three calls about job 1, of which two were refused by itself; others' refusals are none of it."""
    call = Where("submission", "id", fixed={"shares": "{}"})
    alone = f"{breakers.BY_ITSELF}no"
    calls = {
        "a": ("refused", alone, "ann"), "b": ("refused", alone, "ann"), "c": ("refused", "no", "ann"),
        "d": ("settled", alone, "ann"), "e": ("refused", alone, "bob"), "f": ("refused", alone, "ann"),
    }  # fmt: skip
    for n, job in enumerate((1, 1, 1, 1, 1, 2)):
        name = "abcdef"[n]
        state, note, provider = calls[name]
        tables.add(call, name, state=state, note=note, provider=provider)
        tables.add(Where("attempt", "submission_id"), name, job_id=job, provider=provider, live=0)
    for job, state in ((1, "queued"), (2, "queued"), (3, "sent")):
        tables.add(Where("job", "id"), job, contact_id=job, field="email", state=state)
    tables.add(Where("attempt", "submission_id"), "a", job_id=3, provider="ann", live=0)

    def refused(tx: Tx, call_id: str) -> list[tuple[int, int]]:
        rows = tx.rows("jobs_refused_alone", submission_id=call_id, prefix=breakers.BY_ITSELF + "%")
        return [tuple(row) for row in rows]

    assert tables.read(refused, "a") == [(1, 2)]
    assert tables.read(refused, "e") == [(1, 1)]
    assert tables.read(refused, "f") == [(2, 1)]


def test_failures_are_counted_by_job_provider_and_round(tables: Tables) -> None:
    base: dict[str, Any] = {"job_id": 1, "provider": "ann", "round": 2, "outcome": "failed"}
    others: list[dict[str, Any]] = [{}, {}, {"job_id": 2}, {"provider": "bob"}, {"round": 1}, {"outcome": "not_found"}]
    for n, other in enumerate(others, 1):
        tables.add(Where("result", "id"), n, **{**base, **other}, at=1.0)

    def failures(tx: Tx) -> int:
        return int(tx.value("failures", job_id=1, provider="ann", round=2))

    assert tables.read(failures) == 2


@pytest.mark.parametrize(
    ("delivery", "state", "again"),
    [
        ({}, "accepted", True),
        ({}, "settled", False),
        ({"source": "poll"}, "accepted", False),
        ({"state": "received"}, "accepted", False),
        ({"state": "quarantined"}, "accepted", False),
    ],
)
def test_the_same_bytes_by_a_poll_are_read_once_more_unless_the_last_word_was_said(
    tables: Tables, delivery: dict[str, Any], state: str, again: bool
) -> None:
    tables.add(Where("submission", "id", fixed={"shares": "{}"}), "a", provider="ann", state=state)
    tables.add(Where("submission", "id", fixed={"shares": "{}"}), "b", provider="ann", state="accepted")
    values = {"submission_id": "a", "source": "callback", "state": "applied", **delivery}
    for n in (1, 2):
        tables.add(Where("delivery", "id"), n, **values, body=b"{}")
    changed = tables.write(lambda tx: tx.run("delivery_fetched", id=1, body=b"{}", sample_id=None))
    assert changed == int(again)
    rows = tables.rows(Where("delivery", "id"), ["source", "state"])
    assert rows[1] == [("poll", "received") if again else (values["source"], values["state"])]
    assert rows[2] == [(values["source"], values["state"])]


def test_of_the_jobs_that_were_looked_up_those_whose_turn_it_still_is(tables: Tables) -> None:
    """With the e-mail's job of the same contact, and its value unless the record is about somebody else since."""
    others: dict[int, dict[str, Any]] = {
        1: {}, 2: {"sync": "b"}, 3: {"provider": "bob"}, 4: {"state": "answered"}, 5: {"priority": 1},
    }  # fmt: skip
    for n, other in others.items():
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, connection="crm", object="o", became_at=5.0, **EMPTY)
        job = {"sync": "a", "provider": "ann", "state": "queued", "field": "phone", "priority": 0, **other}
        tables.add(Where("job", "id"), n, contact_id=n, **job)
    for n, (contact, at) in enumerate(((1, 6.0), (5, 5.0)), 11):
        values = {"state": "done", "field": "email", "sync": "a", "value": f"{contact}@acme.test", "updated_at": at}
        tables.add(Where("job", "id"), n, contact_id=contact, **values)
    found = tables.read(candidates.candidates, "a", "ann", [1, 2, 3, 4, 5])
    assert [(one.job_id, one.identity.emails) for one in found] == [(5, ()), (1, ("1@acme.test",))]
    assert tables.read(candidates.candidates, "a", "ann", [2, 3, 4]) == []
    assert [one.job_id for one in tables.read(candidates.candidates, "a", "ann", [1])] == [1]


@pytest.mark.parametrize(
    ("state", "blocks"), [("queued", True), ("sent", True), ("review", False), ("accepted", False), ("done", False)]
)
def test_a_phone_knows_of_the_email_that_is_under_way(tables: Tables, state: str, blocks: bool) -> None:
    tables.add(Where("contact", "ext_id"), "e1", id=1, connection="crm", object="o", **EMPTY)
    for n, (field, one) in enumerate((("phone", "queued"), ("email", state)), 1):
        tables.add(Where("job", "id"), n, contact_id=1, sync="a", provider="ann", state=one, field=field)
    found = {one.job_id: one.email_job for one in tables.read(candidates.candidates, "a", "ann", [1, 2])}
    assert found == {1: 2 if blocks else None} | ({2: None} if state == "queued" else {})


# --- how much at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "room", "found"),
    [
        (9, 99, [1, 2, 3]),
        (2, 99, [1, 2]),
        (9, 60, [1, 2, 3]),
        (9, 59, [1, 2]),
        (9, 30, [1, 2]),
        (9, 29, [1]),
        (9, 1, [1]),
    ],
)
def test_as_many_deliveries_are_read_as_fit_and_one_at_least(
    tables: Tables, limit: int, room: int, found: list[int]
) -> None:
    """The oldest that nobody holds."""
    for n, (size, state) in enumerate(((10, "received"), (20, "received"), (30, "received"), (1, "applied")), 1):
        tables.add(Where("delivery", "id"), n, submission_id=f"s{n}", state=state, size=size, body=b"")
    tables.add(Where("delivery", "id"), 5, submission_id="s5", state="received", size=0, body=b"")
    tables.add(Where("claim", "kind"), "delivery", item="5")
    tables.add(Where("claim", "kind"), "submission", item="1")
    assert tables.read(inbox.waiting, limit, room) == found


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
