"""What the service manager hears: ready when it works, fed while it lives, silence once anything stands still."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd import systemd
from syncd.daemon import Daemon
from syncd.heartbeat import Heartbeat
from syncd.ledger.file import LedgerError
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import UNTRIED, Gate
from syncd.pipeline.liveness import INSIDE, Liveness
from syncd.pipeline.parts import Parts

from .harness import Harness

WATCHDOG = 0.6  # seconds


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.heard: list[dict[str, str]] = []

    def listen(self) -> list[dict[str, str]]:
        """Every message so far, oldest first."""
        try:
            while message := self._socket.recv(4096).decode():
                self.heard.append(dict(line.split("=", 1) for line in message.splitlines()))
        except BlockingIOError:
            pass
        return self.heard

    def count(self, name: str) -> int:
        """How often a fact was told."""
        return sum(name in message for message in self.listen())

    def close(self) -> None:
        self._socket.close()


class Home(Canary):
    """Its callbacks always arrive."""

    async def run_once(self, parts: Parts) -> int:
        parts.gate.set("callbacks", "")
        return 1


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    path = tmp_path / "notify"
    listening = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG * 1e6)))
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    yield listening
    listening.close()


async def until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.02)


def lived(harness: Harness, live: Callable[[Daemon], Awaitable[None]]) -> None:
    """A daemon that lives for as long as `live` takes."""

    async def run() -> None:
        async def goal(daemon: Daemon) -> None:
            await live(daemon)

        await Daemon(harness.parts, Home()).run(goal)

    harness.run(asyncio.wait_for(run(), 60))


def test_it_is_ready_once_it_works_and_says_when_it_stops(harness: Harness, manager: Manager) -> None:
    async def live(_: Daemon) -> None:
        await until(lambda: manager.count("WATCHDOG") >= 2)

    lived(harness, live)
    told = manager.listen()
    assert [name for message in told for name in ("READY", "STOPPING") if name in message] == ["READY", "STOPPING"]
    assert next(i for i, m in enumerate(told) if "READY" in m) < next(i for i, m in enumerate(told) if "WATCHDOG" in m)
    assert told[-1]["STATUS"] == "Stopping: calls under way are finished."


def test_it_is_not_ready_before_what_was_left_is_seen_to_and_asks_for_time(harness: Harness, manager: Manager) -> None:
    go_on, read = asyncio.Event(), harness.ledger.write

    async def slow(work, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if work.__name__ == "_follow":
            await go_on.wait()
        return await read(work, *args, **kwargs)

    harness.ledger.write = slow  # type: ignore[method-assign]

    async def live(_: Daemon) -> None:
        await until(lambda: manager.count("EXTEND_TIMEOUT_USEC") >= 2)
        assert manager.count("READY") == 0
        assert manager.count("WATCHDOG") == 0
        go_on.set()
        await until(lambda: manager.count("READY") == 1)

    lived(harness, live)


def test_s11_a_writer_that_hangs_starves_the_watchdog(harness: Harness, manager: Manager) -> None:
    hanging = threading.Event()

    async def live(_: Daemon) -> None:
        await until(lambda: manager.count("WATCHDOG") >= 2)
        stuck = asyncio.create_task(harness.ledger.write(lambda _: hanging.wait(60)))
        await asyncio.sleep(WATCHDOG)
        before = manager.count("WATCHDOG")
        await asyncio.sleep(3 * WATCHDOG)
        assert manager.count("WATCHDOG") <= before + 1
        hanging.set()
        await stuck
        await until(lambda: manager.count("WATCHDOG") > before + 2)

    lived(harness, live)


def test_s11_a_stage_that_stands_still_starves_the_watchdog(harness: Harness, manager: Manager) -> None:
    class Hands:
        time = time.monotonic()

        def __call__(self) -> float:
            return self.time

    hands = Hands()
    harness.parts = replace(harness.parts, liveness=Liveness(now=hands))

    async def live(daemon: Daemon) -> None:
        await until(lambda: manager.count("WATCHDOG") >= 2)
        daemon.parts.liveness.expect("verify2", 1.0)
        hands.time += INSIDE * 10
        for stage in list(daemon.parts.liveness.turns):
            if stage != "verify2":
                daemon.parts.liveness.sign(stage)
        await asyncio.sleep(WATCHDOG)
        before = manager.count("WATCHDOG")
        await asyncio.sleep(2 * WATCHDOG)
        assert manager.count("WATCHDOG") == before
        assert manager.listen()[-1]["STATUS"].startswith("Stands still: ")

    lived(harness, live)


def test_a_loop_that_stood_still_and_turns_again_is_fed(harness: Harness, manager: Manager) -> None:
    """It has recovered: to be killed a minute later would help nobody."""

    async def live(daemon: Daemon) -> None:
        daemon.parts.liveness.lag(8.0)
        before = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") > before + 1)

    lived(harness, live)


def test_a_full_disk_is_no_reason_to_be_killed(harness: Harness, manager: Manager) -> None:
    async def full(_work, /, *_args, **_kwargs):  # type: ignore[no-untyped-def]
        raise LedgerError("database or disk is full")

    async def live(_: Daemon) -> None:
        await until(lambda: manager.count("WATCHDOG") >= 1)
        harness.ledger.write, write = full, harness.ledger.write  # type: ignore[method-assign]
        before = manager.count("WATCHDOG")
        await until(lambda: manager.count("WATCHDOG") > before + 2)
        harness.ledger.write = write  # type: ignore[method-assign,assignment]

    lived(harness, live)


def test_the_status_is_words(harness: Harness) -> None:
    beat = Heartbeat(harness.parts)
    assert beat.words() == "Working."
    harness.parts.gate.set("backlog", "many values wait", sync=harness.parts.syncs[0].name)
    assert beat.words() == f"Working; buys nothing for {harness.parts.syncs[0].name}: many values wait."
    beat.parts = replace(harness.parts, gate=Gate())
    assert beat.words().startswith("Working; buys nothing: ")
    assert UNTRIED["disk"] in beat.words()
    beat.refused = "config.yaml:3: ledger: unknown key"
    assert beat.words() == "The changed configuration is not in use: config.yaml:3: ledger: unknown key"


# --- the protocol -----------------------------------------------------------------------------


def test_a_fact_is_one_line_and_not_too_long(manager: Manager) -> None:
    systemd.notify(STATUS="one\ntwo\r\n  three", READY=1)
    systemd.notify(STATUS="ü" * 1000)
    first, second = manager.listen()
    assert first == {"STATUS": "one two three", "READY": "1"}
    assert second["STATUS"] == "ü" * (systemd.LONGEST_STATUS // 2)


def test_an_abstract_socket_is_a_socket_too(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"syncd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        systemd.notify(READY=1)
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "relative"])
def test_without_a_manager_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify(READY=1)


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", "", 30.0), ("", "", None), ("0", "", None), ("x", "", None), ("30000000", "1", None)],
)
def test_the_watchdog_is_for_the_process_that_it_names(
    usec: str, pid: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))
    assert systemd.watchdog() == seconds
