"""The report as one page of HTML that needs nothing else: it can be mailed, printed, kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from .charts import charts
from .texts import FIGURES, LEAGUE, NOTES, league_row, row_of

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
.wide { overflow-x: auto } svg { max-width: 100%; height: auto }
table { border-collapse: collapse; margin: .5rem 0 2rem }
caption { text-align: left; font-weight: 600 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; white-space: nowrap }
td { font-variant-numeric: tabular-nums }
@media print { details > * { display: block } }
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    root = Element("html", lang="en")
    head = SubElement(root, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width")
    title = f"syncd: {report['since']} to {report['until']}"
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE
    _fill(SubElement(root, "body"), report, title)
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _fill(body: Element, report: Mapping[str, Any], title: str) -> None:
    SubElement(body, "h1").text = title
    if not report["rows"]:
        SubElement(body, "p").text = "Nothing was asked or written in these days."
        return
    heads = [*report["by"], *FIGURES]
    rows = [[*(one[name] for name in report["by"]), *row_of(one)] for one in report["rows"]]
    _table(body, "What became of what was asked", heads, rows)
    _table(body, "Providers, by what they found of those asked first", LEAGUE, map(league_row, report["league"]))
    for note in NOTES:
        SubElement(body, "p").text = note
    for chart in charts(report):
        SubElement(body, "h2").text = chart.title
        SubElement(body, "p").text = chart.finding
        body.append(chart.svg)
        _table(body, f"{chart.title}: the same numbers", chart.heads, chart.rows)


def _table(body: Element, caption: str, heads: Sequence[str], rows: Any) -> None:
    table = SubElement(SubElement(body, "div", {"class": "wide"}), "table")
    SubElement(table, "caption").text = caption
    line = SubElement(SubElement(table, "thead"), "tr")
    for head in heads:
        SubElement(line, "th", scope="col").text = head
    held = SubElement(table, "tbody")
    for row in rows:
        line = SubElement(held, "tr")
        for cell in row:
            SubElement(line, "td").text = "" if cell is None else str(cell)
