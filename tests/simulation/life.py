"""One life of the daemon: the real stages, ledger, receiver and connectors, from a start to a crash.

In here: how they are joined to the simulated world, the bell-ringer in the scheduler's place,
and death: every task ends at once, and whatever its last words are reaches neither ledger nor network.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from connectors import fullenrich, zeliq
from syncd import compose
from syncd.config.sections import Log, LogFormat
from syncd.contract.ports import Crm, Provider, Tools
from syncd.ledger import canaries, connections, file, renames, store
from syncd.ledger.file import LedgerError
from syncd.ledger.sqlite_engine import SqliteEngine
from syncd.ledger.store import Ledger, Tx
from syncd.log import set_up
from syncd.pipeline import probe, sweep
from syncd.pipeline.canary import Canary
from syncd.pipeline.parts import Parts
from syncd.pipeline.watch import Watch
from syncd.stages import Stages
from syncd.web import public

from .bells import Bells
from .crm import CrmHandle
from .timeline import Owner, spawn
from .wire import Wire

if TYPE_CHECKING:
    import sqlite3
    from sqlite3 import OperationalError

    from .world import World
else:
    from syncd.ledger.sqlite import sqlite3

    OperationalError = sqlite3.OperationalError

P = ParamSpec("P")
T = TypeVar("T")


class Dead(BaseException):
    """This life is over: nothing of it may act any more."""


class InlineLedger(Ledger):
    """The real ledger without its threads: units of work are committed together by the store's own code."""

    def __init__(self, path: Path, life: Life) -> None:
        self.place = path
        self._engine = SqliteEngine(path)
        self.connection: sqlite3.Connection = file.connect(path)
        self.connection.execute("PRAGMA synchronous = 0")  # for speed: power cuts are another test's
        self._life = life
        self._tx = Tx(self.connection)
        self._units: list[store._Unit] = []
        self._failed = None

    async def write(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._life.check()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._units.append(store._Unit.of(work, store.Call(args, kwargs), done))
        if len(self._units) == 1:
            mixture = self._life.world.mixture
            slow = mixture.rng.uniform(0.5, 4) if mixture.hit("slow_commit") else mixture.rng.uniform(0, 0.004)
            loop.call_later(slow, self._flush)
        return await done

    async def read(self, work: Callable[Concatenate[Tx, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._life.check()
        await asyncio.sleep(0)
        self._life.check()
        return work(self._tx, *args, **kwargs)

    @property
    def tx(self) -> Tx:
        """For those who only look."""
        return self._tx

    def close(self) -> None:
        """The file is closed with the life."""

    def _flush(self) -> None:
        if not self._life.alive:
            return
        world, (units, self._units) = self._life.world, (self._units, [])
        if world.mixture.hit("crash_before_commit"):
            self._life.crash("before a commit")
            return
        connection = cast("sqlite3.Connection", self._troubled() or self.connection)
        self._failed = store._commit(self._engine, connection, units, self._failed)
        world.judge.on_commit(self._tx)
        if world.mixture.hit("crash_after_commit"):
            self._life.crash("after a commit")

    def _troubled(self) -> _Troubled | None:
        mixture = self._life.world.mixture
        if mixture.hit("locked"):
            return _Troubled(self.connection, 1, "database is locked")
        if mixture.hit("disk_full"):
            return _Troubled(self.connection, mixture.rng.choice((2, 3, 4, 5, 99)), "database or disk is full")
        return None


class _Troubled:
    """A connection whose n-th statement fails, or its COMMIT, whichever comes first."""

    def __init__(self, connection: sqlite3.Connection, left: int, why: str) -> None:
        self._connection = connection
        self._left = left
        self._why = why

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, statement: str, *values: Any) -> Any:
        self._left -= 1
        if self._left == 0 or (statement == "COMMIT" and self._left > 0):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
            raise OperationalError(self._why)
        return self._connection.execute(statement, *values)


class _Ringing(Stages):
    """The daemon's own stages, loops and way to stop; its bells are the simulation's, and it has no listeners."""

    def __init__(self, parts: Parts, canary: Canary) -> None:
        self.failure: BaseException | None = None  # what broke a stage
        super().__init__(parts, canary, Watch(), self._broke)

    def _broke(self, error: BaseException) -> None:
        self.failure = self.failure or error

    async def end(self) -> None:
        """SIGTERM."""
        await self.stop()
        with contextlib.suppress(LedgerError):  # the daemon says so
            await probe.flush(self.parts)

    def ring(self, kinds: set[str]) -> None:
        for stage in self._stages.values():
            if stage.kind in kinds:
                stage.bell.set()


class _Flight(Canary):
    """The canary on the simulated way in."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    async def _fly(self, parts: Parts, url: str, nonce: str) -> tuple[str, str]:
        self._life.check()
        status = await self._life.world.knock(url, b"", {})
        self._life.check()
        if not await parts.ledger.write(canaries.over, nonce, now=parts.clock.now()):
            return f"callbacks don't arrive here ({status})", "Wait."
        return "", ""


class Life(Owner):
    """A process. `ended` is set when it is over, by a crash or by a stop."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__()
        self.world = world
        self.number = number
        self.alive = True
        self.ready = False
        self.ended = asyncio.Event()
        self.ledger = InlineLedger(world.path, self)
        self.daemon: _Ringing | None = None
        self._app: Any = None

    def check(self) -> None:
        """Raises Dead once this life is over."""
        if not self.alive:
            raise Dead

    def crash(self, where: str) -> None:
        """The process is gone, now: nothing uncommitted stays, nobody says goodbye."""
        if not self.alive:
            return
        self.world.note(f"-- crash {where}")
        self.world.mixture.happened["crashes"] += 1
        self._die()

    def _die(self) -> None:
        self.alive = False
        self.ledger.connection.close()
        for task in list(self.tasks):
            task.cancel()
        self.ended.set()

    async def run(self) -> None:
        """From the start to the end of this life."""
        try:
            await self._live()
        except LedgerError:
            self.crash("because the ledger could not be read at the start")
        except Exception as error:  # noqa: BLE001 - whatever broke the start is the judge's
            self.world.violated("I13", f"the daemon could not run: {type(error).__name__}: {error}", error)
            self.crash("because it broke")

    async def _live(self) -> None:
        parts = await self._assemble()
        canary = _Flight(self)
        self.daemon = _Ringing(parts, canary)
        self._app = public.application(parts, canary)
        await sweep.recover(parts)
        parts.gate.set("integrity", "")  # damage is another test's
        self.ready = True
        self.world.note(f"-- life {self.number} begins")
        self.daemon.start()
        await self._ring()

    async def stop(self) -> None:
        """SIGTERM."""
        if self.daemon is not None and self.ready and self.alive:
            self.world.note("-- stops")
            with contextlib.suppress(Dead):  # it may crash while it stops
                await self.daemon.end()
                self.ready = False
                self._die()

    async def receive(self, url: str, body: bytes, headers: dict[str, str]) -> int | None:
        """A POST to the real receiver; None: the connection broke."""
        if not (self.alive and self.ready):
            return None
        mixture, told = self.world.mixture, asyncio.get_running_loop().create_future()
        task = spawn(self, self._serve(url, body, headers, told))
        if mixture.hit("crash_in_receipt"):
            asyncio.get_running_loop().call_later(mixture.rng.uniform(0, 0.01), self.crash, "during a receipt")
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        status: int | None = told.result() if told.done() else None
        if mixture.hit("crash_after_receipt"):
            self.crash("after a receipt")
        return status

    async def _serve(self, url: str, body: bytes, headers: dict[str, str], told: asyncio.Future[int]) -> None:
        parts = urlsplit(url)
        chunks = [{"type": "http.request", "body": body, "more_body": False}]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query.encode(),
            "root_path": "", "client": ("192.0.2.1", 1), "server": (parts.hostname, 80),
            "headers": [(k.encode(), v.encode()) for k, v in {"content-type": "application/json", **headers}.items()],
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return chunks.pop() if chunks else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            if message["type"] == "http.response.start" and not told.done():
                self.check()
                told.set_result(message["status"])

        await self._app(scope, receive, send)

    async def _assemble(self) -> Parts:
        """As `compose.assemble` does, with the world's time, chance and network."""
        world, settings = self.world, self.world.settings()
        if world.heard is not None:
            set_up(Log(format=LogFormat.JSON, level="debug"), stream=world.heard, hidden=settings.secrets)
        rng = random.Random(world.mixture.rng.getrandbits(64))
        called = world.configuration.called
        await self.ledger.write(renames.follow, {name: first for first, name in called.items()})
        crms: dict[str, Crm] = {called[first]: CrmHandle(crm, self, called[first]) for first, crm in world.crms.items()}
        made: dict[str, Provider] = {}
        for first, connector in (("zeliq", zeliq.Connector), ("fullenrich", fullenrich.Connector)):
            name = called[first]
            connection = settings.connections[name]
            known = await self.ledger.read(connections.recall_all, name)
            tools = Tools(world.wall_clock, rng, compose.LedgerMemory(self.ledger, name, known), Wire(self))
            made[name] = connector(name, cast("Any", connection.options), f"http://{first}.example.com", tools)
        return Parts(
            ledger=self.ledger,
            clock=world.wall_clock,
            rng=rng,
            new_id=partial(_hex, rng),
            settings=settings,
            crms=crms,
            lanes={n: await compose._lane(self.ledger, n, p, world.wall_clock) for n, p in made.items()},
            addresses=compose.addresses_of(settings),
            former=await self.ledger.read(renames.former_names),
        )

    async def _ring(self) -> None:
        assert self.daemon is not None
        bells = Bells(self.world.mixture.rng, self.ledger.connection, self.world.wall_clock)
        while True:
            self.daemon.ring(bells.now())
            self.world.rang()
            await asyncio.sleep(bells.pause())
            self._look_well()

    def ring(self, kind: str) -> None:
        """A bell out of turn."""
        if self.ready and self.daemon is not None:
            self.daemon.ring({kind})

    def _look_well(self) -> None:
        assert self.daemon is not None
        failure = self.daemon.failure
        if failure is not None:
            if not isinstance(failure, LedgerError):
                self.world.violated("I13", f"the daemon broke: {failure}: {failure.__cause__}", failure)
            self.crash("because the daemon halted")


def _hex(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032x}"
