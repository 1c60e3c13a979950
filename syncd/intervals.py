"""What rings at intervals, by APScheduler. Beside `schedule`, which imports it once callbacks are taken: it is a tenth
of all that a start imports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """So many seconds from now: what was missed is not made up for."""

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self._interval


class Intervals:
    """Bells that ring in the running event loop, each every so many seconds, until stopped."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.start()

    def add(self, seconds: float, ring: Callable[[], object]) -> None:
        async def rung() -> None:  # a plain function would be called in a thread
            ring()

        self._scheduler.add_job(rung, _Every(seconds), coalesce=True, misfire_grace_time=None)

    def begin_anew(self) -> None:
        """The wall clock was set: each interval begins now."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=job.trigger.get_next_fire_time(None, datetime.now(UTC)))

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
