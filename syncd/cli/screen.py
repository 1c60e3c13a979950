"""`syncd status --watch` as lines of text that fit a terminal: pure, from one look at the ledger.

Three widths have layouts of their own, at 60, 80 and 120 columns; what does not fit is left out by its worth.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from syncd.ledger import budgets
from syncd.observe.summary import needs_you
from syncd.words import STANDINGS, TERMINAL, Colour, Standing

HELP = ("q  quit", "p  pause: the figures stand still; p again goes on", "?  this help", "")
WORDS = 23  # cells for a sign and its word
BAR = 10  # cells
LABEL = 8  # cells of the word before a line


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is to be shown. `status` as `observe.status.summarised` makes it, and when that was: `looked` in UTC seconds
    by syncd's clock, `moment` by this process's monotonic one, for its age.

    `today`: by sync, what `report` counts since the day began. `limits` and `lately` as `glances` tells them.
    `trouble`: why the last look failed.
    """

    name: str
    mode: str
    status: Mapping[str, Any]
    today: Mapping[str, Mapping[str, Any]]
    limits: Mapping[str, Mapping[str, Any]]
    lately: Sequence[Mapping[str, Any]]
    next_pulls: Mapping[str, float | None]
    looked: float
    moment: float
    page: str
    paused: bool = False
    help: bool = False
    trouble: str = ""


def lines(view: View, columns: int, rows: int, moment: float) -> list[Text]:
    """Exactly `rows` lines of at most `columns` cells: head, syncs, money, what needs somebody, and the keys below."""
    head = [*_head(view, columns, moment - view.moment), Text()]
    body = list(_help(columns) if view.help else _body(view, columns))
    room = max(0, rows - len(head) - 1)
    if len(body) > room:
        body = [*body[: max(0, room - 1)], Text(f"… {len(body) - room + 1} more lines: syncd status")][:room]
    body += [Text()] * (room - len(body))
    shown = [*head[: rows - 1], *body, _keys(view, columns)]
    return [_fit(one, columns) for one in shown][:rows]


def plain(view: View, columns: int) -> str:
    """The same without a screen: as many lines as it takes, no keys."""
    shown = [*_head(view, columns, 0.0), Text(), *_body(view, columns)]
    return "\n".join(_fit(one, columns).plain.rstrip() for one in shown) + "\n"


def _head(view: View, columns: int, age: float) -> Iterator[Text]:
    stamp = f"{time.strftime('%H:%M:%S', time.gmtime(view.looked))} UTC"
    right = f"{stamp} · paused" if view.paused else f"{stamp} · {age:.0f} s old" if columns >= 60 else stamp
    left = f"syncd · {view.name} · {view.mode}"
    gap = max(1, columns - cell_len(left) - cell_len(right))
    yield Text.assemble((left, "bold"), " " * gap, right)
    yield from (Text(one, style="bold") for one in _wrapped(view.status["sentence"], columns))
    if not view.status["running"]:
        seen = view.status["looked_at"]
        since = f"last seen {_ago(view.looked - seen)} ago, and so it stood then" if seen else "it has not run yet"
        sign = STANDINGS[Standing.STOPPED]
        yield Text(f"{sign.sign} no daemon runs: {since}", style=TERMINAL[sign.colour])
        yield Text("  → systemctl status syncd, or: syncd run")
    if view.trouble:
        yield Text(f"✕ {view.trouble}", style=TERMINAL[Colour.BAD])


def _help(columns: int) -> Iterator[Text]:
    yield from (Text(one) for one in HELP)
    for one in STANDINGS.values():
        first, *more = _wrapped(one.meaning, columns - WORDS)
        yield Text.assemble((f"{one.marked:<{WORDS}}", TERMINAL[one.colour]), first)
        yield from (Text(" " * WORDS + part) for part in more)


def _body(view: View, columns: int) -> Iterator[Text]:
    yield from _syncs(view, columns)
    yield Text()
    yield from _gates(view, columns)
    yield from _money(view.status, columns)
    yield from _last(view, columns)
    yield from _needs(view.status, columns)


# --- syncs ----------------------------------------------------------------------------------------


def _syncs(view: View, columns: int) -> Iterator[Text]:
    """Name and state always; from 80 columns on when it goes on, what is under way and spent; from 120 on all."""
    syncs: Mapping[str, Mapping[str, Any]] = view.status["syncs"]
    heads = ["NEXT", "UNDER WAY", "CREDITS TODAY"] if columns >= 80 else []
    heads[2:2] = ["FOUND", "WRITTEN"] if columns >= 120 else []
    name = min(max([len("SYNC"), *map(cell_len, syncs)]), 24 if columns < 80 else 32)
    state = max(cell_len(f"{one.marked} 9,999") for one in STANDINGS.values())
    yield Text(_row(("SYNC", name), ("STATE", state), heads, heads).rstrip(), style="bold")
    for sync, one in syncs.items():
        shown = STANDINGS[Standing(one["state"])]
        word = shown.marked + (f" {one['waiting']:,}" if one["state"] == Standing.FOR_YOU else "")
        line = Text(_row((sync, name), (word, state), heads, [_cell(view, sync, head) for head in heads]))
        line.stylize(TERMINAL[shown.colour], name + 2, name + 2 + state)
        yield line
        if one["why"] and not any(one["why"].endswith(told["why"]) for told in view.status["conditions"]):
            yield from (Text(f"  {part}") for part in _wrapped(one["why"], columns - 2))


def _row(name: tuple[str, int], state: tuple[str, int], heads: Sequence[str], cells: Sequence[str]) -> str:
    """A name and a state, each with its width, and cells under their heads."""
    numbers = "".join(f"  {cell:>{len(head)}}" for head, cell in zip(heads, cells, strict=True))
    return f"{set_cell_size(*name)}  {set_cell_size(*state)}{numbers}"


def _cell(view: View, sync: str, head: str) -> str:
    today = view.today.get(sync, {})
    match head:
        case "NEXT":
            at = view.next_pulls.get(sync)
            return "—" if at is None else _clock(at)
        case "UNDER WAY":
            return f"{view.status['syncs'][sync]['moving']:,}"
        case "FOUND":
            return f"{100 * today['found'] / today['asked']:.0f} %" if today.get("asked") else "—"
        case "WRITTEN":
            return f"{today.get('written', 0):,}"
        case _:
            return f"{today.get('credits', 0):,.10g}"


# --- limits, and what was written last -----------------------------------------------------------


def _gates(view: View, columns: int) -> Iterator[Text]:
    """How much of each vendor's limit is used, and who wants no call now: in as many lines as it takes."""
    told = [f"{name} {_limit(one)}" for name, one in view.limits.items()]
    lines = [""]
    for one in told:
        longer = f"{lines[-1]}   {one}" if lines[-1] else one
        if lines[-1] and cell_len(longer) > columns - LABEL:
            lines.append(one)
        else:
            lines[-1] = longer
    yield from _labelled("GATES", filter(None, lines))


def _limit(one: Mapping[str, Any]) -> str:
    if one["trouble"]:
        return f"halted ({one['trouble']})"
    if one["until"]:
        return f"no call before {_clock(one['until'])}"
    if "limit" not in one:
        return "ok"
    return f"{100 * one['used'] / one['limit']:.0f} % of {one['limit']:,}/{_span(one['seconds'])}"


def _span(seconds: float) -> str:
    usual = {1.0: "s", 60.0: "min", 3_600.0: "h", 86_400.0: "day"}
    return usual.get(seconds, f"{seconds:g} s")


def _last(view: View, columns: int) -> Iterator[Text]:
    """What was written last; where it is narrow, the newest only."""
    yield from _labelled("LAST", (_written(one) for one in view.lately[: 1 if columns < 80 else None]))


def _written(one: Mapping[str, Any]) -> str:
    by = f" ({one['provider']})" if one["provider"] else ""
    return f"{_clock(one['at'])} written  {one['name']} {one['field']}{by}"


def _labelled(label: str, lines: Iterable[str]) -> Iterator[Text]:
    """Lines one below the other, the first of them behind a word."""
    for number, line in enumerate(lines):
        yield Text(f"{label if not number else '':<{LABEL}}{line}")


def _clock(at: float) -> str:
    return time.strftime("%H:%M", time.gmtime(at))


# --- money, and what needs somebody ---------------------------------------------------------------


def _money(status: Mapping[str, Any], columns: int) -> Iterator[Text]:
    """One line where it is narrow; else a bar for each budget, and for how long each balance lasts."""
    balances = {name: one for name, one in status["balances"].items() if one["balance"] is not None}
    if columns < 80:
        first = [f"{one['budget']} {one['used']:g}/{one['cap']:g}" for one in status["budgets"][:1]]
        told = "   ".join([*first, *(f"{name} {one['balance']:,g}" for name, one in balances.items())])
        yield from _labelled("MONEY", filter(None, [told]))
        return
    for one in status["budgets"]:
        style = TERMINAL[Colour.YOU] if one["reached"] else ""
        words = budgets.in_words(one).partition(":")[0]  # the rest stands among the conditions
        yield Text(f"BUDGET  {one['budget']} {_bar(one['used'], one['cap'])} {words}", style=style)
    if balances:
        yield Text(f"LEFT    {'   '.join(f'{name} {_lasts(one)}' for name, one in balances.items())}")


def _bar(used: float, cap: float) -> str:
    full = round(BAR * min(1.0, used / cap)) if cap else BAR
    return f"▕{'█' * full}{'░' * (BAR - full)}▏"


def _lasts(one: Mapping[str, Any]) -> str:
    days = next((days for days in one["days"].values() if days is not None), None)
    return f"{one['balance']:,g}" + ("" if days is None else f" ≈ {days:,.0f} d")


def _needs(status: Mapping[str, Any], columns: int) -> Iterator[Text]:
    """What a person has to end first, then what goes on by itself."""
    wanted = needs_you(status["conditions"])
    passing = [one for one in status["conditions"] if one not in wanted]
    for title, sign, found in (("NEEDS YOU", "▲", wanted), ("GOES ON BY ITSELF", "◆", passing)):
        if found:
            yield Text()
            yield Text(title, style="bold")
        for one in found:
            mark, colour = ("✕", Colour.BAD) if sign == "▲" and one["blocks"] else (sign, _COLOURS[sign])
            first, *more = _wrapped(f"{one['who']} {one['what']}: {one['why']}", columns - 2)
            yield Text.assemble((mark, TERMINAL[colour]), f" {first}")
            yield from (Text(f"  {part}") for part in more)
            yield from (Text(f"  {part}") for part in _wrapped(f"→ {one['cure']}", columns - 2) if one["cure"])


_COLOURS = {"▲": Colour.YOU, "◆": Colour.VENDOR}


def _keys(view: View, columns: int) -> Text:
    left = "q quit  p go on  ? help" if view.paused else "q quit  p pause  ? help"
    page = f"page: {view.page}"
    gap = columns - cell_len(left) - cell_len(page)
    return Text(left + (" " * gap + page if view.page and gap >= 2 else ""), style="bold")


def _wrapped(text: str, columns: int) -> list[str]:
    """At blanks; a word that is longer than a line is cut."""
    parts = [""]
    for word in text.split():
        longer = f"{parts[-1]} {word}".strip()
        if cell_len(longer) <= columns or not parts[-1]:
            parts[-1] = longer
        else:
            parts.append(word)
    return parts


def _fit(line: Text, columns: int) -> Text:
    """Cut at the edge, with a sign that something is missing."""
    line.truncate(columns, overflow="ellipsis")
    line.no_wrap = True
    return line


def _ago(seconds: float) -> str:
    for length, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
