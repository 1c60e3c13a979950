"""Keeping within an org's calls of a day, and within our share of them.

An org has so many calls in any 24 hours for all apps together, and an app may have fewer; every answer
tells how many are used (Salesforce, API Usage header). There is no Retry-After and no reset: use only
falls as hours pass, so we look again every quarter of an hour. What is sent, and again when, is said in `calls`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from syncd.contract.errors import RateLimited, Retry
from syncd.contract.ports import Tools

from .answers import Answer
from .options import Options

LOOK_AGAIN = 900.0  # seconds
CALLS = "calls"  # our calls by the hour, in the memory
KEEP_EVERY = 25  # calls: so many at most are forgotten by a crash
_HOUR, _HOURS = 3_600, 24
_USE = re.compile(r"(per-app-)?api-usage=(\d+)/(\d+)")


class Limits:
    """The calls of one connection. Use it from the event loop."""

    def __init__(self, options: Options, tools: Tools) -> None:
        self._options, self._clock, self._memory = options, tools.clock, tools.memory
        self._rng: random.Random = tools.rng
        self._shut_until = float("-inf")
        self._hours: dict[int, int] = {int(hour): n for hour, n in (tools.memory.recall(CALLS) or {}).items()}
        self.used: dict[str, tuple[int, int]] = {}  # "org" and, where there is one, "app": calls used, and the limit

    def enter(self, *, exempt: bool = False) -> None:
        """Raises RateLimited while our share is used up (`exempt`: not then)."""
        if exempt:
            return
        if (wait := self._shut_until - self._clock.monotonic()) > 0:
            raise RateLimited(f"Salesforce's daily calls: {self.told()}; syncd's share ends there", after=wait)
        cap = self._options.daily_calls
        if cap is not None and self.ours() >= cap:
            raise RateLimited(f"syncd has made its {cap} calls of 24 hours", after=LOOK_AGAIN)

    async def count(self) -> None:
        """One more call of our own."""
        hour = self._hour()
        self._hours[hour] = self._hours.get(hour, 0) + 1
        self._hours = {h: n for h, n in self._hours.items() if h > hour - _HOURS}
        if self._options.daily_calls is not None and sum(self._hours.values()) % KEEP_EVERY == 0:
            await self._memory.keep(CALLS, {str(h): n for h, n in self._hours.items()})

    def ours(self) -> int:
        """Our calls of the last 24 hours."""
        oldest = self._hour() - _HOURS
        return sum(n for hour, n in self._hours.items() if hour > oldest)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what an answer tells; errors tell it too."""
        found = _USE.findall(headers.get("sforce-limit-info", ""))
        if not found:
            return
        self.used = {"app" if app else "org": (int(used), int(limit)) for app, used, limit in found}
        over = any(used >= limit * self._options.share for used, limit in self.used.values())
        self._shut_until = self._clock.monotonic() + LOOK_AGAIN if over else float("-inf")

    def refused(self, answer: Answer) -> Retry:
        """What REQUEST_LIMIT_EXCEEDED means: the day's calls, or too many slow ones at once."""
        spent = any(used >= limit for used, limit in self.used.values())
        if not spent and "Concurrent" in answer.refusal.message:  # a name of Salesforce's, in no language
            return RateLimited("too many slow calls at once in this org", after=self._rng.uniform(5, 60))
        self._shut_until = self._clock.monotonic() + LOOK_AGAIN
        return RateLimited("Salesforce's daily calls are used up", after=LOOK_AGAIN)

    def told(self) -> str:
        """`org 81234 of 100000`, for people."""
        return ", ".join(f"{whose} {used} of {limit} used" for whose, (used, limit) in self.used.items())

    def _hour(self) -> int:
        return int(self._clock.now() // _HOUR)
