"""Workers are killed at random moments, while another one goes on: nothing is lost, nothing is bought twice."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from .parts import LONG
from .rig import Site, all_but_doubts, assert_bought_once, watched

KILLS = 20 if LONG else 3
OVER = "SELECT count(*) FROM submission WHERE state = 'intent'"


@pytest.mark.parametrize("seed", [7])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with Site(tmp_path, contacts=150 if KILLS > 3 else 48, speed=60.0) as site:
        site.begin(role="receiver")
        working = [site.begin(role="worker"), site.begin(role="worker")]
        watched(site, "they work", lambda: site.count("SELECT count(*) FROM submission"))
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.0, 2.0))
            one = rng.choice(working)
            one.kill()
            wanted = one.starts() + 1
            one.start()
            watched(site, "it works again", partial(one.has_started, wanted))
        watched(site, "all is done", lambda: all_but_doubts(site), within=240)
        watched(site, "no intent of an ended worker is left", lambda: not site.count(OVER))
        assert_bought_once(site)
