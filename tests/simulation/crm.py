"""A simulated CRM, seen from both sides: the port that the daemon uses, and colleagues at work.

In here: records with their history and a log of every change, which is all that the judge
reads. What goes wrong on the way, and who edits inside which window, the mixture of faults says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import (
    Author,
    Change,
    Contact,
    ContactRef,
    Field,
    FieldMap,
    Finding,
    Identity,
    Level,
    Page,
    Selection,
    Snapshot,
    Version,
    WriteOutcome,
    WriteStatus,
    cleared_by_person,
)
from syncd.contract.ports import CrmCapabilities

from .people import Person
from .timeline import spawn

if TYPE_CHECKING:
    from .life import Life
    from .world import World

FIELDS = {Field.EMAIL: FieldMap(property="email"), Field.PHONE: FieldMap(property="phone")}
PROPERTY = {Field.EMAIL: "email", Field.PHONE: "phone"}
FIELD = {name: fld for fld, name in PROPERTY.items()}
LAG = 90.0  # seconds at most until the search knows of a change
OVERLAP = 120.0
PAGE = 3
BATCH = 4
IN_A_ROW = 4  # refusals after which nothing more is to be bought for it

_NOTHING: frozenset[str] = frozenset()
_Sent = tuple[Change, frozenset[str]]  # with what may be written, as of the read before


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one property. `who`: person, program or syncd."""

    at: float
    record: str
    name: str
    value: str
    before: str
    who: str
    number: int
    theirs: frozenset[str] = frozenset()  # of ours: what may be written for whom the record was about when last read
    expected: str | None = None  # of ours: what was to be replaced


@dataclass(frozen=True, slots=True)
class Write:
    """A write that fills a blank, as it was sent."""

    at: float
    record: str
    field: Field


@dataclass(slots=True)
class Record:
    """One contact. `versions` is newest first; `renamed`: when it came to be about somebody else."""

    id: str
    person: Person
    identity: Identity
    values: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    blocked_since: dict[Field, float] = field(default_factory=dict)
    changed: float = 0.0
    visible: float = 0.0  # when the search knows of the change
    revision: int = 0
    team: str = "a"
    gone: bool = False
    now: str | None = None  # where it was merged into
    left: float = 0.0  # when it was deleted, or merged into another one
    read_at: float = -1.0  # when syncd read it last
    blocked_told: dict[Field, float] = field(default_factory=dict)  # when a stored page said so
    renamed: list[float] = field(default_factory=list)
    former: list[Person] = field(default_factory=list)  # whom it was about before
    theirs: dict[Field, frozenset[str]] = field(default_factory=dict)  # see `Entry`; as of the last read

    @property
    def own(self) -> Identity:
        """What the record says of its person, without a profile that is somebody else's."""
        theirs = self.identity.linkedin_url in self.person.profiles
        return self.identity if theirs else replace(self.identity, linkedin_url=None)


class Crm:
    """The vendor's side."""

    def __init__(
        self, world: World, name: str, first: int, *, conditional: bool, page: int = PAGE, batch: int = BATCH
    ) -> None:
        self.world = world
        self.page = page
        self._first = first
        self.name = name
        self.capabilities = CrmCapabilities(
            title="Simulated", objects={"contacts": FIELDS}, read_batch=batch, write_batch=batch,
            history=not conditional, conditional_write=conditional,
        )  # fmt: skip
        self.records: dict[str, Record] = {}
        self.log: list[Entry] = []
        self.forbidden: list[tuple[str, float]] = []  # writes although the read before them had shown an opt-out
        self.writes: list[Write] = []
        self.foreign = False  # the token is one of another account's, from the next start on
        self.rule = False  # a validation rule refuses whatever is written
        self.refused: set[tuple[str, Field]] = set()  # since something was written
        self.shut_since: float | None = None  # when it had refused several things in a row
        self.moved: dict[str, float] = {}  # when a record came to another team
        self._number = 0

    # --- people at work -----------------------------------------------------------------------

    def add(self, person: Person, identity: Identity, **values: str) -> Record:
        """A new contact, with what somebody believes to know of the person."""
        record = Record(str(self._first + len(self.records)), person, identity)
        self.records[record.id] = record
        self._touch(record)
        for name, value in values.items():
            self.edit(record, name, value, "person")
        return record

    def edit(
        self,
        record: Record,
        name: str,
        value: str,
        who: str,
        *,
        theirs: frozenset[str] = frozenset(),
        expected: str | None = None,
    ) -> None:
        """Somebody sets a property; "" clears it."""
        self._number += 1
        now = self.world.now
        before = record.values.get(name, "")
        self.log.append(Entry(now, record.id, name, value, before, who, self._number, theirs, expected))
        author = Author.PERSON if who == "person" else Author.MACHINE
        stamp = f"{int(now * 1000):015d}.{self._number:06d}"
        record.versions.setdefault(name, []).insert(0, Version(value=value, at=stamp, by=author))
        record.values[name] = value
        self._touch(record)
        self.world.note(f"{self.name}/{record.id} {name}={value!r} by {who}")

    def opt_out(self, record: Record, fld: Field) -> None:
        """The person does not want to be found any more."""
        record.blocked_since.setdefault(fld, self.world.now)
        self._touch(record)
        self.world.note(f"{self.name}/{record.id} opts out of {fld}")

    def rename(self, record: Record, person: Person, mailbox: str) -> None:
        """The record changes hands: name, profile and mailbox are another person's from now on."""
        record.former.append(record.person)
        record.person, record.identity = person, replace(person.identity, email=None)
        record.renamed.append(self.world.now)
        self._touch(record)
        self.world.note(f"{self.name}/{record.id} is about {person.key} now")
        if record.values.get("email"):
            self.edit(record, "email", mailbox, "person")

    def move(self, record: Record) -> None:
        """Another team looks after it."""
        record.team = "b" if record.team == "a" else "a"
        self.moved[record.id] = self.world.now
        self._touch(record)
        self.world.note(f"{self.name}/{record.id} is team {record.team}'s now")

    def delete(self, record: Record) -> None:
        record.gone, record.left = True, self.world.now
        self.world.note(f"{self.name}/{record.id} is deleted")

    def merge(self, loser: Record, winner: Record) -> None:
        """The winner keeps what it has, and gets what only the loser had."""
        loser.now, loser.left = winner.id, self.world.now
        for name, value in loser.values.items():
            if value and not winner.values.get(name):
                self.edit(winner, name, value, "program")
        for fld, since in loser.blocked_since.items():
            winner.blocked_since.setdefault(fld, since)
        self._touch(winner)
        self.world.note(f"{self.name}/{loser.id} is merged into {winner.id}")

    def edited(self, record: Record, name: str) -> float:
        """When a property was set last."""
        return next((e.at for e in reversed(self.log) if (e.record, e.name) == (record.id, name)), 0.0)

    def alive(self) -> list[Record]:
        return [record for record in self.records.values() if not record.gone and record.now is None]

    def stands(self, record_id: str) -> Record | None:
        """Where a record is now, or None."""
        record = self.records.get(record_id)
        last = None if record is None else self.ends_at(record)
        return None if last is None or last.gone else last

    def ends_at(self, record: Record) -> Record:
        """Where a record is after all merges, deleted or not."""
        while record.now is not None:
            record = self.records[record.now]
        return record

    def changed_hands(self, record: Record) -> list[float]:
        """When a record came to be about somebody else. Whoever reads one that was merged reads the other one."""
        times = [*record.renamed]
        while record.now is not None:
            record = self.records[record.now]
            times += record.renamed
        return times

    def _touch(self, record: Record) -> None:
        record.revision += 1
        record.changed = self.world.now
        record.visible = self.world.now + self.world.mixture.rng.uniform(1.0, LAG)

    # --- what the port's methods do, once the request has arrived ------------------------------

    def search(self, selection: Selection, since: float, after: int) -> list[Record]:
        """Records that lack something, in order of id, as far as the index knows."""
        now = self.world.now
        return [
            record
            for record in self.alive()
            if record.changed >= since and int(record.id) > after and record.visible <= now
            if is_selected(record, selection.match)
            if any(not record.values.get(m.property) for m in selection.fields.values())
        ]

    def look(self, refs: Sequence[ContactRef], selection: Selection) -> Iterator[Contact]:
        """Those that are there, as they are now."""
        there = {record.id: record for record in self.alive() if is_selected(record, selection.match)}
        return (self.contact(there[ref.id], selection, ref.connection) for ref in refs if ref.id in there)

    def contact(self, record: Record, selection: Selection, called: str) -> Contact:
        """`called`: the CRM, by the daemon."""
        held = {f: v for f, m in selection.fields.items() if (v := record.values.get(m.property))}
        return Contact(
            ref=ContactRef(connection=called, object="contacts", id=record.id),
            revision=str(record.revision),
            identity=told_identity(record),
            values=held,
            blocked=self._blocked(record),
        )

    def snapshot(self, ref: ContactRef, selection: Selection) -> Snapshot:
        record = self.stands(ref.id)
        if record is None:
            return Snapshot(ref=ref, current=None)
        record.read_at = self.world.now
        record.theirs = {f: self.world.acceptable(self.name, record, f) for f in PROPERTY}
        versions = {f: tuple(record.versions.get(m.property, ())) for f, m in selection.writable.items()}
        return Snapshot(
            ref=ref,
            current=replace(ref, id=record.id),
            revision=str(record.revision),
            identity=told_identity(record),
            values={f: v for f, m in selection.writable.items() if (v := record.values.get(m.property))},
            blocked=self._blocked(record),
            versions=versions if self.capabilities.history else {},
            changed_at="" if self.capabilities.history else f"{record.revision:09d}",
        )

    def carry_out(self, sent: Sequence[_Sent], selection: Selection) -> list[WriteOutcome]:
        """One update of one record: its conditions hold for all of it, as of before it."""
        names = [selection.writable[change.field].property for change, _ in sent]
        verdicts = [self._verdict(change, name) for (change, _), name in zip(sent, names, strict=True)]
        outcomes = []
        for (change, theirs), name, (status, holder) in zip(sent, names, verdicts, strict=True):
            if status is WriteStatus.WRITTEN:
                self.edit(
                    self.records[change.ref.id], name, change.new, "syncd", theirs=theirs, expected=change.expected
                )
            self._tell(change, status)
            detail = "a rule forbids it" if status is WriteStatus.REFUSED else ""
            outcomes.append(
                WriteOutcome(ref=change.ref, field=change.field, status=status, holder=holder, detail=detail)
            )
        return outcomes

    def _tell(self, change: Change, status: WriteStatus) -> None:
        if status is WriteStatus.WRITTEN:
            self.refused, self.shut_since = set(), None
        elif status is WriteStatus.REFUSED and change.expected == "":
            self.refused.add((change.ref.id, change.field))
            if len(self.refused) >= IN_A_ROW and self.shut_since is None:
                self.shut_since = self.world.now

    def look_for_opt_out(self, change: Change) -> None:
        """Had the read before this write shown that the person must not be found?"""
        record = self.records[change.ref.id]
        if any(one.value == change.new for one in record.versions.get(PROPERTY[change.field], ())):
            return  # what stood there is put back
        if change.expected == "" and record.blocked_since.get(change.field, record.read_at) < record.read_at:
            self.forbidden.append((f"{change.ref} {change.field} was written, although opted out", self.world.now))
        if change.expected == "":
            self.writes.append(Write(self.world.now, record.id, change.field))

    def _verdict(self, change: Change, name: str) -> tuple[WriteStatus, str | None]:
        record = self.records.get(change.ref.id)
        if record is None or record.gone or record.now:
            return WriteStatus.GONE, None
        moved = change.revision not in ("", str(record.revision)) or record.values.get(name, "") != change.expected
        if self.capabilities.conditional_write and moved:
            return WriteStatus.MOVED_ON, None
        if self.rule:
            return WriteStatus.REFUSED, None
        others = (r for r in self.alive() if r is not record and name == "email" and change.new)
        holder = next((r.id for r in others if r.values.get(name) == change.new), None)
        return (WriteStatus.DUPLICATE, holder) if holder else (WriteStatus.WRITTEN, None)

    def _blocked(self, record: Record) -> dict[Field, str]:
        blocked = dict.fromkeys(record.blocked_since, "opted_out")
        for fld, name in PROPERTY.items():
            if cleared_by_person(record.versions.get(name, [])):
                blocked.setdefault(fld, "cleared_by_person")
        return blocked


class CrmHandle:
    """The port, as one life of the daemon holds it. Requests travel on their own: they outlive it."""

    def __init__(self, crm: Crm, life: Life, name: str) -> None:
        self.name = name
        self._foreign = crm.foreign
        self.capabilities = crm.capabilities
        self._crm = crm
        self._life = life
        self._world = crm.world

    async def account(self) -> str:
        return str(await self._ask(lambda: f"account of {'another' if self._foreign else self._crm.name}"))

    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        self._require_ours()
        return list(await self._ask(lambda: [*self._crm.look(refs, selection)]))

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        await self._ask(lambda: None)
        level = Level.ERROR if self._crm.name in self._world.troubles else Level.OK
        return [Finding(level=level, what="looked at")]

    async def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        self._require_ours()
        place = {"since": 0.0, "last": 0, "until": self._world.now, **(cursor or {})}
        while "until" in place:
            look = partial(self._crm.search, selection, place["since"] - OVERLAP, place["last"])
            found = await self._ask(look)
            page = found[: self._crm.page]
            more = len(found) > len(page)
            place = {**place, "last": int(page[-1].id)} if more else {"since": place["until"]}
            yield Page(contacts=tuple(self._crm.contact(record, selection, self.name) for record in page), cursor=place)
            for record in page:  # the page is stored
                for fld in record.blocked_since:
                    record.blocked_told.setdefault(fld, self._world.now)

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        self._require_ours()
        found: list[Snapshot] = await self._ask(lambda: [self._read(ref, selection) for ref in refs])
        return found

    def _read(self, ref: ContactRef, selection: Selection) -> Snapshot:
        self._world.colleagues.before_read(self._crm, ref.id)
        return self._crm.snapshot(ref, selection)

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        self._life.check()
        self._require_ours()
        for change in changes:
            self._crm.look_for_opt_out(change)
        answer: asyncio.Future[list[WriteOutcome]] = asyncio.get_running_loop().create_future()
        sent = [(change, self._crm.records[change.ref.id].theirs.get(change.field, _NOTHING)) for change in changes]
        spawn(self._world, self._carry(answer, sent, selection))
        outcomes = await answer
        self._life.check()
        return outcomes

    async def aclose(self) -> None:
        """Nothing is held."""

    def _require_ours(self) -> None:
        """Nothing of another account's may be read or written as if it were this one's."""
        if self._foreign:
            self._world.violated("I5", f"{self._crm.name} was worked with although the token is another account's")

    async def _ask(self, act: Callable[[], Any]) -> Any:
        """A read: safe to repeat, so it fails in simple ways only."""
        self._life.check()
        mixture = self._world.mixture
        await asyncio.sleep(mixture.rng.uniform(5, 60) if mixture.hit("crm_slow") else mixture.rng.uniform(0.05, 0.5))
        self._trouble()
        found = act()
        await asyncio.sleep(mixture.rng.uniform(0.05, 0.3))
        self._life.check()
        return found

    def _trouble(self) -> None:
        if self._crm.name in self._world.troubles or self._world.mixture.hit("crm_halt"):
            self._world.begin_trouble(self._crm.name, "credentials")
            raise Halt("the token was revoked", trouble=Trouble.CREDENTIALS, cure="A new one.")
        if self._world.mixture.hit("crm_busy"):
            raise RateLimited("too fast", after=10.0) if self._world.mixture.rng.random() < 0.5 else Retry("HTTP 503")

    async def _carry(
        self, answer: asyncio.Future[list[WriteOutcome]], sent: Sequence[_Sent], selection: Selection
    ) -> None:
        mixture, life = self._world.mixture, self._life
        await asyncio.sleep(mixture.rng.uniform(5, 25) if mixture.hit("crm_slow") else mixture.rng.uniform(0.05, 1))
        try:
            self._trouble()
        except (Halt, Retry) as error:
            _fail(answer, error)
            return
        unknown = [WriteOutcome(ref=c.ref, field=c.field, status=WriteStatus.UNKNOWN) for c, _ in sent]
        if mixture.hit("crm_cut_before"):
            await asyncio.sleep(30)
            _settle(answer, unknown)
            return
        if mixture.hit("crm_late"):
            await asyncio.sleep(30)
            _settle(answer, unknown)
            await asyncio.sleep(mixture.rng.uniform(0, 20))
        if mixture.hit("crash_in_write"):
            life.crash("before a write was carried out")
            await asyncio.sleep(mixture.rng.uniform(0, 25))  # it lands in the next life
        records = {change.ref.id: [one for one in sent if one[0].ref == change.ref] for change, _ in sent}
        outcomes = [outcome for of_one in records.values() for outcome in await self._one(of_one, selection)]
        if mixture.hit("crash_in_write"):
            life.crash("after a write was carried out")
        if mixture.hit("crm_cut_after"):
            await asyncio.sleep(30)
            outcomes = unknown
        await asyncio.sleep(mixture.rng.uniform(0.05, 0.5))
        _settle(answer, outcomes)

    async def _one(self, sent: Sequence[_Sent], selection: Selection) -> list[WriteOutcome]:
        """All that is written to one record: one update, as the vendors have it."""
        for change, _ in sent:
            self._world.colleagues.before_write(self._crm, change)
        await asyncio.sleep(self._world.mixture.rng.uniform(0.01, 0.1))
        outcomes = self._crm.carry_out(sent, selection)
        for (change, _), outcome in zip(sent, outcomes, strict=True):
            self._world.note(f"{change.ref} {change.field} write of {change.new!r}: {outcome.status}")
        await asyncio.sleep(self._world.mixture.rng.uniform(0.01, 0.1))
        for change, _ in sent:
            self._world.colleagues.after_write(self._crm, change)
        return outcomes


def is_selected(record: Record, match: Mapping[str, Any]) -> bool:
    """Does a sync's filter hold a record?"""
    return all(getattr(record, name) == value for name, value in match.items())


def _settle(answer: asyncio.Future[Any], outcome: Any) -> None:
    if not answer.done():
        answer.set_result(outcome)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def told_identity(record: Record) -> Identity:
    """Who a record says that it is about."""
    return replace(record.identity, email=record.values.get("email") or None)
