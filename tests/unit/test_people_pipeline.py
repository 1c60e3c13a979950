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
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, UNHEARD, House

PROFILE = "https://www.linkedin.com/in/ada-byron-1"
ADA = Identity(first_name="Ada", last_name="Byron", domain="acme.example.com", linkedin_url=PROFILE)
MAIL = "ada@acme.example.com"
WAYS = {"profile": ("linkedin_url",), "name": ("first_name", "last_name", "domain")}


def in_doubt(build: Build, **more: object) -> tuple[House, str]:
    """Ada is asked about by her profile; whether the call arrived is not known, and it is to be sent once more."""
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE, ways=WAYS)
    house = build(providers=[ann], fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.RESEND_ONCE, **more)
    ada = house.crm.add(ADA)
    ann.refusals.append(InDoubt("the line was cut"))
    house.ask()
    house.clock.time += 2 * DAY
    house.sweep()
    return house, ada


def told(house: House) -> list[str]:
    """How each call asked."""
    told = [submission.requests[0].identity for submission in house.fake.submitted]
    return ["profile" if one.linkedin_url else "name" for one in told]


def test_what_was_sent_once_more_and_not_found_is_asked_in_the_other_way(build: Build) -> None:
    house, ada = in_doubt(build)
    house.dispatch()
    house.call_back(house.fake.submitted[-1])
    house.verify()
    house.dispatch()
    assert (told(house), house.state(ada)) == (["profile", "profile", "name"], "sent")


@pytest.mark.parametrize("answered", [True, False])
def test_what_another_record_has_asked_meanwhile_is_not_sent_once_more(build: Build, answered: bool) -> None:
    house, ada = in_doubt(build)
    twin = house.crm.add(replace(ADA, first_name=None, last_name=None, domain=None))
    house.pull()
    house.plan()
    ahead(house, twin)
    house.dispatch()
    assert [s.requests[0].ref.id for s in house.fake.submitted] == [ada, twin]
    if answered:
        house.call_back(house.fake.submitted[-1])
        house.verify()
    house.dispatch()
    assert len(house.fake.submitted) == 2
    assert house.state(ada) == ("answered" if answered else "waiting")
    if answered:
        house.verify()
        house.dispatch()
        assert (told(house), house.state(ada)) == (["profile", "profile", "name"], "sent")


def ahead(house: House, contact: str) -> None:
    """This contact is asked about before the others."""

    def first(tx: object) -> None:
        tx._connection.execute(  # type: ignore[attr-defined]
            "UPDATE job SET priority = 1 WHERE contact_id = (SELECT id FROM contact WHERE ext_id = ?)", (contact,)
        )

    house.run(house.ledger.write(first))


def test_a_charge_that_comes_after_a_failure_counts(build: Build) -> None:
    house = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={EMAIL: ["ann"]})
    ada = house.crm.add(ADA)
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    call = house.fake.submitted[0]
    failed = {"id": call.requests[0].id, "field": EMAIL, "outcome": Outcome.FAILED}
    house.call_back(call, said([failed], charged=Decimal(0)))
    assert house.credits() == {"reserved": 0, "charged": 0, "in_doubt": 0}
    house.call_back(call)
    house.finish()
    assert (house.credits()["charged"], house.held(ada)) == (1, MAIL)


@pytest.mark.parametrize("changed", [True, False])
def test_a_write_that_did_not_happen_is_judged_anew_before_it_is_repeated(build: Build, changed: bool) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.crm.add(ADA)
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.crm.fail("write", Retry("HTTP 503"))
    house.finish()
    assert (house.state(ada), house.held(ada)) == ("writing", "")
    if changed:
        house.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    house.clock.time += DAY
    house.writeback()
    assert house.held(ada) == ("" if changed else MAIL)
    assert house.state(ada) == ("answered" if changed else "done")


def test_a_write_that_landed_is_left_although_the_record_has_changed_hands_since(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.crm.add(ADA)
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.crm.lose_answers = 1
    house.finish()
    house.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    house.clock.time += DAY
    house.writeback()
    assert (house.job(ada), house.held(ada)) == (("done", "written"), MAIL)


@pytest.mark.parametrize("found", [True, False])
def test_a_clock_that_is_set_back_makes_no_answer_stale(build: Build, found: bool) -> None:
    """The record changed hands while the clock was ahead: who it is about now is asked about once."""
    house = build(fields={EMAIL: ["ann"]})
    ada = house.crm.add(ADA)
    house.ask()
    house.answer_all()
    house.finish()
    house.clock.time += 10 * DAY
    house.crm.rename(ada, Identity(first_name="Tom", last_name="Birch", domain="birch.example"))
    house.pull()
    house.clock.time -= 10 * DAY
    if found:
        house.finds(ada, EMAIL, "tom@birch.example")
    for _ in range(3):
        house.verify()
        house.ask()
        house.answer_all()
    house.finish()
    assert len(house.fake.submitted) == 2
    assert house.job(ada) == ("done", "written" if found else "not_found")
