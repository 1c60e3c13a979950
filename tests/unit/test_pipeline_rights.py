"""The right to write: nothing is bought for a CRM that was not seen, lately, to take it; and no gate flaps."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import structlog

from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import Field, Finding, Level, Selection
from syncd.ledger import confirmations, connections
from syncd.pipeline import probe, rights
from syncd.pipeline.gate import UNTRIED, WRITE_RIGHT, Gate, Shut
from syncd.pipeline.rights import LOOK, REFUSED, SOON
from syncd.pipeline.watch import GOOD_FOR, Watch
from tests.contract.fake_crm import FakeCrm

from .conftest import Build
from .house import EMAIL, PHONE, House

UNSEEN = {(WRITE_RIGHT, ""): Shut(UNTRIED[WRITE_RIGHT], passing=True)}


@pytest.fixture
def house(build: Build) -> House:
    """All other watches are content; the CRM has not been looked at, and somebody waits to be asked about."""
    house = build(fields={EMAIL: ["ann"]})
    house.parts = replace(house.parts, gate=Gate(dict(UNSEEN)))
    house.person("Ada")
    house.pull()
    house.plan()
    return house


def look(house: House, after: float = 0.0) -> str:
    """The stage is rung; returns why nothing is bought."""
    house.clock.time += after
    house.run(rights.run_once(house.parts, "crm"))
    return house.parts.gate.why("people")


def watch(house: House) -> str:
    house.run(Watch().run_once(house.parts))
    return house.parts.gate.why("people")


def checks(house: House) -> int:
    return house.crm.calls.count("check")


def trouble(house: House) -> Trouble | None:
    return house.run(house.ledger.read(connections.trouble, "crm"))


# --- how often ----------------------------------------------------------------------------------


def test_a_good_look_answers_for_ten_minutes(house: House) -> None:
    assert house.dispatch() == 0
    assert look(house) == ""
    for _ in range(2 * 20):
        assert look(house, 30) == ""
    assert checks(house) == 3
    assert house.dispatch() == 1


def test_a_refusal_is_looked_at_again_sooner(house: House) -> None:
    house.crm.closed.add("email")
    assert "may not write email" in look(house)
    house.crm.closed.clear()
    assert "may not write email" in look(house, REFUSED - 1)
    assert checks(house) == 1
    assert look(house, 1) == ""
    assert house.dispatch() == 1
    assert look(house, LOOK - 1) == ""
    assert checks(house) == 2


def test_confirmed_writes_spare_every_second_look(house: House) -> None:
    look(house)
    for _ in range(4):
        house.run(house.ledger.write(confirmations.confirm, "people", house.sync.writing, now=house.clock.now() + 1))
        assert look(house, LOOK) == ""
        assert watch(house) == ""
    assert checks(house) == 3
    house.crm.closed.add("email")
    assert look(house, LOOK) != "", "without a write there is no proof"


def test_a_refused_write_spares_no_look(house: House) -> None:
    look(house)
    house.run(house.ledger.write(confirmations.confirm, "people", house.sync.writing, now=house.clock.now()))
    house.run(house.ledger.write(confirmations.refuse, "people", "no", first=True, now=house.clock.now()))
    look(house, LOOK)
    assert checks(house) == 2


def test_the_right_is_taken_away(house: House) -> None:
    look(house)
    house.crm.closed.add("email")
    assert look(house, LOOK) != ""
    assert house.dispatch() == 0


# --- what passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Retry("HTTP 503"), RateLimited("too fast", after=10.0)])
def test_a_first_look_that_fails_opens_nothing(house: House, error: Retry) -> None:
    house.crm.fail("check", error)
    assert str(error) in look(house)
    assert house.dispatch() == 0
    assert not house.parts.gate.waits_for_somebody("people"), "it passes by itself"
    assert look(house, SOON) == ""
    assert house.dispatch() == 1


def test_an_outage_of_some_minutes_shuts_nothing_and_a_longer_one_does(house: House) -> None:
    """A look that failed is no look: it makes the last good one no younger."""
    look(house)
    seen = house.clock.monotonic()
    house.crm.fail("check", *[Retry("HTTP 503")] * 60)
    with structlog.testing.capture_logs() as lines:
        while house.clock.monotonic() - seen <= GOOD_FOR - SOON:
            assert look(house, SOON) == watch(house) == ""
        assert house.dispatch() == 1
        house.person("Bo")
        house.clock.time += SOON + 1
        assert "over 30 minutes ago" in watch(house)
        assert house.ask() == 0
        for _ in range(10):
            assert "HTTP 503" in look(house, SOON)
            assert watch(house) != ""
        house.crm._failures.clear()
        assert look(house, SOON) == ""
    assert house.dispatch() == 1
    assert [one["event"] for one in lines if one["event"].startswith("gate")] == ["gate_shut", "gate_open"]


def test_a_finding_that_passes_is_no_refusal(house: House) -> None:
    class Busy(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            return [Finding(level=Level.ERROR, what="HTTP 502", cure="try again", passing=self.records == {})]

    look(house)
    house.parts = replace(house.parts, crms={"crm": (busy := Busy("crm"))})
    assert look(house, LOOK) == ""
    busy.add()
    assert "HTTP 502" in look(house, SOON)


# --- what halts -----------------------------------------------------------------------------------


def test_a_halt_halts_the_connection_and_the_probe_brings_it_back(house: House) -> None:
    house.crm.fail("check", Halt("the token was revoked", trouble=Trouble.CREDENTIALS, cure="A new one."))
    with structlog.testing.capture_logs() as lines:
        assert look(house) == "crm is halted"
        assert look(house, LOOK) == "crm is halted"
    assert trouble(house) is Trouble.CREDENTIALS
    assert [(one["cure"], one["connection"]) for one in lines if one["event"] == "halted"] == [("A new one.", "crm")]
    assert checks(house) == 1, "a halted connection is the probe's"
    assert house.dispatch() == 0
    assert house.parts.gate.waits_for_somebody("people")
    house.run(probe.run_once(house.parts))
    assert trouble(house) is None
    assert house.dispatch() == 0, "not before it was seen"
    assert look(house) == ""
    assert house.dispatch() == 1


def test_a_finding_that_speaks_of_the_whole_connection_halts_it_too(house: House) -> None:
    class Blocked(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            return [Finding(level=Level.ERROR, what="suspended", cure="Call them.", trouble=Trouble.BLOCKED)]

    house.parts = replace(house.parts, crms={"crm": Blocked("crm")})
    assert look(house) == "crm is halted"
    assert trouble(house) is Trouble.BLOCKED


def test_a_right_that_lacks_for_writing_halts_no_reading(house: House) -> None:
    house.crm.closed.add("email")
    assert look(house) != ""
    assert trouble(house) is None
    bo = house.person("Bo")
    house.pull()
    house.plan()
    assert house.state(bo) == "queued"


# --- whose it is ----------------------------------------------------------------------------------


def test_one_sync_s_property_stops_no_other_sync(house: House) -> None:
    """Two syncs on one CRM, of which one writes where it may not."""
    phones = replace(house.sync.fields[EMAIL], property="work_phone")
    other = replace(house.sync, name="phones", object="leads", fields={PHONE: phones})
    house.reopen(replace(house.settings, syncs=(house.sync, other)))
    house.parts = replace(house.parts, gate=Gate(dict(UNSEEN)))
    house.crm.closed.add("email")
    assert "may not write email" in look(house)
    assert house.parts.gate.why("phones") == ""
    assert checks(house) == 3, "together, then each by itself"
    house.clock.time += 60
    assert house.dispatch() == 0
    house.crm.closed.clear()
    assert look(house, REFUSED) == ""
    assert checks(house) == 4
    assert house.dispatch() == 1


def test_a_sync_whose_crm_was_seen_buys_while_another_crm_is_not(house: House) -> None:
    """Each CRM is a stage of its own: one that does not answer keeps nobody else."""
    other = replace(house.sync, name="elsewhere", crm="other")
    house.reopen(replace(house.settings, syncs=(other, house.sync)))
    house.parts = replace(house.parts, gate=Gate(dict(UNSEEN)), crms={**house.parts.crms, "other": FakeCrm("other")})
    assert look(house) == ""
    assert house.parts.gate.why("elsewhere") == UNTRIED[WRITE_RIGHT]
    assert house.dispatch() == 1


def test_the_selection_is_what_is_asked_about(house: House) -> None:
    asked: list[Selection] = []

    class Curious(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            asked.extend(selections)
            return await super().check(selections)

    house.parts = replace(house.parts, crms={"crm": Curious("crm")})
    look(house)
    assert asked == [house.sync.selection]
    assert asked[0].fields.keys() == {Field.EMAIL}
