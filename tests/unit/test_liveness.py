"""Liveness: what has stood still for too long is told, by `/readyz`, by the log, and by nobody once it moves again."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace

import pytest
import structlog

from syncd.daemon import Daemon
from syncd.pipeline.canary import Canary
from syncd.pipeline.liveness import INSIDE, LAG, OUTSIDE, REMEMBERED, Liveness
from syncd.pipeline.parts import Parts
from syncd.web import private

from .callers import Reply, at_the_desk, served
from .harness import Harness


class Hands:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def life(hands: Hands) -> Liveness:
    return Liveness(now=hands)


@pytest.mark.parametrize(("stage", "patience"), [("inbox", INSIDE), ("dispatch:ann", OUTSIDE), ("pull:people", 1800.0)])
def test_a_pass_that_moves_nothing_for_too_long_is_late(
    life: Liveness, hands: Hands, stage: str, patience: float
) -> None:
    life.expect(stage, 1.0)
    life.sign(stage, busy=True)
    hands.time += patience
    assert life.late() == {}
    hands.time += 1
    assert life.late() == {stage: f"it is at work, and nothing has moved for {patience + 1:.0f} s"}
    life.sign(stage)
    assert life.late() == {}


def test_a_pass_may_take_hours_while_the_ledger_answers_it(life: Liveness, hands: Hands) -> None:
    life.expect("verify", 1.0)
    life.sign("verify", busy=True)
    for _ in range(100):
        hands.time += INSIDE - 1
        life.sign("verify")
        assert life.late() == {}


def test_a_stage_that_is_not_rung_any_more_is_late_and_a_pull_has_its_own_time(life: Liveness, hands: Hands) -> None:
    life.expect("watch", 10.0)
    life.expect("pull:people", None)
    for stage in ("watch", "pull:people"):
        life.sign(stage, busy=True)
        life.sign(stage, busy=False)
    hands.time += INSIDE + 11
    assert life.late() == {"watch": f"it has not been at work for {INSIDE + 11:.0f} s"}


def test_a_lag_of_the_loop_is_told_for_a_minute(life: Liveness, hands: Hands) -> None:
    life.lag(LAG - 0.1)
    assert life.late() == {}
    life.lag(LAG + 7)
    life.lag(LAG + 1)
    hands.time += REMEMBERED
    assert life.late() == {"event loop": "it stood still for 12 s within the last minute"}
    hands.time += 1
    assert life.late() == {}


# --- /readyz ----------------------------------------------------------------------------------


def ready(harness: Harness, **headers: str) -> Reply:
    return at_the_desk(harness, lambda line: line.call("GET", "/readyz", b"", **headers))


def test_readyz_names_a_stage_that_has_not_turned(harness: Harness, life: Liveness, hands: Hands) -> None:
    harness.parts = replace(harness.parts, liveness=life)
    life.expect("inbox", 1.0)
    assert ready(harness).status == 200
    hands.time += 1_000
    reply = ready(harness)
    assert (reply.status, reply.body) == (503, b"inbox: it has not been at work for 1000 s\n")
    reply = ready(harness, accept="application/json")
    assert reply.status == 503
    [obstacle] = json.loads(reply.body)["obstacles"]
    assert {key: obstacle[key] for key in ("kind", "who", "why", "cure")} == {
        "kind": "late",
        "who": "inbox",
        "why": "it has not been at work for 1000 s",
        "cure": "",
    }
    told = json.loads(at_the_desk(harness, lambda line: line.call("GET", "/api/status")).body)
    assert told["late"] == {"inbox": "it has not been at work for 1000 s"}


def test_readyz_says_as_json_that_all_is_well(harness: Harness) -> None:
    reply = ready(harness, accept="application/json")
    assert (reply.status, json.loads(reply.body)) == (200, {"ready": True, "obstacles": [], "notes": []})


def test_readyz_names_a_loop_that_stood_still(harness: Harness) -> None:
    harness.parts.liveness.lag(8.0)
    assert b"event loop: it stood still for 8 s" in ready(harness).body


def test_readyz_names_a_ledger_that_does_not_commit(harness: Harness) -> None:
    """Its writer hangs, as in an fsync; whoever asks is answered all the same, and asks it once."""
    hanging = threading.Event()

    async def look() -> tuple[list[Reply], int, Reply]:
        async with served(private.application(harness.parts, commit_within=0.3)) as line:
            stuck = asyncio.create_task(harness.ledger.write(lambda _: hanging.wait(60)))
            held = [await line.call("GET", "/readyz") for _ in range(3)]
            waiting = harness.ledger._queue.qsize()
            hanging.set()
            await stuck
            return held, waiting, await line.call("GET", "/readyz")

    held, waiting, after = harness.run(look())
    assert {(one.status, one.body) for one in held} == {(503, b"ledger: it has not answered for 0.3 s\n")}
    assert waiting <= 1
    assert after.status == 200


# --- the daemon -------------------------------------------------------------------------------


def test_the_daemon_tells_of_a_call_that_never_ends_and_of_its_end(harness: Harness, hands: Hands) -> None:
    life = Liveness(now=hands)
    harness.parts = replace(harness.parts, liveness=life)
    asked, answer = asyncio.Event(), asyncio.Event()
    check = harness.crm.check

    async def hanging(selections):  # type: ignore[no-untyped-def]
        asked.set()
        await answer.wait()
        return await check(selections)

    harness.crm.check = hanging  # type: ignore[method-assign]

    async def until(_: Daemon) -> None:
        await asked.wait()
        hands.time += OUTSIDE + 60
        while not any(line["event"] == "late" and line["of"] == "rights:crm" for line in lines):
            await asyncio.sleep(0.05)
        answer.set()
        while not any(line["event"] == "in_time_again" and line["of"] == "rights:crm" for line in lines):
            await asyncio.sleep(0.05)

    async def run() -> None:
        await Daemon(harness.parts, Home()).run(until)

    with structlog.testing.capture_logs() as lines:
        harness.run(asyncio.wait_for(run(), 60))
    assert sum(line["event"] == "late" and line["of"] == "rights:crm" for line in lines) == 1


def test_the_daemon_notes_that_its_loop_stood_still(harness: Harness) -> None:
    harness.parts = replace(harness.parts, liveness=Liveness(lag_allowed=0.5))

    async def until(running: Daemon) -> None:
        while not running.working.stages.tried:
            await asyncio.sleep(0.05)
        time.sleep(1.5)
        while "event loop" not in running.parts.liveness.late():
            await asyncio.sleep(0.05)

    harness.run(asyncio.wait_for(Daemon(harness.parts, Home()).run(until), 60))


class Home(Canary):
    """Its callbacks always arrive."""

    async def run_once(self, parts: Parts) -> int:
        parts.gate.set("callbacks", "")
        return 1
