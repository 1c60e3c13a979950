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
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, UNHEARD, Harness
from .test_pipeline_dispatch import NeedsMail
from .test_pipeline_inbox import words

VALUE = "ada@acme.example.com"


def emails(build: Build, *people: str, **wishes: object) -> tuple[Harness, list[str]]:
    """People who are asked about at ann, for an e-mail; ann finds one for each."""
    harness = build(fields={EMAIL: ["ann"]}, **wishes)
    ids = [harness.person(name) for name in people or ("Ada",)]
    for one in ids:
        harness.finds(one, EMAIL, f"{one}@acme.example.com")
    harness.ask()
    return harness, ids


# --- A. submitting ----------------------------------------------------------------------------


def test_case_03_more_than_a_bulk_goes_in_several(build: Build) -> None:
    harness = build(
        providers=[FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=100))], fields={EMAIL: ["ann"]}
    )
    for n in range(205):
        harness.person(f"Ada{n}")
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    assert sorted(len(s.requests) for s in harness.fake.submitted) == [5, 100, 100]
    assert len({r.id for s in harness.fake.submitted for r in s.requests}) == 205


def test_case_13_a_phone_by_name_waits_for_the_email_or_is_skipped_with_a_reason(build: Build) -> None:
    harness = build(providers=[NeedsMail("ann", capabilities=UNHEARD)])
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.finds(ada, EMAIL, VALUE)
    harness.ask()
    assert harness.note(ada, PHONE) == "waits for the e-mail to be found first"
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    harness.verify()
    assert harness.fake.submitted[-1].requests[0].identity.email == VALUE
    assert (harness.state(ada, PHONE), harness.job(bo, PHONE), harness.note(bo, PHONE)) == (
        "sent", ("done", "rejected_input"), "needs an e-mail",
    )  # fmt: skip


def test_case_14_email_and_phone_are_two_calls_two_addresses_two_costs(harness: Harness) -> None:
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE)
    harness.ask()
    by_mail, by_phone = harness.fake.submitted
    assert by_mail.id != by_phone.id
    assert target(by_mail) != target(by_phone)
    assert harness.sql("SELECT reserved_mc FROM submission ORDER BY id") == [(1000,), (10_000,)]
    harness.call_back(by_mail)
    harness.finish()
    assert (harness.job(ada), harness.state(ada, PHONE)) == (("done", "written"), "sent")
    harness.call_back(by_phone)
    harness.finish()
    assert (harness.job(ada), harness.job(ada, PHONE)) == (("done", "written"), ("done", "not_found"))


@pytest.mark.parametrize("policy", list(InDoubtPolicy))
def test_case_17_a_call_of_unknown_fate_is_never_made_again_by_itself(build: Build, policy: InDoubtPolicy) -> None:
    harness, (ada,) = emails(build, providers=[doubtful()], in_doubt=policy)
    for _ in range(3):
        harness.sweep()
        harness.verify()
        harness.dispatch()
        harness.clock.time += DAY / 2
    assert (harness.state(ada), len(harness.fake.submitted)) == ("in_doubt", 1), "for as long as it is held"
    harness.clock.time += DAY
    harness.sweep()
    harness.verify()
    harness.dispatch()
    again = policy is InDoubtPolicy.RESEND_ONCE
    assert len(harness.fake.submitted) == 1 + again
    assert len({s.id for s in harness.fake.submitted}) == 1 + again, "with a new id"
    harness.call_back(harness.fake.submitted[0])
    harness.finish()
    assert harness.job(ada) == ("done", "written"), "its callback decides, whenever it comes"


def doubtful(name: str = "ann", **wishes: object) -> FakeProvider:
    fake = FakeProvider(name, **{"capabilities": ONE_BY_ONE, **wishes})  # type: ignore[arg-type]
    fake.refusals.append(InDoubt("the line was cut"))
    return fake


def test_case_22_the_same_person_twice_is_bought_once_and_both_get_it(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=100))
    harness = build(providers=[ann], fields={EMAIL: ["ann"]})
    twins = [
        harness.crm.add(Identity(linkedin_url=url))
        for url in ("linkedin.com/in/ada", "https://uk.linkedin.com/in/Ada/")
    ]
    harness.finds(twins[0], EMAIL, VALUE)
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    assert [len(s.requests) for s in ann.submitted] == [1]
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    harness.verify()
    assert (len(ann.submitted), harness.credits()["charged"]) == (1, 1)
    assert [harness.state(one) for one in twins] == ["accepted", "accepted"]


def test_case_23_somebody_enriched_before_is_taken_from_our_own_memory(build: Build) -> None:
    harness, _ = emails(build, "Ada")
    harness.answer_all()
    harness.finish()
    twin = harness.person("Ada")
    harness.ask()
    assert (len(harness.fake.submitted), harness.state(twin)) == (1, "answered")
    harness.finish()
    harness.clock.time += 91 * DAY
    late = harness.person("Ada")
    harness.ask()
    sent = harness.fake.submitted[-1]
    assert sent.requests[0].ref.id == late
    harness.call_back(sent)
    assert harness.sql("SELECT charged_mc FROM submission ORDER BY id") == [(1000,), (0,)], "free, and still on record"


# --- B. money and limits ----------------------------------------------------------------------


def test_case_27_without_credits_it_pauses_and_comes_back_when_there_are_some(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals.append(Halt("no credit remaining", trouble=Trouble.CREDITS, cure="buy some"))
    ann.left = Decimal(0)
    harness, (ada,) = emails(build, providers=[ann])
    assert (harness.state(ada), harness.submissions()) == ("queued", ["refused"])
    for _ in range(3):
        harness.clock.time += 60
        harness.run(probe.run_once(harness.parts))
        harness.dispatch()
    assert len(ann.submitted) == 1
    ann.left = Decimal(10)
    harness.run(probe.run_once(harness.parts))
    assert (harness.dispatch(), harness.state(ada)) == (1, "sent")


def test_case_28_credits_that_end_in_the_middle_keep_what_was_found_and_ask_the_rest_later(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=CAPABILITIES)], fields={EMAIL: ["ann"]})
    ids = [harness.person(name) for name in ("Ada", "Bo", "Cy")]
    harness.pull()
    harness.plan()
    harness.clock.time += 60
    harness.dispatch()
    harness.fake.left = Decimal(0)
    harness.call_back(
        harness.fake.submitted[0], words(harness.fake.submitted[0], "found", "no_credits", "no_credits", charged=1)
    )
    harness.finish()
    assert [harness.job(one) for one in ids] == [("done", "written"), ("queued", ""), ("queued", "")]
    assert (harness.dispatch(), harness.credits()["charged"]) == (0, 1)
    harness.fake.left = Decimal(100)
    harness.run(probe.run_once(harness.parts))
    assert harness.dispatch() == 1
    assert [r.ref.id for r in harness.fake.submitted[1].requests] == ids[1:]


def test_case_32_a_rate_limit_is_learnt_kept_and_waited_for_in_order(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals += [RateLimited("slow down", after=60.0, windows=[Window(60.0, 1), Window(3600.0, 100)])] * 8
    harness, ids = emails(build, "Ada", "Bo", "Cy", providers=[ann])
    refused = len(ann.submitted)
    assert harness.dispatch() == 0, "no hot loop"
    ann.refusals.clear()
    for _ in ids:
        harness.clock.time += 60
        harness.dispatch()
    assert [s.requests[0].ref.id for s in ann.submitted[refused:]] == ids
    assert set(harness.submissions()) == {"refused", "accepted"}


def test_case_35_the_budget_stops_before_the_call_with_the_worst_case_in_mind(build: Build) -> None:
    harness = build(budget=Budget(credits_per_day=Decimal(12)))
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.finds(ada, PHONE, "+33639980123")
    harness.ask()
    assert harness.credits()["reserved"] <= 12
    assert len(harness.fake.submitted) == 3, "two e-mails, one phone; a second phone would be too much"
    harness.answer_all()
    harness.verify()
    assert harness.credits() == {"reserved": 0, "charged": 10, "in_doubt": 0}
    assert harness.dispatch() == 0, "settled, and still no room for ten more"
    harness.clock.time += DAY
    assert (harness.dispatch(), harness.state(bo, PHONE)) == (1, "sent")


def test_case_37_a_cost_that_is_not_told_keeps_its_reservation(build: Build) -> None:
    harness, (ada,) = emails(build)
    sent = harness.fake.submitted[0]
    harness.call_back(sent, words(sent, "found"))
    harness.finish()
    assert (harness.job(ada), harness.submissions()) == (("done", "written"), ["settled"])
    assert harness.credits() == {"reserved": 1, "charged": 0, "in_doubt": 0}
    assert harness.sql("SELECT charged_mc, note FROM submission") == [
        (None, "the provider did not say what it charged")
    ]


def test_case_53_what_the_crm_holds_is_not_overwritten(build: Build) -> None:
    harness, (ada,) = emails(build)
    harness.crm.edit(ada, "email", "typed@acme.example.com")
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.job(ada)) == ("typed@acme.example.com", ("done", "human_value_kept"))
    assert VALUE.partition("@")[2] in str(harness.sql("SELECT candidates FROM result")), "kept as a candidate"


def test_case_41_a_guess_is_a_grade_of_its_own(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, accept=frozenset({Grade.VALID, Grade.PROBABLE}))
    ada = harness.person()
    harness.finds(ada, EMAIL, VALUE, grade=Grade.PROBABLE)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.note(ada) == "probable by ann"
