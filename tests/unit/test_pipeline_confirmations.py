"""Does the CRM take what is bought? A few are bought before a write is confirmed; what a rule refuses is tried again,
and shuts the sync's gate when it is everybody's."""

from dataclasses import replace

import pytest

from syncd.contract.errors import Retry
from syncd.ledger import candidates
from syncd.ledger.claims import Kind
from syncd.ledger.confirmations import LATELY
from syncd.pipeline import dispatch
from syncd.pipeline.dispatch import LINGER
from syncd.pipeline.paid_calls import Calls
from syncd.pipeline.work import hold
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, House

RULE = "FIELD_CUSTOM_VALIDATION_EXCEPTION: Region is closed."
SIX_HOURS = 6 * 3600.0


def careful(build: Build, people: int, *, batch: int = 1, limit: int = 3, fields: int = 1, **wishes: object) -> House:
    """A house that buys for three contacts before a write is confirmed; everybody is found."""
    ann = FakeProvider("ann", capabilities=replace(CAPABILITIES if batch > 1 else ONE_BY_ONE, batch=batch))
    order = {EMAIL: ["ann"]} if fields == 1 else {EMAIL: ["ann"], PHONE: ["ann"]}
    house: House = build(providers=[ann], fields=order, **wishes)
    house.reopen(replace(house.settings, syncs=tuple(replace(s, buy_before_write=limit) for s in house.settings.syncs)))
    more(house, people)
    return house


def more(house: House, people: int) -> list[str]:
    made = [house.person(f"P{len(house.crm.records)}") for _ in range(people)]
    for one in made:
        house.finds(one, EMAIL, f"p{one}@acme.example.com")
        house.finds(one, PHONE, f"+336399{int(one):05d}")
    house.pull()
    house.plan()
    return made


def bought(house: House) -> int:
    return len({r.ref.id for s in house.fake.submitted for r in s.requests})


def round_(house: House) -> int:
    """Buy, answer, verify, write; returns how many values were written."""
    house.clock.time += LINGER
    house.dispatch()
    house.answer_all()
    house.verify()
    house.clock.time += LINGER
    house.writeback()
    return written(house)


def written(house: House) -> int:
    return int(house.sql("SELECT count(*) FROM job WHERE reason = 'written'")[0][0])


def gate(house: House) -> str:
    return house.parts.gate.why(house.sync.name)


# --- few are bought first ---------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 10])
def test_l10_three_contacts_are_bought_for_before_a_first_write_is_confirmed(build: Build, batch: int) -> None:
    house = careful(build, 40, batch=batch)
    house.clock.time += LINGER
    house.dispatch()
    house.dispatch()
    assert bought(house) == 3
    house.answer_all()
    house.verify()
    house.dispatch()
    assert bought(house) == 3, "found, and not written yet"
    house.clock.time += LINGER
    house.writeback()
    house.dispatch()
    assert bought(house) == 40


def test_l10_both_fields_of_three_contacts_are_one_handful(build: Build) -> None:
    house = careful(build, 10, fields=2)
    house.dispatch()
    house.dispatch()
    assert (bought(house), len(house.fake.submitted)) == (3, 6)


def test_l10_who_was_not_found_makes_room(build: Build) -> None:
    house = careful(build, 9)
    house.fake.finds.clear()
    for _ in range(3):
        round_(house)
    assert bought(house) == 9


def test_l10_another_mapping_is_tried_anew(build: Build) -> None:
    house = careful(build, 5)
    round_(house)
    more(house, 9)
    policy = replace(house.sync.fields[EMAIL], property="work_email")
    house.reopen(replace(house.settings, syncs=(replace(house.sync, fields={EMAIL: policy}),)))
    before = bought(house)
    house.dispatch()
    assert bought(house) - before == 3


def test_l10_what_was_confirmed_survives_a_restart_and_does_not_last_for_ever(build: Build) -> None:
    house = careful(build, 3)
    assert round_(house) == 3
    house.reopen()
    more(house, 20)
    house.dispatch()
    assert bought(house) == 23
    round_(house)
    house.clock.time += LATELY + DAY
    more(house, 20)
    house.dispatch()
    assert bought(house) == 26


def test_no_limit_where_the_operator_wants_none(build: Build) -> None:
    house = careful(build, 20, limit=0)
    house.dispatch()
    assert bought(house) == 20


# --- every write is refused -------------------------------------------------------------------


def test_l10_a_run_of_refusals_shuts_the_gate_with_the_crms_words(build: Build) -> None:
    house = careful(build, 30)
    house.crm.rule = RULE
    round_(house)
    assert RULE in gate(house)
    for _ in range(20):
        round_(house)
    assert bought(house) == 3
    assert house.sql("SELECT DISTINCT state FROM job WHERE value IS NOT NULL") == [("accepted",)]


def test_l10_where_nothing_is_left_to_try_it_with_one_more_is_bought(build: Build) -> None:
    house = careful(build, 30)
    house.crm.rule = RULE
    round_(house)
    for (contact,) in house.sql(
        "SELECT ext_id FROM contact JOIN job ON contact_id = contact.id WHERE value IS NOT NULL"
    ):
        house.crm.edit(contact, "email", "typed@acme.example.com")
    for _ in range(5):
        house.clock.time += DAY
        house.pull()
        house.plan()
        round_(house)
    assert bought(house) == 4, "and that one stays to be tried"
    house.crm.rule = ""
    for _ in range(6):
        house.clock.time += 3600
        house.pull()
        house.plan()
        round_(house)
    assert bought(house) == 30


def test_l10_a_sync_that_was_fine_stops_buying_too(build: Build) -> None:
    house = careful(build, 5)
    round_(house)
    round_(house)
    house.crm.rule = RULE
    more(house, 50)
    house.dispatch()
    sent = bought(house)
    house.answer_all()
    house.verify()
    house.clock.time += LINGER
    house.writeback()
    more(house, 50)
    house.dispatch()
    assert (RULE in gate(house), bought(house)) == (True, sent)


def test_l10_one_write_at_a_time_finds_out_when_it_is_over(build: Build) -> None:
    house = careful(build, 3)
    house.crm.rule = RULE
    round_(house)
    tries = []
    for _ in range(60):
        house.clock.time += 60
        before = house.crm.calls.count("write")
        house.writeback()
        tries.append(house.crm.calls.count("write") - before)
    assert max(tries) == 1
    assert 2 <= sum(tries) <= 8
    assert {n for (n,) in house.sql("SELECT count(*) FROM write GROUP BY job_id")} <= {1, 2, 3, 4}


@pytest.mark.parametrize("hours", [0.5, 7, 30])
def test_l9_all_that_was_refused_is_written_soon_after_the_rule_is_lifted(build: Build, hours: float) -> None:
    house = careful(build, 13, limit=0)
    house.crm.rule = RULE
    assert round_(house) == 0
    for _ in range(round(hours * 60)):
        house.clock.time += 60
        house.writeback()
    house.crm.rule = ""
    for _ in range(32):
        house.clock.time += 60
        house.writeback()
    assert (written(house), gate(house)) == (13, "")
    assert len(house.fake.submitted) == 13, "nothing is bought for it"


def test_l10_the_gate_is_shut_after_a_restart_too(build: Build) -> None:
    house = careful(build, 13, limit=0)
    house.crm.rule = RULE
    round_(house)
    house.reopen()
    more(house, 5)
    house.dispatch()
    assert len(house.fake.submitted) == 13
    house.writeback()
    assert RULE in gate(house)


def test_l9_a_single_refused_value_is_tried_again_and_stops_nobody_for_long(build: Build) -> None:
    house = careful(build, 1)
    house.crm.rule = RULE
    round_(house)
    assert gate(house) == ""
    tries = []
    for _ in range(40):
        house.clock.time += 1800
        before = house.crm.calls.count("write")
        house.writeback()
        tries.append(house.crm.calls.count("write") - before)
    assert tries[0] == 1
    assert 0 < sum(tries[-13:]) <= 2, "at least every six hours"
    house.crm.rule = ""
    house.clock.time += SIX_HOURS
    house.writeback()
    assert written(house) == 1


def test_l9_what_is_refused_for_two_months_is_given_up(build: Build) -> None:
    house = careful(build, 1)
    house.crm.rule = RULE
    round_(house)
    for _ in range(61 * 4):
        house.clock.time += SIX_HOURS
        house.writeback()
    assert (house.job("501"), house.note("501")) == (("done", "write_refused"), RULE)


def test_a_value_that_is_malformed_is_no_rule(build: Build) -> None:
    house = careful(build, 5, limit=0)
    house.crm.refused = {f"p{501 + n}@acme.example.com" for n in range(4)}
    assert round_(house) == 1
    assert gate(house) == ""
    assert house.job("501") == ("done", "write_refused")


def test_an_outage_of_the_crm_is_no_refusal(build: Build) -> None:
    house = careful(build, 5, limit=0)
    house.crm.fail("write", *[Retry("maintenance")] * 5)
    for _ in range(8):
        round_(house)
    assert (written(house), gate(house)) == (5, "")


def test_another_sync_goes_on(build: Build) -> None:
    house = careful(build, 3, second=FakeCrm("crm2", first=9001))
    house.crm.rule = RULE
    other = house.crms["crm2"].add(
        replace(
            house.crm.records["501"].identity,
            first_name="Zoe",
            last_name="Zoe",
            linkedin_url="https://linkedin.com/in/zoe",
        )
    )
    house.finds(other, EMAIL, "zoe@acme.example.com")
    house.pull()
    house.plan()
    for _ in range(3):
        round_(house)
    assert RULE in gate(house)
    assert house.held(other) == "zoe@acme.example.com"


# --- batches ----------------------------------------------------------------------------------


def trickle(build: Build, people: int, *, within: float = 300.0) -> House:
    house = careful(build, 1, limit=0)
    round_(house)
    house.reopen(replace(house.settings, syncs=(replace(house.sync, write_within=within),)))
    more(house, people)
    house.dispatch()
    return house


def test_writes_wait_for_full_batches_while_answers_come(build: Build) -> None:
    """One answer every two seconds."""
    house = trickle(build, 250)
    before = {name: house.crm.calls.count(name) for name in ("read", "write")}
    for submission in list(house.fake.accepted.values())[1:]:
        house.clock.time += 2
        house.call_back(submission)
        house.verify()
        house.writeback()
    house.clock.time += LINGER
    house.writeback()
    assert written(house) == 251
    assert house.crm.calls.count("write") - before["write"] == 3
    assert house.crm.calls.count("read") - before["read"] <= 12


def test_nothing_waits_for_longer_than_the_operator_said(build: Build) -> None:
    house = trickle(build, 3, within=60.0)
    first = list(house.fake.accepted.values())[1]
    house.call_back(first)
    house.verify()
    house.clock.time += 59
    house.writeback()
    assert written(house) == 1
    house.clock.time += 1
    house.writeback()
    assert written(house) == 2


def test_what_is_last_does_not_wait(build: Build) -> None:
    house = trickle(build, 2)
    house.answer_all()
    house.verify()
    house.clock.time += LINGER
    house.writeback()
    assert written(house) == 3


def test_the_intent_looks_once_more_for_how_many_may_be_bought(build: Build) -> None:
    """Since they were chosen, another provider's calls may have gone out."""
    house = careful(build, 5)
    house.clock.time += LINGER
    parts = house.parts

    async def send_all_that_was_chosen() -> None:
        ids = await parts.ledger.read(candidates.waiting, "people", "ann", 10)
        async with hold(parts, Kind.JOB, ids) as held:
            calls = Calls(parts, parts.lanes["ann"], house.settings.connections["ann"], house.sync, held)
            _, choice = await dispatch._Run(calls).choose(house.clock.time)
            for item in choice.ask:
                await calls.carry([item])

    house.run(send_all_that_was_chosen())
    assert bought(house) == 3
    assert house.sql("SELECT count(*) FROM job WHERE state = 'queued'") == [(2,)]
