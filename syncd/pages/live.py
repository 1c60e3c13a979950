"""One stream of figures to every open page: the ledger is looked at once a second, however many look at us."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import structlog

from syncd import words
from syncd.ledger.file import LedgerError
from syncd.observe.status import live as whole_status
from syncd.pipeline.parts import Parts
from syncd.words import Standing

EVERY = 1.0  # seconds between two looks
MOST = 20  # pages that are told
LASTS = 300.0  # seconds of a stream: the browser asks again, and is told by the configuration of that time

log = structlog.get_logger("syncd.pages")


class Live:
    """Who listens, and what they are told."""

    def __init__(self, parts: Parts, most: int = MOST) -> None:
        self._parts = parts
        self._most = most
        self._listeners: set[asyncio.Queue[str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._newest = ""

    @property
    def is_full(self) -> bool:
        """Are there as many listeners as there may be?"""
        return len(self._listeners) >= self._most

    async def stream(self, stopping: asyncio.Event) -> AsyncIterator[str]:
        """Server-sent events until the daemon stops, or for some minutes."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._listeners.add(queue)
        self._task = self._task or asyncio.create_task(self._look(), name="live")
        end = asyncio.get_running_loop().time() + LASTS
        ended = asyncio.create_task(stopping.wait())
        try:
            yield f"retry: 1000\n\n{self._newest}"
            while asyncio.get_running_loop().time() < end and not ended.done():
                told = asyncio.create_task(queue.get())
                await asyncio.wait({told, ended}, return_when=asyncio.FIRST_COMPLETED)
                if told.done():
                    yield told.result()
                else:
                    told.cancel()
        finally:
            ended.cancel()
            self._listeners.discard(queue)

    async def _look(self) -> None:
        """Until nobody listens any more."""
        try:
            while self._listeners:
                await self._tell()
                await asyncio.sleep(EVERY)
        finally:
            self._task, self._newest = None, ""

    async def _tell(self) -> None:
        try:
            told = figures(await whole_status(self._parts))
        except LedgerError as error:
            log.warning("figures_unknown", why=str(error))  # the pages see that nothing comes, and say how old they are
            return
        self._newest = f"data: {json.dumps(told, ensure_ascii=False)}\n\n"
        for queue in self._listeners:
            if not queue.full():  # who is slow is told the next ones
                queue.put_nowait(self._newest)


def figures(status: dict[str, Any]) -> dict[str, str]:
    """By the name that stands in the page as `data-live`: the text."""
    syncs = status["syncs"]
    told = {
        "sentence": status["sentence"],
        "reviews": f"{status['reviews']['waiting']:,}",
        "doubts": f"{sum(one['calls'] for one in status['in_doubt'].values()):,}",
        "moving": f"{sum(one['moving'] for one in syncs.values()):,}",
        "written": f"{sum(one['written'] for one in syncs.values()):,}",
        "charged": f"{sum(one['charged'] for one in status['credits'].values()):,g}",
    }
    for name, one in syncs.items():
        standing = words.STANDINGS[Standing(one["state"])]
        told[f"state {name}"] = f"{standing.sign} {one['state']}"
        told[f"colour {name}"] = standing.colour.value
        told[f"moving {name}"] = f"{one['moving']:,}"
        told[f"written {name}"] = f"{one['written']:,}"
    return told
