"""The duties of the Crm port, one by one: `CrmContract`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from .crm_pulls import Looks, Pulls
from .crm_reads import Reads
from .crm_world import Act, CrmWorld, Play
from .crm_writes import Checks, Writes

Opens = Callable[[], AbstractAsyncContextManager[CrmWorld]]


class CrmContract(Pulls, Looks, Reads, Writes, Checks):
    """Derive from it and give `world`: what opens a CRM with nobody in it yet. Each test opens one of its own."""

    @pytest.fixture
    def world(self) -> Opens:
        """To be given by whoever derives from it."""
        raise NotImplementedError("give a fixture `world`: a function that opens a CrmWorld")

    @pytest.fixture
    def play(self, world: Opens) -> Play:
        """Runs an act in a fresh world."""

        async def perform(act: Act) -> None:
            async with world() as stage:
                await act(stage)

        return lambda act: asyncio.run(perform(act))
