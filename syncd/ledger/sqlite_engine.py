"""The ledger in a file of SQLite's: what `store` asks of it. How the file is opened and looked over is in `file`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from . import dialect
from .file import (
    LedgerError,
    LedgerFailed,
    close_as_it_is,
    connect,
    connect_read_only,
    held,
    meaning,
    not_written,
    of_the_file,
    quick_check,
    raw_reading,
    require_known,
    second_look,
    see_that_it_is_there,
    told_of,
    write_wal_anew,
)
from .sqlite import sqlite3

CHECKPOINT = 1000  # pages in the -wal that are not in the file yet


class SqliteEngine:
    """One file, and whoever has it open."""

    error = sqlite3.Error
    shared = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.statements = dialect.statements(postgres=False)

    def make_ready(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def open_writer(self) -> sqlite3.Connection:
        try:
            connection = connect(self.path)
            try:
                connection.execute("PRAGMA wal_autocheckpoint = 0")  # SQLite's own would hide that the disk failed
                write_wal_anew(connection, self.path)
            except BaseException:  # whatever it was, closing must not checkpoint what could not be rewritten
                close_as_it_is(connection, self.path)
                raise
        except (sqlite3.Error, OSError, LedgerError) as error:
            told = error if isinstance(error, LedgerError) else meaning(error, str(error))
            raise second_look(told, self.path) from error
        return connection

    def open_change(self) -> sqlite3.Connection:
        see_that_it_is_there(self.path)
        return connect(self.path)

    def open_reader(self) -> sqlite3.Connection:
        return connect_read_only(self.path)

    def begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def tidy(self, connection: sqlite3.Connection) -> LedgerFailed | None:
        """Move what is in the -wal into the file when there is much of it; nobody waits for that to be answered.

        What can't be moved for want of room, or because somebody reads, stays in the -wal for the next time.
        """
        try:
            _, logged, moved = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
            if logged - moved >= CHECKPOINT:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            told = not_written(error, connection)
            return told if isinstance(told, LedgerFailed) else None
        return None

    def close_writer(self, connection: sqlite3.Connection, *, failed: bool) -> None:
        if failed:
            close_as_it_is(connection, self.path)
            return
        with suppress(sqlite3.Error):  # what can't be moved now stays in the -wal, and is read from there
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def not_written(self, error: Exception, connection: sqlite3.Connection) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        return not_written(error, connection) if isinstance(error, sqlite3.Error) else meaning(error, str(error))

    def not_changed(self, error: Exception) -> LedgerError:
        return meaning(error, f"the ledger could not be written: {error}")

    def of_ledger(self, error: Exception) -> LedgerError | None:
        return of_the_file(error, "written") if isinstance(error, sqlite3.DatabaseError) else None

    def may_pass(self, error: BaseException) -> bool:
        return False

    def held(self, *, alone: bool) -> AbstractContextManager[bool]:
        return held(self.path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with raw_reading(self.path) as connection:
            require_known(connection)
            yield connection

    def told_of_reading(self) -> AbstractContextManager[None]:
        return told_of(self.path)

    def check(self, stop: Callable[[], bool]) -> None:
        quick_check(self.path, stop)
