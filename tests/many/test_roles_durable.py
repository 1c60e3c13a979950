"""`ledger.durability`: nothing is taken for kept that only one host has, where two are to have it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

import psycopg

from syncd.cli.host import database
from syncd.contract.model import Level
from syncd.ledger import upkeep
from syncd.ledger.file import LedgerError
from syncd.ledger.place import Url
from syncd.ledger.store import Ledger
from tests.system.rig import until

from .parts import Server, own_server, standby, waits_for


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = own_server()
    yield made
    made.stop()


@pytest.fixture
def url(server: Server) -> Iterator[Url]:
    made = server.empty()
    yield Url(made.text, replicated=True)
    waits_for(server, "")
    server.drop(made)


def test_without_a_standby_it_does_not_start(server: Server, url: Url) -> None:
    with pytest.raises(LedgerError, match=r"waits for no standby. Set synchronous_standby_names"):
        Ledger.open(url)
    waits_for(server, "*")
    with pytest.raises(LedgerError, match="no synchronous standby follows this PostgreSQL"):
        Ledger.open(url)


def test_once_nobody_is_waited_for_any_more_nothing_counts_as_kept(server: Server, url: Url) -> None:
    with standby(server):
        waits_for(server, "*")
        until("it is waited for", lambda: all(one.level is not Level.ERROR for one in database(url)))
        ledger = Ledger.open(url)
        try:
            asyncio.run(ledger.write(upkeep.set_mark, "kept", 1.0))
            waits_for(server, "")
            with pytest.raises(LedgerError, match="waits for no synchronous standby any more"):
                asyncio.run(ledger.write(upkeep.set_mark, "lost", 1.0))
            waits_for(server, "*")
            asyncio.run(ledger.write(upkeep.set_mark, "kept", 2.0))
            assert asyncio.run(ledger.read(upkeep.mark, "lost")) is None
        finally:
            ledger.close()


def test_check_warns_of_what_one_host_alone_has(url: Url) -> None:
    (local, *_) = [one for one in database(Url(url.text)) if "durability" in one.what]
    assert local.level is Level.WARNING
    assert "its last moments can be lost, and bought again" in local.what
    (said, *_) = [one for one in database(url) if one.level is Level.ERROR]
    assert "waits for no standby" in said.what
    (gone,) = database(Url("postgresql://syncd@/nothing?host=/nowhere.test"))
    assert gone.level is Level.ERROR
    assert "can't be reached" in gone.what


def test_of_several_hosts_the_primary_is_read_too(server: Server, url: Url) -> None:
    """The other one stands first in the URL, and is behind."""
    with standby(server):
        both = Url(url.text.replace(f"host={server.folder}", f"host={server.folder}/standby,{server.folder}"))
        ledger = Ledger.open(both)
        try:
            stale = f"postgresql://syncd@/postgres?host={server.folder}/standby"
            with psycopg.connect(stale, autocommit=True) as connection:
                connection.execute("SELECT pg_wal_replay_pause()")
            asyncio.run(ledger.write(upkeep.set_mark, "new", 1.0))
            assert asyncio.run(ledger.read(upkeep.mark, "new")) == 1.0
        finally:
            ledger.close()
