"""Bulk API 2.0: query and ingest jobs, which take a while, their states, and CSV in and out.

An ingest update knows no condition and no assignment rule, but the same rules for each record as any other
(`saving`). Source: "Bulk API 2.0 and Bulk API Developer Guide".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.faults import Faults

from . import ids
from .calls import Answer, Call
from .query import Result
from .reading import Reader, known_type
from .replies import Refusal, not_found, stamp
from .saving import Manner, Saver
from .schema import Kind
from .soql import parse

PAGE = 50_000
_LARGEST = 100_000_000  # characters of an upload
_QUERIES = {"query": False, "queryAll": True}  # operation: whether with what is in the recycle bin
_DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
FAULTS = {
    "salesforce_bulk_job_failed": "a bulk job ends as Failed (parameter: errorMessage)",
    "salesforce_bulk_plain_csv": "results of bulk jobs are text/csv without a charset, while on",
}


@dataclass(slots=True)
class Job:
    """One job. `ready`: when it will be done, sandbox seconds; None until it was handed over."""

    id: str
    operation: str
    kind: Kind
    created: int
    user: str
    delimiter: str
    ending: str
    state: str
    version: str
    ready: float | None = None
    error: str = ""
    result: Result | None = None  # of a query
    columns: list[str] = field(default_factory=list)  # of an upload
    lines: list[list[str]] = field(default_factory=list)
    saved: list[list[str]] = field(default_factory=list)
    failed: list[list[str]] = field(default_factory=list)


class Bulk:
    """One org's jobs."""

    def __init__(self, reader: Reader, saver: Saver, faults: Faults, delay: float) -> None:
        """`delay`: seconds a job takes."""
        self.reader, self.saver, self.org, self.faults, self.delay = reader, saver, reader.org, faults, delay
        self._jobs: dict[str, Job] = {}

    # --- queries ---

    def create_query(self, call: Call) -> Answer:
        """POST /jobs/query; a bad query is refused at once."""
        body = call.body()
        text, operation = str(body.get("query", "")), str(body.get("operation", ""))
        if operation not in _QUERIES:
            raise Refusal("INVALIDJOB", f"Unsupported operation: {operation}")
        result = self.reader.queries.run(text, deleted=_QUERIES[operation])
        if not result.columns or parse(text).offset:
            raise Refusal("API_ERROR", "COUNT() and OFFSET are not supported in bulk queries")
        job = self._create(call, body, result.kind, "UploadComplete")
        job.result, job.ready = result, self.org.clock.now() + self.delay
        return Answer(body=self._info(job))

    def results(self, call: Call) -> Answer:
        """GET /jobs/query/{id}/results?maxRecords=…&locator=…"""
        job = self._job(call, queries=True)
        if job.state != "JobComplete" or job.result is None:
            raise Refusal("INVALIDJOBSTATE", f"Cannot get results of a job in state {job.state}")
        start, most = call.query.get("locator", "0"), call.query.get("maxRecords", str(PAGE))
        if not (start.isdigit() and most.isdigit() and int(most)):
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        end = int(start) + min(int(most), PAGE)
        rows = job.result.rows[int(start) : end]
        self.org.seen(row for row, _ in rows)
        header = [".".join(one.names) for one in job.result.columns]
        answer = self._csv(job, [header, *self.reader.queries.lines(job.result, rows)])
        locator = str(end) if end < job.result.total else "null"
        answer.headers |= {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(rows))}
        return answer

    # --- updates ---

    def create_ingest(self, call: Call) -> Answer:
        """POST /jobs/ingest."""
        body = call.body()
        if body.get("operation") != "update":
            raise Refusal("INVALIDJOB", f"Unsupported operation: {body.get('operation')}")
        kind = known_type(self.reader, str(body.get("object", "")))
        return Answer(body=self._info(self._create(call, body, kind, "Open")))

    def upload(self, call: Call) -> Answer:
        """PUT /jobs/ingest/{id}/batches: the CSV, once."""
        job = self._job(call, queries=False)
        if job.state != "Open" or job.columns:
            raise Refusal("INVALIDJOBSTATE", f"Data can't be uploaded to a job in state {job.state}")
        text = call.raw.decode("utf-8-sig", "replace")
        if len(text) > _LARGEST:
            raise Refusal("EXCEEDED_MAX_SIZE_REQUEST", "Upload is too large", 413)
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=job.delimiter))
        job.columns, job.lines = (lines[0], [line for line in lines[1:] if line]) if lines else ([], [])
        return Answer(201)

    def saved(self, call: Call) -> Answer:
        """GET …/successfulResults."""
        job = self._job(call, queries=False)
        return self._csv(job, [["sf__Id", "sf__Created", *job.columns], *job.saved])

    def failed(self, call: Call) -> Answer:
        """GET …/failedResults."""
        job = self._job(call, queries=False)
        return self._csv(job, [["sf__Id", "sf__Error", *job.columns], *job.failed])

    def unprocessed(self, call: Call) -> Answer:
        """GET …/unprocessedrecords: all of them, if the job failed or was aborted."""
        job = self._job(call, queries=False)
        left = job.lines if job.state in {"Failed", "Aborted"} else []
        return self._csv(job, [job.columns, *left])

    # --- both ---

    def info(self, call: Call) -> Answer:
        """GET /jobs/{query|ingest}/{id}."""
        return Answer(body=self._info(self._job(call, queries="/query/" in call.path["what"])))

    def change(self, call: Call) -> Answer:
        """PATCH …: `state` UploadComplete or Aborted."""
        job = self._job(call, queries="/query/" in call.path["what"])
        wanted = call.body().get("state")
        if wanted == "UploadComplete" and job.state == "Open":
            job.state, job.ready = "UploadComplete", self.org.clock.now() + self.delay
        elif wanted == "Aborted" and job.state not in {"JobComplete", "Failed"}:
            job.state, job.ready = "Aborted", None
        else:
            raise Refusal("INVALIDJOBSTATE", f"Cannot move a job from {job.state} to {wanted}")
        return Answer(body=self._info(job))

    def remove(self, call: Call) -> Answer:
        """DELETE …"""
        job = self._job(call, queries="/query/" in call.path["what"])
        if job.state in {"UploadComplete", "InProgress"}:
            raise Refusal("INVALIDJOBSTATE", f"Cannot delete a job in state {job.state}")
        del self._jobs[job.id]
        return Answer(204)

    def _create(self, call: Call, body: dict[str, Any], kind: Kind, state: str) -> Job:
        delimiter, ending = body.get("columnDelimiter", "COMMA"), body.get("lineEnding", "LF")
        if delimiter not in _DELIMITERS or ending not in _ENDINGS or body.get("contentType", "CSV") != "CSV":
            raise Refusal("INVALIDJOB", "columnDelimiter, lineEnding or contentType is not supported")
        job = Job(
            id=ids.make("750", 900_000 + len(self._jobs)),
            operation=str(body["operation"]),
            kind=kind,
            created=self.org.now(),
            user=call.session.user,
            delimiter=_DELIMITERS[delimiter],
            ending=_ENDINGS[ending],
            state=state,
            version=call.version,
        )
        self._jobs[job.id] = job
        return job

    def _job(self, call: Call, *, queries: bool) -> Job:
        job = self._jobs.get(ids.parse(call.path["id"]) or "")
        if job is None or (job.operation in _QUERIES) != queries:
            raise not_found()
        if job.ready is not None and job.state in {"UploadComplete", "InProgress"}:
            self._advance(job, job.ready)
        return job

    def _advance(self, job: Job, ready: float) -> None:
        now = self.org.clock.now()
        job.state = "InProgress" if now >= ready - self.delay / 2 else "UploadComplete"
        if now < ready:
            return
        problem = self.faults.take("salesforce_bulk_job_failed")
        unknown = [name for name in job.columns if self.org.schema.field(job.kind, name) is None]
        if problem is not None or unknown:
            name = unknown[0] if unknown else ""
            job.error = f"InvalidBatch : Field name not found : {name}" if unknown else problem or "InternalServerError"
            job.state = "Failed"
            return
        job.state = "JobComplete"
        manner = Manner(job.user, job.version, auto_assign=False)
        for line in job.lines:
            self._save(job, line, manner)

    def _save(self, job: Job, line: Sequence[str], manner: Manner) -> None:
        cells = dict(zip(job.columns, line, strict=False))
        given = next((value for name, value in cells.items() if name.lower() == "id"), "")
        values = {
            name: None if value == "#N/A" else value
            for name, value in cells.items()
            if value and name.lower() != "id"  # an empty cell leaves the field alone
        }
        try:
            row = self.saver.find(job.kind, given)
            if row is None:
                job.failed.append([given, "INVALID_CROSS_REFERENCE_KEY:invalid cross reference id:--", *line])
                return
            self.saver.update(job.kind, row, values, manner)
        except Refusal as refusal:
            names = " ".join(refusal.fields or ())
            job.failed.append([given, f"{refusal.code}:{refusal.message}:{names} --", *line])
        else:
            job.saved.append([row.id, "false", *line])

    def _csv(self, job: Job, lines: Iterable[Sequence[str]]) -> Answer:
        text = "".join(_lines(lines, job.delimiter, job.ending))
        plain = self.faults.setting("salesforce_bulk_plain_csv") is not None
        return Answer(body=text, media="text/csv" if plain else "text/csv; charset=UTF-8")

    def _info(self, job: Job) -> dict[str, Any]:
        name = next(name for name, mark in _DELIMITERS.items() if mark == job.delimiter)
        info: dict[str, Any] = {
            "id": job.id,
            "operation": job.operation,
            "object": job.kind.name,
            "createdById": job.user,
            "createdDate": stamp(job.created),
            "systemModstamp": stamp(job.created),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            "jobType": "V2Query" if job.operation in _QUERIES else "V2Ingest",
            "lineEnding": "LF" if job.ending == "\n" else "CRLF",
            "columnDelimiter": name,
        }
        if job.operation in _QUERIES:
            done = job.state == "JobComplete" and job.result is not None
            info["numberRecordsProcessed"] = job.result.total if done and job.result else 0
        else:
            info["contentUrl"] = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
            info["numberRecordsProcessed"] = len(job.saved) + len(job.failed)
            info["numberRecordsFailed"] = len(job.failed)
        if job.error:
            info["errorMessage"] = job.error
        return info


def _lines(lines: Iterable[Sequence[str]], delimiter: str, ending: str) -> Iterator[str]:
    """Every cell in quotes, as Salesforce writes CSV."""
    for line in lines:
        yield delimiter.join('"' + cell.replace('"', '""') + '"' for cell in line) + ending
