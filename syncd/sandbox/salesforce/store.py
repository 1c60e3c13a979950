"""What the org keeps: records by object, always sorted by id, and who changed what when.

Times are whole seconds of the sandbox clock: Salesforce keeps no fractions. Rules for changes are in `saving`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import ids

Values = Mapping[str, Any]


@dataclass(slots=True)
class Row:
    """A record. `values` (not null ones only) is replaced, never changed, so that a cursor may keep an old one."""

    kind: str
    id: str
    values: Values

    @property
    def deleted(self) -> bool:
        return bool(self.values.get("IsDeleted"))


@dataclass(frozen=True, slots=True)
class Write:
    """A line of the log: one change of one record."""

    at: int
    by: str  # a user's id
    row: Row
    before: Values
    after: Values

    def changed(self, name: str) -> bool:
        """Whether the field became different."""
        return self.before.get(name) != self.after.get(name)


class Table:
    """All records of one object, also the deleted ones."""

    def __init__(self, kind: str, prefix: str, first: int) -> None:
        """`first`: number of the first id."""
        self.kind, self.prefix = kind, prefix
        self.rows: dict[str, Row] = {}
        self.ids: list[str] = []  # sorted
        self._next = first

    def add(self, values: Values) -> Row:
        """A new record; its id is the highest so far."""
        row_id = ids.make(self.prefix, self._next)
        self._next += 1
        row = Row(self.kind, row_id, {**_filled(values), "Id": row_id})
        self.rows[row_id] = row
        self.ids.append(row_id)
        return row

    def after(self, row_id: str, *, inclusive: bool = False) -> Iterable[Row]:
        """The records whose id is greater, by id; those not committed yet are left out."""
        cut = bisect.bisect_left if inclusive else bisect.bisect_right
        return (self.rows[one] for one in self.ids[cut(self.ids, row_id) :] if one in self.rows)


class Store:
    """All tables, the log, and who holds which e-mail address."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        numbers = {"ContactHistory": 1_000_000, "LeadHistory": 500_000_000}
        self.tables = {name: Table(name, prefix, numbers.get(name, 3_800_000)) for name, prefix in prefixes.items()}
        self.log: list[Write] = []
        self._holders: dict[str, set[str]] = {}  # e-mail to the ids of live contacts and leads

    def find(self, row_id: str | None) -> Row | None:
        """The record of that id (18 characters), also a deleted one."""
        if not row_id:
            return None
        return next((t.rows[row_id] for t in self.tables.values() if t.prefix == row_id[:3] and row_id in t.rows), None)

    def add(self, kind: str, values: Values, by: str, at: int) -> Row:
        """A new record, stamped."""
        stamps = {"CreatedDate": at, "CreatedById": by, "LastModifiedDate": at, "LastModifiedById": by}
        row = self.tables[kind].add(named({**values, **stamps, "SystemModstamp": at}))
        self._claim(row, {}, row.values)
        return row

    def change(self, row: Row, values: Values, by: str, at: int, *, system: bool = False) -> None:
        """Set fields (None: to null) and the stamps. `system`: only SystemModstamp moves, as when no user did it."""
        stamp = max(at, row.values["SystemModstamp"])
        stamps: dict[str, Any] = {"SystemModstamp": stamp}
        if not system:
            stamps |= {"LastModifiedDate": max(at, row.values["LastModifiedDate"]), "LastModifiedById": by}
        after = named(_filled({**row.values, **values, **stamps}))
        self.log.append(Write(at, by, row, row.values, after))
        self._put(row, after)

    def undo(self, mark: int, by: str) -> None:
        """Take back what this user did since the log was `mark` long."""
        mine = [write for write in self.log[mark:] if write.by == by]
        for write in reversed(mine):
            self._put(write.row, write.before)
        self.log[mark:] = [write for write in self.log[mark:] if write.by != by]

    def holders(self, email: str, besides: str) -> list[str]:
        """Ids of the other live contacts and unconverted leads with that e-mail."""
        return sorted(self._holders.get(email.lower(), set()) - {besides})

    def _put(self, row: Row, after: Values) -> None:
        before, row.values = row.values, after
        self._claim(row, before, after)

    def _claim(self, row: Row, before: Values, after: Values) -> None:
        if row.kind not in {"Contact", "Lead"}:
            return
        if (had := before.get("Email")) and row.id in self._holders.get(had, ()):
            self._holders[had].discard(row.id)
        if (has := after.get("Email")) and not (after.get("IsDeleted") or after.get("IsConverted")):
            self._holders.setdefault(has, set()).add(row.id)


def _filled(values: Values) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value is not False and value != ""}


def named(values: dict[str, Any]) -> dict[str, Any]:
    """With the full name that Salesforce puts together."""
    if "LastName" in values:
        values["Name"] = " ".join(filter(None, (values.get("FirstName"), values["LastName"])))
    return values
