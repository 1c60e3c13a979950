"""First pulls of the Salesforce connector by a job of Bulk API 2.0: worth it or not, read to the end, lost on the way.

Odd answers come from a scripted org, whole pulls over several sets of results from the sandbox's. The numbers are
those of the project's list of Salesforce pitfalls.
"""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from connectors.salesforce import Connector, Options
from connectors.salesforce.bulk import FRESH, LOOKS
from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import Contact, Field, FieldMap, Page, Selection
from syncd.contract.ports import Crm, Tools
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.salesforce import Salesforce
from syncd.sandbox.world import Draw, World
from tests.connectors.salesforce_play import CONTACTS, org, pages, using
from tests.connectors.scripted_crm import Reply, Seen
from tests.connectors.scripted_org import EXPIRED, ScriptedOrg, definition, record_id, refusal
from tests.contract.bench import bench
from tests.contract.crm_worlds import SandboxTime, served

JOB = record_id(1, "750")
LOOK, RESULTS = f"/jobs/query/{JOB}", f"/jobs/query/{JOB}/results"
EARLY: Mapping[str, Any] = {"page": 200, "bulk_from": 200}  # one page, and then a job
PLAIN = {"Content-Type": "text/csv"}
Done = dict[str, Any]


# --- a scripted org -----------------------------------------------------------------------------


def usual(crm: ScriptedOrg) -> Callable[[Seen], Reply]:
    return lambda seen: crm._query(parse_qs(urlsplit(seen.path).query)["q"][0])


def count(total: int) -> Reply:
    return Reply(body={"totalSize": total, "done": True, "records": []})


def table(crm: ScriptedOrg, ids: list[str] | None = None, **headers: str) -> Reply:
    """Results as Salesforce writes them: columns as asked for, cells in quotes, moments with Z."""
    query = crm.asked("/jobs/query")[-1].body["query"]
    columns = query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
    rows = list(crm.records.values()) if ids is None else [crm.records[one] for one in ids]
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([columns, *([_cell(row, name) for name in columns] for row in rows)])
    told = {**PLAIN, "Sforce-NumberOfRecords": str(len(rows)), "Sforce-Locator": "null", **headers}
    return Reply(200, out.getvalue().encode(), told)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value: Any = row
    for part in name.split("."):
        value = (value or {}).get(part)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value).replace("+0000", "Z")


def job_ready(crm: ScriptedOrg, found: int = 250) -> None:
    """The count, the job, and one look at it; the results are the test's."""
    crm.on("/query", usual(crm), usual(crm), count(found))
    crm.on("/jobs/query", Reply(body={"id": JOB, "state": "UploadComplete"}))
    crm.on(LOOK, Reply(body=done(found)))


def done(found: int, **more: Any) -> Done:
    return {"id": JOB, "state": "JobComplete", "numberRecordsProcessed": found, **more}


def people(crm: ScriptedOrg, number: int = 250) -> set[str]:
    return {crm.add(one, FirstName=f"Person {one}") for one in range(number)}


def ids(found: list[Page]) -> list[str]:
    return [contact.ref.id for page in found for contact in page.contacts]


def cursors(found: list[Page], name: str) -> list[Any]:
    return [page.cursor[name] for page in found]


def test_a_job_is_looked_at_ever_less_often_and_read() -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        for state in ("UploadComplete", "InProgress", "InProgress"):
            crm._scripts[LOOK].appendleft(Reply(body={"id": JOB, "state": state}))
        crm.on(RESULTS, lambda _: table(crm))
        found = using(crm, pages, **EARLY)
        assert [len(page.contacts) for page in found] == [200, 0, 200, 50]
        assert set(ids(found[2:])) == everybody
        assert crm.clock.slept == list(LOOKS[:4])
        [made] = crm.asked("/jobs/query")
        assert made.body["operation"] == "query"
        assert not any(word in made.body["query"] for word in ("ORDER BY", "LIMIT", "Id >"))
        assert len(crm.asked(RESULTS)) == 1
        assert crm.asked(RESULTS)[0].headers["accept"] == "text/csv"
        assert {request.method for request in crm.seen} == {"GET", "POST"}  # nothing is deleted
        assert found[-1].cursor["swept"]
        assert found[-1].cursor["job"] is None


def test_the_next_pull_looks_back_to_before_the_job() -> None:
    with org() as crm:
        began = crm.now
        people(crm)
        job_ready(crm)
        crm.on(RESULTS, lambda _: table(crm))
        cursor = using(crm, pages, **EARLY)[-1].cursor
        assert abs(cursor["swept"] - began) <= 1
        assert cursor["since"] < began
        crm.clock.time += 300
        late = crm.add(900, age=crm.now - began + 30)  # stamped before the job, committed after it
        new = crm.add(901, age=120.0)
        again = using(crm, lambda c: pages(c, cursor), **EARLY)
        assert {late, new} <= set(ids(again))
        assert len(crm.asked("/jobs/query")) == 1


def test_pitfall_35_results_without_a_charset_are_utf_8() -> None:
    with org() as crm:
        employer = {"Name": "Ærø Møbler, »Süd«\u2028GmbH", "Website": "https://www.moebler.example.com"}
        odd: dict[str, Any] = {
            "FirstName": 'Zoë "Zo"\nvan, der',
            "LastName": "Müller",
            "Account": employer,
            "Email": "o'b@example.com",
        }
        one = crm.add(1, **odd)
        people(crm)
        crm.records[one].update(odd)
        crm.fields["DoNotCall"] = definition("DoNotCall", type="boolean")
        crm.records[one]["DoNotCall"] = True
        by_pages = {c.ref.id: c for page in using(crm, pages, page=200) for c in page.contacts}
        job_ready(crm)
        for bom in (b"", b"\xef\xbb\xbf"):
            crm.on(RESULTS, lambda _, bom=bom: replace(made := table(crm), body=bom + bytes(made.body)))  # type: ignore[misc]
            found = using(crm, pages, **EARLY)
            by_job = {c.ref.id: c for page in found[2:] for c in page.contacts}
            assert by_job == by_pages  # revisions too, although their stamps are written otherwise
            identity = by_job[one].identity
            assert (identity.first_name, identity.last_name) == ('Zoë "Zo"\nvan, der', "Müller")
            assert (identity.company, identity.domain) == ("Ærø Møbler, »Süd«\u2028GmbH", "moebler.example.com")
            assert by_job[one].blocked == {Field.PHONE: "opted_out"}
            job_ready(crm)


@pytest.mark.parametrize(
    "told",
    [done(250, numberRecordsFailed=1), done(251), done(249), {"id": JOB, "state": "JobComplete"}],
    ids=["failed", "lacking", "too many", "untold"],
)
def test_pitfall_36_a_job_that_is_done_for_some_only(told: Done) -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm._scripts[LOOK][0] = Reply(body=told)
        crm.on(RESULTS, lambda _: table(crm))
        found = using(crm, pages, **EARLY)
        assert set(ids(found)) == everybody
        assert [why for why in cursors(found, "paged") if why][-1].startswith("the job")
        assert len(found[-1].contacts) == 50
        assert len(crm.asked("/jobs/query")) == 1


SPOILT: dict[str, Callable[[Reply], Reply]] = {
    "no UTF-8": lambda r: replace(r, body=bytes(r.body).replace(b"Person 9", "Pérson".encode("latin-1"), 1)),
    "no CSV": lambda r: replace(r, body=bytes(r.body)[:-2]),
    "a quotation mark in the middle": lambda r: replace(r, body=bytes(r.body).replace(b"Person 9", b'Per"son 9', 1)),
    "other columns": lambda r: replace(r, body=bytes(r.body).replace(b'"FirstName"', b'"Nickname"', 1)),
    "no header": lambda r: replace(r, body=bytes(r.body).partition(b"\n")[2]),
    "a cell too many": lambda r: replace(r, body=bytes(r.body).replace(b'"Person 9"', b'"Person","9"', 1)),
    "nothing": lambda r: replace(r, body=b""),
    "fewer rows than told": lambda r: replace(r, headers={**r.headers, "Sforce-NumberOfRecords": "251"}),
    "no number": lambda r: replace(r, headers={k: v for k, v in r.headers.items() if k != "Sforce-NumberOfRecords"}),
    "no locator": lambda r: replace(r, headers={k: v for k, v in r.headers.items() if k != "Sforce-Locator"}),
    "no content": lambda _: Reply(204, b""),
    "JSON": lambda _: Reply(200, {}),
    "not done after all": lambda _: Reply(412, refusal("JOB_NOT_COMPLETE")),
    "another version": lambda _: Reply(409, refusal("API_ERROR")),
    "gone": lambda _: Reply(404, refusal("NOT_FOUND")),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=list(SPOILT))
def test_results_that_are_of_no_use_end_in_pages(spoil: Callable[[Reply], Reply]) -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm.on(RESULTS, lambda _: spoil(table(crm)))
        found = using(crm, pages, **EARLY)
        assert [len(page.contacts) for page in found] == [200, 0, 0, 50]
        assert set(ids(found)) == everybody
        assert found[-1].cursor["paged"]
        assert "Person" not in found[-1].cursor["paged"]


ENDS: dict[str, tuple[str, list[Reply], str]] = {
    "refused": ("/jobs/query", [Reply(400, refusal("API_ERROR"))], "API_ERROR"),
    "not allowed": ("/jobs/query", [Reply(403, refusal("FUNCTIONALITY_NOT_ENABLED"))], "FUNCTIONALITY_NOT_ENABLED"),
    "without an id": ("/jobs/query", [Reply(body={"state": "UploadComplete"})], "without an id"),
    "failed": (LOOK, [Reply(body={"state": "Failed", "errorMessage": "InternalServerError"})], "InternalServerError"),
    "aborted": (LOOK, [Reply(body={"state": "Aborted"})], "Aborted"),
    "odd": (LOOK, [Reply(body={"state": "Dreaming"})], "Dreaming"),
    "nonsense": (LOOK, [Reply(body=[])], "ended"),
    "gone": (LOOK, [Reply(404, refusal("NOT_FOUND"))], "NOT_FOUND"),
    "too long": (LOOK, [Reply(body={"state": "InProgress"})] * len(LOOKS), "longer than 20 minutes"),
    "stale": (RESULTS, [Reply(400, refusal("INVALID_QUERY_LOCATOR"))] * 5, "INVALID_QUERY_LOCATOR"),
}


@pytest.mark.parametrize(("end", "replies", "why"), ENDS.values(), ids=list(ENDS))
def test_a_job_that_comes_to_nothing_ends_in_pages(end: str, replies: list[Reply], why: str) -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm._scripts[end].clear()
        crm.on(end, *replies)
        found = using(crm, pages, **EARLY)
        assert sorted(ids(found)) == sorted(everybody)  # nobody twice either
        assert why in found[-1].cursor["paged"]


@pytest.mark.parametrize("end", ["/jobs/query", LOOK, RESULTS])
@pytest.mark.parametrize(
    "reply", [EXPIRED, Reply(503, refusal("SERVER_UNAVAILABLE")), Reply(cut=True), Reply(200, b"")]
)
def test_what_passes_is_waited_for(end: str, reply: Reply) -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm.on(RESULTS, lambda _: table(crm))
        crm._scripts[end].appendleft(reply)
        found = using(crm, pages, **EARLY)
        assert set(ids(found[2:])) == everybody
        assert found[-1].cursor["paged"] == ""
        assert len(crm.asked("/oauth2/token")) == (2 if reply is EXPIRED else 1)


@pytest.mark.parametrize("end", ["/jobs/query", LOOK, RESULTS])
def test_pitfall_17_the_limit_stops_a_job_s_pull_for_a_while(end: str) -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm.on(RESULTS, lambda _: table(crm))
        crm._scripts[end].appendleft(Reply(403, refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")))
        seen: list[Page] = []

        async def interrupted(connector: Crm) -> None:
            async for page in connector.pull(CONTACTS, None):
                seen.append(page)  # noqa: PERF401 - what came before the interruption counts

        with pytest.raises(RateLimited):
            using(crm, interrupted, **EARLY)
        crm.on(LOOK, Reply(body=done(250)))  # it is looked at again if nothing was read of it
        rest = using(crm, lambda c: pages(c, seen[-1].cursor), **EARLY)
        assert set(ids([*seen, *rest])) == everybody
        assert rest[-1].cursor["paged"] == ""
        assert bool(seen[-1].cursor["job"]) == (end != "/jobs/query")  # before it was made, the pages go on


def test_a_session_that_is_refused_ends_both_ways() -> None:
    with org() as crm:
        people(crm)
        job_ready(crm)
        crm._scripts[LOOK].appendleft(Reply(401, refusal("INVALID_AUTH_HEADER")))
        with pytest.raises(Halt) as caught:
            using(crm, pages, **EARLY)
        assert caught.value.trouble is Trouble.CREDENTIALS


# --- whether it is worth it ---------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"bulk_from": 0}, {"bulk_from": None}, {"bulk_from": 251}])
def test_where_there_are_few_nobody_is_counted(options: dict[str, Any]) -> None:
    with org() as crm:
        everybody = people(crm)
        found = using(crm, pages, page=200, **options)
        assert sorted(ids(found)) == sorted(everybody)
        assert not [query for query in crm.queries if "COUNT()" in query]


def test_too_few_to_come_are_counted_once() -> None:
    with org() as crm:
        everybody = people(crm, 650)
        crm.on("/query", usual(crm), usual(crm), count(199))
        found = using(crm, pages, **EARLY)
        assert sorted(ids(found)) == sorted(everybody)
        [asked] = [query for query in crm.queries if "COUNT()" in query]
        assert asked.startswith("SELECT COUNT() FROM Contact WHERE ")
        assert asked.endswith("LIMIT 200")
        assert "Id > " in asked
        assert found[-1].cursor["paged"] == "fewer than 200 rows were to come"
        later = using(crm, lambda c: pages(c, found[1].cursor), **EARLY)
        assert len(ids(later)) == 450
        assert len([query for query in crm.queries if "COUNT()" in query]) == 1


def test_whom_salesforce_can_t_count_in_time_are_many() -> None:
    with org() as crm:
        everybody = people(crm)
        job_ready(crm)
        crm._scripts["/query"][2] = Reply(400, refusal("QUERY_TIMEOUT"))
        crm.on(RESULTS, lambda _: table(crm))
        found = using(crm, pages, **EARLY)
        assert set(ids(found[2:])) == everybody


def test_only_the_first_pull_is_a_job() -> None:
    with org() as crm:
        cursor = using(crm, pages, **EARLY)[-1].cursor
        everybody = people(crm)
        crm.clock.time += 25 * 3_600.0
        found = using(crm, lambda c: pages(c, cursor), **EARLY)
        assert sorted(ids(found)) == sorted(everybody)
        assert crm.asked("/jobs/query") == []


def test_what_no_job_can_give_is_not_asked_of_one() -> None:
    with org() as crm:
        crm.fields["MailingAddress"] = definition("MailingAddress", type="address")
        everybody = people(crm)
        mapped = {
            Field.EMAIL: FieldMap(property="Email"),
            Field.PHONE: FieldMap(property="Phone", also=("MailingAddress",)),
        }
        chosen = Selection(object="contacts", fields=mapped)
        found = using(crm, lambda c: pages(c, selection=chosen), **EARLY)
        assert sorted(ids(found)) == sorted(everybody)
        assert crm.asked("/jobs/query") == []
        assert found[-1].cursor["paged"] == "bulk jobs can't give MailingAddress"


# --- going on from a cursor ---------------------------------------------------------------------


def midway(crm: ScriptedOrg) -> Any:
    """A cursor after 200 of the job's 250 rows."""
    job_ready(crm)
    crm.on(RESULTS, lambda _: table(crm))
    found = using(crm, pages, **EARLY)
    assert found[2].cursor["job"]["taken"] == 200
    return found[2].cursor


def test_results_are_gone_on_with_where_they_were_left() -> None:
    with org() as crm:
        people(crm)
        cursor = midway(crm)
        crm.on(RESULTS, lambda _: table(crm))
        rest = using(crm, lambda c: pages(c, cursor), **EARLY)
        assert ids(rest) == list(crm.records)[200:]
        assert len(crm.asked(LOOK)) == 1  # it is known to be done


def test_results_in_another_order_are_not_trusted() -> None:
    with org() as crm:
        everybody = people(crm)
        cursor = midway(crm)
        crm.on(RESULTS, lambda _: table(crm, list(reversed(crm.records))))
        rest = using(crm, lambda c: pages(c, cursor), **EARLY)
        assert set(ids(rest)) == everybody - set(list(crm.records)[:200])  # by pages, from the last id before the job
        assert rest[-1].cursor["paged"] == "the job's results have changed"


def test_old_results_are_left_alone() -> None:
    with org() as crm:
        people(crm)
        cursor = midway(crm)
        crm.clock.time += FRESH + 60
        made = len(crm.asked(RESULTS))
        rest = using(crm, lambda c: pages(c, cursor), **EARLY)
        assert len(ids(rest)) == 50
        assert len(crm.asked(RESULTS)) == made
        assert rest[-1].cursor["paged"] == "the job's results are older than a day"


def test_a_field_that_was_hidden_meanwhile_ends_in_pages() -> None:
    with org() as crm:
        people(crm)
        cursor = midway(crm)
        crm.on(RESULTS, lambda _: table(crm))
        crm.fields.pop("MailingCountry")
        assert len(ids(using(crm, lambda c: pages(c, cursor), **EARLY))) == 50


# --- whole pulls, against the sandbox -----------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """An org of people, and as many connections to it as one likes."""

    vendor: Salesforce
    faults: Faults
    url: str
    tools: Tools

    async def pull(
        self, cursor: Any = None, selection: Selection = CONTACTS, **options: Any
    ) -> AsyncGenerator[Page, None]:
        keys = self.vendor.keys
        given = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret}
        crm = Connector("sf", Options.model_validate({**given, **EARLY, **options}), self.url, self.tools)
        try:
            async for page in crm.pull(selection, cursor):
                yield page
        finally:
            await crm.aclose()

    async def everything(self, cursor: Any = None, **how: Any) -> list[Page]:
        return [page async for page in self.pull(cursor, **how)]

    def add(self, number: int) -> set[str]:
        return {self.vendor.org.add("Contact", {"FirstName": "Person", "LastName": f"N° {n}"}) for n in range(number)}

    @property
    def asked(self) -> dict[str, int]:
        return {name: n for name, n in self.vendor.calls.items() if name.startswith("jobs/")}

    async def remove(self, job: str) -> None:
        """As Salesforce does after seven days."""
        headers = {"authorization": f"Bearer {self.vendor.access.open().text}"}
        async with httpx.AsyncClient(headers=headers) as client:
            answer = await client.delete(f"{self.url}/services/data/v66.0/jobs/query/{job}")
            assert answer.status_code == 204


@asynccontextmanager
async def staged(contacts: int, leads: int, **emulation: Any) -> AsyncIterator[Stage]:
    clock, faults = SandboxClock(speed=200), Faults(rng=random.Random(3))
    world = World(5, 0, clock, salesforce=Draw(contacts, leads, shares={} if not contacts else None))
    vendor = Salesforce(world, clock, faults, random.Random(1), **emulation)
    with served(vendor.app) as url:
        try:
            yield Stage(vendor, faults, url, bench(SandboxTime(clock)))
        finally:
            await vendor.aclose()


def play(act: Callable[[Stage], Awaitable[None]], contacts: int = 0, leads: int = 0, **emulation: Any) -> None:
    async def perform() -> None:
        async with staged(contacts, leads, **emulation) as stage:
            await act(stage)

    asyncio.run(perform())


def contacts_of(found: list[Page]) -> dict[str, Contact]:
    return {contact.ref.id: contact for page in found for contact in page.contacts}


@pytest.mark.parametrize("name", ["contacts", "leads"])
def test_a_population_looks_the_same_either_way(name: str) -> None:
    selection = Selection(object=name, fields=Connector.capabilities.objects[name])

    async def act(stage: Stage) -> None:
        stage.vendor.org._pending.clear()  # colleagues have the day off
        by_pages = contacts_of(await stage.everything(selection=selection, bulk_from=0))
        found = await stage.everything(selection=selection)
        assert contacts_of(found[2:]) == by_pages
        assert stage.asked == {"jobs/query/create": 1, "jobs/info": 1, "jobs/query/results": 1}

    rich = {"opt_outs": True, "person_accounts": True, "tracked_fields": ("Email", "Phone")}
    play(act, 1_000, 1_000, **rich)


def test_a_crash_in_and_after_each_of_three_sets_skips_nobody() -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(10_300)
        found, cursor, starts = list[Page](), None, list[tuple[int, int]]()
        while cursor is None or cursor["until"] is not None:
            pull, since = stage.pull(cursor), len(found)
            async for page in pull:
                found.append(page)
                cursor = page.cursor
                job = cursor["job"] or {"locator": "", "taken": 0}
                if (job["taken"] == 0 and len(found) > 1) or len(found) - since == 10:
                    starts.append((int(job["locator"] or 0), job["taken"]))
                    break
            await pull.aclose()
        assert set(ids(found)) == everybody
        assert len(ids(found)) == len(everybody) + 200  # those of the page before the job
        assert starts[:3] == [(0, 0), (0, 2_000), (0, 4_000)]
        assert {locator for locator, _ in starts} == {0, 5_000, 10_000}
        assert stage.asked["jobs/query/create"] == stage.asked["jobs/info"] == 1

    play(act)


def test_three_sets_in_one_go_cost_a_call_each() -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(10_300)
        found = await stage.everything()
        assert set(contacts_of(found)) == everybody
        assert stage.asked == {"jobs/query/create": 1, "jobs/info": 1, "jobs/query/results": 3}

    play(act)


def test_a_job_that_fails_ends_in_pages() -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(700)
        stage.faults.add("salesforce_bulk_job_failed:1:InternalServerError : Unable to compile")
        found = await stage.everything()
        assert sorted(ids(found)) == sorted(everybody)
        assert found[-1].cursor["paged"] == "the job ended as Failed: InternalServerError : Unable to compile"

    play(act)


def test_a_job_that_expired_between_two_sets() -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(5_500)
        found = list[Page]()
        async for page in stage.pull():
            found.append(page)
            if page.cursor["job"] and page.cursor["job"]["locator"]:
                await stage.remove(page.cursor["job"]["job"])
        assert set(ids(found)) == everybody
        assert "NOT_FOUND" in found[-1].cursor["paged"]

    play(act)


def test_a_session_that_ends_in_the_middle() -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(5_500)
        found = list[Page]()
        async for page in stage.pull():
            found.append(page)
            stage.vendor.access.close_all()
        assert set(ids(found)) == everybody
        assert found[-1].cursor["paged"] == ""
        assert stage.asked["jobs/query/results"] == 2 + 1  # one of them was a 401

    play(act)


@pytest.mark.parametrize("mishap", ["error", "error:1:502", "cut", "torn", "html", "empty"])
def test_a_bad_line_to_a_job_loses_nobody(mishap: str) -> None:
    async def act(stage: Stage) -> None:
        everybody = stage.add(700)
        found, cursor = list[Page](), None
        for _ in range(6):
            stage.faults.add(f"salesforce_bulk_{mishap}")
            try:
                async for page in stage.pull(cursor):
                    found.append(page)
                    cursor = page.cursor
                    stage.faults.add(f"salesforce_bulk_{mishap}")
            except Retry as error:
                await stage.tools.clock.sleep(error.after or 30)
                continue
            break
        assert set(ids(found)) == everybody
        assert found[-1].cursor["paged"] == ""

    play(act)


def test_results_without_a_charset_from_the_sandbox() -> None:
    async def act(stage: Stage) -> None:
        stage.add(700)
        stage.faults.add("salesforce_bulk_plain_csv:*")
        found = contacts_of((await stage.everything())[2:])
        assert {c.identity.last_name for c in found.values()} == {f"N° {n}" for n in range(700)}

    play(act)


def test_a_row_that_is_visible_late_is_found_by_the_overlap() -> None:
    async def act(stage: Stage) -> None:
        org, late = stage.vendor.org, ""
        stage.add(700)
        stage.vendor.clock.skip(900)
        found = list[Page]()
        async for page in stage.pull():
            found.append(page)
            if len(found) == 1:  # stamped before the job, and seen only when it is read
                late = org.add("Contact", {"LastName": "Late"}, at=org.now() - 120, commit_in=1_000.0)
        assert late not in ids(found)
        stage.vendor.clock.skip(1_000)
        assert late in ids(await stage.everything(found[-1].cursor))

    play(act)
