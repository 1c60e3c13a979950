"""What several processes agree on stands in rows: limits, what shuts the gate, the canary, and what is unique."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from syncd.contract.errors import InDoubt, RateLimited, Retry, Trouble
from syncd.contract.pacing import Window
from syncd.ledger import breakers, claims, confirmations, connections, gates, rates, symptoms, upkeep
from syncd.ledger import inbox as received
from syncd.ledger.claims import Kind, Lost, Owner
from syncd.ledger.rates import TooSoon
from syncd.ledger.store import Tx
from syncd.pipeline import dispatch, inbox, work
from syncd.pipeline.canary import Canary
from syncd.pipeline.dispatch import LOOK_AGAIN
from syncd.pipeline.gate import REFUSALS, WRITE_RIGHT, Gate
from syncd.pipeline.parts import Parts
from syncd.web import public
from tests.contract.fake_provider import FakeProvider
from tests.simulation.planted import statement

from .audit import sqlite3
from .callers import served
from .conftest import Build
from .crossing import another
from .harness import EMAIL, ONE_BY_ONE, Harness
from .test_pipeline_probe import point

NOW = 1_700_000_000.0


# --- limits --------------------------------------------------------------------------------------------


def take(harness: Harness, windows: list[Window], now: float) -> bool:
    try:
        harness.run(harness.ledger.write(rates.take, "ann", windows, now=now))
    except TooSoon:
        return False
    return True


def most_in_any_span(calls: list[float], seconds: float) -> int:
    return max(sum(start <= call < start + seconds for call in calls) for start in calls)


@pytest.mark.parametrize("window", [Window(60.0, 20), Window(3600.0, 100), Window(1.0, 7), Window(0.5, 1)])
def test_no_span_ever_holds_more_than_the_limit_and_hardly_less(harness: Harness, window: Window) -> None:
    chance, calls, now = random.Random(window.limit), list[float](), NOW
    end = now + 5 * window.seconds
    while now < end:
        now += window.seconds / window.limit * chance.uniform(0, 0.2)
        if take(harness, [window], now):
            calls.append(now)
    assert most_in_any_span(calls, window.seconds) <= window.limit
    assert len(calls) >= 0.95 * window.limit * 5


def test_who_waits_as_long_as_it_is_told_gets_a_place(harness: Harness) -> None:
    window, chance, now = Window(60.0, 5), random.Random(1), NOW
    for _ in range(60):
        now += chance.uniform(0, 3)
        try:
            harness.run(harness.ledger.write(rates.take, "ann", [window], now=now))
        except TooSoon as soon:
            now += soon.wait + 0.001
            assert take(harness, [window], now)


def test_a_clock_minute_is_counted_by_the_clock(harness: Harness) -> None:
    minute = Window(60.0, 3, fixed=True)
    start = NOW - NOW % 60
    assert [take(harness, [minute], start + 58 + n / 10) for n in range(4)] == [True, True, True, False]
    assert [take(harness, [minute], start + 60 + n / 10) for n in range(4)] == [True, True, True, False]


def test_all_windows_have_to_hold_the_call_or_none_counts_it(harness: Harness) -> None:
    short, long = Window(1.0, 2), Window(60.0, 3)
    assert [take(harness, [short, long], NOW) for _ in range(3)] == [True, True, False]
    assert [take(harness, [short, long], NOW + 5) for _ in range(2)] == [True, False]
    assert sum(row[0] for row in harness.sql("SELECT used FROM rate WHERE width = ?", 60.0 / rates.SLOTS)) == 3


def test_limits_that_a_vendor_tells_count_the_calls_before(harness: Harness) -> None:
    harness.person()
    assert harness.ask() == 2
    learnt = [Window(7200.0, 2)]
    harness.run(harness.ledger.write(rates.know, "ann", learnt, now=harness.clock.now()))
    assert not take(harness, learnt, harness.clock.now())
    assert take(harness, learnt, harness.clock.now() + 7201)


def test_a_clock_that_was_set_back_stops_nobody_for_longer_than_the_window(harness: Harness) -> None:
    window = Window(60.0, 2)
    assert [take(harness, [window], NOW) for _ in range(2)] == [True, True]
    assert not take(harness, [window], NOW - 86_400)
    harness.run(harness.ledger.write(rates.forget, now=NOW - 86_400))
    assert take(harness, [window], NOW - 86_400 + 61)


def test_slots_that_no_window_reaches_back_to_are_let_go_of(harness: Harness) -> None:
    for seconds in (1.0, 60.0, 3600.0):
        assert take(harness, [Window(seconds, 5)], NOW)
    harness.run(harness.ledger.write(rates.forget, now=NOW + 100))
    assert harness.sql("SELECT width FROM rate") == [(3600.0 / rates.SLOTS,)]


def people(build: Build, many: int, *windows: Window) -> Harness:
    capabilities = replace(ONE_BY_ONE, windows=windows)
    harness = build(providers=[FakeProvider("ann", capabilities=capabilities)], fields={EMAIL: ["ann"]})
    for number in range(many):
        harness.person(f"P{number}")
    harness.pull()
    harness.plan()
    return harness


def test_two_processes_share_the_limits_of_a_provider(build: Build) -> None:
    harness = people(build, 40, Window(60.0, 10))
    other = another(harness)
    begun, calls = harness.clock.time, list[float]()
    while harness.clock.time < begun + 180:
        for parts in (harness.parts, other):
            before = len(harness.fake.submitted)
            harness.run(dispatch.run_once(parts, "ann"))
            calls += [harness.clock.time] * (len(harness.fake.submitted) - before)
        harness.clock.time += 1
    assert most_in_any_span(calls, 60.0) <= 10
    assert len(calls) >= 0.95 * 30


def test_polls_that_count_are_counted_with_the_calls(build: Build) -> None:
    capabilities = replace(ONE_BY_ONE, windows=(Window(60.0, 3),), polls_count=True)
    harness = build(providers=[FakeProvider("ann", capabilities=capabilities)], fields={EMAIL: ["ann"]})
    harness.person()
    harness.ask()
    harness.clock.time += 400
    harness.sweep()
    assert sum(row[0] for row in harness.sql("SELECT used FROM rate WHERE last > ?", harness.clock.time - 60)) == 1


def test_what_one_process_is_told_to_wait_another_one_waits(build: Build) -> None:
    harness = people(build, 3)
    other = another(harness)
    harness.fake.refusals.append(RateLimited("slow down", after=600.0))
    harness.dispatch()
    calls = len(harness.fake.submitted)
    assert harness.run(dispatch.run_once(other, "ann")) == 0
    assert len(harness.fake.submitted) == calls
    harness.clock.time += 601
    assert harness.run(dispatch.run_once(other, "ann")) == 1


def test_refusals_in_a_row_are_counted_over_a_restart(build: Build) -> None:
    harness = people(build, 1)
    waits = []
    for _ in range(3):
        harness.fake.refusals.append(Retry("no answer"))
        harness.dispatch()
        waits.append(harness.sql("SELECT refusals FROM connection WHERE name = 'ann'")[0][0])
        harness.clock.time += 60
        harness.reopen()
    assert waits == [1, 2, 3]


def test_a_window_that_is_full_by_now_stops_the_intent_itself(build: Build) -> None:
    """The pacer of this process does not know of it."""
    harness = people(build, 1, Window(60.0, 1))
    harness.run(harness.ledger.write(rates.take, "ann", [Window(60.0, 1)], now=harness.clock.now()))
    assert (harness.dispatch(), harness.submissions()) == (0, [])
    harness.clock.time += 61
    assert harness.dispatch() == 1


def test_limits_that_a_vendor_told_one_process_are_those_of_another(build: Build) -> None:
    harness = people(build, 3)
    other, told = another(harness), [Window(60.0, 1)]
    harness.run(harness.ledger.write(connections.learn_windows, "ann", told, now=harness.clock.now()))
    assert harness.run(dispatch.run_once(other, "ann")) == 1
    assert other.lanes["ann"].pacer.windows == tuple(told)


def test_turns_of_several_processes_add_up(harness: Harness) -> None:
    for more in ({"mine": 3.0, "yours": 0.0}, {"mine": 2.0, "yours": 5.0}):
        harness.run(harness.ledger.write(breakers.add_turns, "ann", 10.0, more))
    assert harness.run(harness.ledger.read(breakers.turns, "ann")) == {"mine": 15.0, "yours": 15.0}


def test_one_process_tries_a_provider_and_no_other_one_calls_meanwhile(build: Build) -> None:
    """Even one that took the provider for well when its pass began."""
    harness = people(build, 3)
    other = another(harness)
    harness.fake.refusals.append(InDoubt("no answer"))
    harness.dispatch()
    harness.clock.time += 120
    harness.probe()
    assert harness.sql("SELECT trial FROM breaker") == [(1,)]

    def may_call(parts: Parts) -> bool:
        owner, now = parts.at_work.owner, harness.clock.now()
        look = partial(gates.require_open, sync="people", provider="ann", crm="crm", now=now)
        try:
            harness.run(harness.ledger.write(look, owner))
        except gates.Shut:
            return False
        return True

    take = harness.ledger.write(
        claims.take, Kind.CONNECTION, ["ann"], owner=harness.parts.at_work.owner, now=harness.clock.now()
    )
    harness.run(take)
    assert (may_call(harness.parts), may_call(other)) == (True, False)


def test_a_single_write_finds_out_whether_a_crm_takes_them_whoever_makes_it(harness: Harness) -> None:
    harness.run(harness.ledger.write(confirmations.refuse, "people", "no", first=True, now=NOW))
    seen = harness.run(harness.ledger.read(confirmations.load, "people")).probe_at
    tries = [harness.run(harness.ledger.write(confirmations.postpone_probe, "people", seen, now=NOW)) for _ in "ab"]
    assert tries == [True, False]


def test_an_unsigned_answer_that_another_process_came_before_is_read_anew(build: Build) -> None:
    """Both were looked at while the call had not had its last word."""
    harness = people(build, 1)
    harness.dispatch()
    (submission,) = harness.fake.accepted.values()
    for body in (None, b"{}"):
        harness.deliver(harness.fake.delivery(submission, body=body))
    first, second = harness.run(harness.ledger.read(received.received, [1, 2]))
    answer = harness.fake.parse(first.delivery, submission)
    apply = [
        harness.ledger.write(
            received.apply_many,
            [received.Reading(got=got, answer=answer, poll_at=None, deadline=NOW, unsigned=True)],
            now=harness.clock.now(),
        )
        for got in (first, second)
    ]
    harness.run(apply[0])
    with pytest.raises(Lost):
        harness.run(apply[1])
    assert harness.sql("SELECT state FROM delivery ORDER BY id") == [("applied",), ("received",)]


def test_what_each_process_sees_of_itself_goes_with_it(harness: Harness) -> None:
    one, other = Owner(1), Owner(2)
    row = {"kind": "late", "who": "plan", "why": "w", "cure": "", "since": NOW}
    for owner in (one, other):
        harness.run(harness.ledger.write(claims.renew, owner, now=NOW))
        harness.run(harness.ledger.write(symptoms.keep, owner, [row]))
    assert harness.run(harness.ledger.read(symptoms.of_others, one)) == [row]
    harness.run(harness.ledger.write(claims.end, other))
    harness.run(harness.ledger.write(symptoms.forget_the_ended))
    assert harness.run(harness.ledger.read(symptoms.of_others, one)) == []


def test_a_step_of_the_clock_is_followed_once_however_many_saw_it(harness: Harness) -> None:
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.STEPPED, NOW))
    leapt = [harness.run(harness.ledger.write(upkeep.go_on_after_step, 60.0, NOW, now=NOW + 60)) for _ in "ab"]
    assert leapt == [60.0, 60.0]


# --- what shuts the gate ----------------------------------------------------------------------------------


def shut_by(harness: Harness, other: Parts, watch: str, sync: str, why: str) -> None:
    other.gate.set(watch, why, sync=sync)
    harness.run(other.publish())


@pytest.mark.parametrize("watch", [WRITE_RIGHT, REFUSALS, "backlog"])
def test_what_concerns_everybody_stops_every_process_in_its_intent(build: Build, watch: str) -> None:
    harness = people(build, 1)
    other = another(harness)
    shut_by(harness, other, watch, "people", "no")
    assert harness.parts.gate.why("people") == "", "this process knows nothing of it"
    assert (harness.dispatch(), harness.submissions()) == (0, [])
    shut_by(harness, other, watch, "people", "")
    harness.clock.time += LOOK_AGAIN
    assert harness.dispatch() == 1


@pytest.mark.parametrize("watch", ["disk", "clock", "callbacks", "integrity"])
def test_what_concerns_one_host_stops_that_one_alone(build: Build, watch: str) -> None:
    harness = people(build, 1)
    other = another(harness)
    shut_by(harness, other, watch, "", "no")
    assert harness.run(dispatch.run_once(other, "ann")) == 0
    assert harness.dispatch() == 1


def test_a_process_that_has_not_looked_yet_stops_nobody_else(build: Build) -> None:
    harness = people(build, 1)
    other = replace(another(harness), gate=Gate())
    harness.run(other.publish())
    assert harness.run(dispatch.run_once(other, "ann")) == 0
    assert harness.dispatch() == 1


def test_an_older_look_does_not_open_what_another_process_has_shut_since(build: Build) -> None:
    harness = people(build, 1)
    other = another(harness)
    harness.parts.gate.set(WRITE_RIGHT, "", sync="people")
    harness.parts.gate.looked[WRITE_RIGHT, "people"] = harness.clock.now()
    harness.clock.time += 60
    shut_by(harness, other, WRITE_RIGHT, "people", "no")
    harness.clock.time += 60
    harness.run(harness.parts.publish())
    assert harness.dispatch() == 0


def test_what_a_process_saw_of_its_host_ends_with_it(build: Build) -> None:
    harness = people(build, 1)
    other = another(harness)
    harness.run(work.run_once(other))
    shut_by(harness, other, "disk", "", "no room")
    assert harness.sql("SELECT watch FROM gate") == [("disk",)]
    harness.clock.time += 600
    harness.run(work.run_once(harness.parts))
    assert harness.sql("SELECT watch FROM gate") == []


def test_a_connection_that_another_process_has_halted_is_not_called(build: Build) -> None:
    harness = people(build, 1)

    async def go() -> None:
        run = dispatch.run_once(harness.parts, "ann")
        await harness.ledger.write(
            connections.halt, "crm", Trouble.CREDENTIALS, "the key is wrong", "give another", now=NOW
        )
        await run

    harness.run(go())
    with pytest.raises(gates.Shut, match="crm is halted"):
        harness.run(
            harness.ledger.write(
                gates.require_open, harness.parts.at_work.owner, sync="people", provider="ann", crm="crm", now=NOW
            )
        )


# --- the canary --------------------------------------------------------------------------------------------


def test_a_canary_may_arrive_at_another_process(harness: Harness) -> None:
    """The receiver is another one than the one that sent it."""
    other = another(harness)

    async def go() -> int:
        async with served(public.application(other, Canary())) as line:
            point(harness, f"http://127.0.0.1:{line.port}")
            return await Canary().run_once(harness.parts)

    assert harness.run(go()) == 1
    assert harness.sql("SELECT * FROM canary") == []


# --- unique in the schema -----------------------------------------------------------------------------------


@pytest.fixture
def table(harness: Harness) -> Iterator[sqlite3.Connection]:
    """Two records of one person, with a job each, as plain SQL sees them."""
    for number in (1, 2):
        harness.run(harness.ledger.write(_rows, number))
    connection = sqlite3.connect(harness.path)
    yield connection
    connection.execute("DELETE FROM write")
    connection.execute("DELETE FROM result")
    connection.execute("DELETE FROM job")
    connection.commit()
    connection.close()


def _rows(tx: Tx, number: int) -> None:
    tx._connection.execute(
        "INSERT INTO contact (id, connection, object, ext_id, sync, revision, identity, person, lacks, blocked, "
        "planned, pulled_at) VALUES (?, 'crm', 'contacts', ?, 'people', 0, '{}', 'one', '[]', '{}', 1, 1)",
        (number, str(number)),
    )
    tx._connection.execute(
        "INSERT INTO job (id, contact_id, sync, field, person, state, updated_at) "
        "VALUES (?, ?, 'people', 'email', 'one', 'queued', 1)",
        (number, number),
    )


@pytest.mark.sqlite
def test_one_question_at_a_time_about_a_field_of_a_person(table: sqlite3.Connection) -> None:
    table.execute("UPDATE job SET state = 'sent', asked_person = 'one' WHERE id = 1")
    with pytest.raises(sqlite3.IntegrityError):
        table.execute("UPDATE job SET state = 'sending', asked_person = 'one' WHERE id = 2")
    table.execute("UPDATE job SET state = 'answered' WHERE id = 1")
    table.execute("UPDATE job SET state = 'sending', asked_person = 'one' WHERE id = 2")


@pytest.mark.sqlite
def test_records_that_turn_out_to_be_one_person_while_both_are_asked_about_are_united(
    table: sqlite3.Connection,
) -> None:
    table.execute("UPDATE job SET state = 'sent', asked_person = 'one' WHERE id = 1")
    table.execute("UPDATE job SET state = 'sent', asked_person = 'two', person = 'two' WHERE id = 2")
    table.execute("UPDATE job SET person = 'one'")


@pytest.mark.sqlite
def test_who_became_somebody_else_while_being_asked_about_is_in_nobodys_way(
    harness: Harness, table: sqlite3.Connection
) -> None:
    table.execute("UPDATE job SET state = 'sent', asked_person = 'one' WHERE id = 1")
    table.commit()
    harness.run(harness.ledger.write(lambda tx: tx.run("jobs_person", person="two", contact_id=1)))
    table.execute("UPDATE job SET state = 'sending', asked_person = 'one' WHERE id = 2")


@pytest.mark.sqlite
def test_a_delivery_says_one_thing_of_a_job(table: sqlite3.Connection) -> None:
    result = (
        "INSERT INTO result (job_id, provider, round, delivery_id, outcome, candidates, note, at) "
        "VALUES (?, 'ann', 0, ?, ?, '[]', '', 1)"
    )
    table.execute(result, (1, 7, "not_found"))
    table.execute(result, (1, 8, "not_found"))
    table.execute(result, (2, 7, "not_found"))
    with pytest.raises(sqlite3.IntegrityError):
        table.execute(result, (1, 7, "found"))


@pytest.mark.sqlite
def test_one_open_write_for_each_job(table: sqlite3.Connection) -> None:
    write = "INSERT INTO write (job_id, before, after, seen, state, at) VALUES (1, '', 'x', '', ?, 1)"
    table.execute(write, ("written",))
    table.execute(write, ("intent",))
    with pytest.raises(sqlite3.IntegrityError):
        table.execute(write, ("intent",))


def test_a_delivery_is_read_once(build: Build) -> None:
    """Two processes have read the same page; one of them applies it."""
    harness = build(fields={EMAIL: ["ann"]})
    person = harness.person()
    harness.finds(person, EMAIL, "ada@acme.example.com")
    harness.ask()
    (sent,) = harness.fake.submitted
    harness.deliver(harness.fake.delivery(sent))
    (delivery,) = (row[0] for row in harness.sql("SELECT id FROM delivery"))
    assert harness.run(harness.ledger.write(_done, delivery)) == 1
    assert harness.run(harness.ledger.write(_done, delivery)) == 0
    assert harness.run(inbox.run_once(harness.parts)) == 0


def _done(tx: Tx, delivery: int) -> int:
    return tx.run("delivery_done", id=delivery, state="quarantined", note="read")


def test_two_records_that_became_one_person_since_they_were_chosen_are_asked_about_once(build: Build) -> None:
    """The schema refuses the second question, whatever the transaction of the intent has looked at."""
    harness = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo"):
        harness.person(name)
    harness.pull()
    harness.plan()
    with statement("jobs_not_wanted", "other.id <> job.id", "other.id <> other.id"):
        harness.run(harness.ledger.write(_unite))
        assert harness.dispatch() == 1
    assert len(harness.fake.submitted) == 1


def _unite(tx: Tx) -> None:
    tx.run("jobs_person", person="one", contact_id=1)
    tx.run("jobs_person", person="one", contact_id=2)
