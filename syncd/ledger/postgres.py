"""The ledger in PostgreSQL, 15 or newer: what `store` asks of it. Imported only where the configuration names a URL.

One transaction writes at a time, as with SQLite, whichever process it is of: each takes one lock at its beginning.
So what a unit of work has read stays as it is until its end, and rows get their numbers in the order of commits. The
lock is let go of once the commit can be seen, by the standby's word where there is one. No transaction waits for
anything outside; one whose process stands still is ended by PostgreSQL after five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import errors

from . import dialect
from .durability import WAITS_FOR, Doubt, doubts
from .engines import see_that_it_stays
from .file import (
    MIGRATIONS,
    DiskFull,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerFailed,
    LedgerForbidden,
    LedgerMissing,
)
from .place import Url
from .sessions import Session

OLDEST = 15
_ALONE = "SELECT pg_advisory_xact_lock(1398361668, hashtext(current_schema()))"  # "SYND", and this ledger
_ONE_OF_MANY = "SELECT pg_try_advisory_lock_shared(1398361669, hashtext(current_schema()))"  # as long as it runs
_ALONE_ON_IT = "SELECT pg_try_advisory_lock(1398361669, hashtext(current_schema()))"
_FIT = WAITS_FOR + ", EXISTS (SELECT 1 FROM moved)"  # noqa: S608 - ours
_ALIVE = "SELECT EXISTS (SELECT 1 FROM worker WHERE lease_until > ledger_time(0)) AS alive"
_OURS = "SELECT to_regclass('ledger_migration') IS NOT NULL AS ours"
_OTHERS = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
_FULL = "53100"
_BUSY = ("55P03", "40001", "40P01")  # a lock that was waited for in vain, a transaction that was in the way
_FORBIDDEN = ("28", "42501")
_DAMAGED = ("XX001", "XX002")
_UNSURE = "nobody can say whether what was written is kept: PostgreSQL did not confirm it"


class PostgresEngine:
    """One schema of a database."""

    error = psycopg.Error
    shared = True

    def __init__(self, url: Url) -> None:
        self.url = url
        self.statements = dialect.statements(postgres=True)

    def make_ready(self) -> None:
        """The database is made by whoever runs PostgreSQL."""

    def open_writer(self) -> Session:
        try:
            session = Session(self.url.text, reads=False)
            try:
                _require_usable(session)
                self._require_durable(session)
                self._migrate(session)
            except BaseException:  # whatever it was, a connection that nobody has is closed
                session.close()
                raise
        except psycopg.Error as error:
            raise _meaning(error, _said(error)) from error
        return session

    def _require_durable(self, session: Session) -> None:
        for one in doubts(session, replicated=self.url.replicated):
            if one.fatal:
                raise LedgerError(f"{one.what}. {one.cure}")

    def doubts(self) -> list[Doubt]:
        """What speaks against its durability. Raises LedgerError where it can't be reached."""
        try:
            session = Session(self.url.text, reads=False)
            try:
                return list(doubts(session, replicated=self.url.replicated))
            finally:
                session.close()
        except psycopg.Error as error:
            raise _meaning(error, f"the ledger {self.url} can't be reached: {_said(error)}") from error

    def _migrate(self, session: Session) -> None:
        """Make the tables where there are none. One process does so at a time."""
        session.begin(_ALONE)
        if not session.value(_OURS):
            if session.value(_OTHERS):
                raise LedgerError("this schema holds tables of another program: give syncd a database of its own")
            session.script(dialect.read("postgres.sql"))
            session.script(dialect.schema_for_postgres(dialect.read("schema.sql")))
            session.script("CREATE TABLE ledger_migration (name text PRIMARY KEY)")
            for name in sorted(MIGRATIONS):
                session.execute("INSERT INTO ledger_migration VALUES (:name)", {"name": name})
        elif {row[0] for row in session.execute("SELECT name FROM ledger_migration").fetchall()} - MIGRATIONS:
            raise LedgerError("a newer syncd has worked with this ledger: use that one, or restore a backup")
        self.commit(session)

    def open_change(self) -> Session:
        session = Session(self.url.text, reads=False)
        self._require_ledger(session)
        return session

    def open_reader(self) -> Session:
        return Session(self.url.text, reads=True)

    def _require_ledger(self, session: Session) -> None:
        if not session.value(_OURS):
            session.close()
            raise LedgerMissing(f"there is no ledger at {self.url}: start `syncd run` first, or check ledger.url")

    def begin(self, connection: Session) -> None:
        connection.begin(_ALONE)
        waits_for, moved = connection.execute(_FIT).fetchone() or ("", False)
        if self.url.replicated and not waits_for:
            raise LedgerError("PostgreSQL waits for no synchronous standby any more (ledger.durability: replicated)")
        if moved:  # since it was opened, by somebody to whom this process looked as if it had ended
            see_that_it_stays(connection, self)

    def commit(self, connection: Session) -> None:
        if not connection.commit():
            raise LedgerError(_UNSURE)

    def tidy(self, connection: Session) -> LedgerFailed | None:
        return None

    def close_writer(self, connection: Session, *, failed: bool) -> None:
        with suppress(psycopg.Error):
            connection.close()

    def not_written(self, error: Exception, connection: Session) -> LedgerError:
        return self.not_changed(error)

    def not_changed(self, error: Exception) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        told = _meaning(error, f"the ledger could not be written: {_said(error)}")
        told.__cause__ = error
        return told

    def of_ledger(self, error: Exception) -> LedgerError | None:
        return _of_ledger(error, "written")

    def may_pass(self, error: BaseException) -> bool:
        return isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected))

    @contextmanager
    def held(self, *, alone: bool) -> Iterator[bool]:
        """Any number of processes may work on it, each with a lock that all of them share; one that has to be alone
        takes it for itself, and looks for leases too, for a process that lost its connection has lost its lock."""
        with self.told_of_reading():
            session = self.open_reader()
            mine = bool(session.value(_ALONE_ON_IT if alone else _ONE_OF_MANY))
            if mine and alone and session.value(_OURS):
                mine = not session.value(_ALIVE)
        try:
            yield mine
        finally:
            session.close()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.told_of_reading():
            session = self.open_reader()
            self._require_ledger(session)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def told_of_reading(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            told = _of_ledger(error, "read")
            if told is None:
                raise
            raise told from error

    def check(self, stop: Callable[[], bool]) -> None:
        """Whether its files are sound is PostgreSQL's own concern: see its data checksums and `pg_amcheck`."""


def _require_usable(session: Session) -> None:
    info = session.raw.info
    if info.server_version < OLDEST * 10_000:
        raise LedgerError(f"this is PostgreSQL {info.server_version // 10_000}: syncd needs {OLDEST} or newer")
    if (encoding := info.parameter_status("server_encoding")) != "UTF8":
        raise LedgerError(f"this database has the encoding {encoding}: make it with UTF8")


def _of_ledger(error: Exception, what: str) -> LedgerError | None:
    """What an error says of the ledger, or None where it is the work's own fault."""
    if not isinstance(error, psycopg.Error):
        return None
    told = _meaning(error, f"the ledger could not be {what}: {_said(error)}")
    told.__cause__ = error
    return told if isinstance(error, psycopg.OperationalError) or isinstance(told, LedgerFailed) else None


def _meaning(error: Exception, said: str) -> LedgerError:
    """What PostgreSQL's error asks for: https://www.postgresql.org/docs/15/errcodes-appendix.html."""
    code = getattr(error, "sqlstate", None) or ""
    if code in _DAMAGED:
        return LedgerCorrupt(f"{said}; restore a copy of it")
    for codes, kind in (((_FULL,), DiskFull), (_BUSY, LedgerBusy), (_FORBIDDEN, LedgerForbidden)):
        if code.startswith(codes):
            return kind(said)
    return LedgerError(said)


def _said(error: Exception) -> str:
    """One line: a driver's message may have many, with hints at the statement."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return str(primary or error).strip().partition("\n")[0]
