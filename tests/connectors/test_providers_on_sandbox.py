"""What both providers do alike against their emulated vendors."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from syncd.contract import normal
from syncd.contract.errors import Garbled
from syncd.contract.model import (
    Identity,
    Level,
)
from syncd.contract.testing.samples import EMAIL

from .stage import Stage, on_fullenrich, on_zeliq


@pytest.mark.parametrize("kind", ["malformed", "garbage", "array", "deep"])
@pytest.mark.parametrize("run", [on_zeliq, on_fullenrich])
def test_case_68_unreadable_callbacks_are_garbled(run: Callable[..., None], kind: str) -> None:
    async def act(stage: Stage) -> None:
        submission = stage.submission(stage.request(stage.people(1)[0], EMAIL))
        await stage.provider.submit(submission)
        with pytest.raises(Garbled):
            await stage.answers(submission)

    run(act, f"{'zeliq_callback' if run is on_zeliq else 'fullenrich_webhook'}_{kind}:*")


def test_case_10_a_profile_that_only_looks_like_one_is_refused_by_us_first() -> None:
    async def act(stage: Stage) -> None:
        odd = normal.tidy(Identity(linkedin_url="https://www.linkedin.com/sales/lead/ACwAAB"))
        assert stage.provider.lacks(stage.request(stage.people(1)[0], EMAIL, odd))

    on_fullenrich(act)
    on_zeliq(act)


@pytest.mark.parametrize("run", [on_zeliq, on_fullenrich])
def test_check_and_balance(run: Callable[..., None]) -> None:
    async def act(stage: Stage) -> None:
        assert await stage.provider.balance() == Decimal("7.75")
        assert [f.level for f in await stage.provider.check()] == [Level.OK]

    async def wrong_key(stage: Stage) -> None:
        assert [f.level for f in await stage.provider.check()] == [Level.ERROR]

    run(act, credits=Decimal("7.75"))
    run(wrong_key, key="no-such-key")
