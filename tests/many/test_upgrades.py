"""One process after the other is upgraded, and goes back, while all the others work: the next release adds to the
ledger's tables. Callbacks, purchases and results are what the vendors' own books say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger import chain
from tests.releases import ADDED, NEEDED, open_with, release
from tests.system.rig import free_port

from .balancer import balancer
from .parts import LONG
from .rig import Site, Worker, assert_right, watched

MIXED = 300.0 if LONG else 3.0  # seconds that both releases work, on the way there and on the way back
CONTACTS, SPEED = (2500, 10.0) if LONG else (120, 40.0)
CUT, LATE, WAIT = 2, 8, 80_000  # calls that are in doubt; callbacks that are late; by so many seconds of the vendors'
VERSION = "SELECT max(number) FROM ledger_migration"
BUILT = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'job_hint'::regclass"
IN_DOUBT = "SELECT count(*) FROM submission WHERE state = 'in_doubt'"
MOVING = "SELECT count(*) FROM job WHERE state IN ('queued', 'sending', 'answered', 'accepted', 'writing')"
NEWEST = "SELECT coalesce(max(id), 0) FROM step"
UNUSABLE = "this syncd is too old for the ledger: a newer one has made version"


def change(site: Site, one: Worker, to: Path | None) -> None:
    """As the runbook says: it ends as it is asked to, and the next one waits until it is ready again."""
    before = one.starts()
    assert one.end() == 0
    one.release = to
    one.start()
    watched(site, "it works again", lambda: one.has_started(before + 1))
    if one.role == "receiver":
        watched(site, "it is ready", one.is_ready)


def roll(site: Site, hosts: list[tuple[Worker, Worker]], to: Path | None) -> None:
    """One host after the other; in between, both releases work."""
    for number, (receiver, worker) in enumerate(hosts):
        change(site, worker, to)
        change(site, receiver, to)
        if not number:
            work_mixed(site)


def work_mixed(site: Site) -> None:
    """Both releases, for a while. On a slow machine, all may be done by then but for what is late."""
    newest = site.count(NEWEST)
    time.sleep(MIXED)
    watched(site, "work has moved", lambda: site.count(NEWEST) > newest or not site.count(MOVING))


def end(site: Site) -> None:
    """Late callbacks come, also those of calls that a breaker has put off until now."""
    for _ in range(5):
        site.post("clock/skip", seconds=WAIT)
        time.sleep(2)
        watched(site, "only callbacks are waited for", lambda: not site.count(MOVING), within=300)
        if site.settled():
            break
    watched(site, "all is done", site.settled, within=60)


def assert_answered(site: Site) -> None:
    """Every callback was taken, at once or when it came again after a 503."""
    for name, told in site.get("callbacks").items():
        assert told["tries"], name
        odd = [one for one in told["tries"] if one["status"] not in (200, 202, 204, 503)]
        taken = {one["job"] for one in told["tries"] if one["status"] != 503}
        assert not odd, (name, odd)
        assert not told["given_up"]
        assert {one["job"] for one in told["tries"]} == taken


@pytest.mark.timeout(900 + 6 * MIXED)
def test_hosts_are_upgraded_and_go_back_one_after_the_other(tmp_path: Path) -> None:
    newer = release(tmp_path / "newer", *ADDED)
    ports = free_port(), free_port()
    faults = f"zeliq_cut_after:{CUT}", f"zeliq_callback_late:{LATE}:{WAIT}"
    with Site(tmp_path, contacts=CONTACTS, speed=SPEED, faults=faults) as site:
        site.configure(callbacks={"drain": "3s"}, connections={"zeliq": {"in_doubt": {"hold": "24h"}}})
        with balancer(site.listen, ports, tmp_path / "haproxy.log"):
            hosts = [(site.begin(role="receiver", listen=port), site.begin(role="worker")) for port in ports]
            watched(site, "calls that are in doubt", lambda: site.count(IN_DOUBT))
            roll(site, hosts, newer)
            assert site.count(VERSION) == chain.newest() + len(ADDED)
            assert site.count(IN_DOUBT), "they are in doubt all the while"
            assert site.ask(BUILT) == [(True,)]
            roll(site, hosts, None)
            assert site.count(IN_DOUBT)
            end(site)
            assert_answered(site)
            assert_right(site)
            _assert_the_old_ones_end(site, tmp_path)


def _assert_the_old_ones_end(site: Site, folder: Path) -> None:
    """Once a release has changed the tables in a way that they do not know."""
    open_with(release(folder / "needed", *ADDED, NEEDED), site.url.text)
    for one in site.workers:
        assert one.process is not None
        assert one.process.wait(60) == 78
        assert UNUSABLE in one.tail()
    site.workers[0].start()
    assert site.workers[0].process is not None
    assert site.workers[0].process.wait(60) == 78
