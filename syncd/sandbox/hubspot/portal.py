"""One emulated account: its contacts and companies, their properties, its search index, and what colleagues do.

Python's side of the emulator, for tests, the control API and the judge; HTTP's side is in `app`.
"""

from __future__ import annotations

import functools
import heapq
import random
import threading
from collections.abc import Callable, Iterable, Mapping

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.people import EMAIL, PHONE, Case, Ending, Person, Quirk, Record

from .catalogue import Catalogue
from .index import Index
from .items import Item, Store, Write, colleague

PORTAL_ID = 44956899
_FIELD_OF = {"email": EMAIL, "phone": PHONE, "mobilephone": PHONE}
_SOON = (2.0, 20.0)  # seconds after which a colleague acts on a record that was first seen


class Portal:
    """The account behind the API; all times come from `clock`."""

    def __init__(
        self,
        clock: SandboxClock,
        rng: random.Random,
        lag: Callable[[], float],
        without_properties: Iterable[str] = (),
    ) -> None:
        self.clock, self.rng = clock, rng
        self.index, self.company_index = Index(lag), Index(lag)
        self.contacts = Store("CONTACT", "lastmodifieddate", self.index.changed)
        self.companies = Store("COMPANY", "hs_lastmodifieddate", self.company_index.changed)
        self.catalogues = {
            "contacts": Catalogue("contacts", frozenset(without_properties)),
            "companies": Catalogue("companies"),
        }
        self.ids: dict[int, int] = {}  # number of a world's record to its contact id at the start
        self.records: dict[int, Record] = {}  # the other way round
        self.refused: dict[int, set[str]] = {}  # contact id to properties whose new values were refused
        self.lock = threading.RLock()  # HTTP works in the server's thread, tests edit from theirs
        self._pending: dict[int, Record] = {}  # contact id to what a colleague will do once it was seen
        self._between: dict[int, tuple[str, str]] = {}  # contact id to the edit just before a write
        self._due: list[tuple[float, int, functools.partial[None]]] = []
        self._serial = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970 on the sandbox clock."""
        return int(self.clock.now() * 1000)

    def settle(self) -> None:
        """Let happen what is due: colleagues' doings first, then what the indexes learn."""
        now = self.clock.now()
        while self._due and self._due[0][0] <= now:
            at, _, act = heapq.heappop(self._due)
            act(int(at * 1000))
        self.index.settle(now)
        self.company_index.settle(now)

    # --- what people do ---

    def human_edit(
        self, contact_id: int | str, name: str, value: str, user_id: int = 28604240, at: int | None = None
    ) -> None:
        """A colleague sets a property in HubSpot's own pages ("" clears it); KeyError if there is no such contact."""
        with self.lock:
            item = self.contacts.get(int(contact_id))
            if item is None or item.archived:
                raise KeyError(f"contact {contact_id} is gone")
            self.contacts.write(item, {name: value}, colleague(user_id), self.now_ms() if at is None else at)

    def edit_before_write(self, contact_id: int | str, name: str, value: str) -> None:
        """A colleague will set a property just before the next API write to it is carried out."""
        self._between[int(contact_id)] = (name, value)

    def archive(self, contact_id: int | str, *, erase: bool = False) -> None:
        """Delete a contact; `erase`: for good, as the GDPR has it."""
        with self.lock:
            item = self.contacts.get(int(contact_id))
            if item is not None and not item.archived:
                self.contacts.archive(item, self.now_ms(), erase=erase)

    def merge(self, primary: int | str, other: int | str, at: int | None = None) -> int:
        """Merge two contacts into a new one, whose id is returned; KeyError if one is gone."""
        with self.lock:
            one, two = self.contacts.get(int(primary)), self.contacts.get(int(other))
            if one is None or two is None or one is two:
                raise KeyError(f"cannot merge {primary} and {other}")
            return self.contacts.merge(one, two, self._new_id(), self.now_ms() if at is None else at).id

    def add(self, values: Mapping[str, str]) -> int:
        """A colleague makes a new contact, whose id is returned; searches learn of it late."""
        with self.lock:
            return self.contacts.add(self._new_id(), values, colleague(), self.now_ms()).id

    def _new_id(self) -> int:
        return max(self.contacts.ids, default=900) + 51

    # --- colleagues of the world's population ---

    def schedule(self, record: Record) -> None:
        """Have a colleague do, in due course, what the record's quirk says."""
        contact = self.ids[record.number]
        if record.quirk is Quirk.EDIT_BETWEEN:
            self._between[contact] = (record.quirk_field, record.quirk_value)
        elif record.quirk in {Quirk.EDIT_AFTER_PULL, Quirk.DELETED, Quirk.MERGED} or record.case is Case.CHANGES_HANDS:
            self._pending[contact] = record

    def seen(self, items: Iterable[Item]) -> None:
        """These were shown to an API client: colleagues get busy with some of them soon after."""
        if not self._pending:
            return
        for item in items:
            if (record := self._pending.pop(item.id, None)) is not None:
                self._serial += 1
                due = self.clock.now() + self.rng.uniform(*_SOON)
                heapq.heappush(self._due, (due, self._serial, functools.partial(self._act, record)))

    def interfere(self, item: Item, names: Iterable[str], at: int) -> None:
        """Just before an API write to these properties: the colleague who was faster, if there is one."""
        waiting = self._between.get(item.id)
        if waiting is not None and waiting[0] in names:
            del self._between[item.id]
            self.human_edit(item.id, *waiting, at=at)

    def _act(self, record: Record, at: int) -> None:
        item = self.contacts.get(self.ids[record.number])
        if item is None or item.archived:
            return
        if record.quirk is Quirk.EDIT_AFTER_PULL:
            self.human_edit(item.id, record.quirk_field, record.quirk_value, at=at)
        elif record.becomes is not None:
            self.contacts.write(item, _identity(record.becomes), colleague(), at)
        elif record.quirk is Quirk.DELETED:
            self.contacts.archive(item, at)
        elif record.twin is not None:
            self.merge(self.ids[record.twin], item.id, at)

    # --- for the judge ---

    @property
    def log(self) -> list[Write]:
        """Every property that was set since the start, by whom, and what it replaced."""
        return self.contacts.log

    def endings(self) -> dict[int, Ending]:
        """How each record of the world ended up, by its number."""
        with self.lock:
            self.settle()
            edits: dict[int, dict[str, str]] = {}
            written: dict[int, set[str]] = {}
            handed: dict[int, frozenset[str]] = {}  # contact id to what a client had written before
            for write in self.log:
                name = _FIELD_OF.get(write.property)
                if write.author.human and write.property in {"firstname", "lastname"}:
                    handed.setdefault(write.record, frozenset(written.get(write.record, ())))
                elif name and not write.author.human:
                    written.setdefault(write.record, set()).add(name)
                if name and write.author.human and (item := self.contacts.get(write.record)) is not None:
                    edits.setdefault(item.id, {})[name] = write.after
            return {number: self._ending(contact, edits, handed) for number, contact in self.ids.items()}

    def _ending(self, contact: int, edits: dict[int, dict[str, str]], handed: Mapping[int, frozenset[str]]) -> Ending:
        item = self.contacts.get(contact)
        if item is None or item.archived:
            return Ending(str(contact), gone=True)
        got = item.values.get
        return Ending(
            str(item.id),
            got("email"),
            got("phone"),
            got("mobilephone"),
            merged=item.id != contact,
            edits=edits.get(item.id, {}),
            refused=frozenset(_FIELD_OF.get(name, name) for name in self.refused.get(contact, ())),
            handed_over=self.records[contact].becomes is not None and contact in handed,
            early=handed.get(contact, frozenset()),
        )


def _identity(person: Person) -> dict[str, str]:
    """What a colleague types to make a record that of another person at the same employer."""
    return {
        "firstname": person.first_name,
        "hs_linkedin_url": person.linkedin_url or "",
        "lastname": person.last_name,
    }
