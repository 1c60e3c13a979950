"""The fault table, F32 to F39: the value's way into the CRM."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.contract.model import Change, Selection, WriteOutcome
from syncd.ledger import connections
from syncd.ledger.writes import LANDS
from syncd.pipeline.watch import BACKLOG, Watch
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import EMAIL, ONE_BY_ONE, Harness

from .conftest import Build

MAIL, THEIRS = "ada@acme.example.com", "ada.typed@example.com"


class Crash(Exception):
    """The process ends here."""


class Fragile(FakeCrm):
    """Ends the process at a write, `before` it is carried out or after."""

    crash = ""

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        crash, self.crash = self.crash, ""
        if crash == "before":
            raise Crash
        outcomes = await super().write(changes, selection)
        if crash == "after":
            raise Crash
        return outcomes


class Late(FakeCrm):
    """Ends the process at its first write, which is carried out only when it lands."""

    on_its_way: tuple[Sequence[Change], Selection] | None = None
    landed = False

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        if self.landed:
            return await super().write(changes, selection)
        self.on_its_way = (changes, selection)
        raise Crash

    async def land(self) -> None:
        assert self.on_its_way is not None
        self.landed = True
        await self.write(*self.on_its_way)


def accepted(harness: Harness, *names: str) -> list[str]:
    """People whose e-mail was found and accepted, each ready to be written."""
    made = [harness.person(name) for name in names]
    for contact, name in zip(made, names, strict=True):
        harness.finds(contact, EMAIL, f"{name.lower()}@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.clock.time += 60
    return made


@pytest.mark.parametrize("crash", ["before", "after"])
@pytest.mark.parametrize("meanwhile", ["nobody", "a colleague"])
def test_f32_crash_around_the_write(build: Build, crash: str, meanwhile: str) -> None:
    """I3: the intent is read again: blank is written, ours is confirmed, a colleague's is left alone."""
    crm = Fragile("crm")
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    crm.crash = crash
    with pytest.raises(Crash):
        harness.writeback()
    harness.reopen()
    if meanwhile == "a colleague":
        crm.edit(ada, "email", THEIRS)
    harness.writeback()
    assert harness.held(ada) == (MAIL if meanwhile == "nobody" else THEIRS)
    assert harness.job(ada) == ("done", "written" if meanwhile == "nobody" else "human_value_kept")
    assert harness.sql("SELECT count(*) FROM write WHERE state = 'intent'") == [(0,)]


def test_f32_a_write_that_lands_long_after_its_process(build: Build) -> None:
    """I3: what was on its way when the process ended is waited for: the edit that it covers is put back."""
    crm = Late("crm")
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    with pytest.raises(Crash):
        harness.writeback()
    harness.reopen()
    harness.recover()
    harness.clock.time += 75  # a slow call, its time-out, and some more
    assert harness.writeback() == 0
    crm.edit(ada, "email", THEIRS)
    asyncio.run(crm.land())
    assert harness.held(ada) == MAIL
    harness.clock.time += LANDS
    harness.writeback()
    assert (harness.held(ada), harness.job(ada)) == (THEIRS, ("done", "human_value_kept"))


@pytest.mark.parametrize("conditional", [False, True], ids=["by history", "by condition"])
def test_f33_a_colleague_between_read_and_write(build: Build, conditional: bool) -> None:
    """I3: theirs stands in the end: refused by the CRM itself, or put back and counted."""
    crm = FakeCrm("crm", conditional=conditional)
    harness = build(crm=crm, fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    crm.between_read_and_write = lambda: crm.edit(ada, "email", THEIRS)
    harness.writeback()
    harness.clock.time += 60
    harness.writeback()
    assert harness.held(ada) == THEIRS
    assert harness.job(ada) == ("done", "human_value_kept")
    assert harness.tally("races_put_right") == int(not conditional)


def test_f34_merged_or_gone(build: Build) -> None:
    """I3, I4: the winner of a merge is looked at afresh; what is gone is said to be."""
    harness = build(fields={EMAIL: ["ann"]})
    gone, blank_winner, full_winner = accepted(harness, "Gone", "Ada", "Bo")
    harness.crm.remove(gone)
    known = {contact: harness.crm.records[contact].identity for contact in (blank_winner, full_winner)}
    harness.crm.merge(blank_winner, harness.crm.add(known[blank_winner]))
    harness.crm.merge(full_winner, harness.crm.add(known[full_winner], email=THEIRS))
    harness.writeback()
    assert harness.job(gone) == ("done", "contact_gone")
    assert harness.job(blank_winner) == ("done", "written")
    assert harness.job(full_winner) == ("done", "human_value_kept")
    assert harness.held("504") == MAIL
    assert harness.held("505") == THEIRS


def test_f35_the_crm_is_away_for_days(build: Build) -> None:
    """I1, I9: what was paid for waits as long as it takes; meanwhile no more is bought for that CRM."""
    harness = build(
        providers=[FakeProvider("ann", capabilities=replace(ONE_BY_ONE, windows=()))], fields={EMAIL: ["ann"]}
    )
    harness.parts.lanes["ann"].pacer.learn(())
    accepted(harness, *(f"P{n}" for n in range(BACKLOG + 1)))
    watch = Watch()
    for _ in range(4):
        harness.run(watch.run_once(harness.parts))
        harness.crm.fail("read", Retry("maintenance"), Retry("maintenance"), Retry("maintenance"))
        harness.writeback()
        harness.clock.time += 20 * 3600
        harness.sweep()
    harness.run(watch.run_once(harness.parts))
    harness.person("Late")
    assert harness.ask() == 0
    assert "wait for crm" in harness.parts.gate.why("people")
    harness.crm._failures.clear()
    while harness.writeback():
        harness.clock.time += 60
    assert harness.sql("SELECT reason, count(*) FROM job WHERE state = 'done' GROUP BY 1") == [("written", BACKLOG + 1)]
    harness.run(watch.run_once(harness.parts))
    assert harness.dispatch() == 1


def test_f35_a_backlog_stops_only_its_own_sync(build: Build) -> None:
    """I9: who can write goes on buying."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.person("Ada")
    harness.parts.gate.set("backlog", "over 100 values wait", sync="another")
    assert harness.ask() == 1


def test_f36_the_answer_to_a_write_is_lost(build: Build) -> None:
    """I3: read before anything else; what stands there is confirmed, not written twice."""
    harness = build(fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    harness.crm.lose_answers = 1
    harness.writeback()
    assert harness.state(ada) == "writing"
    harness.clock.time += LANDS
    harness.writeback()
    assert harness.job(ada) == ("done", "written")
    assert len(harness.crm.records[ada].history["email"]) == 1


def test_f37_one_value_is_refused(build: Build) -> None:
    """I4: refused with the CRM's reason; its batch-mates are written."""
    harness = build(fields={EMAIL: ["ann"]})
    ada, bo = accepted(harness, "Ada", "Bo")
    harness.crm.refused = {MAIL}
    harness.writeback()
    assert harness.job(ada) == ("done", "write_refused")
    assert harness.job(bo) == ("done", "written")


def test_f38_the_crm_s_token_is_revoked(build: Build) -> None:
    """I9: nothing more is bought for that CRM; the value waits and is written once the token is mended."""
    harness = build(fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    harness.crm.fail("read", Halt("401", trouble=Trouble.CREDENTIALS, cure="make a new token"))
    harness.writeback()
    harness.person("Bo")
    assert harness.ask() == 0
    assert harness.state(ada) == "accepted"
    harness.run(harness.ledger.write(connections.clear, "crm"))
    harness.writeback()
    assert harness.job(ada) == ("done", "written")
    assert harness.dispatch() == 1


def test_f39_our_own_write_comes_back(build: Build) -> None:
    """I3: the next pull sees our value; nothing is planned, asked or written because of it."""
    harness = build(fields={EMAIL: ["ann"]})
    [ada] = accepted(harness, "Ada")
    harness.writeback()
    before = harness.sql("SELECT * FROM job")
    assert harness.ask() == 0
    harness.clock.time += 200 * 86_400
    harness.sweep()
    assert harness.ask() == 0
    assert harness.sql("SELECT * FROM job") == before
    assert [version.value for version in harness.crm.records[ada].history["email"]] == [MAIL]
