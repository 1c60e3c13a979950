"""Whose answer it is when time has passed: questions that are asked again, charges that come late, writes that are
repeated after their record has changed hands.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.config import InDoubtPolicy
from syncd.contract.errors import InDoubt, Retry
from syncd.contract.model import Identity, Outcome
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, UNHEARD, Harness

PROFILE = "https://www.linkedin.com/in/ada-byron-1"
ADA = Identity(first_name="Ada", last_name="Byron", domain="acme.example.com", linkedin_url=PROFILE)
MAIL = "ada@acme.example.com"
WAYS = {"profile": ("linkedin_url",), "name": ("first_name", "last_name", "domain")}


def in_doubt(build: Build, **more: object) -> tuple[Harness, str]:
    """Ada is asked about by her profile; whether the call arrived is not known, and it is to be sent once more."""
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE, ways=WAYS)
    harness = build(providers=[ann], fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.RESEND_ONCE, **more)
    ada = harness.crm.add(ADA)
    ann.refusals.append(InDoubt("the line was cut"))
    harness.ask()
    harness.clock.time += 2 * DAY
    harness.sweep()
    return harness, ada


def told(harness: Harness) -> list[str]:
    """How each call asked."""
    told = [submission.requests[0].identity for submission in harness.fake.submitted]
    return ["profile" if one.linkedin_url else "name" for one in told]


def test_what_was_sent_once_more_and_not_found_is_asked_in_the_other_way(build: Build) -> None:
    harness, ada = in_doubt(build)
    harness.dispatch()
    harness.call_back(harness.fake.submitted[-1])
    harness.verify()
    harness.dispatch()
    assert (told(harness), harness.state(ada)) == (["profile", "profile", "name"], "sent")


@pytest.mark.parametrize("answered", [True, False])
def test_what_another_record_has_asked_meanwhile_is_not_sent_once_more(build: Build, answered: bool) -> None:
    harness, ada = in_doubt(build)
    twin = harness.crm.add(replace(ADA, first_name=None, last_name=None, domain=None))
    harness.pull()
    harness.plan()
    ahead(harness, twin)
    harness.dispatch()
    assert [s.requests[0].ref.id for s in harness.fake.submitted] == [ada, twin]
    if answered:
        harness.call_back(harness.fake.submitted[-1])
        harness.verify()
    harness.dispatch()
    assert len(harness.fake.submitted) == 2
    assert harness.state(ada) == ("answered" if answered else "waiting")
    if answered:
        harness.verify()
        harness.dispatch()
        assert (told(harness), harness.state(ada)) == (["profile", "profile", "name"], "sent")


def ahead(harness: Harness, contact: str) -> None:
    """This contact is asked about before the others."""

    def first(tx: object) -> None:
        tx._connection.execute(  # type: ignore[attr-defined]
            "UPDATE job SET priority = 1 WHERE contact_id = (SELECT id FROM contact WHERE ext_id = ?)", (contact,)
        )

    harness.run(harness.ledger.write(first))


def test_a_charge_that_comes_after_a_failure_counts(build: Build) -> None:
    harness = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    call = harness.fake.submitted[0]
    failed = {"id": call.requests[0].id, "field": EMAIL, "outcome": Outcome.FAILED}
    harness.call_back(call, said([failed], charged=Decimal(0)))
    assert harness.credits() == {"reserved": 0, "charged": 0, "in_doubt": 0}
    harness.call_back(call)
    harness.finish()
    assert (harness.credits()["charged"], harness.held(ada)) == (1, MAIL)


@pytest.mark.parametrize("pulled", [True, False])
@pytest.mark.parametrize("changed", [True, False])
def test_a_write_that_did_not_happen_is_judged_anew_before_it_is_repeated(
    build: Build, changed: bool, pulled: bool
) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.crm.fail("write", Retry("HTTP 503"))
    harness.finish()
    assert (harness.state(ada), harness.held(ada)) == ("writing", "")
    if changed:
        harness.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    if pulled:
        harness.pull()
    harness.clock.time += DAY
    harness.writeback()
    assert harness.held(ada) == ("" if changed else MAIL)
    assert harness.state(ada) == ("answered" if changed else "done")


def test_a_write_that_landed_is_left_although_the_record_has_changed_hands_since(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.crm.lose_answers = 1
    harness.finish()
    harness.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    harness.clock.time += DAY
    harness.writeback()
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), MAIL)


def test_a_record_that_changed_hands_before_the_write_is_grouped_anew(build: Build) -> None:
    """What holds for all records of a person, such as an opt-out, is not the new one's."""
    harness = build(second=FakeCrm("second", first=901), fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.crms["second"].add(ADA)
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.sql("SELECT count(DISTINCT person) FROM contact") == [(1,)]
    harness.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    harness.clock.time += 60
    harness.writeback()
    assert harness.held(ada) == ""
    assert harness.sql("SELECT count(DISTINCT person) FROM contact") == [(2,)]


@pytest.mark.parametrize("found", [True, False])
def test_a_clock_that_is_set_back_makes_no_answer_stale(build: Build, found: bool) -> None:
    """The record changed hands while the clock was ahead: who it is about now is asked about once."""
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.crm.add(ADA)
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.clock.time += 10 * DAY
    harness.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    harness.pull()
    harness.clock.time -= 10 * DAY
    if found:
        harness.finds(ada, EMAIL, "tom@birch.example")
    for _ in range(3):
        harness.verify()
        harness.ask()
        harness.answer_all()
    harness.finish()
    assert len(harness.fake.submitted) == 2
    assert harness.job(ada) == ("done", "written" if found else "not_found")
