"""A bare Debian in a container under a real systemd: made once, started on a layer of its own each time.

Needs root, debootstrap and systemd-nspawn. The container has no network but its own loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUITE = os.environ.get("SUITE", "bookworm")
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates,caddy,nginx,curl,sqlite3,procps"
CACHE = Path(__file__).parents[2] / ".cache" / "boot"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")
HOME = "/srv"  # where the administrator is when a trial begins


class CanNot(Exception):
    """This machine can't do it; the message says why."""


def missing() -> str:
    """What this machine lacks, or ""."""
    if os.geteuid() != 0:
        return "it needs root"
    tools = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(tool) is None]
    return f"{' and '.join(tools)} not installed (apt install debootstrap systemd-container)" if tools else ""


def _mirror() -> str:
    """Where this machine itself gets its packages."""
    for source in filter(Path.exists, SOURCES):
        for line in source.read_text().splitlines():
            words = line.split()
            if words and words[0] in ("URIs:", "deb"):
                return next(word for word in words[1:] if "://" in word)
    raise CanNot("this machine names no mirror of Debian")


def base() -> Path:
    """The bare Debian, made at the first call."""
    root = CACHE / SUITE
    made_of = root / ".complete"
    if not made_of.exists() or made_of.read_text() != PACKAGES:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), _mirror()]
        with (CACHE / "debootstrap.log").open("wb") as log:
            if subprocess.run(command, stdout=log, stderr=log, check=False).returncode:
                raise CanNot(f"debootstrap failed: see {log.name}")
        _run("systemctl", f"--root={root}", "disable", "nginx")  # who follows the page begins with Caddy
        made_of.write_text(PACKAGES)
    return root


class Container:
    """A context manager: boots, and is away again afterwards."""

    def __init__(self, name: str = "syncd-boot") -> None:
        self._name = name
        self._place = Path("/run") / f"{name}-{os.getpid()}"
        self.root = self._place / "root"
        self.home = self.root / HOME.lstrip("/")
        self.cwd = HOME

    def __enter__(self) -> Container:
        lower = base()
        self._place.mkdir()
        _run("mount", "-t", "tmpfs", "-o", "size=3g", "tmpfs", str(self._place))
        for folder in ("upper", "work", "root"):
            (self._place / folder).mkdir()
        layers = f"lowerdir={lower},upperdir={self._place / 'upper'},workdir={self._place / 'work'}"
        _run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        with (self.root / "etc/hosts").open("a") as hosts:
            hosts.write("127.0.0.1 localhost enrich.example.com\n")
        command = ["systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe"]
        command += ["-M", self._name, "-D", str(self.root)]
        self._log = (CACHE / "console.log").open("wb")
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            self._leader = self.wait_for("its first process", self._first_process)
            state = self.wait_for("the boot", self._booted)
        except BaseException:  # whoever gives up must not leave a machine running
            self.__exit__()
            raise
        if state not in ("running", "degraded"):
            raise CanNot(f"systemd came up as {state!r}: see {self._log.name}")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._log.close()
        _run("umount", "--lazy", str(self.root))
        _run("umount", "--lazy", str(self._place))
        self._place.rmdir()

    def _first_process(self) -> int:
        if self._process.poll() is not None:
            raise CanNot(f"systemd-nspawn does not run here: see {self._log.name}")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        names = [Path(f"/proc/{child}/comm").read_text().strip() for child in children]
        return int(children[names.index("systemd")]) if "systemd" in names else 0

    def _booted(self) -> str:
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return "" if state in ("", "initializing", "starting", "offline") else state

    def wait_for(self, what: str, look: Callable[[], Any], within: float = 120.0) -> Any:
        """Look again and again until there is something true to see, and return it."""
        end = time.monotonic() + within
        while not (seen := look()):
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {within:g} s\n{self.journal()}")
            time.sleep(0.2)
        return seen

    def run(
        self, command: str, *, check: bool = True, given: str = "", within: float = 600.0
    ) -> subprocess.CompletedProcess[str]:
        """A command as root types it; where it changes the folder, the next one is run there."""
        script = f"cd {self.cwd}\n{command}\nstatus=$?\npwd > /var/tmp/cwd\nexit $status\n"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        inside = ["nsenter", f"--target={self._leader}", "--all", "--", "/bin/bash", "-c", script]
        done = subprocess.run(
            inside,
            env={**environment, "HOME": HOME, "DEBIAN_FRONTEND": "noninteractive"},
            input=given,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if (self.root / "var/tmp/cwd").exists():
            self.cwd = (self.root / "var/tmp/cwd").read_text().strip()
        if check and done.returncode:
            raise AssertionError(f"# {command}\nexit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done

    def journal(self, unit: str = "syncd", lines: int = 25) -> str:
        """The end of the journal of a unit, for messages."""
        return self.run(f"journalctl {f'-u {unit}' if unit else ''} -n {lines} --no-pager", check=False).stdout

    def show(self, *names: str, unit: str = "syncd.service") -> dict[str, str]:
        """Properties of a unit."""
        told = self.run(f"systemctl show {unit} --property={','.join(names)}").stdout.splitlines()
        return dict(line.split("=", 1) for line in told if "=" in line)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
