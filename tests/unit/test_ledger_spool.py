"""Callbacks on a host's disk, until they can be forwarded: in order, as they came, within a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.contract.model import ContactRef, Delivery, Field, Source
from syncd.ledger.arrivals import Kept
from syncd.ledger.file import DiskFull, LedgerError
from syncd.ledger.spool import Spool, Spooled, Waiting
from syncd.ledger.store import Ledger

pytestmark = pytest.mark.sqlite  # a spool is a file

LIMIT = 1_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    with Spool.opened(path, LIMIT) as spool:
        yield spool


def delivery(n: int, size: int = 10, *, part: str = "") -> Delivery:
    ref = ContactRef(connection="crm", object="contacts", id=str(n))
    body = f"{n:{size}}".encode()
    return Delivery(submission_id=f"s{n}", source=Source.CALLBACK, body=body, ref=ref, field=Field.EMAIL, part=part)


def test_callbacks_come_out_as_they_went_in_the_first_ones_first(spool: Spool) -> None:
    async def work() -> tuple[list[Spooled], list[Spooled]]:
        bare = Delivery(submission_id="s9", source=Source.CALLBACK, body=b"x" * 300)
        assert await spool.keep("bob", delivery(2, part="contact"), now=7.0) is Kept.NEW
        assert await spool.keep("ann", bare, now=5.0, sample=b"x" * 200) is Kept.NEW
        assert await spool.keep("ann", bare, now=8.0, sample=b"x" * 200) is Kept.REPEATED
        assert spool.waiting == Waiting(2, 310, 7.0)
        return await spool.oldest(9), await spool.oldest(1)

    found, first = asyncio.run(work())
    assert [(one.provider, one.delivery.submission_id, one.came_at, one.sample) for one in found] == [
        ("bob", "s2", 7.0, b""),
        ("ann", "s9", 5.0, b"x" * 200),
    ]
    assert found[0].delivery == delivery(2, part="contact")
    assert (found[1].delivery.body, found[1].delivery.ref, found[1].delivery.field) == (b"x" * 300, None, None)
    assert first == found[:1]


def test_what_was_forwarded_makes_room(spool: Spool) -> None:
    async def work() -> None:
        for n in (1, 2, 3):
            await spool.keep("ann", delivery(n, 400 if n < 3 else 200), now=float(n))
        assert spool.waiting == Waiting(3, LIMIT, 1.0)
        with pytest.raises(DiskFull):
            await spool.keep("ann", delivery(4, 1), now=4.0)
        first, second, third = await spool.oldest(3)
        await spool.drop([first])
        assert spool.waiting == Waiting(2, 600, 1.0)
        assert [one.id for one in await spool.oldest(9)] == [second.id, third.id]
        assert spool.waiting.since == 2.0
        assert await spool.keep("ann", delivery(4, 400), now=4.0) is Kept.NEW
        await spool.drop([second, third])
        assert spool.waiting == Waiting(1, 400, 2.0)
        await spool.drop(await spool.oldest(9))
        assert spool.waiting == Waiting(0, 0, None)
        assert await spool.oldest(9) == []
        assert spool.waiting.since is None

    asyncio.run(work())


def test_the_next_process_finds_what_waits(path: Path) -> None:
    with Spool.opened(path, LIMIT) as spool:
        for n in (1, 2):
            asyncio.run(spool.keep("ann", delivery(n, 20), now=float(n)))
    with Spool.opened(path, LIMIT) as spool:
        assert spool.waiting == Waiting()
        asyncio.run(spool.count())
        assert spool.waiting == Waiting(2, 40, 1.0)


def test_a_spool_is_one_processs_alone_and_says_where_its_name_stands(path: Path, tmp_path: Path) -> None:
    with (
        Spool.opened(path, LIMIT),
        pytest.raises(LedgerError, match=r"another syncd has the spool .*callbacks\.spool\.path"),
        Spool.opened(path, LIMIT),
    ):
        pass
    Ledger.open(tmp_path / "torn.db").close()
    (tmp_path / "torn.db").write_bytes(b"no database" * 1_000)
    with (
        pytest.raises(LedgerError, match=r"the spool for callbacks \(callbacks\.spool\.path\)"),
        Spool.opened(tmp_path / "torn.db", LIMIT),
    ):
        pass
