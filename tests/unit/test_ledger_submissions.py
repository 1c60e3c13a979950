"""Paid calls in the ledger: intents, credits, caps, doubts, and the crash in every gap."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.contract.model import (
    Answer,
    Candidate,
    Contact,
    ContactRef,
    Delivery,
    EnrichmentRequest,
    EnrichmentResult,
    Field,
    Grade,
    Identity,
    Outcome,
    Page,
    Source,
    Submission,
)
from syncd.ledger import arrivals, contacts, inbox, results, shares, submissions, writes
from syncd.ledger.budgets import Budget
from syncd.ledger.results import Said, Since
from syncd.ledger.room import OverBudget
from syncd.ledger.states import JobState, SubmissionState
from syncd.ledger.store import Ledger, Move, Tx
from syncd.ledger.submissions import Doubt, Item, Stale
from tests.places import place_of

from .audit import ask, audit, sqlite3
from .furnish import queue_all, received
from .test_ledger_store import as_one_group

NOW = 1_790_000_000.0
DAY = 86_400.0
NO_CAP = Budget()


def since(moment: float) -> dict[Field, Since]:
    """What is known counts from then on."""
    return dict.fromkeys(Field, Since(moment, moment))


FOUND = (Candidate(value="ada@acme.example.com", grade=Grade.VALID),)


class Books:
    """A ledger with some queued jobs, and the money's side of it."""

    def __init__(self, path: Path, people: int = 3) -> None:
        self.path = path
        self.ledger = Ledger.open(place_of(path))
        self.runner = asyncio.Runner()
        self.write(self._furnish, people)

    def close(self) -> None:
        self.ledger.close()
        self.runner.close()

    def crash(self) -> None:
        """What a restart finds: the file, and nothing else."""
        self.ledger.close()
        self.ledger = Ledger.open(place_of(self.path))

    def write(self, work: Any, *args: Any, **values: Any) -> Any:
        return self.runner.run(self.ledger.write(work, *args, **values))

    def intend(
        self,
        name: str,
        *jobs: int,
        reserve: int = 1,
        budget: Budget = NO_CAP,
        now: float = NOW,
        round_: int = 0,
        provider: str = "ann",
        since: Mapping[Field, Since] | None = None,
    ) -> Submission:
        if round_:
            anew = [Move(job, JobState.QUEUED, JobState.QUEUED, {"round": round_}) for job in jobs]
            self.write(lambda tx: tx.move_many(anew, now=now))
        items = [self.item(name, job, round_) for job in jobs]
        submission = Submission(id=name, requests=tuple(i.request for i in items), callback_url="")
        values = {
            "provider": provider,
            "sync": "people",
            "reserve": {Field.EMAIL: Decimal(reserve)},
            "limits": [budget],
        }
        times = {"deadline": now + DAY, "now": now, "since": since or {}}
        self.write(submissions.intend, submission, items, **values, **times)
        return submission

    def item(self, name: str, job: int, round_: int = 0) -> Item:
        ref = ContactRef(connection="crm", object="contacts", id=str(job))
        request = EnrichmentRequest(id=f"{name}/{job}", ref=ref, identity=told(job), fields=(Field.EMAIL,))
        return Item(request=request, jobs={Field.EMAIL: job}, rounds={Field.EMAIL: round_}, way="all")

    def answer(self, name: str, *jobs: int, charged: str | None = "1", body: bytes = b"{}", final: bool = True) -> int:
        """An answer that finds the same for each of these jobs."""
        results = tuple(
            EnrichmentResult(request_id=f"{name}/{job}", field=Field.EMAIL, outcome=Outcome.FOUND, candidates=FOUND)
            for job in jobs
        )
        answer = Answer(results=results, final=final, charged=None if charged is None else Decimal(charged))
        delivery = Delivery(submission_id=name, source=Source.CALLBACK, body=body)
        self.write(arrivals.store, "ann", delivery, now=NOW)
        got = self.write(received, 1)[0]
        return int(self.write(inbox.apply, got, answer, poll_at=None, deadline=NOW + DAY, now=NOW))

    def credits(self) -> tuple[int, int, int]:
        """(reserved, charged, in doubt)."""
        return ask(self.path, "SELECT sum(reserved_mc), sum(charged_mc), sum(doubt_mc) FROM spend")[0]

    def notes(self) -> list[str]:
        """What is said of each job."""
        return [row[0] for row in ask(self.path, "SELECT note FROM job ORDER BY id")]

    def jobs(self) -> list[str]:
        return [row[0] for row in ask(self.path, "SELECT state FROM job ORDER BY id")]

    def calls(self) -> dict[str, str]:
        return dict(ask(self.path, "SELECT id, state FROM submission"))

    @staticmethod
    def _furnish(tx: Tx, people: int) -> None:
        page = Page(contacts=tuple(_contact(str(n)) for n in range(1, people + 1)), cursor={})
        contacts.store_page(tx, "people", contacts.start_run(tx, "people", now=NOW), page, [Field.EMAIL], now=NOW)
        queue_all(tx, Field.EMAIL, "ann", now=NOW)


def told(job: int) -> Identity:
    """What a provider is told: of each job something else, for the identical question is never asked twice."""
    return Identity(last_name=f"Number {job}")


def _contact(contact_id: str, **values: Any) -> Contact:
    ref = ContactRef(connection="crm", object="contacts", id=contact_id)
    return Contact(ref=ref, revision="1", identity=Identity(), **values)


def pull_again(tx: Tx, contact: Contact) -> None:
    contacts.store(tx, "people", contact, (Field.EMAIL,), now=NOW)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path / "ledger.db")
    yield books
    books.close()
    audit(books.path)


# --- intents ----------------------------------------------------------------------------------


def test_an_intent_reserves_the_worst_case_and_takes_the_jobs(books: Books) -> None:
    books.intend("a", 1, 2, reserve=2)
    assert books.jobs() == ["sending", "sending", "queued"]
    assert books.credits() == (2000, 0, 0)
    assert ask(books.path, "SELECT job_id, request_id, live FROM question") == [(1, "a/1", 1), (2, "a/2", 1)]


def test_an_intent_for_a_job_that_left_the_queue_leaves_nothing_behind(books: Books) -> None:
    books.intend("a", 2)
    with pytest.raises(Stale):
        books.intend("b", 1, 2, 3)
    assert books.jobs() == ["queued", "sending", "queued"]
    assert books.calls() == {"a": "intent"}
    assert books.credits() == (1000, 0, 0)


@pytest.mark.parametrize("news", [{"provider": "bob"}, {"round": 1}])
def test_an_intent_for_a_job_whose_turn_is_another_providers_by_now_is_none(books: Books, news: dict[str, Any]) -> None:
    """It was decided on again between the choice and the intent."""
    books.write(lambda tx: tx.move_many([Move(1, JobState.QUEUED, JobState.QUEUED, news)], now=NOW))
    with pytest.raises(Stale):
        books.intend("a", 1)
    assert (books.jobs()[0], books.calls()) == ("queued", {})


@pytest.mark.parametrize("change", [{"blocked": {Field.EMAIL: "opted_out"}}, {"values": {Field.EMAIL: "x@y.test"}}])
def test_an_intent_looks_at_the_contact_once_more(books: Books, change: dict[str, Any]) -> None:
    """Opted out, or filled, between the choice and the intent."""
    books.write(pull_again, _contact("1", **change))
    with pytest.raises(Stale):
        books.intend("a", 1)
    assert (books.jobs()[0], books.calls()) == ("queued", {})


@pytest.mark.sqlite
def test_a_second_live_attempt_is_refused_by_sqlite_itself(books: Books) -> None:
    books.intend("a", 1)
    books.write(submissions.accept, "a", None, poll_at=None, deadline=NOW, now=NOW)
    books.answer("a", 1)

    def turn_back(tx: Tx) -> None:
        tx.move(1, JobState.ANSWERED, JobState.QUEUED, now=NOW)

    books.write(turn_back)
    with pytest.raises(sqlite3.IntegrityError, match="attempt"):
        books.intend("b", 1, since=since(NOW))
    assert books.calls() == {"a": "settled"}
    books.intend("c", 1, round_=1, since=since(NOW))  # in another round it may be asked again


def test_the_identical_question_is_never_bought_again_while_its_answer_is_fresh(books: Books) -> None:
    """Whoever the records are: what counts is what the provider would be told."""
    books.intend("a", 1)
    books.write(submissions.accept, "a", None, poll_at=None, deadline=NOW, now=NOW)
    item = replace(books.item("b", 2), request=replace(books.item("b", 2).request, identity=told(1)))
    submission = Submission(id="b", requests=(item.request,), callback_url="")
    values: dict[str, Any] = {"provider": "ann", "sync": "people", "reserve": {Field.EMAIL: Decimal(1)}, "limits": []}
    for moment in (0.0, NOW - 1, NOW):
        with pytest.raises(Stale):
            books.write(submissions.intend, submission, [item], **values, deadline=NOW, now=NOW, since=since(moment))
    books.answer("a", 1)
    with pytest.raises(Stale):
        books.write(submissions.intend, submission, [item], **values, deadline=NOW, now=NOW, since=since(NOW - 1))
    books.write(submissions.intend, submission, [item], **values, deadline=NOW, now=NOW, since=since(NOW))
    assert books.calls() == {"a": "settled", "b": "intent"}


@pytest.mark.parametrize(
    ("wanted", "loaded"),
    [
        ([{"a/1"}], ["a/1"]),
        ([{"a/1"}, {"a/3"}], ["a/1", "a/3"]),
        ([{"a/1"}, None], ["a/1", "a/2", "a/3"]),
        ([None, {"a/1"}], ["a/1", "a/2", "a/3"]),
        ([{"a/nobody"}], ["a/1", "a/2", "a/3"]),
    ],
)
def test_of_a_call_all_the_requests_are_loaded_that_anybody_wants(
    books: Books, wanted: list[set[str] | None], loaded: list[str]
) -> None:
    """Answers that are read together name some of its requests each."""
    books.intend("a", 1, 2, 3)
    calls = [submissions.Wanted("a", None if named is None else frozenset(named)) for named in wanted]
    found = books.write(submissions.load_many, calls)
    assert sorted(request.id for request in found["a"].requests) == loaded


@pytest.mark.parametrize("wishes", [(True,), (False,), (True, False), (False, True), (False, False)])
def test_what_is_known_of_a_contact_is_loaded_where_anybody_wants_it(books: Books, wishes: tuple[bool, ...]) -> None:
    books.intend("a", 1)
    books.intend("b", 2)
    for id_ in (1, 2):
        books.write(lambda tx, id_=id_: tx.run("contact_learn", id=id_, profile="https://www.linkedin.com/in/ada"))
    calls = [submissions.Wanted("a", frozenset({"a/1"}), known) for known in wishes]
    found = books.write(submissions.load_many, [*calls, submissions.Wanted("b", known=True)])
    told = {call: [request.known != Identity() for request in one.requests] for call, one in found.items()}
    assert told == {"a": [any(wishes)], "b": [True]}


def test_a_failure_is_counted_once_for_each_call(books: Books) -> None:
    """Two calls ask the same question, and the provider fails at both; the second of them says so twice."""
    books.intend("a", 1)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    books.write(submissions.resend, "a", "once more", now=NOW)
    books.intend("b", 1, since=since(NOW))

    def fail(tx: Tx) -> int:
        failed = EnrichmentResult(request_id="", field=Field.EMAIL, outcome=Outcome.FAILED)
        said = [Said(attempt, failed) for call in ("a", "b", "b") for attempt in submissions._attempts(tx, call)]
        results.add_many(tx, said, now=NOW)
        return int(tx.value("failures", job_id=1, provider="ann", round=0))

    assert [books.write(fail), books.write(fail)] == [2, 2]
    assert ask(books.path, "SELECT submission_id FROM result ORDER BY id") == [("a",), ("b",)]


# --- the budget -------------------------------------------------------------------------------


def test_the_cap_counts_what_is_reserved_and_what_was_charged(books: Books) -> None:
    cap = Budget(per_day=Decimal(2))
    books.intend("a", 1, budget=cap)
    books.intend("b", 2, budget=cap)
    with pytest.raises(OverBudget, match="2 credits in 1 day"):
        books.intend("c", 3, budget=cap)
    assert books.calls() == {"a": "intent", "b": "intent"}
    books.write(submissions.refuse, "a", "no", now=NOW)
    books.intend("d", 3, budget=cap)  # what was refused cost nothing
    books.answer("b", 2, charged="0")
    books.intend("e", 1, budget=cap)  # what was settled cheaper left room
    with pytest.raises(OverBudget):
        books.intend("f", 2, budget=Budget(per_day=Decimal("2.5")))


def test_the_month_is_thirty_days_and_the_day_begins_at_midnight(books: Books) -> None:
    midnight = (NOW // DAY) * DAY
    cap = Budget(per_day=Decimal(1), per_month=Decimal(2))
    books.intend("a", 1, budget=cap, now=midnight - 1)
    books.intend("b", 2, budget=cap, now=midnight)
    with pytest.raises(OverBudget, match="2 credits in 30 days"):
        books.intend("c", 3, budget=cap, now=midnight + DAY)
    with pytest.raises(OverBudget):
        books.intend("c", 3, budget=cap, now=midnight + 28 * DAY + 5)
    books.intend("c", 3, budget=cap, now=midnight + 29 * DAY)


def test_doubt_and_expiry_keep_the_worst_case_reserved(books: Books) -> None:
    books.intend("a", 1)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    assert books.credits() == (1000, 0, 1000)
    books.write(submissions.expire, "a", SubmissionState.IN_DOUBT, "never", now=NOW)
    assert books.credits() == (1000, 0, 0)
    with pytest.raises(OverBudget):
        books.intend("b", 2, budget=Budget(per_day=Decimal(1)))


def test_a_charge_that_is_not_told_keeps_the_reservation_until_it_is(books: Books) -> None:
    books.intend("a", 1, reserve=10)
    books.answer("a", 1, charged=None)
    assert books.credits() == (10_000, 0, 0)
    books.answer("a", 1, charged=None, body=b"still not told")
    assert books.credits() == (10_000, 0, 0)
    books.answer("a", 1, charged="0.25", body=b"again")
    assert books.credits() == (0, 250, 0)
    books.answer("a", 1, charged="7", body=b"and again")
    assert books.credits() == (0, 250, 0), "the last word was said"


def test_thousandths_are_rounded_up(books: Books) -> None:
    assert shares.milli(Decimal("0.0001")) == 1
    assert shares.milli(Decimal("4999.75")) == 4_999_750


# --- how a call ends --------------------------------------------------------------------------


def test_a_refusal_that_a_callback_has_disproved_changes_nothing(books: Books) -> None:
    books.intend("a", 1)
    books.answer("a", 1)
    books.write(submissions.refuse, "a", "late", now=NOW)
    books.write(submissions.reject, "a", "later", now=NOW)
    books.write(submissions.doubt, "a", "latest", hold_until=NOW, now=NOW)
    assert (books.jobs()[0], books.calls(), books.credits()) == ("answered", {"a": "settled"}, (0, 1000, 0))


def test_a_2xx_after_the_callback_adds_the_providers_id_and_nothing_else(books: Books) -> None:
    books.intend("a", 1)
    books.answer("a", 1)
    books.write(submissions.accept, "a", "job-7", poll_at=NOW, deadline=NOW, now=NOW)
    assert ask(books.path, "SELECT state, provider_id FROM submission") == [("settled", "job-7")]
    assert books.jobs()[0] == "answered"
    assert books.write(submissions.to_poll, "ann", 10, now=NOW + DAY) == []


def test_calls_that_are_taken_on_together_each_keep_their_note(books: Books) -> None:
    for name, job in (("a", 1), ("b", 2), ("c", 3)):
        books.intend(name, job)
    times: dict[str, Any] = {"poll_at": None, "deadline": NOW + DAY}
    accepting = [
        books.ledger.write(submissions.accept, name, None, note=note, now=NOW + late, **times)
        for name, note, late in (("a", "", 2), ("b", "late", 1), ("c", "", 0))
    ]
    books.runner.run(as_one_group(books.ledger, *accepting))
    assert books.calls() == dict.fromkeys("abc", "accepted")
    assert ask(books.path, "SELECT job_id, note FROM event WHERE target = 'sent' ORDER BY 1") == [
        (1, ""), (2, "late"), (3, ""),
    ]  # fmt: skip
    assert ask(books.path, "SELECT id, updated_at FROM job ORDER BY 1") == [(1, NOW + 2), (2, NOW + 1), (3, NOW + 2)]


@pytest.mark.parametrize("ids", [(None, "job-7"), ("job-7", None), ("job-7", "job-8")])
def test_of_several_words_about_a_call_that_was_taken_on_the_first_provider_id_counts(
    books: Books, ids: Sequence[str | None]
) -> None:
    books.intend("a", 1)
    calls = [submissions.Accepted("a", id_, NOW + n, NOW + DAY) for n, id_ in enumerate(ids)]
    books.write(submissions.accept_many, calls, now=NOW)
    assert ask(books.path, "SELECT provider_id, poll_at FROM submission") == [("job-7", NOW)]


def test_a_refusal_after_part_of_an_answer_does_not_free_the_rest(books: Books) -> None:
    books.intend("a", 1, 2, reserve=2)
    books.answer("a", 1, final=False, charged=None)
    books.write(submissions.refuse, "a", "late", now=NOW)
    assert (books.jobs()[:2], books.calls()) == (["answered", "sent"], {"a": "accepted"})
    assert ask(books.path, "SELECT count(*) FROM attempt WHERE live = 1") == [(2,)]


@pytest.mark.parametrize("late", ["expire", "resend"])
def test_an_answer_in_the_last_moment_beats_the_deadline(books: Books, late: str) -> None:
    """The sweep saw it in doubt; before it acts, part of the answer comes."""
    books.intend("a", 1, 2, reserve=2)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    books.answer("a", 1, final=False, charged=None)
    if late == "expire":
        books.write(submissions.expire, "a", SubmissionState.IN_DOUBT, "too late", now=NOW)
    else:
        books.write(submissions.resend, "a", "too late", now=NOW)
    assert (books.jobs(), books.calls()) == (["answered", "sent", "queued"], {"a": "accepted"})
    assert ask(books.path, "SELECT count(*) FROM attempt WHERE live = 1") == [(2,)]


def test_whoever_left_the_call_before_it_was_over_is_left_alone(books: Books) -> None:
    """One of two was answered and is asked about elsewhere; the deadline of the first call is no news of it."""
    books.intend("a", 1, 2, reserve=2)
    books.answer("a", 1, final=False, charged=None)
    books.write(Tx.move_many, [writes.asking_next(1, "bob", "not good enough")], now=NOW)
    books.intend("b", 1, provider="bob")
    books.write(submissions.accept, "b", None, poll_at=None, deadline=NOW, now=NOW)
    books.write(submissions.expire, "a", SubmissionState.ACCEPTED, "nobody called back", now=NOW)
    assert books.jobs() == ["sent", "answered", "queued"]
    assert books.notes()[:2] == ["", "nobody called back"]
    assert ask(books.path, "SELECT job_id, outcome FROM result ORDER BY id") == [(1, "found"), (2, "missing")]


@pytest.mark.parametrize(
    ("end", "states"),
    [
        (lambda b, note: b.write(submissions.refuse, "a", note, now=NOW), ("queued", "refused")),
        (lambda b, note: b.write(submissions.reject, "a", note, now=NOW), ("answered", "refused")),
        (lambda b, note: b.write(submissions.doubt, "a", note, hold_until=NOW, now=NOW), ("in_doubt", "in_doubt")),
    ],
    ids=["refused", "rejected", "in doubt"],
)
def test_how_a_call_ended_is_said_of_the_call_and_of_its_job(
    books: Books, end: Callable[[Books, str], None], states: tuple[str, str]
) -> None:
    books.intend("a", 1)
    end(books, "what the provider said")
    assert (books.jobs()[0], books.calls()["a"]) == states
    assert books.notes()[0] == "what the provider said"
    assert ask(books.path, "SELECT note FROM submission") == [("what the provider said",)]


def test_whom_a_provider_refused_for_good_cost_nothing_and_holds_no_place(books: Books) -> None:
    books.intend("a", 1)
    books.write(submissions.reject, "a", "not this one", now=NOW)
    assert ask(books.path, "SELECT outcome, note FROM result") == [("skipped", "not this one")]
    assert books.credits() == (0, 0, 0)
    assert ask(books.path, "SELECT live FROM attempt") == [(0,)]


# --- what is in doubt -------------------------------------------------------------------------


def test_what_is_in_doubt_is_told_with_its_credits_at_risk_oldest_first(books: Books) -> None:
    for name, job, made in (("later", 1, NOW + 1), ("first", 2, NOW)):
        books.intend(name, job, reserve=job, now=made)
        books.write(submissions.doubt, name, f"{name} was cut", hold_until=made + 7, now=made)
    books.intend("sent", 3)
    common: dict[str, Any] = {"provider": "ann", "sync": "people", "requests": 1}
    assert books.write(submissions.doubts) == [
        Doubt(id="first", reserved=Decimal(2), since=NOW, hold_until=NOW + 7, note="first was cut", **common),
        Doubt(id="later", reserved=Decimal(1), since=NOW + 1, hold_until=NOW + 8, note="later was cut", **common),
    ]


def test_what_was_never_sent_cost_nothing_and_is_asked_again(books: Books) -> None:
    books.intend("a", 1, 2, reserve=2)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    books.write(submissions.not_sent, "a", "ann has never seen it", now=NOW)
    assert (books.jobs(), books.calls(), books.credits()) == (["queued"] * 3, {"a": "refused"}, (0, 0, 0))
    assert books.notes()[:2] == ["ann has never seen it"] * 2
    assert ask(books.path, "SELECT note FROM submission") == [("ann has never seen it",)]
    books.intend("b", 1, 2, reserve=2)


def test_what_was_answered_in_part_was_sent_whatever_a_person_says(books: Books) -> None:
    books.intend("a", 1, 2, reserve=2)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    books.answer("a", 1, final=False, charged=None)
    books.write(submissions.not_sent, "a", "never", now=NOW)
    assert (books.jobs()[:2], books.calls(), books.credits()[0]) == (["answered", "sent"], {"a": "accepted"}, 2000)
    assert ask(books.path, "SELECT count(*) FROM attempt WHERE live = 1") == [(2,)]


def test_a_bulk_in_which_one_was_sent_twice_is_not_sent_again(books: Books) -> None:
    books.intend("a", 1)
    books.write(submissions.doubt, "a", "?", hold_until=NOW, now=NOW)
    books.write(submissions.resend, "a", "as the policy says", now=NOW)
    assert books.notes()[0] == "as the policy says"
    books.intend("b", 1, 2, reserve=2)
    books.write(submissions.doubt, "b", "?", hold_until=NOW, now=NOW)
    books.write(submissions.resend, "b", "as the policy says", now=NOW)
    assert books.jobs()[:2] == ["answered", "answered"]


@pytest.mark.parametrize(
    ("refused", "again"), [(True, {}), (False, {"round_": 1, "since": since(NOW)}), (False, {"provider": "bob"})],
    ids=["refused at first", "in another round", "at another provider"],
)  # fmt: skip
def test_once_more_is_counted_by_what_may_have_arrived_there_in_this_round(
    books: Books, refused: bool, again: dict[str, Any]
) -> None:
    books.intend("a", 1)
    if refused:
        books.write(submissions.refuse, "a", "busy", now=NOW)
    else:
        books.answer("a", 1)
        next_one = writes.asking_next(1, again.get("provider", "ann"), "not good enough")
        books.write(Tx.move_many, [next_one], now=NOW)
    books.intend("b", 1, **again)
    books.write(submissions.doubt, "b", "?", hold_until=NOW, now=NOW)
    books.write(submissions.resend, "b", "as the policy says", now=NOW)
    assert (books.jobs()[0], books.calls()["b"]) == ("queued", "expired")


def test_what_was_sent_twice_is_not_sent_a_third_time(books: Books) -> None:
    for name in ("a", "b"):
        books.intend(name, 1)
        books.write(submissions.doubt, name, "?", hold_until=NOW, now=NOW)
        books.write(submissions.resend, name, "as the policy says", now=NOW)
    assert (books.jobs()[0], books.calls()) == ("answered", {"a": "expired", "b": "expired"})
    assert ask(books.path, "SELECT outcome FROM result") == [("unresolved",)]
    assert books.credits()[0] == 2000, "both may have been paid for"


# --- a crash in every gap ---------------------------------------------------------------------


def test_recovering_is_safe_to_repeat_and_touches_only_intents(books: Books) -> None:
    books.intend("a", 1)
    books.intend("b", 2)
    books.write(submissions.accept, "b", None, poll_at=None, deadline=NOW + DAY, now=NOW)
    books.crash()
    assert books.write(submissions.recover, {"ann": 7.0}, now=NOW) == 1
    assert books.write(submissions.recover, {"ann": 7.0}, now=NOW) == 0
    assert books.jobs() == ["in_doubt", "sent", "queued"]
    assert ask(books.path, "SELECT deadline FROM submission WHERE id = 'a'") == [(NOW + 7,)]
    books.intend("c", 3)
    books.write(submissions.recover, {"bob": 7.0}, now=NOW)
    assert ask(books.path, "SELECT deadline FROM submission WHERE id = 'c'") == [(NOW + 2 * DAY,)], (
        "nobody said how long"
    )


def test_after_any_crash_the_next_step_is_possible(tmp_path: Path) -> None:
    """The life of a call, cut after each transaction: recovery, then a late callback, ends well."""
    steps: list[tuple[str, Any]] = [
        ("intent", lambda b: b.intend("a", 1)),
        ("accepted", lambda b: b.write(submissions.accept, "a", "job", poll_at=NOW, deadline=NOW + DAY, now=NOW)),
        ("stored", _store),
    ]
    for cut in range(len(steps) + 1):
        books = Books(tmp_path / f"{cut}.db")
        for _, step in steps[:cut]:
            step(books)
        books.crash()
        books.write(submissions.recover, {}, now=NOW)
        assert books.jobs()[0] == ("queued", "in_doubt", "sent", "sent")[cut]
        if cut:
            books.answer("a", 1)
            assert (books.jobs()[0], books.credits()) == ("answered", (0, 1000, 0))
        books.close()
        audit(books.path)


def _store(books: Books) -> None:
    delivery = Delivery(submission_id="a", source=Source.CALLBACK, body=b"{}")
    assert books.write(arrivals.store, "ann", delivery, now=NOW) is arrivals.Kept.NEW
    assert books.write(arrivals.store, "ann", delivery, now=NOW) is arrivals.Kept.REPEATED


def test_a_submission_is_loaded_as_it_was_asked(books: Books) -> None:
    sent = books.intend("a", 1, 2, reserve=2)
    assert books.write(submissions.load, "a") == sent
    assert books.write(submissions.load, "nobody's") is None


# --- calls that a restored ledger has forgotten -----------------------------------------------


def forgotten(job: int | None = 1, field: Field | None = Field.EMAIL) -> Delivery:
    """The answer to a call of which this ledger knows nothing; its address says whom it was about."""
    ref = None if job is None else ContactRef(connection="crm", object="contacts", id=str(job))
    return Delivery(submission_id="lost", source=Source.CALLBACK, body=b"{}", ref=ref, field=field)


def adopt(books: Books, delivery: Delivery, provider: str = "bob") -> bool:
    price = {Field.EMAIL: Decimal("0.25"), Field.PHONE: Decimal(9)}
    adopted = books.write(submissions.adopt, delivery, provider, price, now=NOW)
    assert isinstance(adopted, bool)
    return adopted


def test_a_forgotten_call_is_known_again_by_its_address_at_its_worst_case(books: Books) -> None:
    assert adopt(books, forgotten()) is True
    assert (books.jobs(), books.credits()) == (["sending", "queued", "queued"], (250, 0, 0))
    assert ask(books.path, "SELECT id, provider, sync, state, requests, created_at, deadline FROM submission") == [
        ("lost", "bob", "people", "intent", 1, NOW, NOW + DAY)
    ]
    assert ask(books.path, "SELECT job_id, request_id, provider, round, asked, live FROM question") == [
        (1, "lost", "bob", 0, "{}", 1)
    ]
    assert ask(books.path, "SELECT provider, submission_id FROM job WHERE id = 1") == [("bob", "lost")]
    assert ask(books.path, "SELECT name, n FROM tally") == [("calls_adopted", 1)]


@pytest.mark.parametrize(
    "delivery",
    [forgotten(job=None), forgotten(field=None), forgotten(job=77), forgotten(field=Field.PHONE), forgotten(job=2)],
    ids=["nobody named", "no field named", "an unknown contact", "a field that nobody looks for", "asked again since"],
)
def test_what_can_not_be_told_of_a_forgotten_call_is_not_guessed(books: Books, delivery: Delivery) -> None:
    books.intend("again", 2)
    before = books.jobs(), books.calls(), books.credits()
    assert adopt(books, delivery) is False
    assert (books.jobs(), books.calls(), books.credits()) == before
