"""An emulated Salesforce org on a real socket, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from syncd.sandbox.people import Quirk, Record, Trait
from syncd.sandbox.population import Shares
from syncd.sandbox.salesforce import Org as Records
from syncd.sandbox.salesforce import Salesforce
from syncd.sandbox.server import Sandbox, SandboxThread

BASE = "/services/data/v66.0"


class Org:
    """What tests say to the org."""

    def __init__(self, thread: SandboxThread, http: httpx.Client) -> None:
        self.thread, self.http = thread, http

    @property
    def sandbox(self) -> Sandbox:
        return self.thread.sandbox

    @property
    def vendor(self) -> Salesforce:
        return self.sandbox.salesforce

    @property
    def records(self) -> Records:
        return self.vendor.org

    # --- calls ---

    def login(self) -> None:
        keys = self.vendor.keys
        answer = self.http.post(
            "/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(keys.client_id, keys.client_secret),
        )
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(f"{BASE}{path}", **more)

    def query(self, soql: str, *, everything: bool = False, **headers: str) -> httpx.Response:
        return self.get("/queryAll" if everything else "/query", params={"q": soql}, headers=headers)

    def rows(self, soql: str, *, everything: bool = False) -> list[dict[str, Any]]:
        """All records of all pages, without their attributes."""
        body = answered(self.query(soql, everything=everything))
        records = list(body["records"])
        while not body["done"]:
            body = answered(self.http.get(body["nextRecordsUrl"]))
            records += body["records"]
        assert len(records) == body["totalSize"]
        return [{name: value for name, value in one.items() if name != "attributes"} for one in records]

    def column(self, soql: str) -> list[Any]:
        """The values of the only selected field."""
        return [next(iter(one.values())) for one in self.rows(soql)]

    def retrieve(self, kind: str, ids: list[str], *fields: str) -> httpx.Response:
        return self.http.post(f"{BASE}/composite/sobjects/{kind}", json={"ids": ids, "fields": list(fields)})

    def patch(self, row: str, values: Mapping[str, Any], **headers: str) -> httpx.Response:
        return self.http.patch(f"{BASE}/sobjects/{kind(row)}/{row}", json=dict(values), headers=headers)

    def update(self, *records: Mapping[str, Any], all_or_none: bool = False, **headers: str) -> httpx.Response:
        full = [{"attributes": {"type": kind(str(one.get("id", "003")))}, **one} for one in records]
        body = {"allOrNone": all_or_none, "records": full}
        return self.http.patch(f"{BASE}/composite/sobjects", json=body, headers=headers)

    def composite(self, *parts: Mapping[str, Any], **more: Any) -> httpx.Response:
        numbered = [{"referenceId": f"r{number}", **part} for number, part in enumerate(parts)]
        return self.http.post(f"{BASE}/composite", json={"compositeRequest": numbered, **more})

    def value(self, row: str, name: str) -> Any:
        return answered(self.get(f"/sobjects/{kind(row)}/{row}", params={"fields": name}))[name]

    # --- what there is ---

    def id(self, record: Record) -> str:
        return self.records.ids[record.number]

    def special(self, what: Quirk | Trait) -> Record:
        return next(one for one in self.sandbox.world.salesforce.records if what in {one.quirk, one.trait})

    def lacking(self, *fields: str, kind: str = "contact") -> list[str]:
        """Ordinary records that lack all of these fields."""
        ordinary = (one for one in self.sandbox.world.salesforce.records if not (one.quirk or one.trait))
        return [self.id(one) for one in ordinary if one.kind == kind and all(one.lacks(name) for name in fields)]

    def modified(self, row: str) -> str:
        """The record's stamp as an HTTP date."""
        return http_date(self.value(row, "LastModifiedDate"))


def kind(row: str) -> str:
    return {"00Q": "Lead", "001": "Account"}.get(row[:3], "Contact")


def http_date(stamp: str) -> str:
    moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.000+0000").replace(tzinfo=UTC)
    return f"{moment:%a, %d %b %Y %H:%M:%S} GMT"


def update_part(row: str, values: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """One update within a composite call."""
    part: dict[str, Any] = {"method": "PATCH", "url": f"{BASE}/sobjects/{kind(row)}/{row}", "body": dict(values)}
    return {**part, "httpHeaders": headers} if headers else part


def answered(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    """The message of the only error."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()
    assert error["errorCode"] == code
    message: str = error["message"]
    return message


@contextmanager
def org(
    contacts: int = 60,
    leads: int = 40,
    *,
    quirks: Shares | None = None,
    faults: tuple[str, ...] = (),
    hubspot: int = 0,
    usual: bool = False,
    **options: Any,
) -> Iterator[Org]:
    """An org with only these special records, or the `usual` ones, and a client that is logged in."""
    salesforce = {"contacts": contacts, "leads": leads, "quirks": None if usual else quirks or {}, **options}
    thread = SandboxThread(3, hubspot, quirks={}, faults=faults, salesforce=salesforce)
    with thread as sandbox, httpx.Client(base_url=sandbox.urls["salesforce"], timeout=10) as http:
        one = Org(thread, http)
        one.login()
        yield one
