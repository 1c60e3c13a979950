"""Work an emulated vendor goes on with after it has answered: tasks started on demand, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """A set of tasks. What goes wrong in one is kept and raised by `aclose`, never lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    @property
    def busy(self) -> int:
        """How many tasks have not ended."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the running loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def settled(self) -> None:
        """Wait until no task is left, whatever they started meanwhile included."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def aclose(self) -> None:
        """Cancel what still runs; raises BaseExceptionGroup if a task had failed (a mistake of the emulator)."""
        for task in self._tasks:
            task.cancel()
        await self.settled()
        if self._errors:
            raise BaseExceptionGroup("work in the background failed", self._errors)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.append(error)
