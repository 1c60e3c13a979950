"""What is asked of a portal in bulk: its property catalogue, contacts by id, companies by id.

Chunk sizes and what is remembered live here; what the answers mean is said in `records`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.contract.errors import Retry
from syncd.contract.pacing import Clock

from .answers import Answer, MissingScope
from .calls import Calls, Route
from .records import Company, Lens, Record, record_id, whole

READ_CHUNK = 50  # HubSpot reads 100 contacts a call, but 50 where history is asked for
PLAIN_CHUNK = 100
COMPANY_CHUNK = 100
CATALOGUE_AGE = 3_600.0  # seconds
COMPANY_AGE = 86_400.0
COMPANIES_KEPT = 10_000
_COMPANY = ["name", "domain", "website", "country"]
_NOBODY = Company()

Catalogue = Mapping[str, Mapping[str, Any]]


class Portal:
    """One portal's contacts and companies, read freshly from its primary store."""

    def __init__(self, calls: Calls, clock: Clock) -> None:
        self._calls, self._clock = calls, clock
        self._catalogue: Catalogue = {}
        self._catalogue_until = float("-inf")
        self._companies: OrderedDict[str, tuple[float, Company]] = OrderedDict()
        self._companies_shut = False  # the token has no right to read them

    async def catalogue(self, *, fresh: bool = False) -> Catalogue:
        """The contact properties of this portal by name; archived ones are left out."""
        if fresh or self._clock.monotonic() >= self._catalogue_until:
            await self.account()
            answer = await self._calls.safe(Route.PROPERTIES)
            self._catalogue = {str(p.get("name")): p for p in answer.results if p.get("archived") is not True}
            self._companies_shut = False  # perhaps the right was granted meanwhile
            self._catalogue_until = self._clock.monotonic() + CATALOGUE_AGE
        return self._catalogue

    async def account_id(self) -> str:
        """The portal's id. Raises Retry where HubSpot tells none."""
        told = whole((await self.account()).get("portalId"))
        if not told.isdigit():
            raise Retry("HubSpot's account details hold no portalId")
        return told

    async def account(self) -> Mapping[str, Any]:
        """The account's details; its time zone tells when the daily limit ends."""
        details = (await self._calls.safe(Route.ACCOUNT)).body or {}
        self._calls.limits.place(details)
        return details

    async def contacts(self, ids: Sequence[str], lens: Lens, also: Iterable[str] = ()) -> list[Record]:
        """These contacts with history and the properties `also`, in any order; who is gone is absent, who was merged
        has another id."""
        known = await self.catalogue()
        names = list(dict.fromkeys((*lens.properties(known), *also)))
        wanted = {"properties": names, "propertiesWithHistory": lens.history(known)}
        return await self._read(Route.READ, ids, READ_CHUNK, wanted)

    async def lacking(self, ids: Sequence[str], lens: Lens) -> list[str]:
        """Those of these contacts that a pull may bring: a read of a hundred a call, without history."""
        known = await self.catalogue()
        records = await self._read(Route.READ, ids, PLAIN_CHUNK, {"properties": lens.properties(known)})
        wanted = {record_id(record) for record in records if lens.is_wanted(record)}
        return [one for one in ids if one in wanted]

    async def companies(self, contacts: Iterable[Record]) -> dict[str, Company]:
        """The primary company of each contact, by the contact's id; a blank one where there is none."""
        employer = {record_id(c): whole((c.get("properties") or {}).get("associatedcompanyid")) for c in contacts}
        await self._fetch_companies({company for company in employer.values() if company.isdigit()})
        named = {contact: self._remembered(company) for contact, company in employer.items()}
        while len(self._companies) > COMPANIES_KEPT:
            self._companies.popitem(last=False)
        return named

    async def _fetch_companies(self, ids: Iterable[str]) -> None:
        oldest = self._clock.monotonic() - COMPANY_AGE
        missing = sorted(i for i in ids if i not in self._companies or self._companies[i][0] < oldest)
        if not missing or self._companies_shut:
            return
        try:
            found = await self._read(Route.COMPANIES, missing, COMPANY_CHUNK, {"properties": _COMPANY})
        except MissingScope:  # `check` tells it; the contact's own words for its company have to do
            self._companies_shut = True
            return
        companies = {record_id(record): Company.of(record) for record in found}
        now = self._clock.monotonic()
        for company in missing:
            self._companies[company] = (now, companies.get(company, _NOBODY))
            self._companies.move_to_end(company)

    def _remembered(self, company: str) -> Company:
        if company not in self._companies:
            return _NOBODY
        self._companies.move_to_end(company)
        return self._companies[company][1]

    async def _read(self, route: Route, ids: Sequence[str], size: int, wanted: Mapping[str, Any]) -> list[Record]:
        chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
        bodies = [{"inputs": [{"id": one} for one in chunk], **wanted} for chunk in chunks]
        calls = [self._calls.safe(route, body) for body in bodies]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        records: list[Record] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            _complain(answer)
            records += answer.results
        return records


def closed_properties(names: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """Those of these properties that the portal does not have, or that nobody may write."""
    return frozenset(name for name in names if name not in catalogue or is_read_only(catalogue[name]))


def is_read_only(definition: Mapping[str, Any]) -> bool:
    metadata = definition.get("modificationMetadata")
    return definition.get("calculated") is True or (
        isinstance(metadata, dict) and metadata.get("readOnlyValue") is True
    )


def _complain(answer: Answer) -> None:
    """A 207 also tells who is gone; anything else in it means that the rest was not read."""
    for error in answer.refusal.errors:
        if error.category != "OBJECT_NOT_FOUND":
            raise Retry(f"HubSpot read only a part: {error.category or 'no reason given'}")
