"""What `make bench` makes of its measurements: bars, exit codes, ratios, and the ledger that it copies."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import bars, beyond, calls
from benchmarks.bars import Line, Value, least, most
from benchmarks.copies import multiply
from benchmarks.processes import NotMeasured
from benchmarks.shapes import Run, figures
from syncd.ledger import reports
from syncd.ledger.store import Ledger

from .harness import Harness


@pytest.mark.parametrize(
    ("bar", "value", "holds"),
    [
        (most(12), 12.0, True),
        (most(12), 12.01, False),
        (least(0.2), 0.2, True),
        (least(0.2), 0.19, False),
        (most(12), math.nan, False),
        (least(0.2), math.nan, False),
    ],
)
def test_a_bar_is_reached_or_missed(bar: bars.Bar, value: float, holds: bool) -> None:
    assert bar.holds(value) is holds


def test_what_was_not_measured_misses_its_bar() -> None:
    bar = most(1)
    assert bars.exit_code([Line("a.b", "", Value(1.0), bar), Line("a.c", "", None, None)]) == 0
    assert bars.exit_code([Line("a.b", "", None, bar)]) == 1
    assert bars.exit_code([Line("a.b", "", Value(1.0), bar), Line("a.c", "", Value(1.5), bar)]) == 1


def test_only_the_figures_of_what_was_asked_for_are_told() -> None:
    lines = bars.lines({"idle.cpu": Value(0.4), "bulk.cpu": Value(3.0)}, ["idle"])
    assert {line.key.partition(".")[0] for line in lines} == {"idle"}
    assert {line.key: line.is_met for line in lines} == {
        "idle.memory": False,  # it was not measured
        "idle.cpu": True,
        "idle.help": False,
        "idle.start": True,  # it has no bar
    }


def test_every_benchmark_has_a_bar_and_every_figure_a_benchmark() -> None:
    assert {key.partition(".")[0] for key in bars.BARS} == set(bench.BENCHMARKS)
    judged = {key.partition(".")[0] for key, (_, bar) in bars.BARS.items() if bar is not None}
    assert judged == set(bench.BENCHMARKS)


def test_a_table_for_people() -> None:
    text = bars.table(
        [Line("a.b", "what it is", Value(0.1234, 12.0, 3456.0), least(0.2)), Line("a.c", "x", None, None)]
    )
    first, second = text.splitlines()[1:]
    assert first.split() == ["a.b", "what", "it", "is", "0.123", "≥", "0.2", "MISSED", "12", "÷", "3,456"]
    assert second.split() == ["a.c", "x", "not", "measured"]


def test_ratios_are_medians_of_each_rounds_own() -> None:
    """A round on a machine that is twice as slow changes nothing: both sides are slow in it."""
    ours = [Run(cpu=3.0, rate=100, calls=52, file=1_700_000), Run(cpu=6.0, rate=50, calls=52, file=1_700_000)]
    theirs = [Run(cpu=0.2, rate=400, calls=50), Run(cpu=0.45, rate=200, calls=50)]
    alone = [Run(cpu=1.0, file=100_000)]
    found = figures(1_000, ours, theirs, alone)
    assert found["cpu"].value == pytest.approx((2.0 / 0.2 + 5.0 / 0.45) / 2)
    assert found["rate"].value == pytest.approx(0.25)
    assert found["calls"].value == pytest.approx(1.04)
    assert found["file"].value == pytest.approx(1_600)


@pytest.mark.parametrize(("contacts", "most_calls"), [(1, 2), (25, 2), (26, 3), (2_000, 81), (2_001, 83)])
def test_the_least_calls_of_salesforce(contacts: int, most_calls: int) -> None:
    assert calls.least_calls(contacts) == most_calls


def broken(rounds: int, say: object) -> dict[str, Value]:
    raise NotMeasured("nobody answered")


def test_one_benchmark_that_fails_leaves_the_others_and_the_exit_code_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(bench.BENCHMARKS, "idle", broken)
    monkeypatch.setitem(bench.BENCHMARKS, "people", lambda *_: {"cpu": Value(10.0), "memory": Value(3.0)})
    assert bench.main(["people"]) == 0
    assert bench.main(["idle", "people", "--json", str(tmp_path / "figures.json")]) == 1
    assert "not measured: idle: nobody answered" in capsys.readouterr().out
    told = json.loads((tmp_path / "figures.json").read_text())
    assert told["not_measured"] == {"idle": "nobody answered"}
    assert {one["figure"]: one["ok"] for one in told["figures"]}["people.cpu"] is True


def test_what_is_begun_too_late_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["people", "--minutes", "-1"]) == 1
    assert "the time was over" in capsys.readouterr().out


def test_copies_of_a_ledger_are_a_ledger(harness: Harness, tmp_path: Path) -> None:
    """Ten times the contacts and the jobs, in one piece, and counted."""
    harness.person("Ada")
    harness.person("Bo")
    harness.ask()
    harness.ledger.close()
    multiply(harness.path, tmp_path / "large.db", 10)
    ledger = Ledger.open(tmp_path / "large.db")
    try:
        counted = sum(one["n"] for one in asyncio.run(ledger.read(reports.counts)))
        asyncio.run(ledger.check())
    finally:
        ledger.close()
    with closing(sqlite3.connect(tmp_path / "large.db")) as db:
        assert db.execute("SELECT count(*), count(DISTINCT ext_id) FROM contact").fetchone() == (20, 20)
        assert db.execute("SELECT count(*), count(DISTINCT contact_id || field) FROM job").fetchone() == (
            counted,
            counted,
        )
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_page_shows_what_the_simulation_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "beyond.md"
    assert beyond.table(beyond.Costs()) in page.read_text("utf-8")


def test_a_cluster_that_is_asked_for_too_much_lets_callbacks_wait() -> None:
    costs = beyond.Costs()
    slow, quick = (max(beyond.waits(beyond.Load.of(n), costs, seconds=60.0, seed=1)) for n in (500_000_000, 50_000_000))
    assert beyond.Load.of(500_000_000).busy(costs) > 1 > beyond.Load.of(50_000_000).busy(costs)
    assert slow > 1_000 > 100 > quick
