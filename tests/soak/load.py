"""Callbacks by the hundred thousand while the CRM is down; then it comes up; then a steady load for long."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncd.sandbox.hubspot.access import Token
from syncd.sandbox.hubspot.items import colleague
from syncd.sandbox.hubspot.portal import Portal
from syncd.sandbox.server import Sandbox, SandboxThread
from tests.faults.gauges import Gauge, leaks, slope, watching
from tests.faults.pour import pour
from tests.faults.process import CRM_TOKEN, PATIENCE, Site, site
from tests.system.rig import until
from tests.unit.audit import ask

from .part import Part, Wishes

PEOPLE = 4_000  # half of whom have no e-mail: the calls under way
BURST, STEADY = 300.0, 50.0  # callbacks a second
LONGEST = 30.0  # minutes of the burst
P99 = 50.0  # ms, where the machine itself is not later than LATE
LATE = 10.0
WAL = 64.0  # MiB
WARM_UP = 0.25  # share of the steady load, of which memory is not judged
DRAIN = 1_800.0  # seconds


def work(wishes: Wishes, folder: Path, part: Part) -> None:
    """Each callback gets its 200 soon, the backlog is worked off, and the daemon takes no more the longer it runs."""
    with _kept_port() as crm:
        _load(wishes, folder, part, crm)


@contextmanager
def _kept_port() -> Iterator[int]:
    """A port where nobody listens but who is told of it: while the CRM is down, nobody else is taken for it."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])


def _load(wishes: Wishes, folder: Path, part: Part, crm: int) -> None:
    world = Sandbox(wishes.seed, PEOPLE, quirks={}).hubspot.portal  # the same seed gives the same contacts
    blank = [str(number) for number, item in world.contacts.items.items() if not item.values.get("email")]
    with site(folder, blank, crm=crm) as here:
        assert len(here.urls) == len(blank)
        daemon = here.start()
        here.serving()
        with watching(daemon.pid, here.ledger) as gauge:
            burst = pour(here.client.port, here.urls, BURST, 60 * min(wishes.minutes, LONGEST))
            _answered(part, "burst", burst)
            backlog = ask(here.ledger, "SELECT count(*) FROM delivery WHERE state = 'received'")[0][0]
            part.figures |= {"backlog after the burst": backlog}
            _drain(here, wishes, part, blank, crm)
        _judge_files(gauge, part)
        _steady(here, wishes, part, burst["sent"])
        daemon.terminate()
        if daemon.wait(PATIENCE):
            part.violations.append(f"the daemon ended with {daemon.returncode}")


def _answered(part: Part, name: str, came: Mapping[str, Any]) -> None:
    part.figures |= {f"{name}: callbacks": came["sent"], f"{name}: ms p50": came["p50"], f"{name}: ms p99": came["p99"]}
    part.figures |= {f"{name}: ms longest": came["longest"], f"{name}: ms late ourselves": came["late"]}
    if came["failed"]:
        part.violations.append(f"{name}: not answered with 200: {came['failed']}")
    if came["p99"] > P99 and came["late"] <= LATE:
        part.violations.append(f"{name}: p99 is {came['p99']} ms")


# --- the CRM comes up -------------------------------------------------------------------------


def _drain(here: Site, wishes: Wishes, part: Part, contacts: list[str], crm: int) -> None:
    """Every answer is read, and every value is in the CRM."""
    started = time.monotonic()
    waiting = "SELECT count(*) FROM delivery WHERE state = 'received'"
    until("the backlog is read", lambda: ask(here.ledger, waiting) == [(0,)], within=DRAIN, every=1.0)
    part.figures |= {"seconds until all was read": round(time.monotonic() - started)}
    hubspot = {"tokens": (Token(CRM_TOKEN),), "unlimited": True}
    with SandboxThread(wishes.seed, PEOPLE, ports={"hubspot": crm}, quirks={}, hubspot=hubspot) as vendors:
        _name(vendors.hubspot.portal, contacts)
        started = time.monotonic()
        waiting_jobs = "SELECT count(*) FROM job WHERE state <> 'done'"
        until("all is written", lambda: ask(here.ledger, waiting_jobs) == [(0,)], within=DRAIN, every=1.0)
        part.figures |= {"written": len(contacts), "seconds until all was written": round(time.monotonic() - started)}
        items = vendors.hubspot.portal.contacts.items
        values = [items[int(contact)].values.get("email", "") for contact in contacts]
    if wrong := sum(not _said_of(index, value, len(contacts)) for index, value in enumerate(values)):
        part.violations.append(f"{wrong} contacts of {len(contacts)} don't hold what was said of them")


def _name(portal: Portal, contacts: list[str]) -> None:
    """The contacts are the people of `asked_harness`; else nothing that is said of those would be written."""
    for index, contact in enumerate(contacts):
        profile = f"https://www.linkedin.com/in/person{index}"
        values = {"firstname": f"Person{index}", "lastname": "Test", "company": "Acme", "hs_linkedin_url": profile}
        portal.contacts.write(portal.contacts.items[int(contact)], values, colleague(), portal.now_ms())


def _said_of(index: int, value: str, contacts: int) -> bool:
    """Was this value in a callback to the address of this contact?"""
    found = re.fullmatch(r"p(\d+)@acme\.example\.com", value)
    return found is not None and int(found[1]) % contacts == index


# --- steady -----------------------------------------------------------------------------------


def _steady(here: Site, wishes: Wishes, part: Part, first: int) -> None:
    daemon = here.running[-1]
    with watching(daemon.pid, here.ledger) as gauge:
        came = pour(here.client.port, here.urls, STEADY, 60 * wishes.minutes, first=first)
    _answered(part, "steady", came)
    warm = gauge.samples[int(WARM_UP * len(gauge.samples)) :]
    fds = {one.fds for one in warm}
    part.figures |= {"MiB at the start": round(gauge.samples[0].rss, 1), "MiB at the end": round(warm[-1].rss, 1)}
    part.figures |= {"MiB an hour": round(slope(warm), 2), "descriptors": f"{min(fds)} to {max(fds)}"}
    if leaks(warm):
        part.violations.append(f"memory grows by {slope(warm):.1f} MiB an hour, and did not stop")
    _judge_files(gauge, part)


def _judge_files(gauge: Gauge, part: Part) -> None:
    wal = max(one.wal for one in gauge.samples)
    part.figures["MiB of the -wal at most"] = round(
        max(wal, float(str(part.figures.get("MiB of the -wal at most", 0)))), 1
    )
    if wal >= WAL:
        part.violations.append(f"the -wal has grown to {wal:.0f} MiB")
