"""Each gate by itself: shut, nothing is bought and everybody is told why; open again, buying goes on by itself."""

import asyncio
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO

import pytest
import structlog

from syncd.cli.tables import show_status
from syncd.daemon import Daemon
from syncd.ledger import reports, upkeep
from syncd.ledger.states import JobState
from syncd.ledger.store import Tx
from syncd.observe.status import concluded
from syncd.observe.status import look as look_at
from syncd.pipeline import inbox, rights
from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import UNTRIED, Gate
from syncd.pipeline.parts import Parts
from syncd.pipeline.watch import PATIENCE, Watch, integrity
from syncd.web import private, public
from tests.contract.fake_provider import FakeProvider

from .callers import Line, served
from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, SECRET, Harness

HOUR = 3_600.0
NOWHERE = "http://127.0.0.1:9"


class Home(Canary):
    """Comes home, as long as the public URL leads anywhere."""

    async def _fly(self, parts: Parts, url: str, nonce: str) -> tuple[str, str]:
        return await super()._fly(parts, url, nonce) if url.startswith(NOWHERE) else ("", "")


@dataclass(frozen=True)
class Case:
    """How a gate is shut and opened again, and what is said meanwhile."""

    watch: str
    sync: str
    shut: Callable[[Harness], object]
    mend: Callable[[Harness], object]
    why: str
    cure: str


def _reserve(harness: Harness, size: int) -> None:
    ledger = harness.parts.settings.ledger.model_copy(update={"reserve": size})
    harness.parts = replace(harness.parts, settings=replace(harness.parts.settings, ledger=ledger))


def _lead_to(harness: Harness, url: str) -> None:
    harness.parts = replace(harness.parts, addresses=Addresses(url, [SECRET]))


def _freeze(harness: Harness, until: float) -> None:
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.FROZEN_UNTIL, until))


def _turn(harness: Harness, seconds: float) -> None:
    harness.clock.time += seconds


def _backlog(harness: Harness) -> None:
    """A hundred and one values that the CRM has not taken for a day."""
    for number in range(101):
        person = harness.person(f"P{number}")
        harness.finds(person, EMAIL, f"p{number}@acme.example.com")
    while harness.ask():
        harness.clock.time += 60
    harness.answer_all()
    harness.verify()
    harness.clock.time += PATIENCE + 60


def _write_all(harness: Harness) -> None:
    while harness.writeback():
        harness.clock.time += 60


CASES = [
    Case(
        "callbacks", "",
        lambda h: _lead_to(h, NOWHERE), lambda h: _lead_to(h, "https://enrich.example.com"),
        "callbacks can't reach syncd", "Check DNS, proxy and certificate",
    ),
    Case("disk", "", lambda h: _reserve(h, 1 << 60), lambda h: _reserve(h, 0), "MiB are free", "Make room in "),
    Case("clock", "", lambda h: _turn(h, -2 * HOUR), lambda h: _turn(h, 2 * HOUR), "was set back", "Check NTP"),
    Case(
        "restored", "",
        lambda h: _freeze(h, h.clock.now() + HOUR), lambda h: _turn(h, HOUR),
        "the ledger was restored from a copy", "Wait; ",
    ),
    Case("backlog", "people", _backlog, _write_all, "over 100 values wait for crm", "Look at the log"),
    Case(
        "write_right", "people",
        lambda h: h.crm.closed.add("phone"), lambda h: h.crm.closed.clear(),
        "crm would not take what is bought: our user may not write phone", "let it",
    ),
]  # fmt: skip
ABOUT_THE_FILE = {"disk": [pytest.mark.sqlite]}
case = pytest.mark.parametrize(
    "case", [pytest.param(one, id=one.watch, marks=ABOUT_THE_FILE.get(one.watch, ())) for one in CASES]
)


@pytest.fixture
def shut(build: Build) -> Harness:
    """Nothing has been looked at yet."""
    harness = build(providers=[FakeProvider("ann", capabilities=replace(ONE_BY_ONE, windows=()))], fields=None)
    harness.parts.lanes["ann"].pacer.learn(())
    _reserve(harness, 0)
    harness.parts = replace(harness.parts, gate=Gate())
    harness.parts.bells.bells["dispatch:ann"] = asyncio.Event()
    return harness


def look(harness: Harness) -> bool:
    """Every watch looks, some time after it did so last; returns whether dispatch was woken."""
    bell = harness.parts.bells.bells["dispatch:ann"]
    bell.clear()
    harness.clock.time += rights.LOOK
    harness.run(Home().run_once(harness.parts))
    harness.run(rights.run_once(harness.parts, "crm"))
    harness.inbox()
    harness.run(integrity(harness.parts))
    harness.run(Watch().run_once(harness.parts))
    return bell.is_set()


def pages(harness: Harness) -> dict[str, tuple[int, str]]:
    async def go() -> dict[str, tuple[int, str]]:
        async with served(private.application(harness.parts)) as line:
            return {path: await _page(line, path) for path in ("/", "/readyz", "/metrics", "/api/status")}

    return harness.run(go())


async def _page(line: Line, path: str) -> tuple[int, str]:
    reply = await line.call("GET", path)
    return reply.status, reply.body.decode()


def status_of(harness: Harness) -> tuple[dict[str, object], str]:
    """What `syncd status` reads in the ledger, and prints."""
    status = concluded(harness.run(harness.ledger.read(look_at, harness.settings, now=harness.clock.now())))
    with redirect_stdout(StringIO()) as shown:
        show_status({**status, "running": True})
    return status, shown.getvalue()


@case
def test_shut_nothing_is_bought_and_open_again_it_goes_on(shut: Harness, case: Case) -> None:
    assert look(shut)
    assert shut.parts.gate.why("people") == ""
    case.shut(shut)
    look(shut)
    before = len(shut.fake.submitted)
    shut.person("Ada")
    assert shut.ask() == 0
    assert len(shut.fake.submitted) == before
    case.mend(shut)
    assert look(shut), "dispatch is woken"
    assert shut.dispatch() > 0


@case
def test_what_was_bought_is_taken_while_it_is_shut(shut: Harness, case: Case) -> None:
    look(shut)
    ada = shut.person("Ada")
    shut.finds(ada, EMAIL, "ada@acme.example.com")
    shut.ask()
    case.shut(shut)
    look(shut)
    assert shut.parts.gate.is_shut(case.watch, case.sync)
    for submission in shut.fake.accepted.values():
        shut.call_back(submission)
    shut.verify()
    _turn(shut, 60)
    while shut.writeback():
        _turn(shut, 60)
    assert shut.job(ada) == ("done", "written")


@case
def test_everybody_is_told_why_and_what_to_do(shut: Harness, case: Case) -> None:
    look(shut)
    case.shut(shut)
    with structlog.testing.capture_logs() as lines:
        look(shut)
        look(shut)
    [line] = [one for one in lines if one["event"] == "gate_shut"]
    assert (line["watch"], line["sync"], line["log_level"]) == (case.watch, case.sync, "warning")
    assert case.why in line["why"]
    assert case.cure in line["cure"]
    status, shown = status_of(shut)
    told = pages(shut)
    assert shown.count(case.why) == told["/"][1].count(_html(case.why)) == told["/readyz"][1].count(case.why) == 1
    assert case.cure in shown
    assert case.cure in told["/"][1]
    assert told["/readyz"][0] == 503
    assert f'syncd_gate_shut{{sync="{case.sync}",watch="{case.watch}"}} 1.0\n' in told["/metrics"][1]
    assert told["/metrics"][1].count("syncd_gate_shut{") == len(UNTRIED)
    [row] = json.loads(told["/api/status"][1])["gate"]
    assert status["gate"] == [row]
    assert (row["watch"], row["sync"], case.why in row["why"], case.cure in row["cure"]) == (
        case.watch, case.sync, True, True,
    )  # fmt: skip
    assert row["since"] == pytest.approx(shut.clock.now() - rights.LOOK, abs=1), "since it was shut, not looked at"


@case
def test_once_it_is_open_nobody_is_told_any_more(shut: Harness, case: Case) -> None:
    look(shut)
    case.shut(shut)
    look(shut)
    case.mend(shut)
    with structlog.testing.capture_logs() as lines:
        look(shut)
        look(shut)
    told = [(one["event"], one["watch"], one["sync"]) for one in lines if one["event"].startswith("gate")]
    assert told == [("gate_open", case.watch, case.sync)]
    status, shown = status_of(shut)
    assert (status["gate"], "buys nothing" in shown) == ([], False)
    found = pages(shut)
    assert found["/readyz"] == (200, "ready\n")
    assert f'syncd_gate_shut{{sync="{case.sync}",watch="{case.watch}"}} 0.0\n' in found["/metrics"][1]


def _html(text: str) -> str:
    return text.replace("'", "&#39;")


# --- the start --------------------------------------------------------------------------------


LOOKS: dict[str, Callable[[Parts], object]] = {
    "callbacks": lambda parts: Home().run_once(parts),
    "disk": lambda parts: Watch().run_once(parts),
    "write_right": lambda parts: rights.run_once(parts, "crm"),
    "inbox": inbox.run_once,
    "integrity": integrity,
}


@pytest.mark.parametrize("last", LOOKS)
def test_before_each_watch_has_looked_nothing_is_bought(shut: Harness, last: str) -> None:
    shut.person("Ada")
    shut.pull()
    shut.plan()
    for watch, run in LOOKS.items():
        assert shut.dispatch() == 0
        if watch != last:
            shut.run(run(shut.parts))  # type: ignore[arg-type]
    assert shut.dispatch() == 0
    assert UNTRIED[last] in shut.parts.gate.why("people")
    assert pages(shut)["/readyz"][0] == 503
    shut.run(LOOKS[last](shut.parts))  # type: ignore[arg-type]
    assert shut.dispatch() == 2


def test_what_came_in_before_the_start_is_read_before_anything_is_bought(shut: Harness) -> None:
    """The same person in another record: the answer that was stored before a crash is shared, not bought again."""
    shut.person("Ada")
    shut.pull()
    shut.plan()
    look(shut)
    assert shut.dispatch() == 2
    shut.parts = replace(shut.parts, gate=Gate())
    for call in list(shut.fake.submitted):
        shut.deliver(shut.fake.delivery(call))
    assert shut.sql("SELECT count(*) FROM delivery WHERE state = 'received'") == [(2,)]
    for one in ("callbacks", "disk", "integrity", "write_right"):
        shut.run(LOOKS[one](shut.parts))  # type: ignore[arg-type]
    assert UNTRIED["inbox"] in shut.parts.gate.why("people")
    shut.inbox()
    assert shut.parts.gate.why("people") == ""


def test_before_the_clock_was_looked_at_nothing_expires(shut: Harness) -> None:
    """The first sweep after a start may come before the first look at a clock that has leapt."""
    look(shut)
    ada = shut.person("Ada")
    shut.ask()
    shut.reopen()
    shut.parts = replace(shut.parts, gate=Gate())
    shut.clock.time += 30 * 24 * HOUR
    shut.sweep()
    assert shut.state(ada) == "sent"


def test_a_daemon_that_starts_waits_for_its_crm(build: Build) -> None:
    """The real stages and bells: callbacks arrive, the disk has room, and the CRM takes its time."""
    harness = build(fields={EMAIL: ["ann"]})
    _reserve(harness, 0)
    ada = harness.person("Ada")
    asked, answer = asyncio.Event(), asyncio.Event()
    check = harness.crm.check

    async def slow(selections):  # type: ignore[no-untyped-def]
        asked.set()
        await answer.wait()
        return await check(selections)

    harness.crm.check = slow  # type: ignore[method-assign]
    harness.parts = replace(harness.parts, gate=Gate())

    async def until(running: Daemon) -> None:
        await asked.wait()
        while not ({"canary", "watch"} <= running.working.stages.tried and (await harness.ledger.read(_queued)) > 0):
            await asyncio.sleep(0.01)
        for _ in range(3):
            harness.parts.bells.ring("dispatch")
            await asyncio.sleep(0.05)
        assert harness.fake.submitted == []
        answer.set()
        while not harness.fake.submitted:
            await asyncio.sleep(0.01)

    async def run() -> None:
        await Daemon(harness.parts, Home()).run(until)

    harness.run(asyncio.wait_for(run(), 30))
    assert harness.state(ada) == "sent"


def _queued(tx: Tx) -> int:
    return reports.by_state(tx)[JobState.QUEUED]


# --- what a dead daemon left --------------------------------------------------------------------


def test_the_reasons_of_a_dead_daemon_are_gone_with_the_first_look(shut: Harness) -> None:
    look(shut)
    shut.crm.closed.add("phone")
    look(shut)
    shut.reopen()
    shut.crm.closed.clear()
    shut.parts = replace(shut.parts, gate=Gate())
    _reserve(shut, 0)
    shut.run(Watch().run_once(shut.parts))
    assert {row["why"] for row in status_of(shut)[0]["gate"]} == {  # type: ignore[attr-defined]
        UNTRIED["callbacks"], UNTRIED["write_right"], UNTRIED["inbox"], UNTRIED["integrity"]
    }  # fmt: skip


def test_status_says_that_nobody_runs(shut: Harness) -> None:
    look(shut)
    status, _ = status_of(shut)
    with redirect_stdout(StringIO()) as shown:
        show_status({**status, "running": False})
    assert "syncd does not run" in shown.getvalue()
    assert status["looked_at"] == shut.clock.now()


def test_the_listener_is_the_real_one(shut: Harness) -> None:
    """`Home` cuts a corner in the tests above; through the real way the gate opens too."""
    canary = Canary()

    async def go() -> int:
        async with served(public.application(shut.parts, canary)) as line:
            _lead_to(shut, f"http://127.0.0.1:{line.port}")
            return await canary.run_once(shut.parts)

    assert shut.run(go()) == 1
    assert not shut.parts.gate.is_shut("callbacks")
