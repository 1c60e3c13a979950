"""The fault table, F40 to F50: the machine, the file and the configuration. F42, F43, F45 and F46 also happen to
processes of their own, in `test_restart` and `test_storage`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import typer

from syncd.cli.work import only_daemon
from syncd.config import Settings
from syncd.contract.errors import Trouble
from syncd.contract.model import Author, Delivery, Source, Version
from syncd.ledger import connections, copies, submissions, upkeep
from syncd.ledger.file import DiskFailed, LedgerCorrupt, LedgerError, LedgerFailed
from syncd.ledger.store import Ledger, Tx
from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import Canary
from syncd.pipeline.watch import Watch
from tests.contract.fake_crm import FakeCrm
from tests.contract.fake_provider import SIGNATURE, FakeProvider, sign
from tests.unit.audit import audit, sqlite3
from tests.unit.harness import EMAIL, ONE_BY_ONE, PHONE, SECRET, UNHEARD, Harness

from .client import DAY, nobody, opened
from .clocks import walk
from .conftest import Build
from .fork_server import ROOT
from .killing import inspect

HOUR = 3_600.0


def watch(harness: Harness, by: Watch | None = None) -> str:
    """One look of a watch; returns why the gate is shut."""
    harness.run((by or Watch()).run_once(harness.parts))
    return harness.parts.gate.shut


@pytest.fixture
def sent(build: Build) -> Harness:
    """A call under way whose answer can only come by callback, and a person who could be asked about next."""
    harness = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={EMAIL: ["ann"]})
    harness.person("Ada")
    harness.ask()
    watch(harness)
    harness.person("Bo")
    return harness


def test_f40_the_clock_is_set_back(sent: Harness) -> None:
    """I2, I4, I12: hold: nothing is bought, nothing expires; answers are taken. Over as soon as it has caught up."""
    sent.clock.time -= 2 * HOUR
    assert "set back" in watch(sent)
    assert sent.ask() == 0
    sent.call_back(sent.fake.submitted[0])
    assert sent.state("501") == "answered"
    sent.clock.time += 2 * HOUR
    assert watch(sent) == ""
    assert sent.ask() == 1


@pytest.mark.parametrize("leap", [30 * DAY, -2 * HOUR])
def test_f40_nothing_is_bought_before_the_watch_has_seen_the_leap(sent: Harness, leap: float) -> None:
    """I8: a budget of another day is not spent in the seconds until the watch looks."""
    sent.clock.time += leap
    assert sent.ask() == 0
    sent.clock.time -= leap
    assert sent.ask() == 1


def test_f40_the_clock_was_wrong_and_is_put_right(sent: Harness) -> None:
    """I4: back by forty days is no reason to wait for forty days: an hour of steady running is enough."""
    sent.clock.time += 40 * DAY
    by = Watch()
    for _ in range(8):
        watch(sent, by)
        sent.clock.time += HOUR / 6
    assert watch(sent, by) == ""
    sent.clock.time -= 40 * DAY
    by = Watch()  # restarted, as one does
    for _ in range(6):
        assert "set back" in watch(sent, by)
        assert sent.ask() == 0
        sent.clock.time += HOUR / 6
    assert watch(sent, by) == ""
    assert sent.ask() == 1


def test_f40_the_clock_leaps(sent: Harness) -> None:
    """I4: a leap of a month makes no answer look overdue; it is believed after an hour of steady running."""
    sent.clock.time += 30 * DAY
    by = Watch()
    assert "leapt" in watch(sent, by)
    sent.sweep()
    assert sent.state("501") == "sent"
    assert sent.ask() == 0
    for _ in range(7):
        sent.clock.time += HOUR / 6
        shut = watch(sent, by)
    assert shut == ""
    sent.sweep()
    assert sent.state("501") == "answered"


def test_f40_nobody_has_looked_at_the_clock_yet(sent: Harness) -> None:
    """I4: between the leap (or a start) and the first look of the watch, nothing expires either."""
    sent.clock.time += 30 * DAY
    sent.sweep()
    assert sent.state("501") == "sent"


def test_f40_no_address_is_too_old_for_a_clock_that_leapt(sent: Harness) -> None:
    """I1: in hold mode what comes in is taken, whatever year the clock says it is."""
    url = sent.fake.submitted[0].callback_url

    async def main() -> list[int]:
        async with opened(sent.parts) as client:
            before = (await client.post(url)).status
            await Watch().run_once(sent.parts)
            return [before, (await client.post(url)).status, (await client.post(url + "0")).status]

    sent.clock.time += 20_000 * DAY
    assert sent.run(main()) == [404, 200, 404]


def test_f40_jumps_at_random(tmp_path: Path) -> None:
    """I2, I4: at any moment, by any time: no purchase, no expiry in hold mode; in the end everybody has the value."""
    walked = walk(tmp_path, seed=3, jumps=8)
    assert walked.held > 10


def test_f41_the_disk_is_nearly_full(sent: Harness) -> None:
    """I1, I9: below the reserve nothing is bought; what comes in is still kept; it goes on when there is room."""
    roomy = sent.parts.settings
    ledger = roomy.ledger.model_copy(update={"reserve": 1 << 60})
    sent.parts = replace(sent.parts, settings=replace(roomy, ledger=ledger))
    assert "MiB are free" in watch(sent)
    assert sent.ask() == 0
    sent.call_back(sent.fake.submitted[0])
    assert sent.state("501") == "answered"
    sent.parts = replace(sent.parts, settings=roomy)
    assert watch(sent) == ""
    assert sent.dispatch() == 1


def fail(tx: Tx, code: int) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    raise error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (10 | 4 << 8, DiskFailed),
        (10 | 3 << 8, DiskFailed),
        (11, DiskFailed),
        (10 | 19 << 8, None),
        (13, None),
        (5, None),
    ],
    ids=["fsync", "write", "corrupt, and whole at the second look", "no room for the -shm", "full", "locked"],
)
def test_f42_what_sqlite_says_and_what_follows(tmp_path: Path, code: int, kind: type[LedgerError] | None) -> None:
    """I1, I13: after an I/O error nothing is written or acknowledged any more; a full disk or a lock passes."""

    async def main() -> tuple[object, object]:
        first, second = await asyncio.gather(
            ledger.write(fail, code), ledger.write(upkeep.set_mark, "a", 1.0), return_exceptions=True
        )
        del second  # of one group with the first, or not
        [third] = await asyncio.gather(ledger.write(upkeep.set_mark, "b", 1.0), return_exceptions=True)
        return first, third

    ledger = Ledger.open(tmp_path / "ledger.db")
    first, third = asyncio.run(main())
    ledger.close()
    assert isinstance(first, kind or LedgerError)
    assert isinstance(first, LedgerFailed) is (kind is not None)
    assert third is None if kind is None else type(third) is kind


def test_f43_a_ledger_that_is_damaged_while_it_is_open(tmp_path: Path) -> None:
    """I13: what SQLite calls damaged, and is at the second look too, is not written any more."""
    Ledger.open(tmp_path / "ledger.db").close()
    ledger = Ledger.open(tmp_path / "ledger.db")
    with (tmp_path / "ledger.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\x55" * 1000)
    for work in (partial(fail, code=11), partial(upkeep.set_mark, key="b", value=1.0)):
        with pytest.raises(LedgerCorrupt, match="restore a copy"):
            asyncio.run(ledger.write(work))
    ledger.close()


def test_f43_a_damaged_ledger(tmp_path: Path) -> None:
    """I13: it is not mended, and not touched once that is known; what came in until then is kept beside it."""
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\x55" * 1000)
    before = path.read_bytes()
    ledger = Ledger.open(path)

    async def main() -> None:
        await ledger.write(tally)
        with pytest.raises(LedgerCorrupt, match="restore a copy"):
            await ledger.check()
        with pytest.raises(LedgerCorrupt, match="restore a copy"):
            await ledger.write(tally)

    asyncio.run(main())
    ledger.close()
    assert path.read_bytes() == before
    assert path.with_name("ledger.db-wal").stat().st_size > 0


def tally(tx: Tx) -> None:
    tx.tally("came in")


def test_f44_an_old_copy_is_restored(build: Build, tmp_path: Path) -> None:
    """I1, I2: nothing is bought at first; what it forgot is recognised by its address, or found in the CRM."""
    harness = build(providers=[FakeProvider("ann", capabilities=UNHEARD)], fields={EMAIL: ["ann"]})
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.LAST_SEEN, harness.clock.now()))
    ada, bo, cy, dan = (harness.person(name) for name in ("Ada", "Bo", "Cy", "Dan"))
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.finds(bo, EMAIL, "bo@acme.example.com")
    harness.pull()
    harness.plan()
    copy = tmp_path / "copy.db"
    copies.back_up(harness.path, copy)
    harness.dispatch()
    by_contact = {call.requests[0].ref.id: call for call in harness.fake.submitted}
    harness.call_back(by_contact[ada])
    harness.finish()
    assert harness.job(ada) == ("done", "written")

    harness.ledger.close()
    for end in ("", "-wal", "-shm"):
        harness.path.with_name(harness.path.name + end).unlink(missing_ok=True)
    until = harness.clock.now() + 2 * DAY
    assert copies.restore(copy, harness.path, frozen_until=until, now=0.0).generation == 1
    harness.parts = harness._assemble(Ledger.open(harness.path))
    forgotten = by_contact[bo]
    query = parse_qsl(forgotten.callback_url.partition("?")[2])
    address = harness.parts.addresses.check("ann", query, now=harness.clock.now())
    assert address is not None

    assert "restored from a copy" in watch(harness)
    harness.recover()
    harness.pull()
    harness.plan()
    harness.sweep()
    assert harness.dispatch() == 0
    assert harness.job(ada) == ("done", "cancelled"), "what was written since then stands in the CRM"
    late = replace(harness.fake.delivery(forgotten), ref=address.ref, field=address.field)
    harness.deliver(late)
    harness.finish()
    assert harness.held(bo) == "bo@acme.example.com"
    assert harness.tally("calls_adopted") == 1
    harness.clock.time = until + 1
    assert watch(harness) == ""
    harness.dispatch()
    again = [call.requests[0].ref.id for call in harness.fake.submitted[4:]]
    assert sorted(again) == [cy, dan], "their first calls were never answered: the only ones that are bought twice"


def test_f44_what_nobody_can_place_is_kept_and_left_alone_in_the_end(build: Build) -> None:
    """I1: an answer that names no single contact is kept; it is looked at again only while the ledger is frozen."""
    harness = build(fields={EMAIL: ["ann"]})
    harness.run(harness.ledger.write(upkeep.set_mark, upkeep.FROZEN_UNTIL, harness.clock.now() + DAY))
    signed = {SIGNATURE: sign(b"{}")}
    harness.deliver(Delivery(submission_id="forgotten", source=Source.CALLBACK, body=b"{}", headers=signed))
    for _ in range(2):
        harness.inbox()
        assert harness.sql("SELECT state, note FROM delivery") == [("quarantined", submissions.FORGOTTEN)]
        harness.sweep()
        assert harness.sql("SELECT state FROM delivery") == [("received",)]
    harness.inbox()
    harness.clock.time += 2 * DAY
    harness.sweep()
    assert harness.sql("SELECT state FROM delivery") == [("quarantined",)]


def test_f45_two_daemons_on_one_ledger(tmp_path: Path) -> None:
    """I2: the second one is told to stop, with 73, before it has opened anything."""
    path = tmp_path / "ledger.db"
    with only_daemon(path), pytest.raises(typer.Exit) as stopped, only_daemon(path):
        pytest.fail("there are two of them")
    assert stopped.value.exit_code == 73
    with only_daemon(path):
        assert not path.exists()


def test_f46_killed_from_outside(tmp_path: Path) -> None:
    """All: killed as soon as the world has heard of a call, as an OOM killer would; the next process arrives."""
    world = tmp_path / "world.log"
    command = [sys.executable, "-m", "tests.faults.journey", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not world.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    process.kill()
    process.wait()
    inspect(tmp_path)
    subprocess.run(command, cwd=ROOT, check=True)
    inspect(tmp_path, arrived=True)


def without(settings: Settings, provider: str, *, at_all: bool = False) -> Settings:
    """The configuration with a provider taken out of the syncs, or altogether."""
    syncs = tuple(
        replace(
            sync,
            fields={
                field: replace(policy, providers=tuple(p for p in policy.providers if p != provider))
                for field, policy in sync.fields.items()
                if set(policy.providers) != {provider}
            },
        )
        for sync in settings.syncs
    )
    connections_ = {n: c for n, c in settings.connections.items() if not (at_all and n == provider)}
    return replace(settings, syncs=syncs, connections=connections_)


def test_f47_a_provider_is_taken_out_of_the_syncs(build: Build) -> None:
    """I4: whoever waits for it is passed on to the next one; what it still owes is taken."""
    harness = build(
        providers=[FakeProvider(n, capabilities=ONE_BY_ONE) for n in ("ann", "ben")], fields={EMAIL: ["ann", "ben"]}
    )
    ada = harness.person("Ada")
    harness.finds(ada, EMAIL, "ada@acme.example.com", by="ann")
    harness.pull()
    harness.plan()
    harness.dispatch("ann")
    bo = harness.person("Bo")
    harness.pull()
    harness.plan()
    harness.reopen(without(harness.settings, "ann"))
    harness.recover()
    harness.verify()
    assert harness.dispatch("ann") == 0
    assert harness.dispatch("ben") == 1
    assert (harness.state(ada), harness.state(bo)) == ("sent", "sent")
    harness.call_back(harness.fakes["ann"].submitted[0], name="ann")
    harness.verify()
    assert harness.state(ada) == "queued", "found by one that is not asked any more: the next one is asked"


def test_f47_a_field_and_its_only_provider_go(build: Build) -> None:
    """I4: what is not wanted any more ends, and says why."""
    harness = build(
        providers=[FakeProvider(n, capabilities=ONE_BY_ONE) for n in ("ann", "ben")],
        fields={EMAIL: ["ann"], PHONE: ["ben"]},
    )
    ada = harness.person("Ada")
    harness.pull()
    harness.plan()
    harness.reopen(without(harness.settings, "ben", at_all=True))
    harness.recover()
    harness.pull()
    harness.plan()
    assert harness.job(ada, PHONE) == ("done", "cancelled")
    assert harness.state(ada) == "queued"


def test_f47_an_answer_of_a_provider_that_is_gone(sent: Harness) -> None:
    """I1, I4: taken with 200 and kept, for it was paid for; used for nothing; its job ends at its deadline."""
    sent.parts = replace(sent.parts, settings=without(sent.settings, "ann", at_all=True), lanes={})

    async def main() -> list[int]:
        async with opened(sent.parts) as client:
            url = sent.fake.submitted[0].callback_url
            return [
                (await client.post(url, b'{"credit_used": 1}')).status,
                (await client.post(url[:-1] + "z", b"{}")).status,
            ]

    assert sent.run(main()) == [200, 404]
    assert sent.sql("SELECT state, length(body) FROM delivery") == [("quarantined", 18)]
    sent.clock.time += 3 * DAY
    sent.sweep()
    sent.verify()
    assert sent.job("501") == ("done", "cancelled")


def test_f48_a_secret_is_rotated(sent: Harness) -> None:
    """I6: with both in the list, addresses of either are right; without the old one, its addresses are forged."""
    new = "another secret that is 32 characters"
    url = sent.fake.submitted[0].callback_url

    def statuses(secrets: Sequence[str]) -> int:
        sent.parts = replace(sent.parts, addresses=Addresses("https://enrich.example.com", secrets))

        async def main() -> int:
            async with opened(sent.parts) as client:
                return (await client.post(url, b"{}")).status

        return sent.run(main())

    assert statuses([new, SECRET]) == 200
    assert "k=" + url.partition("k=")[2][:8] not in sent.parts.addresses.mint("ann", "x", expires=9e9)
    assert statuses([new]) == 404


@pytest.mark.parametrize("where", ["nobody listens", "somebody else answers"])
def test_f49_callbacks_can_t_reach_us(sent: Harness, where: str) -> None:
    """I9: a callback of our own does not come back: nothing is bought, and `status` says what to mend."""

    async def main() -> tuple[str, Trouble | None]:
        other = replace(sent.parts, addresses=Addresses("https://x.test", ["somebody else's secret, 32 long"]))
        with nobody() as port:
            async with opened(other) as client:
                at = port if where == "nobody listens" else client.port
                sent.parts = replace(sent.parts, addresses=Addresses(f"http://127.0.0.1:{at}", [SECRET]))
                await Canary().run_once(sent.parts)
                return sent.parts.gate.shut, await sent.ledger.read(connections.trouble, "public callback URL")

    shut, trouble = sent.run(main())
    assert "callbacks" in shut
    assert trouble is Trouble.UNREACHABLE
    assert sent.ask() == 0


def test_f49_callbacks_reach_us_again(sent: Harness) -> None:
    """I9: one round trip through the public address opens the gate."""
    canary = Canary()
    sent.parts.gate.set("callbacks", "not tried yet")

    async def main() -> int:
        async with opened(sent.parts, canary=canary) as client:
            ours = replace(sent.parts, addresses=Addresses(f"http://127.0.0.1:{client.port}", [SECRET]))
            return await canary.run_once(ours)

    assert sent.run(main()) == 1
    assert sent.ask() == 1


class ElsewhereCrm(FakeCrm):
    """Its own clock is years off, and goes by another zone."""

    def edit(self, record_id: str, name: str, value: str, by: Author = Author.PERSON) -> None:
        super().edit(record_id, name, value, by)
        newest = self.records[record_id].history[name]
        newest[0] = Version(value=value, at=f"1999-12-31T23:59:60+14:00#{self._tick:06d}", by=by)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/St_Johns"])
def test_f50_zones_leap_seconds_and_the_crm_s_clock(tmp_path: Path, zone: str) -> None:
    """I12: order within the CRM is by the CRM's own stamps alone; ours are UTC whatever the machine's zone."""
    script = (
        "import sys, time; time.tzset(); from tests.faults.test_table_host import elsewhere; elsewhere(sys.argv[1])"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    zoned = {**os.environ, "TZ": zone}
    done = subprocess.run(command, cwd=ROOT, env=zoned, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    audit(tmp_path / "ledger.db")


def elsewhere(folder: str) -> None:
    """A race with a colleague in a CRM whose stamps lie before every one of ours."""
    crm = ElsewhereCrm("crm")
    with Harness(Path(folder), crm=crm, fields={EMAIL: ["ann"]}) as harness:
        ada, bo = harness.person("Ada"), harness.person("Bo")
        harness.finds(ada, EMAIL, "ada@acme.example.com")
        harness.finds(bo, EMAIL, "bo@acme.example.com")
        harness.ask()
        harness.answer_all()
        crm.between_read_and_write = lambda: crm.edit(ada, "email", "typed@example.com")
        harness.finish()
        assert harness.held(ada) == "typed@example.com"
        assert harness.held(bo) == "bo@acme.example.com"
        assert {row[0] // 86_400 for row in harness.sql("SELECT at FROM event")} == {harness.clock.now() // 86_400}
