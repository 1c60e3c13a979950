"""Charts as SVG, made by the server. Each says what it shows (`title`) and what is to be seen in it (`desc`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from markupsafe import Markup

_numbers = count()
WIDTH, HEIGHT, FOOT = 640, 130, 18


def _svg(title: str, finding: str, inside: Markup, *, width: float, height: float, kind: str) -> Markup:
    number = next(_numbers)
    return Markup(
        '<svg class="chart {kind}" role="img" viewBox="0 0 {width:g} {height:g}" aria-labelledby="t{n} d{n}">'
        '<title id="t{n}">{title}</title><desc id="d{n}">{finding}</desc>{inside}</svg>'
    ).format(kind=kind, width=width, height=height, n=number, title=title, finding=finding, inside=inside)


def bars(title: str, finding: str, values: Sequence[tuple[str, float]]) -> Markup:
    """A bar for each value, with the label of every few."""
    most = max((value for _, value in values), default=0) or 1
    step = WIDTH / max(1, len(values))
    every = max(1, round(len(values) / 6))
    found = Markup()
    for place, (label, value) in enumerate(values):
        high = (HEIGHT - FOOT - 14) * value / most
        found += Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            place * step + 1, HEIGHT - FOOT - high, max(1.0, step - 2), high
        )
        if place % every == 0:
            found += Markup('<text x="{:.1f}" y="{}">{}</text>').format(place * step + 1, HEIGHT - 4, label)
    scale = Markup('<text x="0" y="11">{:,.10g}</text><path class="axis" d="M0 {y}H{w}"/>').format(
        most, y=HEIGHT - FOOT, w=WIDTH
    )
    return _svg(title, finding, scale + found, width=WIDTH, height=HEIGHT, kind="bars")


def beats(title: str, finding: str, values: Sequence[tuple[float, bool]]) -> Markup:
    """The last runs, one bar each: how much, and whether it failed (a full bar with a gap at its foot)."""
    most = max((value for value, _ in values), default=0) or 1
    found = Markup()
    for place, (value, failed) in enumerate(values):
        high = 20.0 if failed else max(2.0, 20 * value / most)
        found += Markup('<rect class="{}" x="{}" y="{:.1f}" width="3" height="{:.1f}"/>').format(
            "failed" if failed else "bar", place * 4, 20 - high, high - (4 if failed else 0)
        )
    return _svg(title, finding, found, width=200, height=20, kind="beats")


def meter(
    title: str, finding: str, part: float, whole: float, *, low: float | None = None, high: float | None = None
) -> Markup:
    """How much of a whole; `low` and `high` are the ends of an interval."""
    share = min(1.0, part / whole) if whole else 0.0
    found = Markup('<rect class="rest" width="120" height="12"/><rect class="bar" width="{:.1f}" height="12"/>').format(
        120 * share
    )
    if low is not None and high is not None:
        found += Markup('<path class="axis" d="M{:.1f} 6H{:.1f}"/>').format(120 * low, 120 * high)
    return _svg(title, finding, found, width=120, height=12, kind="meter")
