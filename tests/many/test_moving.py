"""The ledger is moved while a receiver goes on: whatever it acknowledges meanwhile is in the new ledger, or in its
spool, from which the new ledger gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.ledger.place import Place, Url
from syncd.ledger.store import Ledger
from tests.places import ask
from tests.system.rig import syncd, until

from .parts import Part
from .test_spool import CONFIG, SECRET, Lone, Providers
from .test_spool import receiver as receiver_of

STORED = "SELECT submission_id FROM delivery"


@pytest.fixture
def lone(tmp_path: Path, url: Url) -> Lone:
    (tmp_path / "config.yaml").write_text(CONFIG.format(url=url.text, secret=SECRET, zeliq="spool"), "utf-8")
    return Lone(tmp_path)


@contextmanager
def pouring(port: int) -> Iterator[Providers]:
    """Callbacks come one after the other, while the block lasts."""
    ended = threading.Event()
    with httpx.Client(timeout=30.0, trust_env=False) as client:
        providers = Providers(client, port)

        def pour() -> None:
            number = 0
            while not ended.is_set():
                number += 1
                providers.send(number)

        thread = threading.Thread(target=pour)
        thread.start()
        try:
            until("some came", lambda: len(providers.acknowledged) > 20)
            yield providers
            more = len(providers.statuses) + 20
            until("some came after it", lambda: len(providers.statuses) > more)
        finally:
            ended.set()
            thread.join()


def stored(place: Place) -> set[str]:
    return {id_ for (id_,) in ask(place, STORED)}


@pytest.fixture
def receiver(lone: Lone, url: Url) -> Iterator[Part]:
    """On a new ledger, ready."""
    Ledger.open(url).close()
    with receiver_of(lone) as one:
        one.until("it is ready", one.is_ready)
        yield one


def configured(lone: Lone, ledger: dict[str, str]) -> None:
    settings = yaml.safe_load(lone.config.read_text("utf-8"))
    lone.config.write_text(yaml.safe_dump({**settings, "ledger": ledger}, sort_keys=False), "utf-8")


def moved(lone: Lone, to: str) -> None:
    done = syncd("migrate", to, "-c", lone.config)
    assert done.returncode == 0, done.stderr


def test_a_receiver_goes_on_while_its_ledger_is_moved_into_a_file(tmp_path: Path, lone: Lone, receiver: Part) -> None:
    """And the process that works with the file forwards what the receiver had to keep."""
    file = tmp_path / "ledger.db"
    with pouring(receiver.listen) as providers:
        moved(lone, str(file))
    assert "was moved to" in receiver.obstacles()
    assert set(providers.statuses) == {200}
    assert receiver.terminate() == 0
    spool = tmp_path / "r" / "spool.db"
    assert providers.acknowledged <= stored(file) | stored(spool)
    assert stored(spool) - stored(file), "it had to keep some"
    configured(lone, {"path": str(file)})
    with Part(lone, name="r", changes={"drain": "0s"}) as daemon:  # type: ignore[arg-type]
        daemon.until("what was kept is in the ledger", lambda: not stored(spool))
        assert daemon.terminate() == 0
    assert providers.acknowledged <= stored(file)


def test_a_receiver_goes_on_while_its_ledger_is_moved_away_and_comes_back(
    tmp_path: Path, lone: Lone, receiver: Part, url: Url
) -> None:
    file = tmp_path / "ledger.db"
    with pouring(receiver.listen) as providers:
        moved(lone, str(file))
        configured(lone, {"path": str(file)})
        moved(lone, url.text)
    receiver.until("all were forwarded", receiver.is_ready)
    assert receiver.terminate() == 0
    assert set(providers.statuses) == {200}
    assert providers.acknowledged == stored(url)
