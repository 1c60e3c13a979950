"""Fresh: what was pulled a while ago is looked at again in the CRM before it is paid for."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Halt, RateLimited, Retry, Trouble, Unusable
from syncd.contract.model import Author, Field
from syncd.ledger import connections
from syncd.ledger.states import JobState, Reason
from syncd.pipeline import dispatch, fresh, pull
from syncd.pipeline.gate import Gate, Shut
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .house import EMAIL, House
from .test_pipeline_probe import trouble

LATER = fresh.FRESH + 1


def waiting(house: House, people: int = 1, *, later: float = LATER, **values: str) -> list[str]:
    """People who were planned a while ago, and could not be bought for since."""
    made = [house.person(f"Person{number}", **values) for number in range(people)]
    house.pull()
    house.plan()
    house.clock.time += later
    return made


def mails_only(house: House) -> None:
    fields = {EMAIL: house.sync.fields[EMAIL]}
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields=fields),)))


def fill_and_clear(crm: FakeCrm, one: str) -> None:
    crm.edit(one, "email", "typed@example.com")
    crm.edit(one, "email", "")


CHANGES: dict[str, tuple[Callable[[FakeCrm, str], None], Reason]] = {
    "filled": (lambda crm, one: crm.edit(one, "email", "ada@example.com"), Reason.VALUE_KEPT),
    "cleared by a person": (fill_and_clear, Reason.BLOCKED),
    "opted out": (lambda crm, one: crm.block(one, EMAIL, "opted_out"), Reason.BLOCKED),
    "deleted": (lambda crm, one: crm.remove(one), Reason.CANCELLED),
    "merged": (lambda crm, one: crm.merge(one, crm.add(email="winner@example.com", phone="+44")), Reason.CANCELLED),
}


@pytest.mark.parametrize("change", CHANGES)
def test_l19_what_changed_in_the_crm_while_a_job_waited_is_not_bought(house: House, change: str) -> None:
    mails_only(house)
    one, other = waiting(house, 2)
    act, reason = CHANGES[change]
    act(house.crm, one)
    assert house.dispatch() == 1, "the other one is bought for"
    assert [s.requests[0].ref.id for s in house.fake.submitted] == [other]
    assert house.job(one) == ("done", reason)
    assert house.note(one)


def test_l06_who_does_not_match_any_more_is_not_bought_for(house: House) -> None:
    mails_only(house)
    house.reopen(replace(house.settings, syncs=(replace(house.sync, match={"team": "north"}),)))
    one, other = waiting(house, 2, team="north")
    house.crm.edit(one, "team", "south")
    assert house.dispatch() == 1
    assert [s.requests[0].ref.id for s in house.fake.submitted] == [other]
    assert house.job(one) == ("done", Reason.CANCELLED)
    assert "selection" in house.note(one)


def test_who_comes_back_into_the_selection_is_bought_for_then(house: House) -> None:
    mails_only(house)
    house.reopen(replace(house.settings, syncs=(replace(house.sync, match={"team": "north"}),)))
    (one,) = waiting(house, team="north")
    house.crm.edit(one, "team", "south")
    assert house.dispatch() == 0
    house.plan()
    assert house.job(one) == ("done", Reason.CANCELLED)
    house.crm.edit(one, "team", "north")
    assert house.ask() == 1
    assert house.state(one) is JobState.SENT


def test_what_a_program_cleared_is_lacking(house: House) -> None:
    """Nobody wants it blank: it is looked at again, and bought for."""
    mails_only(house)
    (one,) = waiting(house)
    house.crm.edit(one, "email", "bounced@example.com", by=Author.MACHINE)
    house.crm.edit(one, "email", "", by=Author.MACHINE)
    assert house.dispatch() == 1
    assert house.state(one) is JobState.SENT


def test_what_was_pulled_just_now_is_not_looked_at(house: House) -> None:
    waiting(house, later=fresh.FRESH - 1)
    assert house.dispatch() == 2
    assert house.crm.looked == []


def test_one_look_for_many_and_none_again_while_it_is_fresh(house: House) -> None:
    people = waiting(house, 30)
    assert house.dispatch() == 60
    assert [sorted(look) for look in house.crm.looked] == [sorted(people)]


def test_a_bulk_is_looked_at_in_as_few_reads_as_the_crm_allows(build: Callable[..., House]) -> None:
    bulk = replace(CAPABILITIES, batch=100)
    house = build(crm=FakeCrm("crm", read_batch=40), providers=[FakeProvider("ann", capabilities=bulk)])
    people = waiting(house, 90)
    assert house.dispatch() == 1
    assert sorted(one for look in house.crm.looked for one in look) == sorted(people)
    assert sorted(len(look) for look in house.crm.looked) == [10, 40, 40]


@pytest.mark.parametrize("error", [Retry("HTTP 503"), RateLimited("too fast", after=90.0), Unusable("x", cure="y")])
def test_no_look_no_purchase_and_not_again_at_once(house: House, error: Exception) -> None:
    waiting(house)
    house.crm.fail("look", error)  # type: ignore[arg-type]
    assert house.dispatch() == 0
    assert house.dispatch() == 0, "a failing CRM is left alone for a while"
    assert house.crm.looked == []
    assert trouble(house, "crm") is None
    house.clock.time += 91
    assert house.dispatch() == 2


def test_a_look_that_is_refused_halts_the_crm(house: House) -> None:
    waiting(house)
    house.crm.fail("look", Halt("the token was revoked", trouble=Trouble.CREDENTIALS, cure="a new one"))
    assert house.dispatch() == 0
    assert trouble(house, "crm") is Trouble.CREDENTIALS
    house.clock.time += 91
    assert house.dispatch() == 0
    assert house.crm.looked == []


def test_a_halted_crm_is_not_looked_at(house: House) -> None:
    waiting(house)
    house.run(house.ledger.write(connections.halt, "crm", Trouble.CREDENTIALS, "no key", "mend it", now=0.0))
    assert house.dispatch() == 0
    assert house.crm.looked == []


def test_behind_a_shut_gate_nothing_is_looked_at(house: House) -> None:
    waiting(house)
    house.parts = replace(house.parts, gate=Gate({("callbacks", ""): Shut("shut")}))
    assert house.dispatch() == 0
    assert house.crm.looked == []


def test_a_clock_that_was_set_back_makes_nothing_fresh(house: House) -> None:
    waiting(house, later=-40.0)
    assert house.dispatch() == 2
    assert len(house.crm.looked) == 1


def test_what_was_answered_is_not_lost_when_its_contact_leaves(house: House) -> None:
    mails_only(house)
    one, other = waiting(house, 2)
    house.finds(one, EMAIL, "one@example.com")
    assert house.dispatch() == 2
    house.crm.remove(other)
    house.answer_all()
    house.finish()
    assert house.held(one) == "one@example.com"
    assert house.reason(other) in {Reason.NOT_FOUND, Reason.GONE}


def test_a_field_that_is_not_this_syncs_is_left_alone(house: House) -> None:
    assert set(house.sync.fields) == {Field.EMAIL, Field.PHONE}
    (one,) = waiting(house)
    house.crm.remove(one)
    assert house.dispatch() == 0
    assert {house.job(one, field) for field in house.sync.fields} == {("done", Reason.CANCELLED)}


HELD = 1.0


def hold_back(
    house: House,
    *,
    ahead: int,
    far: int = 100,
    meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None,
) -> float:
    """For how many real seconds a pull is held back once a page is stored."""
    house.parts.bells.bells["dispatch:ann"] = asyncio.Event()

    async def held() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        work = [] if meanwhile is None else [meanwhile()]
        await asyncio.gather(pull.hold_back(house.parts, house.sync, ahead=ahead, far=far, held=HELD), *work)
        return loop.time() - begun

    return house.run(held())


def test_a_pull_that_is_ahead_of_what_is_asked_is_held_back(house: House) -> None:
    waiting(house, 3, later=0.0)
    assert hold_back(house, ahead=3) < HELD
    assert hold_back(house, ahead=2) >= HELD


def test_a_pull_that_is_too_far_ahead_goes_on(house: House) -> None:
    """To hold it back would not keep anybody fresh."""
    waiting(house, 3, later=0.0)
    assert hold_back(house, ahead=1, far=2) < HELD


def test_a_pull_goes_on_once_those_before_are_asked_about(house: House) -> None:
    waiting(house, 3, later=0.0)
    assert hold_back(house, ahead=2, meanwhile=lambda: dispatch.run_once(house.parts, "ann")) < HELD
    assert not house.sql("SELECT 1 FROM job WHERE state = 'queued'")


def test_a_pull_waits_for_nobody_who_can_not_be_asked(house: House) -> None:
    waiting(house, 3, later=0.0)
    house.parts.gate.set("disk", "the disk is full")
    assert hold_back(house, ahead=2) < HELD
