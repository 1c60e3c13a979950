"""Single values as people write them: durations, addresses, URLs, names, schedules.

Each is a type for pydantic whose ValueError says what to write instead, without repeating the
value. What the values are for is not known here.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema

from .cron import CronLine

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w))+\s*")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
MOST_SECONDS = 100 * 365 * 86_400.0
MOST_BYTES = 2**62


class Address(NamedTuple):
    """Where a listener listens. Port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Is this a name or address of this very machine?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KkMmGgTt]?i?[Bb])")
_BYTES = {
    unit: 1024**power for power, letter in enumerate(" kmgt") for unit in (f"{letter}b".strip(), f"{letter}ib".strip())
}
_BYTES |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}


def seconds(raw: Any) -> float:
    """Read `90s`, `15m`, `2h30m`, `30d`, `0` as seconds; raises ValueError."""
    if isinstance(raw, str) and _DURATION.fullmatch(raw):
        found = float(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(raw)))
        if found > MOST_SECONDS:
            raise ValueError("is longer than a hundred years; write a shorter one")
        return found
    if raw == 0 and not isinstance(raw, bool):
        return 0.0
    raise ValueError("is no duration; write a number with its unit, such as 90s, 15m, 2h30m, 30d")


def size(raw: Any) -> int:
    """Read `64MiB`, `1GiB`, `500KB`, `0` as bytes; raises ValueError."""
    found = _SIZE.fullmatch(raw) if isinstance(raw, str) else None
    if found is not None:
        bytes_ = float(found[1]) * _BYTES[found[2].lower()]
        if bytes_ > MOST_BYTES:
            raise ValueError("is larger than any disk; write a smaller one")
        return int(bytes_)
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= MOST_BYTES:
        return raw
    raise ValueError("is no size; write a number with its unit, such as 64MiB, 1GiB")


def address(raw: Any) -> Address:
    """Read `host:port` or `[v6]:port`; raises ValueError."""
    if isinstance(raw, Address):
        return raw
    found = _ADDRESS.fullmatch(raw) if isinstance(raw, str) and raw.isascii() else None
    if found is None or int(found["port"]) > 65535:
        raise ValueError("is no address to listen on; write host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(found["v6"] or found["host"], int(found["port"]))


def safe_url(raw: str) -> str:
    """An https address (http only on this very machine), without a slash at its end and with its host in ASCII;
    raises ValueError."""
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("is no web address; write it like https://enrich.example.com") from error
    if parts.scheme not in {"https", "http"} or not host or any(c.isspace() for c in raw):
        raise ValueError("is no web address; write it like https://enrich.example.com")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be a plain address; remove user, query (?) and fragment (#)")
    host = ascii_host(host)
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https; http would send secrets and personal data in the clear")
    shown = f"[{host}]" if ":" in host else host
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{path}"


def proxy_url(raw: SecretStr) -> SecretStr:
    """`http://host:port`, with user and password where the proxy wants them; raises ValueError."""
    how = "write it like http://proxy:3128, or http://user:password@proxy:3128"
    try:
        parts = urlsplit(raw.get_secret_value())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"is no proxy's address; {how}") from error
    if parts.scheme != "http":
        raise ValueError(f"must be an http proxy (CONNECT); {how}")
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"is no proxy's address; {how}")
    host = ascii_host(host)
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return SecretStr(f"http://{login}{f'[{host}]' if ':' in host else host}:{port or 80}")


def ascii_host(raw: str) -> str:
    """A host's name as DNS knows it (`xn--bcher-kva.example` for `bücher.example`), or an IP address; raises
    ValueError."""
    try:
        return str(ipaddress.ip_address(raw))
    except ValueError:
        host = raw.lower()
    if not host.isascii():
        import idna  # noqa: PLC0415 - its tables are large, and few hosts need them

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError("has a host that no name server can know; write it as it is registered") from error
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise ValueError("has a host with characters that no host has; write it like enrich.example.com")
    return host


def host_name(raw: str) -> str:
    """The name of a host in ASCII, or `*.` and a name for all below it; raises ValueError."""
    star = "*." if raw.startswith("*.") else ""
    return star + ascii_host(raw.removeprefix("*."))


def own_path(raw: Path) -> Path:
    """A path that means the same without a shell; raises ValueError."""
    if str(raw).startswith("~"):
        raise ValueError("begins with ~, which only a shell knows; write the path in full")
    return raw


def name(raw: str) -> str:
    """A name of ours, fit for URLs and file names; raises ValueError."""
    if not _NAME.fullmatch(raw):
        raise ValueError("is no name; use small letters, digits, - and _, at most 63")
    return raw


def time_zone(raw: str) -> str:
    """The name of a time zone that this machine knows; raises ValueError."""
    if raw == "UTC":
        return raw
    known = available_timezones() - {"localtime", "Factory"}
    if raw in known:
        return raw
    by_letters = {name.casefold(): name for name in known}
    by_city = {name.rpartition("/")[2].casefold(): name for name in sorted(known, reverse=True)}
    wrong = raw.strip().replace(" ", "_").casefold()
    close = difflib.get_close_matches(wrong, [*by_letters, *by_city], n=1)
    meant = (by_city | by_letters).get(close[0]) if close else None
    advice = f"did you mean {meant}?" if meant else "write one like Europe/Paris"
    raise ValueError(f"is no time zone; {advice}" if known else "is not known here: install tzdata, or write UTC")


def _checked_cron(text: str) -> str:
    CronLine(text)
    return text


def spelled_duration(seconds: float) -> str:
    """`2d`, `15m`: as it would be written."""
    unit, size = next(((u, s) for u, s in reversed(_UNITS.items()) if u != "w" and seconds % s == 0), ("s", 1.0))
    return f"{seconds / size:g}{unit}"


def spelled_size(size: int) -> str:
    """`256MiB`: as it would be written."""
    power = next(power for power in (4, 3, 2, 1, 0) if size % 1024**power == 0)
    return f"{size // 1024**power}{('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


DURATION_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w))+\s*$",
    "examples": ["15m", "2h30m"],
}
SIZE_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\d+(\.\d+)?\s*([KkMmGgTt]i?)?[Bb]$",
    "examples": ["256MiB", "1GiB"],
}
LISTEN_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$"}

Duration = Annotated[float, BeforeValidator(seconds), WithJsonSchema(DURATION_SCHEMA)]
"""Written as `2h30m`, held as seconds."""

Size = Annotated[int, BeforeValidator(size), WithJsonSchema(SIZE_SCHEMA)]
"""Written as `64MiB`, held as bytes."""

Listen = Annotated[Address, BeforeValidator(address), WithJsonSchema(LISTEN_SCHEMA)]
Cron = Annotated[str, AfterValidator(_checked_cron)]
ProxyUrl = Annotated[SecretStr, AfterValidator(proxy_url)]
SafeUrl = Annotated[str, AfterValidator(safe_url)]
Name = Annotated[str, AfterValidator(name)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
