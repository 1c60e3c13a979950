"""Properties that tell of a value, set along with it at the sandbox's HubSpot and Salesforce: whatever is wrong with
them, the value is written. They are made, or it is said what to make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.model import Change, ContactRef, Field, Level, Selection, WriteStatus
from syncd.sandbox.hubspot import ALL_SCOPES, Token
from syncd.sandbox.hubspot.access import SCHEMAS
from syncd.sandbox.salesforce.schema import Field as OrgField

from . import test_hubspot_sandbox as hubspot
from . import test_salesforce_sandbox as salesforce

STAMPS = {"source": "syncd_source", "at": "syncd_at", "status": "syncd_status", "run": "syncd_run"}
TOLD = {
    "syncd_source": "email: zeliq",
    "syncd_at": "2026-11-27T12:00:00Z",
    "syncd_status": "email: valid",
    "syncd_run": "7",
}
BLANK = dict.fromkeys(TOLD, "")
SELECTION = replace(hubspot.SELECTION, stamps=STAMPS)
NUMBER = "+442079460123"


def put(record: str, new: str = NUMBER, expected: str = "", **told: str) -> Change:
    ref = ContactRef(connection="hubspot-eu", object="contacts", id=record)
    return Change(ref=ref, field=Field.PHONE, expected=expected, new=new, along=told)


def person(stage: hubspot.Stage) -> str:
    return str(stage.vendor.portal.add({"firstname": "Ada", "lastname": "Test", "email": "ada@example.com"}))


def held(stage: hubspot.Stage, record: str) -> dict[str, str]:
    item = stage.vendor.portal.contacts.get(int(record))
    assert item is not None
    return {name: item.values.get(name, "") for name in ("phone", *TOLD)}


@pytest.mark.parametrize("family", hubspot.FAMILIES)
def test_hubspot_makes_them_once_and_sets_and_clears_them_with_a_value(family: str) -> None:
    async def act(stage: hubspot.Stage) -> None:
        shown = await stage.crm.make_properties(SELECTION, dry_run=True)
        assert [one.what for one in shown] == [f"property {name!r} would be made" for name in STAMPS.values()]
        assert "syncd_at" not in stage.vendor.portal.catalogues["contacts"].properties
        made = await stage.crm.make_properties(SELECTION, dry_run=False)
        assert [(one.level, one.what) for one in made] == [
            (Level.OK, f"property {name!r} was made") for name in STAMPS.values()
        ]
        again = await stage.crm.make_properties(SELECTION, dry_run=False)
        assert [one.what for one in again] == [f"property {name!r} is there" for name in STAMPS.values()]
        ada, calls = person(stage), stage.vendor.calls["batch/update"]
        [done] = await stage.crm.write([put(ada, **TOLD)], SELECTION)
        assert (done.status, held(stage, ada)) == (WriteStatus.WRITTEN, {"phone": NUMBER, **TOLD})
        assert stage.vendor.calls["batch/update"] == calls + 1
        [done] = await stage.crm.write([put(ada, "", NUMBER, **BLANK)], SELECTION)
        assert (done.status, held(stage, ada)) == (WriteStatus.WRITTEN, {"phone": "", **BLANK})
        assert not [one for one in await stage.crm.check([SELECTION]) if one.at.startswith("provenance")]

    hubspot.play(act, options={"api_version": family})


def test_without_them_hubspot_takes_the_value_and_check_says_so() -> None:
    async def act(stage: hubspot.Stage) -> None:
        ada, calls = person(stage), stage.vendor.calls["batch/update"]
        [done] = await stage.crm.write([put(ada, **TOLD)], SELECTION)
        assert (done.status, held(stage, ada)) == (WriteStatus.WRITTEN, {"phone": NUMBER, **BLANK})
        assert stage.vendor.calls["batch/update"] == calls + 1
        found = [one for one in await stage.crm.check([SELECTION]) if one.at.startswith("provenance")]
        assert {one.level for one in found} == {Level.WARNING}
        what = "the portal has no contact property 'syncd_source': values are written without it"
        assert (found[0].what, found[0].at) == (what, "provenance.source")

    hubspot.play(act)


def test_a_property_that_was_deleted_since_it_was_seen_costs_no_value() -> None:
    """HubSpot answers 400 PROPERTY_DOESNT_EXIST for the whole batch."""

    async def act(stage: hubspot.Stage) -> None:
        await stage.crm.make_properties(SELECTION, dry_run=False)
        del stage.vendor.portal.catalogues["contacts"].properties["syncd_status"]
        records = [person(stage)]
        records += [str(stage.vendor.portal.add({"email": f"p{n}@example.com"})) for n in range(3)]
        done = await stage.crm.write([put(one, **TOLD) for one in records], SELECTION)
        assert {one.status for one in done} == {WriteStatus.WRITTEN}
        assert {held(stage, one)["phone"] for one in records} == {NUMBER}

    hubspot.play(act)


def test_what_is_told_and_not_taken_costs_no_value() -> None:
    async def act(stage: hubspot.Stage) -> None:
        await stage.crm.make_properties(SELECTION, dry_run=False)
        ada = person(stage)
        [done] = await stage.crm.write([put(ada, **{**TOLD, "syncd_at": "yesterday"})], SELECTION)
        assert (done.status, held(stage, ada)["phone"]) == (WriteStatus.WRITTEN, NUMBER)

    hubspot.play(act)


def test_a_wrong_value_is_still_told_as_wrong() -> None:
    async def act(stage: hubspot.Stage) -> None:
        await stage.crm.make_properties(SELECTION, dry_run=False)
        ref = ContactRef(
            connection="hubspot-eu", object="contacts", id=str(stage.vendor.portal.add({"firstname": "Bo"}))
        )
        bad = Change(ref=ref, field=Field.EMAIL, expected="", new="bo@example.nosuchtld", along=TOLD)
        [done] = await stage.crm.write([bad], SELECTION)
        assert done.status is WriteStatus.INVALID

    hubspot.play(act)


def test_without_the_right_hubspot_says_what_to_make_by_hand() -> None:
    async def act(stage: hubspot.Stage) -> None:
        [told] = await stage.crm.make_properties(SELECTION, dry_run=False)
        assert told.level is Level.ERROR
        assert "lacks a scope: crm.schemas.contacts.write" in told.what
        assert "syncd_at (date and time), syncd_status (single-line text)" in told.cure
        assert not [one for one in await stage.crm.check([SELECTION]) if one.level is Level.ERROR]

    hubspot.play(act, tokens=[Token(scopes=ALL_SCOPES - {SCHEMAS})])


# --- Salesforce -----------------------------------------------------------------------------------

FIELDS = {told: f"{name}__c" for told, name in STAMPS.items()}
IN_ORG = {f"{name}__c": text for name, text in TOLD.items()}


def org_selection(kind: str) -> Selection:
    return replace(salesforce.SELECTIONS[kind], stamps=FIELDS)


def add_fields(stage: salesforce.Stage, kind: str, **types: str) -> None:
    fields = stage.vendor.org.schema.kinds[kind.lower()].fields
    for told, name in FIELDS.items():
        type_ = types.get(told, "datetime" if told == "at" else "string")
        fields[name.lower()] = OrgField(name, type_, 255)


async def write_one(stage: salesforce.Stage, kind: str, new: str = NUMBER, expected: str = "", **told: str) -> Any:
    selection = org_selection(kind)
    record = next(
        row.id for row in stage.vendor.org.store.tables[salesforce.KINDS[kind]].rows.values()
        if not row.deleted and row.values.get("Phone", "") == expected and not row.values.get("MobilePhone")
    )  # fmt: skip
    ref = salesforce.ref(record, selection)
    change = Change(ref=ref, field=Field.PHONE, expected=expected, new=new, along=told)
    [done] = await stage.crm.write([change], selection)
    return done, {name: stage.held(record, name) for name in ("Phone", *IN_ORG)}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", ["contacts", "leads"])
def test_salesforce_sets_and_clears_them_with_a_value(kind: str, fast: bool) -> None:
    async def act(stage: salesforce.Stage) -> None:
        add_fields(stage, salesforce.KINDS[kind])
        told = await stage.crm.make_properties(org_selection(kind), dry_run=True)
        assert {one.level for one in told} == {Level.OK}
        done, now = await write_one(stage, kind, **IN_ORG)
        assert (done.status, now["Phone"]) == (WriteStatus.WRITTEN, NUMBER)
        assert (now["syncd_source__c"], now["syncd_run__c"]) == ("email: zeliq", "7")
        done, now = await write_one(stage, kind, "", NUMBER, **dict.fromkeys(IN_ORG, ""))
        assert (done.status, now) == (WriteStatus.WRITTEN, dict.fromkeys(now, ""))

    salesforce.play(act, contacts=8, leads=8, options={"fast": fast})


def test_without_them_salesforce_takes_the_value_and_says_what_to_make() -> None:
    async def act(stage: salesforce.Stage) -> None:
        done, now = await write_one(stage, "contacts", **IN_ORG)
        assert (done.status, now["Phone"]) == (WriteStatus.WRITTEN, NUMBER)
        told = await stage.crm.make_properties(org_selection("contacts"), dry_run=False)
        assert {one.level for one in told} == {Level.WARNING}
        assert "Object Manager, Contact, Fields & Relationships, make syncd_at__c (Date/Time)" in told[1].cure
        found = [one for one in await stage.crm.check([org_selection("contacts")]) if one.at.startswith("provenance")]
        assert [one.level for one in found] == [Level.WARNING] * 4

    salesforce.play(act, contacts=8)


def test_a_field_that_went_since_it_was_seen_costs_no_value() -> None:
    """Salesforce answers INVALID_FIELD for the record."""

    async def act(stage: salesforce.Stage) -> None:
        add_fields(stage, "Contact")
        await stage.crm.make_properties(org_selection("contacts"), dry_run=True)
        del stage.vendor.org.schema.kinds["contact"].fields["syncd_run__c"]
        done, now = await write_one(stage, "contacts", **IN_ORG)
        assert (done.status, now["Phone"]) == (WriteStatus.WRITTEN, NUMBER)

    salesforce.play(act, contacts=8)


# --- the legal basis --------------------------------------------------------------------------------

PLACE, BASIS = "hs_legal_basis", "Legitimate interest - prospect/lead"


@pytest.mark.parametrize("words", [BASIS, "Because I say so"])
def test_a_legal_basis_is_told_set_along_and_checked(words: str) -> None:
    selection = replace(hubspot.SELECTION, legal_basis=words)

    async def act(stage: hubspot.Stage) -> None:
        ada = person(stage)
        ref = ContactRef(connection="hubspot-eu", object="contacts", id=ada)
        [before] = await stage.crm.read([ref], selection)
        assert before.legal_basis == ""
        [done] = await stage.crm.write([put(ada, **{PLACE: words})], selection)
        [after] = await stage.crm.read([ref], selection)
        known = words == BASIS
        assert (done.status, after.legal_basis) == (WriteStatus.WRITTEN, BASIS if known else "")
        told = [one.level for one in await stage.crm.check([selection]) if one.at == "provenance.legal_basis"]
        assert told == ([] if known else [Level.WARNING])

    hubspot.play(act)


def test_a_portal_without_the_property_of_the_legal_basis_takes_the_value() -> None:
    selection = replace(hubspot.SELECTION, legal_basis=BASIS)

    async def act(stage: hubspot.Stage) -> None:
        ada = person(stage)
        [done] = await stage.crm.write([put(ada, **{PLACE: BASIS})], selection)
        assert (done.status, held(stage, ada)["phone"]) == (WriteStatus.WRITTEN, NUMBER)
        [told] = [one for one in await stage.crm.check([selection]) if one.at == "provenance.legal_basis"]
        assert "data privacy is switched off" in told.what

    hubspot.play(act, without_properties=[PLACE])
