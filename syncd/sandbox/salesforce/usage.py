"""How many calls an org has left in any 24 hours, and how answers say so.

Source: "API Request Limits and Allocations"; "Limit Info Header".
"""

from __future__ import annotations

from collections import deque
from typing import Any

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults

from .replies import Refusal, over_limit

_DAY = 86_400.0
FAULTS = {
    "salesforce_daily_limit": "403 REQUEST_LIMIT_EXCEEDED, the day's calls are used up",
    "salesforce_concurrent": "403 REQUEST_LIMIT_EXCEEDED, too many long calls at once "
    "(parameter: ConcurrentRequests, default ConcurrentPerOrgLongTxn)",
    "salesforce_api_disabled": "403 API_DISABLED_FOR_ORG",
}


class Usage:
    """The count of the last 24 hours, of all apps together: a hard stop, as in a trial or sandbox org."""

    def __init__(self, clock: SandboxClock, faults: Faults, limit: int, app_limit: int | None) -> None:
        self._clock, self._faults = clock, faults
        self.limit, self.app_limit = limit, app_limit
        self._others = 0
        self._times: deque[float] = deque()

    @property
    def used(self) -> int:
        """Calls of the last 24 hours."""
        horizon = self._clock.now() - _DAY
        while self._times and self._times[0] <= horizon:
            self._times.popleft()
        return len(self._times) + self._others

    def use_up(self, calls: int) -> None:
        """Other apps have made so many calls, for good."""
        self._others += calls

    def count(self) -> None:
        """One more call; raises Refusal if there is none left."""
        if self._faults.take("salesforce_api_disabled") is not None:
            raise Refusal("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", 403)
        if self._faults.take("salesforce_daily_limit") is not None or self.used >= self.limit:
            raise over_limit("TotalRequests")
        if self.app_limit is not None and len(self._times) >= self.app_limit:
            raise over_limit("PerAppRequests")
        if (kind := self._faults.take("salesforce_concurrent")) is not None:
            raise over_limit(kind or "ConcurrentPerOrgLongTxn")
        self._times.append(self._clock.now())

    def header(self) -> str:
        """The value of Sforce-Limit-Info."""
        text = f"api-usage={self.used}/{self.limit}"
        if self.app_limit is None:
            return text
        return f"{text}; per-app-api-usage={len(self._times)}/{self.app_limit}(appName=syncd)"

    def limits(self) -> dict[str, Any]:
        """The answer of /limits."""
        left = {"DailyApiRequests": (self.limit, self.used)}
        fixed = {"DailyBulkApiBatches": 15_000, "DailyBulkV2QueryJobs": 10_000, "DailyBulkV2QueryFileStorageMB": 97_656}
        every = left | {name: (most, 0) for name, most in fixed.items()}
        return {name: {"Max": most, "Remaining": max(0, most - used)} for name, (most, used) in every.items()}
