"""The schema's changes (`chain`) in a file of SQLite's.

Imported only where a file lacks one: sqlite-utils takes a tenth of a second and seven megabytes.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from . import chain
from .chain import Change
from .sqlite import sqlite3


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what the file lacks, each as a whole or not at all."""
    migrations().apply(Database(connection))


def migrations() -> Migrations:
    """All of them, by their names."""
    made = Migrations("syncd")
    for change in chain.changes():
        _add(change, made)
    return made


def _add(change: Change, to: Migrations) -> None:
    @to(name=change.name)
    def apply(db: Database) -> None:
        _apply(change, db)


def _apply(change: Change, db: Database) -> None:
    """Execute a script inside the migration's own transaction (executescript would commit it)."""
    statement = ""
    for line in change.text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
    db.execute(f"PRAGMA user_version = {change.needs}")  # for older programs: see `file.require_usable`
