"""The bill is the least that was possible: some people here, 5,000 in `make bench ONLY=money`."""

from __future__ import annotations

from . import money
from .planted import PLANTED

SEED = 2


def test_the_bill_is_the_least_that_was_possible() -> None:
    """Three months of scheduled runs: some five seconds of CPU."""
    found = money.bill(60, SEED)
    assert found.differences == ()
    assert found.billed == found.least
    assert min(found.least.values()) > 50
    assert found.written > 50


def test_what_is_paid_twice_is_told() -> None:
    """Planted: nobody looks whether the person's other record is asked about."""
    with PLANTED["share_without_person_lock"]():
        found = money.bill(30, SEED)
    assert found.twice
    assert any("has billed" in one for one in found.differences)
