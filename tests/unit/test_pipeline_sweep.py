"""Sweep: what only time moves. Polls, deadlines, doubts, and asking again."""

from dataclasses import replace

import pytest

from syncd.config import InDoubtPolicy
from syncd.contract.errors import Halt, InDoubt, RateLimited, Retry, Skip, Trouble
from syncd.contract.pacing import Window
from syncd.ledger import connections, copies
from syncd.ledger.store import Tx
from syncd.pipeline.sweep import POLLS
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness
from .test_pipeline_outcomes import Told

VALUE = "ada@acme.example.com"


def emails(build: Build, people: int = 1, **wishes: object) -> Harness:
    """Contacts from 501 on, each asked for an e-mail at ann."""
    harness = build(fields={EMAIL: ["ann"]}, **wishes)
    for n in range(people):
        harness.finds(harness.person(f"Ada{n}"), EMAIL, f"ada{n}@acme.example.com")
    harness.ask()
    return harness


# --- polls ------------------------------------------------------------------------------------


def test_what_does_not_come_is_asked_for_now_and_then_and_fetched_when_it_is_there(build: Build) -> None:
    harness = emails(build)
    harness.sweep()
    assert harness.fake.polled == [], "not before its time"
    for _ in range(3):
        harness.clock.time += 300
        harness.sweep()
        harness.sweep()
    assert len(harness.fake.polled) == 3
    harness.fake.finished = set(harness.fake.accepted)
    harness.clock.time += 300
    assert harness.sweep() == 1
    harness.finish()
    assert harness.held("501") == "ada0@acme.example.com"
    harness.clock.time += 900
    harness.sweep()
    assert len(harness.fake.polled) == 4, "what was answered is not asked for"


def test_polls_are_few_at_a_time_oldest_first(build: Build) -> None:
    harness = emails(build, people=POLLS + 3)
    harness.clock.time += 300
    harness.sweep()
    assert len(harness.fake.polled) == POLLS
    harness.sweep()
    assert len(set(harness.fake.polled)) == POLLS + 3


def test_after_a_start_every_open_result_is_asked_for_at_once(build: Build) -> None:
    harness = emails(build, people=2)
    harness.call_back(harness.fake.submitted[0])
    harness.reopen()
    assert harness.recover() == 0
    harness.sweep()
    assert harness.fake.polled == [harness.fake.submitted[1].id]


@pytest.mark.parametrize("counts", [True, False])
def test_polls_take_places_in_the_rate_window_only_where_they_count(build: Build, counts: bool) -> None:
    caps = replace(ONE_BY_ONE, windows=(Window(3600.0, 2),), polls_count=counts)
    harness = emails(build, people=1, providers=[FakeProvider("ann", capabilities=caps)])
    harness.clock.time += 300
    harness.sweep()
    assert (harness.parts.lanes["ann"].pacer.ready_in() > 0) is counts
    harness.clock.time += 300
    harness.sweep()
    assert len(harness.fake.polled) == (1 if counts else 2)


@pytest.mark.parametrize("trouble", [Retry("busy"), RateLimited("slow", after=77.0)])
def test_a_poll_that_fails_is_made_again(build: Build, trouble: Retry) -> None:
    harness = emails(build)
    harness.fake.poll_troubles.append(trouble)
    harness.clock.time += 300
    assert harness.sweep() == 0
    harness.sweep()
    assert len(harness.fake.polled) == 2
    assert harness.state("501") == "sent"


def test_a_halt_while_polling_stops_the_provider_until_it_is_well(build: Build) -> None:
    harness = emails(build)
    harness.fake.poll_troubles.append(Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one"))
    harness.clock.time += 300
    harness.sweep()
    harness.sweep()
    assert len(harness.fake.polled) == 1
    assert harness.run(harness.ledger.read(connections.trouble, "ann")) is Trouble.CREDENTIALS
    harness.run(harness.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none", "buy", now=0.0))
    harness.sweep()
    assert len(harness.fake.polled) == 2, "what was bought before the credits ran out is still fetched"


def test_a_result_that_is_lost_at_the_provider_is_not_asked_for_for_ever(build: Build) -> None:
    harness = emails(build)
    harness.fake.poll_troubles.append(Skip("never heard of it"))
    for _ in range(5):
        harness.clock.time += 300
        harness.sweep()
    assert len(harness.fake.polled) == 1
    assert harness.state("501") == "sent", "its callback may still come"
    harness.clock.time += 3 * DAY
    harness.sweep()
    harness.verify()
    assert harness.job("501") == ("done", "no_callback")


# --- deadlines --------------------------------------------------------------------------------


def test_a_deadline_ends_the_waiting_and_keeps_the_worst_case(build: Build) -> None:
    harness = emails(build)
    harness.clock.time += ONE_BY_ONE.answer_within - 1
    harness.sweep()
    assert harness.state("501") == "sent"
    harness.clock.time += 1
    harness.sweep()
    assert (harness.state("501"), harness.submissions()) == ("answered", ["expired"])
    assert harness.sql("SELECT outcome FROM result") == [("missing",)]
    assert harness.credits()["reserved"] == 1


def test_two_hundred_open_doubts_do_not_keep_a_deadline_from_ending(build: Build) -> None:
    """What waits for a person stands first in time, and is passed over."""
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals += [InDoubt("?")] * 204
    harness = emails(build, people=205, providers=[ann])
    while harness.submissions().count("accepted") == 0:
        harness.clock.time += 3_600
        harness.dispatch()
    assert {"accepted", "in_doubt"} <= set(harness.submissions())
    harness.clock.time += 3 * DAY
    harness.sweep()
    assert harness.submissions().count("expired") == 1


# --- doubt ------------------------------------------------------------------------------------


def doubtful(build: Build, policy: InDoubtPolicy, **wishes: object) -> Harness:
    """Contact 501's call may have been made."""
    harness = build(fields={EMAIL: ["ann"]}, in_doubt=policy, **wishes)
    harness.finds(harness.person(), EMAIL, VALUE)
    harness.fake.refusals.append(InDoubt("the line was cut"))
    harness.ask()
    return harness


def test_ask_leaves_it_to_a_person(build: Build) -> None:
    harness = doubtful(build, InDoubtPolicy.ASK)
    harness.clock.time += 400 * DAY
    assert harness.sweep() == 0
    assert (harness.state("501"), harness.credits()["in_doubt"]) == ("in_doubt", 1)


def test_never_gives_up_after_the_hold_and_not_before(build: Build) -> None:
    harness = doubtful(build, InDoubtPolicy.NEVER)
    harness.clock.time += 2 * DAY - 1
    harness.sweep()
    assert harness.state("501") == "in_doubt"
    harness.clock.time += 1
    harness.sweep()
    harness.verify()
    assert (harness.job("501"), harness.credits()["reserved"]) == (("done", "in_doubt_expired"), 1)
    assert len(harness.fake.submitted) == 1


def test_never_goes_on_to_the_next_provider(build: Build) -> None:
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    harness = build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]}, in_doubt=InDoubtPolicy.NEVER)
    ada = harness.person()
    ann.refusals.append(InDoubt("?"))
    harness.ask()
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.verify()
    harness.dispatch("bob")
    assert (harness.state(ada), len(bob.submitted)) == ("sent", 1)


def test_resend_once_asks_once_more_with_the_very_same_words(build: Build) -> None:
    harness = doubtful(build, InDoubtPolicy.RESEND_ONCE)
    harness.crm.records["501"].identity = replace(harness.crm.records["501"].identity, company="Another")
    harness.crm.edit("501", "work_phone", "1")
    harness.clock.time += 2 * DAY
    harness.pull()
    harness.sweep()
    assert harness.dispatch() == 1
    first, second = harness.fake.submitted
    assert first.requests[0].identity == second.requests[0].identity
    assert first.id != second.id
    assert harness.credits()["reserved"] == 2, "both may be charged"


def test_once_means_once(build: Build) -> None:
    harness = doubtful(build, InDoubtPolicy.RESEND_ONCE)
    harness.clock.time += 2 * DAY
    harness.sweep()
    harness.fake.refusals.append(InDoubt("again"))
    harness.dispatch()
    for _ in range(4):
        harness.clock.time += 2 * DAY
        harness.sweep()
        harness.verify()
        harness.dispatch()
    assert len(harness.fake.submitted) == 2
    assert harness.job("501") == ("done", "in_doubt_expired")


def test_after_a_crash_what_was_being_sent_is_in_doubt_and_not_sent_again(build: Build) -> None:
    fake = Told()
    harness = build(providers=[fake], fields={EMAIL: ["ann"]})
    harness.person()
    fake.then = lambda _: harness.remember_disk()
    harness.ask()
    harness.crash()
    assert harness.recover() == 1
    assert (harness.state("501"), harness.submissions()) == ("in_doubt", ["in_doubt"])
    assert harness.dispatch() == 0


# --- again ------------------------------------------------------------------------------------


def test_nobody_found_is_asked_about_again_after_a_while_in_a_new_round(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person()
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.job(ada) == ("done", "not_found")
    harness.clock.time += 89 * DAY
    assert harness.sweep() == 0
    harness.clock.time += 1 * DAY
    assert harness.sweep() == 1
    harness.finds(ada, EMAIL, VALUE)
    assert harness.dispatch() == 1
    harness.call_back(harness.fake.submitted[1])
    harness.finish()
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), VALUE)
    assert harness.sql("SELECT round, live FROM attempt ORDER BY id") == [(0, 1), (1, 1)]


def test_who_is_asked_about_again_is_asked_in_turn_and_only_for_what_is_still_wanted(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    harness = build(providers=fakes, fields={EMAIL: ["ann", "bob"], PHONE: ["bob"]})
    ada = harness.person()
    harness.ask()
    for fake in fakes:
        harness.answer_all(fake.name)
        harness.verify()
        harness.dispatch("bob")
    harness.answer_all("bob")
    harness.verify()
    assert (harness.job(ada), harness.job(ada, PHONE)) == (("done", "not_found"), ("done", "not_found"))
    fields = {EMAIL: harness.sync.fields[EMAIL]}
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields=fields),)))
    harness.clock.time += 90 * DAY
    harness.pull()
    assert harness.sweep() == 1
    assert harness.job(ada, PHONE) == ("done", "not_found")
    assert harness.sql("SELECT state, provider, round, note FROM job WHERE field = 'email'") == [
        ("queued", "ann", 1, "")
    ]


def test_two_contacts_of_one_person_do_not_keep_each_other_from_being_asked_again(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    ada = harness.person("Ada")
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.clock.time += 50 * DAY
    twin = harness.person("Ada")
    harness.ask()
    harness.verify()
    assert (harness.reason(ada), harness.reason(twin), len(harness.fake.submitted)) == ("not_found", "not_found", 1)
    harness.clock.time += 40 * DAY
    harness.sweep()
    harness.dispatch()
    assert len(harness.fake.submitted) == 2


def test_what_stood_behind_too_long_looks_again(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.ASK)
    harness.person("Ada")
    harness.fake.refusals.append(InDoubt("?"))
    harness.ask()
    twin = harness.person("Ada")
    harness.clock.time += 60
    harness.ask()
    assert harness.state(twin) == "waiting"
    harness.clock.time += DAY - 1
    harness.sweep()
    assert harness.state(twin) == "waiting"
    harness.clock.time += 1
    harness.sweep()
    assert harness.state(twin) == "queued"
    assert harness.dispatch() == 0
    assert harness.state(twin) == "waiting"


# --- another configuration, another ledger ----------------------------------------------------


def test_what_waits_for_a_provider_that_is_not_asked_any_more_goes_on_without_it(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    harness = build(providers=fakes, fields={EMAIL: ["ann", "bob"]})
    harness.recover()
    harness.person()
    harness.pull()
    harness.plan()
    policy = replace(harness.sync.fields[EMAIL], providers=("bob",))
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields={EMAIL: policy}),)))
    harness.recover()
    harness.plan()
    assert harness.sql("SELECT state, provider FROM job") == [("queued", "bob")]
    assert (harness.dispatch("bob"), len(fakes[0].submitted)) == (1, 0)


def test_after_a_restoration_nobody_is_given_up_before_a_whole_pull(build: Build) -> None:
    """Until then it is not known who still lacks something."""
    harness = build(fields={EMAIL: ["ann"]})
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.pull()
    harness.plan()

    def restored(tx: Tx) -> None:
        copies.mark_restored(tx, 0.0)

    harness.run(harness.ledger.write(restored))
    harness.sweep()
    assert (harness.state(ada), harness.state(bo)) == ("queued", "queued")
    harness.crm.edit(ada, "email", VALUE)
    harness.crm.fail("pull", Retry("busy"))
    with pytest.raises(Retry):
        harness.pull()
    harness.sweep()
    assert (harness.state(ada), harness.state(bo)) == ("queued", "queued"), "a pull that failed was no whole one"
    harness.pull()
    harness.sweep()
    assert (harness.job(ada), harness.state(bo)) == (("done", "cancelled"), "queued")
    assert harness.note(ada) == "the contact is not in the sync's selection any more, or lacks nothing"
