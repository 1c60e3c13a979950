"""The schema's migrations: scripts beside this file. From the first release on the list only grows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources

from .sqlite import sqlite3

SCRIPTS = {"first_schema": "schema.sql"}  # in the order in which they are applied

_NOTES = "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) STRICT, WITHOUT ROWID"


def applied(connection: sqlite3.Connection) -> set[str]:
    """The migrations that this file has had."""
    noted = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'migration'").fetchone()[0]
    return {name for (name,) in connection.execute("SELECT name FROM migration")} if noted else set()


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what the file lacks: each script as a whole, or not at all."""
    for name in SCRIPTS:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if name not in applied(connection):
                _apply(connection, name)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection, name: str) -> None:
    script = resources.files("syncd.ledger").joinpath(SCRIPTS[name]).read_text("utf-8")
    for statement in _statements(script):
        connection.execute(statement)
    connection.execute(_NOTES)
    connection.execute("INSERT INTO migration VALUES (?, ?)", [name, datetime.now(UTC).isoformat()])


def _statements(script: str) -> Iterator[str]:
    """One after the other: executescript would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    yield statement  # what is left is a comment, or SQLite complains
