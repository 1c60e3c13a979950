"""Salesforce: contacts or leads pulled by SOQL, written under a condition that the org itself enforces.

The connector as the port sees it. Where things are: `options` what can be set, `soql` the queries and the
`match` vocabulary, `pull` passes and cursors, `bulk` and `table` query jobs and their results, `org` all other
reading, `records` fields ⇄ words, `write`, `batches` and `faults` updates and refusals, `check` the probe, `schema`
proposed mappings, `properties` the fields that tell of a value, `calls` the line to Salesforce with `limits`,
`answers` and `wire` (simple-salesforce) behind it. simple-salesforce's own exceptions stay in `wire`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from syncd.contract.model import (
    Change,
    Contact,
    ContactRef,
    Field,
    FieldMap,
    Finding,
    Page,
    Selection,
    Snapshot,
    WriteOutcome,
)
from syncd.contract.ports import CrmCapabilities, Tools
from syncd.contract.schema import Proposal

from . import check as probe
from . import options as settings
from . import properties, schema
from .batches import Fast, Guarded
from .bulk import Bulk
from .calls import Calls
from .options import Options
from .org import RETRIEVE, Org
from .pull import Sweep
from .records import TYPES
from .write import WRITE_CHUNK, Writing

__all__ = ["Connector", "Options"]

_FIELDS = {
    Field.EMAIL: FieldMap(property="Email"),
    Field.PHONE: FieldMap(property="Phone", also=("MobilePhone",)),
}


class Connector:
    """One Salesforce org. Implements `syncd.contract.ports.Crm`."""

    port: ClassVar = "crm"
    Options = Options
    capabilities = CrmCapabilities(
        title="Salesforce",
        objects=dict.fromkeys(TYPES, _FIELDS),
        read_batch=RETRIEVE,
        write_batch=WRITE_CHUNK,
        history=False,  # only where the admin tracks these fields: then it is used, but nothing relies on it
        conditional_write=True,
        keys="docs/keys.md#salesforce",
    )

    def __init__(self, name: str, options: settings.Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self._options, self._tools = options, tools
        self._calls = Calls(options, base_url, tools)
        self._org = Org(name, self._calls, options, tools.clock)
        if options.fast:
            self.capabilities = replace(self.capabilities, conditional_write=False)

    async def account(self) -> str:
        """See the port. The org's id."""
        return await self._org.account_id()

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        """See the port."""
        return await probe.check(self._calls, self._org, self._options, selections)

    def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        """See the port. Everything the first time and once a day; in between what has changed."""
        bulk = Bulk(self._calls, self._options, self._tools.clock)
        return Sweep(self._calls, self._org, bulk, self._options, selection).pages(cursor)

    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        """See the port. A query by id under the sync's own condition, up to 2 000 records in one call."""
        return await self._org.look(selection, partial(self._org.again, refs=refs))

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        """See the port. Who was merged is found under the id of the record that is left."""
        return await self._org.look(selection, partial(self._org.snapshots, refs=refs))

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        """See the port. Each update holds only if nobody changed its record since it was looked at here."""
        batches = Fast(self._calls) if self._options.fast else Guarded(self._calls)
        writing = Writing(self._calls, self._org, batches, self._tools.clock, self._tools.rng, selection)
        return await writing.run(changes)

    async def make_properties(self, selection: Selection, *, dry_run: bool) -> list[Finding]:
        """See `syncd.contract.ports.MakesProperties`. Nothing is made, whether dry or not: it is said what to do."""
        return properties.explained(await self._org.lens(selection, fresh=True))

    async def propose(self, kind: str) -> Proposal:
        """See `syncd.contract.ports.ProposesFields`."""
        selection = Selection(object=kind, fields=self.capabilities.objects[kind])
        return schema.proposed(await self._org.bare_lens(selection, fresh=True))

    async def aclose(self) -> None:
        await self._calls.aclose()
