"""One world and one browser for a module of tests. Playwright keeps a loop running in this thread as long as it is
open, and has to be closed before other tests. What is not there is said, and skipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, sync_playwright

from .world import BROWSER, World, world


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A daemon with something on each page."""
    if BROWSER is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(seen: World) -> Iterator[Browser]:
    """The system's own."""
    with ExitStack() as stack:
        play = stack.enter_context(sync_playwright())
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        stack.callback(browser.close)
        yield browser
