"""The bill is the least that was possible: some people here, 5,000 in `make bench ONLY=money`."""

from __future__ import annotations

from syncd.pipeline import choose

from . import money
from .planted import swap

SEED = 2


def test_the_bill_is_the_least_that_was_possible() -> None:
    """Three months of scheduled runs: ten seconds."""
    found = money.bill(120, SEED)
    assert found.differences == ()
    assert found.billed == found.least
    assert min(found.least.values()) > 100
    assert found.written > 100


def test_what_is_paid_twice_is_told() -> None:
    """Planted: nobody looks whether the person's other record was answered."""
    with swap(choose, "_shared", lambda _one, _turn: None):
        found = money.bill(30, SEED)
    assert found.twice
    assert any("has billed" in one for one in found.differences)
