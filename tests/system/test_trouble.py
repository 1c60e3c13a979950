"""What goes wrong is said in one sentence with what to do, by check, status and log; and it passes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from .rig import Daemon, Vendors, assert_right, free_port, syncd, until

ZELIQ_KEY = ("zeliq", "Invalid API key", "Copy the key from Zeliq")
FULLENRICH_KEY = ("fullenrich", "nknown api key", "Copy the key from FullEnrich")
BLOCKED = ("zeliq", "blocked", "support")
ZELIQ_CREDITS = ("zeliq", "No Credit Remaining", "Buy credits in Zeliq")
FULLENRICH_CREDITS = ("fullenrich", "for want of credits", "Buy credits")  # for phones; nobody asked it for e-mails
HUBSPOT_KEY = ("hubspot", "does not accept the access token", "access_token")
SCOPE = ("hubspot", "lacks a scope: crm.objects.contacts.write", "crm.objects.contacts.write")
BACK = {
    "wrong keys": (["zeliq_key_revoked:*", "fullenrich_key_revoked:*"], [ZELIQ_KEY, FULLENRICH_KEY], True),
    "blocked, no credits": (["zeliq_blocked:*", "fullenrich_payment_required:*"], [BLOCKED, FULLENRICH_CREDITS], False),
    "no credits": (["zeliq_no_credit:*"], [ZELIQ_CREDITS], False),
    "a wrong token": (["hubspot_unauthenticated:*"], [HUBSPOT_KEY], True),
    "a missing scope": (["hubspot_forbidden:*:crm.objects.contacts.write"], [SCOPE], True),
}


@pytest.mark.parametrize(("faults", "sentences", "checkable"), BACK.values(), ids=BACK.keys())
def test_it_halts_says_so_and_goes_on_by_itself_once_mended(
    tmp_path: Path, faults: list[str], sentences: list[tuple[str, str, str]], checkable: bool
) -> None:
    """`checkable`: a check that spends nothing can see it."""
    with Vendors(tmp_path, seed=2, faults=faults) as vendors:
        if checkable:
            _assert_check(vendors, *sentences)
        with Daemon(vendors) as daemon:
            for sentence in sentences:
                _assert_halt(vendors, daemon, sentence)
            vendors.fault(clear=True)
            daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
            halted = {line["connection"] for line in daemon.lines("halted")} - {"hubspot"}
            assert {line["connection"] for line in daemon.lines("back")} >= halted
            assert daemon.terminate() == 0
        status = syncd("status", "-c", vendors.config).stdout
        assert not any(word in status for word in ("halted", "short of credits", "not asked for now"))


def test_a_public_url_that_leads_nowhere(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors:
        outside = free_port()
        vendors.configure(callbacks={"public_url": f"http://127.0.0.1:{outside}"})
        sentence = ("callbacks", "callbacks can't reach syncd", "callbacks.listen")
        _assert_check(vendors, sentence)
        with Daemon(vendors) as daemon:
            assert "callbacks.listen" in daemon.said("gate_shut", watch="callbacks")["cure"]
            until("it in status", lambda: _in_status(vendors, "public callback URL", *sentence[1:]))
            calls = vendors.get("calls")
            assert (calls["zeliq"].get("email"), calls["fullenrich"].get("start")) == (None, None)  # nothing bought
            with forwarding(outside, vendors.listen):
                daemon.said("gate_open", watch="callbacks")
                daemon.wait_for("all to be written", lambda: vendors.judge()["ok"])
            assert daemon.terminate() == 0


def test_run_once_tells_what_kept_it_from_working(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2, options=["--credits=0"]) as vendors:
        done = syncd("check", "-c", vendors.config)
        for vendor in ("Zeliq", "FullEnrich"):
            assert f"→ Buy credits in {vendor}" in done.stdout
        settings = yaml.safe_load(vendors.config.read_text("utf-8"))
        settings["syncs"][0]["fields"]["phone"]["property"] = "direct_dail"
        vendors.configure(syncs=settings["syncs"])
        written = vendors.config.read_text("utf-8").splitlines()
        (line,) = [number for number, text in enumerate(written, 1) if "direct_dail" in text]
        place = f"{vendors.config}:{line}: syncs[0].fields.phone.property (hubspot-contacts): "
        _assert_check(vendors, ("hubspot", f"{place}the portal has no contact property 'direct_dail'", "set another"))
        assert (
            "see     docs/keys.md#hubspot: which key and rights hubspot needs"
            in syncd("check", "-c", vendors.config).stdout
        )
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 1
        why = "hubspot would not take what is bought: the portal has no contact property 'direct_dail'"
        assert (
            f"error: hubspot-contacts buys nothing: {why} [gate-write-right]\n       → set another property"
            in daemon.tail()
        )
        settings["syncs"][0]["fields"]["phone"]["property"] = "phone"
        vendors.configure(syncs=settings["syncs"])
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 1
        assert "error: zeliq is halted: " in daemon.tail()
        assert "hubspot" not in daemon.tail().partition("stopped")[2]


def test_a_vendor_that_is_down_for_a_while(tmp_path: Path) -> None:
    """A pull that fails for a reason that passes is tried again soon, not at the next full hour."""
    with Vendors(tmp_path, seed=2, faults=["hubspot_search_error:12:503"]) as vendors:
        schedule = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
        del schedule[0]["every"]
        vendors.configure(syncs=[{**schedule[0], "schedule": "0 0 1 1 *"}])
        with Daemon(vendors, ("--once",)) as daemon:
            assert daemon.wait() == 0, daemon.tail()
        assert_right(vendors)


def test_two_daemons_and_strangers_on_the_port(tmp_path: Path) -> None:
    with Vendors(tmp_path, seed=2) as vendors, Daemon(vendors) as daemon:
        daemon.said("started")
        second = syncd("run", "-c", vendors.config)
        assert (second.returncode, "another syncd has" in second.stderr) == (73, True)
        assert "ledger.path" in second.stderr
        vendors.configure(ledger={"path": str(tmp_path / "other.db")})
        third = syncd("run", "-c", vendors.config)
        assert third.returncode == 78
        assert f"error: can't listen on 127.0.0.1:{vendors.listen}: Address already in use" in third.stderr
        assert "Traceback" not in second.stderr + third.stderr
        vendors.configure(admin={"listen": f"127.0.0.1:{free_port()}"})
        checked = syncd("check", "-c", vendors.config)
        assert checked.returncode == 1
        assert "in use, and not by a running syncd" in checked.stdout
        assert daemon.terminate() == 0


def _assert_check(vendors: Vendors, *sentences: tuple[str, str, str]) -> None:
    done = syncd("check", "-c", vendors.config)
    assert done.returncode == 1
    for name, what, cure in sentences:
        lines = done.stdout.splitlines()
        (at,) = [n for n, line in enumerate(lines) if line.startswith(f"error   {name}: ") and what in line]
        assert lines[at + 1].strip().startswith("→")
        assert cure in lines[at + 1]


def _assert_halt(vendors: Vendors, daemon: Daemon, sentence: tuple[str, str, str]) -> None:
    name, what, cure = sentence
    line = daemon.wait_for(f"{what} in the log", lambda: _halts(daemon, name, cure))[0]
    assert line["level"] in {"error", "warning"}
    until("it in status", lambda: _in_status(vendors, name, what, cure))


def _in_status(vendors: Vendors, name: str, what: str, cure: str) -> bool:
    lines = syncd("status", "-c", vendors.config).stdout.splitlines()
    found = [n for n, line in enumerate(lines) if line.startswith(f"{name} is ") and what in line]
    return len(found) == 1 and cure in lines[found[0] + 1]


def _halts(daemon: Daemon, name: str, cure: str) -> list[dict[str, Any]]:
    """The lines that tell of a halted connection, or of a stage that it stopped."""
    halts = [line for line in daemon.lines() if cure in line.get("cure", "")]
    return [line for line in halts if line.get("connection", name) == name]


@contextmanager
def forwarding(outside: int, inside: int) -> Iterator[None]:
    """The proxy that was missing: what arrives at one port goes on to another."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(lambda r, w: _forward(r, w, inside), "127.0.0.1", outside))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_ended())
        loop.close()


async def _ended() -> None:
    """Whatever is forwarded is cut off; a loop closes a socket in the round after it was told to."""
    await asyncio.sleep(0)  # who was let in last begins, so that it can end
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            back.transport.abort()
    finally:
        writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while read := await reader.read(65536):
        writer.write(read)
        await writer.drain()
    writer.close()
