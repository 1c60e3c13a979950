"""The HubSpot connector against the sandbox's HubSpot: a whole population, and the line at its worst.

Both families of paths, over real sockets. What single answers mean is tested in `test_hubspot`.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot import Connector, Options
from syncd.contract import normal
from syncd.contract.errors import Halt, RateLimited, Retry, Trouble
from syncd.contract.model import Change, Contact, ContactRef, Field, Level, Selection, WriteStatus
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.hubspot import ALL_SCOPES, HubSpot, Token
from syncd.sandbox.hubspot.access import COMPANIES, WRITE
from syncd.sandbox.people import Quirk
from syncd.sandbox.world import World
from tests.contract.bench import bench
from tests.contract.crm_worlds import SandboxTime, served

SELECTION = Selection(object="contacts", fields=Connector.capabilities.objects["contacts"])
FAMILIES = ("v3", "2026-09")
PHONE = "+442079460123"


@dataclass(frozen=True)
class Stage:
    """A portal full of people, and a connection to it."""

    vendor: HubSpot
    world: World
    crm: Connector
    faults: Faults

    async def pulled(self) -> dict[str, Contact]:
        return {c.ref.id: c async for page in self.crm.pull(SELECTION, None) for c in page.contacts}

    def lacking(self) -> set[str]:
        """The ids of those that lack a field now."""
        return {
            str(item.id)
            for item in self.vendor.portal.contacts.items.values()
            if not item.archived
            if not (item.values.get("email") and (item.values.get("phone") or item.values.get("mobilephone")))
        }


@asynccontextmanager
async def staged(contacts: int = 0, options: dict[str, Any] | None = None, **emulation: Any) -> AsyncIterator[Stage]:
    clock, faults = SandboxClock(speed=200), Faults(rng=random.Random(3))
    world = World(5, contacts, clock)
    vendor = HubSpot(world, clock, faults, random.Random(1), **emulation)
    with served(vendor.app) as url:
        settings = {"access_token": vendor.token, **(options or {})}
        given = Options.model_validate({k: v for k, v in settings.items() if v is not None})
        crm = Connector("hubspot-eu", given, url, bench(SandboxTime(clock)))
        try:
            yield Stage(vendor, world, crm, faults)
        finally:
            await crm.aclose()
            await vendor.aclose()


def play(act: Callable[[Stage], Awaitable[None]], contacts: int = 0, **how: Any) -> None:
    async def perform() -> None:
        async with staged(contacts, **how) as stage:
            await act(stage)

    asyncio.run(perform())


def change(record: object, field: Field, new: str) -> Change:
    ref = ContactRef(connection="hubspot-eu", object="contacts", id=str(record))
    return Change(ref=ref, field=field, expected="", new=new)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_population_is_pulled_as_it_is(family: str) -> None:
    async def act(stage: Stage) -> None:
        before = stage.lacking()
        found = await stage.pulled()
        assert stage.lacking() <= set(found) <= before  # colleagues fill, delete and merge meanwhile
        for record in stage.world.records:
            contact = found.get(str(stage.vendor.portal.ids[record.number]))
            if contact is None:
                continue
            names = [record.first_name, *([record.becomes.first_name] if record.becomes else [])]
            assert contact.identity.first_name in names  # a colleague may have made it another person's
            if record.employer is not None:
                assert contact.identity.company == record.employer.name
                assert contact.identity.domain == normal.domain(record.employer.domain)
            if record.quirk is Quirk.OPTED_OUT:
                assert contact.blocked.get(Field.EMAIL) == "opted_out"
            if record.quirk is Quirk.CLEARED:
                assert contact.blocked == {Field(record.quirk_field): "cleared_by_person"}
        assert stage.vendor.answers[429] == 0

    play(act, 1_500, options={"api_version": family})


MISHAPS = (
    *("hubspot_search_error:2", "hubspot_read_error:3:502", "hubspot_read_cut:2", "hubspot_search_torn:1"),
    *("hubspot_read_torn:1", "hubspot_search_html:1", "hubspot_read_html:1", "hubspot_read_plain:1"),
    *("hubspot_secondly:2", "hubspot_secondly:1:newer", "hubspot_burst:2", "hubspot_read_error:1:423"),
    *("hubspot_list_error:1:500", "hubspot_empty_results:1"),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bad_line_loses_nobody(family: str) -> None:
    async def act(stage: Stage) -> None:
        for mishap in MISHAPS:
            stage.faults.add(mishap)
        before = stage.lacking()
        found: set[str] = set()
        cursor = None
        while cursor is None or cursor["until"] is not None:
            try:
                async for page in stage.crm.pull(SELECTION, cursor):
                    found |= {contact.ref.id for contact in page.contacts}
                    cursor = page.cursor
            except Retry as error:
                await stage.vendor.clock.sleep(error.after or 1.0)
        assert stage.lacking() <= found <= before
        assert stage.faults.taken.total() == 20

    play(act, 600, options={"api_version": family})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("form", ["1", "2", "3", "4"])
def test_pitfall_11_conflicts_in_all_forms(form: str, alone: bool, family: str) -> None:
    async def act(stage: Stage) -> None:
        stage.faults.on("hubspot_conflict_form", None, form)
        if not alone:
            stage.faults.on("hubspot_trace_ignored", None)
        holders = [item for item in stage.vendor.portal.contacts.items.values() if item.values.get("email")]
        blank = sorted(stage.lacking(), key=int)[:20]
        taken = next(item for item in holders if str(item.id) not in blank)
        mails = {record: f"new{record}@example.com" for record in blank} | {blank[7]: taken.values["email"]}
        changes = [change(record, Field.EMAIL, mail) for record, mail in mails.items()]
        changes += [change(record, Field.PHONE, PHONE) for record in blank]
        outcomes = {(o.ref.id, o.field): o for o in await stage.crm.write(changes, SELECTION)}
        odd = {key: o for key, o in outcomes.items() if o.status is not WriteStatus.WRITTEN}
        assert {key: o.status for key, o in odd.items()} == {(blank[7], Field.EMAIL): WriteStatus.DUPLICATE}
        assert odd[blank[7], Field.EMAIL].holder in {str(taken.id), None if form == "2" else str(taken.id)}
        get = stage.vendor.portal.contacts.get
        assert all((item := get(int(r))) and item.values.get("phone") == PHONE for r in blank)
        assert stage.vendor.calls["batch/update"] <= 16

    play(act, 120, options={"api_version": family})


def test_pitfall_12_an_additional_email() -> None:
    async def act(stage: Stage) -> None:
        held = [r for r in stage.world.records if r.other_emails]
        record = next(r for r in stage.world.records if r.quirk is Quirk.CONFLICT_ADDITIONAL)
        number = stage.vendor.portal.ids[record.number]
        [outcome] = await stage.crm.write([change(number, Field.EMAIL, record.quirk_value)], SELECTION)
        assert outcome.status is WriteStatus.DUPLICATE
        assert outcome.holder in {str(stage.vendor.portal.ids[r.number]) for r in held}

    play(act, 1_500)


@pytest.mark.parametrize("trace_ignored", [False, True])
def test_pitfall_13_ninety_nine_of_a_hundred(trace_ignored: bool) -> None:
    async def act(stage: Stage) -> None:
        if trace_ignored:
            stage.faults.on("hubspot_trace_ignored", None)
        records = sorted(stage.lacking(), key=int)[:100]
        changes = [change(record, Field.EMAIL, f"new{record}@example.com") for record in records]
        changes[61] = change(records[61], Field.EMAIL, "new@example.con")
        outcomes = await stage.crm.write(changes, SELECTION)
        refused = {o.ref.id for o in outcomes if o.status is not WriteStatus.WRITTEN}
        assert refused == {records[61]}
        assert stage.vendor.calls["batch/update"] <= (15 if trace_ignored else 1)

    play(act, 300)


def test_pitfall_09_a_colleague_just_before_the_write() -> None:
    async def act(stage: Stage) -> None:
        record = next(r for r in stage.lacking() if not stage.vendor.portal.contacts.items[int(r)].values.get("phone"))
        stage.faults.on("hubspot_edit_between", 1, "phone=+442079460999")
        [outcome] = await stage.crm.write([change(record, Field.PHONE, PHONE)], SELECTION)
        [snapshot] = await stage.crm.read([outcome.ref], SELECTION)
        assert [v.value for v in snapshot.versions[Field.PHONE]][:2] == [PHONE, "+442079460999"]
        assert [v.by.value for v in snapshot.versions[Field.PHONE]][:2] == ["machine", "person"]

    play(act, 60)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("hubspot_update_error_after:1:524", WriteStatus.UNKNOWN),
        ("hubspot_update_cut_after", WriteStatus.UNKNOWN),
        ("hubspot_update_cut", WriteStatus.UNKNOWN),
        ("hubspot_update_html", WriteStatus.UNKNOWN),
        ("hubspot_update_nonsense", WriteStatus.UNKNOWN),
        ("hubspot_update_torn", WriteStatus.UNKNOWN),
        ("hubspot_update_error:1:423", WriteStatus.RETRY),
        ("hubspot_burst", WriteStatus.RETRY),
        ("hubspot_merged_gone", WriteStatus.WRITTEN),
    ],
)
def test_pitfall_22_what_a_spoilt_write_says(fault: str, status: WriteStatus) -> None:
    async def act(stage: Stage) -> None:
        record = min(stage.lacking(), key=int)
        stage.faults.add(fault)
        [outcome] = await stage.crm.write([change(record, Field.PHONE, PHONE)], SELECTION)
        assert outcome.status is status

    play(act, 60)


def test_pitfall_27_an_admin_s_rule_on_the_dated_paths() -> None:
    async def act(stage: Stage) -> None:
        stage.faults.on("hubspot_phone_rule", None)
        record = min(stage.lacking(), key=int)
        [outcome] = await stage.crm.write([change(record, Field.PHONE, "020 7946 0123")], SELECTION)
        assert outcome.status is WriteStatus.REFUSED
        assert "7946" not in outcome.detail

    play(act, 60, options={"api_version": "2026-09"})


@pytest.mark.parametrize("family", FAMILIES)
def test_pitfall_24_oauth(family: str) -> None:
    async def act(stage: Stage) -> None:
        app = stage.vendor.oauth
        assert app.client_id
        assert await stage.pulled()
        stage.vendor.clock.skip(1_700)
        assert await stage.pulled()
        stage.faults.on("hubspot_expired", 1, "75")
        assert await stage.pulled()
        assert stage.vendor.calls["oauth/token"] == 3

    app = {
        "access_token": None,
        "client_id": "5a4db0c5-client",
        "client_secret": "5a4db0c5-secret",
        "refresh_token": "eu1-5a4d-refresh",
    }
    play(act, 60, options={"api_version": family, **app})


def test_pitfall_24_a_malformed_token() -> None:
    async def act(stage: Stage) -> None:
        stage.faults.on("hubspot_expired", 1, "malformed")
        with pytest.raises(Halt, match="malformed"):
            await stage.pulled()

    play(act)


@pytest.mark.parametrize(("scope", "level"), [(WRITE, Level.ERROR), (COMPANIES, Level.WARNING)])
def test_pitfall_25_check_finds_what_the_token_may_not(scope: str, level: Level) -> None:
    async def act(stage: Stage) -> None:
        findings = [f for f in await stage.crm.check([SELECTION]) if f.level is not Level.OK]
        assert [(f.level, scope in f.cure) for f in findings] == [(level, True)]
        assert await stage.pulled()

    play(act, 60, tokens=[Token(scopes=ALL_SCOPES - {scope})])


@pytest.mark.parametrize(
    ("fault", "passing", "trouble"),
    [
        ("hubspot_search_error:*:502", True, None),
        ("hubspot_error:*:503", True, None),
        ("hubspot_burst:*", True, None),
        ("hubspot_daily:*", True, None),
        ("hubspot_unauthenticated:*", False, Trouble.CREDENTIALS),
        (f"hubspot_scope_gone:*:{WRITE}", False, None),
        ("hubspot_forbidden:*:crm.objects.contacts.read", False, Trouble.CREDENTIALS),
    ],
)
def test_check_tells_what_passes_from_what_is_forbidden(fault: str, passing: bool, trouble: Trouble | None) -> None:
    """An outage says nothing of the rights; a scope that lacks for writing leaves the reading as it is."""

    async def act(stage: Stage) -> None:
        stage.faults.add(fault)
        errors = [f for f in await stage.crm.check([SELECTION]) if f.level is Level.ERROR]
        assert {(f.passing, f.trouble) for f in errors} == {(passing, trouble)}
        assert all(f.cure for f in errors)

    play(act, 10)


def test_pitfall_26_a_portal_without_profiles() -> None:
    async def act(stage: Stage) -> None:
        assert all(contact.identity.linkedin_url is None for contact in (await stage.pulled()).values())
        findings = [f for f in await stage.crm.check([SELECTION]) if f.level is not Level.OK]
        assert ["hs_linkedin_url" in finding.what for finding in findings] == [True]

    play(act, 60, without_properties=["hs_linkedin_url"])


def test_pitfall_21_the_daily_limit() -> None:
    async def act(stage: Stage) -> None:
        stage.faults.on("hubspot_daily", 1)
        await stage.crm.check([SELECTION])
        with pytest.raises(RateLimited) as caught:
            await stage.pulled()
        assert 0 < (caught.value.after or 0) <= 86_400
        stage.vendor.clock.skip(caught.value.after or 0)
        assert await stage.pulled()

    play(act, 60)


def test_s15_the_scopes_that_are_written_down_are_enough_and_each_is_needed() -> None:
    """`docs/keys.md`, against the sandbox's order of checks."""
    page = (Path(__file__).parents[2] / "docs/keys.md").read_text("utf-8").partition("## salesforce")[0]
    scopes = frozenset(re.findall(r"(?m)^\| `([\w.]+)` \| (?!only for)", page))

    async def levels(held: frozenset[str]) -> set[Level]:
        async with staged(5, tokens=[Token(scopes=held)]) as stage:
            return {finding.level for finding in await stage.crm.check([SELECTION])}

    assert asyncio.run(levels(scopes)) == {Level.OK}
    for one in scopes:
        assert asyncio.run(levels(scopes - {one})) != {Level.OK}, one
