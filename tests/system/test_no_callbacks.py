"""A host that nobody can call: what can be fetched is fetched, and nothing listens for callbacks."""

from __future__ import annotations

from pathlib import Path

import yaml

from .rig import Daemon, Vendors, ask, assert_right, syncd


def without_callbacks(vendors: Vendors) -> None:
    syncs = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
    for sync in syncs:
        for field in sync["fields"].values():
            field["providers"] = ["fullenrich"]
    vendors.configure(callbacks=None, connections={"zeliq": None}, syncs=syncs)


def test_n10_a_company_that_can_only_poll(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors:
        without_callbacks(vendors)
        checked = syncd("check", "-c", vendors.config)
        assert checked.returncode == 0, checked.stdout
        assert "callbacks: there are none: all answers are fetched" in checked.stdout
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.said("started")["callbacks_port"] == 0
            assert daemon.wait() == 0, daemon.tail()
        assert vendors.bill().keys() == {"fullenrich"}
        assert ask(vendors.ledger, "SELECT count(*) FROM job WHERE reason = 'written'") > 0
        assert ask(vendors.ledger, "SELECT count(*) FROM delivery WHERE source <> 'poll'") == 0


def test_n10_a_host_that_can_t_call_itself(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors:
        vendors.configure(callbacks={"self_check": False})
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)
