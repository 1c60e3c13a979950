"""`python -m tests.browser FOLDER`: pictures of the pages, of real runs against the emulated vendors.

Those that the README shows, and of each page its empty state, its errors, and what it says of too few figures.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.system.rig import until

from .world import BROWSER, WIDTHS, World, first_day, small, world

PICTURES = {
    "overview": (("desk", "light"), ("desk", "dark"), ("phone", "light")),
    "review": (("desk", "light"), ("phone", "light")),
    "contact": (("desk", "light"),),
}
ERRORS = {
    "contacts": "/contacts?q=stat:done",
    "contact": "/contacts/hubspot/contacts/9",
    "left-alone": "/suppress?value=nobody",
    "review": "/review?sort=fun",
    "doubts": "/doubts?since=soon",
    "runs": "/runs?since=soon",
    "undo": "/undo",
    "providers": "/providers?since=soon",
    "nothing": "/nothing",
}
FEW = ("overview", "sync", "providers")


def main(folder: Path) -> None:
    """All pictures, into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    states = folder / "states"
    states.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="syncd-") as top, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        with first_day(_made(top, "first")) as seen:
            _states(browser, seen, states, {f"empty-{name}": path for name, path in seen.lists.items()})
        with small(_made(top, "small")) as seen:
            _states(browser, seen, states, {f"few-{name}": seen.pages[name] for name in FEW})
            _states(browser, seen, states, {f"error-{name}": path for name, path in ERRORS.items()})
            seen.vendors.fault("hubspot_unauthenticated:*")
            until("the CRM is halted", lambda: "halted" in {one["kind"] for one in seen.daemon.status()["conditions"]})
            _states(
                browser, seen, states, {f"error-{name}": seen.pages[name] for name in ("overview", "syncs", "sync")}
            )
        with world(_made(top, "world")) as seen:
            for name, looks in PICTURES.items():
                for device, scheme in looks:
                    _take(browser, seen, seen.pages[name], folder / f"{name}-{device}-{scheme}.png", device, scheme)
        browser.close()


def _made(top: str, name: str) -> Path:
    folder = Path(top, name)
    folder.mkdir()
    return folder


def _states(browser: Browser, seen: World, folder: Path, pages: Mapping[str, str]) -> None:
    for name, path in pages.items():
        _take(browser, seen, path, folder / f"{name}.png", "tablet", "light")


def _take(browser: Browser, seen: World, path: str, file: Path, device: str, scheme: str) -> None:
    name = file.stem
    size = {"width": WIDTHS[device], "height": 800 if file.parent.name != "states" else 560}
    page = browser.new_page(base_url=seen.base, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(path)
    if page.locator("#connection").count():
        page.wait_for_selector("[data-state=live]")
    page.screenshot(path=file, full_page=name == "few-providers")
    page.close()


if __name__ == "__main__":
    if BROWSER is None:
        sys.exit("needs a browser: apt-get install chromium")
    main(Path(sys.argv[1]))
