"""Killed at any moment and started again: the same end, the same bill.

SYNCD_SOAK=n makes n rounds of six kills each, every round from another seed, instead of one.
"""

import os
import random
from pathlib import Path

import pytest

from .conftest import Undisturbed
from .rig import Daemon, Vendors, ask, assert_right, run_once, until

ROUNDS = int(os.environ.get("SYNCD_SOAK", "1"))
MOMENTS = 6
INTENT = "SELECT count(*) FROM submission WHERE state = 'intent' AND provider = ?"
WRITING = "SELECT count(*) FROM write WHERE state = 'intent'"
LABELLED = (
    ("zeliq_silent", INTENT, ("zeliq",)),
    ("zeliq_silent_after", INTENT, ("zeliq",)),
    ("fullenrich_silent_after", INTENT, ("fullenrich",)),
    ("hubspot_update_silent_after", WRITING, ()),
    ("hubspot_update_silent", WRITING, ()),
)


@pytest.mark.parametrize("seed", range(2, 2 + ROUNDS))
def test_killed_at_random(tmp_path: Path, undisturbed: Undisturbed, seed: int) -> None:
    moments = sorted(random.Random(seed).sample(range(5, 300), MOMENTS))
    with Vendors(tmp_path, seed=seed) as vendors:
        for moment in moments:
            with Daemon(vendors) as daemon:
                daemon.wait_for(f"{moment} events", lambda n=moment: _events(vendors) >= n, every=0.001)
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(seed)


def test_killed_where_it_hurts_most(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """In the middle of calls that were carried out, or not, at each vendor: nobody was told which."""
    with Vendors(tmp_path, seed=2) as vendors:
        for fault, question, values in LABELLED:
            vendors.fault(fault)
            with Daemon(vendors) as daemon:
                daemon.wait_for(
                    f"{fault} on the way",
                    lambda f=fault, q=question, v=values: f in _struck(vendors) and ask(vendors.ledger, q, *v),
                )
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(2)
        assert ask(vendors.ledger, "SELECT count(*) FROM submission WHERE note <> ''") >= 3


def test_sigterm_under_load_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, contacts=300, speed=120) as vendors:
        for moment in (30, 400, 900):
            with Daemon(vendors) as daemon:
                daemon.wait_for(f"{moment} events", lambda n=moment: _events(vendors) >= n, every=0.002)
                assert daemon.terminate(within=5) == 0, daemon.tail()
            assert daemon.lines()[-1]["event"] == "stopped"
            assert [line for line in daemon.lines() if line["level"] == "error"] == []
            assert ask(vendors.ledger, "SELECT count(*) FROM submission WHERE state = 'intent'") == 0
        run_once(vendors)
        assert_right(vendors)
        assert ask(vendors.ledger, "SELECT count(*) FROM event WHERE target = 'in_doubt'") == 0


def test_a_pull_of_thousands_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with Vendors(tmp_path, contacts=8_000, speed=1) as vendors, Daemon(vendors) as daemon:
        until("a first page", lambda: ask(vendors.ledger, "SELECT count(*) FROM contact"))
        assert daemon.terminate(within=5) == 0, daemon.tail()
        assert ask(vendors.ledger, "SELECT count(*) FROM contact") < 5_000


def _events(vendors: Vendors) -> int:
    count: int = ask(vendors.ledger, "SELECT count(*) FROM event")
    return count


def _struck(vendors: Vendors) -> dict[str, int]:
    struck: dict[str, int] = vendors.get("faults")["struck"]
    return struck
