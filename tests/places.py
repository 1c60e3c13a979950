"""Where a test's ledger is: in the file that it names, or, with `--ledger=postgres`, in a database in its stead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from syncd.config.sections import Durability
from syncd.config.sections import Ledger as LedgerSection
from syncd.ledger import dialect
from syncd.ledger.engines import engine_of
from syncd.ledger.place import Place, Url
from syncd.ledger.sqlite import sqlite3

ENGINES = ("sqlite", "postgres")
_chosen = "sqlite"
_databases: dict[Path, Url] = {}
_connections: dict[Url, Any] = {}  # to look into them


def choose(engine: str) -> None:
    """For all tests of this process."""
    global _chosen  # noqa: PLW0603 - said once, by pytest's option
    _chosen = engine


def on_postgres() -> bool:
    return _chosen == "postgres"


def place_of(path: Path) -> Place:
    """The ledger that a test calls by this path. Its time is that of the test's clock."""
    if not on_postgres() and path not in _databases:
        return path
    if path not in _databases:
        from tests.postgres import PRETENDED, needed  # noqa: PLC0415 - psycopg is not there everywhere

        _databases[path] = needed().fresh(PRETENDED)
    return _databases[path]


def moved(path: Path, place: Place) -> None:
    """What a test calls by this path is there from now on."""
    _databases.pop(path, None)
    if isinstance(place, Url):
        _databases[path] = place


def forget_all() -> None:
    """At the end of a test: its databases go."""
    while _connections:
        _connections.popitem()[1].close()
    if _databases:
        from tests.postgres import cluster  # noqa: PLC0415

        server = cluster()
        while server is not None and _databases:
            server.give_back(_databases.popitem()[1])


def section_of(path: Path) -> LedgerSection:
    """The same as a configuration says it."""
    place = place_of(path)
    return (
        LedgerSection(path=place)
        if isinstance(place, Path)
        else LedgerSection(url=SecretStr(place.text), durability=Durability.LOCAL)
    )


def in_words(path: Path) -> str:
    """What a configuration file says of it, behind `ledger:`."""
    place = place_of(path)
    said = {"path": str(place)} if isinstance(place, Path) else {"url": place.text, "durability": "local"}
    return json.dumps(said)


def all_bytes(path: Path) -> bytes:
    """Whatever it holds: of a file, also what nobody would find any more."""
    if isinstance(place := place_of(path), Path):
        files = [Path(f"{place}{end}") for end in ("", "-wal", "-shm")]
        return b"".join(file.read_bytes() for file in files if file.exists())
    rows = [row for table in _tables(place) for row in ask(place, f"SELECT * FROM {table}")]
    return b"\0".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for row in rows for v in row)


def remember(path: Path, copy: Path) -> None:
    """Keep what the ledger holds at this moment."""
    if isinstance(place := place_of(path), Path):
        copy.unlink(missing_ok=True)
        ask(path, "VACUUM INTO ?", str(copy))
        return
    tables = _tables(place)
    made = "; ".join(f"CREATE TABLE kept.{name} AS TABLE {name}" for name in tables)
    _script(place, f"DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept; {made}")


def go_back(path: Path, copy: Path) -> None:
    """Let it hold that again; nobody has it open."""
    if isinstance(place := place_of(path), Path):
        copy.replace(path)
        return
    tables = _tables(place)
    put_back = "; ".join(f"INSERT INTO {name} SELECT * FROM kept.{name}" for name in tables)
    emptied = "; ".join(f"DELETE FROM {name}" for name in tables)
    _script(place, f"BEGIN; SET LOCAL session_replication_role = replica; {emptied}; {put_back}; COMMIT")


def _tables(place: Url) -> list[str]:
    return [row[0] for row in ask(place, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")]


def _script(place: Url, text: str) -> None:
    _connected(place).script(text)


def _connected(place: Url) -> Any:
    if place not in _connections:
        _connections[place] = engine_of(place).open_change()
    return _connections[place]


def ask(place: Place, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a statement in SQLite's words, with `?` for values, on a connection of its own."""
    place = place_of(place) if isinstance(place, Path) else place
    if isinstance(place, Path):
        return _ask_file(place, sql, values)
    named = {f"value_{'abcdefghij'[n]}": value for n, value in enumerate(values)}
    for name in named:
        sql = sql.replace("?", f":{name}", 1)
    cursor = _connected(place).execute(dialect.for_postgres(sql), named)
    return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def _ask_file(path: Path, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    finally:
        connection.close()
    return rows
