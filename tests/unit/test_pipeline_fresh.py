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

from .conftest import Build
from .harness import EMAIL, Harness
from .test_pipeline_probe import trouble

LATER = fresh.FRESH + 1


def waiting(harness: Harness, people: int = 1, *, later: float = LATER, **values: str) -> list[str]:
    """People who were planned a while ago, and could not be bought for since."""
    made = [harness.person(f"Person{number}", **values) for number in range(people)]
    harness.pull()
    harness.plan()
    harness.clock.time += later
    return made


def mails_only(harness: Harness) -> None:
    fields = {EMAIL: harness.sync.fields[EMAIL]}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields=fields),)))


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
def test_l19_what_changed_in_the_crm_while_a_job_waited_is_not_bought(harness: Harness, change: str) -> None:
    mails_only(harness)
    one, other = waiting(harness, 2)
    act, reason = CHANGES[change]
    act(harness.crm, one)
    assert harness.dispatch() == 1, "the other one is bought for"
    assert [s.requests[0].ref.id for s in harness.fake.submitted] == [other]
    assert harness.job(one) == ("done", reason)
    assert harness.note(one)


def test_l06_who_does_not_match_any_more_is_not_bought_for(harness: Harness) -> None:
    mails_only(harness)
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, match={"team": "north"}),)))
    one, other = waiting(harness, 2, team="north")
    harness.crm.edit(one, "team", "south")
    assert harness.dispatch() == 1
    assert [s.requests[0].ref.id for s in harness.fake.submitted] == [other]
    assert harness.job(one) == ("done", Reason.CANCELLED)
    assert "selection" in harness.note(one)


def test_who_comes_back_into_the_selection_is_bought_for_then(harness: Harness) -> None:
    mails_only(harness)
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, match={"team": "north"}),)))
    (one,) = waiting(harness, team="north")
    harness.crm.edit(one, "team", "south")
    assert harness.dispatch() == 0
    harness.plan()
    assert harness.job(one) == ("done", Reason.CANCELLED)
    harness.crm.edit(one, "team", "north")
    assert harness.ask() == 1
    assert harness.state(one) is JobState.SENT


def test_what_a_program_cleared_is_lacking(harness: Harness) -> None:
    """Nobody wants it blank: it is looked at again, and bought for."""
    mails_only(harness)
    (one,) = waiting(harness)
    harness.crm.edit(one, "email", "bounced@example.com", by=Author.MACHINE)
    harness.crm.edit(one, "email", "", by=Author.MACHINE)
    assert harness.dispatch() == 1
    assert harness.state(one) is JobState.SENT


def test_what_was_pulled_just_now_is_not_looked_at(harness: Harness) -> None:
    waiting(harness, later=fresh.FRESH - 1)
    assert harness.dispatch() == 2
    assert harness.crm.looked == []


def test_one_look_for_many_and_none_again_while_it_is_fresh(harness: Harness) -> None:
    people = waiting(harness, 30)
    assert harness.dispatch() == 60
    assert [sorted(look) for look in harness.crm.looked] == [sorted(people)]


def test_a_bulk_is_looked_at_in_as_few_reads_as_the_crm_allows(build: Callable[..., Harness]) -> None:
    bulk = replace(CAPABILITIES, batch=100)
    harness = build(crm=FakeCrm("crm", read_batch=40), providers=[FakeProvider("ann", capabilities=bulk)])
    people = waiting(harness, 90)
    assert harness.dispatch() == 1
    assert sorted(one for look in harness.crm.looked for one in look) == sorted(people)
    assert sorted(len(look) for look in harness.crm.looked) == [10, 40, 40]


@pytest.mark.parametrize("error", [Retry("HTTP 503"), RateLimited("too fast", after=90.0), Unusable("x", cure="y")])
def test_no_look_no_purchase_and_not_again_at_once(harness: Harness, error: Exception) -> None:
    waiting(harness)
    harness.crm.fail("look", error)  # type: ignore[arg-type]
    assert harness.dispatch() == 0
    assert harness.dispatch() == 0, "a failing CRM is left alone for a while"
    assert harness.crm.looked == []
    assert trouble(harness, "crm") is None
    harness.clock.time += 91
    assert harness.dispatch() == 2


def test_a_look_that_is_refused_halts_the_crm(harness: Harness) -> None:
    waiting(harness)
    harness.crm.fail("look", Halt("the token was revoked", trouble=Trouble.CREDENTIALS, cure="a new one"))
    assert harness.dispatch() == 0
    assert trouble(harness, "crm") is Trouble.CREDENTIALS
    harness.clock.time += 91
    assert harness.dispatch() == 0
    assert harness.crm.looked == []


def test_a_halted_crm_is_not_looked_at(harness: Harness) -> None:
    waiting(harness)
    harness.run(harness.ledger.write(connections.halt, "crm", Trouble.CREDENTIALS, "no key", "mend it", now=0.0))
    assert harness.dispatch() == 0
    assert harness.crm.looked == []


def test_behind_a_shut_gate_nothing_is_looked_at(harness: Harness) -> None:
    waiting(harness)
    harness.parts = replace(harness.parts, gate=Gate({("callbacks", ""): Shut("shut")}))
    assert harness.dispatch() == 0
    assert harness.crm.looked == []


def test_a_clock_that_was_set_back_makes_nothing_fresh(harness: Harness) -> None:
    waiting(harness, later=-40.0)
    assert harness.dispatch() == 2
    assert len(harness.crm.looked) == 1


def test_what_was_answered_is_not_lost_when_its_contact_leaves(harness: Harness) -> None:
    mails_only(harness)
    one, other = waiting(harness, 2)
    harness.finds(one, EMAIL, "one@example.com")
    assert harness.dispatch() == 2
    harness.crm.remove(other)
    harness.answer_all()
    harness.finish()
    assert harness.held(one) == "one@example.com"
    assert harness.reason(other) in {Reason.NOT_FOUND, Reason.GONE}


def test_a_field_that_is_not_this_syncs_is_left_alone(harness: Harness) -> None:
    assert set(harness.sync.fields) == {Field.EMAIL, Field.PHONE}
    (one,) = waiting(harness)
    harness.crm.remove(one)
    assert harness.dispatch() == 0
    assert {harness.job(one, field) for field in harness.sync.fields} == {("done", Reason.CANCELLED)}


HELD = 1.0


def hold_back(
    harness: Harness,
    *,
    ahead: int,
    far: int = 100,
    meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None,
) -> float:
    """For how many real seconds a pull is held back once a page is stored."""
    harness.parts.bells.bells["dispatch:ann"] = asyncio.Event()

    async def held() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        work = [] if meanwhile is None else [meanwhile()]
        await asyncio.gather(pull.hold_back(harness.parts, harness.sync, ahead=ahead, far=far, held=HELD), *work)
        return loop.time() - begun

    return harness.run(held())


def test_a_pull_that_is_ahead_of_what_is_asked_is_held_back(harness: Harness) -> None:
    waiting(harness, 3, later=0.0)
    assert hold_back(harness, ahead=3) < HELD
    assert hold_back(harness, ahead=2) >= HELD


def test_a_pull_that_is_too_far_ahead_goes_on(harness: Harness) -> None:
    """To hold it back would not keep anybody fresh."""
    waiting(harness, 3, later=0.0)
    assert hold_back(harness, ahead=1, far=2) < HELD


def test_a_pull_goes_on_once_those_before_are_asked_about(harness: Harness) -> None:
    waiting(harness, 3, later=0.0)
    assert hold_back(harness, ahead=2, meanwhile=lambda: dispatch.run_once(harness.parts, "ann")) < HELD
    assert not harness.sql("SELECT 1 FROM job WHERE state = 'queued'")


def test_a_pull_waits_for_nobody_who_can_not_be_asked(harness: Harness) -> None:
    waiting(harness, 3, later=0.0)
    harness.parts.gate.set("disk", "the disk is full")
    assert hold_back(harness, ahead=2) < HELD


def test_a_pull_does_not_wait_while_only_a_handful_may_be_bought(build: Build) -> None:
    """To wait for the CRM's word on a first write takes as long as the provider's answer."""
    harness = build()
    syncs = tuple(replace(one, buy_before_write=3) for one in harness.settings.syncs)
    harness.reopen(replace(harness.settings, syncs=syncs))
    waiting(harness, 3, later=0.0)
    assert hold_back(harness, ahead=2) < HELD
