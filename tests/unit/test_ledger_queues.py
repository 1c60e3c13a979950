"""Whose turn it is to be asked about, and what is read or asked once more; against the same in Python."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from syncd.contract.model import Field
from syncd.ledger import breakers, candidates, cases, inbox, results, submissions
from syncd.ledger.candidates import Asked
from syncd.ledger.contacts import Rules
from syncd.ledger.results import Since
from syncd.ledger.store import Tx

from .by_hand import EMPTY, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

SEEDS = range(4)
FIELDS = (Field.EMAIL, Field.PHONE)


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
    tables.add(Where("sample", "id"), 7)
    for n in (1, 2):
        tables.add(Where("delivery", "id"), n, **values, body=b"{}")
    changed = tables.write(lambda tx: tx.run("delivery_fetched", id=1, body=b"packed", sample_id=7))
    assert changed == int(again)
    rows = tables.rows(Where("delivery", "id"), ["source", "state", "body", "sample_id"])
    kept = (values["source"], values["state"], b"{}", None)
    assert rows[1] == [("poll", "received", b"packed", 7) if again else kept]
    assert rows[2] == [kept]


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


# --- what is looked at, asked or told once more ------------------------------------------------------


def test_a_question_that_was_asked_in_vain_may_be_asked_in_the_same_words(tables: Tables) -> None:
    """Not one that is under way, nor one that found somebody."""
    jobs = {1: "done", 2: "sent", 3: "done", 4: "done", 5: "done"}
    for job, state in jobs.items():
        tables.add(Where("job", "id"), job, contact_id=job, field="email", sync="a", state=state)
        tables.add(Where("attempt", "job_id"), job, submission_id=f"s{job}", provider="ann", live=1)
    for n, (job, call, outcome) in enumerate(
        ((3, "s3", "found"), (4, "s3", "found"), (1, "s1", "not_found"), (5, "s1", "found")), 1
    ):
        tables.add(Where("result", "id"), n, job_id=job, submission_id=call, outcome=outcome, at=1.0)
    tables.write(lambda tx: tx.run("retry_questions", ids="[1, 2, 3, 4]"))
    live = {job: rows[0][0] for job, rows in tables.rows(Where("attempt", "job_id"), ["live"]).items()}
    assert live == {1: 0, 2: 1, 3: 1, 4: 0, 5: 1}


@pytest.mark.parametrize(
    ("note", "limit", "read"), [(None, 9, {1, 2, 3}), (None, 2, {2, 3}), ("x", 9, {1, 3}), ("x", 1, {3})]
)
def test_the_newest_that_were_set_aside_are_read_once_more(
    tables: Tables, note: str | None, limit: int, read: set[int]
) -> None:
    for n, (state, why) in enumerate(
        (("quarantined", "x"), ("quarantined", "y"), ("quarantined", "x"), ("applied", "x")), 1
    ):
        tables.add(Where("delivery", "id"), n, submission_id=f"s{n}", state=state, note=why, body=b"{}", size=2)
    for n, (body, size) in enumerate(((b"", 5), (b"{", 2)), 5):
        tables.add(Where("delivery", "id"), n, submission_id="s", state="quarantined", note="x", body=body, size=size)
    assert tables.write(inbox.look_again, note, limit=limit) == len(read)
    again = {id_ for id_, rows in tables.rows(Where("delivery", "id"), ["state"]).items() if rows == [("received",)]}
    assert again == read


def test_an_answer_speaks_for_another_record_as_if_it_was_asked_now(tables: Tables) -> None:
    """But never before the record was about whom it is about, nor before a person wanted it to be tried again."""
    became = {1: 1.0, 2: 50.0, 3: 1.0}
    for n, at in became.items():
        tables.add(Where("contact", "id"), n, **EMPTY, became_at=at)
        job = {"state": "answered", "field": "email", "sync": "a", "retried_at": 60.0 if n == 3 else 0.0}
        tables.add(Where("job", "id"), n + 10, contact_id=n, **job)
    given = {"outcome": "found", "candidates": "[]", "told": "{}", "asked_at": 5.0, "at": 6.0, "delivery_id": 4}
    tables.add(Where("result", "id"), 1, job_id=99, provider="ann", submission_id="s", way="w", **given)
    for copied in (11, 12, 13):
        tables.write(results.copy, 1, copied, 7, way="other", doubt="d", note="n", now=20.0)
    columns = ["provider", "round", "submission_id", "delivery_id", "way", "asked_at", "at", "doubt", "note", "outcome"]
    found = tables.rows(Where("result", "job_id"), columns)
    for copied, asked_at in ((11, 20.0), (12, 50.0), (13, 60.0)):
        assert found[copied] == [("ann", 7, "s", 4, "other", asked_at, 6.0, "d", "n", "found")]
    tables.write(results.copy, 1, 11, 8, way="other", doubt="", note="", now=20.0)
    assert [row[3] for row in tables.rows(Where("result", "job_id"), columns)[11]].count(None) == 1, "one of a delivery"


@pytest.mark.parametrize(
    ("state", "reserved", "assumed", "priced"),
    [
        ("expired", 5, 0, True),
        ("settled", 0, 5, True),
        ("settled", 0, 0, False),
        ("accepted", 5, 0, False),
        ("in_doubt", 5, 0, False),
    ],
)
def test_a_person_prices_a_call_that_nobody_priced(
    tables: Tables, state: str, reserved: int, assumed: int, priced: bool
) -> None:
    for name in ("s", "t"):
        row = {"state": state, "reserved_mc": reserved, "assumed_mc": assumed, "shares": '{"email": 1}', "note": "old"}
        tables.add(Where("submission", "id"), name, provider="ann", **row)
    values = {"id": "s", "charged_mc": 3, "note": "looked up", "shares": None}
    assert tables.write(lambda tx: tx.run("call_priced", **values)) == int(priced)
    columns = ["charged_mc", "reserved_mc", "assumed_mc", "note", "shares"]
    found = tables.rows(Where("submission", "id"), columns)
    before = (None, reserved, assumed, "old", '{"email": 1}')
    assert found["t"] == [before]
    assert found["s"] == [(3, 0, 0, "looked up", '{"email": 1}') if priced else before]


def test_which_calls_had_their_last_word(tables: Tables) -> None:
    """Those that were settled when one without a signature was taken."""
    for name, state in (("s", "settled"), ("t", "settled"), ("u", "accepted")):
        tables.add(Where("submission", "id"), name, state=state, provider="ann", shares="{}")
    assert tables.read(inbox.had_last_word, ["s", "t", "u"]) == set()
    assert tables.write(lambda tx: tx.run("submissions_answered", ids='["s", "u"]')) == 1
    assert tables.read(inbox.had_last_word, ["s", "t", "u", "unknown"]) == {"s"}
    assert tables.read(inbox.had_last_word, ["t"]) == set()


def test_of_the_answers_that_were_taken_up_those_are_read_that_nobody_has_read(tables: Tables) -> None:
    for n, state in enumerate(("received", "applied", "received", "quarantined"), 1):
        row = {"submission_id": f"s{n}", "source": "poll", "headers": None, "body": b"{}", "sample_id": None}
        tables.add(Where("delivery", "id"), n, state=state, **row)
    assert [one.id for one in tables.read(inbox.received, [3, 2, 1])] == [1, 3]


@pytest.mark.parametrize(
    ("state", "due", "ends"), [("failed", 5.0, True), ("failed", 5.1, False), ("expired", 5.0, False)]
)
def test_what_a_provider_failed_at_costs_nothing_once_no_answer_is_awaited(
    tables: Tables, state: str, due: float, ends: bool
) -> None:
    row = {"state": "accepted", "deadline": due, "reserved_mc": 9_000, "shares": '{"email": 9000}', "run_id": 1}
    tables.add(Where("submission", "id"), "s", provider="ann", sync="a", created_at=1.0, **row)
    tables.raw.execute("UPDATE submission SET state = ?", [state])
    tables.raw.commit()
    assert tables.write(submissions.end_failed, now=5.0) == int(ends)
    told = ["state", "reserved_mc", "charged_mc"]
    left = ("settled", 0, 0) if ends else (state, 9_000, None)
    assert tables.rows(Where("submission", "id"), told) == {"s": [left]}
    spent = tables.raw.execute("SELECT reserved_mc, charged_mc FROM spend").fetchall()
    assert spent == [(0 if ends else 9_000, 0)]


ANSWER: dict[str, Any] = {
    "job_id": 1, "provider": "ann", "round": 1, "way": "name", "outcome": "found", "candidates": "[1]", "said": "[2]",
    "submission_id": "s", "delivery_id": 1, "told": None, "note": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("first", "other", "is_news"),
    [
        *(({}, {key: value}, True) for key, value in (
            ("job_id", 2), ("provider", "bob"), ("round", 2), ("way", ""), ("outcome", "missing"), ("candidates", "[]"),
            ("said", "[]"),
        )),
        *(({}, {key: value}, False) for key, value in (("submission_id", "t"), ("note", "x"), ("told", "{}"))),
        ({"outcome": "failed"}, {"submission_id": "t"}, True),
        ({"outcome": "failed", "submission_id": None}, {"submission_id": "t"}, True),
        ({"outcome": "failed"}, {}, False),
    ],
)  # fmt: skip
def test_what_says_the_same_of_the_same_question_is_kept_once(
    tables: Tables, first: dict[str, Any], other: dict[str, Any], is_news: bool
) -> None:
    """A failure counts once for each call."""
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **EMPTY)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state="sent")
    given = {**ANSWER, **first}
    for values in (given, {**given, **other, "delivery_id": 2}):
        tables.write(lambda tx, values=values: tx.run("results_add", **values, now=5.0))
    kept = tables.raw.execute("SELECT count(*) FROM result").fetchone()[0]
    assert kept == 1 + is_news
    tables.write(lambda tx: tx.run("results_add", **{**given, "said": "[3]"}, now=5.0))
    assert tables.raw.execute("SELECT count(*) FROM result").fetchone()[0] == kept, "a delivery says one thing of a job"


def test_callbacks_that_wait_in_a_spool_come_with_what_they_were_packed_with(tables: Tables) -> None:
    """The first ones first; not those that were forwarded."""
    for n in (1, 2):
        tables.add(Where("sample", "id"), n, text=b"x" * n)
    for n, (state, sample) in enumerate((("received", 2), ("applied", 1), ("received", None), ("received", 1)), 1):
        row = {"state": state, "sample_id": sample, "source": "callback", "body": b"b", "size": 10 * n}
        tables.add(Where("delivery", "id"), n, submission_id=f"s{n}", received_at=9.0 - n, **row)

    def spooled(limit: int) -> list[tuple[Any, ...]]:
        return [(row["id"], row["sample"]) for row in tables.read(lambda tx: tx.rows("spooled", limit=limit))]

    assert spooled(9) == [(1, b"xx"), (3, None), (4, b"x")]
    assert spooled(2) == [(1, b"xx"), (3, None)]
    assert tables.read(lambda tx: tuple(tx.row("spooled_waiting"))) == (3, 80, 5.0)
    tables.write(lambda tx: tx.run("spooled_drop", ids="[1, 3, 4]"))
    assert tables.read(lambda tx: tuple(tx.row("spooled_waiting"))) == (0, 0, None)
    assert [*tables.rows(Where("delivery", "id"))] == [2]


# --- whom to decide on -------------------------------------------------------------------------------


def test_who_is_decided_on_next_is_held_by_nobody(tables: Tables) -> None:
    """Who changed comes first, in the order of the records; else whose time has come, the longest due first; and apart
    from those, who was answered, in the order of the jobs."""
    for n in range(1, 7):
        tables.add(Where("contact", "id"), n, **EMPTY, planned=int(n > 4))
    for job, (contact, state, at) in enumerate(
        ((6, "answered", 3.0), (5, "answered", 2.0), (1, "answered", None), (6, "answered", 1.0), (2, "done", 5.1),
         (3, "answered", 1.0), (4, "answered", 4.0)), 11,
    ):  # fmt: skip
        tables.add(Where("job", "id"), job, contact_id=contact, field=f"f{job}", sync="a", state=state)
        if at is not None:
            tables.add(Where("again", "job_id"), job, at=at)
    for kind, item in (("contact", "3"), ("job", "1"), ("contact", "13"), ("record", "5")):
        tables.add(Where("claim", "kind"), kind, item=item)
    assert tables.read(cases.changed, 9, now=5.0) == [1, 2, 4]
    assert tables.read(cases.changed, 2, now=5.0) == [1, 2]
    assert tables.read(cases.answered, 9) == [6, 5, 1, 4]
    assert tables.read(cases.answered, 2) == [6, 5]
    tables.raw.execute("UPDATE contact SET planned = 1")
    tables.raw.commit()
    assert tables.read(cases.changed, 9, now=5.0) == [6, 5, 4]
    assert tables.read(cases.changed, 9, now=5.1) == [6, 5, 4, 2]
    assert tables.read(cases.changed, 2, now=2.0) == [6, 5]


@pytest.mark.parametrize(
    ("call", "state", "stays"), [("s", "received", False), ("t", "received", True), ("s", "surplus", None)]
)
def test_of_a_call_about_somebody_who_was_erased_no_body_is_kept(
    tables: Tables, call: str, state: str, stays: bool | None
) -> None:
    """Once it is read, or set aside; what somebody has seen to meanwhile is as they left it."""
    tables.add(Where("forgotten_request", "submission_id"), "s")
    for n in (1, 2):
        tables.add(Where("delivery", "id"), n, submission_id=call, state=state, body=b"x", note="before", digest=n)
    tables.write(lambda tx: tx.run("deliveries_applied", id=1, note="read"))
    tables.write(lambda tx: tx.run("delivery_done", id=2, state="quarantined", note="set aside"))
    found = tables.rows(Where("delivery", "id"), ["state", "note", "body"])
    body = b"x" if stays else b""
    if stays is None:
        assert found == {1: [(state, "before", b"x")], 2: [(state, "before", b"x")]}
    else:
        assert found == {1: [("applied", "read", body)], 2: [("quarantined", "set aside", body)]}


# --- the same person, and who may be -----------------------------------------------------------------


def test_whom_a_job_waits_for(tables: Tables) -> None:
    """Of the same person the same field of the other records; and of records that share a key, and stand apart."""
    people = {1: "p", 2: "p", 3: "q", 4: "q", 5: "p"}
    for n, person in people.items():
        tables.add(Where("contact", "id"), n, **EMPTY, person=person)
        tables.add(Where("job", "id"), n, contact_id=n, field="email", person=person, state="queued", provider=f"p{n}")
    for n, field, state, due in (
        (11, "phone", "sent", 0.0),
        (13, "phone", "review", 3e11),
        (14, "phone", "review", 5.0),
    ):
        tables.add(
            Where("job", "id"), n, contact_id=n - 10, field=field, person=people[n - 10], state=state, due_at=due
        )
    for contact, key in ((1, 7), (3, 7), (3, 8), (1, 8), (4, 9), (2, 9), (5, 7), (4, 7)):
        tables.add(Where("person_key", "contact_id"), contact, key=key)

    def told(name: str, *jobs: int) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in tables.read(lambda tx: tx.rows(name, ids=json.dumps(jobs)))]

    assert told("jobs_of_person", 1) == [(1, 2, "queued", "p2"), (1, 5, "queued", "p5")]
    assert told("jobs_of_person", 13) == [(13, 14, "review", "")]
    assert told("jobs_of_person", 14) == [(14, 13, "done", "")], "it is waited for without end"
    assert told("jobs_of_namesakes", 1) == [(1, 3, "queued", "p3"), (1, 4, "queued", "p4")]
    assert told("jobs_of_namesakes", 2) == [(2, 4, "queued", "p4")]
    assert told("jobs_of_namesakes", 11) == [(11, 13, "done", ""), (11, 14, "review", "")]
    assert sorted(told("jobs_of_namesakes", 3, 13)) == [
        (3, 1, "queued", "p1"), (3, 5, "queued", "p5"), (13, 11, "sent", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["sending", "sent", "in_doubt", "writing", "review", "done", "queued", "accepted"])
def test_what_a_person_wants_to_be_tried_again_is_due_now(tables: Tables, state: str) -> None:
    """Not what is under way or waits for a person; what waits for an event goes on waiting for it."""
    for n, due in ((1, 9.0), (2, 3.0), (3, 2e11), (4, 9.0)):
        row = {"state": state, "due_at": due, "retried_at": 1.0}
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", **row)
    tables.write(lambda tx: tx.run("retry_jobs", ids="[1, 2, 3]", now=5.0))
    told = tables.rows(Where("job", "id"), ["due_at", "retried_at"])
    if state in ("done", "queued", "accepted"):
        assert told == {1: [(5.0, 5.0)], 2: [(3.0, 5.0)], 3: [(2e11, 5.0)], 4: [(9.0, 1.0)]}
    else:
        assert told == {1: [(9.0, 1.0)], 2: [(3.0, 1.0)], 3: [(2e11, 1.0)], 4: [(9.0, 1.0)]}


@pytest.mark.parametrize("waiting", [True, False])
def test_what_may_be_decided_on_again_is_not_under_way(tables: Tables, waiting: bool) -> None:
    states = ("sending", "sent", "in_doubt", "writing", "done", "queued", "waiting", "answered", "accepted", "review")
    for n, state in enumerate(states, 1):
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", state=state)
    asked = json.dumps([9, 10, *range(1, 9), 77])
    found = tables.read(lambda tx: [row[0] for row in tx.rows("jobs_to_retry", ids=asked, waiting=int(waiting))])
    assert found == ([6, 7, 8, 9, 10] if waiting else [5, 6, 7, 8, 9, 10])


def test_of_what_comes_after_the_last_word_a_few_are_kept(tables: Tables) -> None:
    """Those of other calls take no room."""
    for n in range(13):
        call, state = ("t", "surplus") if n == 0 else ("s", "applied") if n == 1 else ("s", "received")
        row = {"submission_id": call, "state": state, "source": "callback", "body": b"{}", "digest": n, "headers": None}
        tables.add(Where("delivery", "id"), n + 1, **row)
    waiting = tables.read(inbox.received, list(range(1, 99)))
    assert len(waiting) == 11
    for got in waiting:
        tables.write(inbox.set_aside_surplus, got)
    told = [rows[0][0] for _, rows in sorted(tables.rows(Where("delivery", "id"), ["state"]).items())]
    assert told == ["surplus", "applied", *["surplus"] * 10]
    tables.add(Where("delivery", "id"), 98, submission_id="u", state="received", body=b"")
    tables.add(Where("delivery", "id"), 99, submission_id="v", state="received", body=b"")
    tables.write(lambda tx: [tx.run("delivery_drop", id=id_) for id_ in (1, 99)])
    assert {1, 98} <= set(tables.rows(Where("delivery", "id"))), "only what nobody has seen to, and only that"
    assert 99 not in tables.rows(Where("delivery", "id"))


def test_a_delivery_is_read_as_it_came(tables: Tables) -> None:
    """What was set aside comes with its headers, by which its signature is checked once more."""
    ref = {"ref": "crm/contacts/501", "field": "email", "part": "contact", "note": "set aside before"}
    for n, headers in ((1, '{"X-Signature": "s"}'), (2, None)):
        row = {"submission_id": f"s{n}", "source": "callback", "headers": headers, "body": b"{}", "sample_id": None}
        tables.add(Where("delivery", "id"), n, state="received", provider="ann", **row, **(ref if n == 1 else {}))
    first, second = tables.read(inbox.received, [1, 2])
    assert (first.provider, first.note, first.checked) == ("ann", "set aside before", False)
    assert first.delivery.headers == {"X-Signature": "s"}
    assert (str(first.delivery.ref), first.delivery.field, first.delivery.part) == (
        "crm/contacts/501",
        "email",
        "contact",
    )
    assert (second.checked, dict(second.delivery.headers), second.delivery.ref, second.delivery.field) == (
        True,
        {},
        None,
        None,
    )


@pytest.mark.parametrize(
    ("outcome", "at", "counts"),
    [("found", 10.0, False), ("found", 10.1, True), ("not_found", 20.0, False), ("not_found", 20.1, True),
     ("not_found", 10.1, False), ("missing", 99.0, False), ("failed", 99.0, False)],
)  # fmt: skip
def test_what_was_said_of_other_records_counts_for_a_while(
    tables: Tables, outcome: str, at: float, counts: bool
) -> None:
    """Misses from 20 on, finds from 10 on; the newest first."""
    for n, job in enumerate((1, 1, 2), 1):
        row = {"outcome": outcome, "at": at, "provider": f"p{n}", "asked_at": 1.0, "told": "{}"}
        tables.add(Where("result", "id"), n, job_id=job, delivery_id=n, **row)
    wanted = json.dumps([[1, *Since(missed=20.0, found=10.0)]])
    found = tables.read(lambda tx: [row[1] for row in tx.rows("results_since", wanted=wanted)])
    assert found == ([2, 1] if counts else [])


def test_two_looks_are_equal_only_while_nothing_moved(tables: Tables) -> None:
    def look() -> candidates.Page:
        return tables.read(candidates.page, "a", "ann", 9)  # type: ignore[no-any-return]

    assert look() == ((), 0)
    tables.add(Where("step", "id"), 7, jobs=1)
    assert look() == ((), 0), "nobody waits"
    for n in (1, 2):
        tables.add(Where("contact", "id"), n, **{**EMPTY, "pulled_at": 1.0})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", provider="ann", state="queued")
    assert look() == look() == ((1, 2), 7)
    tables.add(Where("step", "id"), 8, jobs=1)
    assert look() == ((1, 2), 8)


@pytest.mark.parametrize(
    ("attempt", "call", "result", "ways", "again"),
    [
        ({}, "settled", None, {"name"}, None),
        ({}, "expired", None, {"name"}, None),
        ({"live": 0}, "expired", None, set(), "name"),
        ({"live": 0}, "refused", None, set(), None),
        ({"provider": "bob"}, "settled", None, set(), None),
        ({"round": 2}, "settled", None, set(), None),
        ({"live": 0}, "settled", {"outcome": "not_found"}, {"profile"}, None),
        ({"live": 0}, "settled", {"outcome": "failed"}, set(), None),
        ({"live": 0}, "settled", {"outcome": "not_found", "round": 2}, set(), None),
        ({"live": 0}, "settled", {"outcome": "not_found", "provider": "bob"}, set(), None),
    ],
)
def test_in_which_ways_a_provider_was_asked_already(
    tables: Tables, attempt: dict[str, Any], call: str, result: dict[str, Any] | None, ways: set[str], again: str | None
) -> None:
    """In this round. What expired, and was given free, is asked once more in the same words."""
    tables.add(Where("contact", "id"), 1, **{**EMPTY, "connection": "crm", "object": "o", "pulled_at": 1.0})
    job = {"state": "queued", "sync": "a", "provider": "ann", "round": 1, "field": "email"}
    tables.add(Where("job", "id"), 1, contact_id=1, **job)
    row = {"provider": "ann", "round": 1, "way": "name", "live": 1, "asked": "{}", "submission_id": "s", **attempt}
    tables.add(Where("attempt", "id"), 1, job_id=1, **row)
    tables.add(Where("submission", "id"), "s", provider="ann", state=call, shares="{}", run_id=1)
    if result is not None:
        said = {"provider": "ann", "round": 1, "way": "profile", "at": 5.0, "asked_at": 5.0, "told": "{}", **result}
        tables.add(Where("result", "id"), 1, job_id=1, submission_id="s", delivery_id=1, **said)
    (one,) = tables.read(candidates.candidates, "a", "ann", [1])
    assert set(one.ways) == ways
    assert (None if one.again is None else one.again.way) == again


@pytest.mark.parametrize(
    ("outcome", "asked_at", "counts"), [("found", 5.0, True), ("found", 4.9, False), ("not_found", 9.0, False)]
)
def test_a_find_counts_if_it_was_asked_for_since_the_record_is_about_them(
    tables: Tables, outcome: str, asked_at: float, counts: bool
) -> None:
    given = {**EMPTY, "connection": "crm", "object": "o", "pulled_at": 1.0, "became_at": 5.0}
    tables.add(Where("contact", "id"), 1, **given)
    tables.add(Where("job", "id"), 1, contact_id=1, state="queued", sync="a", provider="ann", round=1, field="email")
    row = {"outcome": outcome, "asked_at": asked_at, "at": 9.0, "told": "{}", "provider": "bob", "round": 7}
    tables.add(Where("result", "id"), 1, job_id=1, submission_id="s", delivery_id=1, **row)
    (one,) = tables.read(candidates.candidates, "a", "ann", [1])
    assert one.finds == ({"s"} if counts else set())


def test_the_mailbox_that_we_have_found_and_written_is_no_news_of_the_crm(tables: Tables) -> None:
    """What the CRM says of itself is what tells one person from another."""
    mails = {
        1: ("Ada@acme.test", "ada@acme.test"),
        2: ("ada@acme.test", "ada@birch.test"),
        3: ("ada@acme.test", None),
        4: ("", None),
    }
    for n, (held, found) in mails.items():
        identity = json.dumps({"fn": "Ada", **({"e": held} if held else {})})
        given = {**EMPTY, "connection": "crm", "object": "o", "identity": identity, "lacks": '["phone"]', "planned": 0}
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **given, person=str(n))
        if found:
            job = {"state": "done", "reason": "written", "value": found, "updated_at": 9.0}
            tables.add(Where("job", "id"), n, contact_id=n, field="email", sync="a", **job)
        tables.add(Where("job", "id"), n + 10, contact_id=n, field="phone", sync="a", state="queued")
    read = tables.read(cases.read, [1, 2, 3, 4], Rules())
    told = {one.ref.id: one.own.email for one in read.cases if one.field is Field.PHONE}
    assert told == {"e1": None, "e2": "ada@acme.test", "e3": "ada@acme.test", "e4": None}
