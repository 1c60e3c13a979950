"""One sweep over the contacts that lack a field or opted out: the index nominates, a fresh read decides.

What the cursor holds and when it advances is said here and nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from syncd.contract.errors import Halt, Retry, Trouble, Unusable
from syncd.contract.model import Contact, Page
from syncd.contract.pacing import Clock

from . import lists, look, terms
from .answers import Answer
from .calls import Calls, Route
from .portal import Catalogue, Portal
from .records import STAMP, Lens, Record, milliseconds, prop, record_id

INDEX_LAG = 30.0  # seconds after which the index has caught up in all recorded cases
_CLOCKS = 3_600_000  # ms by which our clock may be ahead of HubSpot's


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a sweep stands, in Unix milliseconds; `until` is None between two sweeps.

    A sweep goes by id, so that ten thousand contacts with one stamp are no trouble. The next one
    starts at what this one has seen, never later than when this one began, and looks back a little.
    """

    since: int | None = None  # None: everything
    last_id: str = "0"
    until: int | None = None
    max_seen: int = 0
    place: str | None = None  # in the list that is walked through; None: changes are searched for
    added: int | None = None  # when somebody came into the list last, as it was walked through last

    @classmethod
    def read(cls, cursor: Mapping[str, Any] | None) -> Cursor:
        return cls() if cursor is None else cls(**{k: v for k, v in cursor.items() if k in cls.__slots__})

    @property
    def underway(self) -> bool:
        """Has a search begun?"""
        return self.last_id != "0"

    def started(self, now: float) -> Cursor:
        return self if self.until is not None else replace(self, until=int(now * 1000), last_id="0", max_seen=0)

    def walking(self, added: int | None) -> Cursor:
        """From the first page of the list on."""
        return replace(self, place="", added=added)

    def walked(self, place: str) -> Cursor:
        """Go on there. At the end, what changes from the walk's beginning on is searched for."""
        if place:
            return replace(self, place=place)
        return Cursor(since=max(self.since or 0, (self.until or 0) - _CLOCKS) or None, added=self.added)

    def passed(self, last_id: str, seen: int) -> Cursor:
        return replace(self, last_id=last_id, max_seen=max(self.max_seen, seen))

    def finished(self) -> Cursor:
        reached = min(self.until or 0, self.max_seen)
        return Cursor(since=max(self.since or 0, reached) or None, added=self.added)

    def json(self) -> dict[str, Any]:
        return asdict(self)


class Sweep:
    """The pages from one cursor on."""

    def __init__(self, calls: Calls, portal: Portal, lens: Lens, clock: Clock) -> None:
        self._calls, self._portal, self._lens, self._clock = calls, portal, lens, clock
        self._list = lists.wanted(lens.selection.match)

    async def pages(self, raw: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        terms.require_usable(self._lens, await self._portal.catalogue())
        cursor = Cursor.read(raw).started(self._clock.now())
        if self._list is not None and cursor.place is None and not cursor.underway:
            found = await lists.find(self._calls, self._list)
            if cursor.since is None or found.added_at is None or found.added_at != cursor.added:
                lists.require_ready(found, self._list)  # whoever came into it need not have changed
                cursor = cursor.walking(found.added_at)
        while cursor.place is not None:
            page, cursor = await self._walk(cursor)
            yield page
        patience = 1
        while cursor.until is not None:
            answer = await self._search(cursor)
            nominated = answer.results
            more = _has_next(answer) or _total(answer) > len(nominated)
            if more and not nominated and patience:  # the index counts what it can't show yet
                patience -= 1
                await self._clock.sleep(INDEX_LAG)
                continue
            contacts, seen = await self._decide(nominated)
            cursor = cursor.passed(_last_id(nominated, cursor.last_id), seen)
            cursor = cursor if more and nominated else cursor.finished()
            yield Page(contacts=contacts, cursor=cursor.json(), stale=len(nominated) - len(contacts))

    async def _walk(self, cursor: Cursor) -> tuple[Page, Cursor]:
        """A page of the list: who lacks something, or has opted out, and meets the filters."""
        ids, place = await lists.page(self._calls, self._list or "", cursor.place or "")
        lacking = await self._portal.lacking(ids, self._lens)
        kept = await look.matching(self._calls, self._portal, self._lens, lacking)
        contacts = await self._contacts(kept.values())
        following = cursor.walked(place)
        return Page(contacts=contacts, cursor=following.json(), stale=len(lacking) - len(contacts)), following

    async def _contacts(self, records: Iterable[Record]) -> tuple[Contact, ...]:
        wanted = {record_id(record): record for record in records if self._lens.is_wanted(record)}
        companies = await self._portal.companies(wanted.values())
        return tuple(self._lens.contact(record, companies[key]) for key, record in wanted.items())

    async def _search(self, cursor: Cursor) -> Answer:
        """A search that is refused may name a property that was deleted or hidden since we looked: once more then."""
        catalogue = await self._portal.catalogue()
        try:
            return await self._calls.safe(Route.SEARCH, self._request(cursor, catalogue))
        except Halt as error:
            if error.trouble is not Trouble.MISCONFIGURED:
                raise
            now = await self._portal.catalogue(fresh=True)
            if now.keys() == catalogue.keys():
                raise Unusable(str(error), cure="run `syncd check`, and mend `match` of this sync") from error
        terms.require_usable(self._lens, now)
        return await self._calls.safe(Route.SEARCH, self._request(cursor, now))

    def _request(self, cursor: Cursor, catalogue: Catalogue) -> dict[str, Any]:
        overlap = int(self._lens.options.overlap * 1000)
        since = None if cursor.since is None else max(cursor.since - overlap, 0)
        return terms.request(self._lens.selection, catalogue, cursor.last_id, since)

    async def _decide(self, nominated: list[dict[str, Any]]) -> tuple[tuple[Contact, ...], int]:
        """The nominated that still lack something or opted out, and the newest stamp among all of them."""
        if not nominated:
            return (), 0
        ids = [record_id(record) for record in nominated]
        if self._list is not None:
            there = await lists.inside(self._calls, self._list, ids)
            ids = [one for one in ids if one in there]
        records = await self._portal.contacts(ids, self._lens)
        seen: list[Record] = [*nominated, *records]
        newest = max(milliseconds(prop(record, STAMP)) for record in seen)
        return await self._contacts(records), newest


def _last_id(nominated: list[dict[str, Any]], before: str) -> str:
    """The greatest id; raises Retry when the page is not in order, since going on would skip people."""
    ids = [int(record_id(record)) for record in nominated if record_id(record).isdigit()]
    if len(ids) != len(nominated) or ids != sorted(ids) or (ids and ids[0] <= int(before)):
        raise Retry("HubSpot did not sort the search by hs_object_id")
    return str(ids[-1]) if ids else before


def _has_next(answer: Answer) -> bool:
    paging = (answer.body or {}).get("paging")
    return isinstance(paging, dict) and bool(paging.get("next"))


def _total(answer: Answer) -> int:
    total = (answer.body or {}).get("total")
    return total if isinstance(total, int) else 0
