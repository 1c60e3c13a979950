"""The world of one history: people, CRMs, providers, colleagues, and the mixture of faults that they meet.

In here: what joins the sides. What happens by itself is in `events`; whether it went well is the judge's.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import random
import sys
from collections import deque
from dataclasses import replace
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from connectors import fullenrich
from syncd.config import Settings
from syncd.contract.model import Field, Grade, Identity

from .colleagues import Colleagues, Operator
from .configuration import Configuration
from .crm import PROPERTY, Crm, Record, is_selected
from .events import Events
from .judge import Judge
from .life import Life
from .mixture import Draw
from .people import Market, Person, may_be, populate
from .rights import Rights
from .timeline import DAY, HOUR, Owner, WallClock, spawn
from .vendor import Letter, Vendor
from .vendors import FullEnrich, Zeliq

RESTLESS = 200  # bells a day at most, on average
UNLIMITED = 8  # the first so many seeds know a sync's own budget only: they find what has nothing to do with money soon
AT_WORK = 1500  # commits in an hour at most
REMEMBERED = 60  # lines of a trace that are shown


class Violation(Exception):
    """A promise was broken."""


class World(Owner):
    """Everything that is not the daemon."""

    def __init__(
        self, seed: int, path: Path, draw: Draw, *, heard: StringIO | None = None, verbose: bool = False
    ) -> None:
        super().__init__()
        rng = random.Random(seed)
        self._entries = random.Random(f"who is entered when, {seed}")  # whatever else happens
        self.path = path
        self.mixture = draw(rng)
        self.heard = heard  # the daemon's log, if anybody listens
        self.wall_clock = WallClock()
        self.judge = Judge(self)
        self.violations: list[str] = []
        self.cause: BaseException | None = None
        self.recent: deque[str] = deque(maxlen=REMEMBERED)
        self.digest = hashlib.sha256()
        self._verbose = verbose
        self.troubles: dict[str, str] = {}
        self.cut_off_since: float | None = None  # callbacks can't reach us
        self.lives = 0
        self.rings = 0
        self._work = (0, 0)  # the hour, and the commits in it
        self._swept = self._ahead = 0.0
        self.life: Life | None = None
        self.market = Market(populate(rng, rng.randint(4, 12)))
        two = rng.random() < 0.4
        self.crms = {"north": Crm(self, "north", 500, conditional=rng.random() < 0.3)}
        if two:
            self.crms["south"] = Crm(self, "south", 9000, conditional=rng.random() < 0.5)
        rich = 100_000
        self.vendors: dict[str, Vendor] = {
            "zeliq": Zeliq(self, "key-z-0", rng.choice((rich, rich, 60))),
            "fullenrich": FullEnrich(self, "key-f-0", rng.choice((rich, rich, 40))),
        }
        self.old_key = ""
        self.keys = {vendor.key for vendor in self.vendors.values()}  # all that there ever were
        self.colleagues = Colleagues(self)
        self.operator = Operator(self, random.Random(f"what is decided when, {seed}"))
        self.rights = Rights(self, seed)
        self.pasted: set[str] = set()  # profiles that stand in somebody else's record
        changes = random.Random(f"what is configured when, {seed}")
        money = random.Random(f"what may be spent when, {seed}") if seed > UNLIMITED else None
        policies = random.Random(f"what may be replaced, {seed}") if seed > UNLIMITED else None
        self.configuration = Configuration(rng, changes, money, policies, path, tuple(self.crms))

    # --- the time, the trace ------------------------------------------------------------------

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def note(self, what: str) -> None:
        """A line of the trace: its hash is the history's fingerprint."""
        line = f"{self.now / DAY:10.5f} {what}"
        self.digest.update(line.encode())
        self.recent.append(line)
        if self._verbose:
            sys.stdout.write(line + "\n")

    def violated(self, promise: str, what: str, cause: BaseException | None = None) -> None:
        """The first violation ends the history."""
        if not self.violations:
            self.note(f"!! {promise}: {what}")
            self.cause = cause
        self.violations.append(f"{promise}: {what}")

    def broke(self, error: BaseException) -> None:
        """A part of the world failed: the simulation itself is wrong."""
        self.violated("SIMULATION", f"{type(error).__name__}: {error}", error)

    def rang(self) -> None:
        """Work was looked for. More often than that, it is the same work again and again."""
        self.rings += 1
        if self.rings > RESTLESS * (self.now / DAY + 5):
            self.violated("I4", "the daemon never comes to rest")

    def worked(self) -> None:
        """Something was committed. So much in an hour is the same work again and again."""
        hour = int(self.now // HOUR)
        self._work = (hour, self._work[1] + 1 if self._work[0] == hour else 1)
        if self._work[1] == AT_WORK:
            self.violated("I4", f"{AT_WORK} commits in an hour: the same work again and again")
            if self.life is not None:
                asyncio.get_running_loop().call_soon(self.life.crash, "because it never ends")

    # --- what the sides ask of it -------------------------------------------------------------

    def settings(self) -> Settings:
        """The configuration as a start finds it."""
        read = self.configuration.read(self.now)
        connections = dict(read.connections)
        key = self.vendors["fullenrich"].key
        previous = SecretStr(self.old_key) if self.old_key else None
        options = fullenrich.Options(api_key=SecretStr(key), previous_api_key=previous)
        connections["fullenrich"] = replace(connections["fullenrich"], options=options)
        return self.configuration.as_called(replace(read, connections=connections))

    def query(self, url: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(url).query))

    def first_ref(self, ref: str) -> str:
        """A contact as the world calls it: by its connection's first name."""
        name, _, rest = ref.partition("/")
        return f"{self.configuration.first_names[name]}/{rest}"

    def record(self, ref: str) -> tuple[Crm, Record]:
        name, _, contact = self.first_ref(ref).split("/")
        return self.crms[name], self.crms[name].records[contact]

    def acceptable(self, crm: str, record: Record, fld: Field) -> frozenset[str]:
        """What may be written to a record as it is now: the person's, or a namesake's that nothing tells from them."""
        policy = self.configuration.sync_of(crm).fields.get(fld)
        accept = frozenset[Grade]() if policy is None else policy.accept
        return frozenset(
            value for p in self.market.people if self._is_about(record, p) for value in p.good(fld, accept)
        )

    def fits(self, ref: str, person: Person | None) -> bool:
        """Is an answer about this person one about whom the record is about, as far as anybody can tell?"""
        return person is None or self._is_about(self.record(ref)[1], person)

    @staticmethod
    def _is_about(record: Record, person: Person) -> bool:
        return person is record.person or may_be(record.own, person)

    def outside(self, ref: str) -> float:
        """For how many seconds a record has not been in the selection of its CRM's sync, as far as that can be seen."""
        crm, record = self.record(ref)
        if is_selected(record, self.configuration.sync_of(crm.name).match):
            return 0.0
        return self.now - max(self.configuration.matched_since(crm.name), crm.moved.get(record.id, 0.0))

    def in_vain(self, ref: str, fld: Field) -> float:
        """For how many seconds there has been nothing to find: the field is filled, or the record is not there."""
        crm, record = self.record(ref)
        if record.gone or record.now is not None:
            return self.now - record.left
        return self.now - crm.edited(record, PROPERTY[fld]) if record.values.get(PROPERTY[fld]) else 0.0

    def is_due(self, ref: str, fld: Field) -> bool:
        """Does the record hold a value of ours that is to be verified again by now?"""
        crm, record = self.record(ref)
        policy = self.configuration.sync_of(crm.name).fields.get(fld)
        last = next((e for e in reversed(crm.log) if (e.record, e.name) == (record.id, PROPERTY[fld])), None)
        if record.gone or record.now is not None or policy is None or policy.refresh is None or last is None:
            return False
        stands = last.who == "syncd" and last.value and last.value == record.values.get(PROPERTY[fld])
        return bool(stands) and self.now - last.at + self.wall_clock.furthest >= policy.refresh

    def awaited_before_a_write(self, ref: str) -> int:
        """For how many other contacts of the CRM an answer is awaited, while it has never taken a write."""
        crm, record = self.record(ref)
        if any(entry.who == "syncd" for entry in crm.log):
            return 0
        open_ = {
            p.ref
            for vendor in self.vendors.values()
            for p in vendor.purchases
            if p.is_awaited(self.now) and p.submission not in vendor.tampered.union(vendor.polled)
        }
        return len([other for other in open_ if self.record(other)[0] is crm and self.record(other)[1] is not record])

    def begin_trouble(self, name: str, what: str) -> None:
        """A CRM's token is refused, for some hours."""
        if name not in self.troubles:
            self.troubles[name] = what
            spawn(self, self._lift(name))

    async def _lift(self, name: str) -> None:
        await asyncio.sleep(self.mixture.rng.uniform(0.1, 8 * HOUR))
        self.troubles.pop(name, None)

    async def call_back(self, letter: Letter) -> int | None:
        status = await self.knock(letter.url, letter.body, dict(letter.headers))
        kind = "" if letter.genuine else " (not genuine)"
        self.note(f"{letter.vendor}'s callback of {letter.submission[:6]}{kind}: {status}")
        return status

    async def knock(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        """A POST to the public address; None when there is no answer."""
        await asyncio.sleep(self.mixture.rng.uniform(0.01, 0.2))
        open_ = self.cut_off_since is None and self.life is not None
        return await self.life.receive(url, body, headers) if open_ and self.life is not None else None

    # --- a history ----------------------------------------------------------------------------

    async def unfold(self, days: float) -> None:
        """So many days with faults, then days without until all is settled; the judge has the last word."""
        spawn(self, self._hire(days))
        spawn(self, self._keep_alive())
        spawn(self, self.operator.work())
        spawn(self, self.rights.work())
        for name, rate in self.mixture.events.items():
            if rate:
                spawn(self, Events(self).happen(name, rate))
        await self._pass(days * DAY)
        self._end_faults()
        await self._settle()
        if not self.violations:
            self.judge.conclude(self.life.ledger if self.life else None)
        await self._end()

    async def _pass(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end and not self.violations:
            await asyncio.sleep(min(HOUR, end - self.now))
            if self.now - self._swept > 5 * DAY:  # rubbish is collected at a time of its own, not the machine's
                self._swept = self.now
                gc.collect(0)

    async def _settle(self) -> None:
        """Until nothing is open any more, or one thing has been for longer than any budget's window: for several of
        them, where a month has room for some of all contacts only.

        What was to happen by a clock that was ahead happens that much later.
        """
        windows = 4 if any(one.per_month is not None for one in self.configuration.now.budgets) else 1
        await self._pass(2 * DAY)
        since: dict[str, float] = {}
        while not self.violations and self.life is not None:
            still = self.judge.unsettled(self.life.ledger) if self.life.alive else ["a dead daemon"]
            since = {what: since.get(what, self.now) for what in still}
            if not still or self.now - min(since.values()) > windows * 35 * DAY + self._ahead:
                return
            await self._pass(DAY)

    def _end_faults(self) -> None:
        self.note("-- the faults are switched off")
        self.mixture.active = False
        self.mixture.events.clear()
        self.troubles.clear()
        self.cut_off_since = None
        for crm in self.crms.values():
            crm.rule = False
        self._ahead = max(self.wall_clock.skew, 0.0)
        self.wall_clock.jump(-self.wall_clock.skew)
        for vendor in self.vendors.values():
            vendor.trouble, vendor.credits = "", 100_000

    async def _keep_alive(self) -> None:
        """Systemd: after every end, a new life."""
        while True:
            self.lives += 1
            self.life = Life(self, self.lives)
            spawn(self.life, self.life.run())
            await self.life.ended.wait()
            rng = self.mixture.rng
            await asyncio.sleep(rng.uniform(0.3, 5) if rng.random() < 0.9 else rng.uniform(60, 12 * HOUR))

    async def _end(self) -> None:
        if self.life is not None and self.life.alive:
            self.life._die()
        tasks = [task for task in (*self.tasks, *(self.life.tasks if self.life else ())) if not task.done()]
        here = asyncio.current_task()
        for task in tasks:
            if task is not here:
                task.cancel()
        await asyncio.sleep(1)

    # --- what happens by itself ---------------------------------------------------------------

    def _employ(self, person: Person) -> None:
        """Enter a person into a CRM, now and then twice, or with somebody else's profile or mailbox."""
        rng = self._entries
        for crm in self.crms.values():
            for _ in range(rng.choice((1, 1, 1, 2)) if crm.name == "north" or rng.random() < 0.6 else 0):
                mailbox = self._mailbox(crm, person)
                crm.add(person, self._known(person), **({"email": mailbox} if mailbox else {}))

    def _known(self, person: Person) -> Identity:
        """What is entered of somebody; the mailbox has a property of its own."""
        rng, known = self._entries, replace(person.identity, email=None)
        others = self.market.of_another_name(person)
        if known.last_name and others and rng.random() < 0.06:
            profile = rng.choice(others).truth.linkedin_url or ""
            self.pasted.add(profile)
            return replace(known, linkedin_url=profile)
        return known

    def _mailbox(self, crm: Crm, person: Person) -> str:
        """Typed in by a colleague: now and then the one of somebody else, copied from the other CRM."""
        rng = self._entries
        held = {record.values.get("email", "") for record in crm.records.values()} - {""}
        theirs = [
            e for c in self.crms.values() if c is not crm for r in c.records.values() if (e := r.values.get("email"))
        ]
        if person.truth.email:
            return "" if person.truth.email in held else person.truth.email
        if theirs and rng.random() < 0.15:
            return next((address for address in theirs if address not in held), "")
        typed = f"{person.key}.{crm.name}@typed.example.com"
        return typed if rng.random() < 0.15 and typed not in held else ""

    async def _hire(self, days: float) -> None:
        """Half of the people are there from the start, the others come one by one."""
        for number, person in enumerate(self.market.people):
            if number * 2 > len(self.market.people):
                await asyncio.sleep(self._entries.expovariate(len(self.market.people) / days) * DAY)
            self._employ(person)
