"""A limit on the whole time of every call to a connector, whatever it does about time-outs itself; and whose calls are
whose, for those who watch them.

A vendor that sends a byte now and then keeps a call going for ever, and with it the stage that waits for it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from syncd.contract.errors import InDoubt, Retry
from syncd.contract.model import Change, Page, WriteOutcome, WriteStatus
from syncd.contract.ports import Crm, Provider
from syncd.contract.watched import Calls, watching

T = TypeVar("T")
Port = TypeVar("Port", bound=Crm | Provider)

CALL = 300.0  # real seconds
LIMITS = {"submit": 120.0, "aclose": 10.0}
PAGE = 1800.0  # of a pull: a CRM may prepare it for long


def limited(port: Port, *, call: float = CALL, page: float = PAGE, calls: Calls | None = None) -> Port:
    """The same connector, none of whose calls takes longer. `calls`: where those that it makes are noted."""
    return _Limited(port, call, page, calls)  # type: ignore[return-value]


class _Limited:
    """Passes everything on; what is awaited ends in time, with the error that the port gives such a call."""

    def __init__(self, port: Crm | Provider, call: float, page: float, calls: Calls | None) -> None:
        self._port = port
        self._call = call
        self._page = page
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        made = self._limited(name, found)
        if inspect.ismethod(found):
            setattr(self, name, made)  # the next look-up finds it at once
        return made

    def _limited(self, name: str, found: Callable[..., Any]) -> Callable[..., Any]:
        if name == "pull" or inspect.isasyncgenfunction(found):  # a connector's pull may return what pages come from
            return partial(self._pages, found)
        if not inspect.iscoroutinefunction(found):
            return found
        special: dict[str, Callable[..., Any]] = {"submit": self._submit, "write": self._write}
        return partial(special.get(name, self._other), found)

    async def _submit(self, call: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        try:
            with self._watching():
                async with asyncio.timeout(min(LIMITS["submit"], self._call)):
                    return await call(*args)
        except TimeoutError as error:
            raise InDoubt(self._told()) from error

    async def _write(
        self, call: Callable[..., Coroutine[Any, Any, list[WriteOutcome]]], changes: Sequence[Change], *args: Any
    ) -> list[WriteOutcome]:
        try:
            with self._watching():
                async with asyncio.timeout(self._call):
                    return await call(changes, *args)
        except TimeoutError:
            unknown = partial(WriteOutcome, status=WriteStatus.UNKNOWN, detail=self._told())
            return [unknown(ref=change.ref, field=change.field) for change in changes]

    async def _other(self, call: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
        within = min(LIMITS.get(call.__name__, self._call), self._call)
        try:
            with self._watching():
                async with asyncio.timeout(within):
                    return await call(*args, **kwargs)
        except TimeoutError as error:
            raise Retry(self._told()) from error

    async def _pages(self, pull: Callable[..., AsyncIterator[Page]], *args: Any, **kwargs: Any) -> AsyncIterator[Page]:
        pages = pull(*args, **kwargs)
        while True:
            try:
                with self._watching():
                    async with asyncio.timeout(self._page):
                        page = await anext(pages)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Retry(self._told()) from error
            yield page

    def _watching(self) -> AbstractContextManager[None]:
        return nullcontext() if self._calls is None else watching(self._calls, self._port.name)

    def _told(self) -> str:
        return f"{self._port.name} did not come to an end in time"
