"""A right that lacks: nothing is bought for that sync, everybody says why; it goes on once the right is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .rig import Daemon, Vendors, answer, ask, assert_right, syncd, until

BOUGHT = "SELECT count(*) FROM submission WHERE sync = ?"
SYNCS = "SELECT coalesce(group_concat(DISTINCT sync), '') FROM submission"


@dataclass(frozen=True)
class Lacking:
    """A right that an administrator took away: the syncs that it stops, and what is said of it."""

    fault: str
    stopped: Sequence[str]
    why: str
    cure: str
    options: Sequence[str] = ("--salesforce=16", "--leads=16")


SCOPE = Lacking(
    "hubspot_scope_gone:*:crm.objects.contacts.write",
    ["hubspot-contacts"],
    "hubspot would not take what is bought: the access token lacks a scope: crm.objects.contacts.write",
    "grant one of these scopes",
)
EDIT = Lacking(
    "salesforce_object_read_only:*:Contact",
    ["salesforce-contacts"],
    "salesforce would not take what is bought: our user may not edit Contact records",
    "permission set edit access",
)
FIELD = Lacking(
    "salesforce_field_read_only:*:Lead.Phone",
    ["salesforce-leads"],
    "salesforce would not take what is bought: our user may not write Lead.Phone",
    "permission set edit access",
)
ALL = {"hubspot-contacts", "salesforce-contacts", "salesforce-leads"}
lacking = pytest.mark.parametrize("right", [SCOPE, EDIT, FIELD], ids=["scope", "object", "field"])


@lacking
def test_nothing_is_bought_for_whom_it_lacks_until_it_is_there(tmp_path: Path, right: Lacking) -> None:
    with Vendors(tmp_path, seed=2, faults=[right.fault], options=right.options) as vendors:
        with Daemon(vendors) as daemon:
            told = daemon.said("gate_shut", watch="write_right", sync=right.stopped[0])
            assert (right.why in told["why"], right.cure in told["cure"]) == (True, True)
            others = ALL - set(right.stopped)
            daemon.wait_for("the others to be bought for", lambda: _bought_for(vendors) == others)
            _assert_told(vendors, daemon, right)
            assert ask(vendors.ledger, BOUGHT, right.stopped[0]) == 0
            assert not daemon.lines("halted"), "reading goes on"
            vendors.fault(clear=True)
            daemon.said("gate_open", watch="write_right", sync=right.stopped[0])
            daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
            daemon.wait_for("it to be ready", lambda: daemon.api("/readyz").status_code == 200)
            assert daemon.terminate() == 0
        assert "buys nothing" not in syncd("status", "-c", vendors.config).stdout
        assert_right(vendors)


def test_run_once_says_what_kept_it_from_buying(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, faults=[SCOPE.fault]) as vendors:
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 1
        assert f"error: {SCOPE.stopped[0]} buys nothing: {SCOPE.why}" in daemon.tail()
        assert ask(vendors.ledger, "SELECT count(*) FROM submission") == 0
        vendors.fault(clear=True)
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)


def test_what_was_bought_is_written_once_the_right_is_back(tmp_path: Path) -> None:
    """Taken away in the middle: what is under way comes in and waits, and is not given up."""
    with Vendors(tmp_path, seed=2, options=EDIT.options) as vendors, Daemon(vendors) as daemon:
        daemon.wait_for("something bought", lambda: ask(vendors.ledger, BOUGHT, EDIT.stopped[0]) > 0)
        vendors.fault(EDIT.fault)
        daemon.said("gate_shut", watch="write_right", sync=EDIT.stopped[0])
        vendors.fault(clear=True)
        daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
        refused = "SELECT count(*) FROM job WHERE reason = 'write_refused' AND sync = ?"
        assert ask(vendors.ledger, refused, EDIT.stopped[0]) == 0
        assert daemon.terminate() == 0


def _assert_told(vendors: Vendors, daemon: Daemon, right: Lacking) -> None:
    (sync,) = right.stopped
    lines = syncd("status", "-c", vendors.config).stdout.splitlines()
    [at] = [n for n, line in enumerate(lines) if right.why in line]
    assert lines[at].startswith(f"{sync} buys nothing since ")
    assert right.cure in lines[at + 1]
    [row] = until("only this", lambda: _rows(vendors))
    assert (row["watch"], row["sync"], right.why in row["why"]) == ("write_right", sync, True)
    page, ready, metrics = (daemon.api(path) for path in ("/", "/readyz", "/metrics"))
    assert (page.text.count(right.why), ready.text.count(right.why), ready.status_code) == (1, 1, 503)
    assert f'syncd_gate_shut{{sync="{sync}",watch="write_right"}} 1.0\n' in metrics.text
    assert daemon.status()["gate"] == [row]


def _bought_for(vendors: Vendors) -> set[str]:
    return set((ask(vendors.ledger, SYNCS) or "").split(","))


def _rows(vendors: Vendors) -> list[dict[str, str]]:
    status = answer("status", "-c", vendors.config)
    assert status["running"]
    rows: list[dict[str, str]] = status["gate"]
    return rows if len(rows) == 1 else []
