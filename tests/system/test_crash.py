"""Killed at any moment and started again: the same end, the same bill.

SYNCD_SOAK=n makes n rounds, each from another seed, instead of one. The clock runs at 60 here, so that
a restart takes minutes of the vendors' time: FullEnrich repeats an unheard webhook for five of them.
"""

import os
import random
from pathlib import Path

import pytest

from .conftest import Undisturbed
from .rig import Daemon, Vendors, ask, assert_right, run_once, syncd, until

ROUNDS = int(os.environ.get("SYNCD_SOAK", "1"))
MOMENTS = 4
SPEED = 60.0
HOLD = {"in_doubt": {"hold": "6m"}}  # longer than a vendor's pause before it repeats a callback
DOUBTED = """
    SELECT count(*) FROM job WHERE state IN ('in_doubt', 'queued', 'waiting', 'sending', 'sent')
    AND id IN (SELECT job_id FROM event WHERE target = 'in_doubt')
"""
UNANSWERED = [  # all at the same time: not carried out, carried out, carried out, and the other way round
    ("zeliq_silent", "fullenrich_silent_after", "hubspot_update_silent_after"),
    ("zeliq_silent_after", "fullenrich_silent", "hubspot_update_silent"),
]


@pytest.mark.parametrize("seed", range(2, 2 + ROUNDS))
def test_killed_at_random(tmp_path: Path, undisturbed: Undisturbed, seed: int) -> None:
    with Vendors(tmp_path, seed=seed, speed=SPEED) as vendors:
        vendors.configure(connections={"zeliq": HOLD, "fullenrich": HOLD})
        for moment in sorted(random.Random(seed).sample(range(5, 300), MOMENTS)):
            kill_after(vendors, moment)
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(seed)
        verified = syncd("verify", "-c", vendors.config)
        assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("faults", UNANSWERED, ids=" ".join)
def test_killed_where_it_hurts_most(tmp_path: Path, undisturbed: Undisturbed, faults: tuple[str, ...]) -> None:
    """In the middle of paid calls and of a write, and nobody was told which were carried out."""
    with Vendors(tmp_path, seed=2, speed=SPEED, faults=faults) as vendors:
        vendors.configure(connections={"zeliq": HOLD, "fullenrich": HOLD})
        with Daemon(vendors) as daemon:
            daemon.wait_for("all to strike", lambda: vendors.get("faults")["struck"].keys() >= set(faults))
            assert ask(vendors.ledger, "SELECT count(*) FROM write WHERE state = 'intent'") > 0
        run_once(vendors)
        assert_right(vendors)
        assert vendors.bill() == undisturbed(2)


def test_sigterm_under_load_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, contacts=300, speed=120) as vendors:
        for moment in (30, 400, 900):
            with Daemon(vendors) as daemon:
                wait_for_events(vendors, daemon, moment)
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


def kill_after(vendors: Vendors, events: int) -> None:
    """Run until so much has happened and what the last kill left in doubt is answered, and cut the power.

    The same call in doubt twice is given up and the next provider asked, as the policy has it.
    """
    with Daemon(vendors) as daemon:
        wait_for_events(vendors, daemon, events)
        daemon.wait_for("the last kill to be forgotten", lambda: not ask(vendors.ledger, DOUBTED))


def wait_for_events(vendors: Vendors, daemon: Daemon, count: int) -> None:
    """Wait until it runs and the history has so many lines."""
    daemon.said("started")
    question = "SELECT count(*) FROM event"
    daemon.wait_for(f"{count} events", lambda: ask(vendors.ledger, question) >= count, every=0.002)
