"""Passes over those that lack a field: everything by id once a day, and in between what has changed.

What the cursor holds and when it advances is said here and nowhere else. All moments are the server's. Every
page is a query of its own that begins after the last row of the one before, so no server-side cursor can expire.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from syncd.contract.errors import Retry
from syncd.contract.model import Page, Selection

from . import soql
from .answers import seconds
from .calls import Calls
from .options import Options
from .org import Org
from .records import STAMP, Lens, Record, text

LAG = 60.0  # seconds: the newest rows are left to the next pass, since others may still be committed before them
_HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a pass stands, in UTC seconds of the server; `until` is None between two passes.

    `swept`: when the last full sweep began (None: there was none). `sweeping`: when this one began.
    """

    since: float = 0.0
    swept: float | None = None
    sweeping: float | None = None
    until: float | None = None
    last_stamp: float = 0.0
    last_id: str = ""

    @classmethod
    def read(cls, cursor: Mapping[str, Any] | None) -> Cursor:
        return cls() if cursor is None else cls(**{k: v for k, v in cursor.items() if k in cls.__slots__})

    def started(self, now: float, options: Options) -> Cursor:
        """Go on with the pass that was under way, or begin the next one."""
        if self.until is not None:
            return self
        due = self.swept is None or now >= self.swept + options.full_sweep * _HOUR
        return replace(self, until=now - LAG, sweeping=now if due else None, last_stamp=0.0, last_id="")

    def passed(self, row: Record) -> Cursor:
        return replace(self, last_stamp=seconds(text(row, STAMP)), last_id=text(row, "Id"))

    def finished(self) -> Cursor:
        """After a sweep, changes count from where it began."""
        return Cursor(since=max(self.since, self.until or 0.0), swept=self.sweeping or self.swept)

    def conditions(self, options: Options) -> list[str]:
        """Which rows are still to come in this pass."""
        if self.sweeping is not None:
            return [soql.after_id(self.last_id)] if self.last_id else []
        window = soql.between(max(self.since - options.overlap, 0.0), self.until or 0.0)
        return [*window, soql.after_row(self.last_stamp, self.last_id)] if self.last_id else window

    def json(self) -> dict[str, Any]:
        return asdict(self)


class Sweep:
    """The pages from one cursor on."""

    def __init__(self, calls: Calls, org: Org, options: Options, selection: Selection) -> None:
        self._calls, self._org, self._options, self._selection = calls, org, options, selection

    async def pages(self, raw: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        await self._org.lens(self._selection)  # with it comes the server's time
        cursor = Cursor.read(raw).started(self._calls.server_now(), self._options)
        while cursor.until is not None:
            page, cursor = await self._org.look(self._selection, partial(self._page, cursor=cursor))
            yield page

    async def _page(self, lens: Lens, cursor: Cursor) -> tuple[Page, Cursor]:
        rows, more = await self._org.page(lens, cursor.conditions(self._options))
        if more and (not rows or text(rows[-1], "Id") == cursor.last_id):
            raise Retry("Salesforce says that there are more records and shows none")
        cursor = cursor.passed(rows[-1]) if more else cursor.finished()
        past = await self._org.histories(lens, _ids(rows))
        contacts = tuple(lens.contact(row, past.get(text(row, "Id"), ())) for row in rows)
        return Page(contacts=contacts, cursor=cursor.json()), cursor


def _ids(rows: Sequence[Record]) -> list[str]:
    return [text(row, "Id") for row in rows]
