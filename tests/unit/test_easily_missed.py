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
from .harness import DAY, EMAIL, ONE_BY_ONE, Harness
from .test_pipeline_writeback import Watched, found

MAIL = "ada@acme.example.com"


def one(build: Build, **wishes: object) -> tuple[Harness, str]:
    """A harness that asks ann for e-mails, and a contact."""
    harness = build(fields={EMAIL: ["ann"]}, **wishes)
    return harness, harness.person("Ada")


def not_found(call: Submission) -> bytes:
    return said([{"id": call.requests[0].id, "field": "email", "outcome": Outcome.NOT_FOUND}])


def test_who_was_not_pulled_since_a_restore_is_not_asked_about(build: Build) -> None:
    harness, _ = one(build)
    harness.pull()
    harness.plan()
    harness.run(harness.ledger.write(Tx.run, "contacts_unseen"))
    assert harness.dispatch() == 0
    assert harness.crm.looked == []
    harness.run(harness.ledger.write(Tx.run, "pull_all_again"))
    assert harness.ask() == 1


def test_an_answer_to_an_earlier_round_does_not_end_the_one_that_is_under_way(build: Build) -> None:
    harness, ada = one(build)
    harness.ask()
    (first,) = harness.fake.submitted
    harness.clock.time += ONE_BY_ONE.answer_within
    harness.sweep()
    harness.verify()
    assert harness.job(ada) == ("done", "no_callback")
    wanted = harness.run(harness.ledger.read(retries.find, Wanted()))
    harness.run(harness.ledger.write(retries.retry, wanted, now=harness.clock.now()))
    assert harness.ask() == 1
    harness.call_back(first, not_found(first))
    assert harness.state(ada) == "sent", "the second call may still find her"
    harness.finds(ada, EMAIL, MAIL)
    harness.call_back(harness.fake.submitted[1])
    harness.finish()
    assert harness.held(ada) == MAIL


def test_what_is_missing_in_the_answer_to_a_superseded_call_is_no_answer(build: Build) -> None:
    ann = FakeProvider("ann", capabilities=replace(ONE_BY_ONE, poll_after=None))
    ann.refusals.append(InDoubt("?"))
    harness, ada = one(build, providers=[ann], in_doubt=InDoubtPolicy.RESEND_ONCE)
    harness.ask()
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.pull()
    assert harness.dispatch() == 1
    first, second = ann.submitted
    assert harness.call_back(first, said([])) == 0
    assert harness.state(ada) == "sent"
    assert harness.sql("SELECT outcome FROM result") == []
    harness.finds(ada, EMAIL, MAIL)
    harness.call_back(second)
    harness.finish()
    assert harness.held(ada) == MAIL


def test_a_value_that_was_put_back_is_nobodys_news_and_what_it_covered_comes_back(build: Build) -> None:
    """Somebody types while we write, and types again while we put the first text back."""
    harness, crm, ada = found(build)
    typed = iter(["first@acme.example.com", "second@acme.example.com"])
    crm.before = lambda: crm.edit(ada, "email", text) if (text := next(typed, "")) else None
    for _ in range(4):
        harness.writeback()
        harness.clock.time += LANDS
    assert (harness.held(ada), harness.job(ada)) == ("second@acme.example.com", ("done", "human_value_kept"))


def test_an_intent_that_is_open_stays_the_only_one_and_a_race_is_judged_by_its_stamp(build: Build) -> None:
    harness, crm, ada = found(build)
    lost: list[list[tuple[object, ...]]] = []
    crm.before = lambda: lost.append(harness.sql("SELECT id, seen FROM write WHERE state = 'intent'"))
    crm.lose_answers = 1
    crm.fail("write")
    harness.writeback()
    (job,) = harness.run(harness.ledger.read(writes.to_write, [1]))
    assert (job.begun, harness.sql("SELECT count(*) FROM write")) == (True, [(1,)])
    harness.run(
        harness.ledger.write(writes.intend, [Intent(job, "", "a later stamp", "email")], now=harness.clock.now())
    )
    assert harness.sql("SELECT id, seen FROM write WHERE state = 'intent'") == lost[0]
    stale = replace(job, begun=False)  # as it was read before the first intent was noted
    harness.run(
        harness.ledger.write(writes.intend, [Intent(stale, "", "a later stamp", "email")], now=harness.clock.now())
    )
    (again,) = harness.run(harness.ledger.read(writes.to_write, [1]))
    assert again.seen == job.seen, "the first stamp counts"
    harness.clock.time += LANDS
    harness.writeback()
    assert harness.job(ada) == ("done", "written")


def test_a_provider_that_refuses_the_second_way_is_not_asked_in_the_first_one_again(build: Build) -> None:
    ways = {"profile": ["linkedin_url"], "name": ["first_name", "last_name", "domain"]}
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE, ways=ways)
    harness, ada = one(build, providers=[ann])
    harness.ask()
    harness.call_back(ann.submitted[0], not_found(ann.submitted[0]))
    harness.verify()
    ann.refusals.append(Skip("this person can't be looked up"))
    for _ in range(3):
        harness.ask()
        harness.verify()
    assert [call.requests[0].identity.last_name for call in ann.submitted] == [None, "Test"]
    assert harness.job(ada) == ("done", "not_found")


@pytest.mark.parametrize("conditional", [True, False])
def test_of_two_contacts_merged_while_both_wait_the_first_is_written_in_a_pass(build: Build, conditional: bool) -> None:
    crm = Watched(conditional=conditional)
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    name = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
    first, second = crm.add(name), crm.add(replace(name, country="FR"))  # asked about one after the other
    harness.finds(first, EMAIL, MAIL)
    harness.finds(second, EMAIL, "ada.test@acme.example.com")
    for _ in range(3):
        harness.ask()
        harness.answer_all()
        harness.verify()
    assert (harness.state(first), harness.state(second)) == ("accepted", "accepted")
    crm.merge(second, first)
    harness.clock.time += 60
    harness.writeback()
    assert [change.new for change in crm.changes] == [MAIL]
    assert harness.sql("SELECT count(*) FROM write") == [(1,)]
    harness.clock.time += LANDS
    harness.writeback()
    assert (harness.held(first), len(crm.changes)) == (MAIL, 1)
    assert (harness.reason(first), harness.reason(second)) == ("written", "human_value_kept")


def test_a_write_that_is_to_be_repeated_leaves_no_intent_open(build: Build) -> None:
    harness, crm, ada = found(build)
    crm.says.append(WriteStatus.RETRY)
    harness.writeback()
    assert harness.sql("SELECT state FROM write") == [("not_written",)]
    harness.clock.time += LANDS
    harness.writeback()
    assert harness.sql("SELECT state FROM write") == [("not_written",), ("written",)]
    assert harness.held(ada) == MAIL


def test_who_waits_behind_a_job_is_queued_again_however_that_one_ends(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo"):
        harness.person(name)
    harness.pull()
    harness.plan()
    first, second = (row[0] for row in harness.sql("SELECT id FROM job ORDER BY id"))
    now = harness.clock.now()
    waits = Move(second, JobState.QUEUED, JobState.WAITING, {"behind": first, "due_at": now + DAY})
    ends = Move(first, JobState.QUEUED, JobState.DONE, {"reason": Reason.BLOCKED})
    for one in (waits, ends):
        harness.run(harness.ledger.write(Tx.move_many, [one], now=now))
    assert harness.sql("SELECT state FROM job ORDER BY id") == [("done",), ("queued",)]
