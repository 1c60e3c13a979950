"""Keeping within what HubSpot allows, and within our share of it.

Searches have 5 a second per account; other calls a limit per app and ten seconds, told in headers;
all have a daily limit per account that ends at the portal's midnight. (HubSpot, API usage guidelines.)
What is sent, and again when, is said in `calls`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from syncd.contract.errors import RateLimited
from syncd.contract.pacing import Clock, Pacer, Window

from .answers import Answer
from .options import Options

TEN_SECONDS = 10.0
FREE_TIER = 100  # calls per ten seconds, until a header tells more
SLOWEST = 1 / 8  # of our share: how far refusals can slow us down
_MAX, _REMAINING = "x-hubspot-ratelimit-max", "x-hubspot-ratelimit-remaining"
_INTERVAL = "x-hubspot-ratelimit-interval-milliseconds"
_DAILY, _DAILY_REMAINING = "x-hubspot-ratelimit-daily", "x-hubspot-ratelimit-daily-remaining"


class Limits:
    """The pace of one connection. Use it from the event loop."""

    def __init__(self, options: Options, clock: Clock, rng: random.Random) -> None:
        self._clock, self._rng, self._options = clock, rng, options
        per_second = options.searches_per_second
        search = Window(1.0, int(per_second)) if per_second >= 1 else Window(1 / per_second, 1)
        self._search = Pacer([search], clock)
        self._burst = Pacer([Window(TEN_SECONDS, max(1, int(FREE_TIER * options.share)))], clock)
        self._speed = 1.0
        self._closed_until = 0.0
        self.zone: tzinfo = UTC
        self.daily: tuple[int, int] | None = None  # the day's limit and what is left of it

    async def enter(self, *, search: bool, exempt: bool = False) -> None:
        """Wait for a place. Raises RateLimited when the day's reserve is reached (`exempt`: not then)."""
        if not exempt and (wait := self._closed_until - self._clock.now()) > 0:
            raise RateLimited("HubSpot's daily limit: only the reserve is left", after=wait)
        await (self._search if search else self._burst).acquire()

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the limits that an answer told; answers to searches tell none."""
        self._speed = min(1.0, self._speed + 0.01)
        limit, left = _number(headers, _MAX), _number(headers, _REMAINING)
        if limit:
            seconds = (_number(headers, _INTERVAL) or 10_000) / 1000
            self._burst.learn([Window(seconds, max(1, int(limit * self._options.share * self._speed)))])
            if left is not None and left < limit / 10:  # somebody else uses the same token
                self._burst.block(seconds / 10)
        day, day_left = _number(headers, _DAILY), _number(headers, _DAILY_REMAINING)
        if day and day_left is not None:
            self.daily = (day, day_left)
            if day_left < day * self._options.daily_reserve:
                self._closed_until = self._clock.now() + self.until_midnight()

    def slow_down(self) -> None:
        """Halve our pace; each good answer gives a hundredth of it back."""
        self._speed = max(SLOWEST, self._speed / 2)
        self._burst.learn([Window(w.seconds, max(1, w.limit // 2)) for w in self._burst.windows])

    def refused(self, answer: Answer, *, search: bool) -> RateLimited:
        """What a 429 means: its windows are closed here, and `after` says for how long."""
        refusal = answer.refusal
        policy = f"{refusal.policy} {refusal.message}".lower()
        told = answer.seconds("retry-after")
        if "daily" in policy:
            wait = self.until_midnight()
            self._closed_until = self._clock.now() + wait
            return RateLimited("HubSpot's daily limit is reached", after=wait)
        if "ten_secondly" in policy or "secondly" not in policy:
            wait = told or (_number(answer.headers, _INTERVAL) or 10_000) / 1000
            self.slow_down()
        else:
            wait = told or 1.0
        wait += self._rng.random()
        pacer = self._search if search else self._burst
        pacer.block(wait)
        return RateLimited("HubSpot's rate limit is reached", after=wait, windows=pacer.windows)

    def until_midnight(self) -> float:
        """Seconds until the portal's next midnight, when its day's calls start anew."""
        now = datetime.fromtimestamp(self._clock.now(), self.zone)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return max(midnight.timestamp() - now.timestamp(), 1.0)

    def place(self, details: Mapping[str, object]) -> None:
        """Learn the portal's time zone from its account details."""
        try:
            self.zone = ZoneInfo(str(details.get("timeZone")))
        except (KeyError, ValueError, OSError):  # unknown here: the offset will do until the clocks change
            offset = details.get("utcOffsetMilliseconds")
            self.zone = timezone(timedelta(milliseconds=offset)) if isinstance(offset, int) else UTC


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None
