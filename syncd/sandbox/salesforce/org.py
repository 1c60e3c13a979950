"""One emulated org: its records, its users, and what colleagues do to records, now or in due course.

Python's side of the emulator, for tests, the control API and the judge; HTTP's side is in `app`.
"""

from __future__ import annotations

import functools
import heapq
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.people import EMAIL, FIELDS, PHONE, Case, Ending, Person, Quirk, Record, Trait

from . import ids
from .schema import PREFIXES, Schema
from .store import Row, Store

ORG_ID = ids.make("00D", 7_310_022)
API_USER, COLLEAGUE, RULE_OWNER, OWNER = (ids.make("005", number) for number in (3_814, 3_815, 3_816, 3_817))
_FIELD_OF = {"Email": EMAIL, "Phone": PHONE, "MobilePhone": PHONE}
_TAKEN_OVER = ("FirstName", "LastName", "Title", "IndividualId")  # from a lead to its contact
_NAME_OF = {EMAIL: "Email", PHONE: "Phone"}
_ACT_WHEN_SEEN = {Quirk.EDIT_AFTER_PULL, Quirk.DELETED, Quirk.MERGED, Trait.CONVERTS, Case.CHANGES_HANDS}
_SOON = (2.0, 20.0)  # seconds after which a colleague acts on a record that was first seen


class Org:
    """The org behind the API; all times come from `clock`."""

    def __init__(
        self, clock: SandboxClock, rng: random.Random, schema: Schema, commit_lag: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """`commit_lag`: least and most seconds until what a colleague did in due course can be seen by others."""
        self.clock, self.rng, self.schema, self._lag = clock, rng, schema, commit_lag
        self.store = Store(PREFIXES)
        self.lock = threading.RLock()  # HTTP works in the server's thread, tests edit from theirs
        self.ids: dict[int, str] = {}  # number of a world's record to its id
        self.records: dict[str, Record] = {}  # the other way round
        self.refused: dict[str, set[str]] = {}  # record id to fields whose new values were refused
        self._pending: dict[str, Record] = {}  # record id to what a colleague will do once it was seen
        self._between: dict[str, tuple[str, str]] = {}  # record id to the edit just before a write
        self._held: set[str] = set()  # records somebody's running transaction has locked
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._told = 0  # how much of the log the history tables know

    def now(self) -> int:
        """The time of a stamp: whole seconds of the sandbox clock."""
        return int(self.clock.now())

    def settle(self) -> None:
        """Let happen what is due."""
        now = self.clock.now()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def get(self, record_id: str) -> Row:
        """The record of an id of 15 or 18 characters; KeyError if there is none or it is deleted."""
        row = self.store.find(ids.parse(record_id))
        if row is None or row.deleted:
            raise KeyError(f"record {record_id} is gone")
        return row

    def is_locked(self, row: Row) -> bool:
        """Whether somebody else's transaction holds the record."""
        return row.id in self._held

    # --- what people do ---

    def human_edit(
        self, record_id: str, name: str, value: str, *, at: float | None = None, commit_in: float = 0.0
    ) -> None:
        """A colleague sets a field ("" clears it); KeyError if there is no such record or field.

        `at`: seconds of the sandbox clock, default now. `commit_in`: so many seconds later others see it, with the
        stamp of `at`; until then the record is locked.
        """
        with self.lock:
            row = self.get(record_id)
            kind = self.schema.kind(row.kind)
            if kind is None or name.lower() not in kind.fields:
                raise KeyError(f"{row.kind} has no field {name}")
            values = {
                kind.fields[name.lower()].name: value.lower() if kind.fields[name.lower()].type == "email" else value
            }
            when = self.now() if at is None else int(at)
            if not commit_in:
                self.store.change(row, values, COLLEAGUE, when)
                return
            self._held.add(row.id)
            self._plan(self.clock.now() + commit_in, functools.partial(self._commit, row, values, when))

    def edit_before_write(self, record_id: str, name: str, value: str) -> None:
        """A colleague will set a field just before the next API write to it is carried out."""
        self._between[self.get(record_id).id] = (name, value)

    def add(self, kind: str, values: Mapping[str, Any], *, at: float | None = None, commit_in: float = 0.0) -> str:
        """A colleague makes a new record, whose id is returned; seen by others `commit_in` seconds later."""
        with self.lock:
            when = self.now() if at is None else int(at)
            row = self.store.add(kind, values, COLLEAGUE, when)
            if commit_in:
                table = self.store.tables[kind]
                del table.rows[row.id]
                self._plan(self.clock.now() + commit_in, functools.partial(table.rows.__setitem__, row.id, row))
            return row.id

    def campaign(self, name: str) -> str:
        """A colleague makes a campaign, whose id is returned."""
        return self.add("Campaign", {"Name": name, "NumberOfContacts": 0, "NumberOfLeads": 0})

    def enlist(self, campaign: str, record_id: str, *, member: bool = True) -> None:
        """A colleague makes a contact or a lead a member of a campaign, or takes them out again."""
        with self.lock:
            kind = self.get(record_id).kind
            members = self.store.tables["CampaignMember"]
            mine = [
                row
                for row in members.rows.values()
                if row.values["CampaignId"] == campaign and row.values[f"{kind}Id"] == record_id
            ]
            for row in mine if not member else ():
                del members.rows[row.id]
            if member and not mine:
                self.add("CampaignMember", {"CampaignId": campaign, f"{kind}Id": record_id, "Status": "Sent"})
            count = "NumberOfContacts" if kind == "Contact" else "NumberOfLeads"
            size = self.get(campaign).values[count] + (member and not mine) - (bool(mine) and not member)
            self.store.change(self.get(campaign), {count: size}, COLLEAGUE, self.now())

    def prefer(self, record_id: str, **preferences: bool) -> str:
        """A colleague notes what a person prefers, in the Individual of a contact or lead, which is made if there
        is none: `prefer(contact, ShouldForget=True)`. Returns its id; the record's own stamp moves only if it is new.
        """
        with self.lock:
            row = self.get(record_id)
            known = self.store.find(row.values.get("IndividualId"))
            if known is not None:
                self.store.change(known, preferences, COLLEAGUE, self.now())
                return known.id
            names = {name: row.values.get(name) for name in ("FirstName", "LastName")}
            made = self.store.add("Individual", {**names, **preferences}, COLLEAGUE, self.now())
            self.store.change(row, {"IndividualId": made.id}, COLLEAGUE, self.now())
            return made.id

    def delete(self, record_id: str) -> None:
        """Into the recycle bin; nothing if it is there already."""
        with self.lock:
            row = self.store.find(ids.parse(record_id))
            if row is not None and not row.deleted:
                self.store.change(row, {"IsDeleted": True}, COLLEAGUE, self.now())

    def merge(self, master: str, loser: str) -> None:
        """Merge two records: the master keeps its id and values; KeyError if one is gone."""
        with self.lock:
            one, two = self.get(master), self.get(loser)
            if one is two or one.kind != two.kind:
                raise KeyError(f"cannot merge {loser} into {master}")
            self.store.change(two, {"IsDeleted": True, "MasterRecordId": one.id}, COLLEAGUE, self.now())
            self.store.change(one, {}, COLLEAGUE, self.now())

    def convert(self, lead: str) -> str:
        """Turn a lead into a new contact, whose id is returned; KeyError if there is no such lead."""
        with self.lock:
            row = self.get(lead)
            if row.kind != "Lead" or row.values.get("IsConverted"):
                raise KeyError(f"{lead} is no lead that could be converted")
            account = self.store.add("Account", {"Name": row.values["Company"]}, COLLEAGUE, self.now())
            taken = {name: row.values.get(name) for name in (*_TAKEN_OVER, *_FIELD_OF)}
            link = self.schema.features.linkedin
            values = {**taken, link: row.values.get(link), "AccountId": account.id, "OwnerId": OWNER}
            self.store.change(row, {"IsConverted": True}, COLLEAGUE, self.now())
            contact = self.store.add("Contact", values, COLLEAGUE, self.now())
            midnight = self.now() // 86_400 * 86_400
            links = {"ConvertedContactId": contact.id, "ConvertedAccountId": account.id, "ConvertedDate": midnight}
            self.store.change(row, links, COLLEAGUE, self.now())
            return contact.id

    def touch(self, record_id: str) -> None:
        """The system does something to the record: only its SystemModstamp moves."""
        with self.lock:
            self.store.change(self.get(record_id), {}, API_USER, self.now(), system=True)

    def touch_later(self, record_id: str, seconds: float) -> None:
        """The same, in due course."""
        self._plan(self.clock.now() + seconds, functools.partial(self._touch_if_there, record_id))

    # --- colleagues of the world's population ---

    def schedule(self, record: Record) -> None:
        """Have a colleague do, in due course, what is special of the record."""
        record_id = self.ids[record.number]
        if record.quirk is Quirk.EDIT_BETWEEN:
            self._between[record_id] = (_NAME_OF[record.quirk_field], record.quirk_value)
        elif {record.quirk, record.trait, record.case} & _ACT_WHEN_SEEN:
            self._pending[record_id] = record

    def seen(self, rows: Iterable[Row]) -> None:
        """These were shown to an API client: colleagues get busy with some of them soon after."""
        for row in rows if self._pending else ():
            if (record := self._pending.pop(row.id, None)) is not None:
                due = self.clock.now() + self.rng.uniform(*_SOON)
                self._plan(due, functools.partial(self._act, record))

    def interfere(self, row: Row, names: Iterable[str]) -> None:
        """Just before an API write to these fields: the colleague who was faster, if there is one."""
        waiting = self._between.get(row.id)
        if waiting is not None and waiting[0] in names and not row.deleted:
            del self._between[row.id]
            self.human_edit(row.id, *waiting)

    def _plan(self, at: float, act: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, act))

    def _touch_if_there(self, record_id: str) -> None:
        row = self.store.find(record_id)
        if row is not None and not row.deleted:
            self.store.change(row, {}, API_USER, self.now(), system=True)

    def _commit(self, row: Row, values: Mapping[str, Any], at: int) -> None:
        self._held.discard(row.id)
        self.store.change(row, values, COLLEAGUE, at)

    def _act(self, record: Record) -> None:
        row = self.store.find(self.ids[record.number])
        if row is None or row.deleted:
            return
        if record.quirk is Quirk.EDIT_AFTER_PULL:
            lag = self.rng.uniform(*self._lag)
            self.human_edit(row.id, _NAME_OF[record.quirk_field], record.quirk_value, commit_in=lag)
        elif record.becomes is not None:
            self._hand_over(row.id, record.becomes)
        elif record.quirk is Quirk.DELETED:
            self.delete(row.id)
        elif record.trait is Trait.CONVERTS:
            self.convert(row.id)
        elif record.twin is not None:
            self.merge(self.ids[record.twin], row.id)

    def _hand_over(self, record_id: str, person: Person) -> None:
        """Make the record that of another person at the same employer."""
        profile = self.schema.features.linkedin or "Description"
        values = {"FirstName": person.first_name, profile: person.linkedin_url or "", "LastName": person.last_name}
        self.store.change(self.get(record_id), values, COLLEAGUE, self.now())

    # --- what is kept of the past ---

    def sync_history(self) -> None:
        """Bring the history tables up to date with the log."""
        tracked = self.schema.features.tracked
        for write in self.store.log[self._told :] if tracked else ():
            for name in sorted(tracked):
                if write.row.kind in {"Contact", "Lead"} and write.changed(name):
                    change = (write.before.get(name), write.after.get(name))
                    self.tell(write.row, name, change, by=write.by, at=write.at)
        self._told = len(self.store.log)

    def tell(self, row: Row, name: str, change: tuple[str | None, str | None], *, by: str, at: int) -> None:
        """One line of a record's history: `change` is from what to what."""
        line = {f"{row.kind}Id": row.id, "Field": name, "OldValue": change[0], "NewValue": change[1]}
        self.store.tables[f"{row.kind}History"].add({**line, "CreatedById": by, "CreatedDate": at})

    # --- for the judge ---

    def endings(self) -> dict[int, Ending]:
        """How each record of the world ended up, by its number."""
        with self.lock:
            self.settle()
            edits: dict[str, dict[str, str]] = {}
            moved: set[str] = set()
            written: dict[str, set[str]] = {}
            handed: dict[str, frozenset[str]] = {}  # record id to what a client had written before
            for write in self.store.log:
                if write.by == API_USER:
                    fields = {what for name, what in _FIELD_OF.items() if write.changed(name)}
                    written.setdefault(write.row.id, set()).update(fields)
                elif write.by == COLLEAGUE and (write.changed("FirstName") or write.changed("LastName")):
                    handed.setdefault(write.row.id, frozenset(written.get(write.row.id, ())))
                for name, what in _FIELD_OF.items() if write.by == COLLEAGUE else ():
                    if write.changed(name):
                        edits.setdefault(write.row.id, {})[what] = write.after.get(name, "")
                if write.by == API_USER and write.changed("OwnerId"):
                    moved.add(write.row.id)
            return {number: self._ending(number, edits, moved, handed) for number in self.ids}

    def _ending(
        self,
        number: int,
        edits: Mapping[str, dict[str, str]],
        moved: set[str],
        handed: Mapping[str, frozenset[str]],
    ) -> Ending:
        first = self.ids[number]
        record, row, master = self.records[first], self.store.find(first), None
        if row is not None and row.deleted:
            master = row.values.get("MasterRecordId")
            row = self.store.find(master)
        if row is None or row.deleted or (row.values.get("IsConverted") and record.trait is not Trait.CONVERTED):
            return Ending(first, gone=True)
        got = row.values.get
        return Ending(
            row.id,
            got("Email"),
            got("Phone"),
            got("MobilePhone"),
            merged=master is not None,
            edits=edits.get(row.id, {}),
            refused=frozenset(_FIELD_OF.get(name, name) for name in self.refused.get(row.id, ())),
            closed=frozenset(self._closed(record)),
            unmarked=self._unmarked(record),
            disturbed="OwnerId" if row.id in moved else "",
            handed_over=record.becomes is not None and row.id in handed,
            early=handed.get(row.id, frozenset()),
        )

    def _closed(self, record: Record) -> Iterable[str]:
        features = self.schema.features
        if record.trait is Trait.CONVERTED or (record.trait is Trait.PERSON_ACCOUNT and features.person_accounts):
            return FIELDS
        return (PHONE,) if record.trait is Trait.DO_NOT_CALL and features.opt_outs else ()

    def _unmarked(self, record: Record) -> bool:
        """Opt-outs that field-level security hides, and histories that nobody keeps."""
        features = self.schema.features
        if record.quirk is Quirk.CLEARED:
            return _NAME_OF[record.quirk_field] not in features.tracked
        return (record.quirk is Quirk.OPTED_OUT or record.trait is Trait.DO_NOT_CALL) and not features.opt_outs
