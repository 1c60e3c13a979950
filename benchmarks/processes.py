"""The processes that are measured, and what they cost: the daemon, the lean vendors, the bare script.

Only what was started here is ended, by its handle; every wait has an end.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .providers import FULLENRICH_KEY, ZELIQ_KEY

PATIENCE = 60.0  # seconds
SECRET = "5b" * 32  # of the callbacks' addresses
_ROOT = Path(__file__).parents[1]
_TICK = os.sysconf("SC_CLK_TCK")
_PORTS = itertools.count(16_000 + os.getpid() % 3_000)  # below those that the kernel hands out
_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {"PYTHONPATH": str(_ROOT)}

Json = dict[str, Any]


class NotMeasured(Exception):
    """What was to be measured did not happen; says why."""


def free_port() -> int:
    """A port that nobody listens on now."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise NotMeasured("no port is free")


def get(port: int, path: str) -> tuple[int, Any]:
    """Status and JSON (or text) of a local address."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body[:1] in (b"{", b"[") else body.decode()
    finally:
        connection.close()


def until(what: str, look: Callable[[], Any], within: float = PATIENCE, every: float = 0.1) -> Any:
    """Look until there is something true to see; raises NotMeasured when that takes too long."""
    end = time.monotonic() + within
    while not (seen := look()):
        if time.monotonic() > end:
            raise NotMeasured(f"{what}: not within {within:g} s")
        time.sleep(every)
    return seen


class Process:
    """A process with all that it starts. A context manager that ends it."""

    def __init__(self, *command: str, log: Path | None = None) -> None:
        """`log`: where its output goes; otherwise it is asked and answers line by line."""
        self._log = log
        with (log or Path(os.devnull)).open("ab") as file:
            out, errors = (file, file) if log else (subprocess.PIPE, None)
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=_ROOT,
                env=_ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=errors,
            )

    def line(self, question: str = "") -> Any:
        """The next line that it prints, as JSON; a `question` is sent before."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        if question:
            self.popen.stdin.write(question.encode() + b"\n")
            self.popen.stdin.flush()
        answer = self.popen.stdout.readline()
        if not answer:
            raise NotMeasured(f"{self.popen.args!r} did not start")
        return json.loads(answer)

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far, of ended children too."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self._tree()) / _TICK

    def memory(self, *, peak: bool = False) -> float:
        """MB (a million bytes) of resident memory."""
        key = "VmHWM" if peak else "VmRSS"
        found = [re.search(rf"{key}:\s+(\d+)", _read(f"/proc/{pid}/status")) for pid in self._tree()]
        return sum(int(one[1]) for one in found if one) * 1024 / 1e6

    def _tree(self) -> list[int]:
        pids, todo = list[int](), [self.popen.pid]
        while todo:
            pids.append(pid := todo.pop())
            todo += map(int, _read(f"/proc/{pid}/task/{pid}/children").split())
        return pids

    def require_alive(self) -> None:
        """Raise NotMeasured where it has ended by itself."""
        if self.popen.poll() is not None:
            raise NotMeasured(f"it ended by itself with {self.popen.returncode}: {self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return "" if self._log is None else self._log.read_text("utf-8", "replace")[-1500:]

    def end(self) -> None:
        """Ask it to end, then make it."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(PATIENCE)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def cpu_of(*command: str) -> float:
    """Seconds of CPU of a command, from its start to its end; what it prints is thrown away."""
    process = Process(*command, log=Path(os.devnull))
    _, status, used = os.wait4(process.popen.pid, 0)
    process.popen.returncode = os.waitstatus_to_exitcode(status)
    process.end()
    if process.popen.returncode:
        raise NotMeasured(f"{' '.join(command)} ended with {process.popen.returncode}")
    return used.ru_utime + used.ru_stime


class Vendors(Process):
    """The lean vendors; the options are those of `vendors.Vendors`."""

    def __init__(self, contacts: int, **options: Any) -> None:
        self.speed, self.origin = options.get("speed", 1.0), time.time()
        super().__init__("benchmarks.vendors", json.dumps({"contacts": contacts, "origin": self.origin, **options}))
        self.port: int = self.line()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> Json:
        """What came in, and what went out."""
        counts: Json = get(self.port, "/bench/counts")[1]
        return counts


class Org(Process):
    """The sandbox's Salesforce, in the vendors' time."""

    def __init__(self, contacts: int, vendors: Vendors) -> None:
        options = {"contacts": contacts, "speed": vendors.speed, "origin": vendors.origin}
        super().__init__("benchmarks.org", json.dumps(options))
        self.connection: Json = {"connector": "salesforce", **self.line()}

    def counts(self) -> dict[str, int]:
        """Calls so far, right values, wrong ones."""
        counts: dict[str, int] = self.line("counts")
        return counts


class Daemon(Process):
    """`syncd run` with a ledger of its own, or with the one in `folder`."""

    def __init__(self, configuration: Json, folder: Path | None = None) -> None:
        self._own = None if folder else tempfile.TemporaryDirectory(prefix="syncd-bench-")
        self.folder = folder or Path(self._own.name if self._own else "")
        self.public, self.private = free_port(), free_port()
        path = written(self.folder, configuration, self.public, self.private)
        super().__init__("syncd", "run", "-c", str(path), log=self.folder / "log")

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    def accepts(self) -> bool:
        """Does the callbacks' listener answer?"""
        self.require_alive()
        try:
            return get(self.public, "/healthz")[0] == 200
        except OSError:
            return False

    def wait_for_listener(self) -> Self:
        """Until callbacks are taken."""
        until("the callbacks' listener", self.accepts, every=0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        if self._own is not None:
            self._own.cleanup()


def written(folder: Path, configuration: Json, public: int, private: int) -> Path:
    """A configuration as a file, with a ledger beside it and these ports. JSON is YAML, too."""
    listening: Json = {
        "ledger": {"path": str(folder / "ledger.db"), "reserve": "1MiB"},
        "callbacks": {
            "listen": f"127.0.0.1:{public}",
            "public_url": f"http://127.0.0.1:{public}",
            "secrets": [SECRET],
        },
        "admin": {"listen": f"127.0.0.1:{private}"},
        "log": {"format": "json", "level": "warning"},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(listening | configuration), "utf-8")
    path.chmod(0o600)
    return path


def configuration(vendors: Vendors, provider: str = "fullenrich", *, org: Org | None = None, **more: Any) -> Json:
    """One CRM (HubSpot, or this org), one provider, two fields. `more`: of the sync; `each`: a callback for each
    contact of a bulk."""
    options: Json = {
        "fullenrich": {"api_key": FULLENRICH_KEY, "contact_webhooks": more.pop("each", True)},
        "zeliq": {"api_key": ZELIQ_KEY, "plan": "essential"},
    }[provider]
    hubspot = {
        "connector": "hubspot",
        "access_token": "bench-hubspot-key",
        "searches_per_second": 5,
        "base_url": vendors.url,
    }
    wanted = {"providers": [provider], "accept": ["valid"]}
    sync = {
        "name": "bench",
        "crm": "crm",
        "object": "contacts",
        "every": "1d",
        "fields": {"email": wanted, "phone": wanted},
    }
    rehearsal = {"rehearsal": {"speed": vendors.speed, "origin": vendors.origin}} if vendors.speed != 1 else {}
    return {
        **rehearsal,
        "connections": {
            "crm": hubspot if org is None else org.connection,
            provider: {"connector": provider, "base_url": vendors.url, **options},
        },
        "syncs": [sync | more],
    }


def _read(path: str) -> str:
    """A file of /proc, blank once its process has ended."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split() or ["0"] * 20
