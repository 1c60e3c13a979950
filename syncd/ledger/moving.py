"""A ledger moved to another kind of database: from a file to PostgreSQL, or back. Nobody has either of them open.

All rows are copied, then read again on both sides and compared; what came out has to add up like every ledger. Only one
of the two can be opened at any moment: the new one says that it is arriving until the old one says that it is gone.
A move that was cut short is ended where the old one has said so, else begun anew.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from . import chain, copies, dialect, reproduction, search, upkeep
from .file import LedgerError, LedgerMoved, belong_to_folder, connect, raw_reading, version
from .place import Place, Url
from .postgres import PostgresEngine
from .reproduction import Table
from .results import load_identity
from .sessions import Session, storable
from .sqlite import sqlite3
from .store import Tx, reading

Progress = Callable[[int, int], None]
"""Told the rows that were copied or compared, and how many these are in all."""
_PIECE = 1000  # contacts at a time


class Same(NamedTuple):
    """A table that has the same rows on both sides. `digest`: SHA-256 of them all."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Moved:
    """`tables`: what was compared; nothing where an earlier move was only to be ended."""

    tables: dict[str, Same]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())


def move(source: Place, target: Place, *, now: float, progress: Progress = lambda _, __: None) -> Moved:
    """Raises LedgerError, with nothing changed, where the target holds another ledger, or anything does not add up."""
    if isinstance(source, Path) == isinstance(target, Path):
        raise LedgerError("a ledger is moved from a file to PostgreSQL, or back; within one of them it is copied")
    old, new = _end_of(source), _end_of(target)
    gone, arriving = old.mark(), new.mark()
    tables: dict[str, Same] = {}
    if gone is None:
        _require_sound(source)
        _require_free(new, source, arriving)
        tables = old.move_to(target, now, progress)
    elif gone.place != str(target) or arriving is None or arriving.place != str(source):
        raise LedgerMoved(f"the ledger was moved to {gone.place} already")
    new.arrive()
    return Moved(tables)


class _Mark(NamedTuple):
    place: str
    at: float
    arriving: bool


class _End(Protocol):
    """One of the two ledgers."""

    def mark(self) -> _Mark | None: ...
    def arrive(self) -> None:
        """All of it is here: it can be opened from now on."""

    def is_there(self) -> bool:
        """Whether there is a ledger in which anything has happened."""

    def make_room(self) -> None:
        """Away with one that did not wholly arrive."""

    def move_to(self, target: Place, at: float, progress: Progress) -> dict[str, Same]:
        """Nobody can write here until the target has everything, and this one says that it is gone."""


class _Line:
    """How far it is: each row is copied, and then compared."""

    def __init__(self, progress: Progress, rows: int) -> None:
        self._progress, self._total, self._done = progress, 2 * rows, 0

    def __call__(self, more: int) -> None:
        self._done += more
        self._progress(self._done, self._total)


def _end_of(place: Place) -> _End:
    return _File(place) if isinstance(place, Path) else _Database(place)


def _require_sound(source: Place) -> None:
    with reading(source) as tx:
        for problem in upkeep.problems(source, tx):
            raise LedgerError(f"the ledger does not add up, and was not moved: {problem}; see `syncd verify`")


def _require_free(new: _End, source: Place, arriving: _Mark | None) -> None:
    if arriving is not None and arriving.place == str(source):
        new.make_room()
    elif arriving is not None or new.is_there():
        raise LedgerError("there is a ledger at the place to which this one is to be moved: name an empty one")


class _File:
    """The ledger in a file of SQLite's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._statements = dialect.statements(postgres=False)

    def mark(self) -> _Mark | None:
        if not self.path.exists():
            return None
        with raw_reading(self.path) as connection:
            return _mark(connection.execute(self._statements["moved"]).fetchone())

    def arrive(self) -> None:
        with self._alone() as file:
            tx = Tx(file)
            _nobody_works_here(tx)
            _write_mark(tx, None)

    def is_there(self) -> bool:
        return self.path.exists()

    def make_room(self) -> None:
        for end in ("", *copies.BESIDE):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        with closing(connect(self.path)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield file
            file.execute("COMMIT")

    def move_to(self, target: Place, at: float, progress: Progress) -> dict[str, Same]:
        assert isinstance(target, Url)  # noqa: S101 - see `move`
        with self._alone() as file:
            found = self._copy_to(target, file, at, _Line(progress, _count(file)))
            _write_mark(Tx(file), _Mark(str(target), at, arriving=False))
        return found

    def _copy_to(self, target: Url, file: sqlite3.Connection, at: float, line: _Line) -> dict[str, Same]:
        """In one transaction: all of it is there, or nothing."""
        with _Database(target).alone() as session:
            _require_same_tables(file, session)
            reproduction.copy_to_database(file, session, line)
            tx = _tx(session)
            _index(tx)
            found = _compare(file, session, line)
            _require_to_add_up(target, tx)
            _write_mark(tx, _Mark(str(self.path), at, arriving=True))
        return found


class _Database:
    """The ledger in a database of PostgreSQL's."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self._engine = PostgresEngine(url)

    def mark(self) -> _Mark | None:
        with closing(self._engine.open_writer()) as session:
            return _mark(_tx(session).row("moved"))

    def arrive(self) -> None:
        with self.alone() as session:
            tx = _tx(session)
            _nobody_works_here(tx)
            _write_mark(tx, None)

    def is_there(self) -> bool:
        with self.alone() as session:
            return any(session.value(f"SELECT EXISTS (SELECT 1 FROM {name})") for name in _names(session))  # noqa: S608

    def make_room(self) -> None:
        """What is there is replaced in the transaction that copies."""

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """In a transaction in which nobody else writes, kept at the end of the block."""
        with self._engine.told_of_reading(), closing(self._engine.open_writer()) as session:
            session.begin(_ALONE)
            session.script("LOCK TABLE moved IN ACCESS EXCLUSIVE MODE")  # whoever opens it waits, and is told
            session.script(f"LOCK TABLE {', '.join(_names(session))} IN EXCLUSIVE MODE")
            yield session
            self._engine.commit(session)

    def move_to(self, target: Place, at: float, progress: Progress) -> dict[str, Same]:
        assert isinstance(target, Path)  # noqa: S101 - see `move`
        with self.alone() as session:
            found = self._copy_to(target, session, at, progress)
            _write_mark(_tx(session), _Mark(str(target), at, arriving=False))
        return found

    def _copy_to(self, target: Path, session: Session, at: float, progress: Progress) -> dict[str, Same]:
        """The file has its name once all is in it and on the disk."""
        counts = (f"SELECT count(*) FROM {name}" for name in _names(session))  # noqa: S608
        line = _Line(progress, sum(map(session.value, counts)))
        with copies.whole(target) as partial, closing(connect(partial)) as file:
            belong_to_folder(partial)
            _require_same_tables(file, session)
            file.execute("BEGIN")
            reproduction.copy_to_file(session, file, line)
            tx = Tx(file)
            _index(tx)
            found = _compare(file, session, line)
            _write_mark(tx, _Mark(str(self.url), at, arriving=True))
            file.execute("COMMIT")
            _require_to_add_up(partial, tx)
            file.execute("PRAGMA journal_mode = DELETE")  # so that all is in this one file
        return found


_ALONE = "SET LOCAL idle_in_transaction_session_timeout = 0"  # the other side may be slow
_OUR_TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = current_schema()
    AND tablename NOT IN ('ledger_migration', 'moved', 'contact_words') ORDER BY tablename"""


def _names(session: Session) -> list[str]:
    return [name for (name,) in session.execute(_OUR_TABLES).fetchall()]


def _tx(session: Session) -> Tx:
    return Tx(session, statements=dialect.statements(postgres=True))


def _count(file: sqlite3.Connection) -> int:
    counts = (f"SELECT count(*) FROM {table.name}" for table in reproduction.tables(file))  # noqa: S608
    return sum(file.execute(count).fetchone()[0] for count in counts)


def _mark(row: Any) -> _Mark | None:
    return None if row is None else _Mark(row["place"], row["at"], bool(row["arriving"]))


def _write_mark(tx: Tx, mark: _Mark | None) -> None:
    tx.run("moved_forget")
    if mark is not None:
        tx.run("moved_set", place=mark.place, now=mark.at, arriving=int(mark.arriving))


def _nobody_works_here(tx: Tx) -> None:
    """Whoever worked on the old ledger has ended: the first start here need not wait until their leases are over."""
    tx.run("claims_forget")
    tx.run("workers_forget")


def _index(tx: Tx) -> None:
    """Contacts are found by their words there, too."""
    after = 0
    while rows := tx.rows("identities", after=after, limit=_PIECE):
        search.index(tx, ((row["id"], load_identity(row["identity"])) for row in rows))
        after = rows[-1]["id"]


def _require_to_add_up(place: Place, tx: Tx) -> None:
    for problem in upkeep.problems(place, tx):
        raise LedgerError(f"what was copied does not add up, and nothing was moved: {problem}")


def _require_same_tables(file: sqlite3.Connection, session: Session) -> None:
    """Raises LedgerError where a newer program has added to them what this one does not know."""
    if {version(file), session.value("SELECT max(number) FROM ledger_migration")} != {chain.newest()}:
        raise LedgerError("a newer syncd has added to this ledger's tables: move it with that one")


def _compare(file: sqlite3.Connection, session: Session, line: _Line) -> dict[str, Same]:
    return {table.name: _same(table, file, session, line) for table in reproduction.tables(file)}


def _same(table: Table, file: sqlite3.Connection, session: Session, line: _Line) -> Same:
    digest, rows = hashlib.sha256(), 0
    here, there = (_rows(one, table) for one in (file, session))
    for left, right in itertools.zip_longest(here, there):
        if left != right:
            raise LedgerError(f"a row of {table.name} is not the same on both sides, and nothing was moved")
        digest.update(repr(left).encode())
        rows += 1
        if rows % reproduction.PIECE == 0:
            line(reproduction.PIECE)
    line(rows % reproduction.PIECE)
    return Same(rows, digest.hexdigest())


def _rows(source: Session | sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    for rows in reproduction.rows_of(source, table):
        for row in rows:
            yield tuple(storable(one) if isinstance(one, str) else one for one in row)
