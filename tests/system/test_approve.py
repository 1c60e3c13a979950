"""Nothing is written before a person has seen it; what is, says where it is from, and an undo leaves no trace of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from .rig import Vendors, answer, ask, run_once, syncd
from .test_undo import BOTH, records

PROVENANCE = {"source": "syncd_source", "at": "syncd_at", "status": "syncd_status", "run": "syncd_run"}
OURS = "SELECT count(*) FROM write WHERE state = 'written'"


def change_syncs(vendors: Vendors, **changes: Any) -> None:
    """The same in every sync of the configuration."""
    settings = yaml.safe_load(vendors.config.read_text("utf-8"))
    for sync in settings["syncs"]:
        sync.update(copy.deepcopy(changes))
    vendors.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


def test_a_run_is_approved_told_of_and_undone(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, options=BOTH) as vendors:
        change_syncs(vendors, approve=True, provenance=PROVENANCE, on_doubt="next")
        before = records(vendors)
        shown = answer("setup", "hubspot", "-c", vendors.config)
        assert (shown["ok"], shown["done"]) == (True, False)
        made = answer("setup", "hubspot", "--yes", "-c", vendors.config)
        assert [one["what"] for one in made["findings"]] == [f"property {n!r} was made" for n in PROVENANCE.values()]
        told = answer("setup", "salesforce", "-c", vendors.config, status=1)
        assert all("Fields & Relationships" in one["cure"] for one in told["findings"])
        run_once(vendors)
        assert records(vendors) == before, "nothing is written before it was approved"
        waiting = answer("review", "list", "--why", "approval", "--unmasked", "-c", vendors.config)
        assert {one["grade"] for one in waiting} == {"valid"}
        marked = answer("review", "accept", "--why", "approval", "-c", vendors.config)
        done = answer("review", "accept", "--why", "approval", "--yes", "--set", marked["set"], "-c", vendors.config)
        assert done["decided"] == len(waiting) > 20
        bill = vendors.bill()
        run_once(vendors)
        written = ask(vendors.ledger, OURS)
        assert len(waiting) >= written > 20
        assert vendors.bill() == bill, "what waited is not bought again"
        told_of = [held for ref, held in records(vendors).items() if held.get("syncd_source")]
        assert {held["syncd_status"] for held in told_of} <= {
            "email: valid",
            "phone: valid",
            "email: valid, phone: valid",
        }
        assert all(held["syncd_at"] and held["syncd_run"] for held in told_of)
        assert answer("undo", "--since", "400d", "--yes", "-c", vendors.config)["put_back"] == written
        run_once(vendors)
        assert records(vendors) == before
        verified = syncd("verify", "-c", vendors.config)
        assert verified.returncode == 0, verified.stdout + verified.stderr
