"""One world and one browser for a module of tests. Playwright keeps a loop running in this thread as long as it is
open, and has to be closed before other tests. What is not there is said, and skipped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, sync_playwright

from . import checks
from .world import BROWSER, World, first_day, grow, world

LARGE = 20_000  # contacts of a large ledger, unless --contacts says another number


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make browser` looks at a ledger of a million contacts, and with axe at everything."""
    parser.addoption("--contacts", type=int, default=LARGE, help="contacts of the large ledger")
    parser.addoption("--everywhere", action="store_true", help="axe at every width, light and dark")


def pytest_configure(config: pytest.Config) -> None:
    checks.everywhere = config.getoption("--everywhere", default=False)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, needs_browser: None) -> Iterator[World]:
    """A daemon with something on each page."""
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, needs_browser: None) -> Iterator[World]:
    """A daemon of which nothing has run yet."""
    with first_day(tmp_path_factory.mktemp("empty")) as made:
        yield made


@pytest.fixture(scope="module")
def large(
    tmp_path_factory: pytest.TempPathFactory, needs_browser: None, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A daemon with many contacts."""
    with world(tmp_path_factory.mktemp("large")) as made:
        grow(made, request.config.getoption("--contacts", LARGE))
        yield made


@pytest.fixture(scope="module")
def needs_browser() -> None:
    """Where there is none, that is said."""
    if BROWSER is None:
        pytest.skip("needs a browser: apt-get install chromium")


@pytest.fixture(scope="module")
def chromium(needs_browser: None) -> Iterator[Browser]:
    """The system's own."""
    with ExitStack() as stack:
        play = stack.enter_context(sync_playwright())
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        stack.callback(browser.close)
        yield browser
