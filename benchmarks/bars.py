"""What is measured, and what each figure has to reach. Pure: nothing is measured here.

A figure is known by the benchmark's name and its own: `bulk.cpu`. One without a bar is told, and not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Value:
    """A figure as it was measured; `ours` and `other` are what a ratio was made of."""

    value: float
    ours: float | None = None
    other: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit. `least`: the value has to reach it; otherwise it must not be above it."""

    limit: float
    least: bool = False

    def holds(self, value: float) -> bool:
        """Is it reached? What is no number reaches nothing."""
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:g}"


def most(limit: float) -> Bar:
    return Bar(limit)


def least(limit: float) -> Bar:
    return Bar(limit, least=True)


_SHAPES = {"bulk": "one callback a bulk", "each": "a callback for each contact", "zeliq": "Zeliq, two calls a contact"}
_CPU, _CPU_MS = {"bulk": 12, "each": 11, "zeliq": 11}, {"bulk": 600, "each": 1_100, "zeliq": 4_000}
_RATE = {"bulk": 0.2, "each": 0.2, "zeliq": 0.1}

BARS: dict[str, tuple[str, Bar | None]] = {}
for _name, _what in _SHAPES.items():
    BARS |= {
        f"{_name}.cpu": (f"{_what}: CPU ÷ bare script", most(_CPU[_name])),
        f"{_name}.cpu_ms": (f"{_what}: CPU ms for 1,000 contacts (aim: {_CPU_MS[_name]:,})", None),
        f"{_name}.rate": (f"{_what}: contacts/s ÷ bare script", least(_RATE[_name])),
        f"{_name}.file": (f"{_what}: bytes of the ledger for a contact with two fields", most(1_600)),
        f"{_name}.memory": (f"{_what}: highest memory, MB", None),
        f"{_name}.calls": (f"{_what}: CRM calls ÷ bare script", most(1.05) if _name == "bulk" else None),
    }

BARS |= {
    "calls.hubspot_trickle": ("one answer in two seconds: HubSpot's calls for 1,000 contacts (least: 50)", most(110)),
    "calls.salesforce_trickle": (
        "one answer in two seconds: Salesforce's calls for 1,000 contacts (least: 40)",
        most(60),
    ),
    "calls.salesforce_full": ("full batches: Salesforce's calls ÷ the least that are possible", most(1.05)),
    "acks.ratio": ("callbacks acknowledged/s at 64 connections, on disk ÷ not waiting for the disk", least(0.5)),
    "hosts.acks": ("two receivers on PostgreSQL ÷ one on a file: callbacks acknowledged/s", least(0.6)),
    "hosts.standby": ("two receivers on PostgreSQL, with a synchronous standby ÷ without: the same", least(0.7)),
    "hosts.claims": ("jobs claimed/s on PostgreSQL: four processes ÷ one, none twice", least(1.0)),
    "size.page": ("a page of 200 unchanged contacts stored, CPU ms", most(6)),
    "size.start": ("a million contacts ÷ 100,000: CPU of a start until callbacks are taken", most(1.5)),
    "size.first_callback": ("a million contacts: seconds from a start to the first acknowledged callback", most(2)),
}
BARS["pages.slowest"] = ("a million contacts: the slowest page, ms (95 of 100 requests; aim: 10)", most(100))
for _name in (
    "overview", "syncs", "sync", "contacts", "contacts_words", "contacts_state", "contacts_reason", "contact", "review",
    "doubts", "providers", "runs", "budgets", "settings", "pause", "retry", "undo",
):  # fmt: skip
    BARS[f"pages.{_name}"] = (f"a million contacts: the page {_name}, ms", None)
BARS |= {
    "pages.metrics": ("a million contacts: a scrape of /metrics, ms", most(100)),
    "pages.api_status": ("a million contacts: /api/status, ms", most(100)),
    "pages.command": ("a million contacts: `syncd status --json`, seconds of CPU", None),
}
for _name, _what in {
    "upsert": "a page that has not changed",
    "change": "a page that has changed",
    "claim": "choosing whom to ask",
    "decide": "reading what decides on a page",
    "deliver": "storing callbacks",
    "status": "the status",
    "moving": "is there anything to do?",
}.items():
    BARS[f"size.{_name}"] = (f"a million contacts ÷ 100,000: {_what}", most(1.5))
BARS |= {
    "idle.memory": ("idle: memory with one CRM and one provider, MB", most(70)),
    "idle.cpu": ("idle: CPU, % of a core", most(0.5)),
    "idle.help": ("`syncd --help`: seconds of CPU", most(0.3)),
    "idle.start": ("a start: seconds of CPU until callbacks are taken (aim: 0.6)", None),
    "plan.cpu": ("`syncd plan` on 200,000 contacts that are new: seconds of CPU", most(60)),
    "plan.memory": ("`syncd plan` on 200,000 contacts that are new: highest memory, MB", most(300)),
    "people.cpu": ("recognising people: CPU µs for a contact", most(60)),
    "people.memory": ("recognising people: memory of its lists, MB", most(15)),
    "money.bill": ("5,000 people, three months: credits billed ÷ the least that was possible", most(1)),
    "money.differences": ("the same: finds paid otherwise than by a buyer who knows everything", most(0)),
    "money.written": ("the same: values that were written", None),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A figure beside its bar. `value`: None where it was not measured."""

    key: str
    what: str
    value: Value | None
    bar: Bar | None

    @property
    def is_met(self) -> bool:
        """Is the bar reached? One that was not measured is not; a figure without a bar always is."""
        return self.bar is None or (self.value is not None and self.bar.holds(self.value.value))


def lines(values: Mapping[str, Value], names: Iterable[str]) -> list[Line]:
    """All figures of these benchmarks, in their order."""
    wanted = set(names)
    return [
        Line(key, what, values.get(key), bar) for key, (what, bar) in BARS.items() if key.partition(".")[0] in wanted
    ]


def exit_code(told: Iterable[Line]) -> int:
    """0 when every bar is reached."""
    return 0 if all(line.is_met for line in told) else 1


def table(told: Iterable[Line]) -> str:
    """For people: what, the value, its bar, whether it is reached, and what a ratio was made of."""
    rows = [("figure", "what", "value", "bar", "", "of")]
    for line in told:
        found, bar = line.value, "" if line.bar is None else str(line.bar)
        made_of = "" if found is None or found.ours is None else f"{_short(found.ours)} ÷ {_short(found.other)}"
        rows.append((line.key, line.what, _short(None if found is None else found.value), bar, _verdict(line), made_of))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _verdict(line: Line) -> str:
    if line.bar is None:
        return ""
    return "ok" if line.is_met else "MISSED"


def _short(number: float | None) -> str:
    if number is None:
        return "not measured"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
