"""The databases that can hold the ledger, as `store` uses them: SQLite (`sqlite_engine`) and PostgreSQL (`postgres`).

In here: what such an engine can do, and which one is meant. What a driver calls its exceptions and its connection
(`Connection.IntegrityError`) is that of Python's DB-API 2.0, PEP 249.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from .file import LedgerError, LedgerFailed, LedgerMoved
from .place import Place

WITHOUT_PSYCOPG = "the ledger is to be in PostgreSQL, and its driver is missing: install syncd[postgres]"


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """A connection on which statements are executed as they stand in `queries.sql`. `IntegrityError`: a row is there
    already, or lacks another one."""

    @property
    def IntegrityError(self) -> type[Exception]: ...  # noqa: N802 - its name in the DB-API
    @property
    def in_transaction(self) -> bool: ...
    def execute(self, statement: str, values: Mapping[str, Any] | Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> Cursor: ...
    def close(self) -> None: ...


class Engine(Protocol):
    """One database that holds the ledger."""

    @property
    def error(self) -> type[Exception]:
        """What all errors of its driver are."""

    @property
    def statements(self) -> Mapping[str, str]:
        """Those of `queries.sql`, in its words."""

    @property
    def shared(self) -> bool:
        """Whether several processes may work on it at the same time."""

    def make_ready(self) -> None:
        """What has to be before it is opened for the first time. Raises LedgerError."""

    def open_writer(self) -> Connection:
        """For the one thread that writes: made or migrated, and everything that was ever acknowledged is in it.

        Raises LedgerError.
        """

    def open_change(self) -> Connection:
        """For one unit of work beside a daemon. Raises LedgerError where there is no ledger."""

    def open_reader(self) -> Connection:
        """For reading. Raises the driver's error."""

    def begin(self, connection: Any) -> None:
        """Begin a transaction; nobody else writes until it ends."""

    def commit(self, connection: Any) -> None:
        """Raises where it is not certain that all is kept: the driver's error, or LedgerError."""

    def tidy(self, connection: Any) -> LedgerFailed | None:
        """After a commit. Returns why nothing may be written any more, or None."""

    def close_writer(self, connection: Any, *, failed: bool) -> None:
        """`failed`: leave all as it is."""

    def not_written(self, error: Exception, connection: Any) -> LedgerError:
        """Why a transaction was not kept."""

    def not_changed(self, error: Exception) -> LedgerError:
        """Why one unit of work beside a daemon was not kept."""

    def of_ledger(self, error: Exception) -> LedgerError | None:
        """What an error within a unit of work says of the ledger, or None where it is the work's own fault."""

    def may_pass(self, error: BaseException) -> bool:
        """Whether the same unit of work may go well at another try, at once."""

    def held(self, *, alone: bool) -> AbstractContextManager[bool]:
        """Whether this process may work on the ledger, from now to the end of the block; `alone`: with nobody else, as
        it always is with a file. Raises LedgerError."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection for reading, closed at the end of the block. Raises LedgerError."""

    def told_of_reading(self) -> AbstractContextManager[None]:
        """Its driver's errors within the block, in our words."""

    def check(self, stop: Callable[[], bool]) -> None:
        """Read all of it, until told to stop. Raises LedgerFailed where it is not sound."""


def engine_of(place: Place) -> Engine:
    """The database that is meant. Raises LedgerError where its driver is missing."""
    if isinstance(place, Path):
        from .sqlite_engine import SqliteEngine  # noqa: PLC0415 - each engine is imported where it is used

        return SqliteEngine(place)
    try:
        from .postgres import PostgresEngine  # noqa: PLC0415
    except ImportError as error:
        raise LedgerError(WITHOUT_PSYCOPG) from error
    return PostgresEngine(place)


def see_that_it_stays(connection: Connection, engine: Engine) -> None:
    """Raises LedgerMoved where this ledger was moved away, or is not all here yet."""
    row = connection.execute(engine.statements["moved"]).fetchone()
    if row is None:
        return
    day = datetime.fromtimestamp(row["at"], UTC).date()
    if row["arriving"]:
        raise LedgerMoved(f"the ledger was to be moved here from {row['place']} on {day}, and that has not ended")
    raise LedgerMoved(f"the ledger was moved to {row['place']} on {day}")
