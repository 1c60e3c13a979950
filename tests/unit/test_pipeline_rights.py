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
from .harness import EMAIL, PHONE, Harness

UNSEEN = {(WRITE_RIGHT, ""): Shut(UNTRIED[WRITE_RIGHT], passing=True)}


@pytest.fixture
def harness(build: Build) -> Harness:
    """All other watches are content; the CRM has not been looked at, and somebody waits to be asked about."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.parts = replace(harness.parts, gate=Gate(dict(UNSEEN)))
    harness.person("Ada")
    harness.pull()
    harness.plan()
    return harness


def look(harness: Harness, after: float = 0.0) -> str:
    """The stage is rung; returns why nothing is bought."""
    harness.clock.time += after
    harness.run(rights.run_once(harness.parts, "crm"))
    return harness.parts.gate.why("people")


def watch(harness: Harness) -> str:
    harness.run(Watch().run_once(harness.parts))
    return harness.parts.gate.why("people")


def checks(harness: Harness) -> int:
    return harness.crm.calls.count("check")


def trouble(harness: Harness) -> Trouble | None:
    return harness.run(harness.ledger.read(connections.trouble, "crm"))


# --- how often ----------------------------------------------------------------------------------


def test_a_good_look_answers_for_ten_minutes(harness: Harness) -> None:
    assert harness.dispatch() == 0
    assert look(harness) == ""
    for _ in range(2 * 20):
        assert look(harness, 30) == ""
    assert checks(harness) == 3
    assert harness.dispatch() == 1


def test_a_refusal_is_looked_at_again_sooner(harness: Harness) -> None:
    harness.crm.closed.add("email")
    assert "may not write email" in look(harness)
    harness.crm.closed.clear()
    assert "may not write email" in look(harness, REFUSED - 1)
    assert checks(harness) == 1
    assert look(harness, 1) == ""
    assert harness.dispatch() == 1
    assert look(harness, LOOK - 1) == ""
    assert checks(harness) == 2


def test_confirmed_writes_spare_every_second_look(harness: Harness) -> None:
    look(harness)
    for _ in range(4):
        harness.run(
            harness.ledger.write(confirmations.confirm, "people", harness.sync.writing, now=harness.clock.now() + 1)
        )
        assert look(harness, LOOK) == ""
        assert watch(harness) == ""
    assert checks(harness) == 3
    harness.crm.closed.add("email")
    assert look(harness, LOOK) != "", "without a write there is no proof"


def test_a_refused_write_spares_no_look(harness: Harness) -> None:
    look(harness)
    harness.run(harness.ledger.write(confirmations.confirm, "people", harness.sync.writing, now=harness.clock.now()))
    harness.run(harness.ledger.write(confirmations.refuse, "people", "no", first=True, now=harness.clock.now()))
    look(harness, LOOK)
    assert checks(harness) == 2


def test_the_right_is_taken_away(harness: Harness) -> None:
    look(harness)
    harness.crm.closed.add("email")
    assert look(harness, LOOK) != ""
    assert harness.dispatch() == 0


# --- what passes --------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Retry("HTTP 503"), RateLimited("too fast", after=10.0)])
def test_a_first_look_that_fails_opens_nothing(harness: Harness, error: Retry) -> None:
    harness.crm.fail("check", error)
    assert str(error) in look(harness)
    assert harness.dispatch() == 0
    assert not harness.parts.gate.waits_for_somebody("people"), "it passes by itself"
    assert look(harness, SOON) == ""
    assert harness.dispatch() == 1


def test_an_outage_of_some_minutes_shuts_nothing_and_a_longer_one_does(harness: Harness) -> None:
    """A look that failed is no look: it makes the last good one no younger."""
    look(harness)
    seen = harness.clock.monotonic()
    harness.crm.fail("check", *[Retry("HTTP 503")] * 60)
    with structlog.testing.capture_logs() as lines:
        while harness.clock.monotonic() - seen <= GOOD_FOR - SOON:
            assert look(harness, SOON) == watch(harness) == ""
        assert harness.dispatch() == 1
        harness.person("Bo")
        harness.clock.time += SOON + 1
        assert "over 30 minutes ago" in watch(harness)
        assert harness.ask() == 0
        for _ in range(10):
            assert "HTTP 503" in look(harness, SOON)
            assert watch(harness) != ""
        harness.crm._failures.clear()
        assert look(harness, SOON) == ""
    assert harness.dispatch() == 1
    assert [one["event"] for one in lines if one["event"].startswith("gate")] == ["gate_shut", "gate_open"]


def test_a_finding_that_passes_is_no_refusal(harness: Harness) -> None:
    class Busy(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            return [Finding(level=Level.ERROR, what="HTTP 502", cure="try again", passing=self.records == {})]

    look(harness)
    harness.parts = replace(harness.parts, crms={"crm": (busy := Busy("crm"))})
    assert look(harness, LOOK) == ""
    busy.add()
    assert "HTTP 502" in look(harness, SOON)


# --- what halts -----------------------------------------------------------------------------------


def test_a_halt_halts_the_connection_and_the_probe_brings_it_back(harness: Harness) -> None:
    harness.crm.fail("check", Halt("the token was revoked", trouble=Trouble.CREDENTIALS, cure="A new one."))
    with structlog.testing.capture_logs() as lines:
        assert look(harness) == "crm is halted"
        assert look(harness, LOOK) == "crm is halted"
    assert trouble(harness) is Trouble.CREDENTIALS
    assert [(one["cure"], one["connection"]) for one in lines if one["event"] == "halted"] == [("A new one.", "crm")]
    assert checks(harness) == 1, "a halted connection is the probe's"
    assert harness.dispatch() == 0
    assert harness.parts.gate.waits_for_somebody("people")
    harness.run(probe.run_once(harness.parts))
    assert trouble(harness) is None
    assert harness.dispatch() == 0, "not before it was seen"
    assert look(harness) == ""
    assert harness.dispatch() == 1


def test_a_finding_that_speaks_of_the_whole_connection_halts_it_too(harness: Harness) -> None:
    class Blocked(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            return [Finding(level=Level.ERROR, what="suspended", cure="Call them.", trouble=Trouble.BLOCKED)]

    harness.parts = replace(harness.parts, crms={"crm": Blocked("crm")})
    assert look(harness) == "crm is halted"
    assert trouble(harness) is Trouble.BLOCKED


def test_a_right_that_lacks_for_writing_halts_no_reading(harness: Harness) -> None:
    harness.crm.closed.add("email")
    assert look(harness) != ""
    assert trouble(harness) is None
    bo = harness.person("Bo")
    harness.pull()
    harness.plan()
    assert harness.state(bo) == "queued"


# --- whose it is ----------------------------------------------------------------------------------


def test_one_sync_s_property_stops_no_other_sync(harness: Harness) -> None:
    """Two syncs on one CRM, of which one writes where it may not."""
    phones = replace(harness.sync.fields[EMAIL], property="work_phone")
    other = replace(harness.sync, name="phones", object="leads", fields={PHONE: phones})
    harness.reopen(replace(harness.settings, syncs=(harness.sync, other)))
    harness.parts = replace(harness.parts, gate=Gate(dict(UNSEEN)))
    harness.crm.closed.add("email")
    assert "may not write email" in look(harness)
    assert harness.parts.gate.why("phones") == ""
    assert checks(harness) == 3, "together, then each by itself"
    harness.clock.time += 60
    assert harness.dispatch() == 0
    harness.crm.closed.clear()
    assert look(harness, REFUSED) == ""
    assert checks(harness) == 4
    assert harness.dispatch() == 1


def test_a_sync_whose_crm_was_seen_buys_while_another_crm_is_not(harness: Harness) -> None:
    """Each CRM is a stage of its own: one that does not answer keeps nobody else."""
    other = replace(harness.sync, name="elsewhere", crm="other")
    harness.reopen(replace(harness.settings, syncs=(other, harness.sync)))
    harness.parts = replace(
        harness.parts, gate=Gate(dict(UNSEEN)), crms={**harness.parts.crms, "other": FakeCrm("other")}
    )
    assert look(harness) == ""
    assert harness.parts.gate.why("elsewhere") == UNTRIED[WRITE_RIGHT]
    assert harness.dispatch() == 1


def test_the_selection_is_what_is_asked_about(harness: Harness) -> None:
    asked: list[Selection] = []

    class Curious(FakeCrm):
        async def check(self, selections: Sequence[Selection]) -> list[Finding]:
            asked.extend(selections)
            return await super().check(selections)

    harness.parts = replace(harness.parts, crms={"crm": Curious("crm")})
    look(harness)
    assert asked == [harness.sync.selection]
    assert asked[0].fields.keys() == {Field.EMAIL}
