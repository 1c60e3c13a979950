"""Who waits for the ledger for too long is told so, by one timer for all."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from syncd.ledger import upkeep
from syncd.ledger.file import LedgerBusy
from syncd.ledger.patience import EVERY, Patience
from syncd.ledger.store import Ledger, Tx
from tests.places import place_of


def test_what_takes_too_long_is_given_up_and_what_comes_in_time_is_not(tmp_path: Path) -> None:
    ledger, patience = Ledger.open(place_of(tmp_path / "ledger.db")), Patience(0.5)
    goes_on = threading.Event()

    def holds(_: Tx) -> None:
        assert goes_on.wait(10)

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        await ledger.write_watched(patience.watch, upkeep.set_mark, "in time", 1.0)
        held, began = asyncio.create_task(ledger.write(holds)), loop.time()
        await asyncio.sleep(0)
        with pytest.raises(LedgerBusy, match=r"^the ledger has not answered for 0\.5 s$"):
            await ledger.write_watched(patience.watch, upkeep.set_mark, "too late", 1.0)
        assert 0.5 <= loop.time() - began < 0.5 + EVERY + 1.0
        goes_on.set()
        await held
        await ledger.write_watched(patience.watch, upkeep.set_mark, "again", 1.0)

    asyncio.run(waits())
    marks = [asyncio.run(ledger.read(upkeep.mark, name)) for name in ("in time", "too late", "again")]
    ledger.close()
    assert marks == [1.0, 1.0, 1.0], "who is told so does not know what became of it"


def test_it_looks_only_while_somebody_waits() -> None:
    async def looks() -> tuple[bool, bool]:
        patience, one = Patience(60.0), asyncio.get_running_loop().create_future()
        patience.watch(one)
        one.set_result(None)
        before = patience._looks
        await asyncio.sleep(2 * EVERY)
        return before, patience._looks

    assert asyncio.run(looks()) == (True, False)
