"""Cron lines, with the meaning that Debian's cron gives them (cronsim): names, ranges such as `sun-tue`, and a day of
the month *or* a day of the week where a line restricts both. In a time zone that changes its clocks, a moment that is
left out comes as soon as the clock has been put forward, and one that comes twice counts once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_UNTIL_SUNDAY = re.compile(r"-sun\b", re.IGNORECASE)  # Sunday ends a range as 7, and begins one as 0
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class CronLine:
    """The moments of a line."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        self._text = _five_parts(text)
        self._zone = UTC if zone == "UTC" else ZoneInfo(zone)
        try:
            next(CronSim(self._text, _SOME_DAY))
        except StopIteration as never:
            raise ValueError("never comes; write a day that exists") from never
        except CronSimError as error:
            raise ValueError(_explained(error, self._text)) from error

    def next_after(self, now: float) -> float | None:
        """The first moment after `now`, both in UTC seconds; None where the calendar has none."""
        try:
            found: datetime = next(CronSim(self._text, datetime.fromtimestamp(now, self._zone)))
            return found.timestamp()
        except (OverflowError, ValueError, OSError, StopIteration):  # a clock beyond the calendar
            return None


def _five_parts(text: str) -> str:
    line = _NICKNAMES.get(text.strip().lower(), text)
    parts = line.split()
    if line.strip().lower() == "@reboot":
        raise ValueError("@reboot is no time; syncd pulls at each start anyway, write when to pull again")
    if len(parts) != 5:
        raise ValueError('is no cron line; write five parts, such as "*/15 * * * *"')
    parts[4] = _UNTIL_SUNDAY.sub("-7", parts[4])
    return " ".join(parts)


def _explained(error: CronSimError, line: str) -> str:
    """cronsim says which part is wrong. Its day of the month is also wrong where no month of the line has it."""
    part = str(error).removeprefix("Bad ")
    if part == "day-of-month" and _is_day(line.split()[2]):
        return f"never comes: no month of {line.split()[3]} has a day {line.split()[2]}; write a day that exists"
    return f'is no cron line: its {part} is wrong; write five parts, such as "*/15 * * * *"'


def _is_day(part: str) -> bool:
    return all(one.isdigit() and 1 <= int(one) <= 31 for one in part.split(","))
