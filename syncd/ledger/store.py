"""The ledger at work: one writer thread with group commit, read-only readers. In which database: `engines`.

What may be done inside a transaction lives in the modules beside this one, as functions over a `Tx`:
`await ledger.write(contacts.store_page, ...)`, `await ledger.read(reports.counts)`.

The writer takes whatever is queued, runs each unit of work in a savepoint of its own, commits them
together and only then tells the callers: the running fsync is the batching window, there is no timer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from syncd.contract.errors import BrokenInvariant
from syncd.contract.jsontext import dump, parse

from . import dialect
from .engines import Connection, Engine, engine_of, see_that_it_stays
from .file import OLDEST_SQLITE, LedgerError, LedgerFailed, WriterBroke
from .place import Place
from .sqlite import sqlite3
from .states import MOVES, STATES, JobState

P = ParamSpec("P")
T = TypeVar("T")
Row = Any  # sqlite3.Row, or what is like one: values by their places and by their names
W = TypeVar("W", bound=Callable[..., Any])

READERS = 2  # threads
GROUP = 256  # units of work per commit
TRIES = 5  # of a unit of work that another transaction was in the way of
PAUSE = 0.05  # seconds between two of them, more or less
CLOSE_WITHIN = 5.0  # seconds for a database to answer what it was asked last
ALIKE = 16  # jobs that move in the same way from which on a statement of their own is quicker
_UNSET = dict.fromkeys(
    (
        "reason",
        "note",
        "round",
        "provider",
        "due_at",
        "behind",
        "submission_id",
        "value",
        "result_id",
        "destination",
        "asked_person",
    )
)


@cache
def queries() -> dict[str, str]:
    """Every named statement of queries.sql, for SQLite."""
    return dialect.statements(postgres=False)


class Move(NamedTuple):
    """A job's move. `values` may set reason, note, round, provider, due_at, behind, submission_id, value, result_id,
    destination, and, of one that is being sent, asked_person where that is not the contact's."""

    job_id: int
    source: JobState
    target: JobState
    values: Mapping[str, Any] = MappingProxyType({})


class NewJob(NamedTuple):
    """The first decision on a field of a contact: a job that is to be made, in the order of `jobs_make`."""

    contact_id: int
    sync: str
    field: str
    person: str | None
    state: JobState
    reason: str = ""
    note: str = ""
    provider: str = ""


class _Place(NamedTuple):
    """Where a job stands, as the counters tell it; `reason`: of one that is done."""

    sync: str
    field: str
    state: JobState
    reason: str


class Tx:
    """A transaction as the functions of the ledger see it: named statements and guarded moves."""

    def __init__(
        self,
        connection: Connection,
        steps: Iterator[int] | None = None,
        statements: Mapping[str, str] | None = None,
    ) -> None:
        """`steps`: the ids of the next steps, where several units of work share a transaction. `statements`: in the
        words of the connection's database; SQLite's, if it is not said."""
        self._connection = connection
        self._sql = queries() if statements is None else statements
        self._steps = _next_steps(connection, self._sql) if steps is None else steps
        self._history: list[tuple[Any, ...]] = []  # rows of `step`
        self._counted: dict[tuple[str, str, str, str], int] = {}

    @property
    def conflict(self) -> type[Exception]:
        """What a statement raises where a row is there already that may be there only once; the unit of work has to
        end with it."""
        return self._connection.IntegrityError

    def run(self, name: str, /, **values: Any) -> int:
        """Execute a statement; returns how many rows it changed."""
        return self._connection.execute(self._sql[name], values).rowcount

    def many(self, name: str, rows: Sequence[Sequence[Any]], /) -> int:
        """Execute a statement once for each row; its values come in the order in which the statement first names them.

        Returns how many rows changed.
        """
        return self._connection.executemany(self._sql[name], rows).rowcount if rows else 0

    def rows(self, name: str, /, **values: Any) -> list[Row]:
        """All rows of a SELECT (or of a statement with RETURNING)."""
        return self._connection.execute(self._sql[name], values).fetchall()

    def packed(self, name: str, /, **values: Any) -> list[Any]:
        """All that a SELECT gives as one JSON array: ids, or rows as arrays."""
        found: list[Any] = parse(self.value(name, **values) or "[]")
        return found

    def row(self, name: str, /, **values: Any) -> Row | None:
        """The first row, or None."""
        found: Row | None = self._connection.execute(self._sql[name], values).fetchone()
        return found

    def one(self, name: str, /, **values: Any) -> Row:
        """The row of a statement that gives one in any case."""
        found = self.row(name, **values)
        if found is None:
            raise BrokenInvariant(f"{name} gave no row")
        return found

    def value(self, name: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        found = self.row(name, **values)
        return None if found is None else found[0]

    def move(self, job_id: int, source: JobState, target: JobState, *, now: float, **values: Any) -> bool:
        """Move one job, as `move_many` does; False means that somebody else moved it."""
        return bool(self.move_many([Move(job_id, source, target, values)], now=now))

    def move_many(self, moves: Iterable[Move], *, now: float) -> set[int]:
        """Move each job that still stands at its source; several moves of one job in their order. Returns those that
        moved.

        What stood behind a job that is decided is queued again. A move that the table of states does not know raises
        BrokenInvariant and changes nothing. What happened and the counters follow when the unit of work ends (`close`).
        """
        given = list(moves)
        for one in given:
            if one.target not in MOVES[one.source]:
                raise BrokenInvariant(f"a job can't go from {one.source} to {one.target}")
        moved: set[int] = set()
        for batch in _each_once(given):
            moved |= self._move(batch, now=now)
        return moved

    def _move(self, batch: Mapping[int, Move], *, now: float) -> set[int]:
        """Moves of different jobs."""
        places = self._places(batch)
        going = {id_: one for id_, one in batch.items() if id_ in places and places[id_].state is one.source}
        alike: dict[tuple[Any, ...], list[int]] = {}
        for id_, one in going.items():
            alike.setdefault((one.source, one.target, *one.values.items()), []).append(id_)
        steps = _Steps(self._steps)
        groups = [(steps.of(_step_of(going[ids[0]]), len(ids)), ids) for ids in alike.values()]
        if self._update(going, groups, now=now) != len(going):
            raise BrokenInvariant("a job did not stand where it was seen in the same transaction")
        left: dict[tuple[JobState, str], list[_Place]] = {}  # by the state that was reached, and why
        decided: list[int] = []
        for ids in alike.values():
            first = going[ids[0]]
            left.setdefault((first.target, first.values.get("reason") or ""), []).extend(map(places.__getitem__, ids))
            if first.source is JobState.ANSWERED or first.target is JobState.DONE:
                decided += ids
        for (target, reason), of_some in left.items():
            for place, n in Counter(of_some).items():
                self._count(*place, -n)
                self._count(place.sync, place.field, target, reason, n)
        self._history += steps.rows(now)
        if decided:
            self._wake(decided, now=now)
        return set(going)

    def _places(self, ids: Iterable[int]) -> dict[int, _Place]:
        places: dict[int, _Place] = {}
        for sync, field, state, reason, alike in self.rows("jobs_places", ids=dump(list(ids))):
            places.update(dict.fromkeys(parse(alike), _Place(sync, field, STATES[state], reason)))
        return places

    def _update(self, batch: Mapping[int, Move], groups: Iterable[tuple[str, Sequence[int]]], *, now: float) -> int:
        """Jobs that move alike (`groups`: with the step of each), as most of a call's or a write's do, share a
        statement that reads no JSON for each; those that differ in their values, as found ones do, one that does."""
        moved, apart = 0, dict[tuple[Any, ...], list[list[Any]]]()
        for step, ids in groups:
            first = batch[ids[0]]
            if len(ids) >= ALIKE:
                moved += self.run("jobs_move_alike", ids=dump(ids), step=step, **_shared(first), now=now)
            else:
                shared = ((name, value) for name, value in first.values.items() if name not in _OWN)
                rows = ([id_, *map(batch[id_].values.get, _OWN), step] for id_ in ids)
                apart.setdefault((first.source, first.target, *shared), []).extend(rows)
        for own in apart.values():
            moved += self.run("jobs_move", rows=dump(own), **_shared(batch[own[0][0]]), now=now)
        return moved

    def _wake(self, decided: Sequence[int], *, now: float) -> None:
        """What stood behind these jobs looks again, now that they have moved."""
        behind = self.rows("jobs_behind", ids=dump(decided))
        self.move_many([Move(row[0], JobState.WAITING, JobState.QUEUED) for row in behind], now=now)

    def make_many(self, jobs: Sequence[NewJob], *, now: float) -> dict[tuple[int, str], int]:
        """Make the jobs that are not there yet; returns the ids of the new ones by contact and field."""
        steps = _Steps(self._steps)
        begun: list[_Step] = [("", job.state, job.reason, job.note, job.provider, None) for job in jobs]
        rows = [[*job, steps.of(step, 0)] for job, step in zip(jobs, begun, strict=True)]
        made = self.rows("jobs_make", rows=dump(rows), now=now) if jobs else []
        ids: dict[tuple[int, str], int] = {(contact, field): id_ for id_, contact, field in made}
        new = set(ids)
        for job, step in zip(jobs, begun, strict=True):
            if (key := (job.contact_id, job.field)) in new:
                new.discard(key)
                self._count(job.sync, job.field, job.state, job.reason, 1)
                steps.of(step, 1)
        self._history += steps.rows(now)
        return ids

    def _count(self, sync: str, field: str, state: str, reason: str, n: int) -> None:
        key = (sync, field, str(state), str(reason))
        self._counted[key] = self._counted.get(key, 0) + n

    def close(self) -> None:
        """The end of a unit of work: what happened in it and its counters, a statement for each table."""
        history, self._history = self._history, []
        counted, self._counted = self._counted, {}
        if history:
            self.run("steps_add", rows=dump(history))
        changed = [[*key, n] for key, n in counted.items() if n]
        if changed:
            self.run("counters_add", rows=dump(changed))

    def disconnect(self) -> None:
        """Nothing is asked any more."""
        self._connection.close()

    def tally(self, name: str, n: int = 1) -> None:
        """Count something for `status` that is no job: a forged callback, a race put right."""
        if n:
            self.run("tally_add", name=name, n=n)


def _shared(one: Move) -> dict[str, Any]:
    """What a statement says of all jobs that it moves."""
    return {**_UNSET, **one.values, "source": one.source, "target": one.target}


_OWN = (
    "note",
    "value",
    "result_id",
)  # what each of them may have of its own, in the order in which `jobs_move` takes it
_Step = tuple[str, str, str, str, str, str | None]


class _Steps:
    """What happens to jobs at one moment: those that move in the same way share one row of `step`."""

    def __init__(self, ids: Iterator[int]) -> None:
        self._ids = ids
        self._known: dict[_Step, list[int]] = {}  # its id, and of how many jobs it is one

    def of(self, step: _Step, jobs: int) -> str:
        """It happens to so many more jobs; returns what is added to the history of each."""
        if (known := self._known.get(step)) is None:
            known = self._known[step] = [next(self._ids), 0]
        known[1] += jobs
        return f",{known[0]}"

    def rows(self, now: float) -> list[tuple[Any, ...]]:
        """What has happened to any job, as `steps_add` takes it."""
        return [(id_, *step, now, jobs) for step, (id_, jobs) in self._known.items() if jobs]


def _step_of(move: Move) -> _Step:
    get = move.values.get
    return move.source, move.target, get("reason") or "", get("note") or "", get("provider") or "", get("submission_id")


def _next_steps(connection: Connection, statements: Mapping[str, str]) -> Iterator[int]:
    """Ids of the steps that follow: nobody else adds one while a transaction is open."""
    newest: int | None = connection.execute(statements["step_newest"]).fetchone()[0]
    yield from itertools.count((newest or 0) + 1)


def _each_once(moves: Sequence[Move]) -> list[dict[int, Move]]:
    """Every job's first move, then every job's second one …: no job comes twice in a statement."""
    only = {one.job_id: one for one in moves}
    if len(only) == len(moves):
        return [only] if only else []
    layers: list[dict[int, Move]] = []
    depth: dict[int, int] = {}
    for one in moves:
        layer = depth.get(one.job_id, 0)
        depth[one.job_id] = layer + 1
        if layer == len(layers):
            layers.append({})
        layers[layer][one.job_id] = one
    return layers


class Call(NamedTuple):
    """What a unit of work was called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


_TOGETHER: dict[Callable[..., Any], Callable[[Tx, Sequence[Call]], Sequence[Any]]] = {}


def together(many: Callable[[Tx, Sequence[Call]], Sequence[T]]) -> Callable[[W], W]:
    """Marks a unit of work that is done for many calls nearly as quickly as for one: those that wait for the writer at
    the same time are given to `many`, which returns a result for each, in their order. If it raises, each of them is
    tried by itself."""

    def mark(one: W) -> W:
        _TOGETHER[one] = many
        return one

    return mark


@dataclass(slots=True)
class _Unit:
    work: Callable[[Tx], Any]
    call: Call
    together: Callable[[Tx, Sequence[Call]], Sequence[Any]] | None  # does this one and others of its kind
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None

    @classmethod
    def of(cls, work: Callable[..., T], call: Call, done: asyncio.Future[T]) -> _Unit:
        """A unit that tells its result to `done`."""
        return cls(lambda tx: work(tx, *call.args, **call.kwargs), call, _TOGETHER.get(work), done, done.get_loop())


class Ledger:
    """The ledger, open for writing; a file by this process alone, a database perhaps by others, too."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._engine = engine_of(place)
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self._ready = threading.Event()
        self._failed: LedgerError | None = None
        self._damaged: LedgerFailed | None = None  # what the check found, for the writer to see
        self._closing = False
        self.on_answer: Callable[[], None] = lambda: None  # called in the task of whoever is answered
        self._thread = threading.Thread(target=self._write_forever, name="ledger-writer", daemon=True)
        self._looks: SimpleQueue[_Unit | None] = SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_forever, name=f"ledger-reader-{n}", daemon=True) for n in range(READERS)
        ]
        self._checker = ThreadPoolExecutor(1, "ledger-check", _yield_to_others)

    @property
    def is_open(self) -> bool:
        """Whether it can be read and written: since it was opened, until it is closed."""
        return self._readers[0].is_alive() and not self._closing

    @property
    def path(self) -> Path | None:
        """Its file, where it is in one."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def shared(self) -> bool:
        """Whether other processes may work on it at the same time."""
        return self._engine.shared

    @classmethod
    def open(cls, place: Place, *, sqlite_version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Ledger:
        """Open or create the ledger; migrates, and checks that the database took every setting.

        How long that takes does not depend on the size of the ledger: whether it is sound, `check` tells.
        Raises LedgerError when it can't be used.
        """
        if sqlite_version < OLDEST_SQLITE:
            wanted = ".".join(map(str, OLDEST_SQLITE))
            raise LedgerError(
                f"SQLite {'.'.join(map(str, sqlite_version))} can corrupt a WAL file under load; "
                f"{wanted} or newer is needed: install the pysqlite3 package, which brings it"
            )
        ledger = cls(place)
        ledger._begin()
        ledger._ready.wait()
        ledger._finish_opening()
        return ledger

    @classmethod
    async def opened(cls, place: Place) -> Ledger:
        """As `open`, of a database: whoever waits for one that does not answer can be cancelled, and goes on."""
        ledger = cls(place)
        ledger._begin()
        try:
            while not ledger._ready.is_set():  # noqa: ASYNC110 - it is set by a thread
                await asyncio.sleep(PAUSE)
        except asyncio.CancelledError:
            ledger._queue.put(None)
            raise
        ledger._finish_opening()
        return ledger

    def _begin(self) -> None:
        self._engine.make_ready()
        self._thread.start()

    def _finish_opening(self) -> None:
        if self._failed is not None:
            raise type(self._failed)(f"the ledger {self.place} can't be opened: {self._failed}") from self._failed
        for reader in self._readers:
            reader.start()

    @classmethod
    def change(cls, place: Place, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """One unit of work on a ledger that a daemon may have open, for the commands."""
        engine = engine_of(place)
        try:
            connection = engine.open_change()
            try:
                engine.begin(connection)
                see_that_it_stays(connection, engine)
                tx = Tx(connection, statements=engine.statements)
                result = work(tx, *args, **kwargs)
                tx.close()
                engine.commit(connection)
            finally:
                connection.close()
        except engine.error as error:
            raise engine.not_changed(error) from error
        return result

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(tx, ...)` in the writer; what it did is on disk when this returns.

        An exception of `work` undoes that unit alone and is raised here; a failed commit is raised
        to every unit that was part of it. After a LedgerFailed every write raises it at once.
        """
        return await self.write_watched(_no_one, work, *args, **kwargs)

    async def write_watched(
        self,
        watch: Callable[[asyncio.Future[Any]], None],
        work: Callable[Concatenate[Tx, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `write`. `watch` is given what is waited for, and may give it up by an exception: then nobody can say what
        becomes of the unit."""
        if not self._thread.is_alive():
            raise LedgerError("the ledger is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        watch(done)
        self._queue.put(_Unit.of(work, Call(args, kwargs), done))
        result = await done
        self.on_answer()
        return result

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(tx, ...)` on a read-only connection, beside the writer.

        Raises LedgerError when the file could not be read: as for `write`, a LedgerFailed is for good.
        """

        if not self.is_open:
            raise LedgerError("the ledger is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._looks.put(_Unit.of(work, Call(args, kwargs), done))
        found = await done
        self.on_answer()
        return found

    async def check(self) -> None:
        """Read the whole ledger, beside all others and after them, and see whether it is sound; ends early at `close`.

        Raises LedgerFailed where it is not: nothing is written any more, and the file is left as it is.
        """
        work = partial(self._engine.check, lambda: self._closing)
        try:
            await asyncio.get_running_loop().run_in_executor(self._checker, work)
        except LedgerFailed as error:
            self._damaged = error
            raise

    def close(self) -> None:
        """Finish what is queued, checkpoint, close. A database that does not answer is not waited for."""
        self._closing = True
        within = None if self.path is not None else CLOSE_WITHIN
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(within)
        for _ in self._readers:
            self._looks.put(None)
        for reader in self._readers:
            if reader.ident is not None:
                reader.join(within)
        self._checker.shutdown()

    # --- the writer's thread ------------------------------------------------------------------

    def _write_forever(self) -> None:
        try:
            connection = self._open_writer()
        except LedgerError as error:
            self._failed = error
            self._ready.set()
            return
        self._ready.set()
        while (first := self._queue.get()) is not None:
            self._join(units := [first])
            try:
                self._failed = _commit(self._engine, connection, units, self._damaged or self._failed, self._join)
                self._failed = self._failed or self._engine.tidy(connection)
            except BaseException as error:  # noqa: BLE001 - a bug: nobody is to wait for ever for its units
                self._failed = _broken(connection, units, error, self._engine)
        self._engine.close_writer(connection, failed=bool(self._damaged or self._failed))

    def _join(self, units: list[_Unit]) -> None:
        """Those that wait come along."""
        while len(units) < GROUP and not self._queue.empty():
            if (unit := self._queue.get()) is None:
                self._queue.put(None)  # it is closed: nothing comes behind that
                return
            units.append(unit)

    def _open_writer(self) -> Connection:
        connection = self._engine.open_writer()
        try:
            see_that_it_stays(connection, self._engine)
        except LedgerError:
            self._engine.close_writer(connection, failed=False)
            raise
        return connection

    # --- the readers' threads -----------------------------------------------------------------

    def _read_forever(self) -> None:
        """Threads of our own: an executor takes as long for a look as most looks take themselves."""
        tx: Tx | None = None
        while (unit := self._looks.get()) is not None:
            try:
                with self._engine.told_of_reading():
                    tx = tx or Tx(self._engine.open_reader(), statements=self._engine.statements)
                    unit.result = unit.work(tx)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                unit.error = error
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                unit.loop.call_soon_threadsafe(_resolve, [unit])
        if tx is not None:
            tx.disconnect()


def _no_one(_: asyncio.Future[Any]) -> None:
    """It is waited for as long as it takes."""


def _yield_to_others() -> None:
    """On Linux a niceness is a thread's own. Where a sandbox forbids to change it, it stays as it is."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


@contextmanager
def reading(place: Place) -> Iterator[Tx]:
    """A read-only look at a ledger that another process may have open, for the commands. Raises as `Ledger.read`."""
    engine = engine_of(place)
    with engine.reading() as connection, engine.told_of_reading():
        see_that_it_stays(connection, engine)
        yield Tx(connection, statements=engine.statements)


def _commit(
    engine: Engine,
    connection: Connection,
    units: list[_Unit],
    failed: LedgerError | None,
    join: Callable[[list[_Unit]], None] = lambda _: None,
) -> LedgerError | None:
    """Run the units in one transaction, then tell their callers what became of them. `join`: adds those that have come
    while another process's transaction was waited for.

    Returns why nothing may be written any more, or None; once there is such a reason, nothing is.
    """
    try:
        if failed is None:
            engine.begin(connection)
            join(units)
            group = _Group(engine, connection, _next_steps(connection, engine.statements))
            for alike in _of_one_kind(units):
                group.attempt_all(alike)
            engine.commit(connection)
    except (engine.error, LedgerError) as error:
        with suppress(engine.error):  # there may be no transaction left to undo
            connection.execute("ROLLBACK")
        told = engine.not_written(error, connection)
        failed = told if isinstance(told, LedgerFailed) else None
        for unit in units:
            unit.error = told
    for unit in units:
        unit.error = unit.error if failed is None else failed
    _tell(units)
    return failed


def _broken(connection: Connection, units: list[_Unit], error: BaseException, engine: Engine) -> LedgerFailed:
    with suppress(engine.error):
        connection.execute("ROLLBACK")
    failed = WriterBroke(f"the ledger's writer broke, with {type(error).__name__}")
    failed.__cause__ = error
    for unit in units:
        unit.error = failed
    _tell(units)
    return failed


def _tell(units: list[_Unit]) -> None:
    """Wake each loop once for all of its units: to wake it costs more than a unit of work."""
    for loop in {unit.loop for unit in units}:
        loop.call_soon_threadsafe(_resolve, [unit for unit in units if unit.loop is loop])


def _of_one_kind(units: Iterable[_Unit]) -> Iterable[list[_Unit]]:
    """The units in their order; those that can be done together, with the first of them."""
    kinds: dict[object, list[_Unit]] = {}
    for unit in units:
        kinds.setdefault(unit.together or id(unit), []).append(unit)
    return kinds.values()


@dataclass(frozen=True, slots=True)
class _Group:
    """Units of work in one transaction."""

    engine: Engine
    connection: Connection
    steps: Iterator[int]

    def attempt_all(self, units: Sequence[_Unit]) -> None:
        """Do units of one kind: at once, or else each by itself."""
        together, calls = units[0].together, [unit.call for unit in units]
        if together is not None and len(units) > 1:
            results, error = self._attempt(lambda tx: together(tx, calls))
            if error is None:
                for unit, result in zip(units, results or (), strict=True):
                    unit.result = result
                return
        for unit in units:
            unit.result, unit.error = self._attempt_again(unit.work)

    def _attempt_again(self, work: Callable[[Tx], T]) -> tuple[T | None, BaseException | None]:
        """As `_attempt`; where only another transaction was in the way, a few times."""
        for _ in range(TRIES - 1):
            result, error = self._attempt(work)
            if error is None or not self.engine.may_pass(error.__cause__ or error):
                return result, error
            time.sleep(random.uniform(0.5, 1.5) * PAUSE)  # noqa: S311 - not for secrets
        return self._attempt(work)

    def _attempt(self, work: Callable[[Tx], T]) -> tuple[T | None, BaseException | None]:
        """Do a unit of work in a savepoint; returns its result, or why it was undone."""
        connection, engine = self.connection, self.engine
        connection.execute("SAVEPOINT unit")
        result, failed = None, None
        try:
            tx = Tx(connection, self.steps, engine.statements)
            result = work(tx)
            tx.close()
        except Exception as error:  # handed to the caller whose work it is; its batch-mates go on
            told = engine.of_ledger(error)
            if isinstance(told, LedgerFailed):
                raise
            if not connection.in_transaction:  # the whole group is undone: disk full, or the connection is lost
                raise told or LedgerError(f"the transaction was rolled back: {error}") from error
            connection.execute("ROLLBACK TO unit")
            failed = told or error
        connection.execute("RELEASE unit")
        return result, failed


def _resolve(units: list[_Unit]) -> None:
    for unit in units:
        if unit.done.done():  # cancelled, or told before the writer broke
            continue
        if unit.error is not None:
            unit.done.set_exception(unit.error)
        else:
            unit.done.set_result(unit.result)
