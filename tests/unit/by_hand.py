"""Rows of a ledger that are put there, and looked at, by hand: for statements whose rows are hard to come by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from syncd.ledger.store import Ledger
from tests.places import place_of

from .audit import sqlite3

NOW = 1_790_000_000.0
DAY = 86_400.0
EMPTY = {"vague": "[]", "opt_out": "{}", "blocked": "{}", "lacks": "[]", "identity": "{}"}  # of a contact


class Where(NamedTuple):
    """A table that holds names. `name`: the column; `key`: what else makes a row the only one, if anything does;
    `fixed`: what all rows hold."""

    table: str
    name: str
    key: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = {}
    is_alone: bool = False  # the name is the whole key


class Tables:
    """A ledger whose rows are put there, and looked at, by hand."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger.open(place_of(path))
        self.raw = sqlite3.connect(path)
        self._n = 100

    def close(self) -> None:
        self.raw.close()
        self.ledger.close()

    def write(self, *args: Any, **values: Any) -> Any:
        return asyncio.run(self.ledger.write(*args, **values))

    def read(self, *args: Any, **values: Any) -> Any:
        return asyncio.run(self.ledger.read(*args, **values))

    def add(self, where: Where, name: object, /, *keys: int, **given: Any) -> None:
        """A row of this name; what must not be empty and is not said, differs from row to row."""
        self._n += 1
        said = {where.name: name, **dict(zip(where.key, keys, strict=True)), **where.fixed, **given}
        values = {}
        for _, column, kind, needed, default, key in self.raw.execute(f"PRAGMA table_info({where.table})"):
            if column in said:
                given_text = kind == "TEXT" and said[column] is not None
                values[column] = str(said[column]) if given_text else said[column]
            elif (needed or key) and default is None:
                values[column] = f"x{self._n}" if kind == "TEXT" else b"" if kind == "BLOB" else self._n
        marks = ", ".join("?" * len(values))
        self.raw.execute(f"INSERT INTO {where.table} ({', '.join(values)}) VALUES ({marks})", [*values.values()])
        self.raw.commit()

    def rows(self, where: Where, wanted: Iterable[str] = ()) -> dict[Any, list[tuple[Any, ...]]]:
        """By name: what the rows hold beside it."""
        info = [row[1] for row in self.raw.execute(f"PRAGMA table_info({where.table})")]
        columns = [*wanted] or [column for column in info if column != where.name]
        found: dict[Any, list[tuple[Any, ...]]] = {}
        for name, *rest in self.raw.execute(f"SELECT {', '.join([where.name, *columns])} FROM {where.table}"):
            found.setdefault(name, []).append(tuple(rest))
        return {name: sorted(rows) for name, rows in found.items()}
