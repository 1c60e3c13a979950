"""The table of the REST API's endpoints. What each does is in the module that its function is from."""

from __future__ import annotations

import re
from collections.abc import Callable

from .bulk import Bulk
from .calls import Answer, Call, Dispatcher, Operation
from .collections import Collections
from .composite import Composite
from .reading import Reader
from .rows import Rows

_KIND, _ID = r"(?P<kind>\w+)", r"(?P<id>\w+)"
_JOB = rf"(?P<what>/jobs/(?:query|ingest)/){_ID}"


def dispatcher(reader: Reader, rows: Rows, collections: Collections, bulk: Bulk) -> Dispatcher:
    """Every endpoint of the org; composite calls reach the others through it."""
    whole = Dispatcher([*_reading(reader), *_records(rows, collections), *_jobs(bulk)])
    whole.operations.append(_one("composite", "POST", "/composite", "update", Composite(reader.org, whole).post))
    return whole


def _one(name: str, method: str, pattern: str, group: str, run: Callable[[Call], Answer]) -> Operation:
    return Operation(name, method, re.compile(pattern), group, run)


def _reading(reader: Reader) -> list[Operation]:
    return [
        _one("query", "GET", "/query", "query", reader.query),
        _one("queryAll", "GET", "/queryAll", "query", reader.query_all),
        _one("query/next", "GET", r"/query(?:All)?/(?P<locator>[\w-]+)", "query", reader.more),
        _one("sobjects", "GET", "/sobjects", "read", reader.describe_all),
        _one("sobjects/basics", "GET", f"/sobjects/{_KIND}", "read", reader.basics),
        _one("describe", "GET", f"/sobjects/{_KIND}/describe", "read", reader.describe),
        _one("updated", "GET", f"/sobjects/{_KIND}/updated", "read", reader.updated),
        _one("deleted", "GET", f"/sobjects/{_KIND}/deleted", "read", reader.deleted),
        _one("limits", "GET", "/limits", "read", reader.limits),
    ]


def _records(rows: Rows, collections: Collections) -> list[Operation]:
    row = f"/sobjects/{_KIND}/{_ID}"
    return [
        _one("sobjects/get", "GET", row, "read", rows.get),
        _one("sobjects/update", "PATCH", row, "update", rows.patch),
        _one("sobjects/delete", "DELETE", row, "update", rows.delete),
        _one("collections/retrieve", "POST", f"/composite/sobjects/{_KIND}", "read", collections.post),
        _one("collections/retrieve", "GET", f"/composite/sobjects/{_KIND}", "read", collections.get),
        _one("collections/update", "PATCH", "/composite/sobjects", "update", collections.patch),
    ]


def _jobs(bulk: Bulk) -> list[Operation]:
    ingest = f"/jobs/ingest/{_ID}"
    return [
        _one("jobs/query/create", "POST", "/jobs/query", "bulk", bulk.create_query),
        _one("jobs/query/results", "GET", f"/jobs/query/{_ID}/results", "bulk", bulk.results),
        _one("jobs/ingest/create", "POST", "/jobs/ingest", "bulk", bulk.create_ingest),
        _one("jobs/ingest/upload", "PUT", f"{ingest}/batches", "bulk", bulk.upload),
        _one("jobs/ingest/saved", "GET", f"{ingest}/successfulResults", "bulk", bulk.saved),
        _one("jobs/ingest/failed", "GET", f"{ingest}/failedResults", "bulk", bulk.failed),
        _one("jobs/ingest/unprocessed", "GET", f"{ingest}/unprocessedrecords", "bulk", bulk.unprocessed),
        _one("jobs/info", "GET", _JOB, "bulk", bulk.info),
        _one("jobs/change", "PATCH", _JOB, "bulk", bulk.change),
        _one("jobs/remove", "DELETE", _JOB, "bulk", bulk.remove),
    ]
