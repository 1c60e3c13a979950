"""Where a ledger is: a file of SQLite's, or a database of PostgreSQL's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_SCHEMES = ("postgresql", "postgres")
_SECRET = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Url:
    """A database, as libpq takes it: `postgresql://user@host,host/database`. A password in it is never shown.
    `replicated`: it is used only while a synchronous standby keeps what it keeps."""

    text: str = field(repr=False)
    replicated: bool = False

    def __str__(self) -> str:
        parts = urlsplit(self.text)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def secrets(self) -> frozenset[str]:
        """What of it nobody may see."""
        parts = urlsplit(self.text)
        word = parts.netloc.rpartition("@")[0].partition(":")[2]
        held = [word, unquote(word), *(value for name, value in parse_qsl(parts.query) if name in _SECRET)]
        return frozenset(filter(None, held))


Place = Path | Url


def is_url(text: str) -> bool:
    """Whether it can name a database."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.path.strip("/"))
