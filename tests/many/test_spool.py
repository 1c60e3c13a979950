"""While no PostgreSQL answers: callbacks of who sends them again are refused, the others are kept on the receiver's
disk and forwarded later; nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed")

from syncd.contract.model import ContactRef, Field
from syncd.ledger.place import Url
from syncd.ledger.store import Ledger
from syncd.pipeline.address import Addresses

from .parts import LONG, Part, Server, ask, cancelled_waits, own_server, waits_for

SECRET = "a secret of the tests' own, long enough"
CONFIG = """
ledger: {{ url: "{url}", durability: local }}
callbacks:
  listen: 127.0.0.1:1
  public_url: http://127.0.0.1:1
  secrets: ["{secret}"]
connections:
  hubspot: {{ connector: hubspot, access_token: made-up-token }}
  zeliq: {{ connector: zeliq, api_key: made-up-key, on_ledger_down: {zeliq} }}
  fullenrich: {{ connector: fullenrich, api_key: made-up-key }}
syncs:
  - {{ name: all, crm: hubspot, object: contacts, every: 1h, fields: {{ email: {{ providers: [zeliq] }} }} }}
"""


@dataclass
class Lone:
    """What `Part` needs of the vendors, where there are none: only callbacks are sent."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"


@dataclass
class Providers:
    """Send genuine callbacks, each about a call of its own, and remember which were acknowledged."""

    client: httpx.Client
    port: int
    addresses: Addresses = field(default_factory=lambda: Addresses("http://127.0.0.1:1", [SECRET]))
    acknowledged: set[str] = field(default_factory=set)
    statuses: list[int] = field(default_factory=list)

    def send(self, number: int, provider: str = "zeliq") -> int:
        """One callback; its answer's status, 0 where there was none."""
        id_ = f"{provider[0]}{number:08d}"
        ref = ContactRef(connection="hubspot", object="contacts", id=str(number))
        minted = self.addresses.mint(provider, id_, expires=time.time() + 3600, ref=ref, field=Field.EMAIL)
        url = minted.replace("127.0.0.1:1/", f"127.0.0.1:{self.port}/")
        body = json.dumps({"email": f"p{number}@example.com", "number": number}).encode()
        try:
            status = self.client.post(url, content=body).status_code
        except httpx.TransportError:
            status = 0
        if status == 200:
            self.acknowledged.add(id_)
        self.statuses.append(status)
        return status

    def pour(self, numbers: range, threads: int = 4) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self.send, numbers))


Providing = Callable[..., Providers]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = own_server()
    yield made
    made.stop()


@pytest.fixture
def url(server: Server) -> Url:
    made = server.empty()
    Ledger.open(made).close()
    return made


@pytest.fixture
def lone(tmp_path: Path, url: Url) -> Lone:
    (tmp_path / "config.yaml").write_text(CONFIG.format(url=url.text, secret=SECRET, zeliq="spool"), "utf-8")
    return Lone(tmp_path)


@pytest.fixture
def providing() -> Iterator[Providing]:
    with httpx.Client(timeout=30.0, trust_env=False) as client:
        yield partial(Providers, client)


def receiver(lone: Lone, name: str = "r", **changes: object) -> Part:
    return Part(lone, name=name, role="receiver", changes={"drain": "1s", **changes})  # type: ignore[arg-type]


def stored(url: Url) -> set[str]:
    return set(json.loads(ask(url, "SELECT coalesce(json_agg(submission_id), '[]')::text FROM delivery")))


def spooled(part: Part) -> int:
    with closing(sqlite3.connect(part.folder / "spool.db")) as connection:
        found: int = connection.execute("SELECT count(*) FROM delivery").fetchone()[0]
    return found


def test_while_postgresql_is_gone_it_is_spooled_or_refused_and_forwarded_later(
    server: Server, lone: Lone, providing: Providing, url: Url
) -> None:
    with receiver(lone) as one:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        assert providers.send(1) == 200
        server.crash()
        assert [providers.send(2), providers.send(3)] == [200, 200]
        assert providers.send(4, "fullenrich") == 503
        assert one.health() == 200, "balancers go on"
        assert "spool: 2 callbacks wait on this host" in one.obstacles()
        assert "callbacks of fullenrich are refused" in one.obstacles()
        assert (one.folder / "spool.db").stat().st_mode & 0o777 == 0o600
        one.kill()
    assert spooled(one) == 2
    with receiver(lone) as again:  # it starts without a ledger, and takes what it can
        again.until("it takes callbacks", again.health)
        providers.port = again.listen
        assert providers.send(5) == 200
        server.start_again()
        again.until("all were forwarded", again.is_ready)
        assert stored(url) == providers.acknowledged == {"z00000001", "z00000002", "z00000003", "z00000005"}
        order = ask(url, "SELECT json_agg(submission_id ORDER BY id)::text FROM delivery")
        assert json.loads(order) == sorted(providers.acknowledged)
        assert spooled(again) == 0
        assert again.terminate() == 0


def test_a_postgresql_that_stands_still_keeps_nobody_waiting_for_long(
    server: Server, lone: Lone, providing: Providing, url: Url
) -> None:
    with receiver(lone) as one:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        with server.frozen():
            providers.pour(range(1, 5))
            assert providers.send(5, "fullenrich") == 503
            begun = time.monotonic()
            assert providers.send(6) == 200, "from then on it is not even tried"
            assert time.monotonic() - begun < 4
        one.until("all were forwarded", one.is_ready)
        assert stored(url) == providers.acknowledged
        assert len(stored(url)) == 5
        assert one.terminate() == 0


def test_a_full_spool_refuses(server: Server, lone: Lone, providing: Providing, url: Url) -> None:
    with receiver(lone, spool={"path": "spool.db", "limit": "100B"}) as one:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        server.crash()
        try:
            assert [providers.send(n) for n in (1, 2, 3, 4)] == [200, 200, 503, 503]
        finally:
            server.start_again()
        one.until("all were forwarded", one.is_ready)
        assert providers.send(5) == 200
        assert stored(url) == providers.acknowledged


@pytest.mark.parametrize("frozen", [False, True] if LONG else [False], ids=lambda frozen: "frozen" if frozen else "")
@pytest.mark.parametrize("_round", range(5 if LONG else 1))
def test_postgresql_goes_under_load(
    server: Server, lone: Lone, providing: Providing, url: Url, frozen: bool, _round: int
) -> None:
    """Nothing that was acknowledged is lost, be it that it ends or stands still while callbacks pour in."""
    with receiver(lone) as one, ThreadPoolExecutor(1) as pool:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        pouring = pool.submit(providers.pour, range(1, 400))
        one.until("some came", lambda: len(providers.acknowledged) > 20)
        if frozen:
            with server.frozen():
                time.sleep(8)
        else:
            server.crash()
            one.until("some came meanwhile", lambda: one.obstacles() != "ready\n")
            server.start_again()
        pouring.result()
        one.until("all were forwarded", one.is_ready)
        assert set(providers.statuses) == {200}
        assert providers.acknowledged == stored(url)
        assert one.terminate() == 0


def test_a_commit_that_may_not_be_kept_is_not_acknowledged(
    server: Server, lone: Lone, providing: Providing, url: Url
) -> None:
    """The standby does not answer, and somebody cancels the wait: PostgreSQL says COMMIT, with a warning."""
    with receiver(lone) as one:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        try:
            waits_for(server, "nobody")
            with cancelled_waits(url):
                assert providers.send(1, "fullenrich") == 503
                assert providers.send(2) == 200
                assert spooled(one) == 1
        finally:
            waits_for(server, "")
        one.until("all were forwarded", one.is_ready)
        assert providers.acknowledged == {"z00000002"} <= stored(url)


@pytest.mark.parametrize("_round", range(10 if LONG else 1))
def test_a_receiver_is_killed_under_load(lone: Lone, providing: Providing, url: Url, _round: int) -> None:
    """Another one takes what comes meanwhile: what was acknowledged is in the ledger."""
    with receiver(lone) as one, receiver(lone, "s") as two:
        one.until("it is ready", one.is_ready)
        two.until("it is ready", two.is_ready)
        first, second = providing(one.listen), providing(two.listen)
        with ThreadPoolExecutor(2) as pool:
            pouring = [pool.submit(first.pour, range(1, 200)), pool.submit(second.pour, range(1001, 1100))]
            one.until("some came", lambda: len(first.acknowledged) > 20)
            one.kill()
            for each in pouring:
                each.result()
        assert 0 in first.statuses, "it was killed before the end"
        assert second.statuses == [200] * 99
        assert first.acknowledged | second.acknowledged <= stored(url)


def test_drain(lone: Lone, providing: Providing, url: Url) -> None:
    """The balancer is told at once, and what still comes is taken."""
    with receiver(lone, drain="4s") as one:
        one.until("it is ready", one.is_ready)
        providers = providing(one.listen)
        assert one.health() == 200
        begun = time.monotonic()
        one.process.terminate()
        one.until("balancers are told", lambda: one.health() == 503)
        assert "receiver: it is about to end" in one.obstacles()
        assert providers.send(1) == 200
        assert one.wait() == 0
        assert time.monotonic() - begun >= 4
        assert stored(url) == {"z00000001"}


def test_a_receiver_reads_its_configuration_again(lone: Lone, providing: Providing) -> None:
    """A wrong one is refused, and the one from before stays; a new secret counts from then on."""
    with receiver(lone) as one:
        one.until("it is ready", one.is_ready)
        config = one.folder / "config.yaml"
        right = config.read_text("utf-8")
        old, new = providing(one.listen), providing(one.listen, Addresses("http://127.0.0.1:1", [SECRET[::-1]]))
        config.write_text(right.replace("callbacks:", "callbakcs:"), "utf-8")
        one.process.send_signal(signal.SIGHUP)
        one.until("it is refused", lambda: one.lines("configuration_refused"))
        assert [old.send(1), new.send(2)] == [200, 404]
        config.write_text(right.replace(f"- {SECRET}", f"- {SECRET[::-1]}\n  - {SECRET}"), "utf-8")
        one.process.send_signal(signal.SIGHUP)
        one.until("it is applied", lambda: one.lines("configuration_applied"))
        assert [old.send(3), new.send(4)] == [200, 200]
        assert one.terminate() == 0


def test_two_receivers_don_t_share_a_spool(lone: Lone) -> None:
    with receiver(lone) as one:
        one.until("it is ready", one.is_ready)
        with receiver(lone, "s", spool={"path": str(one.folder / "spool.db")}) as two:
            assert two.wait() == 1
            assert "give each its own (callbacks.spool.path)" in two.tail()
