"""What is asked of an org in bulk: describes, pages, records by id, merges, field histories.

Chunk sizes and what is remembered live here; what the answers mean is said in `records`, what is asked
in `soql`. Jobs of Bulk API 2.0 are in `bulk`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from syncd.contract.errors import ConnectorError, Halt, InDoubt, Retry, Unusable
from syncd.contract.model import Contact, ContactRef, Selection, Snapshot
from syncd.contract.pacing import Clock

from . import soql
from .answers import Answer, Unknown, refusals, translate
from .calls import Calls
from .options import Options
from .records import TYPES, Catalogue, Lens, Record, text, to18

T = TypeVar("T")

RETRIEVE = 2_000  # ids that Salesforce takes in one POST of composite/sobjects
QUERIES = 5  # in one composite
CATALOGUE_AGE = 3_600.0  # seconds
HOPS = 5  # merges after merges


class Org:
    """One org's records, read freshly: SOQL and retrieve both ask the primary store."""

    def __init__(self, name: str, calls: Calls, options: Options, clock: Clock) -> None:
        self._name, self._calls, self._options, self._clock = name, calls, options, clock
        self._known: dict[str, _Known] = {}

    async def look(self, selection: Selection, ask: Callable[[Lens], Awaitable[T]]) -> T:
        """Ask something through a lens; if a field is gone meanwhile, once more through a new one. Raises Unusable
        where that does not help: then it is the selection's own condition or object that is refused."""
        try:
            return await ask(await self.lens(selection))
        except Unknown:
            pass
        try:
            return await ask(await self.lens(selection, fresh=True))
        except Unknown as error:
            raise Unusable(str(error), cure=error.cure) from error

    async def lens(self, selection: Selection, *, fresh: bool = False) -> Lens:
        """How we see this selection's object. Raises Unusable when a field that is to be filled can't be seen."""
        lens = await self.bare_lens(selection, fresh=fresh)
        absent = [name for name in lens.needed if name not in lens.catalogue.fields]
        if wrong := [
            *(f"{lens.type} has no field {name!r} that we can see" for name in absent),
            *soql.problems(selection),
        ]:
            cure = "mend `fields` or `match` of this sync, or let the integration user see the field"
            raise Unusable(wrong[0], cure=cure)
        known = self._known[lens.type]
        if lens.written not in known.tracked:
            known.tracked[lens.written] = await self._is_tracked(lens)
        return Lens(self._name, selection, self._options, lens.catalogue, self._calls.user, known.tracked[lens.written])

    async def bare_lens(self, selection: Selection, *, fresh: bool = False) -> Lens:
        """As `lens`, whatever it sees, and without history."""
        if selection.object not in TYPES:
            raise Unusable(
                f"Salesforce's {selection.object} can't be synced", cure="set object: contacts or object: leads"
            )
        catalogue = await self._catalogue(TYPES[selection.object], fresh=fresh)
        return Lens(self._name, selection, self._options, catalogue, self._calls.user)

    async def page(self, lens: Lens, after: Sequence[str]) -> tuple[list[Record], bool]:
        """One page of those that lack a field, and whether there are more: Salesforce may give fewer than asked."""
        answer = await self._calls.get("query", q=soql.page(lens, after, self._options.page))
        rows = _rows(answer)
        kept = rows[: self._options.page]
        return kept, len(rows) > len(kept) or answer.body.get("done") is not True

    async def retrieve(self, lens: Lens, ids: Sequence[str]) -> dict[str, Record]:
        """These records by id of 18 characters; who is gone or hidden is absent. One call for up to 2 000.

        Only a query follows a record to its individual, and it takes more room in Salesforce's answers: where our
        user sees no individuals, the records are retrieved.
        """
        found: dict[str, Record] = {}
        for start in range(0, len(ids), RETRIEVE):
            chunk = ids[start : start + RETRIEVE]
            rows = await (self._select(lens, chunk) if lens.catalogue.individual else self._collect(lens, chunk))
            found |= {str(to18(text(row, "Id"))): row for row in rows}
        return found

    async def _collect(self, lens: Lens, ids: Sequence[str]) -> list[Record]:
        answer = await self._calls.ask(f"composite/sobjects/{lens.type}", {"ids": ids, "fields": lens.checked()})
        if not isinstance(answer.body, list):
            raise Retry(f"Salesforce answered HTTP {answer.status} without records")
        return [row for row in answer.body if isinstance(row, dict)]

    async def _select(self, lens: Lens, ids: Sequence[str]) -> list[Record]:
        return await self._several([soql.by_id(lens, ids[i : i + soql.IDS]) for i in range(0, len(ids), soql.IDS)])

    async def masters(self, lens: Lens, ids: Sequence[str]) -> dict[str, str]:
        """Who of these was merged, and into whom; who was merely deleted is absent."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), soql.IDS):
            rows = await self._query(soql.masters(lens.type, ids[start : start + soql.IDS]), resource="queryAll")
            found |= {text(r, "Id"): text(r, "MasterRecordId") for r in rows if text(r, "MasterRecordId")}
        return found

    async def histories(self, lens: Lens, ids: Iterable[str]) -> Mapping[str, list[Record]]:
        """The field histories of these records, by id; nothing where the org tracks nothing."""
        rows: list[Record] = []
        if lens.tracked:
            wanted = list(ids)
            queries = [soql.history(lens, wanted[i : i + soql.IDS]) for i in range(0, len(wanted), soql.IDS)]
            for start in range(0, len(queries), QUERIES):
                rows += await self._several(queries[start : start + QUERIES])
        found: defaultdict[str, list[Record]] = defaultdict(list)
        for row in rows:
            found[text(row, f"{lens.type}Id")].append(row)
        return found

    async def snapshots(self, lens: Lens, refs: Sequence[ContactRef]) -> list[Snapshot]:
        """The records as they are, merges followed, with history."""
        stands = {one: one for ref in refs if (one := to18(ref.id))}  # id → where the record stands now
        records = await self.retrieve(lens, list(stands))
        for _ in range(HOPS):
            lost = {now for now in stands.values() if now not in records}
            winners = await self.masters(lens, sorted(lost)) if lost else {}
            if not winners:
                break
            stands = {asked: winners.get(now, now) for asked, now in stands.items()}
            records |= await self.retrieve(lens, sorted(set(winners.values()) - records.keys()))
        past = await self.histories(lens, records)
        return [_snapshot(lens, ref, records, past, stands) for ref in refs]

    async def again(self, lens: Lens, refs: Sequence[ContactRef]) -> list[Contact]:
        """Those of these records that are there and match, as a pull would show them now; merges are not followed."""
        asked = {one: ref for ref in refs if (one := to18(ref.id))}
        queries, rows = soql.looks(lens, list(asked)), []
        for start in range(0, len(queries), QUERIES):
            rows += await self._several(queries[start : start + QUERIES])
        found = {one: row for row in rows if (one := to18(text(row, "Id"))) in asked}
        past = await self.histories(lens, [text(row, "Id") for row in found.values()])
        contacts = {one: lens.contact(row, past.get(text(row, "Id"), ())) for one, row in found.items()}
        return [replace(contact, ref=asked[one]) for one, contact in contacts.items()]

    async def account_id(self) -> str:
        """The org's id, of 18 characters: the login tells it, or else the org does. Raises Retry where neither does."""
        await self._calls.login()
        told = to18(self._calls.org)
        if told is None:
            rows = await self._query(soql.organization())
            told = to18(text(rows[0], "Id")) if rows else None
        if told is None:
            raise Retry("Salesforce does not tell whose org this is")
        return told

    async def probe(self, lens: Lens) -> None:
        """Ask for one row of what a pull would ask for. Raises Halt in Salesforce's words."""
        await self._calls.get("query", q=soql.page(lens, (), 0), exempt=True)

    async def campaigns(self, lens: Lens) -> list[Record]:
        """The campaigns that the selection names and our user may see."""
        return await self._query(soql.named_campaigns(lens))

    async def _catalogue(self, kind: str, *, fresh: bool) -> Catalogue:
        known = self._known.get(kind)
        if fresh or known is None or self._clock.monotonic() >= known.until:
            described = await self._describe(kind)
            fields = _fields(described)
            account = await self._parent("Account") if "AccountId" in fields else frozenset[str]()
            individual = await self._parent("Individual") if "IndividualId" in fields else frozenset[str]()
            catalogue = Catalogue(fields, account, individual, described.get("updateable") is not False)
            known = self._known[kind] = _Known(catalogue, self._clock.monotonic() + CATALOGUE_AGE, {})
        return known.catalogue

    async def _parent(self, kind: str) -> frozenset[str]:
        """The fields of an object that records refer to; none where our user can't see it."""
        try:
            return frozenset(_fields(await self._describe(kind)))
        except Halt:  # `check` tells it; without accounts fewer people are found
            return frozenset()

    async def _describe(self, kind: str) -> Mapping[str, Any]:
        answer = await self._calls.get(f"sobjects/{kind}/describe", exempt=True)
        if not isinstance(answer.body, dict) or not isinstance(answer.body.get("fields"), list):
            raise Retry(f"Salesforce answered HTTP {answer.status} without a description of {kind}")
        return answer.body

    async def _is_tracked(self, lens: Lens) -> bool:
        try:
            return bool(_rows(await self._calls.get("query", exempt=True, q=soql.any_history(lens))))
        except Unknown:  # the object is only there where something is tracked, and only for who may see it
            return False

    async def _query(self, query: str, resource: str = "query") -> list[Record]:
        return await self._rest(await self._calls.get(resource, q=query))

    async def _several(self, queries: Sequence[str]) -> list[Record]:
        """All rows of up to five queries, for one call."""
        root = f"/services/data/v{self._calls.version}/query?q="
        parts = [
            {"method": "GET", "url": root + quote(query), "referenceId": f"q{number}"}
            for number, query in enumerate(queries)
        ]
        answer = await self._calls.ask("composite", {"allOrNone": False, "compositeRequest": parts})
        rows: list[Record] = []
        for part in _parts(answer, len(queries)):
            if part.get("httpStatusCode") != 200:
                raise _refused(part, answer)
            rows += await self._rest(Answer(200, answer.headers, part.get("body")))
        return rows

    async def _rest(self, answer: Answer) -> list[Record]:
        """The rows of an answer and of the pages that follow it."""
        rows = _rows(answer)
        while answer.body.get("done") is not True:
            following = str(answer.body.get("nextRecordsUrl") or "")
            if not following.startswith("/services/data/"):
                raise Retry("Salesforce's answer says that there is more, and not where")
            answer = await self._calls.get(following)
            rows += _rows(answer)
        return rows


@dataclass(slots=True)
class _Known:
    """What is remembered of one object for a while."""

    catalogue: Catalogue
    until: float
    tracked: dict[tuple[str, ...], bool]


def _snapshot(
    lens: Lens,
    ref: ContactRef,
    records: Mapping[str, Record],
    past: Mapping[str, list[Record]],
    stands: Mapping[str, str],
) -> Snapshot:
    record = records.get(stands.get(to18(ref.id) or "", ""))
    return lens.snapshot(ref, record, past.get(text(record or {}, "Id"), ()))


def _rows(answer: Answer) -> list[Record]:
    rows = answer.body.get("records") if isinstance(answer.body, dict) else None
    if not isinstance(rows, list):
        raise Retry(f"Salesforce answered HTTP {answer.status} without records")
    return [row for row in rows if isinstance(row, dict)]


def _parts(answer: Answer, expected: int) -> list[Mapping[str, Any]]:
    try:
        parts = answer.part("compositeResponse")
    except InDoubt as error:  # nothing was at stake
        raise Retry(str(error)) from error
    if len(parts) != expected:
        raise Retry("Salesforce answered only a part of a composite request")
    return [part if isinstance(part, dict) else {} for part in parts]


def _refused(part: Mapping[str, Any], answer: Answer) -> ConnectorError:
    """Why one query of several was not answered: a field that is gone is looked for anew, all else may pass."""
    status = part.get("httpStatusCode")
    error = translate(Answer(status if isinstance(status, int) else 0, answer.headers, part.get("body")), "query")
    if isinstance(error, Unknown):
        return error
    code = next((one.code for one in refusals(part.get("body"))), "")
    return Retry(f"Salesforce did not answer one of several queries: {code or status}")


def _fields(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(one.get("name")): one for one in described.get("fields", []) if isinstance(one, dict)}
