"""A query as a job of Bulk API 2.0: it is made, looked at until it is done, and its results are read set by set.

Cheap for many rows, but slow, and the rows come in no order. Results stay under the job's id for seven days, each
set of them under a locator that does not change ("Get Results for a Query Job"); so a place is a job, a locator, and
how many rows of its set were taken. Jobs are left to expire: to delete one would cost a call and bring nothing. When
a job is thought of, and what happens when it gives nothing, is said in `pull`. No job writes: none knows a condition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import quote

from syncd.contract.errors import Halt, Trouble
from syncd.contract.pacing import Clock

from . import soql
from .answers import Answer, Slow, Stale
from .calls import Calls
from .options import Options
from .records import Lens, Record, text, to18
from .table import Table, Unreadable, unfit

PAGES = 25  # in a set of results, for one call: 50 000 rows of the default page, 14 MB
LOOKS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0)  # seconds before each look at a job
FRESH = 86_400.0  # seconds: whom somebody has filled since would be bought for
_RUNNING = {"UploadComplete", "InProgress"}


class Lost(Exception):
    """There is no job that can give us these rows, or there is no more. Says why, for people."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pull stands in a job's results."""

    job: str
    made: float  # UTC seconds of the server, before it was made
    rest: int | None = None  # rows still to come; None: it was not seen to be done
    locator: str = ""  # of the set that is being read; "" is the first
    taken: int = 0  # rows of this set
    last: str = ""  # the id of the last of them


@dataclass(slots=True)
class _Set:
    """One set of results, being read."""

    locator: str
    following: str  # the next set's, or "null"
    size: int
    records: Iterator[Record]
    taken: int


class Bulk:
    """The jobs of one pull. Raises Lost besides what `Calls.get` raises."""

    def __init__(self, calls: Calls, options: Options, clock: Clock) -> None:
        self._calls, self._options, self._clock = calls, options, clock
        self._open: _Set | None = None

    async def begin(self, lens: Lens, after: Sequence[str], many: int) -> Place:
        """Make a job for all those that lack a field, if `after` holds for so many of them."""
        if unfit(lens):
            raise Lost(f"bulk jobs can't give {', '.join(unfit(lens))}")
        if not await self._are(many, lens, after):
            raise Lost(f"fewer than {many} rows were to come")
        made = self._calls.server_now()
        job = {"operation": "query", "query": soql.everybody(lens), "contentType": "CSV"}
        job |= {"columnDelimiter": "COMMA", "lineEnding": "LF"}
        told = await self._ask(self._calls.ask("jobs/query", job))  # twice is no harm: one expires unread
        name = to18(text(_object(told), "id"))
        if name is None:
            raise Lost("Salesforce made a job without an id")
        return Place(name, made)

    async def page(self, lens: Lens, place: Place) -> tuple[list[Record], Place | None]:
        """The next rows, up to a page of them, and where it goes on; None: these were the last."""
        if self._calls.server_now() > place.made + FRESH:
            raise Lost("the job's results are older than a day")
        rest = await self._done(place.job) if place.rest is None else place.rest
        opened = self._open
        if opened is None or (opened.locator, opened.taken) != (place.locator, place.taken):
            opened = self._open = await self._set(lens, place)
        rows = list(islice(opened.records, self._options.page))
        opened.taken += len(rows)
        rest -= len(rows)
        if opened.taken < opened.size:
            return rows, replace(place, rest=rest, taken=opened.taken, last=text(rows[-1], "Id"))
        if opened.following != "null":
            return rows, Place(place.job, place.made, rest, opened.following)
        if rest:
            raise Lost(f"the job's results lack {rest} of the rows that it found")
        return rows, None

    async def _are(self, many: int, lens: Lens, after: Sequence[str]) -> bool:
        try:
            answer = await self._calls.get("query", q=soql.count(lens, after, many))
        except Slow:  # whom Salesforce can't count in time are many, and jobs have more time
            return True
        total = _object(answer).get("totalSize")
        return isinstance(total, int) and total >= many

    async def _done(self, job: str) -> int:
        """Look at a job, ever less often, until it is done; returns how many rows it found."""
        for pause in LOOKS:
            await self._clock.sleep(pause)
            told = _object(await self._ask(self._calls.get(f"jobs/query/{job}")))
            state = text(told, "state")
            if state == "JobComplete":
                return _found(told)
            if state not in _RUNNING:
                raise Lost(f"the job ended as {state}: {text(told, 'errorMessage')[:300]}")
        raise Lost(f"the job took longer than {sum(LOOKS) / 60:.0f} minutes")

    async def _set(self, lens: Lens, place: Place) -> _Set:
        """Fetch a set of results, and go to where we were in it. One call, however often it is read from."""
        path = f"jobs/query/{place.job}/results?maxRecords={PAGES * self._options.page}"
        path += f"&locator={quote(place.locator)}" if place.locator else ""
        answer = await self._ask(self._calls.get(path, accept="text/csv"))
        if not isinstance(answer.body, bytes):
            raise Lost(f"Salesforce answered HTTP {answer.status} without CSV")
        told, following = (answer.headers.get(f"sforce-{name}", "") for name in ("numberofrecords", "locator"))
        try:
            size, records = await asyncio.to_thread(_opened, Table(answer.body, lens), place)
        except Unreadable as error:
            raise Lost(f"the job's results can't be read: {error}") from error
        if told != str(size) or following in {"", place.locator}:
            raise Lost(f"Salesforce gave {size} rows for {told or 'no number'}, and {following or 'nothing'} as next")
        return _Set(place.locator, following, size, records, place.taken)

    async def _ask(self, call: Awaitable[Answer]) -> Answer:
        """What a job refuses, the query resource may still give; a session that is refused ends both."""
        try:
            return await call
        except Stale as error:
            raise Lost(str(error)) from error
        except Halt as error:
            if error.trouble is not Trouble.MISCONFIGURED:
                raise
            raise Lost(str(error)) from error


def _object(answer: Answer) -> dict[str, Any]:
    return answer.body if isinstance(answer.body, dict) else {}


def _opened(table: Table, place: Place) -> tuple[int, Iterator[Record]]:
    """Read it all once before anything is believed, then go to the place: 0.15 to 0.5 s for 50 000 rows (14 MB)."""
    size, records = table.size(), table.records()
    if place.taken and [text(row, "Id") for row in islice(records, place.taken)][-1:] != [place.last]:
        raise Lost("the job's results have changed")
    return size, records


def _found(told: dict[str, Any]) -> int:
    """A job that is done may still have failed for some: then nobody can say for whom."""
    found, failed = told.get("numberRecordsProcessed"), told.get("numberRecordsFailed", 0)
    if not isinstance(found, int) or failed:
        raise Lost(f"the job is done with {found} rows, and failed for {failed}")
    return found
