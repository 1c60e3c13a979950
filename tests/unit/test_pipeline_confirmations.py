"""Does the CRM take what is bought? A few are bought before a write is confirmed; what a rule refuses is tried again,
and shuts the sync's gate when it is everybody's."""

import asyncio
from dataclasses import replace

import pytest

from syncd.contract.errors import InDoubt, Retry
from syncd.contract.model import Identity
from syncd.ledger import candidates, confirmations
from syncd.ledger.claims import Kind
from syncd.ledger.confirmations import LATELY
from syncd.pipeline import dispatch
from syncd.pipeline.dispatch import LINGER
from syncd.pipeline.paid_calls import Calls
from syncd.pipeline.work import hold
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness

RULE = "FIELD_CUSTOM_VALIDATION_EXCEPTION: Region is closed."
SIX_HOURS = 6 * 3600.0


def careful(build: Build, people: int, *, batch: int = 1, limit: int = 3, fields: int = 1, **wishes: object) -> Harness:
    """A harness that buys for three contacts before a write is confirmed; everybody is found."""
    ann = FakeProvider("ann", capabilities=replace(CAPABILITIES if batch > 1 else ONE_BY_ONE, batch=batch))
    order = {EMAIL: ["ann"]} if fields == 1 else {EMAIL: ["ann"], PHONE: ["ann"]}
    harness: Harness = build(providers=[ann], fields=order, **wishes)
    harness.reopen(
        replace(harness.settings, syncs=tuple(replace(s, buy_before_write=limit) for s in harness.settings.syncs))
    )
    more(harness, people)
    return harness


def more(harness: Harness, people: int) -> list[str]:
    made = [harness.person(f"P{len(harness.crm.records)}") for _ in range(people)]
    for one in made:
        harness.finds(one, EMAIL, f"p{one}@acme.example.com")
        harness.finds(one, PHONE, f"+336399{int(one):05d}")
    harness.pull()
    harness.plan()
    return made


def bought(harness: Harness) -> int:
    return len({r.ref.id for s in harness.fake.submitted for r in s.requests})


def round_(harness: Harness) -> int:
    """Buy, answer, verify, write; returns how many values were written."""
    harness.clock.time += LINGER
    harness.dispatch()
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    harness.writeback()
    return written(harness)


def written(harness: Harness) -> int:
    return int(harness.sql("SELECT count(*) FROM job WHERE reason = 'written'")[0][0])


def gate(harness: Harness) -> str:
    return harness.parts.gate.why(harness.sync.name)


# --- few are bought first ---------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 10])
def test_l10_three_contacts_are_bought_for_before_a_first_write_is_confirmed(build: Build, batch: int) -> None:
    harness = careful(build, 40, batch=batch)
    harness.clock.time += LINGER
    harness.dispatch()
    harness.dispatch()
    assert bought(harness) == 3
    harness.answer_all()
    harness.verify()
    harness.dispatch()
    assert bought(harness) == 3, "found, and not written yet"
    harness.clock.time += LINGER
    harness.writeback()
    harness.dispatch()
    assert bought(harness) == 40


def test_a_handful_waits_for_no_company_neither_when_it_is_bought_nor_when_it_is_written(build: Build) -> None:
    """Nobody may join it, and all others wait for it."""
    harness = careful(build, 40, batch=100)
    harness.dispatch()
    assert bought(harness) == 3
    harness.answer_all()
    harness.verify()
    harness.parts.bells.bells |= {"dispatch:ann": (rung := asyncio.Event())}
    harness.writeback()
    assert (written(harness), rung.is_set()) == (3, True), "buying goes on at once"
    harness.dispatch()
    assert bought(harness) == 3, "the others wait for company again"
    rung.clear()
    assert (round_(harness), rung.is_set()) == (40, False), "there was nothing to wait for"


def test_a_handful_that_is_not_full_waits_for_company(build: Build) -> None:
    harness = careful(build, 2, batch=100)
    harness.dispatch()
    assert bought(harness) == 0
    harness.clock.time += LINGER
    harness.dispatch()
    assert bought(harness) == 2


def test_l10_both_fields_of_three_contacts_are_one_handful(build: Build) -> None:
    harness = careful(build, 10, fields=2)
    harness.dispatch()
    harness.dispatch()
    assert (bought(harness), len(harness.fake.submitted)) == (3, 6)


def test_l10_both_fields_of_a_handful_are_bought_whichever_call_is_first(build: Build) -> None:
    harness = careful(build, 10, fields=2)
    harness.parts.lanes["ann"].places = asyncio.Semaphore(1)  # each intent in a transaction of its own
    harness.dispatch()
    assert (bought(harness), len(harness.fake.submitted)) == (3, 6)


def test_l10_purchases_in_doubt_belong_to_the_handful(build: Build) -> None:
    harness = careful(build, 9)
    harness.fake.refusals.extend([InDoubt("the connection was cut")] * 3)
    for _ in range(9):
        harness.dispatch()
        harness.clock.time += 3600
    assert bought(harness) == 3
    assert [row[0] for row in harness.sql("SELECT state FROM job WHERE submission_id > ''")] == ["in_doubt"] * 3
    harness.clock.time += DAY
    harness.dispatch()
    assert bought(harness) > 3, "an answer that is a day late holds up nobody"


def test_l10_who_was_not_found_makes_room(build: Build) -> None:
    harness = careful(build, 9)
    harness.fake.finds.clear()
    for _ in range(3):
        round_(harness)
    assert bought(harness) == 9


def test_l10_another_mapping_is_tried_anew(build: Build) -> None:
    harness = careful(build, 5)
    round_(harness)
    more(harness, 9)
    policy = replace(harness.sync.fields[EMAIL], property="work_email")
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, fields={EMAIL: policy}),)))
    before = bought(harness)
    harness.dispatch()
    assert bought(harness) - before == 3


def test_l10_what_was_confirmed_survives_a_restart_and_does_not_last_for_ever(build: Build) -> None:
    harness = careful(build, 3)
    assert round_(harness) == 3
    harness.reopen()
    more(harness, 20)
    harness.dispatch()
    assert bought(harness) == 23
    round_(harness)
    harness.clock.time += LATELY + DAY
    more(harness, 20)
    harness.dispatch()
    assert bought(harness) == 26


def test_no_limit_where_the_operator_wants_none(build: Build) -> None:
    harness = careful(build, 20, limit=0)
    harness.dispatch()
    assert bought(harness) == 20


# --- every write is refused -------------------------------------------------------------------


def test_l10_a_run_of_refusals_shuts_the_gate_with_the_crms_words(build: Build) -> None:
    harness = careful(build, 30)
    harness.crm.rule = RULE
    round_(harness)
    assert RULE in gate(harness)
    for _ in range(20):
        round_(harness)
    assert bought(harness) == 3
    assert harness.sql("SELECT DISTINCT state FROM job WHERE value IS NOT NULL") == [("accepted",)]


def test_l10_where_nothing_is_left_to_try_it_with_one_more_is_bought(build: Build) -> None:
    harness = careful(build, 30)
    harness.crm.rule = RULE
    round_(harness)
    for (contact,) in harness.sql(
        "SELECT ext_id FROM contact JOIN job ON contact_id = contact.id WHERE value IS NOT NULL"
    ):
        harness.crm.edit(contact, "email", "typed@acme.example.com")
    for _ in range(5):
        harness.clock.time += DAY
        harness.pull()
        harness.plan()
        round_(harness)
    assert bought(harness) == 4, "and that one stays to be tried"
    harness.crm.rule = ""
    for _ in range(6):
        harness.clock.time += 3600
        harness.pull()
        harness.plan()
        round_(harness)
    assert bought(harness) == 30


def test_l10_a_sync_that_was_fine_stops_buying_too(build: Build) -> None:
    harness = careful(build, 5)
    round_(harness)
    round_(harness)
    harness.crm.rule = RULE
    more(harness, 50)
    harness.dispatch()
    sent = bought(harness)
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    harness.writeback()
    more(harness, 50)
    harness.dispatch()
    assert (RULE in gate(harness), bought(harness)) == (True, sent)


def test_l10_one_write_at_a_time_finds_out_when_it_is_over(build: Build) -> None:
    harness = careful(build, 3)
    harness.crm.rule = RULE
    round_(harness)
    tries = []
    for _ in range(60):
        harness.clock.time += 60
        before = harness.crm.calls.count("write")
        harness.writeback()
        tries.append(harness.crm.calls.count("write") - before)
    assert max(tries) == 1
    assert 2 <= sum(tries) <= 8
    assert {n for (n,) in harness.sql("SELECT count(*) FROM write GROUP BY job_id")} <= {1, 2, 3, 4}


@pytest.mark.parametrize("hours", [0.5, 7, 30])
def test_l9_all_that_was_refused_is_written_soon_after_the_rule_is_lifted(build: Build, hours: float) -> None:
    harness = careful(build, 13, limit=0)
    harness.crm.rule = RULE
    assert round_(harness) == 0
    for _ in range(round(hours * 60)):
        harness.clock.time += 60
        harness.writeback()
    harness.crm.rule = ""
    for _ in range(32):
        harness.clock.time += 60
        harness.writeback()
    assert (written(harness), gate(harness)) == (13, "")
    assert len(harness.fake.submitted) == 13, "nothing is bought for it"


def test_l10_the_gate_is_shut_after_a_restart_too(build: Build) -> None:
    harness = careful(build, 13, limit=0)
    harness.crm.rule = RULE
    round_(harness)
    harness.reopen()
    more(harness, 5)
    harness.dispatch()
    assert len(harness.fake.submitted) == 13
    harness.writeback()
    assert RULE in gate(harness)


def test_l9_a_single_refused_value_is_tried_again_and_stops_nobody_for_long(build: Build) -> None:
    harness = careful(build, 1)
    harness.crm.rule = RULE
    round_(harness)
    assert gate(harness) == ""
    tries = []
    for _ in range(40):
        harness.clock.time += 1800
        before = harness.crm.calls.count("write")
        harness.writeback()
        tries.append(harness.crm.calls.count("write") - before)
    assert tries[0] == 1
    assert 0 < sum(tries[-13:]) <= 2, "at least every six hours"
    harness.crm.rule = ""
    harness.clock.time += SIX_HOURS
    harness.writeback()
    assert written(harness) == 1


def test_l9_what_is_refused_for_two_months_is_given_up(build: Build) -> None:
    harness = careful(build, 1)
    harness.crm.rule = RULE
    round_(harness)
    for _ in range(61 * 4):
        harness.clock.time += SIX_HOURS
        harness.writeback()
    assert (harness.job("501"), harness.note("501")) == (("done", "write_refused"), RULE)


def test_a_value_that_is_malformed_is_no_rule(build: Build) -> None:
    harness = careful(build, 5, limit=0)
    harness.crm.refused = {f"p{501 + n}@acme.example.com" for n in range(4)}
    assert round_(harness) == 1
    assert gate(harness) == ""
    assert harness.job("501") == ("done", "write_refused")


def test_an_outage_of_the_crm_is_no_refusal(build: Build) -> None:
    harness = careful(build, 5, limit=0)
    harness.crm.fail("write", *[Retry("maintenance")] * 5)
    for _ in range(8):
        round_(harness)
    assert (written(harness), gate(harness)) == (5, "")


def test_another_sync_goes_on(build: Build) -> None:
    harness = careful(build, 3, second=FakeCrm("crm2", first=9001))
    harness.crm.rule = RULE
    other = harness.crms["crm2"].add(
        replace(
            harness.crm.records["501"].identity,
            first_name="Zoe",
            last_name="Zoe",
            linkedin_url="https://linkedin.com/in/zoe",
        )
    )
    harness.finds(other, EMAIL, "zoe@acme.example.com")
    harness.pull()
    harness.plan()
    for _ in range(3):
        round_(harness)
    assert RULE in gate(harness)
    assert harness.held(other) == "zoe@acme.example.com"


# --- batches ----------------------------------------------------------------------------------


def trickle(build: Build, people: int, *, within: float = 300.0) -> Harness:
    harness = careful(build, 1, limit=0)
    round_(harness)
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, write_within=within),)))
    more(harness, people)
    harness.dispatch()
    return harness


def test_writes_wait_for_full_batches_while_answers_come(build: Build) -> None:
    """One answer every two seconds."""
    harness = trickle(build, 250)
    before = {name: harness.crm.calls.count(name) for name in ("read", "write")}
    for submission in list(harness.fake.accepted.values())[1:]:
        harness.clock.time += 2
        harness.call_back(submission)
        harness.verify()
        harness.writeback()
    harness.clock.time += LINGER
    harness.writeback()
    assert written(harness) == 251
    assert harness.crm.calls.count("write") - before["write"] == 3
    assert harness.crm.calls.count("read") - before["read"] <= 12


def test_nothing_waits_for_longer_than_the_operator_said(build: Build) -> None:
    harness = trickle(build, 3, within=60.0)
    first = list(harness.fake.accepted.values())[1]
    harness.call_back(first)
    harness.verify()
    harness.clock.time += 59
    harness.writeback()
    assert written(harness) == 1
    harness.clock.time += 1
    harness.writeback()
    assert written(harness) == 2


def test_what_is_last_does_not_wait(build: Build) -> None:
    harness = trickle(build, 2)
    harness.answer_all()
    harness.verify()
    harness.clock.time += LINGER
    harness.writeback()
    assert written(harness) == 3


def test_what_another_sync_waits_for_holds_up_no_write(build: Build) -> None:
    harness = build(second=FakeCrm("crm2", first=9001), fields={EMAIL: ["ann"]})
    harness.crms["crm2"].add(Identity(first_name="Bo", last_name="Test", domain="bo.example.com"))
    harness.ask()
    first, second = (sync.name for sync in harness.settings.syncs)
    waits = [harness.run(harness.ledger.read(confirmations.is_under_way, name)) for name in (first, second)]
    assert waits == [False, True]


def test_the_intent_looks_once_more_for_how_many_may_be_bought(build: Build) -> None:
    """Since they were chosen, another provider's calls may have gone out."""
    harness = careful(build, 5)
    harness.clock.time += LINGER
    parts = harness.parts

    async def send_all_that_was_chosen() -> None:
        ids = await parts.ledger.read(candidates.waiting, "people", "ann", 10)
        async with hold(parts, Kind.JOB, ids) as held:
            calls = Calls(parts, parts.lanes["ann"], harness.settings.connections["ann"], harness.sync, held)
            _, choice = await dispatch._Run(calls).choose(harness.clock.time)
            for item in choice.ask:
                await calls.carry([item])

    harness.run(send_all_that_was_chosen())
    assert bought(harness) == 3
    assert harness.sql("SELECT count(*) FROM job WHERE state = 'queued'") == [(2,)]
