"""The daemon as a process of its own, on a socket that somebody else holds, and callbacks that pour in.

In here: the configuration, starting and ending, the load. What is to be true: the tests.
The vendors can't be reached: what is looked at is what comes in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from syncd.ledger.arrivals import KEPT, unpacked
from syncd.ledger.inbox import SURPLUS_KEPT
from tests.system.rig import free_port
from tests.unit.audit import BODIES, ask
from tests.unit.harness import SECRET

from .client import Client, asked_harness

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
AT_ONCE = 250  # callbacks that wait for their answers: fewer than deploy/nginx.conf lets in from one address
CRM_TOKEN = "pat-eu1-not-a-real-one"
_HOLD = (  # as systemd hands it over: descriptor 3, and whom it is for
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True); "
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])"
)


def environment() -> dict[str, str]:
    """As a plain shell has it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT)}


@dataclass
class Site:
    """A folder with a ledger in which calls are open, a configuration, and a socket that is held."""

    folder: Path
    urls: list[str]
    holder: socket.socket
    disk: Path  # where the ledger is
    crm: int = 9  # the port of its HubSpot; nobody listens on the default
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.disk / "ledger.db"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def client(self) -> Client:
        return Client(self.holder.getsockname()[1])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A whole command of syncd."""
        command = [sys.executable, "-m", "syncd", *words, "-c", str(self.config)]
        return subprocess.run(
            command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def start(self, *wrapper: str) -> subprocess.Popen[bytes]:
        """A daemon that is given the held socket; `wrapper`: what runs it, such as strace."""
        run = [sys.executable, "-m", "syncd", "run", "-c", str(self.config)]
        command = [*wrapper, sys.executable, "-c", _HOLD, str(self.holder.fileno()), *run]
        with (self.folder / f"daemon-{len(self.running)}.log").open("wb") as log:
            held = (self.holder.fileno(),)
            process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=log, stderr=log, pass_fds=held)
        self.running.append(process)
        return process

    def log(self) -> str:
        """What the daemons said, for messages."""
        return "\n".join(one.read_text()[-1500:] for one in sorted(self.folder.glob("daemon-*.log")))

    def serving(self) -> None:
        """Wait until a daemon answers: the question waits in the held socket's queue like everybody's."""
        answer = httpx.get(f"http://127.0.0.1:{self.client.port}/healthz", timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 200, self.log()

    def configure(self) -> None:
        """Write the configuration."""
        port = self.client.port
        crm, nobody = f"http://127.0.0.1:{self.crm}", "http://127.0.0.1:9"
        asked = {"providers": ["zeliq"]}
        settings = {
            "ledger": {"path": str(self.ledger), "reserve": "1MiB"},
            "callbacks": {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}", "secrets": [SECRET]},
            "admin": {"listen": f"127.0.0.1:{free_port()}"},
            "log": {"format": "json"},
            "connections": {
                "crm": {"connector": "hubspot", "access_token": CRM_TOKEN, "base_url": crm},
                "zeliq": {"connector": "zeliq", "api_key": "zq-not-a-real-one", "base_url": nobody},
            },
            "syncs": [
                {"name": "people", "crm": "crm", "object": "contacts", "every": "1h", "fields": {"email": asked}}
            ],
        }
        self.config.write_text(yaml.safe_dump(settings, sort_keys=False))
        self.config.chmod(0o600)


def within(process: subprocess.Popen[bytes]) -> list[int]:
    """What runs within a wrapper such as strace, which passes no signal on. Nothing of a process that has ended."""
    if process.poll() is not None:
        return []
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@contextmanager
def site(folder: Path, calls: int | Sequence[str], disk: Path | None = None, *, crm: int = 9) -> Iterator[Site]:
    """A site with so many calls under way (or one for each of these contacts), its ledger on `disk` if there is one,
    its HubSpot on port `crm`; whatever it started is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    harness, urls = asked_harness(disk or folder, calls, now=time.time())
    harness.close()
    holder = socket.create_server(("127.0.0.1", 0), backlog=4096)
    made = Site(folder, urls, holder, disk or folder, crm)
    made.configure()
    try:
        yield made
    finally:
        for process in made.running:
            for pid in (*within(process), process.pid):  # what strace runs outlives it
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(PATIENCE)
        holder.close()


@dataclass
class Load:
    """Callbacks at a steady pace, each on its own connection; none while too many wait for their answers. `stubborn`:
    what fails is sent again; `padding`: so many bytes more in each."""

    client: Client
    urls: Sequence[str]
    per_second: float = 100.0
    stubborn: bool = False
    padding: int = 0
    acknowledged: set[bytes] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)  # seconds until each 200
    sent: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop, and until each has come to its end."""
        loop = asyncio.get_running_loop()
        start = loop.time() - self.sent / self.per_second
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as under_way:
            while not stop.is_set():
                await places.acquire()
                sending = under_way.create_task(self._one(self.urls[self.sent % len(self.urls)], self._body()))
                sending.add_done_callback(lambda _: places.release())
                self.sent += 1
                await asyncio.sleep(start + self.sent / self.per_second - loop.time())

    def _body(self) -> bytes:
        """A call takes so many different answers and no more: from then on they are repeated."""
        people = len(self.urls)
        return answer(self.sent % (KEPT * people), about=self.sent % people, padding=self.padding)

    async def _one(self, url: str, body: bytes) -> None:
        while not await self._accepted(url, body) and self.stubborn:
            await asyncio.sleep(0.5)

    async def _accepted(self, url: str, body: bytes) -> bool:
        started = time.monotonic()
        try:
            status = (await self.client.post(url, body, within=PATIENCE)).status
        except (OSError, TimeoutError) as error:
            self.failed.append(type(error).__name__)
            return False
        if status == 200:
            self.acknowledged.add(body)
            self.took.append(time.monotonic() - started)
        else:
            self.failed.append(f"HTTP {status}")
        return status == 200


def answer(number: int, *, about: int | None = None, padding: int = 0) -> bytes:
    """What Zeliq says about one contact; no two are alike. `about`: which of the people of `asked_harness`; the profile
    that it was asked about is repeated then, without which a find is not believed."""
    found = {"most_probable_email": f"p{number}@acme.example.com", "most_probable_email_status": "valid"}
    found |= {} if about is None else {"linkedin_url": f"https://www.linkedin.com/in/person{about}"}
    found |= {"about": "x" * padding} if padding else {}
    return json.dumps({"credit_used": 1, "contact": found}).encode()


def kept(ledger: Path) -> set[bytes]:
    """The body of every callback in a ledger."""
    return {unpacked(*row) for row in ask(ledger, f"{BODIES} WHERE source = 'callback'")}


def lost(ledger: Path, acknowledged: set[bytes]) -> set[bytes]:
    """What was acknowledged and is not in a ledger. Of a call that had its last word some more answers are kept, and
    the others dropped: those are not meant."""
    rows = ask(ledger, f"{BODIES} WHERE state = 'surplus'")
    surplus = Counter(_person(unpacked(*row)) for row in rows)
    missing = acknowledged - kept(ledger)
    return {body for body in missing if surplus[_person(body)] < SURPLUS_KEPT}


def _person(body: bytes) -> str:
    """Whom an `answer` is about, and so which call it answers."""
    return str(json.loads(body)["contact"].get("linkedin_url"))


async def restarts(
    here: Site, number: signal.Signals, times: int, *, stubborn: bool = False, through: Client | None = None
) -> Load:
    """End the daemon with a signal so many times while callbacks pour in, and start it again each time. `through`: a
    proxy that they come through."""
    here.start()
    await asyncio.to_thread(here.serving)
    load, stop = Load(through or here.client, here.urls, stubborn=stubborn), asyncio.Event()
    pouring = asyncio.create_task(load.run(stop))
    for _ in range(times):
        await asyncio.sleep(0.5)
        running = here.running[-1]
        running.send_signal(number)
        await asyncio.to_thread(running.wait, PATIENCE)
        here.start()
        await asyncio.to_thread(here.serving)
    stop.set()
    await pouring
    here.running[-1].terminate()
    await asyncio.to_thread(here.running[-1].wait, PATIENCE)
    return load
