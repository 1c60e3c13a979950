"""A worker whose host has the wrong time goes by the database's: it takes nothing from others, and no date is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from tests.faults.test_clock_set import CC, SetClock

from .rig import Site, assert_right, watched

OFF = 7200  # seconds
WORKED = re.compile('"unit": "(dispatch|inbox|verify|writeback)"')
TIMES = "SELECT min(created_at), max(created_at) FROM submission"


@pytest.mark.skipif(CC is None, reason="no C compiler is installed")
def test_hosts_two_hours_apart_have_one_time(tmp_path: Path) -> None:
    with Site(tmp_path, contacts=40, speed=60.0) as site:
        for number, off in enumerate((OFF, -OFF)):
            (folder := tmp_path / f"clock-{number}").mkdir()
            clock = SetClock(folder)
            clock.set(off)
            site.begin(*clock.wrapper)
        watched(site, "all is done", site.settled, within=180)
        first, last = site.ask(TIMES)[0]
        now = site.get("info")["now"]
        assert site.info["origin"] <= first <= last <= now, "nobody has dated a call by its own clock"
        assert_right(site)
        for one in site.workers:
            said = one.log.read_text("utf-8")
            assert WORKED.search(said), "both have taken part"
            assert "work_taken_over" not in said
