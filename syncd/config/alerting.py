"""Values of the section `alerts`: where an alert goes, and hours of the day."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, WithJsonSchema

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")
_OPEN = frozenset(
    [
        "json",
        "jsons",
        "xml",
        "xmls",
        "form",
        "forms",
        "mailto",
        "mailtos",
        "syslog",
        "dbus",
        "gotify",
        "gotifys",
        "ntfy",
        "ntfys",
    ]
)


class Hours(NamedTuple):
    """A span of the day in minutes since midnight; it may go over midnight."""

    begin: int
    end: int

    def hold(self, minute: int) -> bool:
        """Is this minute of the day one of them?"""
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


def hours(raw: Any) -> Hours:
    """Read `22:00-07:00`; raises ValueError."""
    found = _HOURS.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if isinstance(raw, Hours):
        return raw
    if found is None or found[0].partition("-")[0].strip() == found[0].partition("-")[2].strip():
        raise ValueError('are no hours of the day; write them like "22:00-07:00"')
    one, two, three, four = map(int, found.groups())
    return Hours(60 * one + two, 60 * three + four)


def alert_url(secret: SecretStr) -> SecretStr:
    """An address as Apprise knows them, such as mailto://…; raises ValueError. Whether Apprise takes it, `syncd alert
    test` tells: to ask it here would cost every command a second."""
    if not _URL.fullmatch(secret.get_secret_value().strip()):
        raise ValueError("is no address for alerts; write one as Apprise knows them, such as mailto://… or slack://…")
    return SecretStr(secret.get_secret_value().strip())


def secrets_in(url: str) -> frozenset[str]:
    """What of an address nobody may see: a password, the values of its query; of a chat's address, all of it."""
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(url)
        held = [parts.password or "", *(value for _, value in parse_qsl(parts.query))]
    except ValueError:
        held = [rest]
    if scheme.lower() not in _OPEN:
        held += [rest, *re.split(r"[/?#@:&=]", rest)]
    return frozenset(text for one in held for text in (one, unquote(one)) if len(text) >= 6)


QuietHours = Annotated[
    Hours,
    BeforeValidator(hours),
    WithJsonSchema({"type": "string", "pattern": _HOURS.pattern, "examples": ["22:00-07:00"]}),
]
AlertUrl = Annotated[SecretStr, AfterValidator(alert_url)]
