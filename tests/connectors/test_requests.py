"""A checkbox by which somebody wants a contact now, at the sandbox's HubSpot and Salesforce."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.contract.model import Change, ContactRef, Field, Level, WriteStatus
from syncd.sandbox.salesforce.schema import Field as OrgField

from . import test_hubspot_sandbox as hubspot
from . import test_salesforce_sandbox as salesforce

BOX, IN_ORG = "syncd_request", "Syncd_Request__c"
MAIL, NUMBER = "ada@example.com", "+442079460123"


@pytest.mark.parametrize("family", hubspot.FAMILIES)
def test_hubspot_shows_who_is_ticked_whatever_is_filled_and_clears_it(family: str) -> None:
    selection = replace(hubspot.SELECTION, request=BOX)

    async def act(stage: hubspot.Stage) -> None:
        portal = stage.vendor.portal
        [told] = [one for one in await stage.crm.check([selection]) if one.at == "request"]
        assert told.level is Level.WARNING
        [made] = await stage.crm.make_properties(selection, dry_run=False)
        assert (made.level, made.what) == (Level.OK, f"property {BOX!r} was made")
        [there] = await stage.crm.make_properties(selection, dry_run=False)
        assert there.what == f"property {BOX!r} is there"
        assert not [one for one in await stage.crm.check([selection]) if one.at == "request"]
        ada = str(portal.add({"firstname": "Ada", "email": MAIL, "phone": NUMBER, BOX: "true"}))
        portal.add({"firstname": "Bo", "email": "bo@example.com", "phone": NUMBER, BOX: "false"})
        stage.vendor.clock.skip(60)
        found = {c.ref.id: c async for page in stage.crm.pull(selection, None) for c in page.contacts}
        assert {id_: one.requested for id_, one in found.items()} == {ada: True}
        change = Change(ref=found[ada].ref, field=Field.EMAIL, expected="", new="", along={BOX: "false"})
        [done] = await stage.crm.write([change], selection)
        item = portal.contacts.get(int(ada))
        assert item is not None
        assert (done.status, item.values[BOX], item.values["email"]) == (WriteStatus.WRITTEN, "false", MAIL)
        [again] = await stage.crm.look([ContactRef(connection="hubspot-eu", object="contacts", id=ada)], selection)
        assert not again.requested

    hubspot.play(act, options={"api_version": family})


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("kind", ["contacts", "leads"])
def test_salesforce_does_the_same(kind: str, fast: bool) -> None:
    selection = replace(salesforce.SELECTIONS[kind], request=IN_ORG)

    async def act(stage: salesforce.Stage) -> None:
        org, object_ = stage.vendor.org, salesforce.KINDS[kind]
        [told] = [one for one in await stage.crm.check([selection]) if one.at == "request"]
        assert told.level is Level.WARNING
        assert await stage.crm.make_properties(selection, dry_run=False) == [replace(told, selection=None)]
        org.schema.kinds[object_.lower()].fields[IN_ORG.lower()] = OrgField(IN_ORG, "boolean", 0)
        assert not [one for one in await stage.crm.check([selection]) if one.at == "request"]
        ada = org.add(object_, {"LastName": "Test", "Email": MAIL, "Phone": NUMBER, IN_ORG: True})
        org.add(object_, {"LastName": "Test", "Email": "bo@example.com", "Phone": NUMBER, IN_ORG: False})
        stage.vendor.clock.skip(3_600)
        found = await stage.pulled(selection)
        assert {id_: one.requested for id_, one in found.items()} == {ada: True}
        change = Change(ref=found[ada].ref, field=Field.EMAIL, expected="", new="", along={IN_ORG: "false"})
        [done] = await stage.crm.write([change], selection)
        assert (done.status, stage.held(ada, "Email")) == (WriteStatus.WRITTEN, MAIL)
        [again] = await stage.crm.look([found[ada].ref], selection)
        assert not again.requested

    salesforce.play(act, options={"fast": fast})
