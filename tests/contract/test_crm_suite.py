"""The suite of CRMs finds what it is for: each planted fault fails the duty that it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from syncd.contract.model import Change, Contact, ContactRef, Selection, Snapshot, WriteOutcome
from syncd.contract.testing import CrmContract, CrmWorld

from .crm_worlds import FakeWorld
from .fake_crm import FakeCrm


class OverwritesAColleague(FakeCrm):
    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        held = {snapshot.ref: snapshot for snapshot in await self.read([one.ref for one in changes], selection)}
        now = [replace(one, expected=held[one.ref].values.get(one.field, "")) for one in changes]
        return await super().write(now, selection)


class ForgetsWhoIsGone(FakeCrm):
    async def read(self, refs: Sequence[ContactRef], selection: Selection) -> list[Snapshot]:
        return [one for one in await super().read(refs, selection) if one.current is not None]


class LooksAtWhoIsNotSelected(FakeCrm):
    async def look(self, refs: Sequence[ContactRef], selection: Selection) -> list[Contact]:
        return await super().look(refs, replace(selection, match={}))


class StopsAtTheFirstRefusal(FakeCrm):
    async def write(self, changes: Sequence[Change], selection: Selection) -> list[WriteOutcome]:
        outcomes = await super().write(changes, selection)
        bad = next((n for n, one in enumerate(outcomes) if one.status == "invalid"), len(outcomes))
        return outcomes[: bad + 1]


Duty = Callable[[CrmContract], Callable[..., None]]


@pytest.mark.parametrize(
    ("crm", "duty"),
    [
        (OverwritesAColleague, CrmContract.test_a_colleague_who_is_faster),
        (ForgetsWhoIsGone, CrmContract.test_read_of_who_is_gone),
        (LooksAtWhoIsNotSelected, CrmContract.test_l06_who_does_not_match_any_more_is_missing_in_a_look),
        (StopsAtTheFirstRefusal, CrmContract.test_a_refused_email_does_not_stop_the_phone),
    ],
)
def test_a_planted_fault_is_found(crm: type[FakeCrm], duty: Callable[..., None]) -> None:
    def play(kind: type[FakeCrm]) -> None:
        @asynccontextmanager
        async def world() -> AsyncIterator[CrmWorld]:
            made = FakeWorld(conditional=True)
            made.crm.__class__ = kind
            yield made

        async def perform(act: Callable[[CrmWorld], object]) -> None:
            async with world() as stage:
                await act(stage)  # type: ignore[misc]

        duty(CrmContract(), lambda act: asyncio.run(perform(act)))

    play(FakeCrm)
    with pytest.raises((AssertionError, KeyError)):
        play(crm)


def test_whoever_forgets_the_world_is_told() -> None:
    given = CrmContract.world.__wrapped__  # type: ignore[attr-defined]
    with pytest.raises(NotImplementedError, match="a fixture `world`"):
        given(CrmContract())
