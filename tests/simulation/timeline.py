"""Virtual time: an event loop whose clock jumps to the next timer, so that months pass in seconds.

In here: the loop and the clock that the process under test is given. No thread, no socket, no
real clock: what happens, and in which order, is decided by the seed alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

EPOCH = 1_790_000_000.0  # UTC seconds, in September 2026: where every history begins
HOUR = 3_600.0
DAY = 86_400.0


class Owner:
    """Whoever starts tasks: the world, or one life of the daemon. `tasks` are in order of birth."""

    def __init__(self) -> None:
        self.tasks: dict[asyncio.Task[Any], None] = {}

    def broke(self, error: BaseException) -> None:
        """A task that was spawned for this owner has failed."""


_OWNER: contextvars.ContextVar[Owner | None] = contextvars.ContextVar("owner", default=None)


class Stuck(Exception):
    """Nothing is left that could ever happen."""


if TYPE_CHECKING:
    _Base = asyncio.SelectorEventLoop
else:
    _Base = asyncio.BaseEventLoop


class Timeline(_Base):
    """An event loop without a world outside of it. `elapsed` is in seconds since EPOCH."""

    _ready: deque[asyncio.Handle]
    _scheduled: list[Any]  # a heap of timers
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self._clock_resolution = 1e-6
        self.set_task_factory(_owned)  # type: ignore[arg-type]  # typeshed knows no factory with a context

    def time(self) -> float:
        return self.elapsed

    def _run_once(self) -> None:
        """As the base class does it, without all that concerns an outside: waiting costs nothing."""
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._next()
        if not ready and not self._stopping:
            if not scheduled:
                raise Stuck
            self.elapsed = max(self.elapsed, scheduled[0]._when)
        end = self.elapsed + self._clock_resolution
        while scheduled and scheduled[0]._when < end:
            ready.append(self._next())
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _next(self) -> asyncio.TimerHandle:
        timer = heapq.heappop(self._scheduled)
        timer._scheduled = False
        return cast("asyncio.TimerHandle", timer)

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]
        raise NotImplementedError("a thread would make the history depend on the machine")

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody has to be woken: there is one thread."""


def _owned(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> asyncio.Task[Any]:
    context: contextvars.Context | None = kwargs.get("context")
    owner = _OWNER.get() if context is None else context.get(_OWNER)
    task = asyncio.Task(coro, loop=loop, **kwargs)
    if owner is not None:
        owner.tasks[task] = None
        task.add_done_callback(owner.tasks.pop)
    return task


def spawn(owner: Owner, coro: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
    """Start a task of `owner`, whoever runs now; what it starts in turn is the owner's as well."""
    context = contextvars.Context()
    context.run(_OWNER.set, owner)
    task = asyncio.get_running_loop().create_task(coro, name=name or None, context=context)
    task.add_done_callback(partial(_watch, owner))
    return task


def _watch(owner: Owner, task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        owner.broke(error)


def on_timeline(main: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Run `main` from EPOCH on until it returns; returns how many seconds that took there.

    A callback that fails is raised at the end.
    """
    broken: list[BaseException] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "handle" in context:  # all else are last words that nobody reads any more
            broken.append(context["exception"])

    loop = Timeline()
    everything = Owner()
    context = contextvars.Context()
    context.run(_OWNER.set, everything)
    loop.set_exception_handler(note)
    try:
        loop.run_until_complete(loop.create_task(main(), context=context))
    finally:
        loop.close()
    if broken:
        raise broken[0]
    return loop.elapsed


class WallClock:
    """The daemon's clock: `skew` is how far the host's wall clock is off, `furthest` how far it ever was ahead."""

    def __init__(self) -> None:
        self.skew = self.furthest = 0.0

    def jump(self, seconds: float) -> None:
        self.skew += seconds
        self.furthest = max(self.furthest, self.skew)

    def now(self) -> float:
        return EPOCH + asyncio.get_running_loop().time() + self.skew

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
