"""How long the operator's pages, a scrape of the metrics and `syncd status` take with a million contacts.

Of each page and of the scrape, 50 requests to a running daemon; of the command, CPU of its process.

The ledger is a copy of what a real daemon left, as in `size`. Told is what a client waits for, from its question to the
last byte; the first request of a page, which loads it, counts too.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from syncd.ledger import daily
from syncd.ledger.sqlite import sqlite3
from syncd.ledger.store import Ledger

from .bars import Value
from .copies import multiply
from .processes import Daemon, NotMeasured, Vendors, configuration, cpu_of, get, until
from .shapes import Say
from .size import COPIES, TEMPLATE, template

TIMES = 50
PAGES = {
    "overview": "/",
    "syncs": "/syncs",
    "sync": "/syncs/bench",
    "contacts": "/contacts",
    "contacts_words": "/contacts?q=nora1",
    "contacts_state": "/contacts?q=state:waiting",
    "contacts_reason": "/contacts?q=reason:written",
    "contact": "/contacts/{ref}",
    "review": "/review",
    "doubts": "/doubts",
    "providers": "/providers",
    "runs": "/runs",
    "budgets": "/budgets",
    "settings": "/settings",
    "pause": "/pause?name=bench",
    "retry": "/retry?contact={ref}",
    "undo": "/undo?contact={ref}",
    "metrics": "/metrics",
    "api_status": "/api/status",
}


def measure(say: Say) -> dict[str, Value]:
    """Milliseconds that 95 of 100 requests take at most, by page, and of the slowest one; seconds of the command."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as top:
        small, folder = template(Path(top)), Path(top, "large")
        folder.mkdir()
        began = time.monotonic()
        multiply(small, folder / "ledger.db", COPIES["large"])
        Ledger.change(folder / "ledger.db", daily.count_all)  # as a daemon does it all the time
        small.unlink()
        say(f"pages: {COPIES['large'] * TEMPLATE:,} contacts in {time.monotonic() - began:.0f} s")
        found = _asked(folder)
        shutil.rmtree(folder)
    return found


def _asked(folder: Path) -> dict[str, Value]:
    with Vendors(0) as vendors, Daemon(configuration(vendors, budget={"credits_per_day": 1}), folder) as daemon:
        daemon.wait_for_listener()
        until("the pages", lambda: _are_there(daemon.private))
        ref = quote(_written(folder / "ledger.db"))
        found = {name: Value(_p95(daemon.private, path.format(ref=ref))) for name, path in PAGES.items()}
        slowest = max(one.value for one in found.values())
        command = cpu_of("syncd", "status", "--json", "-c", str(folder / "config.yaml"))
        return {**found, "slowest": Value(slowest), "command": Value(command)}


def _are_there(port: int) -> bool:
    """The private listener opens after the public one."""
    try:
        return get(port, "/")[0] == 200
    except ConnectionError:
        return False


def _written(ledger: Path) -> str:
    """A contact to whom a value was written, somewhere in the midst."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        row = db.execute(
            "SELECT connection || '/' || object || '/' || ext_id FROM write JOIN job ON job.id = write.job_id "
            "JOIN contact ON contact.id = job.contact_id WHERE write.state = 'written' LIMIT 1 OFFSET 5000"
        ).fetchone()
    return str(row[0])


def _p95(port: int, path: str) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        status, _ = get(port, path)
        took.append(1000 * (time.perf_counter() - began))
        if status != 200:
            raise NotMeasured(f"{path} was answered with {status}")
    return sorted(took)[round(0.95 * TIMES) - 1]
