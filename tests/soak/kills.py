"""A kill at every system call by which a journey reads or changes its ledger."""

from __future__ import annotations

from pathlib import Path

from tests.faults import killing
from tests.faults.fork_server import ForkServer

from .blows import strike_all, system_calls
from .part import Part, Wishes


def work(wishes: Wishes, _: Path, part: Part) -> None:
    """Nothing acknowledged is lost, nobody is asked about twice, and the next process arrives."""

    def strike(fork_server: ForkServer, folder: Path, place: tuple[str, int]) -> str:
        return f"kills at {place[0]}" if killing.kill_at(fork_server, folder, *place) else "not met"

    strike_all(system_calls(wishes, part), strike, wishes, part)
