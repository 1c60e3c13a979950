"""The ledger's file: opening it safely, one writer thread with group commit, read-only readers.

What may be done inside a transaction lives in the modules beside this one, as functions over a `Tx`:
`await ledger.write(contacts.store_page, ...)`, `await ledger.read(reports.counts)`.

The writer takes whatever is queued, runs each unit of work in a savepoint of its own, commits them
together and only then tells the callers: the running fsync is the batching window, there is no timer.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlite_utils import Database

from syncd.contract.errors import BrokenInvariant, SyncdError

from .migrations import migrations
from .states import MOVES, JobState

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # pysqlite3 where it is installed: a SQLite without the WAL-reset bug

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION_ID = 0x53594E44  # "SYND"
OLDEST_SQLITE = (3, 51, 3)
GROUP = 256  # units of work per commit
CHECKPOINT = 1000  # pages in the -wal that are not in the file yet
_IO_ERROR = 10  # https://sqlite.org/rescode.html: what follows is told in the higher bits
_DAMAGED = (11, 26)  # CORRUPT, NOTADB
_OWN_FAULT = (1, 8)  # ERROR, READONLY: what was asked for is wrong
_NO_ROOM = (10 | 12 << 8, 10 | 19 << 8)  # IOERR_NOMEM, IOERR_SHMSIZE: no memory, and no room for the -shm
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)

_PRAGMAS = {
    "foreign_keys": "1",
    "synchronous": "2",  # FULL: an acknowledged callback survives a power cut
    "busy_timeout": "5000",
    "trusted_schema": "0",
    "secure_delete": "1",
    "mmap_size": "0",
    "journal_size_limit": str(64 * 1024 * 1024),
}


class LedgerError(SyncdError):
    """The ledger can't be opened or written; the message says why and what to do."""


class LedgerFailed(LedgerError):
    """Nothing more will be written by this process: to go on would be to guess what is on the disk."""


class DiskFailed(LedgerFailed):
    """The disk refused to read or to keep something. What was acknowledged is on it; start again."""


class LedgerCorrupt(LedgerFailed):
    """The file is damaged. It is left as it is: restore a copy."""


class WriterBroke(BrokenInvariant, LedgerFailed):
    """A bug of ours in the writer's thread; nothing that it left half done is on the disk."""


@cache
def queries() -> dict[str, str]:
    """Every named statement of queries.sql."""
    parts = _NAME.split(resources.files("syncd.ledger").joinpath("queries.sql").read_text("utf-8"))
    return dict(zip(parts[1::2], (p.strip() for p in parts[2::2]), strict=True))


class Tx:
    """A transaction as the functions of the ledger see it: named statements and guarded moves."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, name: str, /, **values: Any) -> int:
        """Execute a statement; returns how many rows it changed."""
        return self._connection.execute(queries()[name], values).rowcount

    def insert(self, name: str, /, **values: Any) -> int:
        """Execute an INSERT; returns the new row's id."""
        return self._connection.execute(queries()[name], values).lastrowid or 0

    def rows(self, name: str, /, **values: Any) -> list[sqlite3.Row]:
        """All rows of a SELECT (or of a statement with RETURNING)."""
        return self._connection.execute(queries()[name], values).fetchall()

    def row(self, name: str, /, **values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        found: sqlite3.Row | None = self._connection.execute(queries()[name], values).fetchone()
        return found

    def value(self, name: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        found = self.row(name, **values)
        return None if found is None else found[0]

    def move(self, job_id: int, source: JobState, target: JobState, *, now: float, **values: Any) -> bool:
        """Move a job if it still stands at `source`; False means that somebody else moved it.

        `values` may set reason, note, round, provider, due_at, behind, submission_id, value.
        A move that the table of states does not know raises BrokenInvariant and changes nothing.
        """
        if target not in MOVES[source]:
            raise BrokenInvariant(f"a job can't go from {source} to {target}")
        given: dict[str, Any] = dict.fromkeys(_MOVABLE)
        given.update(values, id=job_id, source=source, target=target, now=now)
        moved = self.run("job_move", **given) == 1
        if moved and (source is JobState.ANSWERED or target is JobState.DONE):
            self.run("job_wake", id=job_id, now=now)
        return moved

    def tally(self, name: str, n: int = 1) -> None:
        """Count something for `status` that is no job: a forged callback, a race put right."""
        if n:
            self.run("tally_add", name=name, n=n)


_MOVABLE = ("reason", "note", "round", "provider", "due_at", "behind", "submission_id", "value")


@dataclass(slots=True)
class _Unit:
    work: Callable[[Tx], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None


class Ledger:
    """One SQLite file, open for writing by this process alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self._ready = threading.Event()
        self._failed: LedgerError | None = None
        self._thread = threading.Thread(target=self._write_forever, name="ledger-writer", daemon=True)
        self._readers = ThreadPoolExecutor(2, "ledger-reader")
        self._local = threading.local()

    @classmethod
    def open(cls, path: Path, *, sqlite_version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Ledger:
        """Open or create the ledger; migrates, and checks that SQLite took every setting.

        Raises LedgerError when the file can't be used.
        """
        if sqlite_version < OLDEST_SQLITE:
            wanted = ".".join(map(str, OLDEST_SQLITE))
            raise LedgerError(
                f"SQLite {'.'.join(map(str, sqlite_version))} can corrupt a WAL file under load; "
                f"{wanted} or newer is needed: install the pysqlite3 package, which brings it"
            )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = cls(path)
        ledger._thread.start()
        ledger._ready.wait()
        if ledger._failed is not None:
            raise type(ledger._failed)(f"the ledger {path} can't be opened: {ledger._failed}") from ledger._failed
        return ledger

    @classmethod
    def change(cls, path: Path, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """One unit of work on a ledger that a daemon may have open, for the commands."""
        try:
            connection = _connect(path)
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = work(Tx(connection), *args, **kwargs)
                connection.execute("COMMIT")
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger could not be written: {error}") from error
        return result

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(tx, ...)` in the writer; what it did is on disk when this returns.

        An exception of `work` undoes that unit alone and is raised here; a failed commit is raised
        to every unit that was part of it. After a LedgerFailed every write raises it at once.
        """
        if not self._thread.is_alive():
            raise LedgerError("the ledger is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Unit(lambda tx: work(tx, *args, **kwargs), done, loop))
        return await done

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(tx, ...)` on a read-only connection, beside the writer.

        Raises LedgerError when the file could not be read: as for `write`, a LedgerFailed is for good.
        """

        def look() -> T:
            with _told_of(self.path):
                return work(self._reader(), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, look)

    def close(self) -> None:
        """Finish what is queued, checkpoint, close."""
        self._queue.put(None)
        self._thread.join()
        self._readers.shutdown()

    # --- the writer's thread ------------------------------------------------------------------

    def _write_forever(self) -> None:
        try:
            connection = _connect(self.path)
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # SQLite's own would hide that the disk failed
            _look_over(connection)
        except (sqlite3.Error, OSError, LedgerError) as error:
            told = error if isinstance(error, LedgerError) else _meaning(error, str(error))
            self._failed = _second_look(told, self.path)
            self._ready.set()
            return
        self._ready.set()
        open_ = True
        while open_:
            group = [self._queue.get()]
            while len(group) < GROUP and not self._queue.empty():
                group.append(self._queue.get())
            open_ = None not in group
            units = [unit for unit in group if unit is not None]
            try:
                self._failed = _commit(connection, units, self._failed) or _checkpoint(connection)
            except BaseException as error:  # noqa: BLE001 - a bug: nobody is to wait for ever for its units
                self._failed = _broken(connection, units, error)
        with suppress(sqlite3.Error):  # what can't be moved now stays in the -wal, and is read from there
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def _reader(self) -> Tx:
        if not hasattr(self._local, "tx"):
            self._local.tx = Tx(_connect_read_only(self.path))
        tx: Tx = self._local.tx
        return tx


@contextmanager
def reading(path: Path) -> Iterator[Tx]:
    """A read-only look at a ledger that another process may have open, for the commands. Raises as `Ledger.read`."""
    with raw_reading(path) as connection, _told_of(path):
        yield Tx(connection)


@contextmanager
def raw_reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The same as a plain connection, for what is about the file and not about its contents."""
    if not path.exists():
        raise LedgerError(f"there is no ledger at {path}: start `syncd run` first, or check ledger.path")
    try:
        connection = _connect_read_only(path)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise LedgerError(f"{path} can't be read as a ledger: {error}") from error
    try:
        yield connection
    finally:
        connection.close()


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        _claim(connection)
        path.chmod(0o600)
        _configure(connection)
        migrations.apply(Database(connection))
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
    if {migration.name for migration in migrations.applied(Database(connection))} - _known_migrations():
        raise LedgerError("a newer syncd has worked with this ledger: use that one, or restore a backup from before")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _known_migrations() -> set[str]:
    empty = Database(memory=True)
    try:
        return {migration.name for migration in migrations.pending(empty)}
    finally:
        empty.close()


def _configure(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise LedgerError("this file system does not support SQLite's WAL mode: put the ledger on a local disk")
    for name, wanted in _PRAGMAS.items():
        connection.execute(f"PRAGMA {name} = {wanted}")
        got = str(connection.execute(f"PRAGMA {name}").fetchone()[0])
        if got != wanted:
            raise LedgerError(f"SQLite did not take PRAGMA {name} = {wanted} (it has {got})")


def _commit(connection: sqlite3.Connection, units: list[_Unit], failed: LedgerError | None) -> LedgerError | None:
    """Run the units in one transaction, then tell their callers what became of them.

    Returns why nothing may be written any more, or None; once there is such a reason, nothing is.
    """
    try:
        if failed is None:
            connection.execute("BEGIN IMMEDIATE")
            for unit in units:
                _attempt(connection, unit)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        with suppress(sqlite3.Error):  # there may be no transaction left to undo
            connection.execute("ROLLBACK")
        told = _not_written(error, connection)
        failed = told if isinstance(told, LedgerFailed) else None
        for unit in units:
            unit.error = told
    for unit in units:
        unit.error = unit.error if failed is None else failed
        unit.loop.call_soon_threadsafe(_resolve, unit)
    return failed


def _broken(connection: sqlite3.Connection, units: list[_Unit], error: BaseException) -> LedgerFailed:
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")
    failed = WriterBroke(f"the ledger's writer broke, with {type(error).__name__}")
    failed.__cause__ = error
    for unit in units:
        unit.error = failed
        unit.loop.call_soon_threadsafe(_resolve, unit)
    return failed


def _checkpoint(connection: sqlite3.Connection) -> LedgerFailed | None:
    """Move what is in the -wal into the file when there is much of it; nobody waits for that to be answered.

    Returns why nothing may be written any more, or None: what can't be moved for want of room, or because
    somebody reads, stays in the -wal for the next time.
    """
    try:
        _, logged, moved = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        if logged - moved >= CHECKPOINT:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        told = _not_written(error, connection)
        return told if isinstance(told, LedgerFailed) else None
    return None


def _attempt(connection: sqlite3.Connection, unit: _Unit) -> None:
    connection.execute("SAVEPOINT unit")
    try:
        unit.result = unit.work(Tx(connection))
    except Exception as error:  # handed to the caller whose work it is; its batch-mates go on
        unit.error = error
        told = _of_the_file(error, "written") if isinstance(error, sqlite3.DatabaseError) else None
        if isinstance(told, LedgerFailed):
            raise
        if not connection.in_transaction:  # SQLite has undone the whole group: disk full
            raise sqlite3.OperationalError(f"the transaction was rolled back: {error}") from error
        connection.execute("ROLLBACK TO unit")
        unit.error = told or error
    connection.execute("RELEASE unit")


def _look_over(connection: sqlite3.Connection) -> None:
    """A quick look at the whole file, before anything is built on it."""
    if (line := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise LedgerCorrupt(f"it is damaged ({line.splitlines()[-1]}); move it away and restore a copy of it")


def _of_the_file(error: sqlite3.DatabaseError, what: str) -> LedgerError | None:
    """What an error says of the file, or None where it is the work's own fault."""
    told = _meaning(error, _said(what, error))
    told.__cause__ = error
    return told if isinstance(error, sqlite3.OperationalError) or isinstance(told, LedgerFailed) else None


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """SQLite's errors of a file that is read, in our words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        own = getattr(error, "sqlite_errorcode", 1) & 0xFF in _OWN_FAULT
        told = None if own else _of_the_file(error, "read")
        if told is None:
            raise
        raise _second_look(told, path) from error


def _not_written(error: sqlite3.Error, connection: sqlite3.Connection) -> LedgerError:
    told = _meaning(error, _said("written", error))
    if isinstance(told, LedgerCorrupt):
        told = _second_look(told, Path(connection.execute("PRAGMA database_list").fetchone()["file"]))
    told.__cause__ = error
    return told


def _said(what: str, error: sqlite3.Error) -> str:
    return f"the ledger could not be {what}: {error}"


def _second_look(told: LedgerError, path: Path) -> LedgerError:
    """SQLite also calls damaged what the disk did not give when it was asked: nobody is to restore a copy for that."""
    if not isinstance(told, LedgerCorrupt):
        return told
    try:
        with raw_reading(path) as connection:
            _look_over(connection)
    except (sqlite3.Error, LedgerError):
        return told
    return DiskFailed("the ledger could not be read: the disk did not give a part of it, and does by now")


def _meaning(error: Exception, said: str) -> LedgerError:
    """What SQLite's error asks for: another try, another start, or a copy."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF in _DAMAGED:
        return LedgerCorrupt(f"{said}; move it away and restore a copy of it")
    return DiskFailed(said) if code & 0xFF == _IO_ERROR and code not in _NO_ROOM else LedgerError(said)


def _resolve(unit: _Unit) -> None:
    if unit.done.done():  # cancelled, or told before the writer broke
        return
    if unit.error is not None:
        unit.done.set_exception(unit.error)
    else:
        unit.done.set_result(unit.result)
