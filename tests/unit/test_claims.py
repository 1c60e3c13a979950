"""Several processes on one ledger: what one holds no other one touches, and what one has lost it stores no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from syncd.config import Budget
from syncd.contract.errors import InDoubt
from syncd.contract.model import Submission
from syncd.ledger import claims, submissions
from syncd.ledger.claims import Kind, Lost, Owner
from syncd.ledger.store import Tx
from syncd.pipeline import dispatch, inbox, plan, pull, sweep, verify, work, writeback
from syncd.pipeline.parts import Parts
from syncd.pipeline.work import AtWork, hold
from tests.contract.fake_provider import FakeProvider
from tests.simulation.planted import FOR_TWO

from .conftest import Build
from .crossing import Stage, another, crossed, everything
from .harness import EMAIL, ONE_BY_ONE, Harness

NOW = 1_000_000.0
ME, YOU = Owner(1), Owner(2)
GONE = claims.LEASE + 1


class Table:
    """A ledger, looked at from outside."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness

    def take(self, items: list[int], owner: Owner = ME, now: float = NOW) -> claims.Claim:
        return self._harness.run(self._harness.ledger.write(claims.take, Kind.JOB, items, owner=owner, now=now))

    def release(self, claim: claims.Claim) -> int:
        return self._harness.run(self._harness.ledger.write(claims.release, claim))

    def require(self, claim: claims.Claim) -> None:
        self._harness.run(self._harness.ledger.write(claims.require, claim))

    def expire(self, owner: Owner, now: float, *, active: set[int] = frozenset(), newest: int = 0) -> list[object]:  # type: ignore[assignment]
        write = self._harness.ledger.write(claims.expire, owner, active, newest, now=now)
        return [one.item for one in self._harness.run(write)]

    def renew(self, owner: Owner, now: float) -> None:
        self._harness.run(self._harness.ledger.write(claims.renew, owner, now=now))


@pytest.fixture
def table(harness: Harness) -> Table:
    return Table(harness)


def test_what_one_holds_no_other_one_gets(table: Table) -> None:
    mine = table.take([1, 2, 3])
    yours = table.take([2, 3, 4], YOU)
    assert (mine.items, yours.items) == ((1, 2, 3), (4,))
    assert table.release(mine) == 3
    assert table.take([2], YOU).items == (2,)


def test_an_epoch_never_comes_twice(table: Table) -> None:
    epochs = []
    for _ in range(5):
        claim = table.take([1])
        epochs.append(claim.epoch)
        table.release(claim)
    assert epochs == sorted(set(epochs))


def test_a_claim_lasts_as_long_as_the_lease_of_its_owner(table: Table) -> None:
    claim = table.take([1])
    table.renew(ME, NOW + 100)
    assert table.expire(YOU, NOW + claims.LEASE + 50) == []
    table.require(claim)
    assert table.expire(YOU, NOW + claims.LEASE + 150) == [1]
    with pytest.raises(Lost):
        table.require(claim)


def test_who_has_lost_a_claim_can_t_use_that_of_the_next_owner(table: Table) -> None:
    lost = table.take([1])
    table.expire(YOU, NOW + GONE)
    taken = table.take([1], YOU, NOW + GONE)
    with pytest.raises(Lost):
        table.require(lost)
    assert table.release(lost) == 0
    table.require(taken)


def test_a_process_gives_back_what_its_own_stages_let_go_of_and_nothing_else(table: Table) -> None:
    left, held, newer = table.take([1]), table.take([2]), table.take([3])
    assert table.expire(ME, NOW + 10 * GONE, active={held.epoch}, newest=held.epoch) == [1]
    table.require(held)
    table.require(newer)
    assert left.epoch < held.epoch < newer.epoch


def test_a_unit_of_work_under_a_lost_claim_stores_nothing(harness: Harness) -> None:
    async def go() -> None:
        async with hold(harness.parts, Kind.CONTACT, [1]) as held:
            await harness.ledger.write(lambda tx: tx.run("claims_forget"))
            await held.write(Tx.tally, "written")
        async with hold(harness.parts, Kind.CONTACT, [1]) as held:
            await harness.ledger.write(lambda tx: tx.run("claims_forget"))
            await held.finish(Tx.tally, "finished")

    harness.run(go())
    assert (harness.tally("written"), harness.tally("finished")) == (0, 0)


def test_what_a_block_does_not_finish_is_given_back_whatever_ends_it(harness: Harness) -> None:
    async def fails() -> None:
        async with hold(harness.parts, Kind.CONTACT, [1]):
            raise ValueError("it broke")

    async def is_cancelled() -> None:
        async with hold(harness.parts, Kind.CONTACT, [2]):
            await asyncio.sleep(3600)

    async def go() -> None:
        with pytest.raises(ValueError, match="it broke"):
            await fails()
        task = asyncio.create_task(is_cancelled())
        while not harness.parts.at_work.active:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    harness.run(go())
    assert harness.sql("SELECT * FROM claim") == []
    assert harness.parts.at_work.active == set()


# --- one process after the other ------------------------------------------------------------------------


def asked(build: Build, *, people: int = 1) -> Harness:
    """People with an e-mail that their provider knows."""
    harness = build(fields={EMAIL: ["ann"]})
    for number in range(people):
        person = harness.person(f"P{number}")
        harness.finds(person, EMAIL, f"p{number}@acme.example.com")
    return harness


def test_a_start_frees_what_the_process_before_held(build: Build) -> None:
    """Killed between its claim and its act."""
    harness = asked(build)
    harness.pull()
    harness.plan()

    async def killed() -> None:
        async with hold(harness.parts, Kind.JOB, [1]):
            harness.remember_disk()

    harness.run(killed())
    harness.crash()
    harness.recover()
    assert harness.dispatch() == 1


def test_what_a_killed_process_held_comes_back_when_its_lease_is_over(build: Build) -> None:
    harness = asked(build)
    harness.pull()
    harness.plan()
    harness.run(harness.ledger.write(claims.take, Kind.JOB, [1], owner=YOU, now=harness.clock.now()))
    assert harness.dispatch() == 0
    harness.clock.time += claims.LEASE - 1
    assert harness.run(work.run_once(harness.parts)) == 0
    assert harness.dispatch() == 0, "it may still be alive"
    harness.clock.time += 2
    assert harness.run(work.run_once(harness.parts)) == 1
    assert harness.dispatch() == 1


class Silent(FakeProvider):
    """Never answers a call; what happens meanwhile is the test's."""

    async def submit(self, submission: Submission) -> object:  # type: ignore[override]
        self.submitted.append(submission)
        await asyncio.Event().wait()
        raise AssertionError


def intended(build: Build) -> Harness:
    """A process is in the midst of a paid call."""
    harness = build(providers=[Silent("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]})
    harness.person()
    harness.pull()
    harness.plan()
    return harness


def in_the_midst_of_its_call(harness: Harness, passes: float, parts: Parts) -> list[str]:
    """What is known of the call when time has passed and a process has looked who is gone; then it is cut off."""

    async def go() -> list[str]:
        call = asyncio.create_task(dispatch.run_once(harness.parts, "ann"))
        while not harness.fake.submitted:
            await asyncio.sleep(0.001)
        harness.clock.time += passes
        await work.run_once(parts)
        found = harness.submissions()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return found

    return harness.run(go())


@pytest.mark.parametrize(("passes", "state"), [(claims.LEASE - 10, "intent"), (GONE, "in_doubt")])
def test_an_intent_is_in_doubt_when_its_process_is_gone_and_not_before(build: Build, passes: float, state: str) -> None:
    harness = intended(build)
    assert in_the_midst_of_its_call(harness, passes, another(harness)) == [state]
    assert harness.submissions() == ["in_doubt"], "whoever was cancelled in the midst of a call does not know either"


def test_a_process_is_not_gone_for_itself(build: Build) -> None:
    """However long its own call takes, and whatever the clock says."""
    harness = intended(build)
    assert in_the_midst_of_its_call(harness, 10 * GONE, harness.parts) == ["intent"]


def test_while_the_clock_is_not_believed_nobody_is_gone(build: Build) -> None:
    harness = intended(build)
    parts = another(harness)
    parts.gate.offset = -100.0  # its watch saw the two clocks differ
    assert in_the_midst_of_its_call(harness, 10 * GONE, parts) == ["intent"]


# --- one process in the midst of the other --------------------------------------------------------------


async def _dispatch(parts: Parts) -> None:
    await dispatch.run_once(parts, "ann")


async def _pull(parts: Parts) -> None:
    await pull.run_once(parts, parts.syncs[0])


async def _writeback(parts: Parts) -> None:
    await writeback.run_once(parts, parts.syncs[0])


def _to_plan(harness: Harness) -> None:
    harness.pull()


def _to_dispatch(harness: Harness) -> None:
    harness.pull()
    harness.plan()


def _to_inbox(harness: Harness) -> None:
    harness.ask()
    for submission in harness.fake.accepted.values():
        harness.deliver(harness.fake.delivery(submission))


def _to_poll(harness: Harness) -> None:
    harness.ask()
    harness.fake.finished |= set(harness.fake.accepted)
    harness.clock.time += 400


def _to_verify(harness: Harness) -> None:
    harness.ask()
    harness.answer_all()


def _to_write(harness: Harness) -> None:
    _to_verify(harness)
    harness.verify()
    harness.clock.time += 60


STAGES: dict[str, tuple[Stage, Callable[[Harness], None]]] = {
    "pull": (_pull, lambda _: None),
    "plan": (plan.run_once, _to_plan),
    "dispatch": (_dispatch, _to_dispatch),
    "inbox": (inbox.run_once, _to_inbox),
    "sweep": (sweep.run_once, _to_poll),
    "verify": (verify.run_once, _to_verify),
    "writeback": (_writeback, _to_write),
}


def harnesses(folder: Path) -> Iterator[Harness]:
    """One after the other, each with two people who can be found."""
    for number in range(1, 60):
        fake = FakeProvider("ann", capabilities=ONE_BY_ONE)
        with Harness(folder / str(number), providers=[fake], fields={EMAIL: ["ann"]}) as harness:
            for name in ("Ada", "Bo"):
                harness.finds(harness.person(name), EMAIL, f"{name.lower()}@acme.example.com")
            yield harness


def settle(harness: Harness, *processes: Parts) -> None:
    """Both go on until all is done that can be."""

    async def go() -> None:
        for _ in range(8):
            for parts in processes:
                await everything(parts)
            for submission in list(harness.fake.accepted.values()):
                harness.fake.finished.add(submission.id)
            harness.clock.time += 400

    harness.run(go())


def asked_twice(harness: Harness) -> list[str]:
    """Whoever was asked about in more than one call."""
    refs = [str(request.ref) for one in harness.fake.submitted for request in one.requests]
    return sorted({ref for ref in refs if refs.count(ref) > 1})


def versions(harness: Harness) -> list[int]:
    """How often each record's mailbox was written."""
    return [len(record.history.get("email", ())) for record in harness.crm.records.values()]


@pytest.mark.parametrize("name", STAGES)
def test_two_processes_that_cross_at_any_turn_do_all_once(tmp_path: Path, name: str) -> None:
    stage, prepare = STAGES[name]
    turns = 0
    for at, harness in enumerate(harnesses(tmp_path), 1):
        prepare(harness)
        other = another(harness)

        async def comes_in(other: Parts = other) -> None:
            await everything(other)

        more = harness.run(crossed(harness.parts, stage, at, comes_in))
        settle(harness, harness.parts, other)
        assert asked_twice(harness) == []
        assert [harness.job(one) for one in harness.crm.records] == [("done", "written")] * 2, at
        assert versions(harness) == [1, 1], "each value is written once"
        assert harness.sql("SELECT * FROM claim") == []
        if not more:
            break
        turns = at
    assert turns >= 4


@pytest.mark.parametrize("name", STAGES)
def test_whoever_stood_still_past_its_lease_does_nothing_more(tmp_path: Path, name: str) -> None:
    """It stops at any turn, its lease runs out, another one takes its work over, and then it goes on."""
    stage, prepare = STAGES[name]
    turns = 0
    for at, harness in enumerate(harnesses(tmp_path), 1):
        prepare(harness)
        other = another(harness)

        async def takes_over(harness: Harness = harness, other: Parts = other) -> None:
            harness.clock.time += GONE
            await work.run_once(other)
            await everything(other)

        more = harness.run(crossed(harness.parts, stage, at, takes_over))
        settle(harness, other, harness.parts)
        assert asked_twice(harness) == []
        jobs = [harness.job(one) for one in harness.crm.records]
        assert set(jobs) <= {("done", "written"), ("in_doubt", "")}, at
        assert max(versions(harness)) <= 1, "each value is written once"
        assert harness.sql("SELECT * FROM claim") == []
        if not more:
            break
        turns = at
    assert turns >= 4


def _taken_over_while_it_waits(harness: Harness) -> list[str]:
    """Between the intent and the call: others are being called, the lease runs out, another process sees to it. Returns
    how the call stood by then."""
    harness.pull()
    harness.plan()
    other = another(harness)

    async def go() -> list[str]:
        places = harness.parts.lanes["ann"].calls
        for _ in range(3):
            await places.acquire()
        task = asyncio.create_task(dispatch.run_once(harness.parts, "ann"))
        while harness.submissions() != ["intent"]:
            await asyncio.sleep(0.001)
        harness.clock.time += GONE
        await work.run_once(other)
        found = harness.submissions()
        for _ in range(3):
            places.release()
        await task
        return found

    return harness.run(go())


def test_a_call_whose_process_stood_still_before_it_is_not_made(build: Build) -> None:
    """The intent is in doubt for the others, and one call at most is ever made."""
    harness = asked(build)
    assert _taken_over_while_it_waits(harness) == ["in_doubt"]
    assert harness.fake.submitted == []
    assert harness.submissions() == ["in_doubt"], "whoever has taken it over knows that it may have been called"


def test_a_call_that_waited_for_its_place_too_long_is_given_back(build: Build) -> None:
    """The same where nobody has taken it for ended: nothing was spent, and it is asked again."""
    harness = asked(build)
    harness.pull()
    harness.plan()

    async def go() -> None:
        places = harness.parts.lanes["ann"].calls
        for _ in range(3):
            await places.acquire()
        task = asyncio.create_task(dispatch.run_once(harness.parts, "ann"))
        while harness.submissions() != ["intent"]:
            await asyncio.sleep(0.001)
        harness.clock.time += claims.LEASE - claims.CALL
        for _ in range(3):
            places.release()
        await task

    harness.run(go())
    assert sorted(harness.submissions()) == ["accepted", "refused"]
    assert len(harness.fake.submitted) == 1


def test_a_late_word_of_the_provider_still_counts(build: Build) -> None:
    """Its process stood still in the midst of the call: the call was taken, and that is known by now."""
    harness = asked(build)
    harness.pull()
    harness.plan()
    at = 0
    while "sent" not in {row[0] for row in harness.sql("SELECT state FROM job")}:
        at += 1
        assert at < 40
        with_other = another(harness, number=at)

        async def takes_over(other: Parts = with_other) -> None:
            if harness.fake.submitted and harness.submissions() == ["intent"]:
                harness.clock.time += GONE
                await work.run_once(other)
                assert harness.submissions() == ["in_doubt"]

        harness.run(crossed(harness.parts, _dispatch, at, takes_over))
    assert len(harness.fake.submitted) == 1
    assert harness.submissions() == ["accepted"]


def test_resend_once_is_an_attempt_of_its_own(build: Build) -> None:
    harness = asked(build)
    harness.fake.refusals.append(InDoubt("no answer"))
    harness.ask()
    (first,) = harness.sql("SELECT id, submission_id FROM attempt")
    harness.run(harness.ledger.write(submissions.resend, first[1], "once more", now=harness.clock.now()))
    assert harness.sql("SELECT state FROM submission WHERE id = ?", first[1]) == [("expired",)]
    assert harness.sql("SELECT id, live FROM attempt") == [(first[0], 0)]


def test_a_single_call_finds_out_whether_a_provider_works_again(build: Build) -> None:
    """Two processes see that it is time: one of them makes the call."""
    harness = asked(build, people=3)
    harness.fake.refusals.append(InDoubt("no answer"))
    harness.ask()
    harness.clock.time += 120
    harness.probe()
    other = another(harness)
    calls = len(harness.fake.submitted)
    harness.fake.refusals.append(InDoubt("no answer"))

    async def go() -> None:
        await asyncio.gather(dispatch.run_once(harness.parts, "ann"), dispatch.run_once(other, "ann"))

    harness.run(go())
    assert len(harness.fake.submitted) == calls + 1


def test_each_process_has_a_number_of_its_own() -> None:
    assert AtWork().owner.id != AtWork().owner.id


def test_two_processes_on_one_ledger_share_no_state(harness: Harness) -> None:
    """What the tests above rely on."""
    other = another(harness)
    mine = harness.parts
    assert other.lanes["ann"] is not mine.lanes["ann"]
    assert (other.gate is mine.gate, other.at_work is mine.at_work, other.accounts is mine.accounts) == (False,) * 3


def test_a_page_of_which_nothing_can_be_bought_is_not_claimed_again_and_again(build: Build) -> None:
    """Nothing is written while a budget is spent; but whatever moves is looked at, and a new day begins."""
    harness = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(1)))
    for name in ("Ada", "Bo", "Cy"):
        harness.person(name)
    harness.ask()
    assert harness.dispatch() == 0
    (epoch,) = harness.sql("SELECT value FROM meta WHERE key = 'epoch'")
    for _ in range(20):
        harness.clock.time += 1
        assert harness.dispatch() == 0
    assert harness.sql("SELECT value FROM meta WHERE key = 'epoch'") == [epoch]
    harness.clock.time += 86_400
    assert harness.dispatch() == 1


# --- planted bugs -------------------------------------------------------------------------------------------


def in_doubt_once_it_is_gone(build: Build) -> None:
    test_an_intent_is_in_doubt_when_its_process_is_gone_and_not_before(build, GONE, "in_doubt")


def bought_once(build: Build) -> None:
    """An intent is taken over while its process waits for its place; both go on."""
    harness = asked(build)
    _taken_over_while_it_waits(harness)
    harness.dispatch()
    assert len(harness.fake.submitted) <= 1


def stored_under_its_own_epoch(build: Build) -> None:
    test_a_unit_of_work_under_a_lost_claim_stores_nothing(build())


FINDS: dict[str, Callable[[Build], None]] = {
    "intent_put_back_into_the_queue": in_doubt_once_it_is_gone,
    "lease_that_buys_twice": bought_once,
    "result_under_a_lost_epoch": stored_under_its_own_epoch,
}


@pytest.mark.parametrize("bug", FOR_TWO)
def test_a_planted_bug_is_found(build: Build, bug: str) -> None:
    with FOR_TWO[bug](), pytest.raises(AssertionError):
        FINDS[bug](build)


def test_without_it_the_same_is_well(build: Build) -> None:
    bought_once(build)
