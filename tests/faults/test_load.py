"""A daemon under a steady load, looked at from outside; and whether the gauges tell a leak."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.unit.audit import ask

from .disk import sound
from .gauges import Sample, leaks, percentile, slope, watching
from .pour import pour
from .process import PATIENCE, site


def test_a_load_while_the_crm_is_down(tmp_path: Path) -> None:
    """I1: each callback gets its 200 and is kept; descriptors come back, the -wal stays small."""
    with site(tmp_path, 40) as here:
        daemon = here.start()
        here.serving()
        with watching(daemon.pid, here.ledger, every=0.2) as gauge:
            came = pour(here.client.port, here.urls, 100.0, 3.0)
        assert (came["sent"] > 200, came["failed"]) == (True, {})
        assert ask(here.ledger, "SELECT count(*) FROM delivery") == [(came["sent"],)]
        assert max(one.wal for one in gauge.samples) < 16
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0, here.log()
        sound(here.ledger)


def memory(*mebibytes: float) -> list[Sample]:
    """As it would be seen each second."""
    return [Sample(at=float(n), rss=one, fds=9, wal=0.0) for n, one in enumerate(mebibytes)]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ([100 + n * 3 / 480 for n in range(480)], True),  # 22 MiB an hour
        ([100 + n * 0.5 / 480 for n in range(480)], False),  # too little to be told in so short a time
        ([100 + n * 1.5 / 7200 for n in range(7200)], False),  # two hours, and within the bound of 1 MiB an hour
        ([100 + n * 4 / 7200 for n in range(7200)], True),
        ([100.0] * 100 + [104.0] * 380, False),  # a step, as a heap takes it
    ],
    ids=["a leak", "next to nothing", "within the bound", "slow and steady", "a step"],
)
def test_what_is_told_as_a_leak(seen: list[float], told: bool) -> None:
    """With noise on it, as the kernel's figures have."""
    rng = random.Random(1)
    assert leaks(memory(*(one + rng.gauss(0, 0.2) for one in seen))) is told


def test_figures() -> None:
    assert slope(memory(1.0, 2.0, 3.0)) == pytest.approx(3600)
    assert [percentile([3.0, 1.0, 2.0, 4.0], q) for q in (0.0, 0.5, 0.99)] == [1.0, 3.0, 4.0]
