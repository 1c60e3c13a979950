"""Raw answers are kept once, whether they arrive one after the other or together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.contract.model import Delivery, Source
from syncd.ledger import arrivals
from syncd.ledger.arrivals import Kept
from syncd.ledger.states import DeliveryState
from syncd.ledger.store import Ledger, Tx
from tests.places import place_of

from .audit import ask

Told = dict[str, Any]
NOW = 1.0
SAMPLE = b'{"status": "FINISHED", "data": [{"custom": {"contact_id": "1"}, "contact_info": {}}]}'
ROWS = "SELECT submission_id, source, body, state, note, repeats, part, size, sample_id FROM delivery ORDER BY id"
SETTLED = """INSERT INTO submission (id, provider, state, sync, run_id, requests, reserved_mc,
    created_at, deadline, shares) VALUES ('s', 'ann', 'settled', 'a', 1, 1, 0, 1, 1, '{}')"""


@st.composite
def arrival(draw: st.DrawFn) -> tuple[Delivery, Told]:
    believed = draw(st.booleans())
    delivery = Delivery(
        submission_id=draw(st.sampled_from(["s", "t"])),
        source=draw(st.sampled_from(list(Source))),
        body=draw(st.sampled_from([b"{}", b"[1]", SAMPLE, SAMPLE + b" " * 9, b"x" * (arrivals.PART + 5)])),
        part=draw(st.sampled_from(["", "contact"])),
    )
    state = DeliveryState.RECEIVED if believed else DeliveryState.QUARANTINED
    return delivery, {"now": NOW, "state": state, "believed": believed, "sample": SAMPLE}


Run = Callable[[Callable[[Ledger], Coroutine[Any, Any, list[Kept]]]], list[Kept]]


@contextmanager
def ledger(path: Path) -> Iterator[Run]:
    """Runs work that is given the ledger."""
    opened = Ledger.open(place_of(path))
    with asyncio.Runner() as runner:
        try:
            yield lambda work: runner.run(work(opened))
        finally:
            opened.close()


async def one_after_the_other(books: Ledger, all_: Sequence[tuple[Delivery, Told]]) -> list[Kept]:
    return [await books.write(arrivals.store, "ann", delivery, **told) for delivery, told in all_]


async def together(books: Ledger, all_: Sequence[tuple[Delivery, Told]]) -> list[Kept]:
    """All of them wait for the writer, which is held up until they do."""
    waiting = threading.Event()

    def hold(_: Tx) -> None:
        assert waiting.wait(10)

    held = asyncio.create_task(books.write(hold))
    stored = [asyncio.create_task(books.write(arrivals.store, "ann", one, **told)) for one, told in all_]
    await asyncio.sleep(0)
    waiting.set()
    await held
    return list(await asyncio.gather(*stored))


@settings(max_examples=25, deadline=None)
@given(all_=st.lists(arrival(), min_size=1, max_size=12))
def test_together_is_the_same_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, all_: list[tuple[Delivery, Told]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("two")
    with ledger(folder / "one.db") as one, ledger(folder / "many.db") as many:
        assert many(lambda books: together(books, all_)) == one(lambda books: one_after_the_other(books, all_))
        assert ask(folder / "many.db", ROWS) == ask(folder / "one.db", ROWS)


async def settled(books: Ledger) -> list[Kept]:
    await books.write(lambda tx: tx._connection.execute(SETTLED))
    return []


def test_a_call_keeps_no_more_than_can_be_genuine_of_what_comes_at_once(tmp_path: Path) -> None:
    told: Told = {"now": NOW, "bounded": True}
    flood = [(Delivery(submission_id="s", source=Source.CALLBACK, body=b"%d" % n), told) for n in range(25)]
    with ledger(tmp_path / "ledger.db") as books:
        assert books(lambda it: together(it, flood)) == [Kept.NEW] * 20 + [Kept.TOO_MANY] * 5
        assert books(lambda it: together(it, flood[:3])) == [Kept.REPEATED] * 3
        assert books(lambda it: together(it, flood[-2:])) == [Kept.TOO_MANY] * 2, "nor of what comes later"
        books(settled)
        assert books(lambda it: together(it, [flood[-1]])) == [Kept.GONE], "its last word has come"
        assert len({Kept.TOO_MANY, Kept.GONE, Kept.REPEATED, Kept.NEW}) == 4
        trusted = [(replace(one, submission_id="t"), {"now": NOW}) for one, _ in flood]
        assert books(lambda it: together(it, trusted)) == [Kept.NEW] * 25, "whose sender is known"


def test_what_comes_again_and_again_is_kept_once_and_counted(tmp_path: Path) -> None:
    one = Delivery(submission_id="s", source=Source.CALLBACK, body=b"{}")
    with ledger(tmp_path / "ledger.db") as books:
        again = [Kept.REPEATED] * 2
        assert books(lambda it: together(it, [(one, {"now": NOW})] * 3)) == [Kept.NEW, *again]
        assert ask(tmp_path / "ledger.db", "SELECT repeats FROM delivery") == [(2,)]
        assert books(lambda it: together(it, [(one, {"now": NOW})] * 2)) == again
        assert ask(tmp_path / "ledger.db", "SELECT repeats FROM delivery") == [(4,)]


def test_of_what_is_not_believed_the_first_four_kilobytes_are_kept(tmp_path: Path) -> None:
    told: Told = {"now": NOW, "state": DeliveryState.QUARANTINED, "believed": False, "sample": SAMPLE}
    one = Delivery(submission_id="s", source=Source.CALLBACK, body=SAMPLE * 100)
    with ledger(tmp_path / "ledger.db") as books:
        assert books(lambda it: one_after_the_other(it, [(one, told)])) == [Kept.NEW]
    assert ask(tmp_path / "ledger.db", "SELECT length(body), size, sample_id FROM delivery") == [
        (4_096, len(SAMPLE) * 100, None)
    ]


def test_large_bodies_go_into_a_statement_by_the_few() -> None:
    rows = [[n] * 6 + [bytes(3 << 20)] for n in range(7)]
    pieces = list(arrivals._pieces(rows))
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert [row for piece in pieces for row in piece] == rows
