"""A PostgreSQL of the tests' own, as Debian has it: started for the first test that wants one, gone with its process,
also if that one is killed.

It listens on a socket in a folder of its own, so that no port is taken and nobody else can reach it, and it keeps
nothing on a disk (`fsync = off`). Each ledger is a database of its own, copied from one that is empty.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from syncd.ledger.place import Url
from syncd.ledger.store import Ledger
from tests.ending import REMOVE, at_our_end

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}
MAKING = "--username syncd --encoding UTF8 --locale C.UTF-8 --auth trust --no-sync"
CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""
EMPTY = """
DO $$ DECLARE one record; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
        IF one.name <> 'ledger_migration' THEN
            EXECUTE format('DELETE FROM %I', one.name);
        END IF;
    END LOOP;
    FOR one IN SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE '%_bells_%' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', one.name);
    END LOOP;
    FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        PERFORM setval(one.name::regclass, 1, false);
    END LOOP;
END $$"""
PATIENCE = 60.0  # seconds until it has started
REAL, PRETENDED = "template", "pretended"  # in the second one, the time is what the tests' clocks say
PRETEND = """
CREATE OR REPLACE FUNCTION ledger_time(of_host double precision) RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT of_host $$"""


def programs() -> Path | None:
    """The newest one's folder, or None where there is none."""
    found = shutil.which("initdb")
    of_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if of_debian:
        return of_debian[-1].parent
    return Path(found).parent if found else None


def unprivileged() -> list[str]:
    """What to begin a command with: PostgreSQL does not run as root. It ends with whoever started it."""
    command = ["setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() == 0:
        user = _user()
        command += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return command


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("there is no user without privileges to run PostgreSQL as")


def serving(at: Path, data: Path, settings: Mapping[str, str]) -> list[str | Path]:
    """The command that runs a server on these files; its socket is beside them."""
    told = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [*unprivileged(), at / "postgres", "-D", data, "-k", data.parent, *told]


@dataclass
class Cluster:
    """A server, and the databases that were made in it. `remover`: removes its folder at the end."""

    folder: Path
    process: subprocess.Popen[bytes]
    remover: subprocess.Popen[bytes]
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _emptied: dict[str, list[Url]] = field(default_factory=lambda: {REAL: [], PRETENDED: []})
    _templates: dict[Url, str] = field(default_factory=dict)

    @classmethod
    def start(cls, at: Path) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="syncd-postgres-"))
        remover = at_our_end(REMOVE, folder)
        if os.geteuid() == 0:
            os.chown(folder, _user().pw_uid, _user().pw_gid)
        make: list[str | Path] = [
            at / "initdb",
            "-D",
            folder / "data",
            "-U",
            "syncd",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
        ]
        subprocess.run([*unprivileged(), *make, "--no-sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(serving(at, folder / "data", SETTINGS), cwd=folder, stdout=log, stderr=log)
        cluster = cls(folder, process, remover)
        atexit.register(cluster.stop)
        cluster._wait()
        Ledger.open(cluster.url(REAL)).close()
        cluster._make(PRETENDED, REAL)
        with psycopg.connect(cluster.url(PRETENDED).text, autocommit=True) as connection:
            connection.execute(PRETEND)
        return cluster

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._make(REAL)
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """At once, whoever is still connected: nothing of it is read again."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
        self.remover.communicate()

    def url(self, database: str) -> Url:
        return Url(f"postgresql://syncd@/{database}?host={self.folder}")

    def empty(self) -> Url:
        """A database that nothing is in."""
        return self._new("template1")

    def fresh(self, template: str = REAL) -> Url:
        """A database with a ledger in it in which nothing has happened."""
        return self._emptied[template].pop() if self._emptied[template] else self._new(template)

    def give_back(self, url: Url) -> None:
        """Let another test have it: to empty it is quicker than to make one. Whoever is connected to it is cut off."""
        with psycopg.connect(url.text, autocommit=True) as connection:
            connection.execute(CUT_OFF)
            connection.execute("DROP SCHEMA IF EXISTS kept CASCADE")
            connection.execute(EMPTY)
        self._emptied[self._templates[url]].append(url)

    def _new(self, template: str) -> Url:
        name = f"ledger_{next(self._numbers)}"
        self._make(name, template)
        self._templates[self.url(name)] = template
        return self.url(name)

    def _make(self, name: str, template: str = "template1") -> None:
        self._do(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))

    def drop(self, url: Url) -> None:
        """With whoever is connected to it."""
        name = psycopg.conninfo.conninfo_to_dict(url.text)["dbname"]
        self._do(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(name))))

    def _do(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres").text, autocommit=True) as connection:
            connection.execute(statement)


@cache
def cluster() -> Cluster | None:
    """The one of this process; None where PostgreSQL is not installed."""
    at = programs()
    return None if at is None else Cluster.start(at)


def needed() -> Cluster:
    """The same; where there is none, the test is skipped and says what to install."""
    found = cluster()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return found
