"""The file and its one writer: opening safely, committing together, failing honestly."""

import asyncio
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlite_utils import Database

from syncd.ledger import store
from syncd.ledger.file import APPLICATION_ID, LedgerError, WriterBroke
from syncd.ledger.migrations import migrations
from syncd.ledger.store import Call, Ledger, Tx, reading
from tests.places import place_of

from .audit import ask, sqlite3

T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(place_of(path))
    yield ledger
    ledger.close()


def tally(tx: Tx, name: str = "one", n: int = 1) -> str:
    tx.tally(name, n)
    return name


def remember(tx: Tx, key: str, value: str) -> None:
    tx.run("memory_keep", connection="c", key=key, value=value)


def tallies(path: Path) -> dict[str, int]:
    return dict(ask(path, "SELECT name, n FROM tally"))


async def together(*work: Awaitable[T]) -> list[T | BaseException]:
    return await asyncio.gather(*work, return_exceptions=True)


class Held:
    """Keeps the writer busy inside one unit, so that what comes next is committed as one group."""

    def __init__(self) -> None:
        self.inside, self.go = threading.Event(), threading.Event()

    def __call__(self, tx: Tx) -> None:
        self.inside.set()
        assert self.go.wait(30)


async def as_one_group(ledger: Ledger, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
    held = Held()
    first = asyncio.create_task(ledger.write(held))
    await asyncio.to_thread(held.inside.wait, 30)
    tasks = [asyncio.create_task(one) for one in work]
    await asyncio.sleep(0)  # each has put its unit in the queue
    held.go.set()
    await first
    return await together(*tasks)


# --- the writer -------------------------------------------------------------------------------


def test_what_is_written_is_returned_and_on_disk(ledger: Ledger, path: Path) -> None:
    assert asyncio.run(ledger.write(tally, "callbacks", n=3)) == "callbacks"
    assert tallies(path) == {"callbacks": 3}


@pytest.mark.sqlite
def test_what_comes_while_the_writer_is_busy_is_committed_together(ledger: Ledger, path: Path) -> None:
    watcher = sqlite3.connect(path)
    seen = []

    async def work(tx_name: str) -> str:
        done = await ledger.write(tally, tx_name)
        seen.append(watcher.execute("SELECT count(*) FROM tally").fetchone()[0])
        return done

    outcomes = asyncio.run(as_one_group(ledger, *(work(f"n{i}") for i in range(50))))
    assert outcomes == [f"n{i}" for i in range(50)]
    assert set(seen) == {50}, "nobody is told before all are on disk"
    watcher.close()


def _all_at_once(tx: Tx, calls: Sequence[Call]) -> list[str]:
    tx.tally("times at once")
    return [alike(tx, *call.args) for call in calls]


@store.together(_all_at_once)
def alike(tx: Tx, name: str) -> str:
    tx.tally(name)
    if name.startswith("bad"):
        raise ValueError(name)
    return name.upper()


def test_units_of_one_kind_are_done_at_once(ledger: Ledger, path: Path) -> None:
    works = [ledger.write(alike, "a"), ledger.write(tally, "b"), ledger.write(alike, "c")]
    assert asyncio.run(as_one_group(ledger, *works)) == ["A", "b", "C"]
    assert tallies(path) == {"a": 1, "b": 1, "c": 1, "times at once": 1}


def test_where_one_of_a_kind_fails_each_is_done_by_itself(ledger: Ledger, path: Path) -> None:
    good, bad, last = asyncio.run(as_one_group(ledger, *(ledger.write(alike, name) for name in ("a", "bad", "c"))))
    assert (good, str(bad), last) == ("A", "bad", "C")
    assert tallies(path) == {"a": 1, "c": 1}


@pytest.mark.sqlite
def test_a_failing_unit_is_undone_alone(ledger: Ledger, path: Path) -> None:
    def half(tx: Tx) -> None:
        tx.tally("half")
        raise ValueError("changed my mind")

    def breaks(tx: Tx) -> None:
        tx.tally("broken")
        tx.many("attempts_make", [(1, "no", "", "", 0, "", "", "", 0.0)])

    good, bad, worse, last = asyncio.run(
        as_one_group(
            ledger, ledger.write(tally, "a"), ledger.write(half), ledger.write(breaks), ledger.write(tally, "b")
        )
    )
    assert (good, last) == ("a", "b")
    assert isinstance(bad, ValueError)
    assert isinstance(worse, sqlite3.IntegrityError), "the foreign keys hold"
    assert tallies(path) == {"a": 1, "b": 1}


def fill_up(ledger: Ledger, spare: int) -> None:
    """Let the file grow by so many pages at most."""

    def limit(tx: Tx) -> None:
        pages = tx._connection.execute("PRAGMA page_count").fetchone()[0]
        tx._connection.execute(f"PRAGMA max_page_count = {pages + spare}")

    asyncio.run(ledger.write(limit))


@pytest.mark.sqlite
def test_a_full_disk_is_said_and_nothing_is_half_written(ledger: Ledger, path: Path) -> None:
    fill_up(ledger, 2)
    big = "x" * 200_000
    outcomes = asyncio.run(
        as_one_group(ledger, ledger.write(tally, "a"), ledger.write(remember, "k", big), ledger.write(tally, "b"))
    )
    assert isinstance(outcomes[1], LedgerError)
    assert "full" in str(outcomes[1])
    for name, outcome in (("a", outcomes[0]), ("b", outcomes[2])):
        assert (outcome == name) is (name in tallies(path)), "told exactly what is on disk"
        assert outcome == name or isinstance(outcome, LedgerError)
    assert ask(path, "SELECT * FROM memory") == []


@pytest.mark.sqlite
def test_it_recovers_when_there_is_room_again(ledger: Ledger, path: Path) -> None:
    fill_up(ledger, 2)
    with pytest.raises(LedgerError):
        asyncio.run(ledger.write(remember, "k", "x" * 200_000))
    fill_up(ledger, 1000)
    asyncio.run(ledger.write(remember, "k", "x" * 200_000))
    assert ask(path, "SELECT length(value) FROM memory") == [(200_000,)]


def test_a_failed_commit_is_told_to_all(ledger: Ledger, path: Path) -> None:
    def undo_all(tx: Tx) -> None:
        tx._connection.execute("ROLLBACK")  # as SQLite does by itself after some I/O errors
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = asyncio.run(
        as_one_group(ledger, ledger.write(tally, "a"), ledger.write(undo_all), ledger.write(tally, "b"))
    )
    assert [type(outcome) for outcome in outcomes] == [LedgerError] * 3
    assert tallies(path) == {}
    assert asyncio.run(ledger.write(tally, "c")) == "c", "and the next group is a new one"


def test_a_caller_who_went_away_harms_nobody(ledger: Ledger, path: Path) -> None:
    async def leave() -> str:
        held = Held()
        first = asyncio.create_task(ledger.write(held))
        await asyncio.to_thread(held.inside.wait, 30)
        gone = asyncio.create_task(ledger.write(tally, "gone"))
        beside = asyncio.create_task(ledger.write(tally, "beside"))
        await asyncio.sleep(0)
        gone.cancel()
        held.go.set()
        await first
        assert await asyncio.wait_for(beside, 10) == "beside", "of the same group"
        return await ledger.write(tally, "stayed")

    assert asyncio.run(leave()) == "stayed"
    assert tallies(path) == {"gone": 1, "beside": 1, "stayed": 1}


def test_a_closed_ledger_says_so_instead_of_hanging(path: Path) -> None:
    ledger = Ledger.open(place_of(path))
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        asyncio.run(ledger.write(tally))


def test_closing_finishes_what_is_queued_and_leaves_one_file(path: Path) -> None:
    async def queue_and_close() -> None:
        ledger = Ledger.open(place_of(path))
        tasks = [asyncio.create_task(ledger.write(tally, f"n{i}")) for i in range(20)]
        await asyncio.sleep(0)
        await asyncio.to_thread(ledger.close)
        await asyncio.gather(*tasks)

    asyncio.run(queue_and_close())
    assert len(tallies(path)) == 20


# --- readers ----------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_readers_can_only_read(ledger: Ledger, path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        asyncio.run(ledger.read(tally))
    with reading(place_of(path)) as tx, pytest.raises(sqlite3.OperationalError, match="readonly"):
        tally(tx)
    assert tallies(path) == {}


def test_a_reader_sees_what_was_just_written(ledger: Ledger) -> None:
    async def write_and_read() -> list[int]:
        seen = []
        for n in range(1, 20):
            await ledger.write(tally, "one")
            seen.append(await ledger.read(lambda tx: next(int(r["n"]) for r in tx.rows("tallies"))) - n)
        return seen

    assert asyncio.run(write_and_read()) == [0] * 19


@pytest.mark.sqlite
def test_reading_where_there_is_no_ledger(path: Path) -> None:
    with pytest.raises(LedgerError, match="start `syncd run` first"), reading(place_of(path)):
        pass
    assert not path.exists()


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["with space.db", "100%41.db", "what?.db", "no#1.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    ledger = Ledger.open(place_of(tmp_path / name))
    asyncio.run(ledger.write(tally, "here"))
    assert asyncio.run(ledger.read(lambda tx: [r["name"] for r in tx.rows("tallies")])) == ["here"]
    ledger.close()
    assert {p.name for p in tmp_path.iterdir() if not p.name.endswith(("-wal", "-shm"))} == {name}


# --- opening ----------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_the_settings_that_durability_hangs_on(ledger: Ledger, path: Path) -> None:
    def settings(tx: Tx) -> dict[str, Any]:
        names = (
            "journal_mode synchronous foreign_keys busy_timeout trusted_schema secure_delete mmap_size application_id"
        )
        return {n: tx._connection.execute(f"PRAGMA {n}").fetchone()[0] for n in names.split()}

    assert asyncio.run(ledger.write(settings)) == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "trusted_schema": 0,
        "secure_delete": 1, "mmap_size": 0, "application_id": APPLICATION_ID,
    }  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.sqlite
def test_the_tables_hold_only_what_their_types_say(ledger: Ledger, path: Path) -> None:
    loose = ask(path, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND type = 'table'")
    assert {name for (name,) in loose} <= {"sqlite_schema", "_sqlite_migrations"}


def test_an_old_sqlite_is_refused_before_anything_is_made(path: Path) -> None:
    with pytest.raises(LedgerError, match=r"SQLite 3\.51\.2 can corrupt.*3\.51\.3"):
        Ledger.open(path, sqlite_version=(3, 51, 2))
    assert not path.exists()
    Ledger.open(path, sqlite_version=(3, 51, 3)).close()


@pytest.mark.sqlite
def test_a_database_of_another_program_is_refused_untouched(path: Path) -> None:
    for mark in ("PRAGMA application_id = 7", "CREATE TABLE theirs (x)"):
        path.unlink(missing_ok=True)
        connection = sqlite3.connect(path)
        connection.execute(mark)
        connection.commit()
        connection.close()
        before = path.read_bytes()
        with pytest.raises(LedgerError, match="another program"):
            Ledger.open(place_of(path))
        assert path.read_bytes() == before


@pytest.mark.sqlite
def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 500)
    with pytest.raises(LedgerError, match="can't be opened"):
        Ledger.open(place_of(path))
    assert path.read_bytes() == b"Dear diary, " * 500


class Bug(BaseException):
    """What no code is prepared for."""


def test_a_writer_that_breaks_lets_nobody_wait(ledger: Ledger) -> None:
    def broken(tx: Tx) -> None:
        tx.tally("half a thing")
        raise Bug

    async def main() -> list[BaseException | None]:
        units = [ledger.write(lambda tx: tx.tally("a whole one")), ledger.write(broken)]
        together = await asyncio.wait_for(asyncio.gather(*units, return_exceptions=True), 10)
        with pytest.raises(WriterBroke, match="writer broke, with Bug"):
            await ledger.write(lambda tx: tx.tally("more"))
        return together

    assert any(isinstance(one, WriterBroke) for one in asyncio.run(main()))
    assert "half a thing" not in dict(ask(ledger.place, "SELECT name, n FROM tally"))


@pytest.mark.sqlite
def test_opening_again_changes_nothing(path: Path) -> None:
    Ledger.open(place_of(path)).close()
    schema = ask(path, "SELECT * FROM sqlite_schema")
    Ledger.open(place_of(path)).close()
    assert ask(path, "SELECT * FROM sqlite_schema") == schema


def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE write (x)")  # in the way of one of the last tables
    connection.close()
    database = Database(path)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrations().apply(database)
    assert database.table_names() == ["write"] or set(database.table_names()) == {"write", "_sqlite_migrations"}
    database.close()


@pytest.mark.sqlite
def test_a_ledger_that_is_up_to_date_is_opened_without_sqlite_utils(path: Path) -> None:
    Ledger.open(place_of(path)).close()
    look = (
        "import sys; from pathlib import Path; from syncd.ledger.store import Ledger; "
        "Ledger.open(Path(sys.argv[1])).close(); sys.exit('sqlite_utils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", look, str(path)], check=False).returncode == 0
