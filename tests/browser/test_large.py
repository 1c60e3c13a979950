"""The pages of a large ledger: of a million contacts in `make browser`. How quick they are, `make bench` measures."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.system.rig import ask

from .checks import assert_readable, opened
from .world import World

NAMES = [
    "overview", "syncs", "sync", "contacts", "contact", "review", "review-confirm", "doubts", "providers", "runs",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_readable_with_many_contacts(chromium: Browser, large: World, name: str) -> None:
    with opened(chromium, large, large.pages[name]) as page:
        assert_readable(page, name)


def test_figures_are_exact_and_lists_lead_on(chromium: Browser, large: World) -> None:
    waiting = ask(large.vendors.ledger, "SELECT count(*) FROM job WHERE state = 'review'")
    with opened(chromium, large, "/review") as page:
        assert page.locator("h1").inner_text() == f"{waiting:,} values wait for you"
        assert page.locator("tr[data-row]").count() == 25
        first = page.locator("tr[data-row] th a").first.get_attribute("href")
        page.get_by_role("link", name="More", exact=True).click()
        page.wait_for_url("**/review?**after=**")
        assert page.locator("tr[data-row] th a").first.get_attribute("href") != first
        page.go_back()
        assert page.locator("tr[data-row] th a").first.get_attribute("href") == first
