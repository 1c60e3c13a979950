"""A worker that stands still anywhere in dispatch past its lease, and goes on: no call is made twice.

Each of several workers stops itself (SIGSTOP) at another place, inside a transaction, too; one that does not stop takes
their work over; then all go on.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.contract.http import IN_FLIGHT

from .parts import LONG
from .rig import Site, all_but_doubts, assert_bought_once, watched

PLACES = [
    ("within submissions.intend", 1),
    ("before Provider.submit", 1),
    ("after Provider.submit", 1),
    ("after claims.take", 4),
    ("before claims.take", 5),
    ("within claims.take", 6),
    ("before submissions.intend", 2),
    ("after submissions.intend", 1),
    ("before submissions.accept", 1),
    ("within submissions.accept", 1),
    ("after submissions.accept", 1),
]
GROUPS = [PLACES[first : first + 3] for first in range(0, len(PLACES), 3)]
ALIVE = "SELECT count(*) FROM worker WHERE lease_until > ledger_time(0)"
IN_DOUBT = "SELECT count(*) FROM submission WHERE state = 'in_doubt'"


@pytest.mark.parametrize("places", GROUPS if LONG else GROUPS[:1], ids=lambda group: group[0][0])
def test_whoever_comes_back_buys_nothing_twice(tmp_path: Path, places: list[tuple[str, int]]) -> None:
    with Site(tmp_path, contacts=48, speed=30.0) as site:
        site.begin(role="receiver")
        each = [site.begin(role="worker", program=("-m", "tests.many.stopping", label, str(n))) for label, n in places]
        watched(site, "they have stopped", lambda: all(one.state == "T" for one in each) or all_but_doubts(site))
        stopped = [one for one in each if one.state == "T"]
        assert len(stopped) >= 0.6 * len(each)
        site.begin(role="worker")
        others = 1 + len(each) - len(stopped)
        watched(site, "who has stopped counts as ended", lambda: site.count(ALIVE) == others)
        watched(site, "their work is done", lambda: all_but_doubts(site))
        for one in stopped:
            one.signal(signal.SIGCONT)
        watched(site, "they work again", lambda: site.count(ALIVE) == 1 + len(each))
        watched(site, "all is done", lambda: all_but_doubts(site))
        assert_bought_once(site)
        assert site.count(IN_DOUBT) <= IN_FLIGHT * len(stopped)
