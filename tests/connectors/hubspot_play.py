"""What the tests of the HubSpot connector share: a connection to a scripted portal, and short words for calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from connectors.hubspot import Connector, Options
from syncd.contract.model import (
    Change,
    Contact,
    ContactRef,
    Field,
    FieldMap,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
    WriteStatus,
)
from syncd.contract.testing import StillClock
from tests.connectors.scripted_crm import Reply, ScriptedCrm, Seen, refusal
from tests.contract.bench import bench

T = TypeVar("T")
TOKEN = "pat-eu1-00000000-0000-4000-8000-000000000000"
SELECTION = Selection(object="contacts", fields=Connector.capabilities.objects["contacts"])
EMAIL_ONLY = Selection(object="contacts", fields={Field.EMAIL: FieldMap(property="email")})
MAIL, PHONE = "ada@example.com", "+442079460123"
SECONDLY = Reply(429, refusal("You have reached your secondly limit.", "RATE_LIMITS"))
ROLLING = Reply(
    429,
    {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "policyName": "TEN_SECONDLY_ROLLING",
    },
)
DAILY = Reply(429, {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"})


def using(
    crm: ScriptedCrm, act: Callable[[Connector], Awaitable[T]], clock: StillClock | None = None, **options: Any
) -> T:
    async def go() -> T:
        settings = Options.model_validate({"access_token": TOKEN, **options} if "client_id" not in options else options)
        connector = Connector("hub", settings, crm.url, bench(clock))
        try:
            return await act(connector)
        finally:
            await connector.aclose()

    return asyncio.run(go())


async def pages(connector: Connector, cursor: Any = None, selection: Selection = SELECTION) -> list[Page]:
    return [page async for page in connector.pull(selection, cursor)]


async def pulled(connector: Connector, cursor: Any = None) -> list[Contact]:
    return [contact for page in await pages(connector, cursor) for contact in page.contacts]


def ref(number: object) -> ContactRef:
    return ContactRef(connection="hub", object="contacts", id=str(number))


def put(number: object, field: Field, new: str, expected: str = "") -> Change:
    return Change(ref=ref(number), field=field, expected=expected, new=new)


def read(crm: ScriptedCrm, *ids: object, **options: Any) -> list[Snapshot]:
    return using(crm, lambda c: c.read([ref(i) for i in ids], SELECTION), **options)


def write(crm: ScriptedCrm, *changes: Change, clock: StillClock | None = None) -> dict[tuple[str, Field], WriteOutcome]:
    outcomes = using(crm, lambda c: c.write(changes, SELECTION), clock)
    assert len({(o.ref, o.field) for o in outcomes}) == len(outcomes)
    return {(o.ref.id, o.field): o for o in outcomes}


def statuses(outcomes: dict[tuple[str, Field], WriteOutcome]) -> dict[tuple[str, Field], WriteStatus]:
    return {key: outcome.status for key, outcome in outcomes.items()}


def filters(request: Seen) -> list[dict[str, Any]]:
    return [one for group in request.body["filterGroups"] for one in group["filters"]]


def sent(crm: ScriptedCrm) -> list[dict[str, dict[str, str]]]:
    """The properties by record id of each update."""
    return [{i["id"]: i["properties"] for i in request.body["inputs"]} for request in crm.asked("batch/update")]
