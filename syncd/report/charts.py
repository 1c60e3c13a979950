"""The report's charts as SVG, each with a title, a sentence that tells the finding, and a table of the same numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

WIDTH, ROW, LABEL, TOP = 640, 28, 190, 24
HEIGHT = 180  # of a chart whose axis is the time
SHADES = (
    "#1b4965",
    "#ca6702",
    "#5fa8d3",
    "#9b2226",
    "#94a684",
)  # dark and light in turn: told apart in grey print, too


@dataclass(frozen=True, slots=True)
class Chart:
    """`svg` draws what `rows` tell; `finding` is the sentence that a reader takes away."""

    title: str
    finding: str
    svg: Element
    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


def charts(report: Mapping[str, Any]) -> list[Chart]:
    """Those for which there is something to draw."""
    made = (_shares(report["league"]), _costs(report["league"]), _days(report["days"]))
    return [chart for chart in made if chart is not None]


def _shares(league: Sequence[Mapping[str, Any]]) -> Chart | None:
    lines = [one for one in league if one["first_interval"] is not None]
    if not lines:
        return None
    title, finding = "Found, of those asked first", _best(lines)
    svg = _canvas(title, finding, TOP + ROW * len(lines), "shares")
    for n, one in enumerate(lines):
        y = TOP + ROW * n
        low, high = one["first_interval"]
        _label(svg, _name(one), y)
        _line(svg, (_x(low), y), (_x(high), y), width=2)
        SubElement(svg, "circle", cx=f"{_x(one['first_share']):.1f}", cy=str(y), r="5", fill=SHADES[0])
        _text(svg, percent(one["first_share"]), min(_x(high) + 8, WIDTH - 40), y + 4)
    rows = [
        [_name(one), one["first_asked"], percent(one["first_share"]), between(one["first_interval"])] for one in lines
    ]
    return Chart(title, finding, svg, ("provider", "asked first", "found", "95 % interval"), rows)


def _best(lines: Sequence[Mapping[str, Any]]) -> str:
    """Who leads, and whether that may be chance."""
    told = []
    for field, group in itertools.groupby(lines, key=lambda one: one["field"]):
        ranked = [one for one in group if one["rank"] is not None]
        if not ranked:
            told.append(f"{field}: too few were asked to say who finds most.")
        elif len(ranked) == 1:
            told.append(f"{field}: {ranked[0]['provider']} finds {percent(ranked[0]['first_share'])}.")
        else:
            first, second = ranked[0], ranked[1]
            chance = first["first_interval"][0] <= second["first_interval"][1]
            words = "which may be chance" if chance else "which is more than chance"
            shares = f"{percent(first['first_share'])} against {percent(second['first_share'])}"
            told.append(f"{field}: {first['provider']} finds more than {second['provider']}, {shares}, {words}.")
    return " ".join(told)


def _costs(league: Sequence[Mapping[str, Any]]) -> Chart | None:
    lines = sorted((one for one in league if one["credits_per_verified"]), key=lambda one: one["credits_per_verified"])
    if not lines:
        return None
    title = "What a verified value costs"
    finding = " ".join(_cheapest(field, [one for one in lines if one["field"] == field]) for field in _fields(lines))
    svg = _canvas(title, finding, TOP + ROW * len(lines), "costs")
    for n, one in enumerate(lines):
        y, right = TOP + ROW * n, _x(0.85 * one["credits_per_verified"] / lines[-1]["credits_per_verified"])
        _label(svg, _name(one), y)
        SubElement(svg, "rect", x=str(LABEL), y=str(y - 8), width=f"{right - LABEL:.1f}", height="16", fill=SHADES[0])
        _text(svg, f"{one['credits_per_verified']:.2f}", right + 6, y + 4)
    rows = [[_name(one), one["verified"], f"{one['credits_per_verified']:.2f}"] for one in lines]
    return Chart(title, finding, svg, ("provider", "verified", "credits a verified value"), rows)


def _fields(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({one["field"] for one in lines})


def _cheapest(field: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """`lines`: of one field, the cheapest first."""
    told = f"{field}: {lines[0]['provider']} costs {lines[0]['credits_per_verified']:.2f} credits a verified value"
    others = ", ".join(f"{one['provider']} {one['credits_per_verified']:.2f}" for one in lines[1:])
    return f"{told}, {others}." if others else f"{told}."


def _days(days: Sequence[Mapping[str, Any]]) -> Chart | None:
    spent = [one for one in days if one["credits"]]
    if not spent:
        return None
    names = sorted({one["provider"] for one in spent})
    by_day = {
        day: {one["provider"]: one["credits"] for one in of_one}
        for day, of_one in itertools.groupby(spent, key=lambda one: one["day"])
    }
    totals = {day: sum(took.values()) for day, took in by_day.items()}
    most = max(totals, key=lambda day: totals[day])
    title = "Credits by day"
    days_ = f"{len(totals)} day{'s' * (len(totals) > 1)} with calls"
    finding = f"{sum(totals.values()):g} credits on {days_}; the most, {totals[most]:g}, on {most}."
    svg = _canvas(title, finding, HEIGHT + TOP * 2, "days")
    _bars(svg, by_day, names, totals[most])
    for n, name in enumerate(names):
        SubElement(svg, "rect", x=str(10 + n * 130), y="4", width="12", height="12", fill=SHADES[n % len(SHADES)])
        _text(svg, name, 28 + n * 130, 14)
    rows = [[day, *(took.get(name, 0) for name in names), totals[day]] for day, took in by_day.items()]
    return Chart(title, finding, svg, ("day", *names, "credits"), rows)


def _bars(svg: Element, by_day: Mapping[str, Mapping[str, float]], names: Sequence[str], most: float) -> None:
    """A column for each day, the providers above one another."""
    step = (WIDTH - 20) / len(by_day)
    for n, took in enumerate(by_day.values()):
        bottom = float(TOP + HEIGHT)
        for name, shade in zip(names, itertools.cycle(SHADES), strict=False):
            height = HEIGHT * took.get(name, 0) / most
            bottom -= height
            place = {"x": f"{10 + n * step:.1f}", "y": f"{bottom:.1f}", "width": f"{step * 0.8:.1f}"}
            SubElement(svg, "rect", {**place, "height": f"{height:.1f}", "fill": shade})
    first, last = min(by_day), max(by_day)
    _text(svg, first, 10, HEIGHT + TOP * 2 - 4)
    if last != first:
        _text(svg, last, WIDTH - 90, HEIGHT + TOP * 2 - 4)


def percent(share: float | None) -> str:
    """Such as 61 %; a dash where nothing can be said."""
    return "-" if share is None else f"{share:.0%}".replace("%", " %")


def between(interval: Iterable[float] | None) -> str:
    """Such as 55-67 %."""
    return "-" if interval is None else "-".join(f"{100 * end:.0f}" for end in interval) + " %"


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['field']}: {one['provider']}"


def _x(share: float) -> float:
    """Where a share of the whole width stands."""
    return LABEL + share * (WIDTH - LABEL - 50)


def _canvas(title: str, finding: str, height: int, key: str) -> Element:
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "aria-labelledby": f"{key}-title {key}-desc"}
    svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box})
    SubElement(svg, "title", id=f"{key}-title").text = title
    SubElement(svg, "desc", id=f"{key}-desc").text = finding
    return svg


def _label(svg: Element, text: str, y: int) -> None:
    _text(svg, text, 0, y + 4)


def _text(svg: Element, text: str, x: float, y: float) -> None:
    SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "font-size": "13", "fill": "currentColor"}).text = text


def _line(svg: Element, start: tuple[float, float], end: tuple[float, float], *, width: int) -> None:
    ends = {"x1": f"{start[0]:.1f}", "y1": f"{start[1]:.1f}", "x2": f"{end[0]:.1f}", "y2": f"{end[1]:.1f}"}
    SubElement(svg, "line", {**ends, "stroke": SHADES[0], "stroke-width": str(width)})
