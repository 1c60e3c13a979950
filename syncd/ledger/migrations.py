"""The schema's migrations: one first migration, `schema.sql`. From the first release on the chain only grows."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from sqlite_utils import Database, Migrations

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3

migrations = Migrations("syncd")


@migrations()
def first_schema(db: Database) -> None:
    """Every table, index and trigger of schema.sql."""
    _run(db, resources.files("syncd.ledger").joinpath("schema.sql").read_text("utf-8"))


def _run(db: Database, script: str) -> None:
    """Execute a script inside the migration's own transaction (executescript would commit it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
