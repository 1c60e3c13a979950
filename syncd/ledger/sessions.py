"""A connection to PostgreSQL that takes and gives what one to SQLite does.

Statements have their parameters by name, values come as numbers, texts and bytes, a row is read by places and by names.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import cache
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown, TextLoader

from syncd.contract.jsontext import dump

from .dialect import numbered

STATEMENTS_KEPT = 1000  # prepared on a connection: more than there are
# The first COMMIT makes it visible and lets go of the lock, the second one waits for the disk, and for the standby if
# there is one. The log keeps their order: what another process writes after it has read this is only kept with it.
_COMMIT = "SET LOCAL synchronous_commit = off; COMMIT; BEGIN; SELECT pg_logical_emit_message(true, 'syncd', ''); COMMIT"
_COMMITTED = ["SET", "COMMIT", "BEGIN", "SELECT 1", "COMMIT"]
UNCERTAIN = "01000"  # the warning of a COMMIT that did not wait until another host has it, too
_CONNECTING = {
    "application_name": "syncd",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "3000",  # milliseconds: a host that is gone is noticed
}
_FOR_ALL = (
    "SET client_min_messages = warning; SET synchronous_commit = on;"
    " SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;"  # PostgreSQL, too,
    " SET tcp_user_timeout = 10000;"  # notices a host that is gone, and lets go of its locks
    " SET jit = off; SET random_page_cost = 1.1;"  # to compile a claim took a tenth of a second
)
_WRITING = (
    f"{_FOR_ALL} SET idle_in_transaction_session_timeout = '5s';"  # whoever stands still holds nobody up for longer
    " SET lock_timeout = '30s';"  # so that several who stand in line are waited for, too
    # Rows are looked up in indexes, as SQLite does it. What is kept prepared was often planned when its tables were new
    # and empty: reading all of them looked cheapest, and stayed so when they had grown.
    " SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    " SET cpu_tuple_cost = 1; SET cpu_index_tuple_cost = 1; SET plan_cache_mode = force_generic_plan"
)
_READING = f"{_FOR_ALL} SET default_transaction_read_only = on; SET statement_timeout = '10min'"
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # as it stands in JSON


def to_primary(url: str) -> str:
    """How to connect: of several hosts to the one that is written to, for reading, too. What another one has may be
    older than what was written a moment ago."""
    wanted: dict[str, Any] = {**_CONNECTING, "target_session_attrs": "read-write", **conninfo_to_dict(url)}
    return make_conninfo(**wanted)


class Row(tuple[Any, ...]):
    """A row as SQLite's driver gives it."""

    __slots__ = ()
    names: tuple[str, ...] = ()
    places: Mapping[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.places[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        """The names of its columns."""
        return list(self.names)


@cache
def _row_of(names: tuple[str, ...]) -> type[Row]:
    places = {name: place for place, name in reversed(list(enumerate(names)))}  # of two, the first
    return type("Row", (Row,), {"__slots__": (), "names": names, "places": places})


def _rows(cursor: Any) -> Any:
    return _row_of(tuple(column.name for column in cursor.description or ()))


def storable(text: str) -> str:
    """PostgreSQL's texts hold no NUL, nor does its JSON: a mark stands in its place."""
    text = text.replace("\0", "\ufffd")
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def _in_json(value: Any) -> Any:
    return b64encode(value).decode() if isinstance(value, bytes) else value


class _Text(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(storable(obj))


class _Truth(Int8Dumper):
    def dump(self, obj: Any) -> Buffer | None:
        return super().dump(int(obj))


class _LoadTruth(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _LoadSum(Loader):
    """Sums of whole numbers are of the type `numeric`."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(str, _Text)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _Truth)
    adapters.register_loader("bool", _LoadTruth)
    adapters.register_loader("numeric", _LoadSum)
    for name in ("json", "jsonb"):
        adapters.register_loader(name, TextLoader)
    return adapters


class _Unit(Enum):
    """The savepoint of a unit of work: there is none; it stands, for the next one; a unit is under way; it is done."""

    NONE = auto()
    READY = auto()
    OPEN = auto()
    DONE = auto()


class Session:
    """A connection that is made again where it was lost, but never within a transaction."""

    IntegrityError = psycopg.IntegrityError

    def __init__(self, url: str, *, reads: bool) -> None:
        """Raises psycopg.Error."""
        self._url, self._reads = url, reads
        self._warned = False
        self._unit = _Unit.NONE
        self.version: int | None = None  # of the tables, when its first transaction began
        self._raw = self._connect()

    def _connect(self) -> psycopg.Connection[Any]:
        raw: psycopg.Connection[Any] = psycopg.connect(
            to_primary(self._url),
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            row_factory=_rows,
            context=_Context(),
        )
        raw.prepared_max = STATEMENTS_KEPT
        raw.add_notice_handler(self._notice)
        raw.execute(_READING if self._reads else _WRITING)
        return raw

    def _notice(self, said: psycopg.errors.Diagnostic) -> None:
        self._warned = self._warned or said.sqlstate == UNCERTAIN

    @property
    def raw(self) -> psycopg.Connection[Any]:
        return self._raw

    @property
    def in_transaction(self) -> bool:
        return self._raw.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def execute(self, statement: str, values: Mapping[str, Any] | Sequence[Any] = (), /) -> psycopg.Cursor[Any]:
        """A statement of `queries.sql`. Raises psycopg.Error."""
        if statement in {"SAVEPOINT unit", "RELEASE unit"}:
            return self._bound(statement)
        text, names = numbered(statement)
        given = [values[name] for name in names] if isinstance(values, Mapping) else values
        try:
            return self._raw.execute(text.encode(), given or None)
        except psycopg.OperationalError:
            if not (self._reads and self._raw.closed):
                raise
        except psycopg.errors.FeatureNotSupported:  # a table has a column more than when the statement was prepared
            if not self._reads:
                raise
            self._raw.close()
        self._raw = self._connect()  # to read once more is harmless
        return self._raw.execute(text.encode(), given or None)

    def _bound(self, statement: str) -> psycopg.Cursor[Any]:
        """A unit of work begins or has ended. Each message costs this thread a turn while others wait for the lock: the
        first one has begun with its transaction, the last one ends with it, and between two one message suffices."""
        if statement == "RELEASE unit":
            self._unit = _Unit.DONE
        elif self._unit is _Unit.READY:
            self._unit = _Unit.OPEN
        else:
            self.script(f"RELEASE unit; {statement}" if self._unit is _Unit.DONE else statement)
            self._unit = _Unit.OPEN
        return self._raw.cursor()

    def value(self, statement: str) -> Any:
        """The first column of the first row of a statement without parameters. Raises psycopg.Error."""
        found = self.execute(statement).fetchone()
        return None if found is None else found[0]

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> psycopg.Cursor[Any]:
        """The same once for each row; one that takes them all as `:rows` gets them as one JSON array, bytes in base64,
        which is a quarter of the work. Raises psycopg.Error.

        What psycopg sends last of many switches off the limit on standing still in a transaction (a Flush after the
        Sync; seen with PostgreSQL 15): another statement switches it on again.
        """
        text, names = numbered(statement)
        if names == ("rows",):
            return self._raw.execute(text.encode(), (dump([[_in_json(value) for value in row] for row in rows]),))
        cursor = self._raw.cursor()
        cursor.executemany(text.encode(), rows)
        self._raw.execute(b"SELECT")
        return cursor

    def pieces(self, statement: str, size: int) -> Iterator[list[Row]]:
        """All rows of a SELECT, so many at a time, within a transaction. Raises psycopg.Error."""
        with psycopg.RawServerCursor(self._raw, "pieces", row_factory=_rows) as cursor:
            cursor.execute(statement.encode())
            while rows := cursor.fetchmany(size):
                yield rows

    def copy_in(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """`COPY … FROM STDIN`, which is the quickest way for many rows. Raises psycopg.Error."""
        with self._raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(tuple(row))

    def script(self, text: str) -> None:
        """Several statements without values, as they are. Raises psycopg.Error."""
        self._raw.execute(text.encode(), prepare=False)

    def begin(self, first: str) -> None:
        """Begin a transaction with a statement, on a new connection where the last one was lost."""
        if self._raw.closed:
            self._raw, self.version = self._connect(), None
        self.script(f"BEGIN; {first}; SAVEPOINT unit")
        self._unit = _Unit.READY

    def commit(self) -> bool:
        """False where PostgreSQL does not say that all of it is kept, and by as many hosts as are to keep it."""
        if self._raw.info.transaction_status is TransactionStatus.INERROR:
            self.script("ROLLBACK")
            return False
        self._warned = False
        done = self._raw.execute(_COMMIT.encode(), prepare=False)
        said = [done.statusmessage]
        while done.nextset():
            said.append(done.statusmessage)
        return said == _COMMITTED and not self._warned

    def close(self) -> None:
        self._raw.close()


class _Context:
    """Our types, for each connection."""

    adapters = _adapters()
    connection = None


async def notices(url: str) -> AsyncIterator[None]:
    """Whenever the inbox is woken. Raises OSError where the connection is lost."""
    try:
        async with await psycopg.AsyncConnection.connect(to_primary(url), autocommit=True) as raw:
            named = await (await raw.execute("SELECT 'syncd_inbox_' || md5(current_schema())")).fetchone()
            await raw.execute(sql.SQL("LISTEN {}").format(sql.Identifier(*named or ())))
            async for _ in raw.notifies():
                yield
    except psycopg.Error as error:
        raise OSError(str(error).partition("\n")[0]) from error
