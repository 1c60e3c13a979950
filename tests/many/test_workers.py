"""Two and four workers do one job: the same results as one, and each purchase is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from .parts import LONG
from .rig import RESULTS, Site, assert_right, watched


def results(folder: Path, workers: int) -> tuple[list[tuple[object, ...]], dict[str, float], int]:
    """What a job of so many workers ends with: what became of each field, the bill, the calls about one contact (those
    about many may be split)."""
    folder.mkdir()
    with Site(folder, contacts=40, speed=120.0) as site:
        for _ in range(workers):
            site.begin()
        watched(site, "all is done", site.settled)
        assert site.count("SELECT count(*) FROM worker") == workers
        assert_right(site)
        assert [worker.end() for worker in site.workers] == [0] * workers
        assert site.ask("SELECT * FROM claim") == site.ask("SELECT * FROM worker") == []
        return site.ask(RESULTS), site.bill(), site.paid_calls()["zeliq"]


@pytest.mark.parametrize("workers", [2, 4] if LONG else [2])
def test_several_workers_come_to_what_one_comes_to(tmp_path: Path, workers: int) -> None:
    assert results(tmp_path / "several", workers) == results(tmp_path / "one", 1)
