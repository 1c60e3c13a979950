"""The life of paid calls in random order: whatever comes, and however often, the books stay right."""

import shutil
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from syncd.contract.model import Answer, Delivery, EnrichmentResult, Field, Outcome, Source
from syncd.ledger import arrivals, inbox, submissions, writes
from syncd.ledger.budgets import Budget
from syncd.ledger.room import OverBudget
from syncd.ledger.states import JobState, Reason, SubmissionState
from syncd.ledger.store import Tx

from .audit import ask, audit
from .furnish import received
from .test_ledger_submissions import FOUND, NOW, Books

JOBS = 4
CAP = Decimal(9)
ANSWERS = st.sampled_from([Outcome.FOUND, Outcome.NOT_FOUND, Outcome.NO_CREDITS, Outcome.MISSING, Outcome.FAILED])
OPEN = (SubmissionState.INTENT, SubmissionState.ACCEPTED, SubmissionState.IN_DOUBT)


class Life(RuleBasedStateMachine):
    """Jobs at one provider. `known` is what a callback may speak of: every call ever made."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.books = Books(self.folder / "ledger.db", JOBS)
        self.asked: dict[str, tuple[int, ...]] = {}
        self.freed: Counter[int] = Counter()  # how often a job was let go to be asked once more
        self.bodies: list[tuple[str, bytes]] = []
        self.lied: set[str] = set()  # refused by a provider that answered all the same

    def teardown(self) -> None:
        self.books.close()
        audit(self.books.path)
        shutil.rmtree(self.folder)

    def call(self, data: st.DataObject, *states: SubmissionState) -> str | None:
        names = [n for n, state in self.books.calls().items() if not states or state in states]
        return data.draw(st.sampled_from(sorted(names))) if names else None

    # --- what may happen ----------------------------------------------------------------------

    @rule(jobs=st.sets(st.integers(1, JOBS), min_size=1))
    def intend(self, jobs: set[int]) -> None:
        queued = [job for job in sorted(jobs) if self.books.jobs()[job - 1] == JobState.QUEUED]
        if not queued:
            return
        name = f"s{len(self.asked)}"
        rounds = dict(ask(self.books.path, "SELECT id, round FROM job"))
        reserved, charged, _ = self.books.credits()
        fits = (reserved or 0) + (charged or 0) + 1000 * len(queued) <= CAP * 1000
        try:
            self.books.intend(
                name, *queued, reserve=len(queued), budget=Budget(name="all", per_month=CAP), round_=rounds[queued[0]]
            )
        except OverBudget:
            assert not fits
            return
        assert fits
        self.asked[name] = tuple(queued)

    @rule(data=st.data())
    def accept(self, data: st.DataObject) -> None:
        if name := self.call(data):
            self.books.write(submissions.accept, name, f"job-{name}", poll_at=NOW, deadline=NOW, now=NOW)

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        if name := self.call(data, *OPEN, SubmissionState.SETTLED):
            self.books.write(submissions.refuse, name, "slow down", now=NOW)

    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        if name := self.call(data, *OPEN):
            self.books.write(submissions.reject, name, "not this one", now=NOW)

    @rule(data=st.data())
    def doubt(self, data: st.DataObject) -> None:
        if name := self.call(data):
            self.books.write(submissions.doubt, name, "?", hold_until=NOW, now=NOW)

    @rule(data=st.data(), outcome=ANSWERS, final=st.booleans(), charged=st.one_of(st.none(), st.integers(0, 3)))
    def call_back(self, data: st.DataObject, outcome: Outcome, final: bool, charged: int | None) -> None:
        if name := self.call(data):
            some = data.draw(st.sets(st.sampled_from(self.asked[name])))
            body = f"{name} {sorted(some)} {outcome} {final} {charged}".encode()
            self._deliver(name, body, outcome, some, final, charged)

    def _deliver(
        self, name: str, body: bytes, outcome: Outcome, some: set[int], final: bool, charged: int | None
    ) -> None:
        if not self.books.write(
            arrivals.store, "ann", Delivery(submission_id=name, source=Source.POLL, body=body), now=NOW
        ):
            return
        self.bodies.append((name, body))
        results = tuple(
            EnrichmentResult(
                request_id=f"{name}/{job}", field=Field.EMAIL, outcome=outcome,
                candidates=FOUND if outcome is Outcome.FOUND else (),
            )
            for job in some
        )  # fmt: skip
        if self.books.calls()[name] == SubmissionState.REFUSED and name not in self.lied:
            self.lied.add(name)
            self.freed.update(self.asked[name])
        if outcome is Outcome.NO_CREDITS:
            self.freed.update(some)
        cost = None if charged is None or not final else Decimal(charged)
        got = self.books.write(received, 1)[0]
        answer = Answer(results=results, final=final, charged=cost)
        self.books.write(inbox.apply, got, answer, poll_at=None, deadline=NOW, now=NOW)

    @precondition(lambda self: self.bodies)
    @rule(data=st.data())
    def duplicate(self, data: st.DataObject) -> None:
        name, body = data.draw(st.sampled_from(self.bodies))
        before = self._all()
        delivery = Delivery(submission_id=name, source=Source.CALLBACK, body=body)
        assert self.books.write(arrivals.store, "ann", delivery, now=NOW) is arrivals.Kept.REPEATED
        assert self.books.write(received, 1) == []
        assert self._all() == before

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        if name := self.call(data):
            for state in (SubmissionState.ACCEPTED, SubmissionState.IN_DOUBT):
                self.books.write(submissions.expire, name, state, "too late", now=NOW)

    @rule(data=st.data())
    def resend(self, data: st.DataObject) -> None:
        if name := self.call(data, SubmissionState.IN_DOUBT):
            self.freed.update(self.asked[name])
            self.books.write(submissions.resend, name, "by policy", now=NOW)

    @rule(job=st.integers(1, JOBS), what=st.sampled_from(["accept", "give up", "ask again"]))
    def decide(self, job: int, what: str) -> None:
        self.books.write(_decide, job, what)

    @rule()
    def crash(self) -> None:
        self.books.crash()
        self.books.write(submissions.recover, {}, now=NOW)
        assert SubmissionState.INTENT not in self.books.calls().values()

    # --- what must hold -----------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        audit(self.books.path)

    @invariant()
    def nobody_is_asked_about_twice(self) -> None:
        """More than one question that may have been paid for, per job and round, only where the
        operator's policy or a provider without credits let it go."""
        rows = ask(
            self.books.path,
            "SELECT job_id, round, count(*) FROM attempt JOIN submission ON submission.id = submission_id "
            "WHERE state <> 'refused' GROUP BY 1, 2",
        )
        assert all(n <= 1 + self.freed[job] for job, _, n in rows), rows

    @invariant()
    def an_open_call_is_either_reserved_or_settled(self) -> None:
        rows = ask(self.books.path, "SELECT id, state, reserved_mc, charged_mc FROM submission")
        for name, state, reserved, charged in rows:
            if state in ("intent", "accepted", "in_doubt", "expired"):
                assert (reserved > 0, charged) == (True, None)
            if state == "refused":
                assert (reserved, charged) == (0, None)
            if state == "settled" and name not in self.lied:
                assert (reserved == 0) is (charged is not None)

    def _all(self) -> Any:
        tables = ("job", "submission", "attempt", "result", "event", "spend", "counter")
        return [ask(self.books.path, f"SELECT * FROM {table}") for table in tables]


def _decide(tx: Tx, job: int, what: str) -> None:
    """What verify may do with an answered job, and what time does with one that is done."""
    state = JobState(tx.value("job_state", id=job))
    if state is JobState.ANSWERED and what == "accept":
        accepted = writes.accepting(job, "ada@acme.example.com", "valid", now=NOW, result_id=None, target=None)
        tx.move_many([accepted], now=NOW)
    elif state is JobState.ANSWERED and what == "give up":
        tx.move_many([writes.giving_up(job, Reason.NOT_FOUND, "nobody knows")], now=NOW)
    elif state is JobState.DONE and what == "ask again":
        rounds = tx.rows("attempts_of_job", job_id=job)
        tx.move(job, state, JobState.QUEUED, now=NOW, round=1 + max((r["round"] for r in rounds), default=0))


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
