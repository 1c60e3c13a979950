"""CSV for spreadsheets, in which no cell is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO


def write_csv(out: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A head, and a line for each row."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[name]) for name in columns])


def cell(value: Any) -> str:
    """As text that whoever opens the file takes for text: `=HYPERLINK(…)` is a company's name in some CRM."""
    text = "" if value is None else str(value)
    risky = text[:1] in "=@\t\r" if text else False
    return f"'{text}" if risky or (text[:1] in ("+", "-") and not text[1:2].isdigit()) else text
