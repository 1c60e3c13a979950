"""Whom a sync looks after, end to end: who is in a HubSpot list, and somebody who is wanted at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from .rig import Daemon, Vendors, answer, ask, run_once


def lacking(vendors: Vendors, count: int) -> list[str]:
    """Some contacts of HubSpot that hold neither e-mail nor phone."""
    held = vendors.get("records", crm="hubspot")
    return [id_ for id_, one in held.items() if not any(map(one.get, ("email", "phone", "mobilephone")))][:count]


def sync(vendors: Vendors, **changes: Any) -> dict[str, Any]:
    policies = {"email": {"providers": ["zeliq", "fullenrich"]}, "phone": {"providers": ["fullenrich", "zeliq"]}}
    return {
        "name": "hubspot-contacts",
        "crm": "hubspot",
        "object": "contacts",
        "every": "5m",
        "fields": policies,
        **changes,
    }


DONE = "SELECT count(*) FROM job JOIN contact ON contact.id = contact_id WHERE ext_id = ? AND state = 'done'"


def test_a_list_is_looked_after_and_who_comes_into_it_can_be_wanted_at_once(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=3) as vendors:
        *members, late = lacking(vendors, 4)
        made = vendors.post("lists", name="Fair", members=members)
        vendors.configure(syncs=[sync(vendors, every="30d", match={"list": made["id"]})])
        told = [line["what"] for line in answer("check", "-c", vendors.config)["findings"]]
        assert "list 1 (Fair, manual) holds 3 contacts" in told
        before = vendors.get("records", crm="hubspot")
        run_once(vendors)
        after = vendors.get("records", crm="hubspot")
        assert {id_ for id_ in after if after[id_].get("email") != before[id_].get("email")} <= {*members}
        assert ask(vendors.ledger, "SELECT count(DISTINCT contact_id) FROM job") == 3
        with Daemon(vendors) as daemon:
            daemon.said("started")
            assert enrich(vendors, late)["why_not"] == "it is not there, or not in the sync's selection"
            vendors.post("lists", id=made["id"], members=[*members, late])
            wish = enrich(vendors, late)
            assert {one["field"] for one in wish["fields"]} == {"email", "phone"}
            assert wish["worst_case_credits"] > 0
            daemon.wait_for("an end", lambda: ask(vendors.ledger, DONE, late) == 2)
            assert daemon.terminate() == 0


def enrich(vendors: Vendors, contact: str) -> dict[str, Any]:
    """This one now; what was decided."""
    url, body = f"http://127.0.0.1:{vendors.admin}/api/enrich", {"contacts": [f"hubspot/contacts/{contact}"]}
    found = httpx.post(url, json=body, timeout=30, trust_env=False)
    assert found.status_code == 200, found.text
    [told] = found.json()["contacts"]
    assert isinstance(told, dict)
    return told
