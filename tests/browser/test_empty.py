"""The pages of a first day: nothing has run, and each list says why it is empty and what comes next."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from .checks import assert_readable, opened
from .world import World

NEXT = {  # on each page, what helps further
    "overview": "syncd check",
    "syncs": "paused in the configuration",
    "sync": "No contact lacks it yet",
    "contacts": "the first pull brings them",
    "review": "Values come here when",
    "doubts": "None. Of every paid call it is known",
    "providers": "too few to compare",
    "runs": "Run a sync now",
    "budgets": "Add budgets:",
    "settings": "edit the file",
    "pause": "Nothing is bought",
    "left-alone": "The list is empty.",
    "nothing-found": "the first pull brings them",
}


@pytest.mark.parametrize("name", NEXT)
def test_every_page_of_an_empty_ledger_is_readable_and_says_what_comes_next(
    chromium: Browser, empty: World, name: str
) -> None:
    with opened(chromium, empty, empty.lists[name]) as page:
        assert NEXT[name] in page.locator("main").inner_text()
        assert_readable(page, name)


def test_no_page_is_left_out(empty: World) -> None:
    assert NEXT.keys() == empty.lists.keys()
