"""Campaigns and semi-joins in a selection of Salesforce: what is taken, what is refused and why, on the sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.salesforce import semijoins
from syncd.contract.errors import Unusable
from syncd.contract.model import Level, Selection

from . import test_salesforce_sandbox as salesforce
from .test_salesforce_sandbox import Stage, play

FAIR = "Id IN (SELECT ContactId FROM CampaignMember WHERE Status = 'Sent')"
OF_ACCOUNT = "AccountId IN (SELECT Id FROM Account WHERE Industry = 'Energy')"


def selection(**match: Any) -> Selection:
    return replace(salesforce.CONTACTS, match=match)


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        (FAIR, ""),
        (f"{FAIR} AND LastName != 'a) OR (SELECT'", ""),
        (f"{FAIR} AND {OF_ACCOUNT}", ""),
        (f"LastName != null AND {FAIR.replace('IN (SEL', 'NOT IN (SEL')}", ""),
        ("(LastName = 'A' OR LastName = 'B') AND " + FAIR, ""),
        (f"({FAIR})", "in brackets"),
        (f"{FAIR} OR LastName = 'A'", "with OR"),
        (f"(LastName = 'A' OR {FAIR})", "in brackets"),
        (f"NOT {FAIR}", "NOT beside a semi-join"),
        (f"{FAIR} AND {OF_ACCOUNT} AND {FAIR}", "too many semi-joins"),
        ("Id IN (SELECT ContactId FROM CampaignMember WHERE Id IN (SELECT Id FROM Campaign))", "within a semi-join"),
        ("Id IN (SELECT ContactId FROM CampaignMember LIMIT 5)", "LIMIT in a semi-join"),
        ("Id IN (SELECT Id FROM contact WHERE Email = null)", "asks about Contact itself"),
        ("(SELECT Id FROM Account) = Id", "no IN stands before"),
    ],
)
def test_what_salesforce_would_refuse_is_told_before(where: str, wrong: str) -> None:
    """The org refuses as Salesforce does: what we take, it takes; what it refuses, we have refused with a reason."""

    async def act(stage: Stage) -> None:
        found = [one for one in await stage.crm.check([selection(where=where)]) if one.level is Level.ERROR]
        assert [one.at for one in found] == (["match"] if wrong else [])
        assert all(wrong in one.what for one in found)
        if wrong:
            with pytest.raises(Unusable, match=r"match\.where"):
                await stage.pulled(selection(where=where))
        else:
            await stage.pulled(selection(where=where))

    play(act, contacts=4)


def test_a_campaign_beside_two_semi_joins_is_one_too_many() -> None:
    [told] = semijoins.problems({"campaign": "701000000000001AAA", "where": f"{FAIR} AND {OF_ACCOUNT}"}, "Contact")
    assert "with that of `campaign`" in told


def test_members_of_a_campaign_are_pulled_and_whoever_comes_into_it_later() -> None:
    async def act(stage: Stage) -> None:
        org = stage.vendor.org
        fair = org.campaign("Fair")
        first, second, other = (org.add("Contact", {"LastName": name}) for name in ("First", "Second", "Other"))
        org.enlist(fair, first)
        stage.vendor.clock.skip(3_600)
        chosen = selection(campaign=[fair])
        pages = [page async for page in stage.crm.pull(chosen, None)]
        assert {c.ref.id for page in pages for c in page.contacts} == {first}
        org.enlist(fair, second)
        stage.vendor.clock.skip(3_600)
        later = [page async for page in stage.crm.pull(chosen, pages[-1].cursor)]
        assert {c.ref.id for page in later for c in page.contacts} == {first, second}
        org.enlist(fair, first, member=False)
        refs = [salesforce.ref(one, chosen) for one in (first, second, other)]
        assert [one.ref.id for one in await stage.crm.look(refs, chosen)] == [second]

    play(act)


def test_check_says_what_campaigns_hold_and_which_are_not_there() -> None:
    async def act(stage: Stage) -> None:
        org = stage.vendor.org
        fair = org.campaign("Fair")
        org.enlist(fair, org.add("Contact", {"LastName": "Test"}))
        told = [one.what for one in await stage.crm.check([selection(campaign=fair)])]
        assert f"campaign {fair} (Fair) has 1 contacts" in told
        [gone] = [
            one for one in await stage.crm.check([selection(campaign="701000000000001AAA")]) if one.level is Level.ERROR
        ]
        assert (gone.what, gone.at) == ("the org shows us no campaign 701000000000001AAA", "match")
        [odd] = [one for one in await stage.crm.check([selection(campaign="fair")]) if one.level is Level.ERROR]
        assert odd.what == "match.campaign: 'fair' is no id of a campaign (701…)"

    play(act)
