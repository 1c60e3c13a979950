"""Several workers on one PostgreSQL ledger: real processes, real vendors, and what both say in the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from syncd.ledger import upkeep
from syncd.ledger.place import Url
from syncd.ledger.store import reading
from tests.postgres import needed
from tests.system.rig import GivenUp, Vendors, environment, free_port, until

from .parts import WITHIN, charged, rows

LEASE = 10  # seconds
SYNCD = ("-m", "syncd")
PAID = {"zeliq": ("email", "phone"), "fullenrich": ("start",)}
OPEN = "SELECT count(*) FROM job WHERE state NOT IN ('done', 'review')"
MOVING = "SELECT count(*) FROM job WHERE state NOT IN ('done', 'review', 'in_doubt', 'waiting')"
CALLS = "SELECT count(*) FROM submission WHERE state IN ('intent', 'accepted', 'in_doubt')"
BEGUN = "SELECT count(*) FROM write WHERE state = 'intent'"
RESULTS = """
SELECT contact.ext_id, job.field, job.state, job.reason, coalesce(job.value, '')
FROM job JOIN contact ON contact.id = job.contact_id ORDER BY 1, 2"""
TWICE = """
SELECT job_id, provider, round, way FROM attempt WHERE live = 1 GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"""


@dataclass
class Site(Vendors):
    """Vendors, and a database for the ledger. A context manager."""

    url: Url = field(default_factory=lambda: needed().fresh())
    lease: int = LEASE
    workers: list[Worker] = field(default_factory=list)

    def __enter__(self) -> Site:
        super().__enter__()
        syncs = yaml.safe_load(self.config.read_text("utf-8"))["syncs"]
        self.configure(
            ledger={"path": None, "url": self.url.text, "durability": "local", "lease": f"{self.lease}s"},
            syncs=[{**sync, "buy_before_write": 0} for sync in syncs],
        )
        return self

    def __exit__(self, *told: object) -> None:
        for worker in self.workers:
            worker.kill()
        super().__exit__(*told)
        needed().drop(self.url)

    def ask(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the ledger."""
        return rows(self.url, question, *values)

    def count(self, question: str, *values: Any) -> int:
        """The first value of the first row."""
        return int(self.ask(question, *values)[0][0])

    def settled(self) -> bool:
        """Is there nothing left to do?"""
        return bool(self.count("SELECT count(*) FROM job")) and not any(map(self.count, (OPEN, CALLS, BEGUN)))

    def verdict(self) -> dict[str, Any]:
        """The vendors' own, on what stands in the CRM and on what was bought."""
        waiting = self.ask("SELECT ref, field, value FROM waiting_review")
        return self.verdict_on([dict(zip(("ref", "field", "value"), row, strict=True)) for row in waiting])

    def paid_calls(self) -> dict[str, int]:
        """How often each provider was asked to find somebody, by the vendors' own count."""
        calls = self.get("calls")
        return {name: sum(calls[name].get(call, 0) for call in paid) for name, paid in PAID.items()}

    def begin(
        self, *wrapper: str, program: Sequence[str] = SYNCD, role: str = "all", listen: int | None = None
    ) -> Worker:
        """One more worker on this ledger. `wrapper`: what its command begins with; `program`: what it runs; `listen`:
        its port for callbacks, where that is to be another one than usual."""
        worker = Worker(self, len(self.workers), wrapper=wrapper, program=program, role=role, listen=listen)
        self.workers.append(worker)
        worker.start()
        return worker


@dataclass
class Worker:
    """`syncd run` on a site's ledger, with listeners of its own. The first one takes all callbacks."""

    site: Site
    number: int
    wrapper: Sequence[str] = ()
    program: Sequence[str] = SYNCD
    role: str = "all"
    listen: int | None = None
    release: Path | None = None
    """The folder of another release that it runs: see `tests.releases`."""
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        settings = yaml.safe_load(self.site.config.read_text("utf-8"))
        if self.number or self.listen:
            settings["callbacks"]["listen"] = f"127.0.0.1:{self.listen or free_port()}"
        self.admin = free_port()
        settings["callbacks"]["spool"] = {"path": f"spool-{self.number}.db"}
        settings["admin"] = {"listen": f"127.0.0.1:{self.admin}"}
        self.config = self.site.folder / f"worker-{self.number}.yaml"
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        self.log = self.site.folder / f"worker-{self.number}.log"

    def start(self) -> None:
        command = [*self.wrapper, sys.executable, *self.program, "run", "-c", str(self.config), "--role", self.role]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self._environment(), cwd=self.release, stdout=log, stderr=subprocess.STDOUT
            )

    def _environment(self) -> dict[str, str]:
        return environment() if self.release is None else environment(PYTHONPATH=str(self.release))

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def state(self) -> str:
        """As the kernel has it: T is stopped."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def kill(self) -> None:
        """As a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def end(self) -> int:
        """As systemd does; returns its status."""
        assert self.process is not None
        self.signal(signal.SIGTERM)
        return self.process.wait(60)

    def is_ready(self) -> bool:
        """As whoever upgrades one host after the other asks it."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.admin}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def starts(self) -> int:
        """How often it has begun to work."""
        return self.log.read_text("utf-8").count('"event": "started"')

    def has_started(self, times: int) -> bool:
        return self.starts() >= times

    def tail(self) -> str:
        return self.log.read_text("utf-8")[-3000:]


def watched(site: Site, what: str, look: Callable[[], Any], *, within: float = WITHIN) -> None:
    """As `until`, and says what the workers said where it does not come, or where one has ended by itself."""

    def seen() -> Any:
        found = look()
        if not found and any(one.process and one.process.poll() not in (None, -9) for one in site.workers):
            raise GivenUp("a worker has ended")
        return found

    try:
        until(what, seen, within=within, every=0.2)
    except GivenUp as error:
        states = site.ask("SELECT state, reason, count(*) FROM job GROUP BY 1, 2 ORDER BY 3 DESC")
        told = "\n".join(
            f"--- {one.number} ({one.process and one.process.poll()})\n{one.tail()}" for one in site.workers
        )
        raise GivenUp(f"{error}: {states}\n{told}") from None


def all_but_doubts(site: Site) -> bool:
    """Is nothing left to do but what nobody knows of, or waits for that?"""
    return bool(site.count("SELECT count(*) FROM job")) and not site.count(MOVING)


def assert_bought_once(site: Site) -> None:
    """By the vendors' books: no call without an intent of its own, no intent with two calls, nothing bought twice."""
    made, known = site.paid_calls(), dict(site.ask("SELECT provider, count(*) FROM submission GROUP BY 1"))
    assert all(made[name] <= known.get(name, 0) for name in made), (made, known)
    assert site.ask(TWICE) == []
    verdict = site.verdict()
    assert verdict["bought_twice"] == verdict["overwritten"] == 0, verdict["examples"]
    with reading(site.url) as tx:
        assert list(upkeep.problems(site.url, tx)) == []


def assert_right(site: Site) -> None:
    """Nothing is left undone, the CRM is right, each purchase was made and billed once, all adds up."""
    verdict = site.verdict()
    assert verdict["ok"], verdict["examples"]
    assert charged(site.url) == site.bill()
    assert site.ask(TWICE) == []
    with reading(site.url) as tx:
        assert list(upkeep.problems(site.url, tx)) == []
