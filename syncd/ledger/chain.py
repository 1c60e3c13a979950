"""The schema's versions: `schema.sql` is the first, each file in `changes/` makes the next one of it.

A ledger knows which version it has, and which one a program must know to use it. In between, older and newer programs
work with it at the same time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .dialect import read

_FILE = re.compile(r"(\d{4})_\w+\.sql")
_NEEDS = re.compile(r"^-- needs: (\d+)$", re.MULTILINE)
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+)")


@dataclass(frozen=True, slots=True)
class Change:
    """One version of the schema. `needs`: the oldest version that a program must know to use a ledger of this one.
    `text`: SQLite's statements that make it."""

    number: int
    name: str
    needs: int
    text: str

    @property
    def index(self) -> str | None:
        """The name of the index, where that is all it makes: it can be built beside others who write."""
        found = _INDEX.match(re.sub(r"--.*\n", "", self.text).lstrip())
        return found[1] if found else None


@cache
def changes() -> tuple[Change, ...]:
    """All that this program knows, in their order."""
    found = [Change(1, "first_schema", 1, read("schema.sql"))]
    folder = resources.files("syncd.ledger").joinpath("changes")
    for name in sorted(one.name for one in folder.iterdir() if _FILE.fullmatch(one.name)):
        text = folder.joinpath(name).read_text("utf-8")
        needs = _NEEDS.search(text)
        found.append(
            Change(len(found) + 1, name.removesuffix(".sql"), int(needs[1]) if needs else found[-1].needs, text)
        )
    return tuple(found)


def newest() -> int:
    """The version that this program knows and makes."""
    return changes()[-1].number
