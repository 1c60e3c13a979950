"""Random walks through a harness whose wall clock jumps, stands still and is set, while the real time goes on.

In here: the clocks, the walk, and what must be true at each step and in the end. How often: the tests and
the soak.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from syncd.contract.errors import InDoubt
from syncd.contract.model import Receipt, Submission
from syncd.contract.testing import StillClock
from syncd.pipeline.watch import Watch
from tests.contract.bench import START
from tests.contract.fake_provider import FakeProvider
from tests.unit.harness import EMAIL, UNHEARD, Harness

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
CALM = 100 * DAY  # after which every clock has caught up


class Clocks(StillClock):
    """A wall clock that may be `off` by any time, and a monotonic one that nothing disturbs."""

    def __init__(self) -> None:
        super().__init__(START)
        self.true, self.off, self.stands = self.time, 0.0, False

    def monotonic(self) -> float:
        return self.true

    def spend(self, seconds: float) -> None:
        """Real time goes by; a wall clock that stands lags behind by as much."""
        self.true += seconds
        self.off -= seconds if self.stands else 0.0
        self.time = self.true + self.off

    def set(self, off: float) -> None:
        """Somebody, or NTP, sets the wall clock."""
        self.off, self.stands = off, False
        self.time = self.true + off

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.spend(seconds)


class Interrupted(FakeProvider):
    """`meanwhile`, if set, happens once while a call is under way."""

    meanwhile: Callable[[], object] | None = None

    async def submit(self, submission: Submission) -> Receipt:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return await super().submit(submission)


@dataclass
class Walk:
    """So many jumps of the clock, each followed by some hours of ordinary work, then calm."""

    harness: Harness
    rng: random.Random
    jumps: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)  # states of jobs at a jump
    held: int = 0  # looks of the watch that found that the clock is not to be believed
    people: int = 0
    _answered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        harness, self.clock, self.watch = self.harness, Clocks(), Watch()
        harness.clock = self.clock
        harness.parts = harness._assemble(harness.ledger)
        assert isinstance(harness.fake, Interrupted)
        self.provider = harness.fake

    def run(self, jumps: int) -> None:
        """Walk, then come to rest."""
        self._work()
        for _ in range(jumps):
            self._jump()
            for _ in range(self.rng.randrange(1, 4)):
                self._work()
            if self.rng.random() < 0.8:
                self.clock.set(0.0)
                self._work()
        self._rest()

    # --- jumps --------------------------------------------------------------------------------

    def _jump(self) -> None:
        kind = self.rng.choice(("back", "far back", "leap", "days", "step", "stands"))
        self.jumps[kind] += 1
        r = self.rng.uniform
        off = {"back": -r(2 * MINUTE, DAY), "far back": -r(DAY, 30 * DAY), "leap": r(8 * DAY, 40 * DAY)}
        off |= {"days": r(HOUR, 6 * DAY), "step": r(-59, 59)}

        def happen() -> None:
            self.met.update(row[0] for row in self.harness.sql("SELECT state FROM job"))
            if kind == "stands":
                self.clock.stands = True
            else:
                self.clock.set(off[kind])

        where = self.rng.random()
        if where < 0.25:
            self.provider.meanwhile = happen
        elif where < 0.5:
            self.harness.crm.between_read_and_write = happen
        else:
            happen()

    # --- work ---------------------------------------------------------------------------------

    def _work(self) -> None:
        """Some hours in which everything is tried; nothing of it may happen while the clock is not believed."""
        for _ in range(self.rng.randrange(2, 12)):
            self._look()
            before = self._deeds() if self.harness.parts.gate.hold else None
            self.rng.choice(
                (self._newcomers, self._ask, self._answer, self._finish, self.harness.sweep, self._sweep_at_once)
            )()
            if before is not None:
                self._idle_since(before, "in hold mode")
            self.clock.spend(self.rng.uniform(MINUTE, HOUR))

    def _look(self) -> None:
        self.harness.run(self.watch.run_once(self.harness.parts))
        self.held += self.harness.parts.gate.hold

    def _deeds(self) -> tuple[int, ...]:
        """Calls made, calls that are given up, bodies that were let go of."""
        [counts] = self.harness.sql(
            "SELECT (SELECT count(*) FROM submission), (SELECT count(*) FROM submission WHERE state = 'expired'), "
            "(SELECT count(*) FROM delivery WHERE length(body) = 0)"
        )
        return len(self.provider.submitted), *counts

    def _idle_since(self, before: tuple[int, ...], when: str) -> None:
        """Fewer is well: a late answer revives what was given up."""
        deeds = zip(("sent", "intended", "expired", "purged"), before, self._deeds(), strict=True)
        assert [name for name, was, now in deeds if now > was] == [], when

    def _newcomers(self) -> None:
        for _ in range(self.rng.randrange(1, 4)):
            self.people += 1
            contact = self.harness.person(f"Person{self.people}")
            self.harness.finds(contact, EMAIL, f"p{contact}@acme.example.com")

    def _ask(self) -> None:
        if self.rng.random() < 0.2:
            self.provider.refusals.append(InDoubt("the line went dead"))
        self.harness.ask()

    def _answer(self) -> None:
        """Some calls are answered, at the address that they were given."""
        waiting = [call for key, call in self.provider.accepted.items() if key not in self._answered]
        for call in self.rng.sample(waiting, min(len(waiting), 3)):
            query = parse_qsl(call.callback_url.partition("?")[2])
            assert self.harness.parts.addresses.check(self.provider.name, query, now=self.clock.now()) is not None
            self._answered.add(call.id)
            self.harness.deliver(self.provider.delivery(call))
        if self.rng.random() < 0.7:
            self.harness.inbox()

    def _finish(self) -> None:
        self.harness.inbox()
        self.harness.verify()
        self.clock.spend(MINUTE)
        self.harness.writeback()

    def _sweep_at_once(self) -> None:
        """The clock has just leapt, and the watch has not looked yet."""
        before, off = self._deeds(), self.clock.off
        self.clock.set(off + 30 * DAY)
        self.harness.sweep()
        self._idle_since(before, "on the word of a clock that leapt")
        self.clock.set(off)

    # --- rest ---------------------------------------------------------------------------------

    def _rest(self) -> None:
        """The clock is right from now on: everybody has the value that was paid for once."""
        self.clock.set(0.0)
        self.provider.meanwhile = self.harness.crm.between_read_and_write = None
        self.provider.refusals.clear()
        for _ in range(int(CALM / (6 * HOUR))):
            self._look()
            if not self.harness.parts.gate.shut:
                break
            self.clock.spend(6 * HOUR)
        assert self.harness.parts.gate.shut == ""
        for _ in range(8):
            self.harness.sweep()
            self.harness.ask()
            while len(self._answered) < len(self.provider.accepted):
                self._answer()
            self._finish()
            self.clock.spend(HOUR)
        self._everything_is_right()

    def _everything_is_right(self) -> None:
        asked = Counter(call.requests[0].ref.id for call in self.provider.accepted.values())
        assert set(asked.values()) <= {1}, "nobody is bought twice"
        rows = self.harness.sql("SELECT ext_id, state, reason FROM job JOIN contact ON contact.id = contact_id")
        assert len(rows) == self.people == len(asked)
        assert {row[1:] for row in rows} <= {("done", "written")}
        for contact in asked:
            assert self.harness.held(contact) == f"p{contact}@acme.example.com"


def walk(folder: Path, seed: int, jumps: int) -> Walk:
    """One walk with so many jumps."""
    folder.mkdir(parents=True, exist_ok=True)
    provider = Interrupted("ann", capabilities=UNHEARD)
    with Harness(folder, providers=[provider], fields={EMAIL: ["ann"]}) as harness:
        walked = Walk(harness, random.Random(seed))
        walked.run(jumps)
        return walked
