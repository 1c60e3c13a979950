"""What is wrong is seen wherever somebody may look: in `status`, `/readyz`, a metric, the log, and by an alert.

Four daemons work beside each other, each in its trouble. The whole takes as long as the slowest: a vendor is down for
ten seconds before that is told, and `status` believes in a daemon for ten seconds after its last sign.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faults.disk import NoDisk, fill, small_disk
from tests.unit.receivers import Web, web

from .rig import Daemon, Vendors, ask, free_port, syncd, until


@dataclass
class Site:
    """A daemon with its vendors, and somebody who is told."""

    vendors: Vendors
    daemon: Daemon
    told: Web
    lock: sqlite3.Connection | None = field(default=None)  # held by somebody else

    def tells(self, where: str) -> str:
        """What is seen there now."""
        if where == "status":
            status = syncd("status", "-c", self.vendors.config)
            return " ".join((status.stdout + status.stderr).split())
        if where == "api":
            found = self.daemon.status()["conditions"]
            return "\n".join(f"{one['kind']} {one['who']}: {one['why']}" for one in found)
        if where == "readyz":
            ready = self.daemon.api("/readyz")
            return ready.text if ready.status_code == 503 else f"ready: {ready.text}"
        if where == "metric":
            return self.daemon.api("/metrics").text
        if where == "log":
            return self.daemon.log.read_text("utf-8")
        return "\n".join(one["message"] for one in self.told.got)


@dataclass(frozen=True)
class Trouble:
    """What is seen of it: `words` by people, `kind` by programs. `status` where it has other words there."""

    site: str
    kind: str
    words: str
    status: str = ""


TROUBLES = {
    "a wrong property": Trouble("mapping", "gate", "the portal has no contact property 'direct_dail'"),
    "a wrong configuration": Trouble(
        "money", "configuration", r"admin.listen: it is [\d.:]+ until the end of this process"
    ),
    "a shut gate": Trouble("mapping", "gate", "callbacks can't reach syncd"),
    "a dead vendor": Trouble("money", "unreachable", r"its last \d+ calls failed \(unreachable\)"),
    "a spent budget": Trouble(
        "money", "budget", r"of 9 credits in 30 days \(UTC\).*: goes on at \d{4}-\d\d-\d\d 00:00"
    ),
    "a full disk": Trouble("disk", "disk", r"\d+ MiB are free beside the ledger, ledger.reserve wants 1 MiB"),
    "a hung writer": Trouble("writer", "late", "it has not answered for|database is locked", "can't write its ledger"),
}


Change = Callable[[dict[str, Any]], dict[str, Any]]


def _start(stack: ExitStack, folder: Path, name: str, sync: Change = dict, **changes: Any) -> Site:
    """A daemon with a configuration of its own. `sync`: what is changed in each of its syncs."""
    (folder / name).mkdir(exist_ok=True)
    vendors = stack.enter_context(Vendors(folder / name, seed=2))
    told = stack.enter_context(web())
    syncs = yaml.safe_load(vendors.config.read_text("utf-8"))["syncs"]
    vendors.configure(alerts=[{"to": told.url}], syncs=[sync(one) for one in syncs], **changes)
    return Site(vendors, stack.enter_context(Daemon(vendors)), told)


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """All of them, in their troubles."""
    folder = tmp_path_factory.mktemp("seen")
    with ExitStack() as stack:
        made = {}
        nowhere = f"http://127.0.0.1:{free_port()}"
        made["mapping"] = _start(stack, folder, "mapping", callbacks={"public_url": nowhere}, sync=_mapped)
        made["money"] = _start(stack, folder, "money", connections={"fullenrich": {"base_url": nowhere}}, sync=_capped)
        made["writer"] = _start(stack, folder, "writer")
        try:
            small = stack.enter_context(small_disk(folder / "small", 48))
        except NoDisk:
            small = None
        if small is not None:
            ledger = {"path": str(small / "ledger.db"), "reserve": "1MiB"}
            made["disk"] = _start(stack, folder, "disk", ledger=ledger)
            made["disk"].daemon.wait_for("it to work", lambda: ask(small / "ledger.db", "SELECT count(*) FROM job"))
            fill(small / "ballast")
        writer = made["writer"]
        writer.daemon.wait_for("it to work", lambda: ask(writer.vendors.ledger, "SELECT count(*) FROM job"))
        lock = stack.enter_context(closing(sqlite3.connect(writer.vendors.ledger, isolation_level=None)))
        lock.execute("BEGIN IMMEDIATE")
        writer.lock = lock
        money = made["money"]
        money.daemon.said("started")
        money.vendors.configure(admin={"listen": f"127.0.0.1:{free_port()}"})
        money.daemon.process.send_signal(signal.SIGHUP)
        yield made


def _mapped(sync: dict[str, Any]) -> dict[str, Any]:
    """A property that the portal does not have."""
    phone = {**sync["fields"]["phone"], "property": "direct_dail"}
    return {**sync, "fields": {**sync["fields"], "phone": phone}}


def _capped(sync: dict[str, Any]) -> dict[str, Any]:
    """A budget that is spent at once: of a month, for a day of these daemons takes six minutes."""
    return {**sync, "budget": {"credits_per_month": 9}}


@pytest.mark.parametrize("name", TROUBLES)
def test_it_is_seen_everywhere(sites: dict[str, Site], name: str) -> None:
    trouble = TROUBLES[name]
    if trouble.site not in sites:
        pytest.skip("no file system can be mounted here")
    site = sites[trouble.site]
    wanted = {
        "api": f"(?m)^{trouble.kind} .*({trouble.words})",
        "readyz": f"(?m)^(?!ready|note).*({trouble.words})",
        "metric": rf'(?m)^syncd_condition{{detail="\w*",kind="{trouble.kind}",who="[^"]+"}} 1.0$',
        "log": trouble.words,
        "alert": trouble.words,
        "status": trouble.status or trouble.words,
    }

    end = time.monotonic() + 60
    for where, what in wanted.items():
        while not re.search(what, seen := site.tells(where)):
            assert time.monotonic() < end, (where, seen[-1500:])
            time.sleep(0.3)


def _told(site: Site, line: str) -> bool:
    """Perhaps with others, where the machine was slow: then their message has another title."""
    return any(re.search(line, one["message"], re.MULTILINE) for one in site.told.got)


def test_its_end_is_told_too(sites: dict[str, Site]) -> None:
    site = sites["writer"]
    assert site.lock is not None
    until("its beginning to be told", lambda: _told(site, r"^- ledger .*\[late\]"))
    site.lock.execute("ROLLBACK")
    until("it to be ready", lambda: "ledger" not in site.daemon.api("/readyz").text)
    until("the end to be told", lambda: _told(site, r"^- over.* UTC: ledger .*\[late\]"))
    assert ask(site.vendors.ledger, "SELECT count(*) FROM symptom WHERE who = 'ledger'") == 0
