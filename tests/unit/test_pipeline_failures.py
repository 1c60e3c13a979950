"""What a provider failed at: it has not said what it charges, and it may answer yet."""

from decimal import Decimal

from syncd.config import Budget
from syncd.contract.model import Answer, Candidate, EnrichmentResult, Field, Grade, Outcome, Submission
from syncd.ledger import inbox
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .harness import DAY, ONE_BY_ONE, PHONE, UNHEARD, Harness

HOUR = 3_600.0
NUMBER = Candidate(value="+447700900123", grade=Grade.VALID)


def one_a_day(build: Build) -> Harness:
    """A harness that asks for phones, each for ten credits, and may spend fifteen a day."""
    budget = Budget(credits_per_day=Decimal(15))
    return build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={PHONE: ["ann"]}, budget=budget)


def failed(call: Submission, charged: Decimal | None = None) -> bytes:
    return said([{"id": call.requests[0].id, "field": "phone", "outcome": Outcome.FAILED}], charged=charged)


def test_what_failed_may_still_be_charged_and_the_budget_holds(build: Build) -> None:
    harness = one_a_day(build)
    people = [harness.person("Ada", email="ada@acme.test"), harness.person("Bo", email="bo@acme.test")]
    for one in people:
        harness.finds(one, Field.PHONE, NUMBER.value)
    harness.ask()
    (call,) = harness.fake.submitted
    harness.call_back(call, failed(call))
    harness.clock.time += HOUR
    harness.sweep()
    harness.ask()
    assert (harness.fake.submitted, harness.credits()["reserved"]) == ([call], 10), "the other one would exceed the cap"
    harness.call_back(call)
    assert (harness.submissions(), harness.credits()["charged"], harness.credits()["reserved"]) == (["settled"], 10, 0)


def test_each_of_several_answers_that_are_read_together_counts_as_it_is(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={PHONE: ["ann"]})
    for name in ("Ada", "Bo", "Cy"):
        harness.finds(harness.person(name, email=f"{name}@acme.test"), Field.PHONE, NUMBER.value)
    harness.ask()
    first, second, third = harness.fake.submitted
    for call, body in ((first, None), (second, failed(second)), (third, None)):
        harness.deliver(harness.fake.delivery(call, body=body))
    harness.inbox()
    assert dict(harness.sql("SELECT id, state FROM submission")) == {
        first.id: "settled", second.id: "failed", third.id: "settled",
    }  # fmt: skip


def test_what_failed_and_is_not_answered_any_more_costs_nothing(build: Build) -> None:
    harness = one_a_day(build)
    harness.finds(harness.person("Ada", email="ada@acme.test"), Field.PHONE, NUMBER.value)
    harness.ask()
    (call,) = harness.fake.submitted
    harness.call_back(call, failed(call))
    assert (harness.submissions(), harness.credits()["reserved"]) == (["failed"], 10)
    harness.clock.time += UNHEARD.answer_within - 1
    harness.sweep()
    assert harness.submissions() == ["failed"]
    harness.clock.time += 2
    harness.sweep()
    assert (harness.submissions(), harness.credits()["reserved"], harness.credits()["charged"]) == (["settled"], 0, 0)
    harness.clock.time += DAY
    harness.call_back(call)  # later than anybody waits: it is counted all the same
    assert harness.credits()["charged"] == 10


def test_a_failure_that_tells_its_charge_is_settled_at_once(build: Build) -> None:
    harness = one_a_day(build)
    harness.person("Ada", email="ada@acme.test")
    harness.ask()
    (call,) = harness.fake.submitted
    harness.call_back(call, failed(call, charged=Decimal(0)))
    assert (harness.submissions(), harness.credits()["reserved"]) == (["settled"], 0)


def test_a_call_that_expired_and_then_failed_is_free_in_the_end(build: Build) -> None:
    harness = one_a_day(build)
    harness.person("Ada", email="ada@acme.test")
    harness.ask()
    (call,) = harness.fake.submitted
    harness.clock.time += UNHEARD.answer_within + 1
    harness.sweep()
    assert (harness.submissions(), harness.credits()["reserved"]) == (["expired"], 10)
    harness.call_back(call, failed(call))
    harness.clock.time += UNHEARD.answer_within + 1
    harness.sweep()
    assert (harness.submissions()[0], harness.credits()["charged"]) == ("settled", 0)


def test_a_failure_that_comes_late_leaves_the_call_that_is_under_way(build: Build) -> None:
    """Ann did not answer in time, Ben was asked; that Ann has failed is no news of Ben's call, which is paid for."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "ben")]
    harness = build(providers=fakes, fields={PHONE: ["ann", "ben"]})
    ada = harness.person("Ada", email="ada@acme.test")
    harness.ask()
    harness.clock.time += 3 * DAY
    harness.sweep()
    harness.verify()
    harness.ask()
    (late,), (under_way,) = (fake.submitted for fake in fakes)
    harness.call_back(late, failed(late), name="ann")
    assert harness.state(ada, PHONE) == "sent"
    harness.clock.time += HOUR
    harness.sweep()
    harness.ask()
    assert (fakes[0].submitted, fakes[1].submitted) == ([late], [under_way])


def test_where_the_credits_ran_out_it_is_said_in_the_providers_words_if_it_has_any(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={PHONE: ["ann"]})
    contact = harness.person("Ada", email="ada@acme.test")
    harness.ask()
    (call,) = harness.fake.submitted
    answer = Answer(
        results=(EnrichmentResult(
            request_id=call.requests[0].id, field=Field.PHONE, outcome=Outcome.NO_CREDITS, note="no more today"
        ),), final=True, charged=Decimal(0),
    )  # fmt: skip
    harness.deliver(harness.fake.delivery(call))
    got = harness.run(harness.ledger.read(lambda tx: inbox.received(tx, inbox.waiting(tx, 9))))[0]
    harness.run(harness.ledger.write(inbox.apply, got, answer, poll_at=None, deadline=9e9, now=harness.clock.now()))
    assert (harness.job(contact, PHONE), harness.note(contact, PHONE)) == (("queued", ""), "no more today")
