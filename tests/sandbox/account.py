"""An emulated HubSpot account on a real socket, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from syncd.sandbox.people import Quirk, Record
from syncd.sandbox.population import Shares
from syncd.sandbox.server import Sandbox, SandboxThread

FAMILIES = {
    "v3": ("/crm/v3/objects", "/crm/v3/properties", "/crm/v4/associations", "/account-info/v3"),
    "2026-09": (
        "/crm/objects/2026-09",
        "/crm/properties/2026-09",
        "/crm/associations/2026-09",
        "/account-info/2026-09",
    ),
}


class Account:
    """What tests say to the account."""

    def __init__(self, sandbox: Sandbox, http: httpx.Client, family: str) -> None:
        self.sandbox, self.http = sandbox, http
        self.objects, self.properties, self.associations, self.info = FAMILIES[family]

    def post(self, tail: str, body: Any) -> httpx.Response:
        return self.http.post(f"{self.objects}/contacts/{tail}", json=body)

    def search(self, *filters: Mapping[str, Any], **more: Any) -> httpx.Response:
        return self.post("search", {"filterGroups": [{"filters": list(filters)}] if filters else [], **more})

    def found(self, *filters: Mapping[str, Any], **more: Any) -> list[str]:
        answer = self.search(*filters, **{"limit": 200, **more})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["results"]]

    def read(self, *ids: str, **more: Any) -> httpx.Response:
        return self.post("batch/read", {"inputs": [{"id": one} for one in ids], **more})

    def history(self, contact: str, name: str) -> list[dict[str, Any]]:
        answer = self.read(contact, properties=[name], propertiesWithHistory=[name])
        versions: list[dict[str, Any]] = answer.json()["results"][0]["propertiesWithHistory"][name]
        return versions

    def value(self, contact: str, name: str) -> str | None:
        answer = self.read(contact, properties=[name])
        value: str | None = answer.json()["results"][0]["properties"][name]
        return value

    def update(self, values: Mapping[str, Mapping[str, Any]], *, traced: bool = True) -> httpx.Response:
        inputs: list[dict[str, Any]] = [{"id": contact, "properties": dict(one)} for contact, one in values.items()]
        for number, one in enumerate(inputs if traced else ()):
            one["objectWriteTraceId"] = f"t{number}"
        return self.post("batch/update", {"inputs": inputs})

    def contact(self, record: Record) -> str:
        return str(self.sandbox.hubspot.portal.ids[record.number])

    def lacking(self, *fields: str) -> list[str]:
        """Contacts that lack all of these fields."""
        return [self.contact(one) for one in self.sandbox.world.records if all(one.lacks(name) for name in fields)]

    def with_email(self) -> list[tuple[str, str]]:
        return [(self.contact(one), one.email) for one in self.sandbox.world.records if one.email]

    def quirky(self, quirk: Quirk) -> Record:
        return next(one for one in self.sandbox.world.records if one.quirk is quirk)


@contextmanager
def account(
    contacts: int = 60,
    quirks: Shares | None = None,
    *,
    family: str = "v3",
    faults: tuple[str, ...] = (),
    **hubspot: Any,
) -> Iterator[Account]:
    """An account whose searches see every change at once and that has no special records, unless said otherwise."""
    options = {"index_lag": (0.0, 0.0), **hubspot}
    with SandboxThread(3, contacts, quirks=quirks or {}, faults=faults, hubspot=options) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.hubspot.token}"}
        with httpx.Client(base_url=sandbox.urls["hubspot"], headers=headers, timeout=10) as http:
            yield Account(sandbox, http, family)


def has(name: str) -> dict[str, str]:
    return {"propertyName": name, "operator": "HAS_PROPERTY"}


def lacks(name: str) -> dict[str, str]:
    return {"propertyName": name, "operator": "NOT_HAS_PROPERTY"}


def where(name: str, operator: str, value: object = None, **more: object) -> dict[str, object]:
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


def refusal(answer: httpx.Response, status: int, category: str | None = "VALIDATION_ERROR") -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["status"] == "error"
    assert body["correlationId"]
    assert body.get("category") == category
    message: str = body["message"]
    return message
