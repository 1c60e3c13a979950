"""The ledger as a file: opening it safely, looking it over, and what SQLite's errors ask for.

In here: connections with the settings that the promises need, and the errors of the ledger. What is
done over a connection, and in which thread, is in `store`.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from syncd.contract.errors import BrokenInvariant, SyncdError

from . import chain
from .place import Place
from .sqlite import sqlite3

APPLICATION_ID = 0x53594E44  # "SYND"
OLDEST_SQLITE = (3, 51, 3)
_IO_ERROR = 10  # https://sqlite.org/rescode.html: what follows is told in the higher bits
_DAMAGED = (11, 26)  # CORRUPT, NOTADB
_FORBIDDEN = (3, 8, 14, 23)  # PERM, READONLY, CANTOPEN, AUTH
_BUSY = (5, 6)  # BUSY, LOCKED
_FULL = 13
_OWN_FAULT = (1, 8)  # ERROR, READONLY: what was asked for is wrong
_STEPS = 50_000  # of SQLite's work, between two looks whether to go on
_PIECE = 1 << 20  # bytes of the -wal that are written again at a time
_NO_ROOM = (10 | 12 << 8, 10 | 19 << 8)  # IOERR_NOMEM, IOERR_SHMSIZE: no memory, and no room for the -shm

PREPARED = (
    600  # statements that a connection keeps prepared: all there are, for to prepare one takes longer than to run it
)

_PRAGMAS = {
    "foreign_keys": "1",
    "synchronous": "2",  # FULL: an acknowledged callback survives a power cut
    "busy_timeout": "5000",
    "trusted_schema": "0",
    "secure_delete": "1",
    "mmap_size": "0",
    "cache_size": "-8000",  # KB: what the stages touch one after the other is read from the file once
    "journal_size_limit": str(64 * 1024 * 1024),
}


class LedgerError(SyncdError):
    """The ledger can't be opened or written; the message says why and what to do."""


class LedgerFailed(LedgerError):
    """Nothing more will be written by this process: to go on would be to guess what is on the disk."""


class DiskFailed(LedgerFailed):
    """The disk refused to read or to keep something. What was acknowledged is on it; start again."""


class DiskFull(LedgerError):
    """There is no room. Nothing is lost; it goes on when there is some."""


class LedgerBusy(LedgerError):
    """Somebody else holds it for longer than was waited for: try again."""


class LedgerMissing(LedgerError):
    """There is none yet."""


class LedgerMoved(LedgerError):
    """It is in another place by now, or is not whole here yet; the message says where."""


class LedgerTooNew(LedgerFailed):
    """A newer program has changed it in a way that this one does not know."""


class LedgerForbidden(LedgerError):
    """This user may not read or write it."""


class LedgerCorrupt(LedgerFailed):
    """The file is damaged. It is left as it is: restore a copy."""


class WriterBroke(BrokenInvariant, LedgerFailed):
    """A bug of ours in the writer's thread; nothing that it left half done is on the disk."""


def file_of(place: Place, otherwise: str) -> Path:
    """The ledger's file; `otherwise`: what to do where it is in PostgreSQL. Raises LedgerError with that."""
    if isinstance(place, Path):
        return place
    raise LedgerError(f"the ledger is in PostgreSQL ({place}): {otherwise}")


_KINDS: dict[int, type[LedgerError]] = {
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EIO: DiskFailed,
    errno.EACCES: LedgerForbidden,
    errno.EPERM: LedgerForbidden,
    errno.EROFS: LedgerForbidden,
}


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes: the file is created or migrated, and SQLite has taken every setting.

    Raises LedgerError where the file is not ours, or sqlite3.Error.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=PREPARED)
    connection.row_factory = sqlite3.Row
    try:
        _claim(connection)
        path.chmod(0o600)
        _configure(connection)
        if version(connection) < chain.newest():
            from .migrations import migrate  # noqa: PLC0415 - slow to import, and rarely needed

            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _claim(connection: sqlite3.Connection) -> None:
    """See that the file is ours, or nobody's yet, before anything in it is changed."""
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and (owner or tables):
        raise LedgerError("this file is a database of another program")
    require_known(connection)
    if owner != APPLICATION_ID:  # to set it again would be a write
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def require_known(connection: sqlite3.Connection) -> None:
    """Raises LedgerTooNew where this program can't use this file."""
    if _applied(connection) - {one.name for one in chain.changes()}:
        needs = connection.execute("PRAGMA user_version").fetchone()[0]
        require_usable(version(connection), needs or version(connection))


def require_usable(version: int, needs: int) -> None:
    """Raises LedgerTooNew where this program does not know the version of the schema that a ledger needs, whose own is
    `version`: see `chain`."""
    if needs > chain.newest():
        raise LedgerTooNew(
            f"this syncd is too old for the ledger: a newer one has made version {version} of its tables, "
            f"for programs that know version {needs}, and this one knows {chain.newest()}"
        )


def version(connection: sqlite3.Connection) -> int:
    """That of the file's tables."""
    return len(_applied(connection))


def _applied(connection: sqlite3.Connection) -> set[str]:
    """The migrations that this file has had, as sqlite-utils notes them."""
    noted = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlite_migrations'").fetchone()[0]
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'syncd'") if noted else ()
    return {name for (name,) in rows}


def _configure(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise LedgerError("this file system does not support SQLite's WAL mode: put the ledger on a local disk")
    for name, wanted in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {wanted}")
        got = str(connection.execute(f"PRAGMA {name}").fetchone()[0])
        if got != wanted:
            raise LedgerError(f"SQLite did not take PRAGMA {name} = {wanted} (it has {got})")


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads, beside any that writes. Raises sqlite3.Error."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=PREPARED
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def empty_wal(path: Path) -> bool:
    """Move all that is in the -wal into the file, and cut it off, beside a daemon or without one.

    What was overwritten or deleted is in neither of them any more. False where somebody reads an older state at this
    moment. Raises sqlite3.Error.
    """
    connection = connect(path)
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.close()
    return not busy


def see_that_it_is_there(path: Path) -> None:
    """Raises LedgerError where there is no ledger, and OSError where this user may not look.

    (The file is not opened for that: to close it would give up this process's locks on it.)
    """
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: start `syncd run` first, or check ledger.path")
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextmanager
def held(ledger: Path) -> Iterator[bool]:
    """Whether this process holds the file, until the end of the block."""
    ledger.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = ledger.with_name(ledger.name + ".lock")
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    belong_to_folder(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = True
    except BlockingIOError:
        mine = False
    try:
        yield mine
    finally:
        os.close(lock)


def belong_to_folder(path: Path) -> None:
    """What root makes in the daemon's folder is the daemon's, or it could not start."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


@contextmanager
def raw_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The same as a plain connection, for what is about the file and not about its contents."""
    see_that_it_is_there(path)
    try:
        connection = connect_read_only(path)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise meaning(error, f"{path} can't be read as a ledger: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def look_over(connection: sqlite3.Connection) -> None:
    """A quick look at the whole file, before anything is built on it."""
    if (line := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise LedgerCorrupt(f"it is damaged ({line.splitlines()[-1]}); move it away and restore a copy of it")


def quick_check(path: Path, stop: Callable[[], bool]) -> None:
    """Look a ledger over that others have open, until told to stop. Raises LedgerError as `Ledger.read` does."""
    with told_of(path), closing(connect_read_only(path)) as connection:
        connection.set_progress_handler(stop, _STEPS)
        try:
            look_over(connection)
        except LedgerCorrupt as error:
            raise second_look(error, path) from None
        except sqlite3.OperationalError:
            if not stop():
                raise


def write_wal_anew(connection: sqlite3.Connection, path: Path) -> None:
    """See that what the -wal holds is on the disk, before anything is committed on top of it.

    Where an fsync has failed, the kernel takes the pages for written: they can be read until the power is cut, and
    no later fsync puts them on the disk. Only writing them again does. Whoever reads meanwhile finds the same bytes,
    and nobody writes. Then everything is moved into the file and the -wal emptied, if nobody reads it just now.
    """
    wal = path.with_name(path.name + "-wal")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if wal.exists() and wal.stat().st_size:
            _write_again(wal)
    except OSError as error:
        said = f"what it holds could not be put on the disk again: {error.strerror}"
        raise DiskFailed(said) if error.errno == errno.EIO else LedgerError(said) from error
    finally:
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_PRAGMAS['busy_timeout']}")


def _write_again(wal: Path) -> None:
    with wal.open("r+b", buffering=0) as file:
        at = 0
        while piece := os.pread(file.fileno(), _PIECE, at):
            at += os.pwrite(file.fileno(), piece, at)
        os.fsync(file.fileno())
    folder = os.open(wal.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # its name, too
    finally:
        os.close(folder)


def close_as_it_is(connection: sqlite3.Connection, path: Path) -> None:
    """Close without moving the -wal into a file that is damaged, or whose disk has failed.

    SQLite does that when the last connection is closed, unless that one can't write.
    """
    with suppress(sqlite3.Error), closing(connect_read_only(path)) as other:
        other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        connection.close()
    connection.close()


def second_look(told: LedgerError, path: Path) -> LedgerError:
    """SQLite also calls damaged what the disk did not give when it was asked: nobody is to restore a copy for that."""
    if not isinstance(told, LedgerCorrupt):
        return told
    try:
        with raw_reading(path) as connection:
            look_over(connection)
    except (sqlite3.Error, LedgerError):
        return told
    return DiskFailed("the ledger could not be read: the disk did not give a part of it, and does by now")


def meaning(error: Exception, said: str) -> LedgerError:
    """What SQLite's error, or the system's, asks for: another try, another user, another start, or a copy."""
    if isinstance(error, OSError):
        return _KINDS.get(error.errno or 0, LedgerError)(error.strerror or said)
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in _DAMAGED:
        return LedgerCorrupt(f"{said}; move it away and restore a copy of it")
    for codes, kind in (((_FULL,), DiskFull), (_BUSY, LedgerBusy), (_FORBIDDEN, LedgerForbidden)):
        if code & 0xFF in codes:
            return kind(said)
    return DiskFailed(said) if code & 0xFF == _IO_ERROR and code not in _NO_ROOM else LedgerError(said)


def _said(what: str, error: sqlite3.Error) -> str:
    return f"the ledger could not be {what}: {error}"


def of_the_file(error: sqlite3.DatabaseError, what: str) -> LedgerError | None:
    """What an error says of the file, or None where it is the work's own fault."""
    told = meaning(error, _said(what, error))
    told.__cause__ = error
    return told if isinstance(error, sqlite3.OperationalError) or isinstance(told, LedgerFailed) else None


def not_written(error: sqlite3.Error, connection: sqlite3.Connection) -> LedgerError:
    told = meaning(error, _said("written", error))
    if isinstance(told, LedgerCorrupt):
        told = second_look(told, Path(connection.execute("PRAGMA database_list").fetchone()["file"]))
    told.__cause__ = error
    return told


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """SQLite's errors of a file that is read, in our words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        own = getattr(error, "sqlite_errorcode", 1) & 0xFF in _OWN_FAULT
        told = None if own else of_the_file(error, "read")
        if told is None:
            raise
        raise second_look(told, path) from error
