"""The ledger in PostgreSQL, 15 or newer: what `store` asks of it. Imported only where the configuration names a URL.

One transaction writes at a time, as with SQLite, whichever process it is of: each takes one lock at its beginning.
So what a unit of work has read stays as it is until its end, and rows get their numbers in the order of commits. The
lock is let go of once the commit can be seen; that it is on the disk, and at the standby where there is one, is waited
for beside the next process's transaction, and only then is anybody told. No transaction waits for anything outside; one
whose process stands still is ended by PostgreSQL after five seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import psycopg
from psycopg import errors

from . import chain, dialect
from .chain import Change
from .durability import WAITS_FOR, Doubt, doubts
from .engines import see_that_it_stays
from .file import (
    DiskFull,
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerFailed,
    LedgerForbidden,
    LedgerMissing,
    require_usable,
)
from .place import Url
from .sessions import Session

OLDEST = 15
_ALONE = "SELECT pg_advisory_xact_lock(1398361668, hashtext(current_schema()))"  # "SYND", and this ledger
_ONE_OF_MANY = "SELECT pg_try_advisory_lock_shared(1398361669, hashtext(current_schema()))"  # as long as it runs
_ALONE_ON_IT = "SELECT pg_try_advisory_lock(1398361669, hashtext(current_schema()))"
_LET_GO = "SELECT pg_advisory_unlock_all()"
_CHANGES = "SELECT pg_try_advisory_lock(1398361670, hashtext(current_schema()))"  # as long as it changes the tables
_VERSION = "(SELECT max(number) FROM ledger_migration), (SELECT max(needs) FROM ledger_migration)"
_FIT = WAITS_FOR + ", EXISTS (SELECT 1 FROM moved), " + _VERSION  # noqa: S608 - ours
_ALIVE = "SELECT EXISTS (SELECT 1 FROM worker WHERE lease_until > ledger_time(0)) AS alive"
_OURS = "SELECT to_regclass('ledger_migration') IS NOT NULL AS ours"
_OTHERS = "SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
_WHOSE = f"{_OURS}, EXISTS ({_OTHERS}) AS others"
_MADE = """
CREATE TABLE ledger_migration (
    number bigint PRIMARY KEY, name text NOT NULL UNIQUE, needs bigint NOT NULL, at timestamptz NOT NULL)"""
_NOTE = "INSERT INTO ledger_migration VALUES (:number, :name, :needs, now())"
_HALF_BUILT = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
_CHANGE_WITHIN = 20.0  # seconds until who wants to change the tables, and can't, lets go
_LOOK = 0.5  # seconds between two trials
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
        """Make the tables where there are none, and what this program adds to them. One process does so at a time."""
        if self._version(session) < chain.newest():
            with self._changing() as changing:
                for change in chain.changes()[self._version(changing) :]:
                    self._apply(change, changing)
        self._version(session)

    def _version(self, session: Session) -> int:
        """That of the tables; 0 where there are none. Raises LedgerError where this program can't use them."""
        ours, others = session.execute(_WHOSE).fetchone() or (False, False)
        if not ours and others:
            raise LedgerError("this schema holds tables of another program: give syncd a database of its own")
        if not ours:
            return 0
        version, needs = session.execute("SELECT " + _VERSION).fetchone() or (0, 0)
        require_usable(version, needs)
        return int(version)

    @contextmanager
    def _changing(self) -> Iterator[Session]:
        """A connection of the one process that changes the tables. Nobody waits for its lock in a statement: who builds
        an index waits for all that have begun before."""
        with closing(Session(self.url.text, reads=False)) as session:
            _until("another process changes the ledger's tables", lambda: bool(session.value(_CHANGES)))
            yield session

    def _apply(self, change: Change, session: Session) -> None:
        """With all others at work: who has a table in use is waited for briefly, again and again, so that those behind
        are not held up."""
        text = dialect.schema_for_postgres(change.text)
        if change.number > 1 and change.index is not None:
            session.script("SET lock_timeout = 0")  # it holds nobody up
            if any(half for (half,) in session.execute(_HALF_BUILT, {"name": change.index}).fetchall()):
                session.script(f"DROP INDEX {change.index}")
            session.script(re.sub(r"\bINDEX (?=\w+ ON\b)", "INDEX CONCURRENTLY IF NOT EXISTS ", text))
            text = ""
        _until("somebody has the ledger's tables in use", lambda: self._has_changed(change, text, session))

    def _has_changed(self, change: Change, text: str, session: Session) -> bool:
        try:
            session.begin(_ALONE)
            session.script("SET LOCAL lock_timeout = '2s'")
            session.script((dialect.read("postgres.sql") + _MADE if change.number == 1 else "") + ";" + text)
            session.execute(_NOTE, {"number": change.number, "name": change.name, "needs": change.needs})
        except errors.LockNotAvailable:
            session.script("ROLLBACK")
            return False
        self.commit(session)
        return True

    def open_change(self) -> Session:
        session = Session(self.url.text, reads=False)
        self._require_ledger(session)
        return session

    def open_reader(self) -> Session:
        return Session(self.url.text, reads=True)

    def _require_ledger(self, session: Session) -> None:
        """Otherwise it is closed. Raises LedgerError."""
        try:
            if session.value(_OURS):
                self._version(session)
                return
        except BaseException:  # whatever it was, nobody has this connection
            session.close()
            raise
        session.close()
        raise LedgerMissing(f"there is no ledger at {self.url}: start `syncd run` first, or check ledger.url")

    def begin(self, connection: Session) -> None:
        waits_for, moved, version = self._begun(connection)
        if connection.version not in (None, version):  # what it keeps prepared would give other columns
            connection.close()
            waits_for, moved, version = self._begun(connection)
        connection.version = version
        if self.url.replicated and not waits_for:
            raise LedgerError("PostgreSQL waits for no synchronous standby any more (ledger.durability: replicated)")
        if moved:  # since it was opened, by somebody to whom this process looked as if it had ended
            see_that_it_stays(connection, self)

    def _begun(self, connection: Session) -> tuple[str, bool, int]:
        connection.begin(_ALONE)
        waits_for, moved, version, needs = connection.execute(_FIT).fetchone() or ("", False, 0, 0)
        require_usable(version, needs)
        return waits_for, moved, version

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
            with suppress(psycopg.Error):  # a connection that was lost has let go of it
                session.value(_LET_GO)  # the end of a connection does it, too, but later than `close` returns
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


def _until(what_not: str, look: Callable[[], bool]) -> None:
    """Try it again and again. Raises LedgerBusy where that does not end."""
    end = time.monotonic() + _CHANGE_WITHIN
    while not look():
        if time.monotonic() > end:
            raise LedgerBusy(what_not)
        time.sleep(_LOOK)


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
