"""Three hosts on one machine, each in a network namespace of its own: `deploy/many` as it stands there, with Debian's
programs. The vendors and the balancer are outside. Needs root.

    outside: the vendors, haproxy            10.213.N.1
    host a, host b: etcd, PostgreSQL (Patroni), a receiver, a worker
    host c: etcd, PostgreSQL (Patroni)
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from syncd.ledger.place import Url
from tests.ending import REMOVE, at_our_end
from tests.postgres import programs, unprivileged
from tests.system.rig import GivenUp, Vendors, environment, until

DEPLOY = Path(__file__).parents[2] / "deploy" / "many"
NEEDED = ("ip", "etcd", "patroni", "haproxy", "nft", "setpriv")
OLDEST_PATRONI = (3, 0, 4)
PASSWORDS = {"SUPERUSER": "made-up-1", "REPLICATION": "made-up-2"}
WITHIN = 120.0  # seconds until a cluster is there, or there again
END = f"""
for space in $1a $1b $1c; do
    for _ in $(seq 100); do pids=$(ip netns pids $space); [ "$pids" ] || break; kill -9 $pids; sleep 0.1; done
    ip netns del $space
done
ip link del $1
{REMOVE}"""
"""What is left of them: `$0` is their folder, `$1` their bridge."""
PORTS = ("hubspot", "zeliq", "fullenrich")


@cache
def missing() -> str:
    """What keeps these tests from running here; nothing where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent or programs() is None:
        names = ", ".join(absent) or "postgresql"
        return f"not installed: {names} (apt install etcd-server haproxy nftables patroni postgresql)"
    tried = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    return tried.stderr.strip()


def require_patroni() -> None:
    """Where a host comes back that was cut off: an older one takes the lock from the new primary."""
    said = subprocess.run(["patroni", "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in said.split()[-1].split(".")[:3]) < OLDEST_PATRONI:
        pytest.skip(
            f"{said.strip()} is too old (deploy/many/README.md): pip install patroni[etcd3,psycopg3], into PATH"
        )


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Host:
    """A namespace, and what runs in it."""

    name: str
    address: str
    space: str
    folder: Path
    others: Mapping[str, str] = field(default_factory=dict)  # the addresses of all three
    forwards: Mapping[int, str] = field(default_factory=dict)  # its loopback's ports that lead outside
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        shutil.chown(self.data, "postgres", "postgres")

    def run(self, name: str, command: Sequence[str | Path], **more: str) -> None:
        """In this namespace, with its output in a file; ends with the test."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.space, *command],
                cwd=self.folder, env={**environment(), **more}, stdout=log, stderr=log,
            )  # fmt: skip

    def start_ledger(self) -> None:
        """etcd, Patroni and PostgreSQL, as they are on each host."""
        peers = ",".join(f"{name}=http://{address}:2380" for name, address in self.others.items())
        self.run(
            "etcd",
            [
                *unprivileged(),
                "etcd",
                "--listen-client-urls=http://0.0.0.0:2379",
                "--listen-peer-urls=http://0.0.0.0:2380",
            ],
            ETCD_NAME=self.name,
            ETCD_DATA_DIR=str(self.data / "etcd"),
            ETCD_ADVERTISE_CLIENT_URLS=f"http://{self.address}:2379",
            ETCD_INITIAL_ADVERTISE_PEER_URLS=f"http://{self.address}:2380",
            ETCD_INITIAL_CLUSTER=peers,
        )
        self.run(
            "patroni",
            [*unprivileged(), "patroni", shutil.copy(DEPLOY / "patroni.yml", self.data)],
            HOME=str(self.data),
            PYTHONWARNINGS="",
            PATRONI_NAME=self.name,
            PATRONI_ETCD3_HOSTS=",".join(f"{address}:2379" for address in self.others.values()),
            PATRONI_RESTAPI_CONNECT_ADDRESS=f"{self.address}:8008",
            PATRONI_POSTGRESQL_CONNECT_ADDRESS=f"{self.address}:5432",
            PATRONI_POSTGRESQL_DATA_DIR=str(self.data / "ledger"),
            PATRONI_POSTGRESQL_BIN_DIR=str(programs()),
            PATRONI_SUPERUSER_PASSWORD=PASSWORDS["SUPERUSER"],
            PATRONI_REPLICATION_PASSWORD=PASSWORDS["REPLICATION"],
        )

    def start_syncd(self, config: Path) -> None:
        """A receiver and a worker, and the way to the vendors."""
        there = {f"127.0.0.1:{port}": address for port, address in self.forwards.items()}
        way = _forwarding(self.folder / "way.cfg", there)
        self.run("way", ["setpriv", "--pdeathsig", "KILL", "haproxy", "-db", "-f", way])
        for role in ("receiver", "worker"):
            settings = yaml.safe_load(config.read_text("utf-8"))
            settings["admin"] = {"listen": f"127.0.0.1:{8081 if role == 'receiver' else 8082}"}
            settings["callbacks"] |= {"listen": "0.0.0.0:8080", "spool": {"path": str(self.folder / "spool.db")}}
            own = self.folder / f"{role}.yaml"
            own.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
            command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "syncd", "run", "-c", str(own)]
            self.run(role, [*command, "--role", role], PYTHONPATH=str(DEPLOY.parents[1]))

    def stop_syncd(self) -> None:
        """As an operator does; what it had begun is finished."""
        stopped = [self.processes.pop(name) for name in ("receiver", "worker") if name in self.processes]
        for process in stopped:
            process.terminate()
        for process in stopped:
            process.wait(60)

    def kill(self) -> None:
        """As a power cut does: everything in it, at once."""
        while pids := self._pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        while self.processes:
            self.processes.popitem()[1].wait(10)

    def _pids(self) -> list[int]:
        told = subprocess.run(["ip", "netns", "pids", self.space], capture_output=True, text=True, check=False)
        return [pid for pid in map(int, told.stdout.split()) if _alive(pid)]

    def cut(self, *, off: bool) -> None:
        """Its link to all others."""
        _ip("link", "set", f"{self.space}-o", "down" if off else "up")

    def drop(self, *rules: str) -> None:
        """Packets that a rule of nft's matches are lost, on one way only: `output …` those that leave this host,
        `input …` those that come to it. Without rules: none is lost any more."""
        chains = {rule.partition(" ")[0] for rule in rules}
        lines = ["table inet lost", "delete table inet lost"]
        lines += ["add table inet lost"]
        lines += [f"add chain inet lost {one} {{ type filter hook {one} priority 0; }}" for one in sorted(chains)]
        lines += [f"add rule inet lost {rule} drop" for rule in rules]
        subprocess.run(
            ["ip", "netns", "exec", self.space, "nft", "-f", "-"], input="\n".join(lines), text=True, check=True
        )

    def is_primary(self) -> bool:
        return self._says("/primary")

    def is_healthy(self) -> bool:
        return self._says("/health")

    def is_synchronous(self) -> bool:
        return self._says("/synchronous")

    def metric(self, name: str) -> float:
        """As Prometheus reads it of Patroni."""
        text = httpx.get(f"http://{self.address}:8008/metrics", timeout=2, trust_env=False).text
        (value,) = re.findall(rf"^{name}{{.*}} (\S+)$", text, re.MULTILINE)
        return float(value)

    def _says(self, path: str) -> bool:
        try:
            return httpx.get(f"http://{self.address}:8008{path}", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def tail(self) -> str:
        """The ends of its logs, for messages."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text('utf-8')[-1500:]}" for log in sorted(self.folder.glob("*.log"))
        )


def _forwarding(file: Path, there: Mapping[str, str]) -> Path:
    """A configuration of haproxy's that forwards each address to another one."""
    lines = ["defaults", "  mode tcp", "  timeout connect 2s", "  timeout client 90s", "  timeout server 90s"]
    for number, (bind, server) in enumerate(there.items()):
        lines += [f"listen way-{number}", f"  bind {bind}", f"  server there {server}"]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass
class Hosts:
    """All three, with the vendors. A context manager."""

    vendors: Vendors
    hosts: dict[str, Host] = field(default_factory=dict)
    _balancers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _ending: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Hosts:
        try:
            self._build()
        except BaseException:  # whatever it was, nothing of it stays on this machine
            self.__exit__()
            raise
        return self

    def _build(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-hosts-"))
        self.folder.chmod(0o755)  # PostgreSQL's user comes by
        number = os.getpid() % 250 + 1
        self._bridge, net = f"syncd{number}", f"10.213.{number}"
        self.outside = f"{net}.1"
        self._ending = at_our_end(END, self.folder, self._bridge)
        addresses = {name: f"{net}.{n}" for n, name in enumerate("abc", 11)}
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.outside}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        urls = self.vendors.info["urls"]
        ports = [int(urls[name].rpartition(":")[2].partition("/")[0]) for name in PORTS] + [self.vendors.listen]
        for name, address in addresses.items():
            space = f"{self._bridge}{name}"
            self._make(space, address)
            forwards = {port: f"{self.outside}:{port}" for port in ports}
            self.hosts[name] = Host(name, address, space, self.folder / name, addresses, forwards)
        self._start_balancer(ports)
        for host in self.hosts.values():
            host.start_ledger()
        self.until_whole()
        self._make_database()
        self.vendors.configure(
            ledger={"path": None, "url": self.url.text, "durability": "replicated"},
            callbacks={"public_url": f"http://127.0.0.1:{self.vendors.listen}"},
            log={"format": "json"},
        )

    def _make(self, space: str, address: str) -> None:
        _ip("netns", "add", space)
        _ip("link", "add", f"{space}-o", "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", f"{space}-o", "master", self._bridge, "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", space, "link", "set", device, "up")

    def _start_balancer(self, ports: Sequence[int]) -> None:
        """deploy/many/haproxy.cfg, and what lets the hosts reach the vendors, who listen on loopback."""
        there = {f"{self.outside}:{port}": f"127.0.0.1:{port}" for port in ports}
        way = _forwarding(self.folder / "vendors.cfg", there)
        told = {"BIND": f"127.0.0.1:{self.vendors.listen}"}
        told |= {f"RECEIVER_{name.upper()}": f"{self.hosts[name].address}:8080" for name in "ab"}
        with (self.folder / "haproxy.log").open("wb") as log:
            self._balancers = [
                subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "haproxy", "-db", "-f", file],
                    env={**environment(), **told}, stdout=log, stderr=log,
                )
                for file in (DEPLOY / "haproxy.cfg", way)
            ]  # fmt: skip

    def until_whole(self) -> None:
        """All three are there, and a commit is on two of them."""
        try:
            until("three hosts, one of them a synchronous standby", self._is_whole, within=WITHIN, every=0.5)
        except GivenUp as reason:
            raise GivenUp(f"{reason}\n{self.tail()}") from None

    def _is_whole(self) -> bool:
        hosts = self.hosts.values()
        return (
            all(one.is_healthy() for one in hosts)
            and any(one.is_primary() for one in hosts)
            and any(one.is_synchronous() for one in hosts)
            and self._followers() == len(hosts) - 1
        )

    def _followers(self) -> int:
        """Standbys that are sent all that is written; one that runs may still have to catch up."""
        return int(self.ask_as_superuser("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") or 0)

    def keeps(self, without: Host) -> bool:
        """Is there a primary, and another host to which its commits go, both of them not this one?"""
        primary, waited_for = self.primary, "SELECT client_addr FROM pg_stat_replication WHERE sync_state = 'sync'"
        if primary is None or primary is without:
            return False
        return str(self.ask_as_superuser(waited_for) or without.address) != without.address

    def ask_as_superuser(self, question: str) -> Any:
        """As `ask`, of PostgreSQL itself."""
        return self._ask(self._url("postgres", "postgres", PASSWORDS["SUPERUSER"]), question)

    def _make_database(self) -> None:
        with psycopg.connect(self._url("postgres", "postgres", PASSWORDS["SUPERUSER"]), autocommit=True) as connection:
            connection.execute("CREATE ROLE syncd LOGIN PASSWORD 'made-up-3'")
            connection.execute("CREATE DATABASE syncd OWNER syncd ENCODING 'UTF8' TEMPLATE template0")

    @property
    def url(self) -> Url:
        return Url(self._url("syncd", "syncd", "made-up-3"))

    def _url(self, database: str, user: str, password: str) -> str:
        everywhere = ",".join(f"{one.address}:5432" for one in self.hosts.values())
        return (
            f"postgresql://{user}:{password}@{everywhere}/{database}?target_session_attrs=read-write&connect_timeout=2"
        )

    @property
    def primary(self) -> Host | None:
        return next((one for one in self.hosts.values() if one.is_primary()), None)

    def ask(self, question: str) -> Any:
        """The first column of the first row; None while no primary answers, or there is no ledger yet."""
        return self._ask(self.url.text, question)

    def _ask(self, url: str, question: str) -> Any:
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                row = connection.execute(question.encode()).fetchone()
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return None
        return None if row is None else row[0]

    def tail(self) -> str:
        return "\n".join(f"===== {one.name}\n{one.tail()}" for one in self.hosts.values())

    def __exit__(self, *failed: object) -> None:
        for host in self.hosts.values():
            host.kill()
            for log in host.folder.glob("*.log") if any(failed) else ():
                shutil.copy(log, self.vendors.folder / f"{host.name}-{log.name}")
        for balancer in self._balancers:
            balancer.kill()
            balancer.wait(10)
        if self._ending is not None:
            self._ending.communicate()
