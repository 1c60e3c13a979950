"""An in-memory CRM for the pipeline's tests: history, colleagues, and calls that fail on demand.

It passes the same suite as the real connectors (`test_crms`), so what is proven with it holds for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pydantic import BaseModel

from syncd.contract.errors import ConnectorError, Halt, Trouble, Unusable
from syncd.contract.model import (
    OPT_OUTS,
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

FIELDS = {Field.EMAIL: FieldMap(property="email"), Field.PHONE: FieldMap(property="phone", also=("mobile",))}
OBJECTS = {"contacts": FIELDS}
PROPERTIES = {"email", "phone", "mobile", "work_phone", "work_email", "linkedin", "jobtitle", "employer", "site"}


@dataclass(slots=True)
class Record:
    """One contact. `history` is newest first."""

    id: str
    identity: Identity
    values: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Version]] = field(default_factory=dict)
    blocked: dict[Field, str] = field(default_factory=dict)
    changed: int = 0
    gone: bool = False
    now: str | None = None  # the id of the record that this one was merged into


class FakeCrm:
    """`first`: the id of the first record.

    `match` of a selection may name a `team`; all else is said by `selected`. `history=False`: no version of a value is
    told, nor who cleared it; then a snapshot says when the record was changed.
    `between_read_and_write`, if set, runs once at the start of the next write: a colleague's moment.
    """

    port: ClassVar = "crm"
    Options = BaseModel

    def __init__(
        self,
        name: str = "fake",
        *,
        conditional: bool = False,
        page: int = 100,
        first: int = 501,
        history: bool = True,
        read_batch: int = 50,
    ) -> None:
        self.name = name
        can: dict[str, Any] = {"history": history, "conditional_write": conditional, "legal_basis": "legal_basis"}
        self.capabilities = CrmCapabilities(
            title="Fake", objects=OBJECTS, read_batch=read_batch, write_batch=100, **can
        )
        self.records: dict[str, Record] = {}
        self.refused: set[str] = set()  # values that are never taken
        self.rule = ""  # whatever is written is refused, in these words
        self.closed: set[str] = set()  # properties that we have no right to write
        self.hidden: set[str] = set()  # properties that we have no right to see
        self.made: set[str] = set()  # properties that tell of a value
        self.owner = f"account-of-{name}"  # whose the key is
        self.looked: list[list[str]] = []  # the ids of each look
        self.selected: set[str] | None = None  # ids of those whom the selection holds; None: everybody
        self.calls: list[str] = []
        self.between_read_and_write: Callable[[], object] | None = None
        self.books_as = Author.MACHINE  # under whom the history books what we write
        self.lose_answers = 0  # so many writes are carried out and reported as UNKNOWN
        self._page, self._tick, self._first = page, 0, first
        self._failures: dict[str, deque[ConnectorError]] = {}

    def add(self, identity: Identity | None = None, **values: str) -> str:
        """A new contact with these properties, typed by a person; returns its id."""
        record = Record(str(len(self.records) + self._first), identity or Identity())
        self.records[record.id] = record
        self._touch(record)
        for name, value in values.items():
            self.edit(record.id, name, value)
        return record.id

    def edit(self, record_id: str, name: str, value: str, by: Author = Author.PERSON) -> None:
        """Somebody sets a property; "" clears it."""
        record = self.records[record_id]
        self._touch(record)
        record.values[name] = value
        record.history.setdefault(name, []).insert(0, Version(value=value, at=f"{self._tick:012d}", by=by))

    def rename(self, record_id: str, identity: Identity) -> None:
        """Somebody makes the record another person's; its properties stay."""
        self._touch(self.records[record_id])
        self.records[record_id].identity = identity

    def block(self, record_id: str, field: Field, reason: str) -> None:
        """A field is closed from now on, whether it holds something or not; "" opens it again."""
        record = self.records[record_id]
        self._touch(record)
        record.blocked = {f: r for f, r in {**record.blocked, field: reason}.items() if r}

    def remove(self, record_id: str) -> None:
        self.records[record_id].gone = True

    def merge(self, loser: str, winner: str) -> None:
        self.records[loser].now = winner
        self._touch(self.records[winner])

    def fail(self, method: str, *errors: ConnectorError) -> None:
        """Let the next calls of account, check, look, pull, read or write raise these, one each."""
        self._failures.setdefault(method, deque()).extend(errors)

    async def account(self) -> str:
        self._fail("account")
        return self.owner

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        self._begin("check")
        asked = enumerate(selections)
        found = [replace(one, selection=number) for number, each in asked for one in self._wrong(each)]
        return found or [Finding(level=Level.OK, what="all is well")]

    def _wrong(self, selection: Selection) -> list[Finding]:
        needed, extras = list(selection.fields.values()), list(selection.extras.values())
        also = {name for one in (*needed, *extras) for name in one.also} - self._visible
        odd = [*self._problems(extras), *((f"no property {name}", "let us see it") for name in sorted(also))]
        wrong = [Finding(level=Level.ERROR, what=what, cure=cure) for what, cure in self._problems(needed)]
        return [*wrong, *(Finding(level=Level.WARNING, what=what, cure=cure) for what, cure in odd)]

    @property
    def _visible(self) -> set[str]:
        return PROPERTIES - self.hidden

    def _problems(self, maps: Sequence[FieldMap]) -> list[tuple[str, str]]:
        absent = {one.property for one in maps} - self._visible
        closed = {one.property for one in maps} & self.closed
        return [
            *((f"no property {n}", "name another") for n in sorted(absent)),
            *((f"our user may not write {n}", "let it") for n in sorted(closed)),
        ]

    async def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        self._begin("pull")
        self._require_usable(selection)
        place = {"since": 0, "last": "0", "until": self._tick, **(cursor or {})}
        while True:
            found = self._wanted(selection, place["since"], int(place["last"]))
            page = found[: self._page]
            place = {**place, "last": page[-1].id} if len(found) > len(page) else {"since": place["until"]}
            yield Page(contacts=tuple(self._contact(record, selection) for record in page), cursor=place)
            if "until" not in place:
                return

    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        self._fail("look")
        self._require_usable(selection)
        assert len(refs) <= self.capabilities.read_batch
        self.looked.append([ref.id for ref in refs])
        records = [
            record for ref in refs if (record := self.records.get(ref.id)) and self._is_selected(record, selection)
        ]
        return [self._contact(record, selection) for record in records]

    def _require_usable(self, selection: Selection) -> None:
        if absent := sorted({one.property for one in selection.fields.values()} - self._visible):
            raise Unusable(f"no property {absent[0]}", cure="name another")

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        self._begin("read")
        return [self._snapshot(ref, selection) for ref in refs]

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        self._begin("write")
        if closed := self.closed & {selection.fields[c.field].property for c in changes if c.field in selection.fields}:
            raise Halt(f"our user may not write {closed}", trouble=Trouble.MISCONFIGURED, cure="let it")
        colleague, self.between_read_and_write = self.between_read_and_write, None
        if colleague:
            colleague()
        outcomes = [self._carry_out(change, selection.writable[change.field].property) for change in changes]
        if self.lose_answers:
            self.lose_answers -= 1
            return [replace(outcome, status=WriteStatus.UNKNOWN) for outcome in outcomes]
        return outcomes

    async def make_properties(self, selection: Selection, *, dry_run: bool) -> list[Finding]:
        missing = sorted({*selection.stamps.values()} - self.made)
        self.made |= set() if dry_run else {*missing}
        return [Finding(level=Level.OK, what=f"{name} {'would be' if dry_run else 'was'} made") for name in missing]

    async def aclose(self) -> None:
        self._begin("aclose")

    def _begin(self, method: str) -> None:
        self.calls.append(method)
        self._fail(method)

    def _fail(self, method: str) -> None:
        if failures := self._failures.get(method):
            raise failures.popleft()

    def _touch(self, record: Record) -> None:
        self._tick += 1
        record.changed = self._tick

    def _wanted(self, selection: Selection, since: int, after: int) -> list[Record]:
        """Who lacks something or opted out."""
        return [
            record
            for record in self.records.values()
            if record.changed >= since and int(record.id) > after and self._is_selected(record, selection)
            if not selection.fields.keys() <= self._held(record, selection).keys()
            or record.values.get(selection.request) == "true"
            or not OPT_OUTS.isdisjoint(self._blocked(record, selection).values())
        ]

    def _is_selected(self, record: Record, selection: Selection) -> bool:
        """Is it there, and does it meet the conditions?"""
        there = not record.gone and record.now is None and (self.selected is None or record.id in self.selected)
        return there and selection.match.get("team") in {None, record.values.get("team")}

    def _held(self, record: Record, selection: Selection) -> dict[Field, str]:
        names = {f: (m.property, *(self._visible & {*m.also})) for f, m in selection.writable.items()}
        held = {f: next((record.values[n] for n in ns if record.values.get(n)), "") for f, ns in names.items()}
        return {f: value for f, value in held.items() if value}

    def _blocked(self, record: Record, selection: Selection) -> dict[Field, str]:
        past = {f: record.history.get(m.property, []) for f, m in selection.writable.items()}
        known = past if self.capabilities.history else {}
        cleared = {f: "cleared_by_person" for f, versions in known.items() if cleared_by_person(versions)}
        return {**cleared, **{f: reason for f, reason in record.blocked.items() if f in past}}

    def _identity(self, record: Record, selection: Selection) -> Identity:
        """What is known of the person, and all that the properties hold of them."""
        known, mapped = record.identity, selection.writable
        mailboxes = _once(_held_in(record, mapped, Field.EMAIL) + known.emails)
        profile = known.linkedin_url or next(iter(_once(_held_in(record, mapped, Field.LINKEDIN))), None)
        return replace(
            known,
            email=record.values.get("email") or next(iter(mailboxes), None),
            emails=mailboxes,
            phones=_once(_held_in(record, mapped, Field.PHONE, Field.MOBILE) + known.phones),
            linkedin_url=profile,
        )

    def _contact(self, record: Record, selection: Selection) -> Contact:
        ref = ContactRef(connection=self.name, object=selection.object, id=record.id)
        values, blocked = self._held(record, selection), self._blocked(record, selection)
        identity = self._identity(record, selection)
        ticked = record.values.get(selection.request) == "true"
        return Contact(
            ref=ref,
            revision=str(record.changed),
            identity=identity,
            values=values,
            blocked=blocked,
            requested=ticked,
        )

    def _snapshot(self, ref: ContactRef, selection: Selection) -> Snapshot:
        record = self.records.get(ref.id)
        record = self.records.get(record.now) if record and record.now else record
        if record is None or record.gone:
            return Snapshot(ref=ref, current=None)
        values, fields, history = record.values, selection.writable.items(), self.capabilities.history
        extras = {m.property for m in selection.extras.values()}
        return Snapshot(
            ref=ref,
            current=replace(ref, id=record.id),
            revision=str(record.changed),
            identity=self._identity(record, selection),
            values={f: values[m.property] for f, m in fields if values.get(m.property)},
            elsewhere=frozenset(
                f for f, m in fields if any(values.get(n) for n in m.also if n not in extras | self.hidden)
            ),
            blocked=self._blocked(record, selection),
            versions={f: tuple(record.history.get(m.property, ())) for f, m in fields} if history else {},
            changed_at="" if history else f"{record.changed:012d}",
            legal_basis=values.get("legal_basis", ""),
        )

    def _carry_out(self, change: Change, name: str) -> WriteOutcome:
        idle = change.new == change.expected and change.ref.id in self.records
        status, holder = (WriteStatus.WRITTEN, None) if idle else self._verdict(change, name)
        if status is WriteStatus.WRITTEN:
            if not idle:
                self.edit(change.ref.id, name, change.new, self.books_as)
            for other in change.along.keys() & self.made - self.closed:
                self.edit(change.ref.id, other, change.along[other], self.books_as)
        detail = self.rule if status is WriteStatus.REFUSED else ""
        return WriteOutcome(ref=change.ref, field=change.field, status=status, detail=detail, holder=holder)

    def _verdict(self, change: Change, name: str) -> tuple[WriteStatus, str | None]:
        record = self.records.get(change.ref.id)
        if record is None or record.gone or record.now:
            return WriteStatus.GONE, None
        if name not in PROPERTIES or name in self.closed:
            return WriteStatus.REFUSED, None
        if self.capabilities.conditional_write and record.values.get(name, "") != change.expected:
            return WriteStatus.MOVED_ON, None
        if change.new in self.refused:
            return WriteStatus.INVALID, None
        if self.rule:
            return WriteStatus.REFUSED, None
        others = (r for r in self.records.values() if r is not record and not r.gone and change.new)
        holder = next((r.id for r in others if name == "email" and r.values.get(name) == change.new), None)
        return (WriteStatus.DUPLICATE, holder) if holder else (WriteStatus.WRITTEN, None)


def _held_in(record: Record, mapped: Mapping[Field, FieldMap], *fields: Field) -> tuple[str, ...]:
    maps = [mapped[field] for field in fields if field in mapped]
    return tuple(record.values.get(name, "") for one in maps for name in (one.property, *one.also))


def _once(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
