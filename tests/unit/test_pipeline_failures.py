"""What a provider failed at: it has not said what it charges, and it may answer yet."""

from decimal import Decimal

from syncd.config import Budget
from syncd.contract.model import Candidate, Field, Grade, Outcome, Submission
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .house import DAY, PHONE, UNHEARD, House

HOUR = 3_600.0
NUMBER = Candidate(value="+447700900123", grade=Grade.VALID)


def one_a_day(build: Build) -> House:
    """A house that asks for phones, each for ten credits, and may spend fifteen a day."""
    budget = Budget(credits_per_day=Decimal(15))
    return build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={PHONE: ["ann"]}, budget=budget)


def failed(call: Submission, charged: Decimal | None = None) -> bytes:
    return said([{"id": call.requests[0].id, "field": "phone", "outcome": Outcome.FAILED}], charged=charged)


def test_what_failed_may_still_be_charged_and_the_budget_holds(build: Build) -> None:
    house = one_a_day(build)
    people = [house.person("Ada", email="ada@acme.test"), house.person("Bo", email="bo@acme.test")]
    for one in people:
        house.finds(one, Field.PHONE, NUMBER.value)
    house.ask()
    (call,) = house.fake.submitted
    house.call_back(call, failed(call))
    house.clock.time += HOUR
    house.sweep()
    house.ask()
    assert (house.fake.submitted, house.credits()["reserved"]) == ([call], 10), "the other one would exceed the cap"
    house.call_back(call)
    assert (house.submissions(), house.credits()["charged"], house.credits()["reserved"]) == (["settled"], 10, 0)


def test_what_failed_and_is_not_answered_any_more_costs_nothing(build: Build) -> None:
    house = one_a_day(build)
    house.finds(house.person("Ada", email="ada@acme.test"), Field.PHONE, NUMBER.value)
    house.ask()
    (call,) = house.fake.submitted
    house.call_back(call, failed(call))
    assert (house.submissions(), house.credits()["reserved"]) == (["failed"], 10)
    house.clock.time += UNHEARD.answer_within - 1
    house.sweep()
    assert house.submissions() == ["failed"]
    house.clock.time += 2
    house.sweep()
    assert (house.submissions(), house.credits()["reserved"], house.credits()["charged"]) == (["settled"], 0, 0)
    house.clock.time += DAY
    house.call_back(call)  # later than anybody waits: it is counted all the same
    assert house.credits()["charged"] == 10


def test_a_failure_that_tells_its_charge_is_settled_at_once(build: Build) -> None:
    house = one_a_day(build)
    house.person("Ada", email="ada@acme.test")
    house.ask()
    (call,) = house.fake.submitted
    house.call_back(call, failed(call, charged=Decimal(0)))
    assert (house.submissions(), house.credits()["reserved"]) == (["settled"], 0)


def test_a_call_that_expired_and_then_failed_is_free_in_the_end(build: Build) -> None:
    house = one_a_day(build)
    house.person("Ada", email="ada@acme.test")
    house.ask()
    (call,) = house.fake.submitted
    house.clock.time += UNHEARD.answer_within + 1
    house.sweep()
    assert (house.submissions(), house.credits()["reserved"]) == (["expired"], 10)
    house.call_back(call, failed(call))
    house.clock.time += UNHEARD.answer_within + 1
    house.sweep()
    assert (house.submissions()[0], house.credits()["charged"]) == ("settled", 0)
