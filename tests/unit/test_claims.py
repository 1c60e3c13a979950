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
from .house import EMAIL, ONE_BY_ONE, House

NOW = 1_000_000.0
ME, YOU = Owner(1), Owner(2)
GONE = claims.LEASE + 1


class Table:
    """A ledger, looked at from outside."""

    def __init__(self, house: House) -> None:
        self._house = house

    def take(self, items: list[int], owner: Owner = ME, now: float = NOW) -> claims.Claim:
        return self._house.run(self._house.ledger.write(claims.take, Kind.JOB, items, owner=owner, now=now))

    def release(self, claim: claims.Claim) -> int:
        return self._house.run(self._house.ledger.write(claims.release, claim))

    def require(self, claim: claims.Claim) -> None:
        self._house.run(self._house.ledger.write(claims.require, claim))

    def expire(self, owner: Owner, now: float, *, active: set[int] = frozenset(), newest: int = 0) -> list[object]:  # type: ignore[assignment]
        write = self._house.ledger.write(claims.expire, owner, active, newest, now=now)
        return [one.item for one in self._house.run(write)]

    def renew(self, owner: Owner, now: float) -> None:
        self._house.run(self._house.ledger.write(claims.renew, owner, now=now))


@pytest.fixture
def table(house: House) -> Table:
    return Table(house)


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


def test_a_unit_of_work_under_a_lost_claim_stores_nothing(house: House) -> None:
    async def go() -> None:
        async with hold(house.parts, Kind.CONTACT, [1]) as held:
            await house.ledger.write(lambda tx: tx.run("claims_forget"))
            await held.write(Tx.tally, "written")
        async with hold(house.parts, Kind.CONTACT, [1]) as held:
            await house.ledger.write(lambda tx: tx.run("claims_forget"))
            await held.finish(Tx.tally, "finished")

    house.run(go())
    assert (house.tally("written"), house.tally("finished")) == (0, 0)


def test_what_a_block_does_not_finish_is_given_back_whatever_ends_it(house: House) -> None:
    async def fails() -> None:
        async with hold(house.parts, Kind.CONTACT, [1]):
            raise ValueError("it broke")

    async def is_cancelled() -> None:
        async with hold(house.parts, Kind.CONTACT, [2]):
            await asyncio.sleep(3600)

    async def go() -> None:
        with pytest.raises(ValueError, match="it broke"):
            await fails()
        task = asyncio.create_task(is_cancelled())
        while not await house.ledger.read(lambda tx: tx.value("claims_held", kind="contact", items="[2]", epoch=2)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    house.run(go())
    assert house.sql("SELECT * FROM claim") == []
    assert house.parts.at_work.active == set()


# --- one process after the other ------------------------------------------------------------------------


def asked(build: Build, *, people: int = 1) -> House:
    """People with an e-mail that their provider knows."""
    house = build(fields={EMAIL: ["ann"]})
    for number in range(people):
        person = house.person(f"P{number}")
        house.finds(person, EMAIL, f"p{number}@acme.example.com")
    return house


def test_a_start_frees_what_the_process_before_held(build: Build) -> None:
    """Killed between its claim and its act."""
    house = asked(build)
    house.pull()
    house.plan()

    async def killed() -> None:
        async with hold(house.parts, Kind.JOB, [1]):
            house.remember_disk()

    house.run(killed())
    house.crash()
    house.recover()
    assert house.dispatch() == 1


def test_what_a_killed_process_held_comes_back_when_its_lease_is_over(build: Build) -> None:
    house = asked(build)
    house.pull()
    house.plan()
    house.run(house.ledger.write(claims.take, Kind.JOB, [1], owner=YOU, now=house.clock.now()))
    assert house.dispatch() == 0
    house.clock.time += claims.LEASE - 1
    assert house.run(work.run_once(house.parts)) == 0
    assert house.dispatch() == 0, "it may still be alive"
    house.clock.time += 2
    assert house.run(work.run_once(house.parts)) == 1
    assert house.dispatch() == 1


class Silent(FakeProvider):
    """Never answers a call; what happens meanwhile is the test's."""

    async def submit(self, submission: Submission) -> object:  # type: ignore[override]
        self.submitted.append(submission)
        await asyncio.Event().wait()
        raise AssertionError


def intended(build: Build) -> House:
    """A process is in the midst of a paid call."""
    house = build(providers=[Silent("ann", capabilities=ONE_BY_ONE)], fields={EMAIL: ["ann"]})
    house.person()
    house.pull()
    house.plan()
    return house


def in_the_midst_of_its_call(house: House, passes: float, parts: Parts) -> list[str]:
    """What is known of the call when time has passed and a process has looked who is gone; then it is cut off."""

    async def go() -> list[str]:
        call = asyncio.create_task(dispatch.run_once(house.parts, "ann"))
        while not house.fake.submitted:
            await asyncio.sleep(0.001)
        house.clock.time += passes
        await work.run_once(parts)
        found = house.submissions()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return found

    return house.run(go())


@pytest.mark.parametrize(("passes", "state"), [(claims.LEASE - 10, "intent"), (GONE, "in_doubt")])
def test_an_intent_is_in_doubt_when_its_process_is_gone_and_not_before(build: Build, passes: float, state: str) -> None:
    house = intended(build)
    assert in_the_midst_of_its_call(house, passes, another(house)) == [state]
    assert house.submissions() == ["in_doubt"], "whoever was cancelled in the midst of a call does not know either"


def test_a_process_is_not_gone_for_itself(build: Build) -> None:
    """However long its own call takes, and whatever the clock says."""
    house = intended(build)
    assert in_the_midst_of_its_call(house, 10 * GONE, house.parts) == ["intent"]


def test_while_the_clock_is_not_believed_nobody_is_gone(build: Build) -> None:
    house = intended(build)
    parts = another(house)
    parts.gate.offset = -100.0  # its watch saw the two clocks differ
    assert in_the_midst_of_its_call(house, 10 * GONE, parts) == ["intent"]


# --- one process in the midst of the other --------------------------------------------------------------


async def _dispatch(parts: Parts) -> None:
    await dispatch.run_once(parts, "ann")


async def _pull(parts: Parts) -> None:
    await pull.run_once(parts, parts.syncs[0])


async def _writeback(parts: Parts) -> None:
    await writeback.run_once(parts, parts.syncs[0])


def _to_plan(house: House) -> None:
    house.pull()


def _to_dispatch(house: House) -> None:
    house.pull()
    house.plan()


def _to_inbox(house: House) -> None:
    house.ask()
    for submission in house.fake.accepted.values():
        house.deliver(house.fake.delivery(submission))


def _to_poll(house: House) -> None:
    house.ask()
    house.fake.finished |= set(house.fake.accepted)
    house.clock.time += 400


def _to_verify(house: House) -> None:
    house.ask()
    house.answer_all()


def _to_write(house: House) -> None:
    _to_verify(house)
    house.verify()
    house.clock.time += 60


STAGES: dict[str, tuple[Stage, Callable[[House], None]]] = {
    "pull": (_pull, lambda _: None),
    "plan": (plan.run_once, _to_plan),
    "dispatch": (_dispatch, _to_dispatch),
    "inbox": (inbox.run_once, _to_inbox),
    "sweep": (sweep.run_once, _to_poll),
    "verify": (verify.run_once, _to_verify),
    "writeback": (_writeback, _to_write),
}


def houses(folder: Path) -> Iterator[House]:
    """One after the other, each with two people who can be found."""
    for number in range(1, 60):
        fake = FakeProvider("ann", capabilities=ONE_BY_ONE)
        with House(folder / str(number), providers=[fake], fields={EMAIL: ["ann"]}) as house:
            for name in ("Ada", "Bo"):
                house.finds(house.person(name), EMAIL, f"{name.lower()}@acme.example.com")
            yield house


def settle(house: House, *processes: Parts) -> None:
    """Both go on until all is done that can be."""

    async def go() -> None:
        for _ in range(8):
            for parts in processes:
                await everything(parts)
            for submission in list(house.fake.accepted.values()):
                house.fake.finished.add(submission.id)
            house.clock.time += 400

    house.run(go())


def asked_twice(house: House) -> list[str]:
    """Whoever was asked about in more than one call."""
    refs = [str(request.ref) for one in house.fake.submitted for request in one.requests]
    return sorted({ref for ref in refs if refs.count(ref) > 1})


def versions(house: House) -> list[int]:
    """How often each record's mailbox was written."""
    return [len(record.history.get("email", ())) for record in house.crm.records.values()]


@pytest.mark.parametrize("name", STAGES)
def test_two_processes_that_cross_at_any_turn_do_all_once(tmp_path: Path, name: str) -> None:
    stage, prepare = STAGES[name]
    turns = 0
    for at, house in enumerate(houses(tmp_path), 1):
        prepare(house)
        other = another(house)

        async def comes_in(other: Parts = other) -> None:
            await everything(other)

        more = house.run(crossed(house.parts, stage, at, comes_in))
        settle(house, house.parts, other)
        assert asked_twice(house) == []
        assert [house.job(one) for one in house.crm.records] == [("done", "written")] * 2, at
        assert versions(house) == [1, 1], "each value is written once"
        assert house.sql("SELECT * FROM claim") == []
        if not more:
            break
        turns = at
    assert turns >= 4


@pytest.mark.parametrize("name", STAGES)
def test_whoever_stood_still_past_its_lease_does_nothing_more(tmp_path: Path, name: str) -> None:
    """It stops at any turn, its lease runs out, another one takes its work over, and then it goes on."""
    stage, prepare = STAGES[name]
    turns = 0
    for at, house in enumerate(houses(tmp_path), 1):
        prepare(house)
        other = another(house)

        async def takes_over(house: House = house, other: Parts = other) -> None:
            house.clock.time += GONE
            await work.run_once(other)
            await everything(other)

        more = house.run(crossed(house.parts, stage, at, takes_over))
        settle(house, other, house.parts)
        assert asked_twice(house) == []
        jobs = [house.job(one) for one in house.crm.records]
        assert set(jobs) <= {("done", "written"), ("in_doubt", "")}, at
        assert max(versions(house)) <= 1, "each value is written once"
        assert house.sql("SELECT * FROM claim") == []
        if not more:
            break
        turns = at
    assert turns >= 4


def _taken_over_while_it_waits(house: House) -> list[str]:
    """Between the intent and the call: others are being called, the lease runs out, another process sees to it. Returns
    how the call stood by then."""
    house.pull()
    house.plan()
    other = another(house)

    async def go() -> list[str]:
        places = house.parts.lanes["ann"].calls
        for _ in range(3):
            await places.acquire()
        task = asyncio.create_task(dispatch.run_once(house.parts, "ann"))
        while house.submissions() != ["intent"]:
            await asyncio.sleep(0.001)
        house.clock.time += GONE
        await work.run_once(other)
        found = house.submissions()
        for _ in range(3):
            places.release()
        await task
        return found

    return house.run(go())


def test_a_call_whose_process_stood_still_before_it_is_not_made(build: Build) -> None:
    """The intent is in doubt for the others, and one call at most is ever made."""
    house = asked(build)
    assert _taken_over_while_it_waits(house) == ["in_doubt"]
    assert house.fake.submitted == []
    assert house.submissions() == ["in_doubt"], "whoever has taken it over knows that it may have been called"


def test_a_call_that_waited_for_its_place_too_long_is_given_back(build: Build) -> None:
    """The same where nobody has taken it for ended: nothing was spent, and it is asked again."""
    house = asked(build)
    house.pull()
    house.plan()

    async def go() -> None:
        places = house.parts.lanes["ann"].calls
        for _ in range(3):
            await places.acquire()
        task = asyncio.create_task(dispatch.run_once(house.parts, "ann"))
        while house.submissions() != ["intent"]:
            await asyncio.sleep(0.001)
        house.clock.time += claims.LEASE - claims.CALL
        for _ in range(3):
            places.release()
        await task

    house.run(go())
    assert sorted(house.submissions()) == ["accepted", "refused"]
    assert len(house.fake.submitted) == 1


def test_a_late_word_of_the_provider_still_counts(build: Build) -> None:
    """Its process stood still in the midst of the call: the call was taken, and that is known by now."""
    house = asked(build)
    house.pull()
    house.plan()
    at = 0
    while "sent" not in {row[0] for row in house.sql("SELECT state FROM job")}:
        at += 1
        assert at < 40
        with_other = another(house, number=at)

        async def takes_over(other: Parts = with_other) -> None:
            if house.fake.submitted and house.submissions() == ["intent"]:
                house.clock.time += GONE
                await work.run_once(other)
                assert house.submissions() == ["in_doubt"]

        house.run(crossed(house.parts, _dispatch, at, takes_over))
    assert len(house.fake.submitted) == 1
    assert house.submissions() == ["accepted"]


def test_resend_once_is_an_attempt_of_its_own(build: Build) -> None:
    house = asked(build)
    house.fake.refusals.append(InDoubt("no answer"))
    house.ask()
    (first,) = house.sql("SELECT id, submission_id FROM attempt")
    house.run(house.ledger.write(submissions.resend, first[1], "once more", now=house.clock.now()))
    assert house.sql("SELECT state FROM submission WHERE id = ?", first[1]) == [("expired",)]
    assert house.sql("SELECT id, live FROM attempt") == [(first[0], 0)]


def test_a_single_call_finds_out_whether_a_provider_works_again(build: Build) -> None:
    """Two processes see that it is time: one of them makes the call."""
    house = asked(build, people=3)
    house.fake.refusals.append(InDoubt("no answer"))
    house.ask()
    house.clock.time += 120
    house.probe()
    other = another(house)
    calls = len(house.fake.submitted)
    house.fake.refusals.append(InDoubt("no answer"))

    async def go() -> None:
        await asyncio.gather(dispatch.run_once(house.parts, "ann"), dispatch.run_once(other, "ann"))

    house.run(go())
    assert len(house.fake.submitted) == calls + 1


def test_each_process_has_a_number_of_its_own() -> None:
    assert AtWork().owner.id != AtWork().owner.id


def test_two_processes_on_one_ledger_share_no_state(house: House) -> None:
    """What the tests above rely on."""
    other = another(house)
    mine = house.parts
    assert other.lanes["ann"] is not mine.lanes["ann"]
    assert (other.gate is mine.gate, other.at_work is mine.at_work, other.accounts is mine.accounts) == (False,) * 3


def test_a_page_of_which_nothing_can_be_bought_is_not_claimed_again_and_again(build: Build) -> None:
    """Nothing is written while a budget is spent; but whatever moves is looked at, and a new day begins."""
    house = build(fields={EMAIL: ["ann"]}, budget=Budget(credits_per_day=Decimal(1)))
    for name in ("Ada", "Bo", "Cy"):
        house.person(name)
    house.ask()
    assert house.dispatch() == 0
    (epoch,) = house.sql("SELECT value FROM meta WHERE key = 'epoch'")
    for _ in range(20):
        house.clock.time += 1
        assert house.dispatch() == 0
    assert house.sql("SELECT value FROM meta WHERE key = 'epoch'") == [epoch]
    house.clock.time += 86_400
    assert house.dispatch() == 1


# --- planted bugs -------------------------------------------------------------------------------------------


def in_doubt_once_it_is_gone(build: Build) -> None:
    test_an_intent_is_in_doubt_when_its_process_is_gone_and_not_before(build, GONE, "in_doubt")


def bought_once(build: Build) -> None:
    """An intent is taken over while its process waits for its place; both go on."""
    house = asked(build)
    _taken_over_while_it_waits(house)
    house.dispatch()
    assert len(house.fake.submitted) <= 1


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
