"""Whom the HubSpot connector says a record is about, who opted out, and the fields that come along, on the sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.hubspot import Connector
from syncd.contract.model import Change, Contact, ContactRef, Field, FieldMap, Identity, Level, Selection, WriteStatus
from syncd.sandbox.hubspot.items import IMPORT
from tests.connectors.test_hubspot_sandbox import SELECTION, Stage, play

EVERY_FIELD = {Field.MOBILE: FieldMap(property="mobilephone"), Field.LINKEDIN: FieldMap(property="hs_linkedin_url")}
EXTENDED = replace(SELECTION, extras=EVERY_FIELD)
COMPLETE = {"firstname": "Ada", "email": "ada@example.com", "phone": "+442079460123"}
ENRICHMENT, MARKETING = "hs_contact_enrichment_opt_out", "hs_email_optout"


def add(stage: Stage, **values: str) -> str:
    portal = stage.vendor.portal
    return str(portal.contacts.add(max(portal.contacts.ids, default=500) + 1, values, IMPORT, portal.now_ms()).id)


def ref(record: str) -> ContactRef:
    return ContactRef(connection="hubspot-eu", object="contacts", id=record)


async def pulled(stage: Stage, selection: Selection = SELECTION, cursor: Any = None) -> dict[str, Contact]:
    stage.vendor.clock.skip(30)  # until searches see everything
    return {c.ref.id: c async for page in stage.crm.pull(selection, cursor) for c in page.contacts}


async def both(stage: Stage, record: str, selection: Selection = SELECTION) -> tuple[Identity, Identity]:
    """What a pull and a read say of the person."""
    [snapshot] = await stage.crm.read([ref(record)], selection)
    assert snapshot.identity is not None
    return (await pulled(stage, selection))[record].identity, snapshot.identity


# --- who it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "values", "told"),
    [
        (FieldMap(property="work_email"), {"work_email": "ada@work.example"}, "ada@work.example"),
        (FieldMap(property="email", also=("work_email",)), {"work_email": "ada@work.example"}, "ada@work.example"),
        (FieldMap(property="email"), {"work_email": "ada@work.example"}, "ada@work.example"),
        (FieldMap(property="email"), {"hs_additional_emails": "a@one.example;b@two.example"}, "a@one.example"),
        (
            FieldMap(property="work_email"),
            {"email": "ada@example.com", "work_email": "a@work.example"},
            "ada@example.com",
        ),
        (FieldMap(property="email"), {"work_email": "ask reception"}, None),
        (FieldMap(property="email", also=("notes_for_colleagues",)), {"notes_for_colleagues": "@ada"}, None),
        (FieldMap(property="email"), {}, None),
    ],
)
def test_p14_the_first_mailbox_is_told_where_hubspot_s_own_is_blank(
    mapping: FieldMap, values: dict[str, str], told: str | None
) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, firstname="Ada", **values)
        selection = replace(SELECTION, fields={**SELECTION.fields, Field.EMAIL: mapping})
        from_pull, from_read = await both(stage, record, selection)
        assert (from_pull.email, from_read.email) == (told, told)

    play(act)


def test_all_mailboxes_and_numbers_are_told_once() -> None:
    async def act(stage: Stage) -> None:
        mails = {"email": "ada@example.com", "work_email": "Ada@Example.com, ada@work.example"}
        mails["hs_additional_emails"] = "old@example.com;ada@work.example"
        mails[MARKETING] = "true"  # so that a pull shows it although nothing lacks
        record = add(stage, **mails, mobilephone="+447700900123", fax="+442079460999")
        selection = replace(SELECTION, fields={**SELECTION.fields, Field.PHONE: FieldMap(property="fax")})
        for identity in await both(stage, record, selection):
            assert identity.emails == ("ada@example.com", "ada@work.example", "old@example.com")
            assert identity.phones == ("+442079460999", "+447700900123")

    async def neither(stage: Stage) -> None:
        record = add(stage, firstname="Ada")
        for identity in await both(stage, record):
            assert (identity.emails, identity.phones) == ((), ())

    play(act)
    play(neither)


def test_the_domain_of_another_mailbox_is_an_employer_s() -> None:
    async def act(stage: Stage) -> None:
        work, free = add(stage, work_email="ada@work.example"), add(stage, work_email="bea@gmail.com")
        for record, domain in ((work, "work.example"), (free, None)):
            assert [one.domain for one in await both(stage, record)] == [domain, domain]

    play(act)


@pytest.mark.parametrize(
    ("values", "country"),
    [
        ({"country": "France"}, "France"),
        ({"hs_country_region_code": "FR"}, "FR"),
        ({"country": "Allemagne", "hs_country_region_code": "DE"}, "Allemagne"),
        ({}, None),
    ],
)
def test_the_country_is_the_contact_s_own_and_the_employer_s_is_apart(
    values: dict[str, str], country: str | None
) -> None:
    async def act(stage: Stage) -> None:
        portal = stage.vendor.portal
        acme = {"name": "Acme", "domain": "acme.example", "country": "Spain"}
        portal.companies.add(77, acme, IMPORT, portal.now_ms())
        record = add(stage, firstname="Ada", associatedcompanyid="77", **values)
        from_pull, from_read = await both(stage, record)
        assert (from_pull.country, from_pull.employer_country) == (country, "Spain")
        assert (from_read.country, from_read.employer_country) == (country, None)
        assert (from_pull.company, from_read.company) == ("Acme", None)

    play(act)


def test_a_read_tells_the_person_without_another_call() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, **COMPLETE, company="Acme", website="https://acme.example", associatedcompanyid="77")
        await stage.crm.read([ref(record)], EXTENDED)
        before = stage.vendor.calls.total()
        [snapshot] = await stage.crm.read([ref(record)], EXTENDED)
        assert stage.vendor.calls.total() == before + 1
        assert snapshot.identity is not None
        assert (snapshot.identity.first_name, snapshot.identity.company) == ("Ada", "Acme")

    play(act)


# --- who opted out ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "blocked"),
    [
        ({ENRICHMENT: "true"}, dict.fromkeys(EXTENDED.writable, "enrichment_opt_out")),
        ({MARKETING: "true"}, {Field.EMAIL: "opted_out"}),
        ({ENRICHMENT: "true", MARKETING: "true"}, dict.fromkeys(EXTENDED.writable, "enrichment_opt_out")),
        ({ENRICHMENT: "false", MARKETING: "false"}, {}),
        ({}, {}),
    ],
)
@pytest.mark.parametrize("filled", [False, True])
def test_p13_who_opted_out_of_enrichment_is_left_alone(
    values: dict[str, str], blocked: dict[Field, str], filled: bool
) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, **(COMPLETE if filled else {"firstname": "Ada"}), **values)
        found = await pulled(stage, EXTENDED)
        assert set(found) == ({record} if blocked or not filled else set())
        assert not found or found[record].blocked == blocked
        [snapshot] = await stage.crm.read([ref(record)], EXTENDED)
        assert snapshot.blocked == blocked

    play(act)


def test_opt_outs_cost_no_search_and_are_told_when_they_change() -> None:
    async def act(stage: Stage) -> None:
        for number in range(250):
            add(stage, firstname=f"Person {number}", email=f"p{number}@example.com", phone="+442079460123")
        quiet = add(stage, **COMPLETE)
        stage.vendor.clock.skip(30)
        first = [page async for page in stage.crm.pull(SELECTION, None)]
        assert (len(first), stage.vendor.calls["search"], first[0].contacts) == (1, 1, ())
        stage.vendor.clock.skip(600)
        cursor: Any = first[-1].cursor
        stage.vendor.human_edit(quiet, ENRICHMENT, "true")
        stage.vendor.clock.skip(30)
        second = [page async for page in stage.crm.pull(SELECTION, cursor)]
        assert [[c.ref.id for c in page.contacts] for page in second] == [[quiet]]
        assert [page.stale for page in second] == [0]
        assert stage.vendor.calls["search"] == 2
        stage.vendor.human_edit(quiet, ENRICHMENT, "false")
        assert await pulled(stage) == {}  # everything, and nobody is opted out any more

    play(act)


@pytest.mark.parametrize("name", [ENRICHMENT, MARKETING])
def test_a_portal_without_the_property(name: str) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, firstname="Ada")
        assert (await pulled(stage))[record].blocked == {}
        assert not [f for f in await stage.crm.check([SELECTION]) if f.level is Level.ERROR]

    play(act, without_properties=[name])


@pytest.mark.parametrize(("terms", "unsearched"), [(0, 0), (1, 0), (2, 1)])
def test_the_operator_s_filters_come_before_opt_outs(terms: int, unsearched: int) -> None:
    """HubSpot takes 18 filters; what does not fit is told by check, and the strictest opt-out is kept."""

    async def act(stage: Stage) -> None:
        names = ("country", "lifecyclestage")[:terms]
        filters = [{"property": name, "operator": "NOT_HAS_PROPERTY"} for name in names]
        selection = replace(SELECTION, match={"filters": filters} if filters else {})
        quiet, unsubscribed = (
            add(stage, **{ENRICHMENT: "true"}, **COMPLETE),
            add(stage, **_other(), **{MARKETING: "true"}),
        )
        outside = add(stage, **{**_other(), "email": "c@example.com"}, **{ENRICHMENT: "true"}, country="France")
        found = set(await pulled(stage, selection))
        assert (quiet in found, unsubscribed in found, outside in found) == (True, not unsearched, not terms)
        warnings = [f for f in await stage.crm.check([selection]) if MARKETING in f.what]
        assert [(f.level, bool(f.cure)) for f in warnings] == [(Level.WARNING, True)] * unsearched

    play(act)


def _other() -> dict[str, str]:
    return {**COMPLETE, "email": "bea@example.com"}


# --- the fields that come along -----------------------------------------------------------------


def test_an_extra_has_a_place_of_its_own() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, email="ada@example.com", mobilephone="+447700900123")
        [plain] = await stage.crm.read([ref(record)], SELECTION)
        assert plain.elsewhere == {Field.PHONE}
        [extended] = await stage.crm.read([ref(record)], EXTENDED)
        assert extended.elsewhere == frozenset()
        assert extended.values[Field.MOBILE] == "+447700900123"
        assert await pulled(stage, EXTENDED) == {}  # a mobile number still counts as having a phone

    play(act)


@pytest.mark.parametrize("name", ["no_such_thing", "hs_email_domain", "hs_email_bounce"])
def test_an_extra_that_can_t_be_written_costs_no_call_and_stops_nothing(name: str) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, firstname="Ada")
        selection = replace(SELECTION, extras={Field.MOBILE: FieldMap(property=name)})
        findings = [f for f in await stage.crm.check([selection]) if name in f.what]
        assert {f.level for f in findings} == {Level.WARNING}
        assert all(f.cure for f in findings)
        before = stage.vendor.calls["batch/update"]
        changes = [
            Change(ref=ref(record), field=field, expected="", new="+447700900123")
            for field in (Field.PHONE, Field.MOBILE)
        ]
        outcomes = {o.field: o.status for o in await stage.crm.write(changes, selection)}
        assert outcomes == {Field.PHONE: WriteStatus.WRITTEN, Field.MOBILE: WriteStatus.REFUSED}
        assert stage.vendor.calls["batch/update"] == before + 1

    play(act)


def test_a_profile_that_was_written_is_told() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, firstname="Ada", linkedinbio="https://www.linkedin.com/in/ada-example")
        mapped = replace(SELECTION, extras={Field.LINKEDIN: FieldMap(property="linkedinbio")})
        assert (await both(stage, record, mapped))[0].linkedin_url == "https://www.linkedin.com/in/ada-example"
        assert (await both(stage, record))[0].linkedin_url is None

    play(act)


def test_what_is_bought_stays_email_and_phone() -> None:
    assert [set(fields) for fields in Connector.capabilities.objects.values()] == [{Field.EMAIL, Field.PHONE}]
