"""All rows of a ledger in another database, table by table, as they stand at one moment: both databases have the same
tables. For what is tried on a copy (`syncd plan`), and to move a ledger (`moving`).

Words by which contacts are found are left out, for SQLite's index of them can't be read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from .sessions import Session
from .sqlite import sqlite3

PIECE = 1000  # rows at a time
_TABLES = """
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlite%'
    AND name NOT LIKE 'contact_words%' AND name <> 'moved' ORDER BY name"""
_BOOKED = ("spend", "credit_total")  # by a trigger of `submission`: they come as they are after it
_GO_ON = (
    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM {table}"
)
Told = Callable[[int], None]
"""How many rows more are done."""


class Table(NamedTuple):
    """A table of the schema. `key`: by which its rows have one order in both databases; `numbered`: the database
    gives each row its `id`."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    numbered: bool

    @property
    def listed(self) -> str:
        return ", ".join(self.columns)


def tables(file: sqlite3.Connection) -> list[Table]:
    """All of them, what others refer to first."""
    before: dict[str, set[str]] = {
        name: {"submission"} if name in _BOOKED else set() for (name,) in file.execute(_TABLES)
    }
    for name, others in before.items():
        others.update(row["table"] for row in file.execute(f"PRAGMA foreign_key_list({name})"))
    return [_table(file, name) for name in TopologicalSorter(before).static_order()]


def _table(file: sqlite3.Connection, name: str) -> Table:
    columns = file.execute(f"PRAGMA table_info({name})").fetchall()
    names = tuple(row["name"] for row in columns)
    key = tuple(name for _, name in sorted((row["pk"], row["name"]) for row in columns if row["pk"]))
    numbered = any(row["name"] == "id" and row["type"] == "INTEGER" and row["pk"] for row in columns)
    return Table(name, names, key or names, numbered)


def rows_of(source: Session | sqlite3.Connection, table: Table) -> Iterator[list[Any]]:
    """All of its rows in the order of its key, so many at a time; PostgreSQL's within a transaction."""
    query = f"SELECT {table.listed} FROM {table.name} ORDER BY {', '.join(table.key)}"  # noqa: S608 - our own names
    if isinstance(source, Session):
        yield from source.pieces(query, PIECE)
        return
    cursor = source.execute(query)
    while rows := cursor.fetchmany(PIECE):
        yield rows


def copy_to_file(source: Session, target: sqlite3.Connection, told: Told = lambda _: None) -> None:
    """In place of whatever is there, within transactions of both. Raises psycopg.Error or sqlite3.Error."""
    for table in tables(target):
        places = ", ".join("?" * len(table.columns))
        target.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own schema, here and below
        for rows in rows_of(source, table):
            target.executemany(f"INSERT INTO {table.name} ({table.listed}) VALUES ({places})", rows)  # noqa: S608
            told(len(rows))


def copy_to_database(source: sqlite3.Connection, target: Session, told: Told = lambda _: None) -> None:
    """The same the other way."""
    all_tables = tables(source)
    for table in reversed(all_tables):
        target.script(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own schema, here and below
    for table in all_tables:
        if table.name in _BOOKED:
            target.script(f"DELETE FROM {table.name}")  # noqa: S608
        for rows in rows_of(source, table):
            target.copy_in(f"COPY {table.name} ({table.listed}) FROM STDIN", rows)
            told(len(rows))
        if table.numbered:
            target.script(_GO_ON.format(table=table.name))
