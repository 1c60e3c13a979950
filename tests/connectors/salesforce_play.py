"""What the tests of the Salesforce connector share: a connection to a scripted org, and short words for calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from connectors.salesforce import Connector, Options
from syncd.contract.model import (
    Change,
    Contact,
    ContactRef,
    Field,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
    WriteStatus,
)
from syncd.contract.ports import Crm, Tools
from syncd.contract.testing import StillClock
from tests.connectors.scripted_org import ScriptedOrg
from tests.contract.bench import START, bench

T = TypeVar("T")
APP = {"domain": "acme.my", "client_id": "3MVG9.consumer", "client_secret": "consumer-secret-of-the-bench"}
CONTACTS = Selection(object="contacts", fields=Connector.capabilities.objects["contacts"])
LEADS = Selection(object="leads", fields=Connector.capabilities.objects["leads"])
MAIL, PHONE = "ada@example.com", "+442079460123"


@contextmanager
def org(kind: str = "Contact") -> Iterator[ScriptedOrg]:
    """An org whose clock jumps with ours."""
    with ScriptedOrg(StillClock(START), kind) as made:
        yield made


def using(crm: ScriptedOrg, act: Callable[[Connector], Awaitable[T]], tools: Tools | None = None, **options: Any) -> T:
    async def go() -> T:
        settings = Options.model_validate(options if "domain" in options else {**APP, **options})
        connector = Connector("sf", settings, crm.url, tools or bench(crm.clock))
        try:
            return await act(connector)
        finally:
            await connector.aclose()

    return asyncio.run(go())


def selection(crm: ScriptedOrg) -> Selection:
    return CONTACTS if crm.kind == "Contact" else LEADS


async def pages(connector: Crm, cursor: Any = None, selection: Selection = CONTACTS) -> list[Page]:
    return [page async for page in connector.pull(selection, cursor)]


async def pulled(connector: Crm, cursor: Any = None, selection: Selection = CONTACTS) -> dict[str, Contact]:
    return {c.ref.id: c for page in await pages(connector, cursor, selection) for c in page.contacts}


def ref(record: str, kind: str = "contacts") -> ContactRef:
    return ContactRef(connection="sf", object=kind, id=record)


def put(record: str, field: Field, new: str, expected: str = "", revision: str = "", kind: str = "contacts") -> Change:
    return Change(ref=ref(record, kind), field=field, expected=expected, new=new, revision=revision)


def read(crm: ScriptedOrg, *records: str, **options: Any) -> dict[str, Snapshot]:
    chosen = selection(crm)
    found = using(crm, lambda c: c.read([ref(one, chosen.object) for one in records], chosen), **options)
    return {snapshot.ref.id: snapshot for snapshot in found}


def write(crm: ScriptedOrg, *changes: Change, **options: Any) -> dict[tuple[str, Field], WriteOutcome]:
    outcomes = using(crm, lambda c: c.write(changes, selection(crm)), **options)
    assert len({(o.ref, o.field) for o in outcomes}) == len(outcomes)
    return {(o.ref.id, o.field): o for o in outcomes}


def statuses(outcomes: dict[tuple[str, Field], WriteOutcome]) -> dict[tuple[str, Field], WriteStatus]:
    return {key: outcome.status for key, outcome in outcomes.items()}
