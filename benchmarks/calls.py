"""How many of a Salesforce org's daily calls the connector spends, counted by the emulated org itself.

As the pipeline does it: pull, then read, decide and write batch by batch, with real sockets in between. Logins
don't count, as with Salesforce. A first pull stands there both ways, by pages and by a bulk job that is done at the
first look; each look more is a call more. Two describes and a question after histories are part of every pull.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from connectors.salesforce import Connector, Options
from syncd.contract.model import Change, ContactRef, Field, Selection, WriteStatus
from syncd.contract.ports import Tools
from syncd.sandbox.salesforce import Salesforce
from syncd.sandbox.salesforce.org import COLLEAGUE
from syncd.sandbox.server import Sandbox

RECORDS, LARGER = 10_000, 5
SPEED = 100.0
CONTACTS = Selection(object="contacts", fields=Connector.capabilities.objects["contacts"])


class Memory:
    """Forgets it all with the process."""

    def recall(self, key: str) -> Any:
        return None

    async def keep(self, key: str, value: Any) -> None:
        return


class Clock:
    """The sandbox's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.now = self.monotonic = sandbox.clock.now
        self.sleep = sandbox.clock.sleep


class Bench:
    """An org of people who lack everything, and a connection to it."""

    def __init__(self, sandbox: Sandbox, records: int, **options: Any) -> None:
        self.sandbox, self.vendor, self.url = sandbox, sandbox.salesforce, sandbox.urls["salesforce"]
        self.ids = [_add(self.vendor, number) for number in range(records)]
        keys = self.vendor.keys
        given = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret, **options}
        tools = Tools(Clock(sandbox), random.Random(1), Memory())
        self.crm = Connector("sf", Options.model_validate(given), self.url, tools)
        self.cursor: Any = None

    async def pull(self) -> int:
        found = set()
        async for page in self.crm.pull(CONTACTS, self.cursor):
            found |= {contact.ref.id for contact in page.contacts}
            self.cursor = page.cursor
        return len(found)

    async def write(self) -> int:
        """Everybody gets an e-mail; returns to how many it was written."""
        written, size = 0, self.crm.capabilities.write_batch
        for start in range(0, len(self.ids), size):
            refs = [ContactRef(connection="sf", object="contacts", id=one) for one in self.ids[start : start + size]]
            new = Change(ref=refs[0], field=Field.EMAIL, expected="", new="")
            snapshots = await self.crm.read(refs, CONTACTS)
            changes = [replace(new, ref=s.ref, new=f"{s.ref.id}@example.com", revision=s.revision) for s in snapshots]
            outcomes = await self.crm.write(changes, CONTACTS)
            written += sum(outcome.status is WriteStatus.WRITTEN for outcome in outcomes)
        return written


def main(argv: list[str]) -> int:
    """Print the table. `argv`: optionally the number of records."""
    records = int(argv[0]) if argv else RECORDS
    print(f"{'contacts of a Salesforce org':52} {'records':>8} {'calls':>6} {'seconds':>8}")
    for number in (records, LARGER * records):
        asyncio.run(_first(number, "the first pull by pages (bulk_from: 0)", bulk_from=0))
        asyncio.run(_first(number, "the first pull by a job (bulk_from: 1)", bulk_from=1))
        asyncio.run(_first(number, "the first pull as it is by default"))
    asyncio.run(_guarded(records))
    asyncio.run(_fast(records))
    asyncio.run(_tracked(records))
    return 0


async def _first(records: int, what: str, **options: Any) -> None:
    async with Sandbox(contacts=0, speed=SPEED) as sandbox:
        bench = Bench(sandbox, records, **options)
        sandbox.clock.skip(1_200)
        await _count(bench, what, bench.pull)
        await bench.crm.aclose()


async def _guarded(records: int) -> None:
    async with Sandbox(contacts=0, speed=SPEED) as sandbox:
        bench = Bench(sandbox, records)
        sandbox.clock.skip(1_200)
        await bench.pull()
        sandbox.clock.skip(900)
        await _count(bench, "the next pull, nothing has changed", bench.pull)
        await _count(bench, "reading and writing, guarded (25 a call)", bench.write)
        await bench.crm.aclose()


async def _fast(records: int) -> None:
    async with Sandbox(contacts=0, speed=SPEED) as sandbox:
        bench = Bench(sandbox, records, fast=True)
        sandbox.clock.skip(120)
        await _count(bench, "reading and writing, fast: true (200 a call)", bench.write)
        await bench.crm.aclose()


async def _tracked(records: int) -> None:
    async with Sandbox(contacts=0, speed=SPEED, salesforce={"tracked_fields": ("Email", "Phone")}) as sandbox:
        bench = Bench(sandbox, records)
        sandbox.salesforce.human_edit(bench.ids[0], "Phone", "+442079460123")
        sandbox.clock.skip(120)
        await _count(bench, "the first pull where fields are tracked", bench.pull)
        await _count(bench, "reading and writing, guarded, fields tracked", bench.write)
        await bench.crm.aclose()


async def _count(bench: Bench, what: str, act: Callable[[], Awaitable[int]]) -> None:
    before, began = bench.vendor.usage.used, time.perf_counter()
    done = await act()
    print(f"{what:52} {done:8,} {bench.vendor.usage.used - before:6,} {time.perf_counter() - began:8.1f}", flush=True)


def _add(vendor: Salesforce, number: int) -> str:
    values = {"FirstName": "Person", "LastName": f"Number {number}"}
    return vendor.org.store.add("Contact", values, COLLEAGUE, vendor.org.now()).id
