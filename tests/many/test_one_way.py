"""Packets are lost on one way only, on each link, under load: nothing that was acknowledged is lost, nobody is paid for
twice, and nobody holds up all others. The vendors' own books decide."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from tests.system.rig import Vendors, until

from .hosts import WITHIN, Host, Hosts, missing, require_patroni
from .parts import LONG, OPEN
from .test_hosts import LEASE, SPEED, WITH_SYNCD, judge, until_calls_are_open, until_it_moves

TO_LEDGER, TO_RECEIVERS = 5432, 8080
LOST = {
    "what syncd tells the ledger": ("syncd", f"output meta skuid 0 tcp dport {TO_LEDGER}"),
    "what the ledger answers": ("syncd", f"input tcp sport {TO_LEDGER}"),
    "what a standby tells the primary": ("standby", f"output meta skuid postgres tcp dport {TO_LEDGER}"),
    "what the primary tells the standbys": ("primary", f"output meta skuid postgres tcp sport {TO_LEDGER}"),
    "what receivers answer": ("syncd", f"output tcp sport {TO_RECEIVERS}"),
    "what receivers are told": ("syncd", f"input tcp dport {TO_RECEIVERS}"),
}
"""Whose packets are lost, and which (nft)."""
AWAY = 15.0  # seconds
HELD = 6.0  # seconds that somebody who stands still may hold up all others; to wait for a standby may take longer
HOLDER = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() -
    CASE state WHEN 'active' THEN query_start ELSE state_change END)), 0)
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = 1398361668 AND granted AND wait_event IS DISTINCT FROM 'SyncRep'"""
IN_SYNC = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"

pytestmark = [
    pytest.mark.skipif(not LONG, reason="takes ten minutes: make many"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


@pytest.mark.timeout(2400)
def test_packets_are_lost_on_one_way_only(tmp_path: Path) -> None:
    """Of each link, for a while; then the primary speaks to no standby, and its host is lost for good."""
    require_patroni()
    with Vendors(tmp_path, contacts=350 * len(LOST), speed=SPEED) as vendors, Hosts(vendors) as hosts:
        vendors.configure(ledger={"lease": f"{LEASE:g}s"})
        for name in WITH_SYNCD:
            hosts.hosts[name].start_syncd(vendors.config)
        longest = {}
        for what, (whose, rule) in LOST.items():
            until_calls_are_open(hosts)
            longest[what] = _lose(hosts, whose, rule)
            until("commits that count", lambda: hosts.ask_as_superuser(IN_SYNC), within=WITHIN, every=0.2)
            until_it_moves(hosts)
            hosts.until_whole()
        print(f"seconds that somebody who stood still held up all others, at most: {longest}")  # noqa: T201 - shown with -rP
        assert max(longest.values()) <= HELD
        _lose_for_good(hosts, vendors.config)
        until("the end of all work", lambda: hosts.ask(OPEN) == 0, within=1800, every=1.0)
        judge(vendors, hosts)


def _lose(hosts: Hosts, whose: str, rule: str) -> float:
    """Returns how long a transaction has held up all others, at most."""
    victim, longest, end = _host_of(hosts, whose), 0.0, time.monotonic() + AWAY
    victim.drop(rule)
    try:
        while time.monotonic() < end:
            longest = max(longest, float(hosts.ask_as_superuser(HOLDER) or 0.0))
            time.sleep(0.3)
    finally:
        victim.drop()
    return round(longest, 1)


def _host_of(hosts: Hosts, whose: str) -> Host:
    """syncd: one whose ledger is elsewhere."""
    primary = hosts.primary
    assert primary is not None
    if whose == "primary":
        return primary
    others = [one for one in hosts.hosts.values() if one is not primary]
    standbys = [one for one in others if one.is_synchronous()]
    return standbys[0] if whose == "standby" else next(one for one in others if one.name in WITH_SYNCD)


def _lose_for_good(hosts: Hosts, config: Path) -> None:
    """What it has acknowledged meanwhile is in its spool, or is not acknowledged."""
    until_calls_are_open(hosts, at_least=1)
    lost = _host_of(hosts, "primary")
    lost.drop(LOST["what the primary tells the standbys"][1])
    time.sleep(8.0)
    lost.kill()
    lost.drop()
    until("a primary and its standby", partial(hosts.keeps, lost), within=WITHIN, every=0.2)
    until_it_moves(hosts)
    lost.start_ledger()
    if lost.name in WITH_SYNCD:
        lost.start_syncd(config)
    hosts.until_whole()
