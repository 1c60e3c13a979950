"""Where in the file something stands, for whoever finds out later that it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .document import Where, spell


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of a file's values, and those values as they are written, secrets masked."""

    file: str = ""
    lines: Mapping[Where, int] = field(default_factory=dict)
    written: Mapping[Where, str] = field(default_factory=dict, repr=False)

    def of(self, *where: str | int) -> str:
        """`config.yaml:17: syncs[0].fields.email`; of what is not written, the line of what it would stand in."""
        known: Where = where
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {spell(where)}" if self.file else spell(where)


MASK = "•••"
_REFERENCE = re.compile(r"\$\{[^}]*\}")


def as_written(
    value: Any, hidden: Collection[str], is_secret: Callable[[str], bool], where: Where = ()
) -> Iterator[tuple[Where, str]]:
    """Every single value of a file as its text; in place of what is secret, by its value or by its key, a mask.
    References (`${NAME}`) are no secrets."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from as_written(item, hidden, is_secret, (*where, str(key)))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from as_written(item, hidden, is_secret, (*where, number))
    else:
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        key = next((step for step in reversed(where) if isinstance(step, str)), "")
        clear = _REFERENCE.sub("", text)
        secret = any(one in clear for one in hidden if one) or (clear and is_secret(key))
        yield where, MASK if secret and key not in _POINTERS else text


_POINTERS = {"file", "credential"}  # they name where a secret is
