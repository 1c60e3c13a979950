"""The provider cases that only the pipeline can show, by their numbers in the list of cases."""

from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.config import Budget, InDoubtPolicy
from syncd.contract.errors import Halt, InDoubt, RateLimited, Trouble
from syncd.contract.model import Grade, Identity
from syncd.contract.pacing import Window
from syncd.pipeline import probe
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .callers import target
from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, UNHEARD, House
from .test_pipeline_dispatch import NeedsMail
from .test_pipeline_inbox import words

VALUE = "ada@acme.example.com"


def emails(build: Build, *people: str, **wishes: object) -> tuple[House, list[str]]:
    """People who are asked about at ann, for an e-mail; ann finds one for each."""
    house = build(fields={EMAIL: ["ann"]}, **wishes)
    ids = [house.person(name) for name in people or ("Ada",)]
    for one in ids:
        house.finds(one, EMAIL, f"{one}@acme.example.com")
    house.ask()
    return house, ids


# --- A. submitting ----------------------------------------------------------------------------


def test_case_03_more_than_a_bulk_goes_in_several(build: Build) -> None:
    house = build(
        providers=[FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=100))], fields={EMAIL: ["ann"]}
    )
    for n in range(205):
        house.person(f"Ada{n}")
    house.pull()
    house.plan()
    house.clock.time += 60
    house.dispatch()
    assert sorted(len(s.requests) for s in house.fake.submitted) == [5, 100, 100]
    assert len({r.id for s in house.fake.submitted for r in s.requests}) == 205


def test_case_13_a_phone_by_name_waits_for_the_email_or_is_skipped_with_a_reason(build: Build) -> None:
    house = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada, bo = house.person("Ada"), house.person("Bo")
    house.finds(ada, EMAIL, VALUE)
    house.ask()
    assert house.note(ada, PHONE) == "waits for the e-mail to be found first"
    house.answer_all()
    house.verify()
    house.dispatch()
    house.verify()
    assert house.fake.submitted[-1].requests[0].identity.email == VALUE
    assert (house.state(ada, PHONE), house.job(bo, PHONE), house.note(bo, PHONE)) == (
        "sent", ("done", "rejected_input"), "needs an e-mail",
    )  # fmt: skip


def test_case_14_email_and_phone_are_two_calls_two_addresses_two_costs(house: House) -> None:
    ada = house.person()
    house.finds(ada, EMAIL, VALUE)
    house.ask()
    by_mail, by_phone = house.fake.submitted
    assert by_mail.id != by_phone.id
    assert target(by_mail) != target(by_phone)
    assert house.sql("SELECT reserved_mc FROM submission ORDER BY id") == [(1000,), (10_000,)]
    house.call_back(by_mail)
    house.finish()
    assert (house.job(ada), house.state(ada, PHONE)) == (("done", "written"), "sent")
    house.call_back(by_phone)
    house.finish()
    assert (house.job(ada), house.job(ada, PHONE)) == (("done", "written"), ("done", "not_found"))


@pytest.mark.parametrize("policy", list(InDoubtPolicy))
def test_case_17_a_call_of_unknown_fate_is_never_made_again_by_itself(build: Build, policy: InDoubtPolicy) -> None:
    house, (ada,) = emails(build, providers=[doubtful()], in_doubt=policy)
    for _ in range(3):
        house.sweep()
        house.verify()
        house.dispatch()
        house.clock.time += DAY / 2
    assert (house.state(ada), len(house.fake.submitted)) == ("in_doubt", 1), "for as long as it is held"
    house.clock.time += DAY
    house.sweep()
    house.verify()
    house.dispatch()
    again = policy is InDoubtPolicy.RESEND_ONCE
    assert len(house.fake.submitted) == 1 + again
    assert len({s.id for s in house.fake.submitted}) == 1 + again, "with a new id"
    house.call_back(house.fake.submitted[0])
    house.finish()
    assert house.job(ada) == ("done", "written"), "its callback decides, whenever it comes"


def doubtful(name: str = "ann", **wishes: object) -> FakeProvider:
    fake = FakeProvider(name, **{"capabilities": ONE_BY_ONE, **wishes})  # type: ignore[arg-type]
    fake.refusals.append(InDoubt("the line was cut"))
    return fake


def test_case_22_the_same_person_twice_is_bought_once_and_both_get_it(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=100))
    house = build(providers=[ann], fields={EMAIL: ["ann"]})
    twins = [
        house.crm.add(Identity(linkedin_url=url)) for url in ("linkedin.com/in/ada", "https://uk.linkedin.com/in/Ada/")
    ]
    house.finds(twins[0], EMAIL, VALUE)
    house.pull()
    house.plan()
    house.clock.time += 60
    house.dispatch()
    assert [len(s.requests) for s in ann.submitted] == [1]
    house.answer_all()
    house.verify()
    house.dispatch()
    house.verify()
    assert (len(ann.submitted), house.credits()["charged"]) == (1, 1)
    assert [house.state(one) for one in twins] == ["accepted", "accepted"]


def test_case_23_somebody_enriched_before_is_taken_from_our_own_memory(build: Build) -> None:
    house, _ = emails(build, "Ada")
    house.answer_all()
    house.finish()
    twin = house.person("Ada")
    house.ask()
    assert (len(house.fake.submitted), house.state(twin)) == (1, "answered")
    house.finish()
    house.clock.time += 91 * DAY
    late = house.person("Ada")
    house.ask()
    sent = house.fake.submitted[-1]
    assert sent.requests[0].ref.id == late
    house.call_back(sent)
    assert house.sql("SELECT charged_mc FROM submission ORDER BY id") == [(1000,), (0,)], "free, and still on record"


# --- B. money and limits ----------------------------------------------------------------------


def test_case_27_without_credits_it_pauses_and_comes_back_when_there_are_some(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals.append(Halt("no credit remaining", trouble=Trouble.CREDITS, cure="buy some"))
    ann.left = Decimal(0)
    house, (ada,) = emails(build, providers=[ann])
    assert (house.state(ada), house.submissions()) == ("queued", ["refused"])
    for _ in range(3):
        house.clock.time += 60
        house.run(probe.run_once(house.parts))
        house.dispatch()
    assert len(ann.submitted) == 1
    ann.left = Decimal(10)
    house.run(probe.run_once(house.parts))
    assert (house.dispatch(), house.state(ada)) == (1, "sent")


def test_case_28_credits_that_end_in_the_middle_keep_what_was_found_and_ask_the_rest_later(build: Build) -> None:
    house = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ids = [house.person(name) for name in ("Ada", "Bo", "Cy")]
    house.pull()
    house.plan()
    house.clock.time += 60
    house.dispatch()
    house.fake.left = Decimal(0)
    house.call_back(
        house.fake.submitted[0], words(house.fake.submitted[0], "found", "no_credits", "no_credits", charged=1)
    )
    house.finish()
    assert [house.job(one) for one in ids] == [("done", "written"), ("queued", ""), ("queued", "")]
    assert (house.dispatch(), house.credits()["charged"]) == (0, 1)
    house.fake.left = Decimal(100)
    house.run(probe.run_once(house.parts))
    assert house.dispatch() == 1
    assert [r.ref.id for r in house.fake.submitted[1].requests] == ids[1:]


def test_case_32_a_rate_limit_is_learnt_kept_and_waited_for_in_order(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals += [RateLimited("slow down", after=60.0, windows=[Window(60.0, 1), Window(3600.0, 100)])] * 8
    house, ids = emails(build, "Ada", "Bo", "Cy", providers=[ann])
    refused = len(ann.submitted)
    assert house.dispatch() == 0, "no hot loop"
    ann.refusals.clear()
    for _ in ids:
        house.clock.time += 60
        house.dispatch()
    assert [s.requests[0].ref.id for s in ann.submitted[refused:]] == ids
    assert set(house.submissions()) == {"refused", "accepted"}


def test_case_35_the_budget_stops_before_the_call_with_the_worst_case_in_mind(build: Build) -> None:
    house = build(budget=Budget(credits_per_day=Decimal(12)))
    ada, bo = house.person("Ada"), house.person("Bo")
    house.finds(ada, PHONE, "+33639980123")
    house.ask()
    assert house.credits()["reserved"] <= 12
    assert len(house.fake.submitted) == 3, "two e-mails, one phone; a second phone would be too much"
    house.answer_all()
    house.verify()
    assert house.credits() == {"reserved": 0, "charged": 10, "in_doubt": 0}
    assert house.dispatch() == 0, "settled, and still no room for ten more"
    house.clock.time += DAY
    assert (house.dispatch(), house.state(bo, PHONE)) == (1, "sent")


def test_case_37_a_cost_that_is_not_told_keeps_its_reservation(build: Build) -> None:
    house, (ada,) = emails(build)
    sent = house.fake.submitted[0]
    house.call_back(sent, words(sent, "found"))
    house.finish()
    assert (house.job(ada), house.submissions()) == (("done", "written"), ["settled"])
    assert house.credits() == {"reserved": 1, "charged": 0, "in_doubt": 0}
    assert house.sql("SELECT charged_mc, note FROM submission") == [(None, "the provider did not say what it charged")]


def test_case_53_what_the_crm_holds_is_not_overwritten(build: Build) -> None:
    house, (ada,) = emails(build)
    house.crm.edit(ada, "email", "typed@acme.example.com")
    house.answer_all()
    house.finish()
    assert (house.held(ada), house.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert VALUE.partition("@")[2] in str(house.sql("SELECT candidates FROM result")), "kept as a candidate"


def test_case_41_a_guess_is_a_grade_of_its_own(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]}, accept=frozenset({Grade.VALID, Grade.PROBABLE}))
    ada = house.person()
    house.finds(ada, EMAIL, VALUE, grade=Grade.PROBABLE)
    house.ask()
    house.answer_all()
    house.verify()
    assert house.note(ada) == "probable by ann"
