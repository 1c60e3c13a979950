"""Passes over those that lack a field: everything by id once a day, and in between what has changed.

What the cursor holds and when it advances is said here and nowhere else. All moments are the server's. Every
page is a query of its own that begins after the last row of the one before, so no server-side cursor can expire.

When the first pull has shown some rows and very many are to come, everybody is asked for in one job (`bulk`). The
cursor then holds the job and the place in its results, and still the last id before it: if the job is of no use,
the pages go on from there, with all the others in them, and the cursor says why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from syncd.contract.errors import Retry
from syncd.contract.model import Page, Selection

from . import semijoins, soql
from .answers import seconds
from .bulk import Bulk, Lost, Place
from .calls import Calls
from .options import Options
from .org import Org
from .records import STAMP, Lens, Record, text

LAG = 60.0  # seconds: the newest rows are left to the next pass, since others may still be committed before them
ENOUGH = 2_000  # rows, a page by default
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
    job: Place | None = None  # everybody comes from it, those up to `last_id` once more
    paged: str = ""  # why no job is made in the first pull, once that is known

    @classmethod
    def read(cls, cursor: Mapping[str, Any] | None) -> Cursor:
        if cursor is None:
            return cls()
        job = cursor.get("job")
        known = {name: value for name, value in cursor.items() if name in cls.__slots__}
        return cls(**{**known, "job": Place(**job) if job else None})

    def started(self, now: float, options: Options, *, whole: bool = False) -> Cursor:
        """Go on with the pass that was under way, or begin the next one; `whole`: which goes through everybody."""
        if self.until is not None:
            return self
        due = whole or self.swept is None or now >= self.swept + options.full_sweep * _HOUR
        return replace(self, until=now - LAG, sweeping=now if due else None, last_stamp=0.0, last_id="")

    def passed(self, row: Record) -> Cursor:
        return replace(self, last_stamp=seconds(text(row, STAMP)), last_id=text(row, "Id"))

    def finished(self) -> Cursor:
        """After a sweep, changes count from where it began."""
        since = max(self.since, self.until or 0.0)
        return Cursor(since=since, swept=self.sweeping or self.swept, paged=self.paged)

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

    def __init__(self, calls: Calls, org: Org, bulk: Bulk, options: Options, selection: Selection) -> None:
        self._calls, self._org, self._bulk, self._options, self._selection = calls, org, bulk, options, selection

    async def pages(self, raw: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        await self._org.look(self._selection, _seen)  # with it comes the server's time
        whole = semijoins.there(self._selection.match)  # who comes into a campaign has not changed
        cursor = Cursor.read(raw).started(self._calls.server_now(), self._options, whole=whole)
        shown = 0
        while cursor.until is not None:
            page, cursor = await self._org.look(self._selection, partial(self._step, at=cursor, shown=shown))
            shown += len(page.contacts)
            yield page

    async def _step(self, lens: Lens, at: Cursor, shown: int) -> tuple[Page, Cursor]:
        """A job is thought of only after some rows: where there are few, nobody pays for having them counted."""
        if at.job is not None:
            return await self._results(lens, at, at.job)
        many, first = self._options.bulk_from, at.sweeping is not None and at.swept is None
        if first and many and shown >= min(many, ENOUGH) and not at.paged:
            return await self._job(lens, at, many)
        return await self._page(lens, at)

    async def _page(self, lens: Lens, cursor: Cursor) -> tuple[Page, Cursor]:
        rows, more = await self._org.page(lens, cursor.conditions(self._options))
        if more and (not rows or text(rows[-1], "Id") == cursor.last_id):
            raise Retry("Salesforce says that there are more records and shows none")
        return await self._shown(lens, rows, cursor.passed(rows[-1]) if more else cursor.finished())

    async def _job(self, lens: Lens, cursor: Cursor, many: int) -> tuple[Page, Cursor]:
        """An empty page: once it is stored, whoever goes on finds the job again, or knows that there is none."""
        try:
            job = await self._bulk.begin(lens, cursor.conditions(self._options), many)
        except Lost as lost:
            return await self._shown(lens, (), replace(cursor, paged=str(lost)))
        return await self._shown(lens, (), replace(cursor, job=job))

    async def _results(self, lens: Lens, cursor: Cursor, job: Place) -> tuple[Page, Cursor]:
        try:
            rows, following = await self._bulk.page(lens, job)
        except Lost as lost:
            return await self._shown(lens, (), replace(cursor, job=None, paged=str(lost)))
        return await self._shown(lens, rows, replace(cursor, job=following) if following else cursor.finished())

    async def _shown(self, lens: Lens, rows: Sequence[Record], cursor: Cursor) -> tuple[Page, Cursor]:
        past = await self._org.histories(lens, [text(row, "Id") for row in rows])
        contacts = tuple(lens.contact(row, past.get(text(row, "Id"), ())) for row in rows)
        return Page(contacts=contacts, cursor=cursor.json()), cursor


async def _seen(lens: Lens) -> Lens:
    return lens
