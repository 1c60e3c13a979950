"""A wall clock that is set while the daemon runs: it is held until the clock ran steadily, and what is due goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.ledger import retries
from syncd.pipeline.watch import STEADY, Watch
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import EMAIL, UNHEARD, Harness

from .client import opened
from .clocks import Clocks
from .conftest import Build

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
ANSWERS_WITHIN = 2 * DAY


class Stepped:
    """A call under way whose answer can only come by callback, another provider whose turn would be next, and a
    watch that looks every ten seconds of real time."""

    def __init__(self, harness: Harness) -> None:
        self.harness, self.clock, self.watch = harness, Clocks(), Watch()
        harness.clock = self.clock
        harness.parts = harness._assemble(harness.ledger)
        self.contact = harness.person("Ada")
        self.look()
        assert harness.ask() == 1

    def restart(self) -> None:
        self.harness.reopen()
        self.watch = Watch()

    def look(self) -> bool:
        """Is the clock believed?"""
        self.harness.run(self.watch.run_once(self.harness.parts))
        return not self.harness.parts.gate.hold

    def run(self, seconds: float) -> list[bool]:
        """Ordinary work goes on for so long; returns what each look said."""
        looks = []
        for _ in range(int(seconds / 10)):
            self.clock.spend(10)
            looks.append(self.look())
            self.work()
        return looks

    def work(self) -> None:
        self.harness.sweep()
        self.harness.verify()
        self.harness.ask()

    @property
    def bought(self) -> int:
        return sum(len(fake.submitted) for fake in self.harness.fakes.values())


@pytest.fixture
def stepped(build: Build) -> Stepped:
    caps = replace(UNHEARD, answer_within=ANSWERS_WITHIN)
    fakes = [FakeProvider("ann", capabilities=caps), FakeProvider("bob", capabilities=caps)]
    return Stepped(build(providers=fakes, fields={EMAIL: ["ann", "bob"]}))


steps = pytest.mark.parametrize("step", [61.0, HOUR, 6 * DAY, 10 * DAY, 400 * DAY, -61.0, -HOUR, -6 * DAY, -400 * DAY])


@steps
def test_n2_a_step_that_was_seen_expires_nothing_and_buys_nothing_until_the_clock_is_steady(
    stepped: Stepped, step: float
) -> None:
    stepped.run(MINUTE)
    stepped.clock.set(step)
    stepped.harness.person("Bo")
    stepped.work()  # the watch has not looked yet
    assert (stepped.bought, stepped.harness.state(stepped.contact)) == (1, "sent")
    assert not any(stepped.run(STEADY - 10))
    assert (stepped.bought, stepped.harness.submissions()) == (1, ["accepted"])
    assert stepped.run(40)[-1]
    assert stepped.harness.state(stepped.contact) == "sent", "its answer may still come"
    assert stepped.bought == 2, "Bo is asked about now"


@steps
def test_n2_a_deadline_is_counted_on_from_where_it_stood(stepped: Stepped, step: float) -> None:
    stepped.clock.set(step)
    stepped.run(STEADY + 2 * MINUTE)
    stepped.clock.spend(ANSWERS_WITHIN - HOUR)
    assert stepped.look()
    stepped.work()
    assert stepped.harness.submissions() == ["accepted"]
    stepped.clock.spend(HOUR if step > -DAY else ANSWERS_WITHIN)  # set back far, a call keeps two days at the least
    stepped.run(MINUTE)
    assert stepped.harness.submissions()[0] == "expired"
    assert stepped.bought == 2


@pytest.mark.parametrize("step", [HOUR, 6 * DAY, -6 * DAY])
def test_n2_a_clock_that_is_put_right_soon_has_moved_nothing(stepped: Stepped, step: float) -> None:
    [before] = stepped.harness.sql("SELECT deadline FROM submission")
    stepped.clock.set(step)
    stepped.run(5 * MINUTE)
    stepped.clock.set(0.0)
    assert not any(stepped.run(STEADY - 10)), "it is held until it has been steady from then on"
    assert stepped.run(40)[-1]
    [after] = stepped.harness.sql("SELECT deadline FROM submission")
    assert after[0] == pytest.approx(before[0], abs=1)


@pytest.mark.parametrize("step", [HOUR, 6 * DAY, -6 * DAY])
def test_n2_a_restart_does_not_make_it_believe(stepped: Stepped, step: float) -> None:
    stepped.clock.set(step)
    stepped.run(MINUTE)
    stepped.restart()
    stepped.work()
    assert not any(stepped.run(STEADY - 20))
    stepped.run(MINUTE if step > 0 else HOUR)  # set back unseen: an hour, as ever
    assert stepped.look()
    assert stepped.harness.submissions() == ["accepted"]
    assert stepped.bought == 1


@pytest.mark.parametrize("lost", [1.0, 0.5, -0.5, -3.0])
def test_n2_a_clock_that_stands_or_races_is_not_believed(stepped: Stepped, lost: float) -> None:
    for _ in range(90):
        stepped.clock.set(stepped.clock.off - 10 * lost)
        stepped.run(10)
    assert not stepped.look()
    assert stepped.bought == 1
    assert stepped.harness.submissions() == ["accepted"]


@pytest.mark.parametrize("drift", [1e-4, 0.05, -0.05])
def test_n2_a_clock_that_is_slewed_is_believed(stepped: Stepped, drift: float) -> None:
    """As chrony and ntpd put a small difference right: by some percent at the most."""
    for _ in range(200):
        stepped.clock.set(stepped.clock.off + 10 * drift)
        assert stepped.run(10) == [True]


def test_n2_what_a_step_put_off_is_put_off_no_more_once_the_clock_was_set_back_unseen(build: Build) -> None:
    """Somebody puts the clock right while syncd is down: a miss counts no longer than it ever would have."""
    stepped = Stepped(build(fields={EMAIL: ["ann"]}))
    stepped.harness.answer_all()
    stepped.harness.verify()
    assert stepped.harness.reason(stepped.contact) == "not_found"
    [[due]] = stepped.harness.sql("SELECT at FROM again")
    stepped.run(MINUTE)
    stepped.clock.spend(due - stepped.clock.now() - 5 * DAY)
    assert stepped.look()
    stepped.clock.set(10 * DAY)
    assert stepped.run(STEADY + MINUTE)[-1]
    assert stepped.harness.sql("SELECT at FROM again") == [(pytest.approx(due + 10 * DAY, abs=1),)]
    stepped.clock.set(0.0)
    stepped.restart()
    assert stepped.run(HOUR + MINUTE)[-1]
    [[again]] = stepped.harness.sql("SELECT at FROM again")
    assert due <= again <= due + HOUR + MINUTE, "how far it was set back is known but for the time that has passed"
    stepped.clock.spend(5 * DAY)
    assert stepped.look()
    stepped.harness.plan()
    stepped.work()
    assert stepped.bought == 2


def test_n2_what_is_tried_again_is_asked_once_although_the_clock_was_set_back_since(build: Build) -> None:
    """A person wants another try while the clock is ahead: its answer counts, although by the clock it comes before."""
    stepped = Stepped(build(fields={EMAIL: ["ann"]}))
    stepped.harness.answer_all()
    stepped.harness.verify()
    stepped.run(MINUTE)
    stepped.clock.set(10 * DAY)
    assert stepped.run(STEADY + MINUTE)[-1]
    [[job]] = stepped.harness.sql("SELECT id FROM job")
    stepped.harness.run(stepped.harness.ledger.write(retries.retry, [job], now=stepped.clock.now()))
    stepped.harness.plan()
    stepped.clock.set(0.0)
    assert stepped.run(STEADY + MINUTE)[-1]
    for _ in range(5):
        stepped.harness.plan()
        stepped.work()
        stepped.harness.answer_all()
    assert (stepped.bought, stepped.harness.job(stepped.contact)) == (2, ("done", "not_found"))


def test_n2_an_address_is_good_for_as_long_as_it_was(stepped: Stepped) -> None:
    """A step of many weeks is believed in the end: what was paid for before may still come in, after a restart too."""
    url = stepped.harness.fake.submitted[0].callback_url
    stepped.clock.set(400 * DAY)
    stepped.run(STEADY + MINUTE)
    assert stepped.look()

    async def post() -> int:
        async with opened(stepped.harness.parts) as client:
            return (await client.post(url)).status

    assert stepped.harness.run(post()) == 200
    stepped.restart()
    assert stepped.look()
    assert stepped.harness.run(post()) == 200
    stepped.clock.spend(61 * DAY)
    assert stepped.harness.run(post()) == 404


class HeldUp(Clocks):
    """Now and then the process stands still for two minutes just after it has looked at the wall clock."""

    looks = 0

    def now(self) -> float:
        now = super().now()
        self.looks += 1
        if self.looks % 3 == 0:
            self.spend(2 * MINUTE)
        return now


def test_a_process_that_was_held_up_between_two_clocks_takes_neither_for_set(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    harness.clock = HeldUp()
    harness.parts = harness._assemble(harness.ledger)
    watch = Watch()
    for _ in range(20):
        harness.run(watch.run_once(harness.parts))
        assert not harness.parts.gate.hold
        assert not harness.parts.clock_was_set


def test_a_doubted_clock_is_nobodys_to_mend(build: Build) -> None:
    """So that `run --once` waits until it is believed, and does not end with nothing done."""
    stepped = Stepped(build(fields={EMAIL: ["ann"]}))
    stepped.clock.set(9 * DAY)
    assert not stepped.look()
    assert not stepped.harness.parts.gate.waits_for_somebody("people")
