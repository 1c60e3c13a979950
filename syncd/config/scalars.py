"""Single values as people write them: durations, addresses, URLs, names, schedules.

Each is a type for pydantic whose ValueError says what to write instead, without repeating the
value. What the values are for is not known here.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from datetime import UTC
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w))+\s*")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_ITEM = re.compile(r"(?:(?P<first>[0-7])(?:-(?P<last>[0-7]))?|(?P<all>\*))(?:/(?P<step>[1-7]))?")
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * sun",
    "@monthly": "0 0 1 * *",
}


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
        return float(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(raw)))
    if raw == 0 and not isinstance(raw, bool):
        return 0.0
    raise ValueError("is no duration; write a number with its unit, such as 90s, 15m, 2h30m, 30d")


def size(raw: Any) -> int:
    """Read `64MiB`, `1GiB`, `500KB`, `0` as bytes; raises ValueError."""
    found = _SIZE.fullmatch(raw) if isinstance(raw, str) else None
    if found is not None:
        return int(float(found[1]) * _BYTES[found[2].lower()])
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    raise ValueError("is no size; write a number with its unit, such as 64MiB, 1GiB")


def address(raw: Any) -> Address:
    """Read `host:port` or `[v6]:port`; raises ValueError."""
    if isinstance(raw, Address):
        return raw
    found = _ADDRESS.fullmatch(raw) if isinstance(raw, str) else None
    if found is None or int(found["port"]) > 65535:
        raise ValueError("is no address to listen on; write host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(found["v6"] or found["host"], int(found["port"]))


def safe_url(raw: str) -> str:
    """An https address (http only on this very machine), without a slash at its end; raises ValueError."""
    try:
        parts = urlsplit(raw)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("is no web address; write it like https://enrich.example.com") from error
    if parts.scheme not in {"https", "http"} or not host or any(c.isspace() for c in raw):
        raise ValueError("is no web address; write it like https://enrich.example.com")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https; http would send secrets and personal data in the clear")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must be a plain address; remove user, query (?) and fragment (#)")
    return raw.rstrip("/")


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


def cron(text: str) -> CronTrigger:
    """A cron line as a trigger in UTC, with cron's own weekday numbers; raises ValueError.

    APScheduler 3 counts weekdays from Monday, cron from Sunday, so numbers are turned into names.
    Cron runs when *either* the day of the month or the weekday fits, APScheduler when both do:
    a line that restricts both is refused, since it would not mean what it says.
    """
    parts = _NICKNAMES.get(text.strip(), text).split()
    if len(parts) != 5:
        raise ValueError('is no cron line; write five parts, such as "*/15 * * * *"')
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError("restricts both the day of the month and the weekday; restrict one of them")
    parts[4] = ",".join(_weekdays(item) for item in parts[4].split(","))
    try:
        return CronTrigger.from_crontab(" ".join(parts), timezone=UTC)
    except ValueError as error:
        raise ValueError(f'is no cron line ({error}); write five parts, such as "*/15 * * * *"') from error


def _weekdays(item: str) -> str:
    found = _WEEKDAY_ITEM.fullmatch(item)
    if found is None or item == "*":
        return item
    first = 0 if found["all"] else int(found["first"])
    last = 6 if found["all"] else int(found["last"] or (6 if found["step"] else first))
    if last < first:
        raise ValueError("has a weekday range that runs backwards; write it as two, such as 6-7,1-2")
    return ",".join(_WEEKDAYS[day] for day in range(first, last + 1, int(found["step"] or 1)))


def _checked_cron(text: str) -> str:
    cron(text)
    return text


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|s|m|h|d|w))+$", "examples": ["15m", "2h30m"]}
    ),
]
"""Written as `2h30m`, held as seconds."""

Size = Annotated[
    int,
    BeforeValidator(size),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*([KkMmGgTt]i?)?[Bb]$", "examples": ["256MiB", "1GiB"]}
    ),
]
"""Written as `64MiB`, held as bytes."""

Listen = Annotated[
    Address,
    BeforeValidator(address),
    WithJsonSchema({"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}$"}),
]
Cron = Annotated[str, AfterValidator(_checked_cron)]
SafeUrl = Annotated[str, AfterValidator(safe_url)]
Name = Annotated[str, AfterValidator(name)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
