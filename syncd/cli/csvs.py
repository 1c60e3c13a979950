"""CSV for spreadsheets, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
import re
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
