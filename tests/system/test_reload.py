"""SIGHUP: the configuration is read again and applied as a whole, or refused with why; process and work stay."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Undisturbed
from .rig import Daemon, Vendors, answer, ask, assert_right


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Vendors]:
    with Vendors(tmp_path, contacts=12) as running:
        yield running


def hangup(daemon: Daemon, event: str) -> dict[str, Any]:
    """Reload, and wait for what became of it."""
    before = len(daemon.lines(event))
    daemon.process.send_signal(signal.SIGHUP)
    return daemon.wait_for(event, lambda: daemon.lines(event)[before:])[0]


def edit(vendors: Vendors, change: dict[str, Any]) -> None:
    """Change the first sync."""
    settings = yaml.safe_load(vendors.config.read_text("utf-8"))
    settings["syncs"][0].update(change)
    vendors.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


def bought_more_than(vendors: Vendors, calls: int) -> bool:
    return bool(ask(vendors.ledger, "SELECT count(*) FROM submission") > calls)


def obstacles(daemon: Daemon) -> dict[str, str]:
    """What `/readyz` names."""
    told = json.loads(daemon.api("/readyz", accept="application/json").text)["obstacles"]
    return {one["who"]: one["why"] for one in told}


def test_s4_a_changed_file_is_applied_by_the_same_process(vendors: Vendors) -> None:
    edit(vendors, {"paused": True})
    with Daemon(vendors) as daemon:
        before = daemon.said("started")["syncs"]
        edit(vendors, {"paused": False})
        hangup(daemon, "configuration_applied")
        daemon.said("started", syncs=before + 1)
        daemon.wait_for("a purchase", partial(bought_more_than, vendors, 0))
        assert daemon.terminate() == 0


@pytest.mark.timeout(180)
def test_s4_reloads_while_it_works_change_nothing_of_what_comes_out(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """A reload every moment: nothing is lost, nothing is bought twice, every credit is accounted for."""
    with Vendors(tmp_path) as vendors, Daemon(vendors) as daemon:
        daemon.said("started")
        for turn in range(6):
            edit(vendors, {"priority": 10 + turn})
            hangup(daemon, "configuration_applied")
            daemon.wait_for("work", partial(bought_more_than, vendors, 3 * turn))
        daemon.wait_for(
            "the end of all work",
            lambda: (
                ask(vendors.ledger, "SELECT count(*) FROM job WHERE state NOT IN ('done', 'review')") == 0
                and ask(vendors.ledger, "SELECT count(*) FROM job") > 0
            ),
        )
        assert len(daemon.lines("configuration_applied")) == 6
        assert daemon.lines("started")[0]["in_doubt"] == sum(line["in_doubt"] for line in daemon.lines("started")) == 0
        assert daemon.terminate() == 0
        assert_right(vendors)
        assert vendors.bill() == undisturbed(1)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a typo": ({"ledgr": {"path": "x"}}, "unknown key"),
    "another ledger": ({"ledger": {"path": "other.db"}}, "ledger.path"),
    "another port for callbacks": ({"callbacks": {"listen": "127.0.0.1:1"}}, "callbacks.listen"),
    "another port for pages": ({"admin": {"listen": "127.0.0.1:1"}}, "admin.listen"),
    "no rehearsal any more": ({"rehearsal": None}, "rehearsal"),
}


def test_s3_s4_what_can_not_be_applied_is_refused_with_why_and_all_goes_on(vendors: Vendors) -> None:
    right = vendors.config.read_text("utf-8")
    with Daemon(vendors) as daemon:
        daemon.said("started")
        for wrong, named in WRONG.values():
            vendors.config.write_text(right, "utf-8")
            vendors.configure(**wrong)
            assert named in hangup(daemon, "configuration_refused")["why"]
            assert named in obstacles(daemon)["changed configuration"]
        for content in ("a: [", "", "- 1"):
            vendors.config.write_text(content, "utf-8")
            hangup(daemon, "configuration_refused")
        vendors.config.unlink()
        assert "config.yaml" in hangup(daemon, "configuration_refused")["why"]
        vendors.config.write_text(right, "utf-8")
        told = answer("status", "-c", vendors.config)["connections"]["changed configuration"]
        assert "config.yaml" in told["message"]
        assert "reload" in told["cure"]
        hangup(daemon, "configuration_applied")
        assert "changed configuration" not in obstacles(daemon)
        assert daemon.terminate() == 0


def test_f47_a_provider_that_owes_answers_can_not_be_taken_away(vendors: Vendors) -> None:
    vendors.fault("zeliq_slow:*:36000")
    with Daemon(vendors) as daemon:
        open_calls = "SELECT count(*) FROM submission WHERE provider = 'zeliq' AND state = 'accepted'"
        daemon.wait_for("a call that waits", lambda: ask(vendors.ledger, open_calls) > 0)
        settings = yaml.safe_load(vendors.config.read_text("utf-8"))
        del settings["connections"]["zeliq"]
        for sync in settings["syncs"]:
            for field in sync["fields"].values():
                field["providers"] = [name for name in field["providers"] if name != "zeliq"]
        vendors.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        assert "connections.zeliq" in hangup(daemon, "configuration_refused")["why"]


def test_s4_a_start_forgets_what_an_earlier_process_has_refused(vendors: Vendors) -> None:
    right = vendors.config.read_text("utf-8")
    with Daemon(vendors) as daemon:
        daemon.said("started")
        vendors.configure(ledgr={})
        hangup(daemon, "configuration_refused")
        daemon.kill()
    vendors.config.write_text(right, "utf-8")
    with Daemon(vendors) as daemon:
        daemon.said("started")
        daemon.wait_for("a good word", lambda: "changed configuration" not in obstacles(daemon))


def test_sighup_ends_a_single_pass(vendors: Vendors) -> None:
    """`run --once` in a terminal that is closed: a clean end, as for SIGTERM."""
    with Daemon(vendors, ("--once",)) as daemon:
        daemon.said("started")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.said("stopped")
        daemon.wait()


def test_sighup_in_the_first_moments_is_a_reload_too(vendors: Vendors) -> None:
    with Daemon(vendors) as daemon:
        blocked = lambda: "SigBlk:\t0000000000000001" in Path(f"/proc/{daemon.process.pid}/status").read_text()  # noqa: E731
        daemon.wait_for("the command", blocked, every=0.001)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.said("configuration_applied")
        assert daemon.terminate() == 0
