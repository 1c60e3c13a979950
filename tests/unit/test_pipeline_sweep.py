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
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, House
from .test_pipeline_outcomes import Told

VALUE = "ada@acme.example.com"


def emails(build: Build, people: int = 1, **wishes: object) -> House:
    """Contacts from 501 on, each asked for an e-mail at ann."""
    house = build(fields={EMAIL: ["ann"]}, **wishes)
    for n in range(people):
        house.finds(house.person(f"Ada{n}"), EMAIL, f"ada{n}@acme.example.com")
    house.ask()
    return house


# --- polls ------------------------------------------------------------------------------------


def test_what_does_not_come_is_asked_for_now_and_then_and_fetched_when_it_is_there(build: Build) -> None:
    house = emails(build)
    house.sweep()
    assert house.fake.polled == [], "not before its time"
    for _ in range(3):
        house.clock.time += 300
        house.sweep()
        house.sweep()
    assert len(house.fake.polled) == 3
    house.fake.finished = set(house.fake.accepted)
    house.clock.time += 300
    assert house.sweep() == 1
    house.finish()
    assert house.held("501") == "ada0@acme.example.com"
    house.clock.time += 900
    house.sweep()
    assert len(house.fake.polled) == 4, "what was answered is not asked for"


def test_polls_are_few_at_a_time_oldest_first(build: Build) -> None:
    house = emails(build, people=POLLS + 3)
    house.clock.time += 300
    house.sweep()
    assert len(house.fake.polled) == POLLS
    house.sweep()
    assert len(set(house.fake.polled)) == POLLS + 3


def test_after_a_start_every_open_result_is_asked_for_at_once(build: Build) -> None:
    house = emails(build, people=2)
    house.call_back(house.fake.submitted[0])
    house.reopen()
    assert house.recover() == 0
    house.sweep()
    assert house.fake.polled == [house.fake.submitted[1].id]


@pytest.mark.parametrize("counts", [True, False])
def test_polls_take_places_in_the_rate_window_only_where_they_count(build: Build, counts: bool) -> None:
    caps = replace(ONE_BY_ONE, windows=(Window(3600.0, 2),), polls_count=counts)
    house = emails(build, people=1, providers=[FakeProvider("ann", capabilities=caps)])
    house.clock.time += 300
    house.sweep()
    assert (house.parts.lanes["ann"].pacer.ready_in() > 0) is counts
    house.clock.time += 300
    house.sweep()
    assert len(house.fake.polled) == (1 if counts else 2)


@pytest.mark.parametrize("trouble", [Retry("busy"), RateLimited("slow", after=77.0)])
def test_a_poll_that_fails_is_made_again(build: Build, trouble: Retry) -> None:
    house = emails(build)
    house.fake.poll_troubles.append(trouble)
    house.clock.time += 300
    assert house.sweep() == 0
    house.sweep()
    assert len(house.fake.polled) == 2
    assert house.state("501") == "sent"


def test_a_halt_while_polling_stops_the_provider_until_it_is_well(build: Build) -> None:
    house = emails(build)
    house.fake.poll_troubles.append(Halt("no key", trouble=Trouble.CREDENTIALS, cure="give one"))
    house.clock.time += 300
    house.sweep()
    house.sweep()
    assert len(house.fake.polled) == 1
    assert house.run(house.ledger.read(connections.trouble, "ann")) is Trouble.CREDENTIALS
    house.run(house.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none", "buy", now=0.0))
    house.sweep()
    assert len(house.fake.polled) == 2, "what was bought before the credits ran out is still fetched"


def test_a_result_that_is_lost_at_the_provider_is_not_asked_for_for_ever(build: Build) -> None:
    house = emails(build)
    house.fake.poll_troubles.append(Skip("never heard of it"))
    for _ in range(5):
        house.clock.time += 300
        house.sweep()
    assert len(house.fake.polled) == 1
    assert house.state("501") == "sent", "its callback may still come"
    house.clock.time += 3 * DAY
    house.sweep()
    house.verify()
    assert house.job("501") == ("done", "no_callback")


# --- deadlines --------------------------------------------------------------------------------


def test_a_deadline_ends_the_waiting_and_keeps_the_worst_case(build: Build) -> None:
    house = emails(build)
    house.clock.time += ONE_BY_ONE.answer_within - 1
    house.sweep()
    assert house.state("501") == "sent"
    house.clock.time += 1
    house.sweep()
    assert (house.state("501"), house.submissions()) == ("answered", ["expired"])
    assert house.sql("SELECT outcome FROM result") == [("missing",)]
    assert house.credits()["reserved"] == 1


def test_two_hundred_open_doubts_do_not_keep_a_deadline_from_ending(build: Build) -> None:
    """What waits for a person stands first in time, and is passed over."""
    ann = FakeProvider("ann", capabilities=ONE_BY_ONE)
    ann.refusals += [InDoubt("?")] * 204
    house = emails(build, people=205, providers=[ann])
    while house.submissions().count("accepted") == 0:
        house.clock.time += 3_600
        house.dispatch()
    assert {"accepted", "in_doubt"} <= set(house.submissions())
    house.clock.time += 3 * DAY
    house.sweep()
    assert house.submissions().count("expired") == 1


# --- doubt ------------------------------------------------------------------------------------


def doubtful(build: Build, policy: InDoubtPolicy, **wishes: object) -> House:
    """Contact 501's call may have been made."""
    house = build(fields={EMAIL: ["ann"]}, in_doubt=policy, **wishes)
    house.finds(house.person(), EMAIL, VALUE)
    house.fake.refusals.append(InDoubt("the line was cut"))
    house.ask()
    return house


def test_ask_leaves_it_to_a_person(build: Build) -> None:
    house = doubtful(build, InDoubtPolicy.ASK)
    house.clock.time += 400 * DAY
    assert house.sweep() == 0
    assert (house.state("501"), house.credits()["in_doubt"]) == ("in_doubt", 1)


def test_never_gives_up_after_the_hold_and_not_before(build: Build) -> None:
    house = doubtful(build, InDoubtPolicy.NEVER)
    house.clock.time += 2 * DAY - 1
    house.sweep()
    assert house.state("501") == "in_doubt"
    house.clock.time += 1
    house.sweep()
    house.verify()
    assert (house.job("501"), house.credits()["reserved"]) == (("done", "in_doubt_expired"), 1)
    assert len(house.fake.submitted) == 1


def test_never_goes_on_to_the_next_provider(build: Build) -> None:
    ann, bob = FakeProvider("ann", capabilities=ONE_BY_ONE), FakeProvider("bob", capabilities=ONE_BY_ONE)
    house = build(providers=[ann, bob], fields={EMAIL: ["ann", "bob"]}, in_doubt=InDoubtPolicy.NEVER)
    ada = house.person()
    ann.refusals.append(InDoubt("?"))
    house.ask()
    house.clock.time += 2 * DAY
    house.sweep()
    house.verify()
    house.dispatch("bob")
    assert (house.state(ada), len(bob.submitted)) == ("sent", 1)


def test_resend_once_asks_once_more_with_the_very_same_words(build: Build) -> None:
    house = doubtful(build, InDoubtPolicy.RESEND_ONCE)
    house.crm.records["501"].identity = replace(house.crm.records["501"].identity, company="Another")
    house.crm.edit("501", "work_phone", "1")
    house.clock.time += 2 * DAY
    house.pull()
    house.sweep()
    assert house.dispatch() == 1
    first, second = house.fake.submitted
    assert first.requests[0].identity == second.requests[0].identity
    assert first.id != second.id
    assert house.credits()["reserved"] == 2, "both may be charged"


def test_once_means_once(build: Build) -> None:
    house = doubtful(build, InDoubtPolicy.RESEND_ONCE)
    house.clock.time += 2 * DAY
    house.sweep()
    house.fake.refusals.append(InDoubt("again"))
    house.dispatch()
    for _ in range(4):
        house.clock.time += 2 * DAY
        house.sweep()
        house.verify()
        house.dispatch()
    assert len(house.fake.submitted) == 2
    assert house.job("501") == ("done", "in_doubt_expired")


def test_after_a_crash_what_was_being_sent_is_in_doubt_and_not_sent_again(build: Build) -> None:
    fake = Told()
    house = build(providers=[fake], fields={EMAIL: ["ann"]})
    house.person()
    fake.then = lambda _: house.remember_disk()
    house.ask()
    house.crash()
    assert house.recover() == 1
    assert (house.state("501"), house.submissions()) == ("in_doubt", ["in_doubt"])
    assert house.dispatch() == 0


# --- again ------------------------------------------------------------------------------------


def test_nobody_found_is_asked_about_again_after_a_while_in_a_new_round(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person()
    house.ask()
    house.answer_all()
    house.finish()
    assert house.job(ada) == ("done", "not_found")
    house.clock.time += 89 * DAY
    assert house.sweep() == 0
    house.clock.time += 1 * DAY
    assert house.sweep() == 1
    house.finds(ada, EMAIL, VALUE)
    assert house.dispatch() == 1
    house.call_back(house.fake.submitted[1])
    house.finish()
    assert (house.job(ada), house.held(ada)) == (("done", "written"), VALUE)
    assert house.sql("SELECT round, live FROM attempt ORDER BY id") == [(0, 1), (1, 1)]


def test_who_is_asked_about_again_is_asked_in_turn_and_only_for_what_is_still_wanted(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    house = build(providers=fakes, fields={EMAIL: ["ann", "bob"], PHONE: ["bob"]})
    ada = house.person()
    house.ask()
    for fake in fakes:
        house.answer_all(fake.name)
        house.verify()
        house.dispatch("bob")
    house.answer_all("bob")
    house.verify()
    assert (house.job(ada), house.job(ada, PHONE)) == (("done", "not_found"), ("done", "not_found"))
    fields = {EMAIL: house.sync.fields[EMAIL]}
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields=fields),)))
    house.clock.time += 90 * DAY
    house.pull()
    assert house.sweep() == 1
    assert house.job(ada, PHONE) == ("done", "not_found")
    assert house.sql("SELECT state, provider, round, note FROM job WHERE field = 'email'") == [("queued", "ann", 1, "")]


def test_two_contacts_of_one_person_do_not_keep_each_other_from_being_asked_again(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    ada = house.person("Ada")
    house.ask()
    house.answer_all()
    house.verify()
    house.clock.time += 50 * DAY
    twin = house.person("Ada")
    house.ask()
    house.verify()
    assert (house.reason(ada), house.reason(twin), len(house.fake.submitted)) == ("not_found", "not_found", 1)
    house.clock.time += 40 * DAY
    house.sweep()
    house.dispatch()
    assert len(house.fake.submitted) == 2


def test_what_stood_behind_too_long_looks_again(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]}, in_doubt=InDoubtPolicy.ASK)
    house.person("Ada")
    house.fake.refusals.append(InDoubt("?"))
    house.ask()
    twin = house.person("Ada")
    house.clock.time += 60
    house.ask()
    assert house.state(twin) == "waiting"
    house.clock.time += DAY - 1
    house.sweep()
    assert house.state(twin) == "waiting"
    house.clock.time += 1
    house.sweep()
    assert house.state(twin) == "queued"
    assert house.dispatch() == 0
    assert house.state(twin) == "waiting"


# --- another configuration, another ledger ----------------------------------------------------


def test_what_waits_for_a_provider_that_is_not_asked_any_more_goes_on_without_it(build: Build) -> None:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    house = build(providers=fakes, fields={EMAIL: ["ann", "bob"]})
    house.recover()
    house.person()
    house.pull()
    house.plan()
    policy = replace(house.sync.fields[EMAIL], providers=("bob",))
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields={EMAIL: policy}),)))
    house.recover()
    house.plan()
    assert house.sql("SELECT state, provider FROM job") == [("queued", "bob")]
    assert (house.dispatch("bob"), len(fakes[0].submitted)) == (1, 0)


def test_after_a_restoration_nobody_is_given_up_before_a_whole_pull(build: Build) -> None:
    """Until then it is not known who still lacks something."""
    house = build(fields={EMAIL: ["ann"]})
    ada, bo = house.person("Ada"), house.person("Bo")
    house.pull()
    house.plan()

    def restored(tx: Tx) -> None:
        copies._mark_restored(tx, 0.0)

    house.run(house.ledger.write(restored))
    house.sweep()
    assert (house.state(ada), house.state(bo)) == ("queued", "queued")
    house.crm.edit(ada, "email", VALUE)
    house.crm.fail("pull", Retry("busy"))
    with pytest.raises(Retry):
        house.pull()
    house.sweep()
    assert (house.state(ada), house.state(bo)) == ("queued", "queued"), "a pull that failed was no whole one"
    house.pull()
    house.sweep()
    assert (house.job(ada), house.state(bo)) == (("done", "cancelled"), "queued")
    assert house.note(ada) == "the contact is not in the sync's selection any more, or lacks nothing"
