"""The operator's pages in a real browser: whole, readable, usable by keyboard and without JavaScript, and live."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import Browser, Page, Response

from tests.system.rig import ask, until

from .checks import PALE, SMALL, assert_readable, faults, opened
from .world import WIDTHS, World

NAMES = [
    "overview", "syncs", "sync", "contacts", "contact", "review", "review-one", "review-confirm", "doubts",
    "doubts-confirm", "providers", "runs", "undo", "budgets", "settings", "pause", "pull", "retry", "nothing-found",
    "left-alone", "suppress", "forget", "export", "enrich",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_readable_at_every_width_light_and_dark(chromium: Browser, seen: World, name: str) -> None:
    with opened(chromium, seen, seen.pages[name]) as page:
        assert_readable(page, name)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
        ("document.querySelectorAll('svg title, svg desc').forEach(one => one.remove())", "svg-img-alt"),
        ("document.querySelector('h1').setAttribute('hidden', '')", "page-has-heading-one"),
    ],
)
def test_what_is_spoilt_is_found(chromium: Browser, seen: World, spoil: str, rule: str) -> None:
    with opened(chromium, seen, "/") as page:
        page.evaluate(spoil)
        assert any(one.startswith(rule) for one in faults(page))


def test_what_is_too_small_too_wide_and_too_pale_is_found(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/syncs") as page:
        page.evaluate("""() => {
            const one = Object.assign(document.createElement('button'), { textContent: 'x', className: 'small' });
            document.body.append(one);
            const sheet = new CSSStyleSheet();
            sheet.replaceSync('.small { min-height: 20px !important; height: 20px; width: 2000px; color: #999 }');
            document.adoptedStyleSheets = [sheet]; }""")
        assert page.evaluate(SMALL) != []
        assert page.evaluate(PALE) != []
        assert page.evaluate("document.documentElement.scrollWidth") > 1280


def test_the_first_load_is_small(chromium: Browser, seen: World) -> None:
    context = chromium.new_context(base_url=seen.base)
    sizes: dict[str, int] = {}
    page = context.new_page()

    def measure(one: Response) -> None:
        sizes[one.url] = 0 if one.url.endswith("/live") else len(one.body())

    page.on("response", measure)
    page.goto("/", wait_until="load")
    context.close()
    assert sum(sizes.values()) < 60_000
    assert sum(size for url, size in sizes.items() if ".js" in url) < 10_240


@pytest.mark.parametrize("name", NAMES)
def test_without_javascript_the_same_can_be_read(chromium: Browser, seen: World, name: str) -> None:
    path = seen.pages[name]
    answer = httpx.get(seen.base + path, trust_env=False, timeout=30)  # the same for both, whatever moves meanwhile

    def words(page: Page) -> set[str]:
        page.route(seen.base + path, lambda route: route.fulfill(body=answer.text, headers=dict(answer.headers)))
        page.goto(path)
        shown = page.locator("main").inner_text()
        return set(re.findall(r"[^\W\d_]{4,}", shown)) - {"Show"}

    with opened(chromium, seen, "/settings") as page:
        lively = words(page)
    with opened(chromium, seen, "/settings", java_script_enabled=False) as page:
        quiet = words(page)
        assert page.locator("#connection").inner_text().startswith("as of")
    assert lively - quiet <= {"here", "fewer", "than"}  # what only JavaScript can do, or tells


def test_without_javascript_a_sync_is_paused_and_goes_on(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/syncs", java_script_enabled=False) as page:
        page.locator(f"tr:has-text('{seen.sync}') >> text=Pause…").click()
        page.get_by_label("Why").fill("clean-up of the CRM")
        page.get_by_label("Until when").fill("4h")
        page.get_by_role("button", name="Pause").click()
        assert page.locator("#said").inner_text() == f"{seen.sync} is paused."
        assert "clean-up of the CRM" in page.locator("main").inner_text()
        page.get_by_role("link", name="Resume…").first.click()
        page.get_by_role("button", name="Resume").click()
        assert page.locator("#said").inner_text() == f"{seen.sync} goes on."


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_three_are_accepted_and_one_is_refused_by_keys_alone(chromium: Browser, seen: World) -> None:
    decided = "SELECT count(*) FROM review WHERE decision = ?"
    with opened(chromium, seen, "/") as page:
        press(page, "g", "a")
        page.wait_for_url("**/review")
        press(page, "j", "x", "j", "x", "j", "x")
        assert page.evaluate("document.activeElement.matches('#pick input:checked')"), "focus stays on what is picked"
        page.wait_for_timeout(2_100)  # figures are told meanwhile
        assert page.locator("#pick input:checked").count() == 3
        press(page, "a")
        page.wait_for_url("**/review/accept?**")
        assert page.evaluate("document.activeElement.textContent") == "Accept 3"
        press(page, "Enter")
        page.wait_for_url("**/review")
        assert page.evaluate("document.activeElement.id") == "said"
        assert "3 values accepted" in page.locator("#said").inner_text()
        assert ask(seen.vendors.ledger, decided, "accepted") == 3
        press(page, "j", "x", "r")
        page.wait_for_url("**/review/refuse?**")
        press(page, "Enter")
        page.wait_for_url("**/review")
        assert ask(seen.vendors.ledger, decided, "refused") == 1


def test_what_was_written_is_put_back_by_keyboard(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, f"/undo?contact={seen.written}") as page:
        button = page.get_by_role("button", name=re.compile("Put back"))
        button.focus()
        press(page, "Enter")
        page.wait_for_url(re.compile(r"/runs/\d+"))
        assert page.evaluate("document.activeElement.id") == "said"
    undone = "SELECT count(*) FROM undo WHERE state NOT IN ('asked', 'intent')"
    until("it is put back", lambda: ask(seen.vendors.ledger, undone))


def test_keys_are_listed_and_can_be_switched_off(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/") as page:
        press(page, "?")
        assert page.get_by_role("dialog").is_visible()
        assert faults(page) == []
        page.get_by_label("Keys are on").uncheck()
        press(page, "Escape", "g", "a")
        page.wait_for_timeout(200)
        assert page.url == f"{seen.base}/"


CHANGED_AT = """(name) => new Promise(done => {
    const node = document.querySelector(`[data-live="${name}"]`), all = { subtree: true, childList: true };
    new MutationObserver(() => done(Date.now() / 1000)).observe(node, { ...all, characterData: true });
})"""


def test_c12_a_figure_follows_the_ledger_within_two_seconds(chromium: Browser, seen: World) -> None:
    """The middle one of three changes, for this machine has other work, too."""
    took = []
    with opened(chromium, seen, "/syncs") as page:
        until("it is live", lambda: page.locator("#connection").get_attribute("data-state") == "live")
        for act in ("pause", "resume", "pause"):
            page.evaluate(f"void (window.changed = ({CHANGED_AT})('state {seen.sync}'))")
            done = httpx.post(f"{seen.base}/api/{act}", json={"name": seen.sync}, trust_env=False, timeout=30)
            began = time.time()
            assert done.status_code == 200, done.text
            took.append(page.evaluate("window.changed") - began)
        badge = page.locator(f"[data-live='state {seen.sync}'] .state")
        told = badge.get_attribute("class"), badge.inner_text()
        page.reload()
        assert told == (badge.get_attribute("class"), badge.inner_text()), "sign, word and colour are those of the page"
    httpx.post(f"{seen.base}/api/resume", json={"name": seen.sync}, trust_env=False, timeout=30)
    assert sorted(took)[1] < 2.0, took


def test_figures_change_in_place_and_nothing_else_does(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/") as page:
        until("it is live", lambda: page.locator("#connection").get_attribute("data-state") == "live")
        page.evaluate("""() => {
            window.node = document.querySelector('[data-live="written"]');
            window.node.textContent = '?';
            document.querySelector('details').open = true;
            document.querySelector('#search').focus();
            getSelection().selectAllChildren(document.querySelector('#figures'));
            scrollTo(0, 40);
        }""")
        until("the figure is told again", lambda: page.evaluate("window.node.textContent") != "?", within=5)
        assert page.evaluate("window.node === document.querySelector('[data-live=\"written\"]')")
        assert page.evaluate("document.querySelector('details').open && document.activeElement.id === 'search'")
        assert page.evaluate("getSelection().toString()") == "Now"
        assert page.evaluate("scrollY") == 40


def test_a_list_says_that_there_is_more_and_does_not_move(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/review") as page:
        rows = page.locator("tr[data-row]").count()
        page.evaluate("document.querySelector('[data-new]').dataset.base = '0'")
        until("news", lambda: page.locator(".news").is_visible(), within=5)
        assert re.match(r"\d+ new\. Show", page.locator(".news").inner_text())
        assert page.locator("tr[data-row]").count() == rows


def test_c14_no_row_moves_and_nothing_is_said_while_rows_are_picked(chromium: Browser, seen: World) -> None:
    places = "[...document.querySelectorAll('tr[data-row]')].map(one => one.getBoundingClientRect().top)"
    with opened(chromium, seen, "/review") as page:
        until("it is live", lambda: page.locator("#connection").get_attribute("data-state") == "live")
        before, news = page.evaluate(places), page.locator(".news")
        picked = page.locator("tr[data-row] input").nth(1)
        picked.check()
        page.evaluate("document.querySelector('[data-new]').dataset.base = '0'")
        told_again(page)
        assert not news.is_visible()
        assert (picked.is_checked(), page.evaluate(places)) == (True, before)
        picked.uncheck()
        until("news", news.is_visible, within=5)
        assert page.evaluate(places) == before, "the room for the news was kept"


@pytest.mark.parametrize("width", WIDTHS.values())
def test_c14_no_row_moves_when_the_page_says_how_old_it_is(chromium: Browser, seen: World, width: int) -> None:
    with opened(chromium, seen, "/review", viewport={"width": width, "height": 800}) as page:
        places = set()
        for words in ("● live", "connecting", "stale, 86400 s old, reconnecting"):
            page.evaluate(f"document.querySelector('#connection').firstChild.textContent = '{words}'")
            places.add(page.evaluate("document.querySelector('main').getBoundingClientRect().top"))
        assert len(places) == 1


def test_c14_what_is_typed_stays_while_figures_come(chromium: Browser, seen: World) -> None:
    with opened(chromium, seen, "/review") as page:
        field = page.get_by_label("Reason holds")
        field.fill("another profile")
        field.evaluate("one => one.setSelectionRange(2, 7)")
        told_again(page)
        assert field.input_value() == "another profile"
        assert field.evaluate("one => [document.activeElement === one, one.selectionStart, one.selectionEnd]") == [
            True, 2, 7,
        ]  # fmt: skip


def told_again(page: Page) -> None:
    """Until the figures were told once more."""
    page.evaluate("document.querySelector('nav [data-live]').textContent = '?'")
    until("figures", lambda: page.locator("nav [data-live]").inner_text() != "?", within=10)


def test_c13_a_page_says_how_old_it_is_once_the_daemon_is_gone_and_goes_on_with_the_next(
    chromium: Browser, seen: World
) -> None:
    context = chromium.new_context(base_url=seen.base)
    page = context.new_page()
    page.goto("/")
    state = page.locator("#connection")
    until("it is live", lambda: state.get_attribute("data-state") == "live")
    page.evaluate("window.same = true")
    how_old = re.compile(r"stale, \d+ s old, reconnecting")
    ended = seen.restart(lambda: until("it is stale", lambda: how_old.match(state.inner_text()), within=5))
    assert ended == 0, "an open page does not keep it from ending"
    seen.daemon.wait_for("the pages", seen.answers)
    until("it is live again", lambda: state.get_attribute("data-state") == "live", within=5)
    assert page.evaluate("window.same"), "without a reload"
    context.close()
