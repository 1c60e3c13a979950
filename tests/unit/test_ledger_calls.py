"""Which paid calls are open, waited for, asked about, or without a price: rows that are put there by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from syncd.ledger import search, submissions, unpriced
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Wanted

from .by_hand import DAY, EMPTY, NOW, Tables, Where

pytestmark = pytest.mark.sqlite  # rows are put there by hand

CALL = Where("submission", "id", fixed={"sync": "a", "run_id": 1, "shares": '{"email": 1}', "requests": 1})
STATES = ("intent", "accepted", "in_doubt", "refused", "settled", "expired", "failed")


def _call(tables: Tables, name: str, **given: Any) -> None:
    tables.add(CALL, name, **{"provider": "ann", "state": "accepted", "created_at": 1.0, "reserved_mc": 1, **given})


def test_a_call_is_open_until_its_last_word_or_until_it_is_given_up(tables: Tables) -> None:
    for state in STATES:
        _call(tables, state, state=state)
        _call(tables, f"{state} of bob", state=state, provider="bob")
    assert tables.read(submissions.count_open, "ann") == 3
    tables.raw.execute("DELETE FROM submission WHERE state <> 'intent' OR provider = 'bob'")
    tables.raw.commit()
    assert tables.read(submissions.count_open, "ann") == 1
    assert tables.read(submissions.count_open, "bob") == 0


def test_when_a_provider_was_called_since(tables: Tables) -> None:
    for n, (provider, at) in enumerate((("ann", 7.0), ("ann", 5.0), ("bob", 9.0), ("ann", 6.0))):
        _call(tables, f"s{n}", provider=provider, created_at=at)
    assert tables.read(submissions.calls_since, "ann", 4.9) == [5.0, 6.0, 7.0]
    assert tables.read(submissions.calls_since, "ann", 5.0) == [6.0, 7.0]


@pytest.mark.parametrize(
    ("states", "silent"),
    [
        (["accepted", "expired", "accepted"], True),
        (["settled", "accepted", "expired"], False),
        (["settled", "accepted", "expired", "accepted"], True),
        (["accepted", "expired", "refused"], False),
        (["accepted", "in_doubt", "expired", "accepted"], True),
        (["accepted", "accepted"], False),
    ],
)
def test_a_provider_is_silent_if_none_of_the_last_calls_was_answered(
    tables: Tables, states: list[str], silent: bool
) -> None:
    """Three of them, those that it took; calls of another time, or another one's, say nothing."""
    for n, state in enumerate(states):
        _call(tables, f"s{n}", state=state, created_at=10.0 + n)
    for n, at in enumerate((9.0, 20.0)):
        _call(tables, f"t{n}", state="settled", created_at=at)
        _call(tables, f"u{n}", state="settled", created_at=12.0, provider="bob")
    last = 10.0 + len(states) - 1
    assert tables.read(submissions.is_silent, "ann", 3, since=10.0, until=last) is silent
    if silent:
        assert not tables.read(submissions.is_silent, "ann", len(states), since=11.0, until=last)
        assert not tables.read(submissions.is_silent, "ann", 3, since=9.0, until=11.0)


def test_what_may_be_asked_for_by_now(tables: Tables) -> None:
    """Accepted, due, and held by nobody; the longest due first."""
    calls: dict[str, dict[str, Any]] = {
        "a": {"poll_at": 4.0},
        "b": {"poll_at": 3.0},
        "c": {"poll_at": 5.0},
        "d": {"poll_at": 5.1},
        "e": {"poll_at": None},
        "f": {"poll_at": 1.0, "state": "in_doubt"},
        "g": {"poll_at": 1.0, "provider": "bob"},
        "h": {"poll_at": 1.0},
    }
    for name, given in calls.items():
        _call(tables, name, **given)
    for kind, item in (("submission", "h"), ("delivery", "a")):
        tables.add(Where("claim", "kind"), kind, item=item)
    assert tables.read(submissions.to_poll, "ann", 9, now=5.0) == ["b", "a", "c"]
    assert tables.read(submissions.to_poll, "ann", 2, now=5.0) == ["b", "a"]
    tables.write(submissions.polled, "b", 8.0)
    tables.write(submissions.polled, "a", None)
    tables.write(submissions.poll_all_now, "ann", now=7.0)
    told = {name: rows[0][0] for name, rows in tables.rows(CALL, ["poll_at"]).items()}
    assert told == {"a": None, "b": 7.0, "c": 7.0, "d": 7.0, "e": None, "f": 1.0, "g": 1.0, "h": 7.0}


@pytest.mark.parametrize("state", STATES)
def test_a_call_that_the_provider_failed_at_may_still_be_answered(tables: Tables, state: str) -> None:
    """At least until the moment that is given; its credits stay reserved until then."""
    fails = state in ("accepted", "expired")
    for name, deadline in (("s", 5.0), ("t", 9.0), ("u", 5.0)):
        _call(tables, name, state=state, deadline=deadline, poll_at=3.0, note="before", owner=1)
    for name in ("s", "t"):
        tables.write(lambda tx, name=name: tx.run("submission_failed", id=name, note="it failed", deadline=7.0))
    told = tables.rows(CALL, ["state", "deadline", "poll_at", "note", "reserved_mc"])
    before = {"s": 5.0, "t": 9.0, "u": 5.0}
    for name, later in (("s", 7.0), ("t", 9.0)):
        kept = (state, before[name], 3.0, "before", 1)
        assert told[name] == [("failed", later, None, "it failed", 1) if fails else kept]
    assert told["u"] == [(state, 5.0, 3.0, "before", 1)]


def test_calls_without_a_price_are_told_the_oldest_first(tables: Tables) -> None:
    for n, (state, reserved, assumed) in enumerate(
        (
            ("expired", 5, 0),
            ("settled", 4, 0),
            ("settled", 0, 3),
            ("settled", 0, 0),
            ("accepted", 9, 0),
            ("expired", 0, 1),
        )
    ):
        row = {
            "state": state,
            "created_at": 10.0 - n,
            "reserved_mc": reserved,
            "assumed_mc": assumed,
            "deadline": 20.0 + n,
        }
        _call(tables, f"s{n}", **row)
    told = [(one.id, one.at_risk, one.assumed) for one in tables.read(unpriced.unpriced, assumed=True)]
    assert told == [
        ("s5", Decimal("0.001"), True),
        ("s2", Decimal("0.003"), True),
        ("s1", Decimal("0.004"), False),
        ("s0", Decimal("0.005"), False),
    ]
    assert [one.id for one in tables.read(unpriced.unpriced)] == ["s1", "s0"]


@pytest.mark.parametrize("free", [True, False])
def test_what_was_given_up_long_ago_is_taken_as_charged_or_as_free(tables: Tables, free: bool) -> None:
    for n, (state, reserved, deadline, provider) in enumerate(
        (
            ("expired", 5, NOW, "ann"),
            ("settled", 5, NOW - 1, "ann"),
            ("expired", 5, NOW + 1, "ann"),
            ("expired", 0, NOW, "ann"),
            ("in_doubt", 5, NOW, "ann"),
            ("expired", 5, NOW, "bob"),
        )
    ):
        _call(tables, f"s{n}", state=state, reserved_mc=reserved, deadline=deadline, provider=provider)
    assert tables.write(unpriced.settle_old, "ann", free=free, before=NOW) == 2
    told = {name: rows[0] for name, rows in tables.rows(CALL, ["reserved_mc", "charged_mc", "assumed_mc"]).items()}
    taken = (0, 0, 0) if free else (0, None, 5)
    kept = (5, None, 0)
    assert told == {"s0": taken, "s1": taken, "s2": kept, "s3": (0, None, 0), "s4": kept, "s5": kept}


def test_of_whom_a_call_asks_is_told_by_their_own_e_mail(tables: Tables) -> None:
    """That was found for the contact as it is now: not the one of before it became another one, nor another field."""
    for contact, became in ((1, 5.0), (2, 5.0), (3, 0.0)):
        row = {**EMPTY, "connection": "crm", "object": "o", "became_at": became, "identity": '{"fn": "Ada"}'}
        tables.add(Where("contact", "ext_id"), f"e{contact}", id=contact, **row)
        phone = {"field": "phone", "state": "sent", "value": "+447700900001", "updated_at": 9.0}
        tables.add(Where("job", "id"), contact, contact_id=contact, **phone)
        tables.add(
            Where("attempt", "job_id"), contact, submission_id="s", request=f".{contact}", asked="{}", provider="ann"
        )
    for contact, at in ((1, 5.1), (2, 5.0)):
        mail = {"field": "email", "state": "done", "value": f"ada{contact}@acme.test", "updated_at": at}
        tables.add(Where("job", "id"), 10 + contact, contact_id=contact, **mail)
    _call(tables, "s")

    def load(requests: frozenset[str] | None) -> dict[str, tuple[str, ...]]:
        def loaded(tx: Tx) -> Any:
            return submissions.load_many(tx, [Wanted("s", requests)])

        return {one.ref.id: one.known.emails for one in tables.read(loaded)["s"].requests}

    known = {"e1": ("ada1@acme.test",), "e2": (), "e3": ()}
    assert load(None) == known
    assert load(frozenset({"s.1", "s.2", "s.3"})) == known
    assert load(frozenset({"s.2"})) == {"e2": ()}


def test_what_waits_for_an_answer_is_due_for_a_day_at_most_where_nobody_is_asked(tables: Tables) -> None:
    """What is in doubt is over by itself only where no person is to be asked."""
    for n, (state, provider, deadline) in enumerate(
        (
            ("accepted", "ann", NOW),
            ("accepted", "ann", NOW + DAY),
            ("in_doubt", "ann", NOW),
            ("in_doubt", "bob", NOW),
            ("settled", "ann", NOW),
            ("accepted", "bob", NOW - 1),
        )
    ):
        _call(tables, f"s{n}", state=state, provider=provider, deadline=deadline)
    due = {row[0] for row in tables.read(submissions.overdue, ["bob"], now=NOW)}
    assert due == {"s0", "s2", "s5"}
    assert {row[0] for row in tables.read(submissions.overdue, [], now=NOW)} == {"s0", "s2", "s3", "s5"}


# --- what becomes of a call --------------------------------------------------------------------------

TOLD = ["state", "provider_id", "poll_at", "deadline", "owner"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("known", "said", "kept"),
    [
        ((None, None), ("job-7", 9.0), ("job-7", 9.0)),
        ((None, None), (None, 9.0), (None, None)),
        (("job-1", 3.0), ("job-7", 9.0), ("job-1", 3.0)),
        (("job-1", None), (None, 9.0), ("job-1", 9.0)),
        ((None, 3.0), (None, 9.0), (None, None)),
    ],
)
def test_a_call_that_was_taken_on_is_asked_for_by_the_providers_id(
    tables: Tables, state: str, known: tuple[Any, Any], said: tuple[Any, Any], kept: tuple[Any, Any]
) -> None:
    """States only go up; of one that was in doubt the deadline is not nearer than it was."""
    for name, deadline in (("s", 5.0), ("t", 50.0), ("u", 5.0)):
        _call(tables, name, state=state, provider_id=known[0], poll_at=known[1], deadline=deadline, owner=7)
    rows = [[name, *said, 20.0] for name in ("s", "t")]
    tables.write(lambda tx: tx.run("submissions_accepted", rows=json.dumps(rows)))
    told = tables.rows(CALL, TOLD)
    after = "accepted" if state in ("intent", "in_doubt") else state
    assert told["s"] == [(after, *kept, 20.0 if state == "in_doubt" else 5.0, None)]
    assert told["t"] == [(after, *kept, 50.0, None)]
    assert told["u"] == [(state, *known, 5.0, 7)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("charged", "shares"), [(4, '{"email": 4}'), (4, None), (0, None), (None, None)])
def test_the_last_word_replaces_what_was_reserved(
    tables: Tables, state: str, charged: int | None, shares: str | None
) -> None:
    """Where the charge is not told, what is reserved, or taken as charged, stays."""
    for name, assumed in (("s", 0), ("t", 3), ("u", 0)):
        _call(
            tables, name, state=state, reserved_mc=0 if assumed else 5, assumed_mc=assumed, poll_at=9.0, note="before"
        )
    rows = json.dumps([[name, charged, "told", shares] for name in ("s", "t")])
    settled = tables.write(lambda tx: {row[0] for row in tx.rows("submissions_settled", rows=rows)})
    assert settled == (set() if state == "settled" else {"s", "t"})
    told = tables.rows(CALL, ["state", "charged_mc", "reserved_mc", "assumed_mc", "poll_at", "note", "shares"])
    before = {
        name: (state, None, 0 if assumed else 5, assumed, 9.0, "before", '{"email": 1}')
        for name, assumed in (("s", 0), ("t", 3), ("u", 0))
    }
    assert told["u"] == [before["u"]]
    for name, reserved, assumed in (("s", 5, 0), ("t", 0, 3)):
        left = (reserved, assumed) if charged is None else (0, 0)
        after = ("settled", charged, *left, None, "told", shares or '{"email": 1}')
        assert told[name] == [before[name] if state == "settled" else after]


@pytest.mark.parametrize(
    ("state", "charged", "counts"),
    [
        ("settled", None, True),
        ("settled", 0, True),
        ("settled", 3, False),
        ("accepted", None, False),
        ("expired", 0, False),
    ],
)
def test_a_charge_that_is_told_later_counts_where_none_was(
    tables: Tables, state: str, charged: int | None, counts: bool
) -> None:
    for name in ("s", "u"):
        _call(tables, name, state=state, charged_mc=charged, reserved_mc=5, assumed_mc=1)
    tables.write(lambda tx: tx.run("submissions_more_charged", rows=json.dumps([["s", 4, "", '{"email": 4}']])))
    told = tables.rows(CALL, ["charged_mc", "reserved_mc", "assumed_mc", "shares"])
    before = (charged, 5, 1, '{"email": 1}')
    assert told == {"s": [(4, 0, 0, '{"email": 4}') if counts else before], "u": [before]}


@pytest.mark.parametrize("state", STATES)
def test_only_an_intent_is_refused_and_only_at_its_source_a_call_moves(tables: Tables, state: str) -> None:
    for name in ("s", "t", "u"):
        _call(tables, name, state=state, owner=7, note="before", deadline=5.0)
    refused = tables.write(lambda tx: tx.run("submission_refused", id="s", note="no"))
    given = {"id": "t", "source": "accepted", "target": "expired", "note": "late"}
    early = tables.write(lambda tx: tx.run("submission_state", **given, deadline=None, due=4.9))
    moved = tables.write(lambda tx: tx.run("submission_state", **given, deadline=9.0, due=5.0))
    told = tables.rows(CALL, ["state", "reserved_mc", "note", "owner", "deadline"])
    before = (state, 1, "before", 7, 5.0)
    assert (refused, early, moved) == (int(state == "intent"), 0, int(state == "accepted"))
    assert told["s"] == [("refused", 0, "no", None, 5.0) if refused else before]
    assert told["t"] == [("expired", 1, "late", None, 9.0) if moved else before]
    assert told["u"] == [before]
    tables.write(
        lambda tx: tx.run("submission_state", id="u", source=state, target=state, note="n", deadline=None, due=None)
    )
    assert tables.rows(CALL, ["note", "deadline", "owner"])["u"] == [("n", 5.0, None)]


def test_intents_of_processes_that_have_ended_are_found(tables: Tables) -> None:
    """One's own are not among them."""
    for owner, until in ((7, NOW + 1), (8, NOW + 1), (9, NOW)):
        tables.add(Where("worker", "owner"), owner, lease_until=until)
    owners = {"a": 7, "b": 8, "c": 9, "d": 10, "e": None}
    for name, whose in owners.items():
        _call(tables, name, owner=whose, state="intent")
    _call(tables, "f", owner=9, state="accepted")

    def intended(owner: int | None) -> set[str]:
        given = {"owner": owner, "now": NOW}
        return {row["id"] for row in tables.read(lambda tx: tx.rows("submissions_intended", **given))}

    assert intended(7) == {"c", "d", "e"}
    assert intended(9) == {"d", "e"}


def test_attempts_are_given_free_by_call_or_by_job(tables: Tables) -> None:
    for n, (call, job) in enumerate((("s", 1), ("s", 2), ("t", 1), ("t", 2)), 1):
        tables.add(Where("attempt", "id"), n, submission_id=call, job_id=job, live=1, round=n)

    def live() -> set[int]:
        return {id_ for id_, rows in tables.rows(Where("attempt", "id"), ["live"]).items() if rows == [(1,)]}

    tables.write(lambda tx: tx.run("attempts_release", pairs=json.dumps([["s", 2], ["t", 1]])))
    assert live() == {1, 4}
    tables.write(lambda tx: tx.run("attempt_release", submission_id="s"))
    assert live() == {4}


@pytest.mark.parametrize("named", [None, frozenset({"s.a", "s.b", "s.c"})])
def test_requests_come_in_the_order_in_which_they_were_asked(tables: Tables, named: frozenset[str] | None) -> None:
    """And the fields of each in theirs."""
    _call(tables, "s")
    asked = ((".c", "phone", 3), (".a", "email", 1), (".b", "phone", 2), (".a", "phone", 1), (".c", "email", 3))
    for n in (1, 2, 3):
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **{**EMPTY, "connection": "crm", "object": "o"})
    for n, (request, field, contact) in enumerate(asked, 1):
        tables.add(Where("job", "id"), 10 - n, contact_id=contact, field=field, state="sent")
        tables.add(
            Where("attempt", "id"), n, job_id=10 - n, submission_id="s", request=request, asked="{}", provider="ann"
        )

    def loaded(tx: Tx) -> list[tuple[str, list[str]]]:
        found = submissions.load_many(tx, [Wanted("s", named)])
        return [(one.id, [str(field) for field in one.fields]) for one in found["s"].requests]

    assert tables.read(loaded) == [("s.c", ["phone", "email"]), ("s.a", ["email", "phone"]), ("s.b", ["phone"])]
    told = tables.read(lambda tx: tx.packed("attempts_of_submissions", ids='["s"]'))
    assert [one[0] for one in told] == [9, 8, 7, 6, 5]
    pairs = json.dumps([["s", ".a"], ["s", ".c"]])
    told = tables.read(lambda tx: tx.packed("attempts_of_requests", requests=pairs))
    assert [one[0] for one in told] == [9, 8, 6, 5]
    told = tables.read(lambda tx: [row["id"] for row in tx.rows("attempts_of_job", job_id=9)])
    assert told == [1]
    for n in (21, 20):
        tables.add(Where("attempt", "id"), n, job_id=9, submission_id="s", request=".c", round=n, provider="ann")
    told = tables.read(lambda tx: [row["id"] for row in tx.rows("attempts_of_job", job_id=9)])
    assert told == [1, 20, 21]


@pytest.mark.parametrize(("state", "settled"), [("settled", 1), ("accepted", 0), (None, 0)])
def test_so_many_answers_belong_to_a_call(tables: Tables, state: str | None, settled: int) -> None:
    for n, call in enumerate(("s", "s", "t"), 1):
        tables.add(Where("attempt", "id"), n, submission_id=call, job_id=n, provider="ann")
    if state is not None:
        _call(tables, "s", state=state)
    _call(tables, "t", state="settled")
    assert tables.read(lambda tx: tuple(tx.row("answers_expected", id="s"))) == (2, settled)
    for n, call in enumerate(("s", "s", "t"), 1):
        tables.add(Where("delivery", "id"), n, submission_id=call, digest=n, state="applied", body=b"")
    kept = tables.read(lambda tx: tx.packed("deliveries_kept", calls='["s", "u"]'))
    assert kept == [["s", 2]]
    rows = json.dumps([["s", 1], ["t", 1], ["t", 3], ["u", 2]])
    assert sorted(tables.read(lambda tx: tx.packed("deliveries_known", rows=rows))) == [[1, "s", 1], [3, "t", 3]]


def test_whom_calls_are_about_and_where_contacts_can_be(tables: Tables) -> None:
    """Each contact once, in the order in which they were asked about."""
    for n in (1, 2, 3):
        tables.add(Where("contact", "ext_id"), f"e{n}", id=n, **{**EMPTY, "connection": "crm", "object": "o"})
        tables.add(Where("job", "id"), n, contact_id=n, field="email", state="sent")
        tables.add(Where("job", "id"), n + 10, contact_id=n, field="phone", state="sent")
    for n, (call, job) in enumerate((("t", 1), ("s", 3), ("s", 1), ("s", 13), ("s", 2)), 1):
        tables.add(Where("attempt", "id"), n, submission_id=call, job_id=job, provider="ann", request=f".{job}")
    found = tables.read(search.contacts_of_calls, ["s", "u"])
    assert found == {"s": ["crm/o/e3", "crm/o/e1", "crm/o/e2"], "u": []}
    for name, (crm, object_) in {"b": ("crm", "o"), "a": ("crm", "o"), "c": ("crm", "x"), "d": ("other", "o")}.items():
        tables.add(Where("sync", "name"), name, crm=crm, object=object_)
    assert tables.read(search.places) == ["crm/o"]
    tables.add(Where("contact", "ext_id"), "e9", id=9, **{**EMPTY, "connection": "crm", "object": "x"})
    tables.add(Where("contact", "ext_id"), "e9", id=10, **{**EMPTY, "connection": "other", "object": "x"})
    assert tables.read(search.places) == ["crm/o", "crm/x"]


def test_doubts_are_told_the_oldest_first_and_by_provider(tables: Tables) -> None:
    for n, (provider, state, at) in enumerate(
        (("ann", "in_doubt", 5.0), ("bob", "in_doubt", 3.0), ("ann", "in_doubt", 4.0), ("ann", "accepted", 1.0))
    ):
        _call(tables, f"s{n}", provider=provider, state=state, created_at=at, reserved_mc=n + 1, deadline=9.0 - n)
    assert [one.id for one in tables.read(submissions.doubts)] == ["s1", "s2", "s0"]
    rows = tables.read(lambda tx: {row[0]: tuple(row)[1:] for row in tx.rows("doubts_by_provider")})
    assert rows == {"ann": (2, 4, 4.0), "bob": (1, 2, 3.0)}
