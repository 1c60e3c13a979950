"""Leaving one host and coming back: the ledger moves while calls are open, and the daemon goes on where it was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .conftest import Undisturbed
from .rig import Daemon, Vendors, answer, ask, assert_right, run_once, syncd, until

pytest.importorskip("psycopg", reason="psycopg is not installed")

from tests.postgres import needed, programs

OPEN = "SELECT count(*) FROM submission WHERE state = 'accepted'"


def test_a_ledger_moves_with_calls_open_and_comes_back(tmp_path: Path, undisturbed: Undisturbed) -> None:
    server = needed()
    url = server.empty()
    with Vendors(tmp_path) as vendors:
        with Daemon(vendors) as daemon:
            daemon.wait_for("calls that are open", lambda: ask(vendors.ledger, OPEN) > 1)
            refused = syncd("migrate", url.text, "-c", vendors.config)
            assert (refused.returncode, "stop it first" in refused.stderr) == (73, True)
            daemon.kill()
        moved = answer("migrate", url.text, "-c", vendors.config)
        assert moved["tables"]["submission"]["rows"] > 1
        again = syncd("run", "-c", vendors.config)
        assert again.returncode == 78
        assert f"was moved to {url}" in again.stderr
        assert "#ledger-moved" in again.stderr

        vendors.configure(ledger={"path": None, "url": url.text, "durability": "local"})
        run_once(vendors)
        shutil.move(vendors.ledger, tmp_path / "as-it-was.db")
        back = syncd("migrate", vendors.ledger, "-c", vendors.config)
        assert back.returncode == 0, back.stderr
        assert "they are the same, and add up" in back.stdout
        vendors.configure(ledger={"path": str(vendors.ledger), "url": None, "durability": None})
        assert answer("verify", "-c", vendors.config)["ok"]
        assert_right(vendors)
        assert vendors.bill() == undisturbed(1)
    server.drop(url)


def test_what_is_typed_wrongly_is_told(tmp_path: Path) -> None:
    with Vendors(tmp_path, contacts=1) as vendors:
        for target, said in {
            "mysql://db/syncd": "postgresql://user@host/database",
            str(vendors.ledger): "already",
            str(tmp_path / "other.db"): "from a file to PostgreSQL, or back",
            "postgresql://nobody@127.0.0.1:1/nothing": "refused",
        }.items():
            done = syncd("migrate", target, "-c", vendors.config)
            assert done.returncode in (1, 2), done.stderr
            assert said in done.stderr


def _restores(vendors: Vendors) -> bool:
    return syncd("restore", "-c", vendors.config).returncode == 0


def test_a_ledger_that_postgres_has_put_back_buys_nothing_for_a_while(tmp_path: Path) -> None:
    """By pg_dump and psql; what was asked since the copy was made is not known to it."""
    server, dump = needed(), tmp_path / "ledger.sql"
    url, other = server.empty(), server.empty()
    with Vendors(tmp_path, contacts=6) as vendors:
        vendors.configure(ledger={"path": None, "url": url.text, "durability": "local", "lease": "5s"})
        with Daemon(vendors) as daemon:
            daemon.wait_for("a call", vendors.bill)
            daemon.kill()
        tools = programs()
        assert tools is not None
        copy = subprocess.run([tools / "pg_dump", "--dbname", url.text], capture_output=True, check=True)
        dump.write_bytes(copy.stdout)
        run_once(vendors)

        put_back: list[str | Path] = [tools / "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file", dump, other.text]
        subprocess.run(put_back, check=True, stdout=subprocess.DEVNULL)
        vendors.configure(ledger={"path": None, "url": other.text})
        for wrong in (("backup", tmp_path / "copy.db"), ("restore", dump)):
            done = syncd(*wrong, "-c", vendors.config)
            assert done.returncode in (1, 2)
            assert "PostgreSQL" in done.stderr
        until("the lease of the daemon that was killed to be over", lambda: _restores(vendors), within=60.0, every=1.0)
        restored = answer("restore", "-c", vendors.config)
        assert restored["generation"] == 2
        frozen = answer("thaw", "-c", vendors.config)["frozen"]
        assert frozen["until"] == restored["frozen_until"]
        bill = vendors.bill()
        with Daemon(vendors) as daemon:
            daemon.wait_for("a pull", lambda: daemon.lines("pull"))
            daemon.terminate()
        assert vendors.bill() == bill
        assert answer("verify", "-c", vendors.config)["ok"]
    server.drop(url)
    server.drop(other)
