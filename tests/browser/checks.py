"""What is wrong with a page for somebody's eyes or fingers: axe's rules, and what axe does not look at."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What may be pressed and is smaller than it must be: 44 px for what acts, 24 px for what leads somewhere.
SMALL = """() => [...document.querySelectorAll('a, button, input, select, summary')].filter(one => {
  const box = one.getBoundingClientRect();
  if (!box.width || one.type === 'hidden' || one.closest('.unseen') || one.classList.contains('skip')) return false;
  const acts = one.matches('button:not(.quiet), .button, nav a');
  return box.height + .5 < (acts ? 44 : 24);
}).map(one => `${one.outerHTML.slice(0, 90)} ${one.getBoundingClientRect().height}`)"""
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


def faults(page: Page) -> list[str]:
    """What axe finds wrong."""
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]
