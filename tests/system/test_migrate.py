"""Leaving one host and coming back: the ledger moves while calls are open, and the daemon goes on where it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Undisturbed
from .rig import Daemon, Vendors, answer, ask, assert_right, run_once, syncd

pytest.importorskip("psycopg", reason="psycopg is not installed")

from tests.postgres import needed  # noqa: E402

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

        vendors.configure(ledger={"path": None, "url": url.text})
        run_once(vendors)
        shutil.move(vendors.ledger, tmp_path / "as-it-was.db")
        back = syncd("migrate", vendors.ledger, "-c", vendors.config)
        assert back.returncode == 0, back.stderr
        assert "they are the same, and add up" in back.stdout
        vendors.configure(ledger={"path": str(vendors.ledger), "url": None})
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
