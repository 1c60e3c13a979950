"""Bulk API 2.0 of the emulated Salesforce org: jobs, their states, CSV in and out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from syncd.sandbox.salesforce.org import OWNER

from .org import BASE, Org, answered, org, refusal

JOBS = f"{BASE}/jobs"


@pytest.fixture
def some() -> Iterator[Org]:
    with org() as one:
        yield one


def query_job(one: Org, soql: str, operation: str = "query", **more: Any) -> httpx.Response:
    return one.http.post(f"{JOBS}/query", json={"operation": operation, "query": soql, **more})


def ingest(one: Org, kind: str, text: str, *, close: bool = True) -> str:
    """The address of a job that has been handed this CSV."""
    job = answered(one.http.post(f"{JOBS}/ingest", json={"operation": "update", "object": kind, "contentType": "CSV"}))
    path = f"{JOBS}/ingest/{job['id']}"
    assert (
        one.http.put(f"{path}/batches", content=text.encode(), headers={"Content-Type": "text/csv"}).status_code == 201
    )
    if close:
        assert answered(one.http.patch(path, json={"state": "UploadComplete"}))["state"] == "UploadComplete"
    return path


def table(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_a_query_job_takes_a_while_and_is_read_in_pages(some: Org) -> None:
    job = answered(query_job(some, "SELECT Id, LastName, Account.Name FROM Contact"))
    assert (job["state"], job["object"], job["apiVersion"]) == ("UploadComplete", "Contact", 66.0)
    assert job["id"].startswith("750")
    path = f"{JOBS}/query/{job['id']}"
    refusal(some.http.get(f"{path}/results"), 400, "INVALIDJOBSTATE")
    some.sandbox.clock.skip(1)
    assert answered(some.http.get(path))["state"] == "InProgress"
    some.sandbox.clock.skip(2)
    assert answered(some.http.get(path))["state"] == "JobComplete"
    first = some.http.get(f"{path}/results", params={"maxRecords": 40})
    assert (first.headers["Sforce-Locator"], first.headers["Sforce-NumberOfRecords"]) == ("40", "40")
    rest = some.http.get(f"{path}/results", params={"maxRecords": 40, "locator": "40"})
    assert (rest.headers["Sforce-Locator"], rest.headers["Sforce-NumberOfRecords"]) == ("null", "20")
    assert table(first)[0] == table(rest)[0] == ["Id", "LastName", "Account.Name"]
    found = {line[0]: line[1] for answer in (first, rest) for line in table(answer)[1:]}
    assert found == {one["Id"]: one["LastName"] for one in some.rows("SELECT Id, LastName FROM Contact")}


def test_query_jobs_that_are_refused_or_end_badly(some: Org) -> None:
    refusal(query_job(some, "SELECT Nope FROM Contact"), 400, "INVALID_FIELD")
    refusal(query_job(some, "SELECT COUNT() FROM Contact"), 400, "API_ERROR")
    refusal(query_job(some, "SELECT Id FROM Contact", "insert"), 400, "INVALIDJOB")
    refusal(query_job(some, "SELECT Id FROM Contact", columnDelimiter="SPACE"), 400, "INVALIDJOB")
    refusal(some.http.get(f"{JOBS}/query/750Wt00000zzzzz"), 404, "NOT_FOUND")
    job = f"{JOBS}/query/{answered(query_job(some, 'SELECT Id FROM Lead'))['id']}"
    assert answered(some.http.patch(job, json={"state": "Aborted"}))["state"] == "Aborted"
    assert some.http.delete(job).status_code == 204
    some.sandbox.faults.add("salesforce_bulk_job_failed:1:InternalServerError : Unable to compile")
    job = f"{JOBS}/query/{answered(query_job(some, 'SELECT Id FROM Lead'))['id']}"
    some.sandbox.clock.skip(3)
    failed = answered(some.http.get(job))
    assert (failed["state"], failed["errorMessage"]) == ("Failed", "InternalServerError : Unable to compile")


def test_deleted_records_are_in_query_all_jobs(some: Org) -> None:
    some.records.delete(some.records.ids[0])
    for operation, count in (("query", "59"), ("queryAll", "60")):
        job = answered(query_job(some, "SELECT Id FROM Contact", operation))["id"]
        some.sandbox.clock.skip(3)
        assert some.http.get(f"{JOBS}/query/{job}/results").headers["Sforce-NumberOfRecords"] == count


def test_an_ingest_job_saves_row_by_row(some: Org) -> None:
    one, two, three = some.lacking("email", kind="lead")[:3]
    text = (
        "Id,Email,Title,Phone\n"
        f'{one},Müller@acme.example,"Head, ""Sales""",\n'
        f"{two},nonsense,x,\n"
        f"003Wt00000zzzzz,a@acme.example,x,\n"
        f"{three},,#N/A,\n"
    ).replace("Müller", "muller")
    phone = some.value(one, "Phone")
    path = ingest(some, "Lead", text)
    some.sandbox.clock.skip(3)
    info = answered(some.http.get(path))
    assert (info["state"], info["numberRecordsProcessed"], info["numberRecordsFailed"]) == ("JobComplete", 4, 2)
    saved, failed = table(some.http.get(f"{path}/successfulResults")), table(some.http.get(f"{path}/failedResults"))
    assert saved[0] == ["sf__Id", "sf__Created", "Id", "Email", "Title", "Phone"]
    assert [line[:2] for line in saved[1:]] == [[one, "false"], [three, "false"]]
    assert failed[1][1].startswith("INVALID_EMAIL_ADDRESS:Email: invalid email address: nonsense:Email --")
    assert failed[2][1].startswith("MALFORMED_ID")
    assert table(some.http.get(f"{path}/unprocessedrecords"))[1:] == []
    assert some.value(one, "Title") == 'Head, "Sales"'
    assert (some.value(one, "Phone"), some.value(one, "OwnerId")) == (phone, OWNER)
    assert some.value(three, "Title") is None


def test_ingest_jobs_that_are_refused_or_end_badly(some: Org) -> None:
    path = ingest(some, "Contact", "Id,X\n1,2\n")
    some.sandbox.clock.skip(3)
    failed = answered(some.http.get(path))
    assert (failed["state"], failed["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : X")
    assert table(some.http.get(f"{path}/unprocessedrecords")) == [["Id", "X"], ["1", "2"]]
    open_ = ingest(some, "Contact", "Id,Title\n", close=False)
    refusal(some.http.put(f"{open_}/batches", content=b"Id\n"), 400, "INVALIDJOBSTATE")
    assert answered(some.http.patch(open_, json={"state": "Aborted"}))["state"] == "Aborted"
    refusal(some.http.patch(open_, json={"state": "UploadComplete"}), 400, "INVALIDJOBSTATE")
    refusal(some.http.post(f"{JOBS}/ingest", json={"operation": "update", "object": "X"}), 400, "INVALID_TYPE")
    refusal(some.http.post(f"{JOBS}/ingest", json={"operation": "hardDelete", "object": "Lead"}), 400, "INVALIDJOB")


def test_results_may_come_without_a_charset(some: Org) -> None:
    path = ingest(some, "Contact", "Id,Title\n")
    assert some.http.get(f"{path}/failedResults").headers["Content-Type"] == "text/csv; charset=UTF-8"
    some.sandbox.faults.add("salesforce_bulk_plain_csv:*")
    assert some.http.get(f"{path}/failedResults").headers["Content-Type"] == "text/csv"
