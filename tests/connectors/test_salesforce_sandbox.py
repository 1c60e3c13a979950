"""The Salesforce connector against the sandbox's Salesforce: a whole population, and the line at its worst.

Contacts and leads, over real sockets. What single answers mean is tested in `test_salesforce`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from connectors.salesforce import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import ASKED, Change, Contact, ContactRef, Field, Level, Selection, Snapshot, WriteStatus
from syncd.contract.ports import Tools
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.people import Quirk, Trait
from syncd.sandbox.salesforce import Salesforce
from syncd.sandbox.salesforce.org import RULE_OWNER
from syncd.sandbox.world import Draw, World
from tests.contract.bench import bench
from tests.contract.crm_worlds import SandboxTime, served

SELECTIONS = {name: Selection(object=name, fields=fields) for name, fields in Connector.capabilities.objects.items()}
CONTACTS, LEADS = SELECTIONS["contacts"], SELECTIONS["leads"]
KINDS = {"contacts": "Contact", "leads": "Lead"}
TRACKED = ("Email", "Phone")


@dataclass(frozen=True)
class Stage:
    """An org full of people, and a connection to it."""

    vendor: Salesforce
    world: World
    crm: Connector
    faults: Faults
    tools: Tools

    async def pulled(self, selection: Selection) -> dict[str, Contact]:
        return {c.ref.id: c async for page in self.crm.pull(selection, None) for c in page.contacts}

    def lacking(self, selection: Selection) -> set[str]:
        """The ids of those that lack a field now."""
        rows = self.vendor.org.store.tables[KINDS[selection.object]].rows.values()
        return {
            row.id
            for row in rows
            if not (row.deleted or row.values.get("IsConverted"))
            if not (row.values.get("Email") and (row.values.get("Phone") or row.values.get("MobilePhone")))
        }

    def held(self, record: str, name: str) -> str:
        return str(self.vendor.org.get(record).values.get(name, ""))

    async def snapshots(self, selection: Selection, ids: Iterable[str]) -> list[Snapshot]:
        return await self.crm.read([ref(one, selection) for one in ids], selection)


def ref(record: str, selection: Selection) -> ContactRef:
    return ContactRef(connection="sf", object=selection.object, id=record)


@asynccontextmanager
async def staged(
    contacts: int = 0,
    leads: int = 0,
    options: dict[str, Any] | None = None,
    shares: Mapping[Quirk | Trait, float] | None = None,
    **emulation: Any,
) -> AsyncIterator[Stage]:
    clock, faults = SandboxClock(speed=200), Faults(rng=random.Random(3))
    world = World(5, 0, clock, salesforce=Draw(contacts, leads, shares=shares))
    vendor = Salesforce(world, clock, faults, random.Random(1), **emulation)
    keys = vendor.keys
    given = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret, **(options or {})}
    tools = bench(SandboxTime(clock))
    with served(vendor.app) as url:
        settings = Options.model_validate({name: value for name, value in given.items() if value is not None})
        crm = Connector("sf", settings, url, tools)
        try:
            yield Stage(vendor, world, crm, faults, tools)
        finally:
            await crm.aclose()
            await vendor.aclose()


def play(act: Callable[[Stage], Awaitable[None]], contacts: int = 0, leads: int = 0, **how: Any) -> None:
    async def perform() -> None:
        async with staged(contacts, leads, **how) as stage:
            await act(stage)

    asyncio.run(perform())


def change(snapshot: Snapshot, field: Field, new: str) -> Change:
    where = snapshot.current or snapshot.ref
    return Change(ref=where, field=field, expected="", new=new, revision=snapshot.revision)


async def fill(stage: Stage, selection: Selection, ids: Iterable[str]) -> dict[str, WriteStatus]:
    """Write an e-mail to all that lack one, as the pipeline does: read, decide, write, and again what moved on."""
    wanted, done = {one: f"{one.lower()}@example.com" for one in ids}, dict[str, WriteStatus]()
    for _ in range(8):
        left = [one for one in wanted if one not in done]
        snapshots = await stage.snapshots(selection, left)
        blank = [s for s in snapshots if s.current and not s.values.get(Field.EMAIL) and Field.EMAIL not in s.blocked]
        done |= dict.fromkeys(set(left) - {s.ref.id for s in blank}, WriteStatus.MOVED_ON)
        asked = {s.current.id: s.ref.id for s in blank if s.current}
        changes = [
            change(s, Field.EMAIL, wanted[s.ref.id]) for s in blank if asked[(s.current or s.ref).id] == s.ref.id
        ]
        for outcome in await stage.crm.write(changes, selection) if changes else []:
            if outcome.status not in {WriteStatus.MOVED_ON, WriteStatus.RETRY, WriteStatus.UNKNOWN}:
                done[asked[outcome.ref.id]] = outcome.status
    return done


# --- a population -------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=list(SELECTIONS))
def test_a_population_is_pulled_as_it_is(selection: Selection) -> None:
    async def act(stage: Stage) -> None:
        before = stage.lacking(selection)
        found = await stage.pulled(selection)
        assert stage.lacking(selection) <= set(found) <= before  # colleagues fill, delete and merge meanwhile
        for record in stage.world.salesforce.records:
            contact = found.get(stage.vendor.org.ids[record.number])
            if contact is None:
                continue
            blocked = contact.blocked
            names = [record.last_name, *([record.becomes.last_name] if record.becomes else [])]
            assert contact.identity.last_name in names  # a colleague may have made it another person's
            if record.employer is not None and selection is CONTACTS and record.trait is not Trait.PERSON_ACCOUNT:
                assert contact.identity.company == record.employer.name
                assert contact.identity.domain in {normal.domain(record.employer.domain), None}
            if record.trait is Trait.PERSON_ACCOUNT:
                assert blocked == dict.fromkeys(ASKED, "person_account")
            elif record.quirk is Quirk.OPTED_OUT:
                assert blocked.get(Field.EMAIL) == "opted_out"
            elif record.trait is Trait.DO_NOT_CALL:
                assert blocked.get(Field.PHONE) == "opted_out"
            elif record.quirk is Quirk.CLEARED:
                assert blocked == {Field(record.quirk_field): "cleared_by_person"}

    rich = {"opt_outs": True, "person_accounts": True, "tracked_fields": TRACKED}
    play(act, 1_200, 600, options={"page": 200}, **rich)


def test_a_stock_org_shows_less_and_is_pulled_all_the_same() -> None:
    async def act(stage: Stage) -> None:
        before = stage.lacking(CONTACTS)
        assert stage.lacking(CONTACTS) <= set(await stage.pulled(CONTACTS)) <= before
        findings = await stage.crm.check([CONTACTS, LEADS])
        assert {f.level for f in findings} == {Level.OK, Level.WARNING}
        assert all(f.cure for f in findings if f.level is Level.WARNING)

    play(act, 500, 100)


MISHAPS = (
    *("salesforce_query_error:2", "salesforce_query_error:1:502", "salesforce_query_cut:1", "salesforce_query_html:1"),
    *("salesforce_query_empty:1", "salesforce_query_torn:1", "salesforce_session_expired:1", "salesforce_read_error:2"),
    *(
        "salesforce_read_cut:1",
        "salesforce_query_error:1:500",
    ),
    *("salesforce_concurrent:1", "salesforce_login_error:1", "salesforce_short_pages:*:150"),
)


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=list(SELECTIONS))
def test_a_bad_line_loses_nobody(selection: Selection) -> None:
    """The pull goes on from its last cursor, as the pipeline's does."""

    async def act(stage: Stage) -> None:
        before = stage.lacking(selection)
        for mishap in MISHAPS:
            stage.faults.add(mishap)
        found: set[str] = set()
        cursor: Any = None
        for _ in range(12):
            try:
                async for page in stage.crm.pull(selection, cursor):
                    found |= {contact.ref.id for contact in page.contacts}
                    cursor = page.cursor
            except Retry as error:
                await stage.tools.clock.sleep(error.after or 30)
                continue
            break
        assert stage.lacking(selection) <= found <= before

    play(act, 700, 700, options={"page": 200}, tracked_fields=TRACKED)


def test_what_is_committed_late_is_found_by_the_overlap() -> None:
    async def act(stage: Stage) -> None:
        org, cursor = stage.vendor.org, None
        [one, *_] = sorted(set(org.ids.values()) - stage.lacking(CONTACTS))
        async for page in stage.crm.pull(CONTACTS, None):
            cursor = page.cursor
        stage.vendor.clock.skip(300)
        org.human_edit(one, "Email", "", commit_in=3_000.0)
        stage.vendor.clock.skip(150)
        async for page in stage.crm.pull(CONTACTS, cursor):
            assert one not in {c.ref.id for c in page.contacts}
            cursor = page.cursor
        stage.vendor.clock.skip(3_000)
        assert one in {c.ref.id async for page in stage.crm.pull(CONTACTS, cursor) for c in page.contacts}

    play(act, 60)


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("compares", ["LastModifiedDate", "SystemModstamp"])
@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=list(SELECTIONS))
def test_nobody_is_overwritten_whatever_colleagues_do(selection: Selection, compares: str) -> None:
    async def act(stage: Stage) -> None:
        found = await stage.pulled(selection)
        lacking = [one for one, c in found.items() if Field.EMAIL not in c.values and not c.blocked]
        stage.faults.add("salesforce_edit_between:12:Email=colleague@example.com")
        stage.faults.add("salesforce_edit_between:6:Title=Countess")
        stage.faults.add("salesforce_lock:5")
        stage.faults.add("salesforce_after_flow:5")
        stage.faults.add("salesforce_deleted_between:2")
        stage.faults.add("salesforce_session_expired:1")
        await fill(stage, selection, lacking)
        org = stage.vendor.org
        rows = [row for one in lacking if (row := org.store.find(one)) and not row.deleted]
        colleagues = [row for row in rows if row.values.get("Email") == "colleague@example.com"]
        ours = [row for row in rows if row.values.get("Email") == f"{row.id.lower()}@example.com"]
        assert len(colleagues) >= 10  # one or two may have been deleted afterwards
        assert len(ours) + len(colleagues) >= 0.9 * len(rows)
        for number, ending in stage.vendor.endings().items():
            edited = ending.edits.get("email")
            assert not edited or ending.gone or org.ids[number] not in {row.id for row in ours}
            assert ending.disturbed == ""

    play(act, 400, 400, compares=compares, tracked_fields=TRACKED)


def test_pitfall_01_and_07_a_lead_keeps_owner_and_value_through_an_expired_session() -> None:
    async def act(stage: Stage) -> None:
        org = stage.vendor.org
        one = next(iter(await stage.pulled(LEADS)))
        org.human_edit(one, "Email", "")
        stage.vendor.clock.skip(60)
        [snapshot] = await stage.snapshots(LEADS, [one])
        stage.faults.add("salesforce_edit_between:1:Email=colleague@example.com")
        stage.vendor.access.close_all()
        outcomes = await stage.crm.write([change(snapshot, Field.EMAIL, "ours@example.com")], LEADS)
        assert [outcome.status for outcome in outcomes] == [WriteStatus.MOVED_ON]
        assert stage.held(one, "Email") == "colleague@example.com"
        assert stage.held(one, "OwnerId") != RULE_OWNER

    play(act, leads=40)


def test_a_write_of_which_nobody_knows_is_found_by_reading() -> None:
    async def act(stage: Stage) -> None:
        found = await stage.pulled(CONTACTS)
        ids = [one for one, c in found.items() if Field.EMAIL not in c.values and not c.blocked][:20]
        stage.vendor.clock.skip(60)
        snapshots = await stage.snapshots(CONTACTS, ids)
        stage.faults.add("salesforce_update_cut_after:1")
        changes = [change(s, Field.EMAIL, f"X{s.ref.id}@Example.com") for s in snapshots if s.current]
        outcomes = await stage.crm.write(changes, CONTACTS)
        assert WriteStatus.UNKNOWN in {outcome.status for outcome in outcomes}
        written = {o.ref.id for o in outcomes if o.status is WriteStatus.UNKNOWN}
        for snapshot in await stage.snapshots(CONTACTS, written):
            assert snapshot.values[Field.EMAIL] == f"x{snapshot.ref.id}@example.com".lower()

    play(act, 120)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("salesforce_validation:3:Region is closed.", WriteStatus.REFUSED),
        ("salesforce_trigger:3", WriteStatus.REFUSED),
        ("salesforce_flow:3", WriteStatus.REFUSED),
        ("salesforce_no_access:3", WriteStatus.REFUSED),
        ("salesforce_duplicate:3", WriteStatus.DUPLICATE),
        ("salesforce_cross_reference:3", WriteStatus.REFUSED),
        ("salesforce_lock:3", WriteStatus.WRITTEN),
    ],
)
@pytest.mark.parametrize("fast", [False, True])
def test_refusals_of_single_records(fault: str, expected: WriteStatus, fast: bool) -> None:
    async def act(stage: Stage) -> None:
        found = await stage.pulled(CONTACTS)
        ids = [one for one, c in found.items() if Field.EMAIL not in c.values and not c.blocked][:12]
        stage.faults.add(fault)
        snapshots = await stage.snapshots(CONTACTS, ids)
        changes = [change(s, Field.EMAIL, f"{s.ref.id}@example.com") for s in snapshots]
        statuses = sorted(outcome.status for outcome in await stage.crm.write(changes, CONTACTS))
        assert len(statuses) == len(ids)
        odd = [status for status in statuses if status is not WriteStatus.WRITTEN]
        assert odd == ([] if expected is WriteStatus.WRITTEN else [expected] * 3)

    play(act, 60, options={"fast": fast}, shares={})


def test_a_converted_lead_is_left_alone() -> None:
    async def act(stage: Stage) -> None:
        one = next(iter(await stage.pulled(LEADS)))
        stage.vendor.org.human_edit(one, "Phone", "")
        stage.vendor.org.convert(one)
        [snapshot] = await stage.snapshots(LEADS, [one])
        assert snapshot.blocked == dict.fromkeys(ASKED, "converted")

    play(act, leads=30)


# --- rights, limits, ways in --------------------------------------------------------------------


def test_a_field_that_is_read_only_is_one_message() -> None:
    async def act(stage: Stage) -> None:
        found = await stage.pulled(CONTACTS)
        stage.faults.add("salesforce_field_read_only:*:Contact.Email")
        snapshots = await stage.snapshots(CONTACTS, list(found)[:50])
        outcomes = await stage.crm.write([change(s, Field.EMAIL, "x@example.com") for s in snapshots], CONTACTS)
        assert WriteStatus.WRITTEN not in {o.status for o in outcomes}
        with pytest.raises(Halt, match="Email"):
            await stage.crm.write([change(s, Field.EMAIL, "x@example.com") for s in snapshots], CONTACTS)
        errors = [f for f in await stage.crm.check([CONTACTS]) if f.level is Level.ERROR]
        assert ["Email" in f.what for f in errors] == [True]
        stage.faults.clear()
        assert not [f for f in await stage.crm.check([CONTACTS]) if f.level is Level.ERROR]

    play(act, 120)


def test_an_object_that_our_user_may_not_edit() -> None:
    """What was bought is not given up: it waits until the right is back."""

    async def act(stage: Stage) -> None:
        found = await stage.pulled(CONTACTS)
        stage.faults.add("salesforce_object_read_only:*:Contact")
        snapshots = await stage.snapshots(CONTACTS, list(found)[:50])
        changes = [change(s, Field.EMAIL, f"x{n}@example.com") for n, s in enumerate(snapshots)]
        assert {o.status for o in await stage.crm.write(changes, CONTACTS)} <= {WriteStatus.RETRY, WriteStatus.MOVED_ON}
        with pytest.raises(Halt, match="Email"):
            await stage.crm.write(changes, CONTACTS)
        [error] = [f for f in await stage.crm.check([CONTACTS, LEADS]) if f.level is Level.ERROR]
        assert ("may not edit Contact" in error.what, error.passing, error.trouble) == (True, False, None)
        stage.faults.clear()
        assert not [f for f in await stage.crm.check([CONTACTS]) if f.level is Level.ERROR]

    play(act, 120, leads=10)


@pytest.mark.parametrize(
    ("fault", "passing", "trouble"),
    [
        ("salesforce_query_error:*:503", True, None),
        ("salesforce_error:*:503", True, None),
        ("salesforce_daily_limit:*", True, None),
        ("salesforce_login_error:*", True, None),
        ("salesforce_login_refused:*:inactive", False, Trouble.CREDENTIALS),
        ("salesforce_field_read_only:*:Contact.Phone", False, None),
        ("salesforce_field_hidden:*:Contact.Email", False, None),
    ],
)
def test_check_tells_what_passes_from_what_is_forbidden(fault: str, passing: bool, trouble: Trouble | None) -> None:
    async def act(stage: Stage) -> None:
        stage.faults.add(fault)
        errors = [f for f in await stage.crm.check([CONTACTS]) if f.level is Level.ERROR]
        assert {(f.passing, f.trouble) for f in errors} == {(passing, trouble)}
        assert all(f.cure for f in errors)

    play(act, 10)


def test_the_day_s_limit_is_waited_for() -> None:
    async def act(stage: Stage) -> None:
        stage.vendor.usage.use_up(85_000)
        assert not [f for f in await stage.crm.check([CONTACTS]) if f.level is Level.ERROR]
        stage.vendor.usage.use_up(10_000)
        assert await stage.pulled(CONTACTS)  # what is already there is taken
        with pytest.raises(RateLimited) as caught:
            await stage.pulled(CONTACTS)
        assert caught.value.after
        stage.vendor.usage.use_up(-90_000)
        stage.vendor.clock.skip(901)
        assert await stage.pulled(CONTACTS)

    play(act, 50)


WAYS: dict[str, Callable[[Salesforce], dict[str, Any]]] = {
    "jwt": lambda v: {"username": v.keys.username, "private_key": v.access.private_key, "client_secret": None},
    "soap": lambda v: {
        "username": v.keys.username,
        "password": v.keys.password,
        "security_token": v.keys.security_token,
        "api_version": "64.0",
        "client_id": None,
        "client_secret": None,
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_in(way: str) -> None:
    async def perform() -> None:
        async with staged(30) as stage:
            keys, made = stage.vendor.keys, WAYS[way](stage.vendor)
            given = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret, **made}
            settings = Options.model_validate({name: value for name, value in given.items() if value is not None})
            with served(stage.vendor.app) as url:
                crm = Connector("sf", settings, url, stage.tools)
                try:
                    assert not [f for f in await crm.check([CONTACTS]) if f.level is Level.ERROR]
                    pages = [page async for page in crm.pull(CONTACTS, None)]
                    assert pages[0].contacts
                finally:
                    await crm.aclose()

    asyncio.run(perform())


@pytest.mark.parametrize("reason", ["no_user", "not_approved", "inactive", "secret", "client", "domain", ""])
def test_a_refused_login_is_a_finding_with_a_cure(reason: str) -> None:
    async def act(stage: Stage) -> None:
        stage.faults.add(f"salesforce_login_refused:1:{reason}")
        [finding] = await stage.crm.check([CONTACTS])
        assert finding.level is Level.ERROR
        assert finding.cure

    play(act, 10)


def test_an_edition_without_api() -> None:
    async def act(stage: Stage) -> None:
        stage.faults.add("salesforce_api_disabled:*")
        with pytest.raises(Halt) as caught:
            await stage.pulled(CONTACTS)
        assert "API Enabled" in caught.value.cure

    play(act, 10)
