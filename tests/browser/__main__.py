"""`python -m tests.browser FOLDER`: pictures of the pages, of a real run against the emulated vendors."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from .world import BROWSER, WIDTHS, world

PICTURES = {
    "overview": (("desk", "light"), ("desk", "dark"), ("phone", "light")),
    "review": (("desk", "light"), ("phone", "light")),
    "contact": (("desk", "light"),),
}


def main(folder: Path) -> None:
    """The pages that the README shows, on a desk in light and dark, and on a phone."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="syncd-") as top, world(Path(top)) as seen, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for name, looks in PICTURES.items():
            for device, scheme in looks:
                size = {"width": WIDTHS[device], "height": 800}
                page = browser.new_page(base_url=seen.base, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(seen.pages[name])
                page.wait_for_selector("[data-state=live]")
                page.screenshot(path=folder / f"{name}-{device}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    if BROWSER is None:
        sys.exit("needs a browser: apt-get install chromium")
    main(Path(sys.argv[1]))
