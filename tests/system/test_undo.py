"""A whole run is undone: both CRMs are as they were before it, property by property, colleagues' later edits apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .rig import Daemon, Vendors, answer, ask, run_once, syncd

BOTH = ("--salesforce=12", "--leads=8")
STAMPS = {"lastmodifieddate", "hs_lastmodifieddate", "SystemModstamp", "LastModifiedDate", "LastModifiedById"}
CALCULATED = {"hs_searchable_calculated_phone_number", "hs_email_domain"}  # by HubSpot, from the others
THEIRS = {"email": "theirs@home.example.com", "phone": "+442079460997"}
OURS = "SELECT count(*) FROM write WHERE state = 'written'"

Records = dict[str, dict[str, Any]]


def records(vendors: Vendors) -> Records:
    """Every property of every record of both CRMs, but for stamps of its last change, and what follows from others."""
    found = {f"{crm}/{id_}": held for crm in ("hubspot", "salesforce") for id_, held in _of(vendors, crm).items()}
    return {
        ref: {name: value for name, value in held.items() if name not in STAMPS | CALCULATED and value}
        for ref, held in found.items()
    }


def _of(vendors: Vendors, crm: str) -> Records:
    found: Records = vendors.get("records", crm=crm)
    return found


def edit(vendors: Vendors, value: dict[str, Any], text: str) -> None:
    """A colleague sets the property in which a value of ours stands."""
    crm, _, contact = value["contact"].split("/")
    vendors.post("edit", crm=crm, id=contact, property=value["property"], value=text)


def edited(vendors: Vendors, values: list[dict[str, Any]]) -> Records:
    """Of each CRM, colleagues change one value of ours, and clear one."""
    theirs: Records = {}
    for crm in ("hubspot", "salesforce"):
        of_one = [one for one in values if one["contact"].startswith(crm)]
        for one, text in zip(of_one, (THEIRS[of_one[0]["field"]], ""), strict=False):
            edit(vendors, one, text)
            ref = f"{crm}/{one['contact'].rpartition('/')[2]}"
            theirs.setdefault(ref, {})[one["property"]] = text
    return theirs


def test_a_whole_run_is_undone_while_the_daemon_runs(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, options=BOTH) as vendors:
        before = records(vendors)
        run_once(vendors)
        written, bill = ask(vendors.ledger, OURS), vendors.bill()
        shown = answer("undo", "--since", "400d", "--unmasked", "-c", vendors.config)
        assert (shown["put_back"], shown["left"], shown["done"]) == (written, 0, False)
        assert {one["back"] for one in shown["values"]} == {""}
        theirs = edited(vendors, shown["values"])
        again = answer("undo", "--since", "400d", "-c", vendors.config)
        assert (again["put_back"], again["left"]) == (written - 4, 4)
        with Daemon(vendors) as daemon:
            daemon.said("started")
            done = answer("undo", "--since", "400d", "--yes", "--wait", "-c", vendors.config)
            assert done["became"] == {"undone": written - 4, "kept": 4}
            assert daemon.terminate() == 0
        assert differences(before, records(vendors), theirs) == []
        after = records(vendors)
        run_once(vendors)
        assert records(vendors) == after, "what was put back is not written again"
        assert vendors.bill() == bill, "and nothing is bought for it"
        [undo] = [one for one in answer("runs", "-c", vendors.config) if one["kind"] == "undo"]
        assert (undo["undone"], undo["open"]) == (written - 4, 0)
        verified = syncd("verify", "-c", vendors.config)
        assert verified.returncode == 0, verified.stdout + verified.stderr


def differences(before: Records, now: Records, theirs: Records) -> list[str]:
    """What is not as it was, but for what colleagues have set since."""
    expected = {ref: {**held, **theirs.get(ref, {})} for ref, held in before.items()}
    wanted = {ref: {name: value for name, value in held.items() if value} for ref, held in expected.items()}
    return [f"{ref}: {wanted[ref]} became {now.get(ref)}" for ref in wanted if wanted[ref] != now.get(ref)]


def test_killed_in_the_middle_it_goes_on_at_the_next_start(tmp_path: Path) -> None:
    """Killed once both CRMs have carried out what nobody was told of; a run without a daemon then ends it."""
    faults = "hubspot_update_silent_after", "salesforce_update_silent_after"
    with Vendors(tmp_path, seed=2, options=BOTH) as vendors:
        before = records(vendors)
        run_once(vendors)
        written = ask(vendors.ledger, OURS)
        vendors.fault(*faults)
        assert answer("undo", "--since", "400d", "--yes", "-c", vendors.config)["put_back"] == written
        with Daemon(vendors) as daemon:
            daemon.wait_for("all to strike", lambda: vendors.get("faults")["struck"].keys() >= set(faults))
            assert ask(vendors.ledger, "SELECT count(*) FROM undo WHERE state = 'intent'") > 0
        vendors.fault(clear=True)
        run_once(vendors)
        assert records(vendors) == before
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'undone'") == written
        assert answer("undo", "--since", "400d", "--offline", "-c", vendors.config)["put_back"] == 0
