"""Results of bulk jobs, which are CSV, as records like those that a query gives. Pure.

Null is an empty cell, a parent's field a column `Account.Name`, a moment ends in Z, and all of it is UTF-8,
whatever the charset is said to be. What is not exactly so is refused as a whole: who fetches it is `bulk`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from .records import Lens, Record

_UNFIT = {"address", "location", "base64"}  # Salesforce: compound fields and blobs can't be queried in bulk


class Unreadable(ValueError):
    """These are no results of our query. The message says why, without any value."""


def unfit(lens: Lens) -> list[str]:
    """The columns of a pull that Salesforce gives to no bulk job."""
    return [name for name in lens.columns() if _type(lens, name) in _UNFIT]


class Table:
    """One set of results. Kept as it came, since it may be long: each reading parses it anew."""

    def __init__(self, raw: bytes, lens: Lens) -> None:
        self._raw, self._lens = raw, lens

    def size(self) -> int:
        """How many records there are. Raises Unreadable if any of them, or their columns, are not as asked."""
        lines = self._lines()
        width = len(self._columns(next(lines, [])))
        size = 0
        for line in lines:
            size += 1
            if len(line) != width:
                raise Unreadable(f"line {size} has {len(line)} cells instead of {width}")
        return size

    def records(self) -> Iterator[Record]:
        """All of them, one after the other. Raises Unreadable."""
        lines = self._lines()
        columns = [(name.rpartition("."), _type(self._lens, name)) for name in self._columns(next(lines, []))]
        for line in lines:
            record: dict[str, Any] = {}
            for ((parent, _, name), kind), cell in zip(columns, line, strict=True):
                inner = record.setdefault(parent, {}) if parent else record
                inner[name] = _value(kind, cell)
            yield record

    def _lines(self) -> Iterator[list[str]]:
        try:
            yield from csv.reader(io.TextIOWrapper(io.BytesIO(self._raw), "utf-8-sig", newline=""), strict=True)
        except csv.Error as error:
            raise Unreadable(f"no CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise Unreadable(f"no UTF-8: {error.reason}") from error

    def _columns(self, header: Sequence[str]) -> list[str]:
        """The header in the words of our query; its order is Salesforce's affair."""
        asked = {name.casefold(): name for name in self._lens.columns()}
        if sorted(name.casefold() for name in header) != sorted(asked):
            raise Unreadable("other columns than we asked for")
        return [asked[name.casefold()] for name in header]


def _type(lens: Lens, name: str) -> object:
    return lens.catalogue.fields.get(name, {}).get("type")


def _value(kind: object, cell: str) -> str | bool | None:
    if kind == "boolean":
        return cell == "true"
    if kind == "datetime" and cell.endswith("Z"):  # as queries write it: revisions are compared as text
        return f"{cell[:-1]}+0000"
    return cell or None
