"""The rig of the system tests: vendors and daemons as processes of their own, over real sockets.

Here: starting, steering, ending; what is to be true of them stands in the tests. Only processes that
were started here are ended, by their handle. Every wait has an end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

T = TypeVar("T")

WATERFALL = {"email": "zeliq,fullenrich", "phone": "fullenrich,zeliq", "accept": "valid"}
PLAIN = 48  # contacts: a world of fewer than 50 has nobody in it who interferes, so bills can be compared
PATIENCE = 60.0  # real seconds until a wait is given up; nothing takes a tenth of it on a quiet machine
_ROOT = Path(__file__).parents[2]
_RANGES = range(20_000, 32_000, 250)  # of ports, below those that the kernel hands out


class GivenUp(AssertionError):
    """Something did not happen in time."""


def until(what: str, look: Callable[[], T], *, within: float = PATIENCE, every: float = 0.02) -> T:
    """Look again and again until there is something true to see, and return it."""
    end = time.monotonic() + within
    while not (seen := look()):
        if time.monotonic() > end:
            raise GivenUp(f"{what}: not within {within:g} s")
        time.sleep(every)
    return seen


def _own_ports() -> Iterator[int]:
    """Ports that no other process of these tests takes, of this checkout or another one.

    Each range has a name, which is held as long as this process lives.
    """
    held = []
    for first in _RANGES:
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0syncd-tests-{first}")
        except OSError:
            name.close()
            continue
        held.append(name)
        yield from range(first, first + _RANGES.step)


_PORTS = _own_ports()


def free_port() -> int:
    """A port of this process's own that nobody listens on now."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise GivenUp("no port is free")


def environment(**more: str) -> dict[str, str]:
    """As a plain shell has it: 80 columns, no colours asked for."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(_ROOT), "COLUMNS": "80", "PYTHONWARNINGS": "error", **more}


def syncd(
    *arguments: str | Path, within: float = PATIENCE, cwd: Path = _ROOT, **more: str
) -> subprocess.CompletedProcess[str]:
    """One command, as a user types it, its output in pipes."""
    command = [sys.executable, "-m", "syncd", *map(str, arguments)]
    return subprocess.run(
        command, env=environment(**more), cwd=cwd, capture_output=True, text=True, timeout=within, check=False
    )


def answer(*arguments: str | Path, status: int = 0, **more: Any) -> Any:
    """What a command prints with --json; its exit status is as expected, and nothing else is printed."""
    done = syncd(*arguments, "--json", **more)
    assert done.returncode == status, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return json.loads(done.stdout)


@dataclass
class Vendors:
    """`syncd sandbox` and its control API. A context manager."""

    folder: Path
    contacts: int = PLAIN
    seed: int = 1
    speed: float = 240.0
    faults: Sequence[str] = ()
    options: Sequence[str] = ()
    info: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Vendors:
        command = [sys.executable, "-m", "syncd", "sandbox", "--tether", "--json", f"--write-config={self.config}"]
        command += [f"--contacts={self.contacts}", f"--seed={self.seed}", f"--speed={self.speed}"]
        command += [f"--fault={one}" for one in self.faults]
        self._process = subprocess.Popen(
            [*command, *self.options], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._control = httpx.Client(timeout=PATIENCE, trust_env=False)
        assert self._process.stdout is not None
        self.info = json.loads(self._process.stdout.readline() or "null") or self._stillborn()
        self.listen, self.admin = free_port(), free_port()
        self.configure(
            callbacks={"listen": f"127.0.0.1:{self.listen}", "public_url": f"http://127.0.0.1:{self.listen}"},
            admin={"listen": f"127.0.0.1:{self.admin}"},
            connections={"zeliq": {"in_doubt": {"hold": "30m"}}, "fullenrich": {"in_doubt": {"hold": "30m"}}},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.communicate(timeout=PATIENCE)  # closes its standard input, which ends it

    def _stillborn(self) -> dict[str, Any]:
        raise GivenUp(f"the sandbox did not start: exit {self._process.wait(PATIENCE)}")

    @property
    def config(self) -> Path:
        """The configuration that points at these vendors."""
        return self.folder / "config.yaml"

    @property
    def ledger(self) -> Path:
        """Where that configuration keeps the ledger."""
        return self.folder / "ledger.db"

    def configure(self, **changes: Any) -> None:
        """Merge changes into the configuration; None takes a key away."""
        _merge(settings := yaml.safe_load(self.config.read_text("utf-8")), changes)
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")

    def get(self, path: str, **query: str) -> Any:
        """Ask the control API."""
        return self._control.get(f"{self.info['urls']['control']}/{path}", params=query).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        """Order something from the control API."""
        return self._control.post(f"{self.info['urls']['control']}/{path}", json=body).raise_for_status().json()

    def fault(self, *specs: str, clear: bool | Sequence[str] = False) -> None:
        """Switch faults off, then on."""
        self.post("faults", add=list(specs), clear=clear)

    def judge(self) -> dict[str, Any]:
        """The verdict on the CRM's state as it is now, and on what waits for a person."""
        return self.verdict_on(
            answer("review", "list", "--unmasked", "-c", self.config) if self.ledger.exists() else []
        )

    def verdict_on(self, waiting: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The same, with these values waiting for a person."""
        told = [{key: one[key] for key in ("ref", "field", "value")} for one in waiting]
        url = f"{self.info['urls']['control']}/judge"
        verdict: dict[str, Any] = (
            self._control.post(url, params=WATERFALL, json={"review": told}).raise_for_status().json()
        )
        return verdict

    def bill(self) -> dict[str, float]:
        """What each provider really billed."""
        return {name: billed for name, one in self.get("bill").items() if (billed := float(one["billed"]))}

    def keys(self) -> set[str]:
        """Everything that opens an account."""
        keys = self.info["keys"].values()
        return {one for key in keys for one in (key.values() if isinstance(key, dict) else [key])}

    def contact(self, contact: str) -> dict[str, Any]:
        """One contact of the CRM as it is now."""
        (found,) = self.get("state", id=contact)["contacts"]
        assert isinstance(found, dict)
        return found


@dataclass
class Daemon:
    """`syncd run` in a process. A context manager that kills what is left of it."""

    vendors: Vendors
    arguments: Sequence[str] = ()

    def __enter__(self) -> Daemon:
        self.log = self.vendors.folder / f"daemon-{next(_RUNS)}.log"
        command = [sys.executable, "-m", "syncd", "run", "-c", str(self.vendors.config), *self.arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment(), stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def lines(self, event: str = "", **matching: Any) -> list[dict[str, Any]]:
        """The lines of the log (JSON), of one event, with these facts."""
        texts = self.log.read_text("utf-8").splitlines()
        lines = [json.loads(text) for text in texts if text.startswith("{") and text.endswith("}")]
        return [
            line
            for line in lines
            if event in ("", line["event"]) and all(line.get(key) == value for key, value in matching.items())
        ]

    def said(self, event: str, **matching: Any) -> dict[str, Any]:
        """Wait for a line, and return the first such."""
        return self.wait_for(f"{event} {matching} in the log", lambda: self.lines(event, **matching))[0]

    def wait_for(self, what: str, look: Callable[[], T], *, every: float = 0.01) -> T:
        """As `until`, but a daemon that has ended is not waited for."""

        def alive() -> T | None:
            if seen := look():
                return seen
            if self.process.poll() is not None:
                raise GivenUp(f"{what}: syncd ended first, with {self.process.returncode}: {self.tail()}")
            return None

        try:
            found = until(what, alive, every=every)
        except GivenUp as reason:
            raise GivenUp(f"{reason}: {self.tail()}") from None
        assert found is not None
        return found

    def api(self, path: str, **headers: str) -> httpx.Response:
        """Ask the private listener."""
        return httpx.get(f"http://127.0.0.1:{self.vendors.admin}{path}", headers=headers, timeout=10, trust_env=False)

    def status(self) -> dict[str, Any]:
        """What `/api/status` answers."""
        found: dict[str, Any] = self.api("/api/status").raise_for_status().json()
        return found

    def wait(self, within: float = PATIENCE) -> int:
        """Wait for its own end; returns the exit status."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise GivenUp(f"syncd did not end within {within:g} s: {self.tail()}") from None

    def terminate(self, within: float = PATIENCE) -> int:
        """Ask it to end, as systemd does."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def tail(self) -> str:
        """The end of its log, for messages."""
        return self.log.read_text("utf-8")[-3000:]


_RUNS = itertools.count(1)


def run_once(vendors: Vendors, *arguments: str) -> Daemon:
    """A whole `syncd run --once`, which succeeds."""
    with Daemon(vendors, ("--once", *arguments)) as daemon:
        assert daemon.wait() == 0, daemon.tail()
        return daemon


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A ledger, read only, as anybody's SQLite tool reads it."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def ask(path: Path, question: str, *values: Any) -> Any:
    """The first column of the first row of an answer; 0 while there is no such ledger or table yet."""
    try:
        with reading(path) as ledger:
            return ledger.execute(question, values).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def charged(ledger: Path) -> dict[str, float]:
    """Credits by provider as the ledger has them."""
    with reading(ledger) as tx:
        rows = tx.execute("SELECT provider, sum(charged_mc) / 1000.0 FROM spend GROUP BY provider")
        return {name: spent for name, spent in rows if spent}


def assert_right(vendors: Vendors) -> None:
    """All as it should be: the CRM is right, every credit is accounted for, nothing is left undone."""
    verdict, ledger = vendors.judge(), vendors.ledger
    assert verdict["ok"], verdict["examples"]
    assert charged(ledger) == vendors.bill()
    assert ask(ledger, "SELECT count(*) FROM job WHERE state NOT IN ('done', 'review')") == 0
    assert ask(ledger, "SELECT count(*) FROM submission WHERE state IN ('intent', 'accepted', 'in_doubt')") == 0
    assert ask(ledger, "SELECT count(*) FROM write WHERE state = 'intent'") == 0
    assert ask(ledger, "PRAGMA integrity_check") == "ok"


def _merge(old: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value
