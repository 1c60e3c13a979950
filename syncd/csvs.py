"""CSV for spreadsheets, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9][0-9 .]*")  # also of a phone


def write_csv(out: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A head, and a line for each row."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])


def cell(value: Any) -> str:
    """As text that whoever opens the file takes for text: `=HYPERLINK(…)` is a company's name in some CRM."""
    text = "" if value is None else str(value)
    risky = text[:1] in _BEGINS_A_FORMULA and not _NUMBER.fullmatch(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")  # a bare \r would end a row, for it is not quoted
    return f"'{lines}" if risky else lines


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The same as text; moments (UTC seconds) are written out."""
    text = io.StringIO()
    write_csv(text, columns, ({name: _readable(name, row.get(name)) for name in columns} for row in rows))
    return text.getvalue()


_MOMENTS = {"at", "since", "until", "hold_until", "found_at", "started_at", "ended_at", "received_at"}


def _readable(name: str, value: Any) -> Any:
    if name in _MOMENTS and isinstance(value, float):
        return moment(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def moment(at: float | None) -> str:
    """For machines and spreadsheets."""
    return "" if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
