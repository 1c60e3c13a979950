"""A far journey: twenty people with a story each, through every stage, the receiver on a real socket included,
in a process that a test may kill at any label (`labels`).

    FOLDER/ledger.db is restored from a copy that is older than a call; `prepare` makes it.

A process goes on from whatever was left, round by round as the daemon's bells ring, until nothing is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from syncd.config import Address, InDoubtPolicy, Settings
from syncd.config.sections import Ledger as LedgerSection
from syncd.contract.errors import ConnectorError
from syncd.contract.model import Author, ContactRef, EnrichmentRequest, Identity, Submission
from syncd.contract.pacing import Pacer
from syncd.contract.testing import StillClock
from syncd.ledger import copies, undos
from syncd.ledger.store import Ledger
from syncd.pipeline import dispatch, inbox, plan, probe, pull, rights, sweep, undoing, verify, writeback
from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Lane, Parts
from syncd.pipeline.watch import Watch, integrity
from syncd.web import public
from syncd.web.listener import Listener
from tests.contract.bench import START
from tests.unit.harness import SECRET, Harness, settings_of, sync_of

from .client import Client
from .far_world import (
    COLLEAGUES,
    EMAIL,
    FORGOTTEN,
    PEOPLE,
    PHONE,
    UNDONE,
    Crm,
    Memory,
    Vendor,
    calls,
    calls_back_never,
    id_of,
)
from .journey import asked_of
from .labels import LabelledLedger, LabelledPort, LabelledReceiver, Labels

HOUR, DAY = 3_600.0, 86_400.0
ORDER = {EMAIL: ["ann", "bob"], PHONE: ["bob"]}
PACE = (60, 60, 300, 60, HOUR, 60, 60, DAY, 60, 60)  # seconds between rounds, again and again
ROUNDS = 60
Stage = Callable[[], Awaitable[object]]
_OPEN = (
    "SELECT (SELECT count(*) FROM job WHERE state <> 'done') + (SELECT count(*) FROM write WHERE state = 'intent')"
    " + (SELECT count(*) FROM undo WHERE state IN ('asked', 'intent'))"
    " + (SELECT count(*) FROM submission WHERE state IN ('intent', 'accepted', 'in_doubt'))"
)


def prepare(folder: Path) -> None:
    """A ledger that was just restored from an old copy, and what happened since that copy was made."""
    folder.mkdir(parents=True, exist_ok=True)
    world = Memory(folder)
    known = [Vendor(world, name, bulk=name != "ann") for name in ("ann", "bob", "carl")]
    with Harness(
        folder, crm=Crm(world, people=2), providers=known, fields={**ORDER, PHONE: ["carl", "bob"]}
    ) as harness:
        harness.pull()
        harness.plan()
        copy = folder / "copy.db"
        copies.back_up(harness.path, copy)
    harness.path.unlink()
    copies.restore(copy, harness.path, frozen_until=START + 1000, now=0.0)
    copy.unlink()
    who = ContactRef(connection="crm", object="contacts", id=id_of("Max"))
    url = Addresses("https://enrich.example.com", [SECRET]).mint(
        "ann", FORGOTTEN, expires=START + 30 * DAY, ref=who, field=EMAIL
    )
    profile = f"https://www.linkedin.com/in/{PEOPLE[who.id].handle}"
    identity = Identity(first_name=PEOPLE[who.id].name, linkedin_url=profile)
    asked = [asked_of(EnrichmentRequest(id=FORGOTTEN, ref=who, identity=identity, fields=(EMAIL,)))]
    world.note("edit", contact=id_of("Ned"), name="email", value=COLLEAGUES["Ned"], by=Author.PERSON)
    world.note("call", by="ann", id=FORGOTTEN, asked=asked, url=url)
    world.note("time", at=START)


def travel(folder: Path, labels: Labels, puts_off: frozenset[str] = frozenset()) -> None:
    """One process, to the end of the journey; leaves what it passed in FOLDER/labels.json."""
    ledger = cast("LabelledLedger", LabelledLedger.open(folder / "ledger.db"))
    ledger.labels, ledger.puts_off = labels, puts_off
    asyncio.run(_Traveller(folder, ledger, labels).to_the_end())
    ledger.close()
    (folder / "labels.json").write_text(json.dumps(labels.passed))


class _Traveller:
    """The daemon's place: it rings the stages in a fixed order, and the world has its say in between."""

    def __init__(self, folder: Path, ledger: Ledger, labels: Labels) -> None:
        self._folder = folder
        self._ledger = ledger
        self._labels = labels
        self._world = Memory(folder)
        self._clock = StillClock(self._world.happened("time")[-1]["at"] + 1)
        self._vendors = {name: Vendor(self._world, name, bulk=name == "bob") for name in ("ann", "bob")}
        self._canary, self._watch = Canary(), Watch()
        self._parts = self._assemble()

    def _assemble(self) -> Parts:
        fakes = {name: cast("Any", LabelledPort(one, "Provider", self._labels)) for name, one in self._vendors.items()}
        crm = cast("Any", LabelledPort(Crm(self._world), "Crm", self._labels))
        return Parts(
            ledger=self._ledger,
            clock=self._clock,
            rng=random.Random(7),
            new_id=lambda: secrets.token_hex(16),
            settings=_settings(self._folder),
            crms={"crm": crm},
            lanes={n: Lane(provider=f, pacer=Pacer(f.capabilities.windows, self._clock)) for n, f in fakes.items()},
            addresses=Addresses("http://127.0.0.1:9", [SECRET]),
        )

    async def to_the_end(self) -> None:
        """Nothing may be left after so many rounds."""
        await sweep.recover(self._parts)
        await integrity(self._parts)
        if self._world.strikes("nobody listens yet"):
            await self._canary.run_once(self._parts)
        app = LabelledReceiver(public.application(self._parts, self._canary), self._labels, self._acknowledged)
        listener = Listener(cast("Any", app), Address("127.0.0.1", 0))
        await listener.start()
        self._parts = replace(self._parts, addresses=Addresses(f"http://127.0.0.1:{listener.port}", [SECRET]))
        try:
            for pause in itertools.islice(itertools.cycle(PACE), ROUNDS):
                await self._round(Client(listener.port))
                if not await self._ledger.read(_open_things):
                    return
                self._clock.time += pause
                self._world.note("time", at=self._clock.time)
        finally:
            await listener.stop()

    async def _round(self, client: Client) -> None:
        for stage in self._stages(partial(self._call_back, client)):
            with contextlib.suppress(ConnectorError):  # the daemon lets that stage wait for its next bell
                await stage()

    def _stages(self, call_back: Stage) -> list[Stage]:
        parts = self._parts
        (sync,) = parts.syncs
        answers: list[Stage] = [call_back, partial(inbox.run_once, parts), partial(verify.run_once, parts)]
        canary: list[Stage] = [partial(self._canary.run_once, parts)] * parts.gate.is_shut("callbacks")
        return [
            partial(self._watch.run_once, parts),
            *canary,
            partial(probe.run_once, parts),
            partial(rights.run_once, parts, sync.crm),
            *answers,
            partial(sweep.run_once, parts),
            partial(pull.run_once, parts, sync),
            partial(plan.run_once, parts),
            *answers,
            *(partial(dispatch.run_once, parts, name) for name in parts.lanes),
            *answers,
            partial(writeback.run_once, parts, sync),
            self._take_back,
            partial(undoing.run_once, parts),
            partial(plan.run_once, parts),
            partial(probe.flush, parts),
        ]

    # --- the world's part ---------------------------------------------------------------------

    async def _call_back(self, client: Client) -> None:
        """Each call that was carried out is answered until that is acknowledged."""
        told = {fact["id"] for fact in self._world.happened("told")}
        for name, call in calls(self._world):
            if call.id not in told and not calls_back_never(call):
                if id_of("Gus") in {one.ref.id for one in call.requests} and self._world.strikes("a riddle"):
                    await self._say(client, name, call, b'{"riddle": "?"}')
                if await self._say(client, name, call) == 200:
                    self._world.note("told", id=call.id)

    async def _take_back(self) -> None:
        """A person does not want what was written to some of them, and says so by a command, another process."""
        for name in UNDONE:
            wanted = undos.Wanted(contact=ContactRef(connection="crm", object="contacts", id=id_of(name)))
            found = await self._ledger.read(undos.find, wanted)
            if found and name not in {fact["of"] for fact in self._world.happened("taken back")}:
                Ledger.change(self._ledger.place, undos.ask, found, name, now=self._clock.now())
                self._world.note("taken back", of=name)

    async def _say(self, client: Client, name: str, call: Submission, body: bytes | None = None) -> int:
        delivery = self._vendors[name].delivery(call, body=body)
        return (await client.post(call.callback_url, delivery.body, delivery.headers)).status

    def _acknowledged(self, submission: str, digest: str) -> None:
        self._world.note("acknowledged", id=submission, digest=digest)


def _open_things(tx: Any) -> int:
    return int(tx._connection.execute(_OPEN).fetchone()[0])


def _settings(folder: Path) -> Settings:
    """As a harness has it, for these vendors. What is in doubt at ann is never sent again, at bob once."""
    path = folder / "ledger.db"
    usual = settings_of(path, ["ann", "bob"], ["crm"], (sync_of("crm", ORDER),), InDoubtPolicy.NEVER)
    connections = {name: replace(one, in_doubt_hold=12 * HOUR) for name, one in usual.connections.items()}
    connections["bob"] = replace(connections["bob"], in_doubt_policy=InDoubtPolicy.RESEND_ONCE)
    small = LedgerSection.model_validate({"path": path, "reserve": "1MiB"})
    return replace(usual, ledger=small, connections=connections)
