"""Looking again before buying, whose account it is, and what one selection lacks: what only one of the CRMs has."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from connectors.hubspot import membership
from connectors.salesforce import Options, soql
from connectors.salesforce.records import Catalogue, Lens, to18
from syncd.contract.errors import Halt, Retry, Trouble, Unusable
from syncd.contract.model import ContactRef, Field, FieldMap, Level, Selection
from syncd.contract.ports import Crm
from tests.connectors import hubspot_play as hub
from tests.connectors import salesforce_play as sf
from tests.connectors.scripted_crm import Reply, ScriptedCrm, contact, refusal
from tests.connectors.scripted_org import ORG, definition
from tests.contract import crm_worlds
from tests.contract.bench import bench

# --- HubSpot --------------------------------------------------------------------------------------


def matching(**match: Any) -> Selection:
    return Selection(object="contacts", fields=hub.SELECTION.fields, match=match)


def term(name: str, operator: str, **operands: Any) -> dict[str, Any]:
    return {"property": name, "operator": operator, **operands}


def looked(crm: ScriptedCrm, selection: Selection, *ids: object) -> set[str]:
    found = hub.using(crm, lambda c: c.look([hub.ref(one) for one in ids], selection))
    return {one.ref.id for one in found}


def test_one_read_tells_who_matches_where_the_properties_can_tell() -> None:
    people = (contact("1", country="France"), contact("2", country="Spain"), contact("3"))
    with ScriptedCrm(*people) as crm:
        match = matching(filters=[term("country", "IN", values=["FRANCE", "Italy"])], owner=["7"])
        crm.properties["hubspot_owner_id"] = ("enumeration", False)
        crm.records["1"]["properties"]["hubspot_owner_id"] = "7"
        assert looked(crm, match, 1, 2, 3) == {"1"}
        assert crm.asked("search") == []
        (read,) = crm.asked("contacts/batch/read")
        assert {"country", "hubspot_owner_id", "email"} <= set(read.body["properties"])


def test_what_only_the_search_can_tell_is_asked_of_those_that_are_left() -> None:
    people = [contact(str(n), country="France" if n < 3 else "Spain", company="Acme Ltd") for n in (1, 2, 3)]
    with ScriptedCrm(*people) as crm:
        crm.on("search", Reply(body={"total": 1, "results": [{"id": "2", "properties": {}}]}))
        filters = [term("country", "EQ", value="France"), term("company", "CONTAINS_TOKEN", value="acme")]
        assert looked(crm, matching(filters=filters), 1, 2, 3) == {"2"}
        (search,) = crm.asked("search")
        assert hub.filters(search) == [
            {"propertyName": "company", "operator": "CONTAINS_TOKEN", "value": "acme"},
            {"propertyName": "hs_object_id", "operator": "IN", "values": ["1", "2"]},
        ]


def test_a_search_for_many_stays_within_hubspots_characters() -> None:
    people = [contact(str(10**17 + n), company="Acme") for n in range(50)]
    words = " ".join(f"word{n}" for n in range(280))
    with ScriptedCrm(*people) as crm:
        every = Reply(body={"total": 50, "results": [{"id": one["id"], "properties": {}} for one in people]})
        crm.on("search", *[every] * 8)
        filters = [term("company", "CONTAINS_TOKEN", value=words)]
        match = Selection(object="contacts", fields=hub.EMAIL_ONLY.fields, match={"filters": filters})
        assert len(looked(crm, match, *(one["id"] for one in people))) == 50
        searches = crm.asked("search")
        assert 1 < len(searches) <= 4
        assert all(len(json.dumps(one.body)) <= 3_000 for one in searches)


@pytest.mark.parametrize(
    ("kind", "form", "condition", "inside", "outside"),
    [
        ("string", "text", term("x", "EQ", value="Lyon"), ["lyon", "LYON"], ["", "Lyon 2"]),
        ("string", "text", term("x", "NEQ", value="Lyon"), ["", "Paris"], ["lyon"]),
        ("bool", "booleancheckbox", term("x", "EQ", value="true"), ["true"], ["", "false"]),
        ("bool", "booleancheckbox", term("x", "NEQ", value="true"), ["", "false"], ["true"]),
        ("enumeration", "select", term("x", "NOT_IN", values=["a", "b"]), ["", "A", "c"], ["a", "b"]),
        ("number", "number", term("x", "GTE", value="10"), ["10", "10.0", "1e3"], ["", "9.9", "x"]),
        ("number", "number", term("x", "BETWEEN", value="5", highValue="7"), ["5", "7"], ["4", "8", ""]),
        ("number", "number", term("x", "NEQ", value="5"), ["", "6"], ["5", "5.0"]),
        (
            "datetime",
            "date",
            term("x", "GTE", value="1767225600000"),
            ["2026-01-01T00:00:00.000Z"],
            ["2025-12-31T23:59:59Z", ""],
        ),
        ("date", "date", term("x", "LT", value="1767225600000"), ["2025-12-31", "1767225599999"], ["2026-01-01", ""]),
        ("string", "text", term("x", "HAS_PROPERTY"), ["a"], [""]),
        ("string", "textarea", term("x", "NOT_HAS_PROPERTY"), [""], ["a"]),
    ],
)
def test_what_a_propertys_text_tells(
    kind: str, form: str, condition: dict[str, Any], inside: list[str], outside: list[str]
) -> None:
    one = {**condition, "propertyName": condition["property"]}
    found = membership.conditions([one], {"x": {"type": kind, "fieldType": form}})
    assert found.searched == ()
    assert [value for value in (*inside, *outside) if found.hold({"properties": {"x": value}})] == inside


@pytest.mark.parametrize(
    ("kind", "form", "condition"),
    [
        ("enumeration", "checkbox", term("x", "EQ", value="a")),  # several options: "a;b"
        ("enumeration", "checkbox", term("x", "NOT_IN", values=["a"])),
        ("string", "phonenumber", term("x", "EQ", value="+33")),  # HubSpot compares another form of it
        ("string", "text", term("x", "GT", value="m")),
        ("string", "text", term("x", "CONTAINS_TOKEN", value="m")),
        ("string", "text", term("x", "NOT_CONTAINS_TOKEN", value="m")),
        ("number", "number", term("x", "EQ", value="many")),
        ("datetime", "date", term("x", "GTE", value="yesterday")),
        ("object_coordinates", "text", term("x", "EQ", value="1")),
        (None, None, term("x", "EQ", value="1")),
    ],
)
def test_what_only_hubspot_can_tell(kind: str | None, form: str | None, condition: dict[str, Any]) -> None:
    one = {**condition, "propertyName": condition["property"]}
    found = membership.conditions([one], {"x": {"type": kind, "fieldType": form}} if kind else {})
    assert (found.judged, found.searched) == ((), (one,))


def test_a_property_that_was_deleted_since_we_looked_is_left_out_of_the_search() -> None:
    with ScriptedCrm(contact("1")) as crm:

        async def act(connector: Crm) -> None:
            assert [one async for one in connector.pull(hub.SELECTION, None)]
            crm.properties.pop("mobilephone")
            crm.on("search", Reply(400, refusal("There was a problem with the request.")))
            (page,) = [one async for one in connector.pull(hub.SELECTION, None)]
            assert [one.ref.id for one in page.contacts] == ["1"]

        hub.using(crm, act)
        assert "mobilephone" in str(crm.asked("search")[-2].body)
        assert "mobilephone" not in str(crm.asked("search")[-1].body)


def test_a_search_that_is_refused_for_its_filters_stops_its_own_selection_only() -> None:
    with ScriptedCrm(contact("1")) as crm:
        crm.on("search", Reply(400, refusal("There was a problem with the request.")))
        with pytest.raises(Unusable) as caught:
            hub.using(crm, lambda c: hub.pages(c, None, matching(owner="x")))
        assert "match" in caught.value.cure
        crm.on("search", Reply(401, refusal("no", "INVALID_AUTHENTICATION")))
        with pytest.raises(Halt) as halted:
            hub.using(crm, hub.pages)
        assert halted.value.trouble is Trouble.CREDENTIALS


def test_l23_a_portals_id_is_its_account() -> None:
    with ScriptedCrm() as crm:
        assert hub.using(crm, lambda c: c.account()) == "44956899"
        crm.on("details", Reply(body={"timeZone": "Europe/Paris"}))
        with pytest.raises(Retry):
            hub.using(crm, lambda c: c.account())
        crm.on("details", Reply(401, refusal("no", "INVALID_AUTHENTICATION")))
        with pytest.raises(Halt):
            hub.using(crm, lambda c: c.account())


# --- Salesforce -----------------------------------------------------------------------------------


def test_an_id_in_its_short_form_comes_back_as_it_was_asked_for() -> None:
    async def act() -> None:
        async with crm_worlds.salesforce("contacts") as world:
            record = world.add("Ada")
            short = ContactRef(connection="salesforce", object="contacts", id=record[:15])
            odd = ContactRef(connection="salesforce", object="contacts", id="no-id")
            (found,) = await world.crm.look([short, odd], world.selection)
            assert found.ref == short

    asyncio.run(act())


@pytest.mark.parametrize("hidden", ["Contact.Title", "Contact"])
def test_l27_what_match_names_and_is_hidden_stops_its_own_selection_only(hidden: str) -> None:
    async def act() -> None:
        async with crm_worlds.salesforce("contacts") as world:
            record = world.add("Ada")
            world.settle()
            narrow = Selection(object="contacts", fields=world.selection.fields, match={"where": "Title = null"})
            assert await sf.pulled(world.crm, selection=narrow)
            world.vendor.faults.add(f"salesforce_field_hidden:*:{hidden}")
            ref = ContactRef(connection="salesforce", object="contacts", id=record)
            with pytest.raises(Unusable) as caught:
                await sf.pulled(world.crm, selection=narrow)
            assert caught.value.cure
            with pytest.raises(Unusable):
                await world.crm.look([ref], narrow)
            leads = Selection(object="leads", fields=world.selection.fields)
            assert await sf.pulled(world.crm, selection=leads) == {}
            found = await world.crm.check([narrow, leads])
            assert [one.trouble for one in found if one.level is Level.ERROR] == [None]

    asyncio.run(act())


def test_a_condition_that_salesforce_can_not_read_stops_its_own_selection_only() -> None:
    async def act() -> None:
        async with crm_worlds.salesforce("contacts") as world:
            world.add("Ada")
            world.settle()
            broken = Selection(object="contacts", fields=world.selection.fields, match={"where": "Title ="})
            with pytest.raises(Unusable, match="MALFORMED_QUERY"):
                await sf.pulled(world.crm, selection=broken)
            assert len(await sf.pulled(world.crm)) == 1

    asyncio.run(act())


def test_looks_stay_within_an_address() -> None:
    fields = {name: definition(name) for name in ("Email", "Phone", "MobilePhone", "Title", "SystemModstamp")}
    where = " OR ".join(f"Title = 'Person {n}'" for n in range(200))
    selection = Selection(object="contacts", fields=sf.CONTACTS.fields, match={"where": where})
    lens = Lens("sf", selection, Options.model_validate(sf.APP), Catalogue(fields))
    ids = [f"003{n:012d}AAA" for n in range(700)]
    queries = soql.looks(lens, ids)
    assert all(len(quote(one)) <= soql.URI_LIMIT - soql.ROOM and f"({where})" in one for one in queries)
    assert sum(one.count("'003") for one in queries) == 700
    assert soql.looks(lens, []) == []


def test_l27_a_field_of_also_in_another_case_is_an_error_and_a_hidden_one_a_warning() -> None:
    with sf.org() as crm:
        crm.add(1)

        def findings(also: str) -> dict[Level, list[str]]:
            fields = {Field.PHONE: FieldMap(property="Phone", also=(also,))}
            found = sf.using(crm, lambda c: c.check([Selection(object="contacts", fields=fields)]))
            return {level: [one.what for one in found if one.level is level and also in one.what] for level in Level}

        assert len(findings("mobilephone")[Level.ERROR]) == 1
        hidden = findings("Other__c")
        assert (len(hidden[Level.ERROR]), len(hidden[Level.WARNING])) == (0, 1)


def test_l23_an_orgs_id_is_its_account_whoever_tells_it() -> None:
    with sf.org() as crm:
        whole = to18(ORG)
        assert sf.using(crm, lambda c: c.account()) == whole
        crm.on(
            "/oauth2/token",
            Reply(body={"access_token": "opaque", "instance_url": crm.url, "token_type": "Bearer"}),
        )
        crm.on("/query", Reply(body={"totalSize": 1, "done": True, "records": [{"Id": ORG[:15]}]}))
        assert sf.using(crm, lambda c: c.account()) == whole


def test_l23_another_org_behind_the_same_connection_is_another_account() -> None:
    with sf.org() as crm:
        tools = bench(crm.clock)
        asyncio.run(_keep(tools.memory, "org", "00D000000000001"))
        with pytest.raises(Halt) as caught:
            sf.using(crm, lambda c: c.account(), tools)
        assert caught.value.trouble is Trouble.ACCOUNT


async def _keep(memory: Any, key: str, value: str) -> None:
    await memory.keep(key, value)
