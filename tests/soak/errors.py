"""An error from the kernel at every system call by which a journey reads or changes its ledger."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults import killing
from tests.faults.fork_server import ForkServer

from .blows import strike_all, system_calls
from .part import Part, Wishes


def work(wishes: Wishes, _: Path, part: Part) -> None:
    """The process goes on or ends and says why; nothing acknowledged is lost, and the next process arrives."""
    places = [(error, place) for place in system_calls(wishes, part) for error in killing.ERRORS]
    random.Random(wishes.seed).shuffle(places)

    def strike(fork_server: ForkServer, folder: Path, place: tuple[str, tuple[str, int]]) -> str:
        error, (call, number) = place
        return f"{error}: {killing.fail_at(fork_server, folder, call, number, error)}"

    strike_all(places, strike, wishes, part)
