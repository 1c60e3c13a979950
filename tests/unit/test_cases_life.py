"""Life after the first run: another configuration, other selections, people who change their minds. One test a case."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncd.config import Sync
from syncd.config.sections import InDoubtPolicy
from syncd.config.settings import FieldPolicy
from syncd.contract.errors import InDoubt
from syncd.contract.model import Author, Field, Grade, Identity, Outcome
from syncd.ledger import renames, retries, writes
from syncd.ledger.search import Wanted
from syncd.ledger.writes import Intent
from syncd.pipeline import pull, writeback
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider, said

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

MAIL, OTHER, NUMBER = "ada@acme.example.com", "ada.test@acme.example.com", "+442079460123"


def configure(harness: Harness, *syncs: Sync) -> None:
    """A restart with other syncs."""
    harness.reopen(replace(harness.settings, syncs=syncs))
    harness.recover()


def policy(harness: Harness, field: Field = EMAIL, **changes: Any) -> Sync:
    """The sync with another policy for a field."""
    fields: dict[Field, FieldPolicy] = {**harness.sync.fields, field: replace(harness.sync.fields[field], **changes)}
    return replace(harness.sync, fields=fields)


def two(build: Build, order: Sequence[str] = ("ann",)) -> Harness:
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    harness = build(providers=fakes, fields={EMAIL: order})
    harness.recover()
    return harness


def move_on(harness: Harness) -> None:
    """Everything that can be decided and written without a provider."""
    harness.pull()
    harness.plan()
    harness.finish()


# --- names ----------------------------------------------------------------------------------------


def test_l1_a_renamed_sync_loses_nothing_buys_nothing_twice_and_keeps_its_budget(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.call_back(harness.fake.submitted[0])
    harness.verify()
    assert harness.state(ada) == "accepted", "it waits to be written"
    cy = harness.person("Cy")
    harness.pull()
    harness.plan()
    assert harness.state(cy) == "queued"
    spent = harness.sql("SELECT sum(charged_mc + reserved_mc) FROM spend WHERE sync = 'people'")
    configure(harness, replace(harness.sync, name="humans"))
    assert harness.sql("SELECT sum(charged_mc + reserved_mc) FROM spend WHERE sync = 'humans'") == spent
    assert harness.sql("SELECT DISTINCT sync FROM job") == [("humans",)]
    asked = len(harness.fake.submitted)
    harness.finish()
    assert (harness.job(ada), harness.held(ada)) == (("done", "written"), MAIL)
    harness.ask()
    assert [call.requests[0].ref.id for call in harness.fake.submitted[asked:]] == [cy]
    assert harness.state(bo) == "sent"


def test_l1_a_sync_that_is_renamed_and_changed_at_once_goes_on_as_well(build: Build) -> None:
    harness = two(build)
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    changed = replace(policy(harness, providers=("ann", "bob")), name="humans", match={"owner": "7"})
    configure(harness, changed)
    move_on(harness)
    assert (harness.held(ada), len(harness.fakes["bob"].submitted)) == (MAIL, 0)
    assert harness.sql("SELECT DISTINCT sync FROM spend") == [("humans",)]


def test_l3_of_a_sync_that_is_gone_what_was_not_sent_is_cancelled_and_what_was_paid_is_kept(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    bo = harness.person("Bo")
    harness.pull()
    harness.plan()
    elsewhere = replace(harness.sync, name="leads", object="leads")
    configure(harness, elsewhere)
    harness.verify()
    harness.plan()
    assert (harness.job(ada), harness.job(bo)) == (("done", "cancelled"), ("done", "cancelled"))
    assert harness.note(ada) == "no sync asks for the email of this contact any more"
    assert harness.dispatch() == 0
    configure(harness, replace(harness.settings.syncs[0], name="people", object="contacts"))
    move_on(harness)
    assert harness.held(ada) == MAIL, "what was paid for is used once somebody wants it"
    assert len(harness.fake.submitted) == 1


def test_l4_a_field_that_is_not_asked_for_any_more_stops_nothing(build: Build) -> None:
    harness: Harness = build()
    harness.recover()
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.state(ada, PHONE) == "accepted"
    configure(harness, replace(harness.sync, fields={EMAIL: harness.sync.fields[EMAIL]}))
    move_on(harness)
    assert (harness.held(ada), harness.held(ada, "phone")) == (MAIL, "")
    assert harness.job(ada, PHONE) == ("done", "cancelled")


def test_l4_the_writer_may_be_quicker_than_the_decision(build: Build) -> None:
    harness = build()
    harness.recover()
    ada = harness.person()
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.verify()
    configure(harness, replace(harness.sync, fields={EMAIL: harness.sync.fields[EMAIL]}))
    harness.run(writeback.run_once(harness.parts, harness.sync))
    assert harness.held(ada, "phone") == ""
    move_on(harness)
    assert harness.job(ada, PHONE) == ("done", "cancelled")


@pytest.mark.parametrize("gone", ["field", "sync"])
def test_l4_a_write_that_was_begun_when_its_field_or_sync_was_taken_away_comes_to_an_end(
    build: Build, gone: str
) -> None:
    harness = build()
    harness.recover()
    ada = harness.person()
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.verify()
    (number,) = harness.run(harness.ledger.read(writes.to_write, [row[0] for row in harness.sql("SELECT id FROM job")]))
    harness.run(harness.ledger.write(writes.intend, [Intent(number, "", "", "phone")], now=harness.clock.now()))
    changed = replace(harness.sync, fields={EMAIL: harness.sync.fields[EMAIL]})
    if gone == "sync":
        changed = replace(harness.sync, name="leads", object="leads")
    configure(harness, changed)
    harness.clock.time += 3600
    move_on(harness)
    harness.verify()
    assert harness.job(ada, PHONE) == ("done", "cancelled")


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize(
    ("arrived", "held", "reason"),
    [(None, NUMBER, "written"), ("stands", NUMBER, "human_value_kept"), ("cleared", "", "cleared")],
)
def test_l4_a_write_that_was_begun_when_its_field_was_taken_away_is_looked_for_when_it_comes_back(
    build: Build, arrived: str | None, held: str, reason: str, *, history: bool
) -> None:
    """Where it has not arrived, what was paid for is written at last; what somebody has cleared is not."""
    harness = build(crm=FakeCrm("crm", history=history))
    harness.recover()
    ada = harness.person()
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.verify()
    (number,) = harness.run(harness.ledger.read(writes.to_write, [row[0] for row in harness.sql("SELECT id FROM job")]))
    (now_there,) = harness.run(harness.crm.read([number.ref], harness.sync.selection))
    intent = Intent(number, "", now_there.changed_at, "phone")
    harness.run(harness.ledger.write(writes.intend, [intent], now=harness.clock.now()))
    if arrived:
        harness.crm.edit(ada, "phone", NUMBER, by=Author.MACHINE)
    both = harness.sync
    configure(harness, replace(both, fields={EMAIL: both.fields[EMAIL]}))
    harness.clock.time += 3600
    move_on(harness)
    harness.verify()
    assert harness.job(ada, PHONE) == ("done", "cancelled")
    if arrived == "cleared":
        harness.crm.edit(ada, "phone", "", by=Author.MACHINE)
    configure(harness, both)
    harness.clock.time += 3600
    for _ in range(2):
        move_on(harness)
    asked = [request.fields for call in harness.fake.submitted for request in call.requests if PHONE in request.fields]
    assert (harness.held(ada, "phone"), harness.reason(ada, PHONE), len(asked)) == (held, reason, 1)
    fates = {None: ["unknown", "written"], "stands": ["unknown"], "cleared": ["cleared"]}
    assert [state for (state,) in harness.sql("SELECT state FROM write ORDER BY id")] == fates[arrived]


def test_l4_a_field_that_was_taken_away_and_comes_back_is_still_lacking(build: Build) -> None:
    """Those who were pulled meanwhile were looked at for the other field only."""
    harness = build()
    harness.recover()
    ada = harness.person("Ada")
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.pull()  # it goes on behind her
    both = harness.sync
    configure(harness, replace(both, fields={EMAIL: both.fields[EMAIL]}))
    move_on(harness)
    harness.answer_all()
    harness.verify()
    assert harness.job(ada, PHONE) == ("done", "cancelled")
    configure(harness, both)
    asked = len(harness.fake.submitted)
    move_on(harness)
    assert (harness.held(ada, PHONE), len(harness.fake.submitted)) == (NUMBER, asked), "it was paid for"


def test_two_syncs_that_look_for_a_field_each_do_not_hide_what_the_other_looks_for(build: Build) -> None:
    harness = build()
    fields = harness.sync.fields
    mails = replace(harness.sync, name="mails", fields={EMAIL: fields[EMAIL]})
    numbers = replace(harness.sync, name="numbers", fields={PHONE: fields[PHONE]})
    configure(harness, mails, numbers)
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, PHONE, NUMBER)
    for sync in (mails, numbers):
        harness.run(pull.run_once(harness.parts, sync))
    harness.plan()
    harness.dispatch()
    harness.answer_all()
    harness.verify()
    for sync in (mails, numbers):
        harness.run(writeback.run_once(harness.parts, sync))
    harness.clock.time += 60
    for sync in (mails, numbers):
        harness.run(writeback.run_once(harness.parts, sync))
    assert (harness.held(ada), harness.held(ada, PHONE)) == (MAIL, NUMBER)


def test_l3_what_is_in_doubt_at_a_provider_that_is_gone_ends_once_its_hold_is_over(build: Build) -> None:
    harness = two(build, ["ann", "bob"])
    ada = harness.person()
    harness.fake.refusals.append(InDoubt("cut off"))
    harness.ask()
    assert harness.state(ada) == "in_doubt"
    connections = {name: one for name, one in harness.settings.connections.items() if name != "ann"}
    harness.settings = replace(harness.settings, connections=connections)
    configure(harness, policy(harness, providers=("bob",)))
    harness.clock.time += 3 * DAY
    harness.sweep()
    harness.verify()
    assert harness.dispatch("bob") == 1
    assert harness.credits()["reserved"] == 2, "what it may have cost stays reserved"


@pytest.mark.parametrize("outcome", [None, Outcome.NO_CREDITS, Outcome.FAILED])
def test_l3_neighbour_what_is_to_be_asked_once_more_is_decided_on_first(build: Build, outcome: Outcome | None) -> None:
    """The field is not looked for any more, and its provider for nothing: nobody would ever ask."""
    harness = build(
        providers=[FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")],
        fields={EMAIL: ["ann"]},
        in_doubt=InDoubtPolicy.RESEND_ONCE,
    )
    ada = harness.person()
    if outcome is None:
        harness.fakes["ann"].refusals.append(InDoubt("cut off"))
    harness.ask()
    [call] = harness.fakes["ann"].submitted
    number = replace(harness.sync.fields[EMAIL], property="phone", providers=("bob",))
    configure(harness, replace(harness.sync, fields={PHONE: number}))
    harness.plan()
    assert harness.state(ada) in {"sent", "in_doubt"}, "it is under way"
    if outcome is None:
        harness.clock.time += 3 * DAY
    else:
        result = {"id": call.requests[0].id, "field": EMAIL, "outcome": outcome, "candidates": []}
        harness.call_back(call, said([result]), "ann")
    harness.sweep()
    harness.plan()
    assert harness.job(ada) == ("done", "cancelled")


# --- selections -----------------------------------------------------------------------------------


def test_l5_a_field_that_is_added_is_looked_for_with_everybody_old(build: Build) -> None:
    fakes = [FakeProvider("ann", capabilities=ONE_BY_ONE)]
    harness = build(providers=fakes, fields={EMAIL: ["ann"]})
    harness.recover()
    ada = harness.person("Ada", email=MAIL)
    harness.pull()
    assert harness.sql("SELECT count(*) FROM contact") == [(0,)], "it lacks nothing"
    both = {**harness.sync.fields, PHONE: replace(harness.sync.fields[EMAIL], property="phone")}
    configure(harness, replace(harness.sync, fields=both))
    harness.ask()
    assert harness.state(ada, PHONE) == "sent"


def test_l5_another_property_is_another_place_to_write_to_and_what_was_bought_is_used(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.held(ada) == MAIL
    configure(harness, policy(harness, property="work_email"))
    move_on(harness)
    assert harness.held(ada, "work_email") == MAIL
    assert len(harness.fake.submitted) == 1


def test_l6_a_narrower_selection_buys_for_nobody_outside_of_it(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.pull()
    harness.plan()
    configure(harness, replace(harness.sync, match={"owner": "7"}))
    harness.crm.selected = {bo}
    harness.plan()
    assert harness.dispatch() == 0, "it has not been seen yet who is selected now"
    harness.ask()
    assert [call.requests[0].ref.id for call in harness.fake.submitted] == [bo]
    assert harness.job(ada) == ("done", "cancelled")
    harness.crm.selected = None
    harness.clock.time += DAY
    harness.ask()
    assert harness.state(ada) == "sent", "it is selected again"


# --- what was written is blank again --------------------------------------------------------------


@pytest.mark.parametrize("refill", [False, True])
def test_l8_what_a_program_cleared_is_looked_for_anew_only_by_option(build: Build, *, refill: bool) -> None:
    harness = two(build, ["ann", "bob"])
    configure(harness, policy(harness, refill=refill))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, EMAIL, OTHER, by="bob")
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.clock.time += 60
    harness.crm.edit(ada, "email", "", by=Author.MACHINE)
    harness.ask()
    harness.dispatch("bob")
    harness.answer_all("bob")
    harness.finish()
    assert harness.held(ada) == (OTHER if refill else ""), "never the same value again"
    assert harness.job(ada) == ("done", "written" if refill else "cleared")


def test_l8_nothing_that_was_cleared_comes_back_in_place_of_the_next_one(build: Build) -> None:
    """A bounce cleaner clears one value after the other: each was written once."""
    harness = two(build, ["ann", "bob"])
    configure(harness, policy(harness, refill=True))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, EMAIL, OTHER, by="bob")
    held = []
    for _ in range(4):
        harness.ask()
        harness.dispatch("bob")
        harness.answer_all()
        harness.answer_all("bob")
        harness.finish()
        held.append(harness.held(ada))
        harness.clock.time += 60
        harness.crm.edit(ada, "email", "", by=Author.MACHINE)
    assert held == [MAIL, OTHER, "", ""]


def test_l8_what_a_person_cleared_is_left_alone(build: Build) -> None:
    harness = two(build, ["ann", "bob"])
    configure(harness, policy(harness, refill=True))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.clock.time += 60
    harness.crm.edit(ada, "email", "")
    harness.ask()
    assert (harness.job(ada), len(harness.fakes["bob"].submitted)) == (("done", "suppressed"), 0)


@pytest.mark.parametrize("refill", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_l8_what_was_written_where_a_record_was_merged_is_ours_there(
    build: Build, *, lost: bool, known: bool, refill: bool
) -> None:
    """`lost`: the answer to a write was, and the merge brought the value along. `known`: the record that is left was
    pulled before it was cleared."""
    harness = two(build, ["ann", "bob"])
    configure(harness, policy(harness, refill=refill))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    if lost:
        harness.crm.lose_answers = 1
        harness.finish()
        assert (harness.state(ada), harness.held(ada)) == ("writing", MAIL)
    twin = harness.person()
    harness.finds(twin, EMAIL, OTHER, by="bob")
    if known:
        harness.ask()
    harness.crm.merge(ada, twin)
    if lost:
        harness.crm.edit(twin, "email", MAIL, by=Author.MACHINE)
    harness.finish()
    for _ in range(3):
        harness.clock.time += writes.LANDS
        harness.writeback()
    assert (harness.reason(ada), harness.held(twin)) == ("written", MAIL)
    harness.crm.edit(twin, "email", "", by=Author.MACHINE)
    harness.clock.time += DAY
    for _ in range(2):
        harness.ask()
        harness.answer_all("bob")
        harness.finish()
    assert harness.held(twin) == (OTHER if refill else ""), "never the same value again"
    assert harness.reason(twin) == ("written" if refill else "cleared")


# --- policies -------------------------------------------------------------------------------------


def test_l11_a_wider_policy_uses_what_was_bought(build: Build) -> None:
    harness = two(build, ["ann", "bob"])
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL, grade=Grade.CATCH_ALL)
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.dispatch("bob")
    harness.answer_all("bob")
    harness.verify()
    assert harness.job(ada) == ("done", "low_quality")
    configure(harness, policy(harness, accept=frozenset({Grade.VALID, Grade.CATCH_ALL})))
    move_on(harness)
    assert harness.held(ada) == MAIL
    assert sum(len(fake.submitted) for fake in harness.fakes.values()) == 2


def test_l12_a_provider_that_is_added_is_asked_about_those_whom_the_others_missed(build: Build) -> None:
    harness = two(build, ["ann"])
    ada = harness.person()
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.job(ada) == ("done", "not_found")
    configure(harness, policy(harness, providers=("ann", "bob")))
    harness.plan()
    assert (harness.dispatch("ann"), harness.dispatch("bob")) == (0, 1)


def test_l12_another_order_asks_nobody_twice(build: Build) -> None:
    harness = two(build, ["ann", "bob"])
    harness.person()
    harness.ask()
    harness.answer_all()
    harness.verify()
    configure(harness, policy(harness, providers=("bob", "ann")))
    harness.plan()
    harness.dispatch("bob")
    harness.answer_all("bob")
    harness.verify()
    assert (harness.dispatch("ann"), harness.dispatch("bob")) == (0, 0)
    assert [len(fake.submitted) for fake in harness.fakes.values()] == [1, 1]


def test_l13_a_profile_that_is_added_is_asked_with_at_once(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada = harness.person()
    record = harness.crm.records[ada]
    profile, record.identity = record.identity.linkedin_url, replace(record.identity, linkedin_url=None)
    harness.ask()
    harness.answer_all()
    harness.verify()
    assert harness.job(ada) == ("done", "not_found")
    harness.crm.rename(ada, replace(record.identity, linkedin_url=profile))
    harness.ask()
    assert harness.state(ada) == "sent"
    assert harness.fake.submitted[-1].requests[0].identity.linkedin_url == profile


def test_l14_finds_and_misses_have_ages_of_their_own(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"], PHONE: ["ann"]})
    configure(harness, replace(harness.sync, retry_not_found=1200.0, reuse_found=90 * DAY))
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    harness.clock.time += 3600
    twin = harness.person("Ada")
    harness.ask()
    harness.verify()
    asked = [(call.requests[0].ref.id, call.requests[0].fields[0]) for call in harness.fake.submitted]
    assert asked.count((ada, EMAIL)) + asked.count((twin, EMAIL)) == 1, "the find is fresh, and serves both records"
    assert sum(field is PHONE for _, field in asked) >= 2, "the miss is old"


# --- again, because a person wants it -------------------------------------------------------------


def again(harness: Harness, **wanted: Any) -> int:
    """What `syncd retry` does."""
    waiting = wanted.get("reason") == "waiting"
    asked = Wanted(**{key: value for key, value in wanted.items() if (key, value) != ("reason", "waiting")})
    jobs = harness.run(harness.ledger.read(retries.find, asked, waiting=waiting))
    harness.run(harness.ledger.write(retries.retry, jobs, now=harness.clock.now()))
    harness.plan()
    return len(jobs)


def test_retry_asks_again_about_whom_nobody_found_and_nobody_else(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada, bo = harness.person("Ada"), harness.person("Bo")
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.reason(ada), harness.reason(bo)) == ("not_found", "written")
    harness.clock.time += 60
    assert again(harness, reason="not_found") == 1
    harness.finds(ada, EMAIL, MAIL)
    assert harness.dispatch() == 1
    harness.call_back(harness.fake.submitted[-1])
    harness.finish()
    assert harness.held(ada) == MAIL
    assert harness.dispatch() == 0, "once, not for ever"


def test_retry_writes_what_the_crm_refused_and_buys_nothing(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    ada, holder = harness.person("Ada"), harness.person("Bo", email=MAIL)
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.reason(ada) == "duplicate_of"
    harness.crm.remove(holder)
    harness.clock.time += 60
    assert again(harness, text=str(harness.ref(ada))) == 1
    harness.finish()
    assert (harness.held(ada), len(harness.fake.submitted)) == (MAIL, 1)


def test_retry_leaves_alone_what_is_under_way(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.recover()
    harness.person()
    harness.ask()
    assert again(harness, sync="people") == 0
    assert harness.submissions() == ["accepted"]


def test_l2_answers_to_a_provider_that_has_another_name_now_are_taken(build: Build) -> None:
    harness = two(build, ["ann"])
    harness.run(harness.ledger.write(renames.follow, {"crm": "c", "ann": "a", "bob": "b"}))
    ada = harness.person()
    harness.finds(ada, EMAIL, MAIL)
    harness.ask()
    (call,) = harness.fake.submitted
    answer = harness.fake.delivery(call)
    rename_ann_to_eve(harness)
    assert harness.run(harness.ledger.read(renames.former_names)) == {"ann": "eve"}
    assert harness.dispatch("eve") == 0, "it is not asked again"
    harness.deliver(answer, "eve")
    harness.finish()
    assert (harness.held(ada), harness.sql("SELECT DISTINCT provider FROM spend")) == (MAIL, [("eve",)])


def rename_ann_to_eve(harness: Harness) -> None:
    """A restart with another name for the provider's connection."""
    renamed = harness.run(harness.ledger.write(renames.follow, {"crm": "c", "eve": "a", "bob": "b"}))
    assert renamed == {"ann": "eve"}
    harness.fakes["eve"] = harness.fakes.pop("ann")
    harness.settings = replace(
        harness.settings,
        connections={
            **{name: one for name, one in harness.settings.connections.items() if name != "ann"},
            "eve": replace(harness.settings.connections["ann"], name="eve"),
        },
    )
    configure(harness, policy(harness, providers=("eve",)))


def test_l2_a_question_stays_identical_when_the_provider_gets_another_name(build: Build) -> None:
    """Two records that only share a name at an employer are two people: the same words are told of both."""
    harness = two(build, ["ann"])
    harness.run(harness.ledger.write(renames.follow, {"crm": "c", "ann": "a", "bob": "b"}))
    known = Identity(first_name="Ada", last_name="Test", company="Acme", domain="acme.example.com")
    harness.crm.add(known)
    harness.ask()
    harness.answer_all()
    harness.verify()
    rename_ann_to_eve(harness)
    harness.crm.add(known)
    harness.pull()
    harness.plan()
    assert harness.dispatch("eve") == 0
    assert len(harness.fakes["eve"].submitted) == 1, "what was told under the former name is not told again"


@pytest.mark.sqlite
def test_l2_another_name_goes_into_every_table_and_to_nobody_else(build: Build) -> None:
    """All but the history, which tells what it was called then."""
    harness = two(build, ["ann", "bob"])
    harness.run(harness.ledger.write(renames.follow, {"crm": "c", "ann": "a", "bob": "b"}))
    harness.finds(harness.person(), EMAIL, MAIL, by="bob")
    for name in ("ann", "bob"):
        harness.ask()
        harness.answer_all(name)
        harness.finish()
    before = places_of(harness, "ann"), places_of(harness, "bob")
    assert {("delivery", "provider"), ("result", "provider"), ("spend", "provider")} <= before[0].keys()
    rename_ann_to_eve(harness)
    kept = {("former_name", "former"): 1, ("step", "provider"): before[0]["step", "provider"]}
    assert places_of(harness, "ann") == kept
    assert places_of(harness, "bob") == before[1]
    assert before[0].keys() - kept.keys() <= places_of(harness, "eve").keys()


def places_of(harness: Harness, name: str) -> dict[tuple[str, str], int]:
    """How many rows of which table and column hold exactly this text."""
    columns = harness.sql(
        "SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table' AND t.sql NOT LIKE '%VIRTUAL%' AND t.name NOT LIKE 'contact_words%'"
    )
    found = {(t, c): harness.sql(f'SELECT count(*) FROM "{t}" WHERE "{c}" = ?', name)[0][0] for t, c in columns}
    return {place: n for place, n in found.items() if n}


def test_l2_another_key_is_another_connection(build: Build) -> None:
    harness = two(build, ["ann"])
    harness.run(harness.ledger.write(renames.follow, {"ann": "a"}))
    assert harness.run(harness.ledger.write(renames.follow, {"eve": "e"})) == {}
