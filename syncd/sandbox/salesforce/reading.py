"""Answers that only read: queries and their pages, describes, lists of what changed, limits.

Single records and collections are in `rows` and `collections`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.faults import Faults

from . import ids
from .calls import Answer, Call
from .org import Org
from .query import Queries, Result
from .replies import Refusal, no_type, not_found, stamp
from .saving import moment
from .schema import Kind
from .usage import Usage

LEAST_PAGE, PAGE = 200, 2_000
CURSOR_LIFE = 2 * 86_400.0  # seconds
_FURTHEST_BACK = 30 * 86_400  # seconds
FAULTS = {
    "salesforce_query_timeout": "a query is refused: QUERY_TIMEOUT",
    "salesforce_cursor_lost": "the next page of a query is refused: INVALID_QUERY_LOCATOR",
    "salesforce_short_pages": "pages of queries have fewer records, while on (parameter: how many)",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A query's result that is still being paged through."""

    result: Result
    size: int
    opened: float  # sandbox seconds


class Reader:
    """Reads one org."""

    def __init__(self, org: Org, faults: Faults, usage: Usage) -> None:
        self.org, self.faults, self.usage = org, faults, usage
        self.queries = Queries(org.schema, org.store, org.sync_history)
        self._cursors: dict[str, Cursor] = {}

    def kind(self, name: str) -> Kind:
        """The object of that name in an address; raises Refusal."""
        found = self.org.schema.kind(name)
        if found is None:
            raise not_found()
        return found

    # --- queries ---

    def query(self, call: Call) -> Answer:
        """GET /query?q=…"""
        return self._query(call, deleted=False)

    def query_all(self, call: Call) -> Answer:
        """GET /queryAll?q=…: with what is in the recycle bin."""
        return self._query(call, deleted=True)

    def _query(self, call: Call, *, deleted: bool) -> Answer:
        text = call.query.get("q")
        if not text:
            raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
        if self.faults.take("salesforce_query_timeout") is not None:
            raise Refusal("QUERY_TIMEOUT", "Your query request was running for too long.")
        result = self.queries.run(text, deleted=deleted)
        if not result.columns:
            return Answer(body={"totalSize": result.total, "done": True, "records": []})
        key = ids.make("0r8", 40_000 + len(self._cursors))
        cursor = Cursor(result, self._size(call.headers), self.org.clock.now())
        if result.total > cursor.size:
            self._cursors[key] = cursor
        return self._page(call, key, cursor, 0)

    def more(self, call: Call) -> Answer:
        """GET /query/<cursor>-<offset>."""
        key, _, start = call.path["locator"].rpartition("-")
        cursor = self._cursors.get(key)
        lost = self.faults.take("salesforce_cursor_lost") is not None
        if cursor is not None and (lost or cursor.opened + CURSOR_LIFE < self.org.clock.now()):
            cursor = None
        if cursor is None or not start.isdigit() or int(start) >= cursor.result.total:
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(call, key, cursor, int(start))

    def _size(self, headers: Mapping[str, str]) -> int:
        if (few := self.faults.setting("salesforce_short_pages")) is not None:
            return int(few or 7)
        options = dict(one.strip().partition("=")[::2] for one in headers.get("sforce-query-options", "").split(";"))
        size = options.get("batchSize", "")
        return min(max(int(size), LEAST_PAGE), PAGE) if size.isdigit() else PAGE

    def _page(self, call: Call, key: str, cursor: Cursor, start: int) -> Answer:
        result, end = cursor.result, start + cursor.size
        rows = result.rows[start:end]
        self.org.seen(row for row, _ in rows)
        body: dict[str, Any] = {"totalSize": result.total, "done": end >= result.total}
        if end < result.total:
            body["nextRecordsUrl"] = f"{call.base}/query/{key}-{end}"
        body["records"] = self.queries.word(result, rows, call.version)
        return Answer(body=body)

    # --- what there is ---

    def describe_all(self, call: Call) -> Answer:
        """GET /sobjects."""
        kinds = [self.org.schema.summary(one, call.version) for one in self.org.schema.kinds.values()]
        return Answer(body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": kinds})

    def basics(self, call: Call) -> Answer:
        """GET /sobjects/{object}."""
        kind = self.kind(call.path["kind"])
        return Answer(body={"objectDescribe": self.org.schema.summary(kind, call.version), "recentItems": []})

    def describe(self, call: Call) -> Answer:
        """GET /sobjects/{object}/describe; 304 if asked for changes since a time (nobody changes objects here)."""
        kind = self.kind(call.path["kind"])
        since = moment(call.headers.get("if-modified-since"), "If-Modified-Since")
        if since is not None and since >= self.org.clock.origin and not self._security_changed():
            return Answer(304)
        return Answer(body=self.org.schema.describe(kind, call.version))

    def _security_changed(self) -> bool:
        names = ("salesforce_field_hidden", "salesforce_field_read_only")
        return any(self.faults.setting(one) is not None for one in names)

    def limits(self, _: Call) -> Answer:
        """GET /limits."""
        return Answer(body=self.usage.limits())

    # --- what changed ---

    def updated(self, call: Call) -> Answer:
        """GET /sobjects/{object}/updated?start=…&end=…: ids only."""
        kind, (start, end) = self.kind(call.path["kind"]), self._span(call)
        rows = self.org.store.tables[kind.name].rows.values()
        found = [row.id for row in rows if not row.deleted and start <= row.values["SystemModstamp"] < end]
        return Answer(body={"ids": found, "latestDateCovered": stamp(end)})

    def deleted(self, call: Call) -> Answer:
        """GET /sobjects/{object}/deleted?start=…&end=…"""
        kind, (start, end) = self.kind(call.path["kind"]), self._span(call)
        rows = [row for row in self.org.store.tables[kind.name].rows.values() if row.deleted]
        records = [
            {"id": row.id, "deletedDate": stamp(row.values["LastModifiedDate"])}
            for row in rows
            if start <= row.values["LastModifiedDate"] < end
        ]
        earliest = stamp(self.org.now() - _FURTHEST_BACK)
        return Answer(
            body={"deletedRecords": records, "earliestDateAvailable": earliest, "latestDateCovered": stamp(end)}
        )

    def _span(self, call: Call) -> Sequence[int]:
        """Both ends, of full minutes: seconds are ignored."""
        try:
            times = [datetime.fromisoformat(call.query[name].replace(" ", "+")) for name in ("start", "end")]
        except (KeyError, ValueError):
            raise Refusal("INVALID_REPLICATION_DATE", "start and end must be dates with a time zone") from None
        start, end = (int(one.replace(tzinfo=one.tzinfo or UTC).timestamp()) // 60 * 60 for one in times)
        if start < self.org.now() - _FURTHEST_BACK:
            raise Refusal("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
        if start >= end:
            raise Refusal("INVALID_REPLICATION_DATE", "endDate has to be after startDate")
        return start, min(end, self.org.now())


def known_type(reader: Reader, name: str) -> Kind:
    """The object of that name in a body; raises Refusal."""
    found = reader.org.schema.kind(name)
    if found is None:
        raise no_type(name)
    return found
