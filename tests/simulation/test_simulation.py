"""The quick form of the simulation: some histories, the same one twice, and every planted bug found.

Each bug is looked for from a seed on that finds it within seconds. The long form is
`python -m tests.simulation --soak --years 1000 --seed 1 --report FILE`, and `--planted all`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .planted import FOUND_AT, IN_WEEKS, PLANTED, RARE
from .run import finding, history, replay

DAYS = 10.0
SEEDS = 24
TOGETHER = 4


@pytest.mark.parametrize("first", range(1, SEEDS + 1, TOGETHER))
def test_every_promise_is_kept(first: int) -> None:
    for seed in range(first, first + TOGETHER):
        told = history(seed, DAYS)
        assert not told.violations, "\n".join((*told.tail, *told.violations, replay(seed, DAYS)))


@pytest.mark.parametrize("name", sorted(PLANTED.keys() - RARE))
def test_a_planted_bug_is_found(name: str) -> None:
    told = finding(name, range(FOUND_AT.get(name, 1), 201), 8.0)
    assert told is not None


@pytest.mark.parametrize(
    ("name", "seed", "days", "mixture", "said"),
    [
        ("refresh_without_a_look", 11, 25.0, {"focus": ("edit",)}, "filled or gone"),
        ("budget_of_a_refresh_counts_nothing", 11, 17.0, {"only": ("restart",)}, "'refresh': True"),
    ],
)
def test_a_planted_bug_that_takes_weeks_is_found(
    name: str, seed: int, days: float, mixture: dict[str, Any], said: str
) -> None:
    """A value of ours is verified again after fifteen days: some ten seconds of CPU."""
    with IN_WEEKS[name]():
        told = history(seed, days, **mixture)
    assert any(said in one for one in told.violations)
    assert history(seed, days, **mixture).violations == ()


def test_one_seed_is_one_history_whatever_the_machine_does() -> None:
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "3", "--days", "3"],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[3]
        for hash_seed in ("1", "2")
    }
    assert digests == {history(3, 3.0).digest[:12]}


def test_no_history_depends_on_the_order_of_a_set() -> None:
    """Of calls with other fields than their neighbours', the first to be looked at was another one in each process."""
    unfold = (
        "from tests.simulation.run import history\n"
        "faults = ('merge', 'merge_before_write', 'bounce', 'reconfigured', 'crm_cut_after', 'crm_late')\n"
        "print(history(5017, 30.0, focus=faults).digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", unfold],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


def test_different_seeds_are_different_histories() -> None:
    assert len({history(seed, 1.0).digest for seed in range(1, 4)}) == 3


@pytest.mark.parametrize("seed", [7, 11])
def test_restarts_decide_nothing(seed: int) -> None:
    """I12: whoever starts on the same ledger decides the same: stopping now and then changes no value. (In histories in
    which the operator undoes, suppresses and erases nothing: that is another one's decision, at another moment.)

    Which of a person's records is asked about first may change: then another provider's value for that very person can
    serve both.
    """
    straight, stopped = history(seed, 12.0, only=()), history(seed, 12.0, only=("restart",))
    assert stopped.happened["restart"] > straight.happened["restart"] == 0
    assert not sum(told.happened[act] for told in (straight, stopped) for act in ("undo", "suppress", "forget"))
    assert stopped.stands.keys() == straight.stands.keys() != set()
    for place, value in straight.stands.items():
        other = stopped.stands[place]
        assert value == other or {value, other} <= set(straight.theirs[place]), place
    assert straight.violations == stopped.violations == ()
