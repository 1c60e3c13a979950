"""The command that looks at the host: doctor."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import zoneinfo
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import typer

from syncd import __version__, compose
from syncd.config import Settings
from syncd.contract.errors import ConfigError, SyncdError
from syncd.contract.model import Finding, Level
from syncd.ledger.file import OLDEST_SQLITE
from syncd.ledger.sqlite import sqlite3
from syncd.ledger.store import reading
from syncd.observe.conditions import derive
from syncd.observe.status import look

from . import credentials, host
from .findings import coded, explain_codes, show
from .host import Told, doubtful, ok, wrong
from .output import ConfigOption, JsonOption, print_json, settings_from

OLDEST_PYTHON = (3, 11)
STORE = Path("/etc/credstore")
WITHIN = 5.0  # seconds for a name to be resolved, and for systemd to answer


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("doctor", short_help="What is wrong on this host, and the cure.")(doctor)


def doctor(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """Say what is wrong on this host, and the cure: Python, SQLite, clock, folder, disk, ports, units, secrets, DNS,
    and what the ledger says of the last troubles.

    Needs no secret and no network but DNS, changes nothing, and goes on where it finds something. The connections
    themselves are asked by `syncd check`. Exit 1 if anything is wrong.

    \b
    Examples:
      syncd doctor
      sudo syncd doctor -c /etc/syncd/config.yaml --json
    """
    found = [("host", one) for part in (python, sqlite, clock, zones) for one in part()]
    found += [("systemd", one) for one in units()]
    found += _configured(config)
    failed = any(one.level is Level.ERROR for _, one in found)
    if as_json:
        print_json({"ok": not failed, "findings": [{"where": where, **coded(one)} for where, one in found]})
    else:
        for where, one in found:
            show(one, where)
        explain_codes(found)
    raise typer.Exit(1 if failed else 0)


def _configured(config: Path | None) -> list[Told]:
    """What depends on the configuration, as far as that can be read."""
    try:
        settings, _ = settings_from(config, secrets=False)
    except ConfigError as error:
        return [("configuration", wrong(one, "", "configuration")) for one in error.problems]
    parts: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("credentials", secret_files), ("callbacks", name), ("ledger", troubles),
    )  # fmt: skip
    return [*host.findings(settings), *((where, one) for where, part in parts for one in part(settings))]


def python() -> Iterator[Finding]:
    """The interpreter."""
    has = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield wrong(f"Python {has} is too old", "Install Python 3.11 or newer.", "host-software")
    else:
        yield ok(f"syncd {__version__} on Python {has} ({sys.executable})")


def sqlite() -> Iterator[Finding]:
    """The database, with what the ledger needs of it."""
    wanted = ".".join(map(str, OLDEST_SQLITE))
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        what = f"SQLite {sqlite3.sqlite_version} can corrupt a ledger under load; {wanted} or newer is needed"
        cure = "Install the package pysqlite3 into the same environment: it brings its own."
        yield wrong(what, cure, "host-software")
        return
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
        yield ok(f"SQLite {sqlite3.sqlite_version}")
    except sqlite3.OperationalError:
        what = "this SQLite has no full-text search (FTS5)"
        yield wrong(what, "Install the package pysqlite3: it has.", "host-software")
    finally:
        connection.close()


def clock() -> Iterator[Finding]:
    """A wrong clock buys in the wrong day's budget, and opens or ends waits."""
    told = _asked("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if told == "no":
        cure = "timedatectl set-ntp true, or install chrony."
        yield doubtful("the clock of this host is not synchronised", cure, "host-clock")
    elif told == "yes":
        yield ok("the clock is synchronised")


def zones() -> Iterator[Finding]:
    """Budgets and schedules have time zones."""
    if "Europe/Paris" not in zoneinfo.available_timezones():
        yield wrong("this host knows no time zones", "Install the package tzdata.", "host-software")


def units() -> Iterator[Finding]:
    """The service and its socket, where systemd is at work."""
    for unit in (credentials.UNIT, "syncd.socket"):
        told = _asked("systemctl", "show", unit, "--property=LoadState,ActiveState,Result")
        if told is None:
            return
        state = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
        if state.get("LoadState") != "loaded":
            cure = "deploy/README says how; without it nothing starts at boot."
            yield doubtful(f"{unit} is not installed", cure, "host-service")
        elif state.get("ActiveState") == "failed":
            cure = f"journalctl -u {unit} -n 50 says why."
            yield wrong(f"{unit} has failed ({state.get('Result')})", cure, "host-service")
        elif state.get("ActiveState") == "active":
            yield ok(f"{unit} is active")
        else:
            yield doubtful(f"{unit} is {state.get('ActiveState')}", f"systemctl enable --now {unit}", "host-service")


def secret_files(_: Settings) -> Iterator[Finding]:
    """Files of secrets that others can read."""
    if not os.access(STORE, os.R_OK | os.X_OK):
        return
    for one in sorted(STORE.glob("syncd.*")):
        if (mode := one.stat().st_mode & 0o777) & 0o077:
            yield wrong(f"{one} is open to other users (mode {mode:o})", f"chmod 600 {one}", "host-secrets")


def name(settings: Settings) -> Iterator[Finding]:
    """Has the public URL's host an address?"""
    target = None if settings.callbacks is None else urlsplit(str(settings.callbacks.public_url)).hostname
    if not target:
        return
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(str(one[4][0]) for one in socket.getaddrinfo(target, None, proto=socket.IPPROTO_TCP))
        except (OSError, UnicodeError) as error:
            found.append(f"! {getattr(error, 'strerror', '') or error}")

    thread = threading.Thread(target=look, daemon=True)  # nothing can interrupt a resolver
    thread.start()
    thread.join(WITHIN)
    cure = "Make a DNS record for it, or correct callbacks.public_url; answers can't come in without."
    if not found:
        yield wrong(f"{target} was not resolved within {WITHIN:g} s", "See /etc/resolv.conf of this host.", "host-name")
    elif found[0].startswith("! "):
        yield wrong(f"{target} has no address ({found[0][2:]})", cure, "host-name")
    else:
        yield ok(f"{target} is {', '.join(dict.fromkeys(found))}")


def troubles(settings: Settings) -> Iterator[Finding]:
    """What keeps the daemon from working, as it has noted it."""
    path = settings.ledger.path
    if path is not None and not path.parent.is_dir():
        return
    try:
        with reading(settings.ledger.place) as tx:
            status = look(tx, settings, now=compose.clock_of(settings).now())
    except SyncdError as error:
        yield (wrong if path is None or path.exists() else doubtful)(str(error), "", "ledger")
        return
    except OSError as error:
        cure = "Run this as the user of the daemon, or as root."
        yield wrong(f"{error.filename}: {error.strerror}", cure, "not-permitted")
        return
    for one in derive(status):
        yield (wrong if one.blocks else doubtful)(f"{one.who} {one.what}: {one.why}", one.cure, one.code)


def _asked(*command: str) -> str | None:
    """What a program of systemd's says; None where it is not there or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
