"""The whole of a ledger that is in PostgreSQL as a file, for what is tried on a copy (`syncd plan`).

Table by table, as they stand at one moment: both databases have the same ones. Words by which contacts are found are
left out, for an index can't be read back; the copy is for deciding, not for looking.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from .file import connect
from .sessions import Session
from .sqlite import sqlite3

PIECE = 1000  # rows at a time
_TABLES = """
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlite%'
    AND name NOT LIKE 'contact_words%'
ORDER BY name <> 'submission'"""  # its trigger books credits, which come as they are after it


def copy_to_file(source: Session, target: Path) -> None:
    """Raises psycopg.Error, sqlite3.Error, or LedgerError."""
    with closing(connect(target)) as copy:
        source.script("BEGIN ISOLATION LEVEL REPEATABLE READ")
        copy.execute("PRAGMA foreign_keys = OFF")  # whatever refers to a table that comes later
        copy.execute("BEGIN")
        for (name,) in copy.execute(_TABLES).fetchall():
            _copy_table(source, copy, name)
        copy.execute("COMMIT")
        source.script("ROLLBACK")


def _copy_table(source: Session, copy: sqlite3.Connection, name: str) -> None:
    columns = [row[1] for row in copy.execute(f"PRAGMA table_info({name})")]
    listed, places = ", ".join(columns), ", ".join("?" * len(columns))
    copy.execute(f"DELETE FROM {name}")  # noqa: S608 - names of our own schema, here and below
    for rows in source.pieces(f"SELECT {listed} FROM {name}", PIECE):  # noqa: S608
        copy.executemany(f"INSERT INTO {name} ({listed}) VALUES ({places})", rows)  # noqa: S608
