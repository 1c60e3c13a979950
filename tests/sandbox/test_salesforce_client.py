"""The emulated Salesforce org takes simple-salesforce for a client: its logins, queries, writes and bulk jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceMalformedRequest
from simple_salesforce.format import format_soql

from syncd.sandbox.salesforce import Keys

from .org import BASE, Org, org, update_part

KEYS = Keys()


class Loopback(HTTPAdapter):
    """Sends what is meant for https://…salesforce.com to a plain port of this machine."""

    def __init__(self, base: str) -> None:
        self.base = urlsplit(base)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *rest: Any, **more: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.headers.setdefault("Host", parts.netloc)
        request.url = urlunsplit((self.base.scheme, self.base.netloc, parts.path, parts.query, ""))
        return super().send(request, *rest, **{**more, "timeout": 10})


@pytest.fixture
def some() -> Iterator[Org]:
    with org(450, 20) as one:
        yield one


@pytest.fixture
def session(some: Org) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Loopback(some.sandbox.urls["salesforce"]))
        yield session


@pytest.fixture
def client(session: requests.Session) -> Any:
    return logged_in(session)


def logged_in(session: requests.Session) -> Any:
    """By client credentials. Its own types know too little of what its attributes are."""
    keys: dict[str, Any] = {"consumer_key": KEYS.client_id, "consumer_secret": KEYS.client_secret}
    return Salesforce(**keys, domain=KEYS.domain, version="66.0", session=session)


def test_it_logs_in_in_every_way(some: Org, session: requests.Session) -> None:
    common: dict[str, Any] = {"domain": KEYS.domain, "session": session, "username": KEYS.username}
    key = some.vendor.access.private_key
    signed = Salesforce(**common, consumer_key=KEYS.client_id, privatekey=key, version="66.0")
    soap = Salesforce(**common, password=KEYS.password, security_token=KEYS.security_token, version="64.0")
    for one in (signed, soap):
        answer: Any = one.query("SELECT Id FROM Lead")
        assert answer["totalSize"] == 20
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_OPERATION"):
        Salesforce(**common, password=KEYS.password, security_token=KEYS.security_token, version="66.0")
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        Salesforce(consumer_key=KEYS.client_id, consumer_secret="no", domain=KEYS.domain, session=session)


def test_it_queries_and_pages(client: Any) -> None:
    soql = format_soql("SELECT Id, Account.Name FROM Contact WHERE LastName != {} ORDER BY Id", "O'Brien")
    first = client.query(soql, headers={"Sforce-Query-Options": "batchSize=200"})
    rest = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert len(first["records"]) == 200
    assert rest["records"]
    assert len(list(client.query_all_iter(soql))) == first["totalSize"]
    assert client.api_usage["api-usage"].total == 115_000
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query("SELECT Nope FROM Contact")


def test_it_writes(some: Org, client: Any) -> None:
    rows = some.lacking("phone")[:3]
    client.Contact.update(rows[0], {"Phone": "+442079460001"})
    assert client.Contact.get(rows[0])["Phone"] == "+442079460001"
    assert {"name", "fields"} <= set(client.Contact.describe() or {})
    body = {"compositeRequest": [{**update_part(rows[1], {"Phone": "+442079460002"}), "referenceId": "r0"}]}
    done = client.restful("composite", method="POST", json=body)
    assert done["compositeResponse"][0]["httpStatusCode"] == 204
    record = {"attributes": {"type": "Contact"}, "id": rows[2], "Phone": "+442079460003"}
    assert client.restful("composite/sobjects", method="PATCH", json={"records": [record]})[0]["success"]
    assert client.restful("limits")["DailyApiRequests"]["Max"] == 115_000


def test_it_logs_in_again_and_loses_its_headers(some: Org, client: Any) -> None:
    row = some.lacking("phone")[0]
    url = f"https://x{BASE}/sobjects/Contact/{row}"
    condition = {"If-Unmodified-Since": "Sat, 21 Nov 1998 10:00:01 GMT"}
    some.vendor.access.close_all()
    client._call_salesforce("PATCH", url, json={"Phone": "+442079460001"}, headers=condition)
    assert client.Contact.get(row)["Phone"] == "+442079460001"
    some.vendor.access.close_all()
    part = {**update_part(row, {"Phone": "+442079460002"}, **condition), "referenceId": "r0"}
    answer = client.restful("composite", method="POST", json={"compositeRequest": [part]})
    assert answer["compositeResponse"][0]["httpStatusCode"] == 412


def test_its_bulk_jobs_work() -> None:
    with org(20, 0, bulk_delay=0.0) as one, requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Loopback(one.sandbox.urls["salesforce"]))
        client = logged_in(session)
        (text,) = client.bulk2.Contact.query("SELECT Id, LastName FROM Contact", wait=0.01)
        assert len(text.splitlines()) == 21
        rows = one.lacking("email")[:2]
        records = [{"Id": rows[0], "Email": "a@acme.example"}, {"Id": rows[1], "Email": "nonsense"}]
        (job,) = client.bulk2.Contact.update(records=records, wait=0.01)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)
        assert "INVALID_EMAIL_ADDRESS" in client.bulk2.Contact.get_failed_records(job["job_id"])
