"""HubSpot's lists as a selection: static ones and segments, by few calls, in both families of paths, on the sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.contract.errors import Retry, Unusable
from syncd.contract.model import Contact, Level, Selection
from syncd.sandbox.hubspot import ALL_SCOPES, Token
from syncd.sandbox.hubspot.access import LISTS

from . import test_hubspot_sandbox as hubspot
from .test_hubspot_sandbox import FAMILIES, Stage, play


def of_list(number: object, **more: Any) -> Selection:
    return replace(hubspot.SELECTION, match={"list": number, **more})


async def pulled(stage: Stage, selection: Selection, cursor: Any = None) -> tuple[dict[str, Contact], Any]:
    found: dict[str, Contact] = {}
    async for page in stage.crm.pull(selection, cursor):
        found |= {contact.ref.id: contact for contact in page.contacts}
        cursor = page.cursor
    return found, cursor


def people(stage: Stage, count: int, **values: str) -> list[str]:
    made = [stage.vendor.portal.add({"firstname": f"Person {n}", **values}) for n in range(count)]
    stage.vendor.clock.skip(60)  # searches know of them
    return [str(one) for one in made]


@pytest.mark.parametrize("family", FAMILIES)
def test_who_is_in_a_list_and_lacks_something_is_pulled_by_few_calls(family: str) -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        records = people(stage, 300)
        both = [{"email": f"p{n}@example.com", "phone": "+442079460123"} for n in range(300)]
        filled = [str(stage.vendor.portal.add(values)) for values in both]
        for one in (*records, *filled):
            fair.add(one, stage.vendor.portal.now_ms())
        people(stage, 5)
        found, _ = await pulled(stage, of_list(fair.id))
        assert set(found) == set(records)
        calls = stage.vendor.calls
        assert (calls["lists/get"], calls["lists/memberships"], calls["search"]) == (1, 3, 0)
        assert calls["batch/read"] <= 3 + 4 + 8, "a hundred a call to see who lacks something, fifty with history"

    play(act, options={"api_version": family})


@pytest.mark.parametrize("family", FAMILIES)
def test_who_comes_into_a_list_is_noticed_although_the_contact_did_not_change(family: str) -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        first, second, changed, other = people(stage, 4)
        for one in (first, changed):
            fair.add(one, stage.vendor.portal.now_ms())
        found, cursor = await pulled(stage, of_list(fair.id))
        assert set(found) == {first, changed}
        stage.vendor.clock.skip(3 * 3600)
        fair.add(second, stage.vendor.portal.now_ms())
        found, cursor = await pulled(stage, of_list(fair.id), cursor)
        assert second in found
        stage.vendor.clock.skip(3 * 3600)
        for one in (changed, other):
            stage.vendor.human_edit(one, "lastname", "Test")
        stage.vendor.clock.skip(60)
        walks = stage.vendor.calls["lists/memberships"]
        found, _ = await pulled(stage, of_list(fair.id), cursor)
        assert set(found) == {changed}, "who changed and is not in the list is left alone"
        assert stage.vendor.calls["lists/memberships"] == walks, "nobody came into it: only changes are searched for"

    play(act, options={"api_version": family})


def test_a_segment_is_whoever_meets_its_rule() -> None:
    async def act(stage: Stage) -> None:
        segment = stage.vendor.lists.make("In Lyon", lambda item: item.values.get("city") == "Lyon")
        [inside, outside] = [*people(stage, 1, city="Lyon"), *people(stage, 1, city="Paris")]
        found, _ = await pulled(stage, of_list(segment.id))
        assert set(found) == {inside}
        stage.vendor.human_edit(inside, "city", "Paris")
        selection = of_list(segment.id)
        refs = [replace(found[inside].ref, id=one) for one in (inside, outside)]
        assert await stage.crm.look(refs, selection) == []

    play(act)


def test_filters_hold_beside_a_list() -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        [inside, outside] = [*people(stage, 1, city="Lyon"), *people(stage, 1, city="Paris")]
        for one in (inside, outside):
            fair.add(one, stage.vendor.portal.now_ms())
        filters = [{"property": "city", "operator": "EQ", "value": "Lyon"}]
        found, _ = await pulled(stage, of_list(fair.id, filters=filters))
        assert set(found) == {inside}

    play(act)


def test_a_pull_goes_on_in_the_middle_of_a_list() -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        records = people(stage, 260)
        for one in records:
            fair.add(one, stage.vendor.portal.now_ms())
        page = await anext(stage.crm.pull(of_list(fair.id), None))
        found, _ = await pulled(stage, of_list(fair.id), page.cursor)
        assert (len(page.contacts), len(found)) == (250, 10)

    play(act)


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (99, "the portal has no list 99"),
        (1, "list 1 holds no contacts (its object type is 0-2)"),
        ("fair", "match.list must be a list's number"),
        (True, "match.list must be a list's number"),
    ],
)
def test_what_is_no_list_of_contacts_is_told(number: object, what: str) -> None:
    async def act(stage: Stage) -> None:
        stage.vendor.lists.make("Companies", object_type="0-2")
        told = [one for one in await stage.crm.check([of_list(number)]) if one.level is Level.ERROR]
        assert [(one.what[: len(what)], one.at, one.selection) for one in told] == [(what, "match", 0)]
        with pytest.raises(Unusable):
            await pulled(stage, of_list(number))

    play(act)


def test_without_the_right_to_read_lists_only_that_sync_stops() -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        findings = await stage.crm.check([of_list(fair.id), hubspot.SELECTION])
        [told] = [one for one in findings if one.level is Level.ERROR]
        assert (told.selection, told.trouble) == (0, None)
        assert "crm.lists.read" in told.what
        with pytest.raises(Unusable, match=r"crm\.lists\.read"):
            await pulled(stage, of_list(fair.id))

    play(act, tokens=[Token(scopes=ALL_SCOPES - {LISTS})])


def test_check_says_what_a_list_holds() -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair")
        for one in people(stage, 3):
            fair.add(one, stage.vendor.portal.now_ms())
        told = [one.what for one in await stage.crm.check([of_list(fair.id)])]
        assert "list 1 (Fair, manual) holds 3 contacts" in told

    play(act)


def test_while_hubspot_works_out_a_segment_nobody_is_missed() -> None:
    async def act(stage: Stage) -> None:
        fair = stage.vendor.lists.make("Fair", lambda _: True)
        fair.status = "PROCESSING"
        with pytest.raises(Retry, match="is working out who is in list 1"):
            await pulled(stage, of_list(fair.id))

    play(act)
