"""A ledger moves to PostgreSQL and back: every row comes along, work goes on, and only one of the two can be opened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.ledger import search, upkeep
from syncd.ledger.engines import engine_of
from syncd.ledger.file import LedgerError, LedgerMoved
from syncd.ledger.place import Place, Url
from syncd.ledger.store import Ledger, Tx, reading
from tests import places
from tests.contract.fake_provider import FakeProvider

from .audit import sqlite3
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger import moving
from syncd.ledger.moving import move
from tests.postgres import Cluster, needed

pytestmark = pytest.mark.sqlite  # each of these has one of both
NOW = 1_800_000_000.0
NUL = "what the vendor said: \0"


class GivenUp(Exception):
    """Somebody has pressed Ctrl-C."""


@pytest.fixture(scope="module")
def server() -> Cluster:
    return needed()


@pytest.fixture
def url(server: Cluster) -> Iterator[Url]:
    made = server.fresh()
    yield made
    server.give_back(made)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """One contact was written, one was not found, one is asked about, and a call is in doubt."""
    fakes = [FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")]
    with Harness(tmp_path, providers=fakes) as made:
        made.finds(made.person("Ada"), EMAIL, "ada@acme.example.com")
        made.finds(made.person("Bo"), PHONE, "+12015550101", by="bob")
        made.ask()
        made.answer_all()
        made.finish()
        made.person("Clara")
        made.ask()
        yield made


def settle(harness: Harness) -> None:
    """All whom there is anything to ask about are asked about, and answered."""
    for _ in range(3):
        harness.ask()
        for name in harness.fakes:
            harness.answer_all(name)
        harness.finish()


@pytest.fixture
def file(harness: Harness) -> Path:
    harness.ledger.close()
    return harness.path


def rows(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """All of a ledger, whichever way it is marked."""
    with engine_of(place).reading() as connection:
        names = [name for (name,) in connection.execute(_TABLES[isinstance(place, Path)]).fetchall()]
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    return {name: sorted((tuple(row) for row in some), key=repr) for name, some in found.items()}


_TABLES = {
    False: "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN "
    "('contact_words', 'moved', 'ledger_migration', 'worker', 'claim')",
    True: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%sqlite%' "
    "AND name NOT LIKE 'contact_words%' AND name NOT IN ('moved', 'worker', 'claim')",
}


def found(place: Place, words: str) -> list[str]:
    with reading(place) as tx:
        return [one.name for one in search.find(tx, search.Wanted(text=words)).rows]


def go_on(harness: Harness, place: Place) -> None:
    """The same daemon, on the ledger as it is there."""
    if isinstance(place, Path):
        places.moved(harness.path, harness.path)
        harness.path = place
    places.moved(harness.path, place)
    harness._open()
    harness.recover()


def mark(place: Place, row: tuple[Any, ...] | None) -> None:
    """What a move that was cut short may have left."""
    engine = engine_of(place)
    with closing(engine.open_change()) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM moved")
        if row is not None:
            tx = Tx(connection, statements=engine.statements)
            tx.run("moved_set", place=row[0], now=row[1], arriving=row[2])
        engine.commit(connection)


def test_there_and_back_with_work_under_way(harness: Harness, file: Path, url: Url, tmp_path: Path) -> None:
    before = rows(file)
    seen: list[tuple[int, int]] = []
    told = move(file, url, now=NOW, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * told.rows, 2 * told.rows), "each row is copied, and compared"
    assert rows(url) == before == rows(file)
    counted = {name: one.rows for name, one in told.tables.items()}
    assert counted.pop("worker") == 1, "which is not alive there"
    assert counted == {name: len(some) for name, some in before.items()} | {"claim": 0}
    assert told.rows == sum(counted.values()) + 1
    assert found(url, "ada") == found(url, "ada@acme.example.com") != []

    go_on(harness, url)
    harness.finds(harness.person("Dora"), EMAIL, "dora@acme.example.com")
    settle(harness)
    bills = [len(fake.submitted) for fake in harness.fakes.values()]
    harness.ledger.close()

    back = tmp_path / "back.db"
    before = rows(url)
    move(url, back, now=NOW + 1)
    assert rows(back) == before
    assert found(back, "dora") != []
    go_on(harness, back)
    settle(harness)
    assert [len(fake.submitted) for fake in harness.fakes.values()] == bills  # nobody is asked about once more
    assert harness.sql("SELECT count(*) FROM moved") == [(0,)]


def test_only_one_of_both_can_be_opened(file: Path, url: Url) -> None:
    move(file, url, now=NOW)
    with pytest.raises(LedgerMoved, match=rf"was moved to {url} on 2027-01-15"):
        Ledger.open(file)
    with pytest.raises(LedgerMoved, match="was moved to"):
        Ledger.change(file, upkeep.set_mark, "a", 1.0)
    with pytest.raises(LedgerMoved, match="was moved to"), reading(file):
        pass
    Ledger.open(url).close()
    with pytest.raises(LedgerMoved, match="already"):
        move(file, url, now=NOW)


@pytest.mark.parametrize("after", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("way", ["there", "back"])
def test_one_that_is_given_up_has_changed_nothing(file: Path, url: Url, tmp_path: Path, after: float, way: str) -> None:
    source, target = (file, url) if way == "there" else (url, tmp_path / "back.db")
    if way == "back":
        move(file, url, now=NOW)
    before = rows(source)

    def give_up(done: int, total: int) -> None:
        if done > after * total:
            raise GivenUp

    with pytest.raises(GivenUp):
        move(source, target, now=NOW, progress=give_up)
    assert rows(source) == before
    assert isinstance(target, Url) or list(tmp_path.glob(".back*")) == []
    Ledger.open(source).close()
    move(source, target, now=NOW)
    assert rows(target) == before


@pytest.mark.parametrize("way", ["there", "back"])
def test_one_that_was_killed_before_the_old_one_said_so_begins_anew(
    file: Path, url: Url, tmp_path: Path, way: str
) -> None:
    """Meanwhile the old one was used: what has arrived is not the latest."""
    source, target = (file, url) if way == "there" else (url, tmp_path / "back.db")
    if way == "back":
        move(file, url, now=NOW)
    move(source, target, now=NOW)
    mark(target, (str(source), NOW, 1))
    mark(source, None)
    with pytest.raises(LedgerMoved, match="has not ended"):
        Ledger.open(target)
    Ledger.change(source, upkeep.set_mark, "later", 2.0)
    move(source, target, now=NOW)
    with reading(target) as tx:
        assert upkeep.mark(tx, "later") == 2.0


@pytest.mark.parametrize("way", ["there", "back"])
def test_one_that_was_killed_after_it_is_ended(file: Path, url: Url, tmp_path: Path, way: str) -> None:
    source, target = (file, url) if way == "there" else (url, tmp_path / "back.db")
    if way == "back":
        move(file, url, now=NOW)
    move(source, target, now=NOW)
    before = rows(target)
    mark(target, (str(source), NOW, 1))
    assert move(source, target, now=NOW).tables == {}
    assert rows(target) == before
    Ledger.open(target).close()


def test_nobody_changes_it_meanwhile(file: Path, url: Url) -> None:
    refused: list[LedgerError] = []

    def change() -> None:
        try:
            Ledger.change(file, upkeep.set_mark, "too late", 1.0)
        except LedgerError as error:
            refused.append(error)

    other = threading.Thread(target=change)

    def begin(done: int, _: int) -> None:
        if not other.ident:
            other.start()

    move(file, url, now=NOW, progress=begin)
    other.join()
    assert len(refused) == 1
    with reading(url) as tx:
        assert upkeep.mark(tx, "too late") is None


def test_a_process_that_missed_it_all_writes_nothing_more(file: Path, url: Url, tmp_path: Path) -> None:
    """It stood still while the ledger was moved away from under it."""
    move(file, url, now=NOW)
    ledger = Ledger.open(url)
    asyncio.run(ledger.write(upkeep.set_mark, "in time", 1.0))
    move(url, tmp_path / "back.db", now=NOW)
    with pytest.raises(LedgerMoved, match="was moved to"):
        asyncio.run(ledger.write(upkeep.set_mark, "too late", 1.0))
    ledger.close()
    assert "too late" not in str(rows(url)["meta"])


def test_another_ledger_is_not_replaced(file: Path, url: Url, tmp_path: Path) -> None:
    Ledger.open(url).close()
    Ledger.change(url, upkeep.set_mark, "somebody's", 1.0)
    with pytest.raises(LedgerError, match="there is a ledger at the place"):
        move(file, url, now=NOW)
    there = tmp_path / "there.db"
    Ledger.open(there).close()
    with pytest.raises(LedgerError, match="there is a ledger at the place"):
        move(url, there, now=NOW)
    Ledger.open(file).close()
    with pytest.raises(LedgerError, match="from a file to PostgreSQL, or back"):
        move(file, there, now=NOW)


def test_what_does_not_add_up_is_not_moved(file: Path, url: Url) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE counter SET n = n + 1")
        connection.commit()
    with pytest.raises(LedgerError, match="does not add up, and was not moved: the counter of"):
        move(file, url, now=NOW)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM moved").fetchone() == (0,)
        connection.execute("UPDATE counter SET n = n - 1")
        connection.commit()


def test_a_row_that_is_not_the_same_is_noticed(file: Path, url: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bug in the copying would leave it."""
    index = moving._index

    def wrongly(tx: Tx) -> None:
        index(tx)
        tx._connection.execute("UPDATE contact SET vague = '[0]'")

    monkeypatch.setattr(moving, "_index", wrongly)
    with pytest.raises(LedgerError, match="a row of contact is not the same on both sides"):
        move(file, url, now=NOW)


def test_a_text_that_postgres_can_not_hold(file: Path, url: Url) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO tally VALUES (?, 1)", (NUL,))
        connection.commit()
    move(file, url, now=NOW)
    assert (NUL.replace("\0", "\ufffd"), 1) in rows(url)["tally"]
