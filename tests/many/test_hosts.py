"""A host is killed, or cut off, under load, again and again: nothing that was acknowledged is lost, nobody is paid for
twice, and work goes on. The vendors' own books decide."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.system.rig import GivenUp, Vendors, answer, assert_right, reading, syncd, until

pytest.importorskip("psycopg", reason="psycopg is not installed")

from .hosts import WITHIN, Host, Hosts, missing, require_patroni
from .parts import LONG, OPEN

WITH_SYNCD = "ab"
LEASE, MORE = 10.0, 10.0  # seconds
AT_LEAST = 5  # calls that are open when a host is killed
SPEED = 10.0
HOUR = 3600 / SPEED  # seconds: where all calls of an hour are made, the next one is waited for
OPEN_CALLS = "SELECT count(*) FROM submission WHERE state = 'accepted'"
KEPT = """
SELECT submission.provider, submission.provider_id, sum(1 + delivery.repeats)
FROM delivery JOIN submission ON submission.id = delivery.submission_id GROUP BY 1, 2"""
NEWEST = "SELECT coalesce(max(id), 0) FROM step"

pytestmark = [
    pytest.mark.skipif(not LONG, reason="takes half an hour: make many"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]


def killed(victim: Host, config: Path) -> Iterator[None]:
    """Everything in it ends at once; later it is started again."""
    victim.kill()
    yield
    victim.start_ledger()
    if victim.name in WITH_SYNCD:
        victim.start_syncd(config)


def cut_off(victim: Host, _: Path) -> Iterator[None]:
    """It goes on, and reaches nobody, until others have taken over what it had."""
    victim.cut(off=True)
    yield
    time.sleep(LEASE + MORE)
    victim.cut(off=False)


@pytest.mark.timeout(4500)
@pytest.mark.parametrize(
    ("times", "trouble", "contacts"), [(20, killed, 240), (5, cut_off, 700)], ids=["killed", "cut off"]
)
def test_a_host_is_lost_again_and_again(
    tmp_path: Path, times: int, trouble: Callable[[Host, Path], Iterator[None]], contacts: int
) -> None:
    """`contacts`: for each time, so that there is work to the end."""
    if trouble is cut_off:
        require_patroni()
    rng = random.Random(1)  # which host, and when
    with Vendors(tmp_path, contacts=contacts * times, speed=SPEED) as vendors, Hosts(vendors) as hosts:
        vendors.configure(ledger={"lease": f"{LEASE:g}s"})
        for name in WITH_SYNCD:
            hosts.hosts[name].start_syncd(vendors.config)
        assert_told(hosts)
        kept, waits = list[float](), list[float]()
        for _ in range(times):
            until_calls_are_open(hosts)
            time.sleep(rng.uniform(0.0, 3.0))
            victim = hosts.hosts[rng.choice("abc")]  # c, too, may have the primary
            for _ in trouble(victim, vendors.config):
                begun = time.monotonic()
                until("a primary and its standby", partial(hosts.keeps, victim), within=WITHIN, every=0.2)
                kept.append(time.monotonic() - begun)
                waits.append(until_it_moves(hosts))
            hosts.until_whole()
        print(f"seconds until commits counted again: {_rounded(kept)}")  # noqa: T201 - shown with -rP
        print(f"seconds from then until work moved again: {_rounded(waits)}")  # noqa: T201
        assert max(waits) <= LEASE + MORE
        until("the end of all work", lambda: hosts.ask(OPEN) == 0, within=1800, every=1.0)
        judge(vendors, hosts)


def _rounded(seconds: list[float]) -> list[float]:
    return sorted(round(one, 1) for one in seconds)


def assert_told(hosts: Hosts) -> None:
    """What the alerts of deploy/many/prometheus-rules.yaml are made of, while all is well."""
    for name in ("patroni_primary", "patroni_sync_standby"):
        assert sum(host.metric(name) for host in hosts.hosts.values()) == 1, name


def until_calls_are_open(hosts: Hosts, at_least: int = AT_LEAST) -> None:
    """So that there is something to be lost."""
    until("calls that are open", lambda: (hosts.ask(OPEN_CALLS) or 0) >= at_least, within=HOUR + WITHIN, every=0.5)


def until_it_moves(hosts: Hosts) -> float:
    """Seconds from now, when there are a primary and its standby."""
    begun, newest = time.monotonic(), hosts.ask(NEWEST) or 0
    try:
        until("work that moves", lambda: (hosts.ask(NEWEST) or 0) > newest, within=WITHIN, every=0.2)
    except GivenUp as reason:
        raise GivenUp(f"{reason}\n{hosts.tail()}") from None
    return time.monotonic() - begun


def judge(vendors: Vendors, hosts: Hosts) -> None:
    """With everything stopped, by the file to which the ledger is moved."""
    for host in hosts.hosts.values():
        host.stop_syncd()
    moved = syncd("migrate", vendors.ledger, "-c", vendors.config)
    assert moved.returncode == 0, moved.stderr
    vendors.configure(ledger={"path": str(vendors.ledger), "url": None, "durability": None, "lease": None})
    assert answer("verify", "-c", vendors.config)["ok"]
    assert_kept(vendors)
    assert_right(vendors)


def assert_kept(vendors: Vendors) -> None:
    """Each callback that was acknowledged is in the ledger, or counted there as one that came again."""
    with reading(vendors.ledger) as tx:
        kept = {(provider, job): count for provider, job, count in tx.execute(KEPT)}
    for name, told in vendors.get("callbacks").items():
        acknowledged = Counter(one["job"] for one in told["tries"] if one["status"] == 200)
        assert acknowledged, name
        missed = {job: more for job, n in acknowledged.items() if (more := n - kept.get((name, job), 0)) > 0}
        unnamed = kept.get((name, None), 0)  # of calls whose answer was lost: the ledger never heard their names
        assert sum(missed.values()) <= unnamed, (name, unnamed, missed)
