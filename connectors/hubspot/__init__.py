"""HubSpot: contacts pulled by search, decided on fresh reads with history, written in batches.

The connector as the port sees it. Where things are: `options` what can be set, `terms` the `match`
vocabulary, `lists` who is in a list, `pull` sweeps and cursors, `look` and `membership` the look before buying,
`portal` bulk reads, `records` properties ⇄ words with `person` and `consent`, `write` and `faults` updates and
refusals, `check` the probe, `schema` proposed mappings, `properties` those that tell of a value, `calls` the line to
HubSpot with `limits`, `answers` and `wire` (the official SDK) behind it. HubSpot's own exceptions stay in `wire`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
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
from . import look as looking
from . import options as settings
from . import properties, schema
from .calls import Calls
from .consent import LEGAL_BASIS
from .options import Options
from .portal import READ_CHUNK, Portal, closed_properties
from .pull import Sweep
from .records import Lens, merged_ids, record_id
from .write import WRITE_CHUNK, Writing

__all__ = ["Connector", "Options"]


class Connector:
    """One HubSpot portal. Implements `syncd.contract.ports.Crm`."""

    port: ClassVar = "crm"
    Options = Options
    capabilities = CrmCapabilities(
        title="HubSpot",
        objects={
            "contacts": {
                Field.EMAIL: FieldMap(property="email"),
                Field.PHONE: FieldMap(property="phone", also=("mobilephone",)),
            }
        },
        read_batch=READ_CHUNK,
        write_batch=WRITE_CHUNK,
        history=True,
        conditional_write=False,
        keys="docs/keys.md#hubspot",
        legal_basis=LEGAL_BASIS,
    )

    def __init__(self, name: str, options: settings.Options, base_url: str | None, tools: Tools) -> None:
        self.name = name
        self._options, self._clock = options, tools.clock
        self._calls = Calls(options, base_url, tools)
        self._portal = Portal(self._calls, tools.clock)

    async def account(self) -> str:
        """See the port. The portal's id."""
        return await self._portal.account_id()

    async def check(self, selections: Sequence[Selection]) -> list[Finding]:
        """See the port. One update without inputs is sent, to learn whether writing is allowed."""
        return await probe.check(self._calls, self._portal, self._options, selections)

    def pull(self, selection: Selection, cursor: Mapping[str, Any] | None) -> AsyncIterator[Page]:
        """See the port. One page per 200 nominated contacts; the last cursor starts the next sweep."""
        return Sweep(self._calls, self._portal, self._lens(selection), self._clock).pages(cursor)

    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        """See the port. One read, and a search only where a filter can't be judged from what was read."""
        return await looking.look(self._calls, self._portal, self._lens(selection), refs)

    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        """See the port. Who was merged is found under the id that HubSpot returns instead."""
        lens = self._lens(selection)
        ids = [ref.id for ref in refs if ref.id.isdigit()]
        found = {record_id(record): record for record in await self._portal.contacts(ids, lens)}
        merged = {old: record for record in found.values() for old in merged_ids(record)}
        return [lens.snapshot(ref, found.get(ref.id) or merged.get(ref.id)) for ref in refs]

    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        """See the port. Unconditional: read just before and just after."""
        extras = {m.property for field, m in selection.extras.items() if any(c.field is field for c in changes)}
        extras |= {name for change in changes for name in change.along}
        closed = closed_properties(extras, await self._portal.catalogue()) if extras else ()
        return await Writing(self._calls, selection, changes, closed).run()

    async def make_properties(self, selection: Selection, *, dry_run: bool) -> list[Finding]:
        """See `syncd.contract.ports.MakesProperties`."""
        return await properties.make(self._calls, self._portal, selection, dry_run=dry_run)

    async def propose(self, kind: str) -> Proposal:
        """See `syncd.contract.ports.ProposesFields`."""
        catalogue = await self._portal.catalogue(fresh=True)
        return schema.proposed(catalogue, self._options, self.capabilities.objects[kind])

    async def aclose(self) -> None:
        await self._calls.aclose()

    def _lens(self, selection: Selection) -> Lens:
        return Lens(self.name, selection, self._options)
