"""Whom the Salesforce connector says a record is about, who opted out, and the fields that come along.

On the sandbox; a scripted org shows what the sandbox does not have.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.model import Change, Contact, Field, FieldMap, Identity, Level, Selection, WriteStatus
from syncd.sandbox.salesforce.org import COLLEAGUE
from tests.connectors.salesforce_play import org, read, using
from tests.connectors.salesforce_play import pulled as pulled_from_script
from tests.connectors.scripted_org import definition
from tests.connectors.test_salesforce_sandbox import CONTACTS, KINDS, LEADS, SELECTIONS, Stage, play, ref

EXTRAS = {Field.MOBILE: FieldMap(property="MobilePhone"), Field.LINKEDIN: FieldMap(property="LinkedIn_Profile__c")}
EXTENDED = {name: replace(one, extras=EXTRAS) for name, one in SELECTIONS.items()}
EVERYTHING = dict.fromkeys([Field.EMAIL, Field.PHONE, *EXTRAS], "processing_opt_out")
COMPLETE = {"FirstName": "Ada", "LastName": "Test", "Email": "ada@example.com", "Phone": "+442079460123"}
NAMED = {"FirstName": "Ada", "LastName": "Test"}
KIND_IDS = list(SELECTIONS)


def add(stage: Stage, selection: Selection, **values: Any) -> str:
    crm = stage.vendor.org
    with crm.lock:
        return crm.store.add(KINDS[selection.object], values, COLLEAGUE, crm.now()).id


async def pulled(stage: Stage, selection: Selection, cursor: Any = None) -> dict[str, Contact]:
    stage.vendor.clock.skip(600)  # the newest minute is left to the next pull
    return {c.ref.id: c async for page in stage.crm.pull(selection, cursor) for c in page.contacts}


async def blocked(stage: Stage, selection: Selection, record: str) -> dict[Field, str]:
    """As a pull tells it and a read too; {} where a pull does not show the record."""
    found = await pulled(stage, selection)
    [snapshot] = await stage.snapshots(selection, [record])
    assert record not in found or found[record].blocked == snapshot.blocked
    assert record in found or not snapshot.blocked
    return dict(snapshot.blocked)


# --- who opted out ------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [NAMED, COMPLETE], ids=["lacking", "complete"])
@pytest.mark.parametrize(
    ("preferences", "reasons"),
    [
        ({"HasOptedOutProcessing": True}, EVERYTHING),
        ({"ShouldForget": True}, EVERYTHING),
        ({"HasOptedOutSolicit": True}, EVERYTHING),
        ({"HasOptedOutProcessing": True, "ShouldForget": True}, EVERYTHING),
        ({"HasOptedOutProfiling": True, "HasOptedOutTracking": True}, {}),
        ({"HasOptedOutProcessing": False, "ShouldForget": False}, {}),
        (None, {}),
    ],
)
@pytest.mark.parametrize("selection", EXTENDED.values(), ids=KIND_IDS)
def test_p13_whom_nobody_may_process_is_left_alone(
    selection: Selection, preferences: dict[str, bool] | None, reasons: dict[Field, str], values: dict[str, str]
) -> None:
    async def act(stage: Stage) -> None:
        record, other = add(stage, selection, **values), add(stage, selection, LastName="Other")
        if preferences is not None:
            stage.vendor.org.prefer(record, **preferences)
        assert await blocked(stage, selection, record) == reasons
        assert await blocked(stage, selection, other) == {}

    play(act, individuals=True)


@pytest.mark.parametrize(
    ("flag", "reasons"),
    [
        ("HasOptedOutOfEmail", {Field.EMAIL: "opted_out"}),
        ("DoNotCall", {Field.PHONE: "opted_out", Field.MOBILE: "opted_out"}),
    ],
)
@pytest.mark.parametrize("individuals", [False, True])
@pytest.mark.parametrize("selection", EXTENDED.values(), ids=KIND_IDS)
def test_who_opted_out_of_a_channel_is_told_of_though_it_is_filled(
    selection: Selection, individuals: bool, flag: str, reasons: dict[Field, str]
) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, selection, **COMPLETE, **{flag: True})
        assert await blocked(stage, selection, record) == reasons

    play(act, opt_outs=True, individuals=individuals)


def test_the_stricter_reason_is_told() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, CONTACTS, **COMPLETE, HasOptedOutOfEmail=True)
        stage.vendor.org.prefer(record, ShouldForget=True)
        assert set((await blocked(stage, CONTACTS, record)).values()) == {"processing_opt_out"}

    play(act, opt_outs=True, individuals=True)


@pytest.mark.parametrize(
    ("hidden", "warned"),
    [("Contact.IndividualId", False), ("Individual", True), ("Individual.ShouldForget", False)],
)
def test_what_field_level_security_hides_breaks_nothing(hidden: str, warned: bool) -> None:
    async def act(stage: Stage) -> None:
        record, quiet = add(stage, CONTACTS, **NAMED), add(stage, CONTACTS, **NAMED)
        stage.vendor.org.prefer(quiet, ShouldForget=True)
        assert set(await pulled(stage, CONTACTS)) == {record, quiet}
        assert await blocked(stage, CONTACTS, quiet) == {}
        findings = [f for f in await stage.crm.check([CONTACTS]) if "individuals" in f.what]
        assert [(f.level, bool(f.cure)) for f in findings] == [(Level.WARNING, True)] * warned

    play(act, individuals=True, without_fields=(hidden,))


def test_individuals_that_are_hidden_meanwhile() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, CONTACTS, **NAMED)
        stage.vendor.org.prefer(record, ShouldForget=True)
        assert set((await blocked(stage, CONTACTS, record)).values()) == {"processing_opt_out"}
        stage.faults.add("salesforce_field_hidden:*:Individual")
        [snapshot] = await stage.snapshots(CONTACTS, [record])  # by a query that Salesforce refuses now
        assert snapshot.current == ref(record, CONTACTS)
        assert await blocked(stage, CONTACTS, record) == {}
        stage.faults.clear()

    play(act, individuals=True)


@pytest.mark.parametrize("individuals", [False, True])
def test_individuals_cost_no_call_per_contact(individuals: bool) -> None:
    async def act(stage: Stage) -> None:
        records = [add(stage, CONTACTS, **NAMED) for _ in range(900)]
        for record in records[:100] if individuals else []:
            stage.vendor.org.prefer(record, ShouldForget=True)
        await pulled(stage, CONTACTS)
        before = stage.vendor.calls.total()
        snapshots = await stage.snapshots(CONTACTS, records)
        assert stage.vendor.calls.total() == before + 1
        assert sum(bool(one.blocked) for one in snapshots) == (100 if individuals else 0)
        assert [one.ref.id for one in snapshots] == records

    play(act, individuals=individuals)


def test_who_opts_out_between_a_read_and_a_write_is_not_written_to() -> None:
    """An individual's change leaves the record's stamp as it is, so that the condition alone would not notice."""

    async def act(stage: Stage) -> None:
        quiet, other = add(stage, CONTACTS, **NAMED), add(stage, CONTACTS, **NAMED)
        for record in (quiet, other):
            stage.vendor.org.prefer(record, ShouldForget=False)
        stage.vendor.clock.skip(60)
        snapshots = await stage.snapshots(CONTACTS, [quiet, other])
        stage.vendor.org.prefer(quiet, ShouldForget=True)
        changes = [
            Change(ref=one.ref, field=Field.PHONE, expected="", new="+442079460123", revision=one.revision)
            for one in snapshots
        ]
        outcomes = {o.ref.id: o.status for o in await stage.crm.write(changes, CONTACTS)}
        assert outcomes == {quiet: WriteStatus.MOVED_ON, other: WriteStatus.WRITTEN}
        assert (stage.held(quiet, "Phone"), stage.held(other, "Phone")) == ("", "+442079460123")

    play(act, individuals=True)


def test_only_opt_outs_since_the_last_pull_are_told() -> None:
    async def act(stage: Stage) -> None:
        old, new = add(stage, CONTACTS, **COMPLETE), add(stage, CONTACTS, **{**COMPLETE, "Email": "b@example.com"})
        crm = stage.vendor.org
        crm.store.change(crm.get(old), {"HasOptedOutOfEmail": True}, COLLEAGUE, crm.now())
        stage.vendor.clock.skip(2_000)
        first = [page async for page in stage.crm.pull(CONTACTS, None)]
        assert {c.ref.id for page in first for c in page.contacts} == {old}
        stage.vendor.clock.skip(2_000)
        crm.store.change(crm.get(new), {"HasOptedOutOfEmail": True}, COLLEAGUE, crm.now())
        assert set(await pulled(stage, CONTACTS, first[-1].cursor)) == {new}

    play(act, opt_outs=True)


def test_opt_outs_come_with_a_bulk_job_too() -> None:
    async def act(stage: Stage) -> None:
        crm = stage.vendor.org
        quiet = [add(stage, CONTACTS, **{**COMPLETE, "Email": f"q{number}@example.com"}) for number in range(300)]
        lacking = {add(stage, CONTACTS, **NAMED) for _ in range(300)}
        for record in quiet:
            crm.prefer(record, ShouldForget=True)
        found = await pulled(stage, CONTACTS)
        assert set(found) == {*quiet, *lacking}
        assert stage.vendor.calls["jobs/query/create"] == 1
        assert {one for one, contact in found.items() if contact.blocked} == set(quiet)
        assert {tuple(found[one].blocked.values()) for one in quiet} == {("processing_opt_out",) * 2}

    play(act, individuals=True, options={"page": 200, "bulk_from": 200}, bulk_delay=0.0)


# --- who it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "values", "country"),
    [
        (CONTACTS, {"MailingCountryCode": "GB", "MailingCountry": "Royaume-Uni"}, "GB"),
        (CONTACTS, {"MailingCountry": "Royaume-Uni"}, "Royaume-Uni"),
        (CONTACTS, {}, None),
        (LEADS, {"CountryCode": "KR", "Country": "Korea, Republic of"}, "KR"),
        (LEADS, {"Country": "Korea, Republic of"}, "Korea, Republic of"),
        (LEADS, {}, None),
    ],
)
@pytest.mark.parametrize("individuals", [False, True])
def test_v5_the_code_of_a_country_comes_before_its_name(
    selection: Selection, values: dict[str, str], country: str | None, individuals: bool
) -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, selection, **NAMED, **values)
        [snapshot] = await stage.snapshots(selection, [record])
        assert snapshot.identity is not None
        assert [snapshot.identity.country, (await pulled(stage, selection))[record].identity.country] == [country] * 2

    play(act, individuals=individuals)


@pytest.mark.parametrize(
    ("account", "country"),
    [
        ({"BillingCountryCode": "ES", "BillingCountry": "Spain"}, "ES"),
        ({"BillingCountry": "Spain"}, "Spain"),
        ({}, None),
    ],
)
def test_the_employer_s_country_is_apart(account: dict[str, str], country: str | None) -> None:
    async def act(stage: Stage) -> None:
        crm = stage.vendor.org
        employer = crm.store.add("Account", {"Name": "Acme", **account}, COLLEAGUE, crm.now()).id
        record = add(stage, CONTACTS, **NAMED, AccountId=employer, MailingCountry="France")
        identity = (await pulled(stage, CONTACTS))[record].identity
        assert (identity.country, identity.employer_country) == ("France", country)

    play(act)


@pytest.mark.parametrize(
    ("values", "told", "boxes", "domain"),
    [
        (
            {"Email": "ada@example.com", "Work__c": "a@work.example"},
            0,
            ("ada@example.com", "a@work.example"),
            "example.com",
        ),
        ({"Work__c": "a@work.example; b@work.example"}, 0, ("a@work.example", "b@work.example"), "work.example"),
        ({"Email": "ada@example.com", "Work__c": "ADA@example.com"}, 0, ("ada@example.com",), "example.com"),
        ({"Work__c": "ask reception"}, None, (), None),
        ({}, None, (), None),
    ],
)
@pytest.mark.parametrize("also", [True, False])
def test_p14_the_first_mailbox_is_told_where_email_is_blank(
    values: dict[str, Any], told: int | None, boxes: tuple[str, ...], domain: str | None, also: bool
) -> None:
    mapping = FieldMap(property="Email", also=("Work__c",)) if also else FieldMap(property="Work__c")
    selection = replace(CONTACTS, fields={**CONTACTS.fields, Field.EMAIL: mapping})
    with org() as crm:
        crm.fields["Work__c"] = definition("Work__c")
        record = crm.add(1, FirstName="Ada", **values)
        identity = using(crm, lambda c: pulled_from_script(c, selection=selection))[record].identity
        assert identity.emails == boxes
        assert identity.email == (None if told is None else boxes[told])
        assert identity.domain == domain
        if values:
            assert "Work__c" in crm.queries[-1]


def test_all_numbers_are_told_once() -> None:
    async def act(stage: Stage) -> None:
        numbers = {"Phone": "+442079460123", "MobilePhone": "+447700900123", "Fax": "+442079460123"}
        record = add(stage, CONTACTS, **NAMED, **numbers)
        selection = replace(CONTACTS, fields={**CONTACTS.fields, Field.PHONE: FieldMap(property="Fax")})
        [snapshot] = await stage.snapshots(selection, [record])
        assert isinstance(snapshot.identity, Identity)
        assert snapshot.identity.phones == ("+442079460123", "+447700900123")

    play(act)


def test_mobile_numbers_that_are_hidden_are_done_without() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, CONTACTS, **NAMED, Phone="+442079460123")
        selection = replace(CONTACTS, fields={**CONTACTS.fields, Field.PHONE: FieldMap(property="Phone")})
        identity = (await pulled(stage, selection))[record].identity
        assert identity.phones == ("+442079460123",)

    play(act, without_fields=("Contact.MobilePhone",))


# --- the fields that come along -----------------------------------------------------------------


@pytest.mark.parametrize(
    "emulation",
    [
        {"without_fields": ("Contact.LinkedIn_Profile__c",)},
        {"read_only_fields": ("Contact.LinkedIn_Profile__c",)},
        {"linkedin_field": ""},
    ],
    ids=["hidden", "read-only", "absent"],
)
@pytest.mark.parametrize("individuals", [False, True])
def test_an_extra_that_can_t_be_written_stops_nothing(emulation: dict[str, Any], individuals: bool) -> None:
    async def act(stage: Stage) -> None:
        selection = EXTENDED["contacts"]
        record = add(stage, CONTACTS, **NAMED)
        findings = await stage.crm.check([selection])
        assert not [f for f in findings if f.level is Level.ERROR]
        [warning] = [f for f in findings if "linkedin is not filled" in f.what]
        assert warning.level is Level.WARNING
        assert warning.cure
        assert set(await pulled(stage, selection)) == {record}
        [snapshot] = await stage.snapshots(selection, [record])
        wanted = {Field.PHONE: "+442079460123", Field.LINKEDIN: "https://www.linkedin.com/in/ada-example"}
        changes = [
            Change(ref=ref(record, CONTACTS), field=field, expected="", new=new, revision=snapshot.revision)
            for field, new in wanted.items()
        ]
        outcomes = {o.field: o.status for o in await stage.crm.write(changes, selection)}
        assert outcomes == {Field.PHONE: WriteStatus.WRITTEN, Field.LINKEDIN: WriteStatus.REFUSED}
        assert stage.held(record, "Phone") == "+442079460123"

    play(act, individuals=individuals, **emulation)


def test_an_extra_has_a_place_of_its_own() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, CONTACTS, **NAMED, Email="ada@example.com", MobilePhone="+447700900123")
        for selection, elsewhere in ((CONTACTS, {Field.PHONE}), (EXTENDED["contacts"], set())):
            [snapshot] = await stage.snapshots(selection, [record])
            assert snapshot.elsewhere == elsewhere
            assert await pulled(stage, selection) == {}  # a mobile number still counts as having a phone

    play(act)


def test_the_history_of_an_extra_is_read() -> None:
    async def act(stage: Stage) -> None:
        record = add(stage, CONTACTS, **NAMED)
        for value in ("+447700900123", ""):
            stage.vendor.org.human_edit(record, "MobilePhone", value)
            stage.vendor.clock.skip(60)
        [snapshot] = await stage.snapshots(EXTENDED["contacts"], [record])
        assert snapshot.blocked == {Field.MOBILE: "cleared_by_person"}
        [plain] = await stage.snapshots(CONTACTS, [record])
        assert plain.blocked == {}

    play(act, tracked_fields=("Email", "Phone", "MobilePhone"))


def test_a_person_account_that_opted_out_is_told_as_opted_out() -> None:
    with org() as crm:
        for name in ("HasOptedOutOfEmail", "IsPersonAccount"):
            crm.fields[name] = definition(name, type="boolean")
        record = crm.add(1, IsPersonAccount=True, HasOptedOutOfEmail=True)
        assert read(crm, record)[record].blocked == {Field.EMAIL: "opted_out", Field.PHONE: "person_account"}
