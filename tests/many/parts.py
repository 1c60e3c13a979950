"""One ledger in PostgreSQL, and processes of syncd in their roles around it, against the emulated vendors.

The PostgreSQL is one of the test's own: it may be frozen, killed and started again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from syncd.ledger.place import Url
from tests.postgres import SETTINGS, Cluster, needed, serving, unprivileged
from tests.system.rig import Daemon, GivenUp, Vendors, answer, environment, free_port, until

LONG = bool(os.environ.get("SYNCD_MANY"))  # `make many`
WITHIN = 240.0  # real seconds until a wait is given up; on a quiet machine, nothing takes a tenth of it


@dataclass
class Server(Cluster):
    """A cluster that can be hurt. `at`: the folder of its programs."""

    at: Path = field(kw_only=True)
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)

    def crash(self) -> None:
        """As a power cut does it: every process of it at once."""
        for pid in self._all():
            os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def start_again(self) -> None:
        """It refuses to as long as the memory of the former one is in use, by a process that has not quite ended."""
        until("PostgreSQL answers", self._answers)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            with (self.folder / "log").open("ab") as log:
                command = serving(self.at, self.folder / "data", self.settings)
                self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        try:
            psycopg.connect(self.url("postgres").text).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing of it moves: connections stay, and nobody answers."""
        stopped = self._all()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _all(self) -> list[int]:
        """The postmaster and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        return [self.process.pid, *map(int, children.split())]


def own_server(**settings: str) -> Server:
    """Started for one test, which stops it. `settings`: beside those of all tests."""
    from tests.postgres import programs  # noqa: PLC0415

    needed()
    at = programs()
    assert at is not None
    made = Cluster.start(at)
    server = Server(made.folder, made.process, made.remover, at=at, settings={**SETTINGS, **settings})
    if settings:
        server.crash()
        server.start_again()
    return server


@contextmanager
def standby(server: Server) -> Iterator[None]:
    """Another host's copy, which follows."""
    folder = server.folder / "standby"
    source: list[str | Path] = ["-h", server.folder, "-U", "syncd", "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    copy: list[str | Path] = [*unprivileged(), server.at / "pg_basebackup", "-D", folder / "data", *source]
    subprocess.run(copy, cwd=server.folder, check=True)
    with (server.folder / "standby.log").open("wb") as log:
        process = subprocess.Popen(
            serving(server.at, folder / "data", server.settings), cwd=server.folder, stdout=log, stderr=log
        )
    try:
        followers = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        until("it follows", lambda: ask(server.url("postgres"), followers))
        yield
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def waits_for(server: Server, names: str) -> None:
    """The standbys that a commit waits for."""
    with psycopg.connect(server.url("postgres").text, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'".encode())
        connection.execute("SELECT pg_reload_conf()")
    until("it has read it", lambda: ask(server.url("postgres"), "SHOW synchronous_standby_names") == names)


@contextmanager
def cancelled_waits(url: Url) -> Iterator[None]:
    """Somebody cancels whatever waits for a standby."""
    ended = threading.Event()

    def cancel() -> None:
        waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        with psycopg.connect(url.text, autocommit=True) as connection:
            while not ended.wait(0.02):
                connection.execute(waits)

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@dataclass
class Part(Daemon):
    """`syncd run --role …` with a configuration of its own."""

    name: str = ""
    role: str = "all"
    listen: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.vendors.folder / self.name

    def __enter__(self) -> Part:
        self.folder.mkdir(exist_ok=True)
        settings = yaml.safe_load(self.vendors.config.read_text("utf-8"))
        settings |= {"admin": {"listen": f"127.0.0.1:{self.admin}"}, "log": {"format": "json"}}
        settings["callbacks"] |= {"listen": f"127.0.0.1:{self.listen}", "spool": {"path": "spool.db"}, **self.changes}
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        self.log = self.folder / f"daemon-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "syncd", "run", "-c", str(config), "--role", self.role, *self.arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        return self

    def until(self, what: str, look: Callable[[], object]) -> None:
        """As `wait_for`, on a machine that is busy with others."""

        def seen() -> bool:
            if not (found := bool(look())) and self.process.poll() is not None:
                raise GivenUp(f"{what}: syncd ended first, with {self.process.returncode}")
            return found

        try:
            until(what, seen, within=WITHIN, every=0.3)
        except GivenUp as reason:
            raise GivenUp(f"{reason}: {self.tail()}") from None

    def api(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.admin}{path}", headers=headers, timeout=10, trust_env=False)

    def health(self) -> int:
        """What a balancer is told; 0 where nobody answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.listen}/healthz", timeout=5, trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def is_ready(self) -> bool:
        try:
            return self.api("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def obstacles(self) -> str:
        return self.api("/readyz").text


@contextmanager
def world(tmp_path: Path, url: Url, **options: Any) -> Iterator[Vendors]:
    """Vendors with a few contacts, and a configuration on this ledger."""
    with Vendors(tmp_path, **{"contacts": 12, "speed": 120.0, **options}) as vendors:
        ledger = {"path": None, "url": url.text, "durability": "local"}
        vendors.configure(ledger=ledger, log={"format": "json"})
        yield vendors


def rows(url: Url, question: str, *values: Any) -> list[tuple[Any, ...]]:
    """Of the ledger."""
    with psycopg.connect(url.text, autocommit=True) as connection:
        return connection.execute(question.encode(), values).fetchall()


def ask(url: Url, question: str) -> Any:
    """The first column of the first row."""
    found = rows(url, question)
    return found[0][0] if found else None


def charged(url: Url) -> dict[str, float]:
    """Credits by provider as the ledger has them."""
    told = rows(url, "SELECT provider, sum(charged_mc) / 1000.0 FROM spend GROUP BY provider")
    return {name: float(spent) for name, spent in told if spent}


OPEN = """SELECT (SELECT count(*) FROM job WHERE state NOT IN ('done', 'review'))
    + (SELECT count(*) FROM submission WHERE state IN ('intent', 'accepted', 'in_doubt'))
    + (SELECT count(*) FROM write WHERE state = 'intent')"""


def all_done(url: Url) -> bool:
    """Something was asked, and nothing is left undone."""
    try:
        return bool(ask(url, "SELECT count(*) FROM submission")) and ask(url, OPEN) == 0
    except psycopg.errors.UndefinedTable:
        return False  # it has not made them yet


def assert_right(vendors: Vendors, url: Url) -> None:
    """By the vendors' own books: the CRM is right, and every credit is accounted for."""
    verdict = vendors.verdict_on(answer("review", "list", "--unmasked", "-c", vendors.config))
    assert verdict["ok"], verdict["examples"]
    assert charged(url) == vendors.bill()
