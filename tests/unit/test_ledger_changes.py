"""Changes of the ledger's tables: who makes them, who may work with them, and what they may be."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd.ledger import chain, copies, upkeep
from syncd.ledger.file import LedgerTooNew
from syncd.ledger.place import Place, Url
from syncd.ledger.store import Ledger, Tx, reading
from tests import places
from tests.places import ENGINES
from tests.releases import ADDED, NEEDED, begin_to_open, open_with, release
from tests.system.rig import until

ADDS = re.compile(
    r"(CREATE TABLE .*|CREATE (UNIQUE )?INDEX .*|CREATE VIEW .*|CREATE TRIGGER .*"
    r"|ALTER TABLE \w+ ADD COLUMN (?!.*NOT NULL(?!.* DEFAULT )).*)",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(tmp_path_factory.mktemp("releases") / "newer", *ADDED)


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A ledger that nobody else will have."""
    if request.param == "sqlite":
        yield tmp_path / "ledger.db"
        return
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    from tests.postgres import needed  # noqa: PLC0415

    server = needed()
    url = server.fresh()
    yield url
    server.drop(url)


def ask(place: Place, question: str) -> list[tuple[Any, ...]]:
    """Of this place, whatever the other tests run on."""
    return places._ask_file(place, question, ()) if isinstance(place, Path) else places.ask(place, question)


def text_of(place: Place) -> str:
    return place.text if isinstance(place, Url) else str(place)


def looked(tx: Tx) -> None:
    tx.rows("job_by_id", id=1)
    tx.tally("looks")


def test_who_works_goes_on_while_a_newer_release_adds_to_the_tables(newer: Path, place: Place) -> None:
    """What it keeps prepared are statements that give all columns of a table."""
    ledger = Ledger.open(place)

    async def look() -> None:
        for _ in range(8):
            await ledger.write(looked)
            await ledger.read(lambda tx: tx.rows("contact_by_id", id=1))

    try:
        asyncio.run(look())
        open_with(newer, text_of(place))
        asyncio.run(look())
    finally:
        ledger.close()
    assert ask(place, "SELECT count(hint), (SELECT count(*) FROM hint) FROM job") == [(0, 0)]
    assert ask(place, "SELECT n FROM tally WHERE name = 'looks'") == [(16,)]


def test_an_older_release_opens_what_a_newer_one_has_added_to(newer: Path, place: Place) -> None:
    for _ in range(2):  # there and back, and again
        open_with(newer, text_of(place))
        ledger = Ledger.open(place)
        asyncio.run(ledger.write(upkeep.set_mark, "older", 1.0))
        ledger.close()
        with reading(place) as tx:
            assert upkeep.mark(tx, "older") == 1.0


def test_a_release_that_does_not_know_enough_is_refused(tmp_path: Path, place: Place) -> None:
    ledger = Ledger.open(place)
    asyncio.run(ledger.write(upkeep.set_mark, "before", 1.0))
    open_with(release(tmp_path / "needed", NEEDED), text_of(place))
    why = f"a newer one has made version {chain.newest() + 1} of its tables, .* this one knows {chain.newest()}"
    if isinstance(place, Url):
        for _ in range(2):
            with pytest.raises(LedgerTooNew, match=why):
                asyncio.run(ledger.write(upkeep.set_mark, "after", 1.0))
    ledger.close()
    with pytest.raises(LedgerTooNew, match=why):
        Ledger.open(place)
    with pytest.raises(LedgerTooNew, match=why):
        Ledger.change(place, upkeep.set_mark, "after", 1.0)
    open_with(tmp_path / "needed", text_of(place))
    with pytest.raises(LedgerTooNew, match=why), reading(place):
        pass
    with pytest.raises(LedgerTooNew, match=why):
        copies.copy_for_trial(place, tmp_path / "trial.db")
    assert not (tmp_path / "trial.db").exists() or isinstance(place, Url), "nothing is copied"


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_of_several_that_begin_at_once_one_changes_the_tables(newer: Path, place: Place) -> None:
    Ledger.open(place).close()
    threads = [threading.Thread(target=open_with, args=(newer, text_of(place))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    numbers = [number for (number,) in ask(place, "SELECT number FROM ledger_migration ORDER BY number")]
    assert numbers == list(range(1, chain.newest() + len(ADDED) + 1))


LONGEST = 2.0 + 3.0  # seconds that who writes may wait: a try to change a table, on a busy machine
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('job_hint')"


@contextmanager
def somebody_who_reads(place: Url) -> Iterator[None]:
    """In a transaction that does not end: no table that he has read can be changed."""
    import psycopg  # noqa: PLC0415 - not installed everywhere

    with psycopg.connect(place.text) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM job")
        yield


def write_for(seconds: float, ledger: Ledger) -> float:
    """Again and again; returns how long the slowest took."""

    async def go() -> float:
        slowest, end = 0.0, time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            await ledger.write(looked)
            slowest = max(slowest, time.monotonic() - begun)
            await asyncio.sleep(0.05)
        return slowest

    return asyncio.run(go())


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_nobody_is_held_up_by_a_change_that_has_to_wait(newer: Path, place: Url) -> None:
    ledger = Ledger.open(place)
    with somebody_who_reads(place):
        opening = begin_to_open(newer, place.text)
        assert write_for(8.0, ledger) < LONGEST
        assert opening.poll() is None
    _, said = opening.communicate(timeout=60)
    ledger.close()
    assert opening.returncode == 0, said
    assert ask(place, "SELECT max(number) FROM ledger_migration") == [(chain.newest() + len(ADDED),)]


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_an_index_is_built_beside_who_writes_and_again_where_that_was_cut_short(
    tmp_path: Path, newer: Path, place: Url
) -> None:
    ledger = Ledger.open(place)
    open_with(release(tmp_path / "first", ADDED[0]), place.text)
    with somebody_who_reads(place):
        opening = begin_to_open(newer, place.text)
        until("it is half built", lambda: ask(place, VALID) == [(0,)])
        assert write_for(3.0, ledger) < 1.0
        ask(place, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%'")
        assert opening.wait(60) != 0
        opening.communicate()
    ledger.close()
    assert ask(place, VALID) == [(0,)]
    open_with(newer, place.text)
    assert ask(place, VALID) == [(1,)]


def test_changes_only_add_or_say_what_they_need() -> None:
    """So that hosts can be upgraded one after the other: see syncd/ledger/changes/README.md."""
    for change in chain.changes()[1:]:
        statements = re.sub(r"--.*", "", change.text).split(";\n")
        adds = all(ADDS.fullmatch(one.strip()) for one in statements if one.strip())
        assert adds or change.needs == change.number, change.name
        assert 1 <= change.needs <= change.number
    for text, adds in ((ADDED[0], True), (ADDED[1], True), ("DROP TABLE job", False)):
        assert all(ADDS.fullmatch(one.strip()) for one in text.split(";\n") if one.strip()) == adds
    assert not ADDS.fullmatch("ALTER TABLE job ADD COLUMN hint TEXT NOT NULL")
