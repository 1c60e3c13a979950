"""What the browser looks at: a real daemon against the emulated vendors, with values that wait and calls in doubt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from benchmarks.copies import multiply
from syncd.ledger import daily
from syncd.ledger.store import Ledger
from tests.system.rig import Daemon, Vendors, ask, reading, syncd

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = {"phone": 390, "tablet": 768, "desk": 1280}
CONTACTS, FEW = 72, 8  # of the worlds
WRITES = "SELECT count(*) FROM write WHERE state = 'written'"
WAITING = "SELECT count(*) FROM job WHERE state = 'review'"


@dataclass
class World:
    """Where the pages are, and whom they are about."""

    vendors: Vendors
    daemon: Daemon
    sync: str
    written: str = ""  # a contact to whom a value was written
    review: int = 0

    def restart(self, meanwhile: Callable[[], object]) -> int:
        """End the daemon as a service manager does, and start another one; returns how the first one ended."""
        ended = self.daemon.terminate(within=20)
        meanwhile()
        self.daemon = Daemon(self.vendors)
        self.daemon.__enter__()
        return ended

    def answers(self) -> bool:
        """Are the pages there already?"""
        try:
            return httpx.get(self.base, trust_env=False, timeout=30).is_success
        except httpx.TransportError:
            return False

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.vendors.admin}"

    @property
    def pages(self) -> dict[str, str]:
        """Each page by the name of its picture."""
        return {
            "overview": "/",
            "syncs": "/syncs",
            "sync": f"/syncs/{self.sync}",
            "contacts": "/contacts",
            "contact": f"/contacts/{self.written}?full=1",
            "review": "/review",
            "review-one": f"/review/{self.review}",
            "review-confirm": "/review/accept?field=email",
            "doubts": "/doubts",
            "doubts-confirm": "/doubts/not-sent?all=1",
            "providers": "/providers",
            "runs": "/runs",
            "undo": f"/undo?contact={self.written}",
            "budgets": "/budgets",
            "settings": "/settings",
            "pause": f"/pause?name={self.sync}",
            "pull": f"/pull?name={self.sync}",
            "retry": f"/retry?contact={self.written}",
            "nothing-found": "/contacts?q=nobody-at-all",
            "left-alone": "/suppressions",
            "suppress": f"/suppress?value={self.written}",
            "forget": f"/forget?who={self.written}",
            "export": f"/export?who={self.written}",
            "enrich": f"/enrich?contact={self.written}",
        }

    @property
    def lists(self) -> dict[str, str]:
        """Those that are there whatever the ledger holds."""
        about = {"contact", "review-one", "review-confirm", "doubts-confirm", "undo", "pull", "retry"}
        about |= {"suppress", "forget", "export", "enrich"}
        return {name: path for name, path in self.pages.items() if name not in about}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Bought, written, waiting for approval, and then a call in doubt."""
    with Vendors(folder, seed=2, contacts=CONTACTS) as vendors:
        _configure(vendors)
        with _running(vendors) as made:
            _fill(made)
            yield made


@contextmanager
def first_day(folder: Path) -> Iterator[World]:
    """A daemon with an empty ledger, whose only sync has never run."""
    with Vendors(folder, contacts=0) as vendors:
        settings = yaml.safe_load(vendors.config.read_text("utf-8"))
        settings["syncs"] = [{**settings["syncs"][0], "paused": True}]
        vendors.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        with _running(vendors) as made:
            made.daemon.wait_for("the pages", made.answers)
            yield made


@contextmanager
def small(folder: Path) -> Iterator[World]:
    """Too few questions to tell anything by."""
    with Vendors(folder, seed=2, contacts=FEW) as vendors, _running(vendors) as made:
        made.daemon.wait_for("a value written", lambda: ask(vendors.ledger, WRITES) >= 1)
        made.daemon.wait_for("the pages", made.answers)
        yield made


def grow(seen: World, contacts: int) -> None:
    """Go on with a ledger of so many contacts, all copies of those that are there; nothing is bought or written."""
    assert seen.daemon.terminate(within=30) == 0
    done = syncd("pause", "--all", "--reason", "a large ledger", "-c", seen.vendors.config)
    assert done.returncode == 0, done.stderr
    ledger, large = seen.vendors.ledger, seen.vendors.folder / "large.db"
    multiply(ledger, large, contacts // CONTACTS)
    for one in ledger.parent.glob(f"{ledger.name}*"):
        one.unlink()
    large.rename(ledger)
    Ledger.change(ledger, daily.count_all)  # as a daemon does it all the time
    seen.daemon = Daemon(seen.vendors)
    seen.daemon.__enter__()
    seen.daemon.wait_for("the pages", seen.answers)


@contextmanager
def _running(vendors: Vendors) -> Iterator[World]:
    made = World(vendors, Daemon(vendors), "hubspot-contacts")
    made.daemon.__enter__()
    try:
        yield made
    finally:
        made.daemon.kill()


def _fill(world: World) -> None:
    vendors = world.vendors

    def wait(what: str, question: str, least: int) -> None:
        world.daemon.wait_for(what, lambda: ask(vendors.ledger, question) >= least)

    wait("values written", WRITES, 2)
    wait("values that wait", WAITING, 8)
    wait("somebody who was not found", "SELECT count(*) FROM job WHERE reason = 'not_found'", 2)
    vendors.fault("fullenrich_cut:1", "zeliq_cut:1")
    httpx.post(f"{world.base}/api/retry", json={"query": "reason:not_found", "do": True}, trust_env=False)
    wait("a call in doubt", "SELECT count(*) FROM submission WHERE state = 'in_doubt'", 1)
    with reading(vendors.ledger) as ledger:
        world.written, world.review = (ledger.execute(one).fetchone()[0] for one in (_WRITTEN, _REVIEW))


def _configure(vendors: Vendors) -> None:
    settings = yaml.safe_load(vendors.config.read_text("utf-8"))
    for sync in settings["syncs"]:
        sync |= {"approve": {"above": 4}, "on_doubt": "review"}
    settings["budgets"] = [{"name": "all", "per_day": 1_000, "per_month": 9_000}]
    for one in ("zeliq", "fullenrich"):
        settings["connections"][one]["in_doubt"] = {"policy": "ask"}
    vendors.config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


_WRITTEN = """
SELECT contact.connection || '/' || contact.object || '/' || contact.ext_id
FROM write JOIN job ON job.id = write.job_id JOIN contact ON contact.id = job.contact_id WHERE write.state = 'written'
"""
_REVIEW = "SELECT review.result_id FROM review JOIN job ON job.id = job_id WHERE state = 'review' AND decision = ''"
