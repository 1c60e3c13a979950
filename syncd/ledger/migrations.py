"""The schema's migrations: one first migration, `schema.sql`. From the first release on the chain only grows.

Imported only where a file lacks one: sqlite-utils takes a tenth of a second and seven megabytes.
"""

from __future__ import annotations

from importlib import resources

from sqlite_utils import Database, Migrations

from .sqlite import sqlite3

migrations = Migrations("syncd")


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what the file lacks, each as a whole or not at all. `file.MIGRATIONS` names them all."""
    migrations.apply(Database(connection))


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
