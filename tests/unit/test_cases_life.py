"""Life after the first run: another configuration, other selections, people who change their minds. One test a case."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncd.config import Sync
from syncd.config.settings import FieldPolicy
from syncd.contract.errors import InDoubt
from syncd.contract.model import Author, Field, Grade, Identity
from syncd.ledger import renames, retries, writes
from syncd.ledger.search import Wanted
from syncd.ledger.writes import Intent
from syncd.pipeline import pull, writeback
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, House

MAIL, NUMBER = "ada@acme.example.com", "+442079460123"


def configure(house: House, *syncs: Sync) -> None:
    """A restart with other syncs."""
    house.reopen(replace(house.settings, syncs=syncs))
    house.recover()


def policy(house: House, field: Field = EMAIL, **changes: Any) -> Sync:
    """The sync with another policy for a field."""
    fields: dict[Field, FieldPolicy] = {**house.sync.fields, field: replace(house.sync.fields[field], **changes)}
    return replace(house.sync, fields=fields)


def two(build: Build, order: Sequence[str] = ("ann",)) -> House:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    house = build(providers=fakes, fields={EMAIL: order})
    house.recover()
    return house


def move_on(house: House) -> None:
    """Everything that can be decided and written without a provider."""
    house.pull()
    house.plan()
    house.finish()


# --- names ----------------------------------------------------------------------------------------


def test_l1_a_renamed_sync_loses_nothing_buys_nothing_twice_and_keeps_its_budget(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada, bo = house.person("Ada"), house.person("Bo")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.call_back(house.fake.submitted[0])
    house.verify()
    assert house.state(ada) == "accepted", "it waits to be written"
    cy = house.person("Cy")
    house.pull()
    house.plan()
    assert house.state(cy) == "queued"
    spent = house.sql("SELECT sum(charged_mc + reserved_mc) FROM spend WHERE sync = 'people'")
    configure(house, replace(house.sync, name="humans"))
    assert house.sql("SELECT sum(charged_mc + reserved_mc) FROM spend WHERE sync = 'humans'") == spent
    assert house.sql("SELECT DISTINCT sync FROM job") == [("humans",)]
    asked = len(house.fake.submitted)
    house.finish()
    assert (house.job(ada), house.held(ada)) == (("done", "written"), MAIL)
    house.ask()
    assert [call.requests[0].ref.id for call in house.fake.submitted[asked:]] == [cy]
    assert house.state(bo) == "sent"


def test_l1_a_sync_that_is_renamed_and_changed_at_once_goes_on_as_well(build: Build) -> None:
    house = two(build)
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.verify()
    changed = replace(policy(house, providers=("ann", "bob")), name="humans", match={"owner": "7"})
    configure(house, changed)
    move_on(house)
    assert (house.held(ada), len(house.fakes["bob"].submitted)) == (MAIL, 0)
    assert house.sql("SELECT DISTINCT sync FROM spend") == [("humans",)]


def test_l3_of_a_sync_that_is_gone_what_was_not_sent_is_cancelled_and_what_was_paid_is_kept(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    bo = house.person("Bo")
    house.pull()
    house.plan()
    elsewhere = replace(house.sync, name="leads", object="leads")
    configure(house, elsewhere)
    house.verify()
    house.plan()
    assert (house.job(ada), house.job(bo)) == (("done", "cancelled"), ("done", "cancelled"))
    assert house.note(ada) == "no sync asks for the email of this contact any more"
    assert house.dispatch() == 0
    configure(house, replace(house.settings.syncs[0], name="people", object="contacts"))
    move_on(house)
    assert house.held(ada) == MAIL, "what was paid for is used once somebody wants it"
    assert len(house.fake.submitted) == 1


def test_l4_a_field_that_is_not_asked_for_any_more_stops_nothing(build: Build) -> None:
    house: House = build()
    house.recover()
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.finds(ada, PHONE, NUMBER)
    house.ask()
    house.answer_all()
    house.verify()
    assert house.state(ada, PHONE) == "accepted"
    configure(house, replace(house.sync, fields={EMAIL: house.sync.fields[EMAIL]}))
    move_on(house)
    assert (house.held(ada), house.held(ada, "phone")) == (MAIL, "")
    assert house.job(ada, PHONE) == ("done", "cancelled")


def test_l4_the_writer_may_be_quicker_than_the_decision(build: Build) -> None:
    house = build()
    house.recover()
    ada = house.person()
    house.finds(ada, PHONE, NUMBER)
    house.ask()
    house.answer_all()
    house.verify()
    configure(house, replace(house.sync, fields={EMAIL: house.sync.fields[EMAIL]}))
    house.run(writeback.run_once(house.parts, house.sync))
    assert house.held(ada, "phone") == ""
    move_on(house)
    assert house.job(ada, PHONE) == ("done", "cancelled")


@pytest.mark.parametrize("gone", ["field", "sync"])
def test_l4_a_write_that_was_begun_when_its_field_or_sync_was_taken_away_comes_to_an_end(
    build: Build, gone: str
) -> None:
    house = build()
    house.recover()
    ada = house.person()
    house.finds(ada, PHONE, NUMBER)
    house.ask()
    house.answer_all()
    house.verify()
    (number,) = house.run(house.ledger.read(writes.to_write, [row[0] for row in house.sql("SELECT id FROM job")]))
    house.run(house.ledger.write(writes.intend, [Intent(number, "", "", "phone")], now=house.clock.now()))
    changed = replace(house.sync, fields={EMAIL: house.sync.fields[EMAIL]})
    if gone == "sync":
        changed = replace(house.sync, name="leads", object="leads")
    configure(house, changed)
    house.clock.time += 3600
    move_on(house)
    house.verify()
    assert house.job(ada, PHONE) == ("done", "cancelled")


def test_l4_a_field_that_was_taken_away_and_comes_back_is_still_lacking(build: Build) -> None:
    """Those who were pulled meanwhile were looked at for the other field only."""
    house = build()
    house.recover()
    ada = house.person("Ada")
    house.finds(ada, PHONE, NUMBER)
    house.ask()
    house.pull()  # it goes on behind her
    both = house.sync
    configure(house, replace(both, fields={EMAIL: both.fields[EMAIL]}))
    move_on(house)
    house.answer_all()
    house.verify()
    assert house.job(ada, PHONE) == ("done", "cancelled")
    configure(house, both)
    asked = len(house.fake.submitted)
    move_on(house)
    assert (house.held(ada, PHONE), len(house.fake.submitted)) == (NUMBER, asked), "it was paid for"


def test_two_syncs_that_look_for_a_field_each_do_not_hide_what_the_other_looks_for(build: Build) -> None:
    house = build()
    fields = house.sync.fields
    mails = replace(house.sync, name="mails", fields={EMAIL: fields[EMAIL]})
    numbers = replace(house.sync, name="numbers", fields={PHONE: fields[PHONE]})
    configure(house, mails, numbers)
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.finds(ada, PHONE, NUMBER)
    for sync in (mails, numbers):
        house.run(pull.run_once(house.parts, sync))
    house.plan()
    house.dispatch()
    house.answer_all()
    house.verify()
    for sync in (mails, numbers):
        house.run(writeback.run_once(house.parts, sync))
    house.clock.time += 60
    for sync in (mails, numbers):
        house.run(writeback.run_once(house.parts, sync))
    assert (house.held(ada), house.held(ada, PHONE)) == (MAIL, NUMBER)


def test_l3_what_is_in_doubt_at_a_provider_that_is_gone_ends_once_its_hold_is_over(build: Build) -> None:
    house = two(build, ["ann", "bob"])
    ada = house.person()
    house.fake.refusals.append(InDoubt("cut off"))
    house.ask()
    assert house.state(ada) == "in_doubt"
    connections = {name: one for name, one in house.settings.connections.items() if name != "ann"}
    house.settings = replace(house.settings, connections=connections)
    configure(house, policy(house, providers=("bob",)))
    house.clock.time += 3 * DAY
    house.sweep()
    house.verify()
    assert house.dispatch("bob") == 1
    assert house.credits()["reserved"] == 2, "what it may have cost stays reserved"


# --- selections -----------------------------------------------------------------------------------


def test_l5_a_field_that_is_added_is_looked_for_with_everybody_old(build: Build) -> None:
    fakes = [FakeProvider("ann", capabilities=ONE_BY_ONE)]
    house = build(providers=fakes, fields={EMAIL: ["ann"]})
    house.recover()
    ada = house.person("Ada", email=MAIL)
    house.pull()
    assert house.sql("SELECT count(*) FROM contact") == [(0,)], "it lacks nothing"
    both = {**house.sync.fields, PHONE: replace(house.sync.fields[EMAIL], property="phone")}
    configure(house, replace(house.sync, fields=both))
    house.ask()
    assert house.state(ada, PHONE) == "sent"


def test_l5_another_property_is_another_place_to_write_to_and_what_was_bought_is_used(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    assert house.held(ada) == MAIL
    configure(house, policy(house, property="work_email"))
    move_on(house)
    assert house.held(ada, "work_email") == MAIL
    assert len(house.fake.submitted) == 1


def test_l6_a_narrower_selection_buys_for_nobody_outside_of_it(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada, bo = house.person("Ada"), house.person("Bo")
    house.pull()
    house.plan()
    configure(house, replace(house.sync, match={"owner": "7"}))
    house.crm.selected = {bo}
    house.plan()
    assert house.dispatch() == 0, "it has not been seen yet who is selected now"
    house.ask()
    assert [call.requests[0].ref.id for call in house.fake.submitted] == [bo]
    assert house.job(ada) == ("done", "cancelled")
    house.crm.selected = None
    house.clock.time += DAY
    house.ask()
    assert house.state(ada) == "sent", "it is selected again"


# --- what was written is blank again --------------------------------------------------------------


@pytest.mark.parametrize("refill", [False, True])
def test_l8_what_a_program_cleared_is_looked_for_anew_only_by_option(build: Build, *, refill: bool) -> None:
    house = two(build, ["ann", "bob"])
    configure(house, policy(house, refill=refill))
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.finds(ada, EMAIL, "ada.test@acme.example.com", by="bob")
    house.ask()
    house.answer_all()
    house.finish()
    house.clock.time += 60
    house.crm.edit(ada, "email", "", by=Author.MACHINE)
    house.ask()
    house.dispatch("bob")
    house.answer_all("bob")
    house.finish()
    assert house.held(ada) == ("ada.test@acme.example.com" if refill else ""), "never the same value again"
    assert house.job(ada) == ("done", "written" if refill else "cleared")


def test_l8_what_a_person_cleared_is_left_alone(build: Build) -> None:
    house = two(build, ["ann", "bob"])
    configure(house, policy(house, refill=True))
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    house.clock.time += 60
    house.crm.edit(ada, "email", "")
    house.ask()
    assert (house.job(ada), len(house.fakes["bob"].submitted)) == (("done", "suppressed"), 0)


# --- policies -------------------------------------------------------------------------------------


def test_l11_a_wider_policy_uses_what_was_bought(build: Build) -> None:
    house = two(build, ["ann", "bob"])
    ada = house.person()
    house.finds(ada, EMAIL, MAIL, grade=Grade.CATCH_ALL)
    house.ask()
    house.answer_all()
    house.verify()
    house.dispatch("bob")
    house.answer_all("bob")
    house.verify()
    assert house.job(ada) == ("done", "low_quality")
    configure(house, policy(house, accept=frozenset({Grade.VALID, Grade.CATCH_ALL})))
    move_on(house)
    assert house.held(ada) == MAIL
    assert sum(len(fake.submitted) for fake in house.fakes.values()) == 2


def test_l12_a_provider_that_is_added_is_asked_about_those_whom_the_others_missed(build: Build) -> None:
    house = two(build, ["ann"])
    ada = house.person()
    house.ask()
    house.answer_all()
    house.verify()
    assert house.job(ada) == ("done", "not_found")
    configure(house, policy(house, providers=("ann", "bob")))
    house.plan()
    assert (house.dispatch("ann"), house.dispatch("bob")) == (0, 1)


def test_l12_another_order_asks_nobody_twice(build: Build) -> None:
    house = two(build, ["ann", "bob"])
    house.person()
    house.ask()
    house.answer_all()
    house.verify()
    configure(house, policy(house, providers=("bob", "ann")))
    house.plan()
    house.dispatch("bob")
    house.answer_all("bob")
    house.verify()
    assert (house.dispatch("ann"), house.dispatch("bob")) == (0, 0)
    assert [len(fake.submitted) for fake in house.fakes.values()] == [1, 1]


def test_l13_a_profile_that_is_added_is_asked_with_at_once(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada = house.person()
    record = house.crm.records[ada]
    profile, record.identity = record.identity.linkedin_url, replace(record.identity, linkedin_url=None)
    house.ask()
    house.answer_all()
    house.verify()
    assert house.job(ada) == ("done", "not_found")
    house.crm.rename(ada, replace(record.identity, linkedin_url=profile))
    house.ask()
    assert house.state(ada) == "sent"
    assert house.fake.submitted[-1].requests[0].identity.linkedin_url == profile


def test_l14_finds_and_misses_have_ages_of_their_own(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    configure(house, replace(house.sync, retry_not_found=1200.0, reuse_found=90 * DAY))
    ada = house.person("Ada")
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    house.clock.time += 3600
    twin = house.person("Ada")
    house.ask()
    house.verify()
    asked = [(call.requests[0].ref.id, call.requests[0].fields[0]) for call in house.fake.submitted]
    assert asked.count((ada, EMAIL)) + asked.count((twin, EMAIL)) == 1, "the find is fresh, and serves both records"
    assert sum(field is PHONE for _, field in asked) >= 2, "the miss is old"


# --- again, because a person wants it -------------------------------------------------------------


def again(house: House, **wanted: Any) -> int:
    """What `syncd retry` does."""
    waiting = wanted.get("reason") == "waiting"
    asked = Wanted(**{key: value for key, value in wanted.items() if (key, value) != ("reason", "waiting")})
    jobs = house.run(house.ledger.read(retries.find, asked, waiting=waiting))
    house.run(house.ledger.write(retries.retry, jobs, now=house.clock.now()))
    house.plan()
    return len(jobs)


def test_retry_asks_again_about_whom_nobody_found_and_nobody_else(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada, bo = house.person("Ada"), house.person("Bo")
    house.finds(bo, EMAIL, "bo@acme.example.com")
    house.ask()
    house.answer_all()
    house.finish()
    assert (house.reason(ada), house.reason(bo)) == ("not_found", "written")
    house.clock.time += 60
    assert again(house, reason="not_found") == 1
    house.finds(ada, EMAIL, MAIL)
    assert house.dispatch() == 1
    house.call_back(house.fake.submitted[-1])
    house.finish()
    assert house.held(ada) == MAIL
    assert house.dispatch() == 0, "once, not for ever"


def test_retry_writes_what_the_crm_refused_and_buys_nothing(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    ada, holder = house.person("Ada"), house.person("Bo", email=MAIL)
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    house.answer_all()
    house.finish()
    assert house.reason(ada) == "duplicate_of"
    house.crm.remove(holder)
    house.clock.time += 60
    assert again(house, text=str(house.ref(ada))) == 1
    house.finish()
    assert (house.held(ada), len(house.fake.submitted)) == (MAIL, 1)


def test_retry_leaves_alone_what_is_under_way(build: Build) -> None:
    house = build(fields={EMAIL: ["ann"]})
    house.recover()
    house.person()
    house.ask()
    assert again(house, sync="people") == 0
    assert house.submissions() == ["accepted"]


def test_l2_answers_to_a_provider_that_has_another_name_now_are_taken(build: Build) -> None:
    house = two(build, ["ann"])
    house.run(house.ledger.write(renames.follow, {"crm": "c", "ann": "a", "bob": "b"}))
    ada = house.person()
    house.finds(ada, EMAIL, MAIL)
    house.ask()
    (call,) = house.fake.submitted
    answer = house.fake.delivery(call)
    rename_ann_to_eve(house)
    assert house.run(house.ledger.read(renames.former_names)) == {"ann": "eve"}
    assert house.dispatch("eve") == 0, "it is not asked again"
    house.deliver(answer, "eve")
    house.finish()
    assert (house.held(ada), house.sql("SELECT DISTINCT provider FROM spend")) == (MAIL, [("eve",)])


def rename_ann_to_eve(house: House) -> None:
    """A restart with another name for the provider's connection."""
    renamed = house.run(house.ledger.write(renames.follow, {"crm": "c", "eve": "a", "bob": "b"}))
    assert renamed == {"ann": "eve"}
    house.fakes["eve"] = house.fakes.pop("ann")
    house.settings = replace(
        house.settings,
        connections={
            **{name: one for name, one in house.settings.connections.items() if name != "ann"},
            "eve": replace(house.settings.connections["ann"], name="eve"),
        },
    )
    configure(house, policy(house, providers=("eve",)))


def test_l2_a_question_stays_identical_when_the_provider_gets_another_name(build: Build) -> None:
    """Two records that only share a name at an employer are two people: the same words are told of both."""
    house = two(build, ["ann"])
    house.run(house.ledger.write(renames.follow, {"crm": "c", "ann": "a", "bob": "b"}))
    known = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
    house.crm.add(known)
    house.ask()
    house.answer_all()
    house.verify()
    rename_ann_to_eve(house)
    house.crm.add(known)
    house.pull()
    house.plan()
    assert house.dispatch("eve") == 0
    assert len(house.fakes["eve"].submitted) == 1, "what was told under the former name is not told again"


def test_l2_another_key_is_another_connection(build: Build) -> None:
    house = two(build, ["ann"])
    house.run(house.ledger.write(renames.follow, {"ann": "a"}))
    assert house.run(house.ledger.write(renames.follow, {"eve": "e"})) == {}
