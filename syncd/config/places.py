"""Where in the file something stands, for whoever finds out later that it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .document import Where, spell


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of a file's values."""

    file: str = ""
    lines: Mapping[Where, int] = field(default_factory=dict)

    def of(self, *where: str | int) -> str:
        """`config.yaml:17: syncs[0].fields.email`; of what is not written, the line of what it would stand in."""
        known: Where = where
        while known and known not in self.lines:
            known = known[:-1]
        return f"{self.file}:{self.lines.get(known, 1)}: {spell(where)}" if self.file else spell(where)
