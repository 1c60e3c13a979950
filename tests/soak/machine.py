"""The ledger as a state machine: random walks of any length, audited after each step."""

from __future__ import annotations

from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.test_ledger_machine import Life

from .part import Part, Until, Wishes

WALKS, STEPS = 50, 100  # of a round
ROUNDS = 400
ROUND = settings(
    max_examples=WALKS,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def work(wishes: Wishes, _: Path, part: Part) -> None:
    """Rounds, each from a seed of its own, as long as there is time."""
    time_left, rounds = Until(wishes.minutes), 0
    while time_left and rounds < ROUNDS:
        seeded = hypothesis.seed(wishes.seed + rounds)(type("Life", (Life,), {}))
        run_state_machine_as_test(seeded, settings=ROUND)
        rounds += 1
    part.figures |= {"walks": rounds * WALKS, "steps each at most": STEPS}
