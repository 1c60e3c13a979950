"""What is wrong with a page for somebody's eyes or fingers: axe's rules, and what axe does not look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from .world import WIDTHS, World

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What may be pressed and is smaller than it must be: 44 px for what acts, 24 px for what leads somewhere.
SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(one => {
  const box = one.getBoundingClientRect();
  if (!box.width || one.type === 'hidden' || one.closest('.unseen') || one.classList.contains('skip')) return false;
  const acts = one.matches('button:not(.quiet), .button, nav a');
  return box.height + .5 < (acts ? 44 : 24);
}).map(one => `${one.outerHTML.slice(0, 90)} ${one.getBoundingClientRect().height}`)"""
# Tables of which a part is out of sight, and which nobody can scroll by keys.
CUT = """() => [...document.querySelectorAll('.wide:not([tabindex])')]
  .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.querySelector('caption').textContent)"""
# Every text whose contrast with what is behind it is below AA: axe is not sure of single signs, and of what overlaps.
PALE = r"""() => {
  const linear = (n) => n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const found = parts(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const hasText = (one) => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  const contrast = (one) => {
    const style = getComputedStyle(one), colour = one.matches('text') ? style.fill : style.color;
    const [a, b] = [light(parts(colour)), light(behind(one))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  };
  return [...document.body.querySelectorAll('*')].filter(one => one.getClientRects().length && hasText(one))
    .map(one => [contrast(one), one.outerHTML.slice(0, 100)]).filter(([ratio]) => ratio < 4.5);
}"""


@contextmanager
def opened(browser: Browser, world: World, path: str, **wishes: Any) -> Iterator[Page]:
    """A page, which has said nothing on the console and asked nobody else when it is closed."""
    said: list[str] = []
    asked: list[str] = []
    context = browser.new_context(base_url=world.base, **{"viewport": {"width": 1280, "height": 900}, **wishes})
    page = context.new_page()
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))
    page.on("request", lambda one: asked.append(one.url))
    try:
        page.goto(path)
        yield page
        assert said == []
        assert [url for url in asked if not url.startswith(world.base)] == []
    finally:
        context.close()


everywhere = False


def assert_readable(page: Page, name: str) -> None:
    """At every width, light and dark: contrast, nothing to scroll sideways, axe; at 320 px, too; nothing too small.

    axe takes a second for a page: it looks at each theme at each width in `make browser`, and else where they differ.
    """
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(PALE) == [], f"{name} {width} {scheme}"
            if everywhere or (scheme == "light" and width != WIDTHS["tablet"]):
                assert faults(page) == [], f"{name} {width} {scheme}"
        assert page.evaluate("document.documentElement.scrollWidth") == width, f"{name} scrolls sideways at {width}"
        assert page.evaluate(CUT) == [], f"{name} hides something at {width}"
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320, f"{name} scrolls sideways at 320"
    assert page.evaluate(SMALL) == []


def faults(page: Page) -> list[str]:
    """What axe finds wrong."""
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]
