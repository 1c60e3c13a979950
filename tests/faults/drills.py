"""Drills with copies of a ledger: made under load and restored, and an old one put in the ledger's place.

In here: one drill, by a seed, and what must be true after it. How often: the tests and the soak.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from syncd.contract.model import Submission
from syncd.ledger import copies, upkeep
from syncd.ledger.store import Ledger
from syncd.pipeline.watch import Watch
from tests.contract.fake_provider import FakeProvider
from tests.unit.audit import ask
from tests.unit.harness import EMAIL, UNHEARD, Harness

from .client import DAY
from .disk import sound, wait_until
from .process import PATIENCE, Load, Site, kept


def command(here: Site, *words: str) -> str:
    """What a command of syncd says; it succeeds."""
    done = here.command(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verified(here: Site) -> None:
    """`syncd verify` finds nothing."""
    assert json.loads(command(here, "verify", "--json"))["problems"] == []


async def copy_under_load(here: Site, rng: random.Random, copies: int) -> dict[str, int]:
    """So many copies at random moments of a daemon under load. Then its end, and the last copy in the ledger's place:
    whatever was acknowledged before that copy began is in it, and what comes from then on is taken."""
    here.start()
    await asyncio.to_thread(here.serving)
    load, stop = Load(here.client, here.urls, per_second=100.0), asyncio.Event()
    pouring = asyncio.create_task(load.run(stop))
    for number in range(copies):
        seen = len(load.acknowledged)
        some = rng.randrange(20, 200)
        await wait_until(lambda seen=seen, some=some: len(load.acknowledged) >= seen + some, "callbacks")  # type: ignore[misc]
        before, copy = set(load.acknowledged), here.folder / f"copy-{number}.db"
        await asyncio.to_thread(command, here, "backup", str(copy))
        assert before <= await asyncio.to_thread(kept, copy), "what was acknowledged before the copy began is in it"
        sound(copy)
    stop.set()
    await pouring
    assert load.failed == []
    await asyncio.to_thread(_put_back, here, copy, rng)
    assert before <= kept(here.ledger)
    await asyncio.to_thread(_goes_on, here, load)
    return {"copies": copies, "acknowledged": len(load.acknowledged)}


def _put_back(here: Site, copy: Path, rng: random.Random) -> None:
    """The daemon ends in one way or another, its ledger is lost, and the copy is restored."""
    here.running[-1].send_signal(rng.choice((signal.SIGTERM, signal.SIGKILL)))
    here.running[-1].wait(PATIENCE)
    aside = here.folder / "lost"
    aside.mkdir()
    for one in here.disk.glob("ledger.db*"):
        shutil.move(one, aside)
    assert "generation 1" in command(here, "restore", str(copy))
    sound(here.ledger)


def _goes_on(here: Site, load: Load) -> None:
    """What the copy had forgotten is taken when it is said again; the daemon buys nothing."""
    calls = ask(here.ledger, "SELECT count(*) FROM submission")
    here.start()
    here.serving()
    again = asyncio.run(_say_again(here, sorted(load.acknowledged)[:40]))
    assert again <= kept(here.ledger)
    assert ask(here.ledger, "SELECT count(*) FROM submission") == calls, "it buys nothing"
    here.running[-1].terminate()
    assert here.running[-1].wait(PATIENCE) == 0, here.log()
    verified(here)


async def _say_again(here: Site, bodies: list[bytes]) -> set[bytes]:
    for number, body in enumerate(bodies):
        assert (await here.client.post(here.urls[number % len(here.urls)], body)).status == 200
    return set(bodies)


# --- an old copy ------------------------------------------------------------------------------


def old_copy(folder: Path, seed: int) -> dict[str, int]:
    """F44. A copy from a random moment is restored after more was bought, answered and written. Returns what there was.

    Nothing is bought while it is frozen; answers to forgotten calls are recognised; what was written stands in the
    CRM. Only whose first call was never answered may be bought twice, and nobody else is."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, provider = random.Random(seed), FakeProvider("ann", capabilities=UNHEARD)
    with Harness(folder, providers=[provider], fields={EMAIL: ["ann"]}) as harness:
        return _Drill(harness, rng).run()


class _Drill:
    def __init__(self, harness: Harness, rng: random.Random) -> None:
        self.harness, self.rng, self.people = harness, rng, list[str]()
        self.answered: set[str] = set()
        harness.run(harness.ledger.write(upkeep.set_mark, upkeep.LAST_SEEN, harness.clock.now()))

    def run(self) -> dict[str, int]:
        for _ in range(self.rng.randrange(1, 5)):
            self._live()
        copy = self.harness.path.with_name("copy.db")
        copies.back_up(self.harness.path, copy)
        had = set(self.answered)
        known = {row[0] for row in self.harness.sql("SELECT id FROM submission")}
        for _ in range(self.rng.randrange(1, 5)):
            self._live()
        forgotten = [call for call in self.harness.fake.submitted if call.id not in known]
        gone = {contact_of(call) for call in self.harness.fake.submitted if call.id in (self.answered - had) & known}
        until = self._restore(copy)
        again = self._thaw(until, self._while_frozen(forgotten), gone)
        return {"people": len(self.people), "forgotten calls": len(forgotten), "bought again": again}

    def _live(self) -> None:
        """Some people come, some are asked about, some are answered, some get their value."""
        harness = self.harness
        for _ in range(self.rng.randrange(1, 6)):
            contact = harness.person(f"Person{len(self.people)}")
            harness.finds(contact, EMAIL, f"p{contact}@acme.example.com")
            self.people.append(contact)
        if self.rng.random() < 0.8:
            harness.ask()
        self._answer([call for call in harness.fake.submitted if self.rng.random() < 0.5])
        if self.rng.random() < 0.6:
            harness.finish()

    def _answer(self, calls: list[Submission]) -> None:
        """As the receiver takes it: what the address says of the contact is kept with the answer."""
        for call in calls:
            query = parse_qsl(call.callback_url.partition("?")[2])
            address = self.harness.parts.addresses.check("ann", query, now=self.harness.clock.now())
            assert address is not None
            delivery = self.harness.fake.delivery(call)
            self.harness.deliver(replace(delivery, ref=address.ref, field=address.field))
            self.answered.add(call.id)
        self.harness.inbox()

    def _restore(self, copy: Path) -> float:
        harness = self.harness
        harness.ledger.close()
        for end in ("", "-wal", "-shm"):
            harness.path.with_name(harness.path.name + end).unlink(missing_ok=True)
        until = harness.clock.now() + 2 * DAY
        assert copies.restore(copy, harness.path, frozen_until=until, now=0.0).generation == 1
        harness.parts = harness._assemble(Ledger.open(harness.path))
        sound(harness.path)
        return until

    def _look(self) -> str:
        self.harness.run(Watch().run_once(self.harness.parts))
        return self.harness.parts.gate.shut

    def _while_frozen(self, forgotten: list[Submission]) -> set[str]:
        """Some answers come late. Returns who may be bought again: whose answer never came, or went with the ledger."""
        harness = self.harness
        assert "restored from a copy" in self._look()
        harness.recover()
        harness.sweep()
        assert harness.ask() == 0
        harness.sweep()
        late = [call for call in harness.fake.submitted if call.id not in self.answered and self.rng.random() < 0.6]
        self._answer(late)
        harness.finish()
        lost = {contact_of(call) for call in forgotten if call not in late}
        return {contact for contact in lost if not harness.held(contact)}

    def _thaw(self, until: float, lost: set[str], gone: set[str]) -> int:
        """Everybody has the value in the end, but for those whose call the copy knew and whose answer went with the
        ledger: they are given up in time. Returns how many were bought again."""
        harness, before = self.harness, len(self.harness.fake.submitted)
        harness.clock.time = until + 1
        assert self._look() == ""
        asked = {contact_of(call) for call in harness.fake.submitted}
        for _ in range(3):
            harness.sweep()
            harness.ask()
            self._answer([call for call in harness.fake.submitted if call.id not in self.answered])
            harness.finish()
        again = [contact_of(call) for call in harness.fake.submitted[before:] if contact_of(call) in asked]
        assert set(again) <= lost, "whoever was answered, or still can be, is not bought twice"
        assert max(Counter(again).values(), default=0) <= 1
        for contact in self.people:
            if contact in gone and not harness.held(contact):
                assert harness.job(contact) == ("done", "no_callback")
            else:
                assert harness.held(contact) == f"p{contact}@acme.example.com"
        sound(harness.path)
        return len(again)


def contact_of(call: Submission) -> str:
    """Whom a call asked about."""
    return call.requests[0].ref.id
