"""The CRMs that the contract suite is played in: each a connection, and the hands to change the world behind it.

To put another CRM under the suite, add its world to WORLDS. What a CRM must do is said in `CrmContract`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import uvicorn

from connectors.hubspot import Connector as HubSpotConnector
from connectors.hubspot import Options as HubSpotOptions
from connectors.salesforce import Connector as SalesforceConnector
from connectors.salesforce import Options as SalesforceOptions
from syncd.contract.model import Author, Field, FieldMap, Identity, Selection
from syncd.contract.testing import CrmWorld
from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults
from syncd.sandbox.hubspot import HubSpot
from syncd.sandbox.hubspot.access import WRITE
from syncd.sandbox.hubspot.items import IMPORT
from syncd.sandbox.hubspot.items import Author as HistoryAuthor
from syncd.sandbox.salesforce import Salesforce
from syncd.sandbox.salesforce.org import API_USER, COLLEAGUE
from syncd.sandbox.world import World
from tests.contract.bench import bench
from tests.contract.fake_crm import FakeCrm

BOUNCE_CLEANER = HistoryAuthor("INTEGRATION", "19083857")


class FakeWorld:
    """The in-memory CRM."""

    refused_email = "ada@example.con"

    def __init__(self, *, conditional: bool, history: bool = True) -> None:
        self.crm = FakeCrm(conditional=conditional, history=history)
        self.crm.refused.add(self.refused_email)
        self.selection = Selection(object="contacts", fields=self.crm.capabilities.objects["contacts"])
        self.extended = _extended(self.selection, mobile="mobile", linkedin="linkedin")

    def add(self, first_name: str, email: str = "", phone: str = "", mobile: str = "") -> str:
        values = {"email": email, "phone": phone, "mobile": mobile}
        return self.crm.add(Identity(first_name=first_name), **{k: v for k, v in values.items() if v})

    def edit(self, record: str, field: Field, value: str) -> None:
        self.crm.edit(record, self.extended.writable[field].property, value)

    def rename(self, record: str, first_name: str, last_name: str) -> None:
        self.crm.rename(record, Identity(first_name=first_name, last_name=last_name))

    def opt_out(self, record: str) -> str:
        self.crm.block(record, Field.EMAIL, "opted_out")
        return "opted_out"

    def remove(self, record: str) -> None:
        self.crm.remove(record)

    def merge(self, loser: str, winner: str) -> str:
        self.crm.merge(loser, winner)
        return winner

    def held(self, record: str, field: Field) -> str:
        return self.crm.records[record].values.get(self.extended.writable[field].property, "")

    def count(self) -> int:
        return len([r for r in self.crm.records.values() if not r.gone and r.now is None])

    def hide_mobile(self) -> None:
        self.crm.hidden.add("mobile")

    def clear_by_program(self, record: str) -> None:
        self.crm.edit(record, "email", "", by=Author.MACHINE)

    def conditions(self) -> Mapping[str, tuple[Mapping[str, Any], Callable[[str, bool], None]]]:
        return {"value": ({"team": "north"}, self._choose("team", "north", "south"))}

    def _choose(self, name: str, inside: str, outside: str) -> Callable[[str, bool], None]:
        return lambda record, met: self.crm.edit(record, name, inside if met else outside)

    def forbid(self, *, forbidden: bool = True) -> None:
        self.crm.closed = {self.selection.fields[Field.EMAIL].property} if forbidden else set()

    def settle(self) -> None:
        return


class SandboxTime:
    """The sandbox's clock as a connector's."""

    def __init__(self, clock: SandboxClock) -> None:
        self.now, self.monotonic, self.sleep = clock.now, clock.now, clock.sleep


class HubSpotWorld:
    """The sandbox's HubSpot on a real socket, with its limits, its lag and its shuffled answers."""

    refused_email = "ada@example.con"  # HubSpot knows the top-level domains

    def __init__(self, vendor: HubSpot, crm: HubSpotConnector) -> None:
        self.vendor, self.crm = vendor, crm
        self.selection = Selection(object="contacts", fields=crm.capabilities.objects["contacts"])
        self.extended = _extended(self.selection, mobile="mobilephone", linkedin="hs_linkedin_url")

    def add(self, first_name: str, email: str = "", phone: str = "", mobile: str = "") -> str:
        portal = self.vendor.portal
        values = {"firstname": first_name, "email": email, "phone": phone, "mobilephone": mobile}
        number = max(portal.contacts.ids, default=500) + 1
        return str(portal.contacts.add(number, values, IMPORT, portal.now_ms()).id)

    def edit(self, record: str, field: Field, value: str) -> None:
        self.vendor.human_edit(record, self.extended.writable[field].property, value)

    def rename(self, record: str, first_name: str, last_name: str) -> None:
        self.vendor.human_edit(record, "firstname", first_name)
        self.vendor.human_edit(record, "lastname", last_name)

    def opt_out(self, record: str) -> str:
        self.vendor.human_edit(record, "hs_email_optout", "true")
        return "opted_out"

    def remove(self, record: str) -> None:
        self.vendor.portal.archive(record)

    def merge(self, loser: str, winner: str) -> str:
        return str(self.vendor.portal.merge(winner, loser))

    def held(self, record: str, field: Field) -> str:
        item = self.vendor.portal.contacts.get(int(record))
        return item.values.get(self.extended.writable[field].property, "") if item else ""

    def count(self) -> int:
        return sum(not item.archived for item in self.vendor.portal.contacts.items.values())

    def hide_mobile(self) -> None:
        del self.vendor.portal.catalogues["contacts"].properties["mobilephone"]
        self.vendor.clock.skip(3_601)  # what we know of a portal's properties is looked at again after an hour

    def clear_by_program(self, record: str) -> None:
        portal = self.vendor.portal
        item = portal.contacts.get(int(record))
        assert item is not None
        portal.contacts.write(item, {"email": ""}, BOUNCE_CLEANER, portal.now_ms())

    def conditions(self) -> Mapping[str, tuple[Mapping[str, Any], Callable[[str, bool], None]]]:
        stage, city, reach = "lifecyclestage", "city", "linkedinconnections"
        return {
            "owner": ({"owner": ["81234567"]}, self._choose("hubspot_owner_id", "81234567", "81234568")),
            "EQ": _filtered(stage, "EQ", self._choose(stage, "lead", "customer"), value="lead"),
            "NEQ": _filtered(city, "NEQ", self._choose(city, "", "PARIS"), value="Paris"),
            "IN": _filtered(city, "IN", self._choose(city, "Lyon", "Paris"), values=["Lyon", "Nantes"]),
            "NOT_IN": _filtered(city, "NOT_IN", self._choose(city, "Lyon", "Paris"), values=["Paris"]),
            "HAS_PROPERTY": _filtered(city, "HAS_PROPERTY", self._choose(city, "Lyon", "")),
            "NOT_HAS_PROPERTY": _filtered(city, "NOT_HAS_PROPERTY", self._choose(city, "", "Lyon")),
            "LT": _filtered(reach, "LT", self._choose(reach, "9", "10"), value=10),
            "LTE": _filtered(reach, "LTE", self._choose(reach, "10", "11"), value=10),
            "GT": _filtered(reach, "GT", self._choose(reach, "11", "9"), value=10),
            "GTE": _filtered(reach, "GTE", self._choose(reach, "10", "9"), value=10),
            "BETWEEN": _filtered(reach, "BETWEEN", self._choose(reach, "5", ""), value=5, high_value=7),
            "CONTAINS_TOKEN": _filtered(city, "CONTAINS_TOKEN", self._choose(city, "New York", "York"), value="new"),
            "NOT_CONTAINS_TOKEN": _filtered(
                city, "NOT_CONTAINS_TOKEN", self._choose(city, "York", "New York"), value="new"
            ),
            "list": ({"list": self.vendor.lists.make("Fair").id}, self._enlist),
            "segment": (
                {"list": self.vendor.lists.make("In Lyon", lambda item: item.values.get("city") == "Lyon").id},
                self._choose(city, "Lyon", "Paris"),
            ),
            "several": (
                {
                    "owner": "81234567",
                    "filters": [
                        {"property": city, "operator": "CONTAINS_TOKEN", "value": "new"},
                    ],
                },
                self._choose_several,
            ),
        }

    def _choose(self, name: str, inside: str, outside: str) -> Callable[[str, bool], None]:
        return lambda record, met: self.vendor.human_edit(record, name, inside if met else outside)

    def _enlist(self, record: str, met: bool) -> None:
        [fair] = [one for one in self.vendor.lists.lists.values() if one.name == "Fair"]
        change = fair.add if met else fair.remove
        change(record, self.vendor.portal.now_ms())

    def _choose_several(self, record: str, met: bool) -> None:
        values = {"hubspot_owner_id": "81234567", "city": "New York" if met else "Oldham"}
        for name, value in values.items():
            self.vendor.human_edit(record, name, value)

    def forbid(self, *, forbidden: bool = True) -> None:
        _switch(self.vendor.faults, f"hubspot_scope_gone:*:{WRITE}", on=forbidden)

    def settle(self) -> None:
        self.vendor.clock.skip(20)


class SalesforceWorld:
    """The sandbox's Salesforce on a real socket, with stamps in whole seconds and a duplicate rule."""

    refused_email = "ada@example"  # Salesforce wants a domain with a dot

    def __init__(self, vendor: Salesforce, crm: SalesforceConnector, name: str) -> None:
        self.vendor, self.crm = vendor, crm
        self.selection = Selection(object=name, fields=crm.capabilities.objects[name])
        self.extended = _extended(self.selection, mobile="MobilePhone", linkedin="LinkedIn_Profile__c")
        self._kind = {"contacts": "Contact", "leads": "Lead"}[name]

    def add(self, first_name: str, email: str = "", phone: str = "", mobile: str = "") -> str:
        org = self.vendor.org
        values = {"FirstName": first_name, "LastName": "Test", "Email": email, "Phone": phone, "MobilePhone": mobile}
        with org.lock:
            return org.store.add(self._kind, values, COLLEAGUE, org.now()).id

    def edit(self, record: str, field: Field, value: str) -> None:
        self.vendor.human_edit(record, self.extended.writable[field].property, value)

    def rename(self, record: str, first_name: str, last_name: str) -> None:
        self.vendor.human_edit(record, "FirstName", first_name)
        self.vendor.human_edit(record, "LastName", last_name)

    def opt_out(self, record: str) -> str:
        if self.vendor.settings.individuals:
            self.vendor.org.prefer(record, HasOptedOutProcessing=True)
            return "processing_opt_out"
        row = self.vendor.org.get(record)
        self.vendor.org.store.change(row, {"HasOptedOutOfEmail": True}, COLLEAGUE, self.vendor.org.now())
        return "opted_out"

    def remove(self, record: str) -> None:
        self.vendor.org.delete(record)

    def merge(self, loser: str, winner: str) -> str:
        self.vendor.org.merge(winner, loser)
        return winner

    def held(self, record: str, field: Field) -> str:
        return str(self.vendor.org.get(record).values.get(self.extended.writable[field].property, ""))

    def count(self) -> int:
        return sum(not row.deleted for row in self.vendor.org.store.tables[self._kind].rows.values())

    def hide_mobile(self) -> None:
        self.vendor.faults.add(f"salesforce_field_hidden:*:{self._kind}.MobilePhone")

    def clear_by_program(self, record: str) -> None:
        org = self.vendor.org
        with org.lock:
            org.store.change(org.get(record), {"Email": ""}, API_USER, org.now())

    def conditions(self) -> Mapping[str, tuple[Mapping[str, Any], Callable[[str, bool], None]]]:
        def choose(record: str, met: bool) -> None:
            self.vendor.human_edit(record, "Title", "CTO" if met else "CEO")

        either = "Title = 'CTO' OR (Title = 'VP' AND FirstName != null)"
        fair, visitors = (self.vendor.org.campaign(name) for name in ("Fair", "Visitors"))
        member = "ContactId" if self._kind == "Contact" else "LeadId"
        joined = f"LastName != null AND Id IN (SELECT {member} FROM CampaignMember WHERE CampaignId = '{visitors}')"

        def enlist(campaign: str, record: str, met: bool) -> None:
            self.vendor.org.enlist(campaign, record, member=met)

        return {
            "where": ({"where": "Title = 'CTO'"}, choose),
            "or": ({"where": either}, choose),
            "campaign": ({"campaign": fair}, partial(enlist, fair)),
            "semi-join": ({"where": joined}, partial(enlist, visitors)),
        }

    def forbid(self, *, forbidden: bool = True) -> None:
        _switch(self.vendor.faults, f"salesforce_field_read_only:*:{self._kind}.Email", on=forbidden)

    def settle(self) -> None:
        self.vendor.clock.skip(600)  # the newest minute is left to the next pull


def _extended(selection: Selection, *, mobile: str, linkedin: str) -> Selection:
    extras = {Field.MOBILE: FieldMap(property=mobile), Field.LINKEDIN: FieldMap(property=linkedin)}
    return replace(selection, extras=extras)


def _filtered(
    name: str, operator: str, choose: Callable[[str, bool], None], **operands: Any
) -> tuple[Mapping[str, Any], Callable[[str, bool], None]]:
    return {"filters": [{"property": name, "operator": operator, **operands}]}, choose


def _switch(faults: Faults, spec: str, *, on: bool) -> None:
    if on:
        faults.add(spec)
    else:
        faults.clear()


@asynccontextmanager
async def fake(*, conditional: bool, history: bool = True) -> AsyncIterator[CrmWorld]:
    yield FakeWorld(conditional=conditional, history=history)


@asynccontextmanager
async def hubspot(api_version: Literal["v3", "2026-09"], **emulation: Any) -> AsyncIterator[HubSpotWorld]:
    clock = SandboxClock(speed=100)
    faults = Faults()
    vendor = HubSpot(World(1, 0, clock), clock, faults, random.Random(1), **emulation)
    with served(vendor.app) as url:
        options = HubSpotOptions.model_validate({"access_token": vendor.token, "api_version": api_version})
        crm = HubSpotConnector("hubspot-eu", options, url, bench(SandboxTime(clock)))
        try:
            yield HubSpotWorld(vendor, crm)
        finally:
            await crm.aclose()
            await vendor.aclose()


@asynccontextmanager
async def salesforce(name: str, **emulation: Any) -> AsyncIterator[SalesforceWorld]:
    clock = SandboxClock(speed=100)
    vendor = Salesforce(World(1, 0, clock), clock, Faults(), random.Random(1), **emulation)
    keys = vendor.keys
    given = {"domain": keys.domain, "client_id": keys.client_id, "client_secret": keys.client_secret, "page": 200}
    with served(vendor.app) as url:
        crm = SalesforceConnector("salesforce", SalesforceOptions.model_validate(given), url, bench(SandboxTime(clock)))
        try:
            yield SalesforceWorld(vendor, crm, name)
        finally:
            await crm.aclose()
            await vendor.aclose()


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An ASGI application on a loopback port of its own, in a thread; yields its address."""
    options: dict[str, Any] = {"log_level": "error", "lifespan": "off", "http": "httptools"}
    config = uvicorn.Config(app, host="127.0.0.1", port=0, date_header=False, **options)  # vendors have their own time
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # so that a call may come before the thread has begun
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


WORLDS: dict[str, Callable[[], AbstractAsyncContextManager[CrmWorld]]] = {
    "fake": partial(fake, conditional=False),
    "fake-conditional": partial(fake, conditional=True),
    "fake-without-history": partial(fake, conditional=True, history=False),
    "hubspot-v3": partial(hubspot, "v3"),
    "hubspot-2026-09": partial(hubspot, "2026-09"),
    "salesforce-contacts": partial(salesforce, "contacts", opt_outs=True),
    "salesforce-leads": partial(salesforce, "leads", opt_outs=True, individuals=True),
}
