"""Conditions of one line each that most histories never meet: every test fails where its line is broken."""

from dataclasses import replace

import pytest

from syncd.config import InDoubtPolicy
from syncd.contract.errors import InDoubt, Skip
from syncd.contract.model import Identity, Outcome, Submission, WriteStatus
from syncd.ledger import retries, writes
from syncd.ledger.search import Wanted
from syncd.ledger.states import JobState, Reason
from syncd.ledger.store import Move, Tx
from syncd.ledger.writes import LANDS, Intent
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, House
from .test_pipeline_writeback import Watched, found

MAIL = "ada@acme.example.com"


def one(build: Build, **wishes: object) -> tuple[House, str]:
    """A house that asks ann for e-mails, and a contact."""
    house = build(fields={EMAIL: ["ann"]}, **wishes)
    return house, house.person("Ada")


def not_found(call: Submission) -> bytes:
    return said([{"id": call.requests[0].id, "field": "email", "outcome": Outcome.NOT_FOUND}])


def test_who_was_not_pulled_since_a_restore_is_not_asked_about(build: Build) -> None:
    house, _ = one(build)
    house.pull()
    house.plan()
    house.run(house.ledger.write(Tx.run, "contacts_unseen"))
    assert house.dispatch() == 0
    assert house.crm.looked == []
    house.run(house.ledger.write(Tx.run, "pull_all_again"))
    assert house.ask() == 1


def test_an_answer_to_an_earlier_round_does_not_end_the_one_that_is_under_way(build: Build) -> None:
    house, ada = one(build)
    house.ask()
    (first,) = house.fake.submitted
    house.clock.time += ONE_BY_ONE.answer_within
    house.sweep()
    house.verify()
    assert house.job(ada) == ("done", "no_callback")
    wanted = house.run(house.ledger.read(retries.find, Wanted()))
    house.run(house.ledger.write(retries.retry, wanted, now=house.clock.now()))
    assert house.ask() == 1
    house.call_back(first, not_found(first))
    assert house.state(ada) == "sent", "the second call may still find her"
    house.finds(ada, EMAIL, MAIL)
    house.call_back(house.fake.submitted[1])
    house.finish()
    assert house.held(ada) == MAIL


def test_what_is_missing_in_the_answer_to_a_superseded_call_is_no_answer(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, poll_after=None))
    ann.refusals.append(InDoubt("?"))
    house, ada = one(build, providers=[ann], in_doubt=InDoubtPolicy.RESEND_ONCE)
    house.ask()
    house.clock.time += 2 * DAY
    house.sweep()
    house.pull()
    assert house.dispatch() == 1
    first, second = ann.submitted
    assert house.call_back(first, said([])) == 0
    assert house.state(ada) == "sent"
    assert house.sql("SELECT outcome FROM result") == []
    house.finds(ada, EMAIL, MAIL)
    house.call_back(second)
    house.finish()
    assert house.held(ada) == MAIL


def test_a_value_that_was_put_back_is_nobodys_news_and_what_it_covered_comes_back(build: Build) -> None:
    """Somebody types while we write, and types again while we put the first text back."""
    house, crm, ada = found(build)
    typed = iter(["first@acme.example.com", "second@acme.example.com"])
    crm.before = lambda: crm.edit(ada, "email", text) if (text := next(typed, "")) else None
    for _ in range(4):
        house.writeback()
        house.clock.time += LANDS
    assert (house.held(ada), house.job(ada)) == ("second@acme.example.com", ("done", "human_value_kept"))


def test_an_intent_that_is_open_stays_the_only_one_and_a_race_is_judged_by_its_stamp(build: Build) -> None:
    house, crm, ada = found(build)
    lost: list[list[tuple[object, ...]]] = []
    crm.before = lambda: lost.append(house.sql("SELECT id, seen FROM write WHERE state = 'intent'"))
    crm.lose_answers = 1
    crm.fail("write")
    house.writeback()
    (job,) = house.run(house.ledger.read(writes.to_write, [1]))
    assert (job.begun, house.sql("SELECT count(*) FROM write")) == (True, [(1,)])
    house.run(house.ledger.write(writes.intend, [Intent(job, "", "a later stamp", "email")], now=house.clock.now()))
    assert house.sql("SELECT id, seen FROM write WHERE state = 'intent'") == lost[0]
    stale = replace(job, begun=False)  # as it was read before the first intent was noted
    house.run(house.ledger.write(writes.intend, [Intent(stale, "", "a later stamp", "email")], now=house.clock.now()))
    (again,) = house.run(house.ledger.read(writes.to_write, [1]))
    assert again.seen == job.seen, "the first stamp counts"
    house.clock.time += LANDS
    house.writeback()
    assert house.job(ada) == ("done", "written")


def test_a_provider_that_refuses_the_second_way_is_not_asked_in_the_first_one_again(build: Build) -> None:
    ways = {"profile": ["linkedin_url"], "name": ["first_name", "last_name", "domain"]}
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE, ways=ways)
    house, ada = one(build, providers=[ann])
    house.ask()
    house.call_back(ann.submitted[0], not_found(ann.submitted[0]))
    house.verify()
    ann.refusals.append(Skip("this person can't be looked up"))
    for _ in range(3):
        house.ask()
        house.verify()
    assert [call.requests[0].identity.last_name for call in ann.submitted] == [None, "Test"]
    assert house.job(ada) == ("done", "not_found")


@pytest.mark.parametrize("conditional", [True, False])
def test_of_two_contacts_merged_while_both_wait_the_first_is_written_in_a_pass(build: Build, conditional: bool) -> None:
    crm = Watched(conditional=conditional)
    house = build(crm=crm, fields={EMAIL: ["ann"]})
    name = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
    first, second = crm.add(name), crm.add(replace(name, country="FR"))  # asked about one after the other
    house.finds(first, EMAIL, MAIL)
    house.finds(second, EMAIL, "ada.test@acme.example.com")
    for _ in range(3):
        house.ask()
        house.answer_all()
        house.verify()
    assert (house.state(first), house.state(second)) == ("accepted", "accepted")
    crm.merge(second, first)
    house.clock.time += 60
    house.writeback()
    assert [change.new for change in crm.changes] == [MAIL]
    assert house.sql("SELECT count(*) FROM write") == [(1,)]
    house.clock.time += LANDS
    house.writeback()
    assert (house.held(first), len(crm.changes)) == (MAIL, 1)
    assert (house.reason(first), house.reason(second)) == ("written", "human_value_kept")


def test_a_write_that_is_to_be_repeated_leaves_no_intent_open(build: Build) -> None:
    house, crm, ada = found(build)
    crm.says.append(WriteStatus.RETRY)
    house.writeback()
    assert house.sql("SELECT state FROM write") == [("not_written",)]
    house.clock.time += LANDS
    house.writeback()
    assert house.sql("SELECT state FROM write") == [("not_written",), ("written",)]
    assert house.held(ada) == MAIL


def test_who_waits_behind_a_job_is_queued_again_however_that_one_ends(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo"):
        house.person(name)
    house.pull()
    house.plan()
    first, second = (row[0] for row in house.sql("SELECT id FROM job ORDER BY id"))
    now = house.clock.now()
    waits = Move(second, JobState.QUEUED, JobState.WAITING, {"behind": first, "due_at": now + DAY})
    ends = Move(first, JobState.QUEUED, JobState.DONE, {"reason": Reason.BLOCKED})
    for one in (waits, ends):
        house.run(house.ledger.write(Tx.move_many, [one], now=now))
    assert house.sql("SELECT state FROM job ORDER BY id") == [("done",), ("queued",)]
