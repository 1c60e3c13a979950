"""What the browser looks at: a real daemon against the emulated vendors, with values that wait and calls in doubt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from tests.system.rig import Daemon, Vendors, ask, reading

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = {"phone": 390, "tablet": 768, "desk": 1280}
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
        }


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Bought, written, waiting for approval, and then a call in doubt."""
    with Vendors(folder, seed=2, contacts=72) as vendors:
        _configure(vendors)
        made = World(vendors, Daemon(vendors), "hubspot-contacts")
        made.daemon.__enter__()
        try:
            _fill(made)
            yield made
        finally:
            made.daemon.kill()


def _fill(world: World) -> None:
    vendors = world.vendors

    def wait(what: str, question: str, least: int) -> None:
        world.daemon.wait_for(what, lambda: ask(vendors.ledger, question) >= least)

    wait("values written", "SELECT count(*) FROM write WHERE state = 'written'", 2)
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
