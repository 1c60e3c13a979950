"""What the daemon is told to do: to end, or to read its configuration again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.config import Settings
from syncd.contract.errors import BrokenInvariant, SyncdError
from syncd.registry import Registry

Read = Callable[[], tuple[Settings, Registry]]
"""Reads and checks the file; raises ConfigError with every problem."""


class Role(StrEnum):
    """What a process does. Several of each role may work on one ledger in PostgreSQL."""

    ALL = "all"
    RECEIVER = "receiver"  # takes callbacks, and nothing else
    WORKER = "worker"  # everything else


@dataclass(slots=True)
class Orders:
    """`read` reads the configuration for a reload. `failure`: what broke, if the daemon ends for that."""

    read: Read | None = None
    end: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    failure: SyncdError | None = None

    def fail(self, error: SyncdError) -> None:
        """End, for this reason or the one before."""
        self.failure = self.failure or error
        self.end.set()

    async def reloads(self) -> bool:
        """Waits for an order to reload; False once the daemon is to end."""
        asked = [asyncio.create_task(event.wait()) for event in (self.end, self.reload)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for task in asked:
            task.cancel()
        self.reload.clear()
        return not self.end.is_set()


def broken(what: str, error: Exception) -> BrokenInvariant:
    """A bug of ours, as what it is for the operator."""
    raised = BrokenInvariant(f"{what} broke, with {type(error).__name__}")
    raised.__cause__ = error
    return raised
