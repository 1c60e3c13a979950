"""Dispatch's calls: an intent before each, and an outcome after each, whatever the provider does."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.config import Budget, InDoubtPolicy
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Split, Trouble
from syncd.contract.model import Receipt, Submission
from syncd.contract.pacing import Window
from syncd.ledger import connections
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.pipeline import dispatch, paid_calls
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness


class Told(FakeProvider):
    """`then` is what happens inside each call."""

    def __init__(self, name: str = "ann", **wishes: object) -> None:
        super().__init__(name, **{"capabilities": ONE_BY_ONE, **wishes})  # type: ignore[arg-type]
        self.then: Callable[[Submission], object] = lambda _: None
        self.body_at_once = False

    async def submit(self, submission: Submission) -> Receipt:
        said = self.then(submission)
        if asyncio.iscoroutine(said):
            await said
        receipt = await super().submit(submission)
        return replace(receipt, body=self.body(submission)) if self.body_at_once else receipt


def one_email(build: Build, fake: FakeProvider | None = None, people: int = 1, **wishes: object) -> Harness:
    """A harness with queued e-mail jobs."""
    fake = fake or FakeProvider("ann", capabilities=ONE_BY_ONE)
    harness = build(providers=[fake], fields={EMAIL: ["ann"]}, **wishes)
    for n in range(people):
        harness.person(f"Ada{n}")
    harness.pull()
    harness.plan()
    return harness


def test_the_intent_is_on_disk_when_the_call_is_made(build: Build) -> None:
    fake = Told()
    harness = one_email(build, fake)
    seen = []
    fake.then = lambda s: seen.append(
        harness.sql(
            "SELECT submission.state, reserved_mc, job.state, live FROM submission "
            "JOIN attempt ON attempt.submission_id = submission.id JOIN job ON job.id = job_id WHERE submission.id = ?",
            s.id,
        )
    )
    assert harness.dispatch() == 1
    assert seen == [[("intent", 1000, "sending", 1)]]
    assert harness.submissions() == ["accepted"]


def test_a_receipt_with_the_result_in_it_is_an_answer(build: Build) -> None:
    fake = Told()
    fake.body_at_once = True
    harness = one_email(build, fake)
    harness.finds("501", EMAIL, "ada@acme.example.com")
    harness.dispatch()
    harness.finish()
    assert harness.job("501") == ("done", "written")
    assert harness.sql("SELECT source FROM delivery") == [("receipt",)]


def test_a_refusal_that_passes_leaves_the_jobs_queued_and_waits(build: Build) -> None:
    harness = one_email(build)
    harness.fake.refusals.append(Retry("try later", after=20.0))
    assert harness.dispatch() == 1
    assert (harness.state("501"), harness.submissions(), harness.credits()["reserved"]) == ("queued", ["refused"], 0)
    harness.clock.time += 19
    assert harness.dispatch() == 0
    harness.clock.time += 1
    assert harness.dispatch() == 1
    assert harness.sql("SELECT live FROM attempt ORDER BY id") == [(0,), (1,)]


def test_refusals_in_a_row_wait_longer_and_longer_and_an_acceptance_forgets_them(build: Build) -> None:
    harness = one_email(build)
    lane, waits = harness.parts.lanes["ann"], []
    for _ in range(15):
        harness.fake.refusals.append(Retry("no answer"))
        harness.dispatch()
        waits.append(lane.pacer.ready_in())
        harness.clock.time += waits[-1]
    assert all(2.0 ** (n + 1) <= wait <= 2.0 ** (n + 2) for n, wait in enumerate(waits[:10]))
    assert max(waits) == waits[-1] == paid_calls.BACK_OFF_CAP
    harness.dispatch()
    assert harness.sql("SELECT refusals FROM connection WHERE name = 'ann'") == [(0,)]


def test_a_rate_limit_teaches_the_windows_for_good(build: Build) -> None:
    harness = one_email(build, people=3)
    told = (Window(60.0, 1), Window(3600.0, 100))
    harness.fake.refusals += [RateLimited("slow down", after=60.0, windows=told)] * 3
    harness.dispatch()
    assert harness.parts.lanes["ann"].pacer.windows == told
    assert harness.run(harness.ledger.read(connections.windows, "ann")) == told
    harness.clock.time += 60
    assert harness.dispatch() == 1, "one a minute from now on"
    assert harness.dispatch() == 0


def test_a_person_whom_the_provider_refuses_is_answered_and_costs_nothing(build: Build) -> None:
    harness = one_email(build)
    harness.fake.refusals.append(Skip("not a person"))
    harness.dispatch()
    harness.verify()
    assert (harness.job("501"), harness.note("501")) == (("done", "rejected_input"), "not a person")
    assert (harness.submissions(), harness.credits()["reserved"]) == (["refused"], 0)


def test_l16_whom_a_provider_refuses_is_not_asked_again_although_more_is_known_than_its_way_tells(
    build: Build,
) -> None:
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE, ways={"profile": ["linkedin_url"], "name": ["last_name"]})
    harness = build(providers=[ann], fields={EMAIL: ["ann"]})
    ann.refusals += [Skip("not a person")] * 5
    ada = harness.person()
    harness.ask()
    for _ in range(4):
        harness.verify()
        harness.dispatch()
    assert (len(ann.submitted), harness.job(ada)) == (1, ("done", "rejected_input"))


# --- bulks ------------------------------------------------------------------------------------


def test_a_refused_bulk_is_halved_until_the_culprit_stands_alone(build: Build) -> None:
    fake = Told(capabilities=replace(CAPABILITIES, batch=8))

    def culprit(submission: Submission) -> None:
        if any(r.ref.id == "503" for r in submission.requests):
            raise Split("somebody is wrong") if len(submission.requests) > 1 else Skip("it is this one")

    fake.then = culprit
    harness = one_email(build, fake, people=8)
    harness.dispatch()
    harness.verify()
    assert harness.job("503") == ("done", "rejected_input")
    assert {harness.state(str(n)) for n in range(501, 509) if n != 503} == {"sent"}
    assert sorted(len(s.requests) for s in fake.accepted.values()) == [1, 2, 4]
    requests = [r[0] for r in harness.sql("SELECT request_id FROM question")]
    assert len(set(requests)) == len(requests) == 8 + 8 + 4 + 2, "each half has an intent and ids of its own"
    assert harness.credits()["reserved"] == 7


def test_a_bulk_of_one_that_is_to_be_split_is_refused(build: Build) -> None:
    harness = one_email(build)
    harness.fake.refusals += [Split("cut it")] * 50
    assert harness.dispatch() == 1
    harness.verify()
    assert harness.job("501") == ("done", "rejected_input")


@pytest.mark.parametrize(
    "then", [Halt("locked", trouble=Trouble.BLOCKED, cure="call them"), Retry("busy", after=500.0)]
)
def test_the_second_half_is_not_sent_when_the_first_is_told_to_stop(build: Build, then: Halt | Retry) -> None:
    harness = one_email(build, FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=4)), people=4)
    harness.fake.refusals += [Split("somebody"), then]
    start = harness.clock.now()
    assert harness.dispatch() == 2
    assert len(harness.fake.submitted) == 2
    assert harness.clock.now() == start, "and nobody waits for the pause in there"
    assert {harness.state(str(n)) for n in range(501, 505)} == {"queued"}


def test_nobody_waits_for_a_place_that_will_never_be_free(build: Build) -> None:
    """SIGTERM while a bulk is refused: its halves are left in the queue, and the process can end."""
    fake = Told(capabilities=replace(CAPABILITIES, batch=4))
    harness = one_email(build, fake, people=4)

    asked = []

    def end(submission: Submission) -> None:
        asked.append(submission.id)
        harness.parts.lanes["ann"].pacer.close()
        raise Split("somebody is wrong")

    fake.then = end
    start = harness.clock.now()
    harness.dispatch()
    assert (len(asked), harness.clock.now()) == (1, start)
    assert {harness.state(str(n)) for n in range(501, 505)} == {"queued"}


# --- doubt ------------------------------------------------------------------------------------


def test_a_call_that_may_have_been_made_is_held_and_never_made_again(build: Build) -> None:
    harness = one_email(build, in_doubt=InDoubtPolicy.ASK)
    harness.fake.refusals.append(InDoubt("the line was cut"))
    harness.dispatch()
    assert (harness.state("501"), harness.submissions()) == ("in_doubt", ["in_doubt"])
    assert harness.credits() == {"reserved": 1, "charged": 0, "in_doubt": 1}
    for _ in range(5):
        harness.clock.time += 30 * 86_400
        harness.sweep()
        assert harness.dispatch() == 0
    harness.call_back(harness.fake.submitted[0])
    assert harness.state("501") == "answered"


def test_whatever_breaks_while_sending_is_in_doubt_and_raised(build: Build) -> None:
    fake = Told()
    harness = one_email(build, fake, people=3)

    def bug(submission: Submission) -> None:
        if submission.requests[0].ref.id == "502":
            raise ZeroDivisionError

    fake.then = bug
    with pytest.raises(ZeroDivisionError):
        harness.dispatch()
    assert [harness.state(str(n)) for n in (501, 502, 503)] == ["sent", "in_doubt", "sent"], (
        "its mates came to their end"
    )
    assert "ZeroDivisionError" in harness.note("502")


def test_a_cancelled_call_is_in_doubt(build: Build) -> None:
    fake = Told()
    harness = one_email(build, fake)
    reached = asyncio.Event()

    async def never() -> None:
        reached.set()
        await asyncio.Event().wait()

    async def cancelled() -> None:
        sending = asyncio.create_task(dispatch.run_once(harness.parts, "ann"))
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    fake.then = lambda _: never()
    harness.run(cancelled())
    assert (harness.state("501"), harness.submissions()) == ("in_doubt", ["in_doubt"])


# --- stopping ---------------------------------------------------------------------------------


def test_a_halt_opens_the_circuit_and_says_what_to_do(build: Build) -> None:
    harness = one_email(build, people=20)
    harness.fake.refusals += [Halt("the key is wrong", trouble=Trouble.CREDENTIALS, cure="give another")] * 20
    assert harness.dispatch() <= 8, "what was in flight, and no more"
    calls = len(harness.fake.submitted)
    assert harness.sql("SELECT trouble, message, cure FROM connection WHERE trouble <> ''") == [
        ("credentials", "the key is wrong", "give another")
    ]
    harness.clock.time += 86_400
    assert harness.dispatch() == 0
    assert len(harness.fake.submitted) == calls
    assert {harness.state(str(n)) for n in range(501, 521)} == {"queued"}
    assert harness.credits()["reserved"] == 0


def test_the_budget_stops_before_the_call_and_goes_on_the_next_day(build: Build) -> None:
    harness = one_email(build, people=5, budget=Budget(credits_per_day=Decimal(2)))
    assert harness.dispatch() == 2
    assert len(harness.fake.submitted) == 2
    assert harness.over_budget() == {"people": "day"}
    assert [harness.dispatch() for _ in range(5)] == [0] * 5
    assert len(harness.parts.lanes["ann"].pacer._calls) <= 5, "no place in the rate windows is taken for nothing"
    harness.clock.time += 86_400
    assert harness.dispatch() == 2
    assert harness.credits()["reserved"] == 4


def test_what_is_too_dear_does_not_stand_in_the_way_of_what_is_not(build: Build) -> None:
    harness = build(fields={PHONE: ["ann"], EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(5)))
    for n in range(12):
        harness.person(f"Ada{n}")
    assert harness.ask() == 5
    assert {s.requests[0].fields for s in harness.fake.submitted} == {(EMAIL,)}


def test_of_a_bulk_dearer_than_what_is_left_a_part_goes_ahead(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=8))
    harness = one_email(build, ann, people=8, budget=Budget(credits_per_day=Decimal(5)))
    harness.clock.time += 60
    harness.dispatch()
    assert sum(len(s.requests) for s in ann.submitted) == 5
    assert harness.credits()["reserved"] == 5
    assert harness.dispatch() == 0


def test_l17_at_most_three_paid_calls_are_in_flight(build: Build) -> None:
    fake = Told()
    harness = one_email(build, fake, people=30)
    flying, most, full = 0, 0, asyncio.Event()

    async def fly() -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        if flying == 3:
            full.set()
        await asyncio.wait_for(full.wait(), 30)
        for _ in range(20):
            await asyncio.sleep(0)
        flying -= 1

    fake.then = lambda _: fly()
    assert harness.dispatch() == 30
    assert most == 3


def test_the_windows_are_kept_whatever_waits(build: Build) -> None:
    fake = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, windows=(Window(60.0, 4), Window(3600.0, 7))))
    harness = one_email(build, fake, people=10)
    sent = []
    for _ in range(4):
        sent.append(harness.dispatch())
        harness.clock.time += 61
    assert sent == [4, 2, 0, 0]


def test_a_job_that_left_the_queue_since_it_was_chosen_stops_nothing(build: Build) -> None:
    """A late answer comes between the look and the intent."""
    fake = Told()
    harness = one_email(build, fake, people=12)
    fake.then = lambda _: None if fake.submitted else harness.ledger.write(_answered, 12)
    assert harness.dispatch() == 11
    assert harness.sql("SELECT state FROM job WHERE id = 12") == [("answered",)]


def _answered(tx: Tx, job: int) -> bool:
    return tx.move(job, JobState.QUEUED, JobState.ANSWERED, now=0.0)
