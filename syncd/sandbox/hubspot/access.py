"""Who may call: tokens, their scopes, OAuth's refreshing, and how often each may (limits on the sandbox clock).

Source: HubSpot's pages "OAuth", "Private apps" and "API usage guidelines and limits".
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.sandbox.clock import SandboxClock

from .items import Author
from .portal import PORTAL_ID
from .replies import Refusal, expired, searched_too_often, too_often, unauthenticated

READ, WRITE = "crm.objects.contacts.read", "crm.objects.contacts.write"
COMPANIES, SCHEMAS = "crm.objects.companies.read", "crm.schemas.contacts.write"
LISTS = "crm.lists.read"
ALL_SCOPES = frozenset({READ, WRITE, COMPANIES, SCHEMAS, LISTS})
DEFAULT_TOKEN = "pat-eu1-5a4db0c5-0000-4000-8000-00000000c0de"  # noqa: S105 - opens nothing but the sandbox

TIERS: Mapping[str, tuple[int, int]] = {  # calls per 10 s and app, calls per day and account
    "starter": (100, 250_000),
    "professional": (190, 625_000),
    "enterprise": (190, 1_000_000),
}
OAUTH_BURST = 110  # per 10 s and installing account
SEARCHES_PER_SECOND = 5  # per account, all apps together
OAUTH_LIFE = 1800.0  # seconds


@dataclass(frozen=True, slots=True)
class Token:
    """A credential of one app. `expires`: seconds on the sandbox clock, for OAuth tokens."""

    text: str = DEFAULT_TOKEN
    scopes: frozenset[str] = ALL_SCOPES
    app_id: str = "19083857"
    expires: float | None = None

    @property
    def author(self) -> Author:
        """How the property history words what this app writes."""
        return Author("INTEGRATION", self.app_id)


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """A public app and the one refresh token it was given."""

    client_id: str = "5a4db0c5-client"
    client_secret: str = "5a4db0c5-secret"  # noqa: S105 - opens nothing but the sandbox
    refresh_token: str = "eu1-5a4d-refresh"  # noqa: S105
    scopes: frozenset[str] = ALL_SCOPES


class Access:
    """Checks credentials, and hands out OAuth tokens."""

    def __init__(self, clock: SandboxClock, tokens: Iterable[Token], oauth: OAuthApp) -> None:
        self._clock, self._oauth = clock, oauth
        self._tokens = {token.text: token for token in tokens}

    def admit(self, header: str | None) -> Token:
        """The token of an Authorization header, which must be `Bearer <token>` to the letter; raises Refusal."""
        scheme, _, text = (header or "").partition(" ")
        if scheme != "Bearer" or not text or text != text.strip():
            raise unauthenticated()
        token = self._tokens.get(text)
        now = self._clock.now()
        if token is None:
            raise unauthenticated() if text.startswith("pat-") else expired(0, int(now * 1000))
        if token.expires is not None and token.expires <= now:
            raise expired(int(token.expires * 1000), int(now * 1000))
        return token

    def refresh(self, form: Mapping[str, str]) -> dict[str, object]:
        """A new access token for a refresh token; raises Refusal as HubSpot words it."""
        if form.get("grant_type") != "refresh_token":
            raise _oauth_error("unsupported_grant_type", "only refresh_token is emulated", "BAD_GRANT_TYPE")
        if (form.get("client_id"), form.get("client_secret")) != (self._oauth.client_id, self._oauth.client_secret):
            raise _oauth_error("invalid_client", "missing or unknown client id or secret", "BAD_CLIENT_SECRET")
        if form.get("refresh_token") != self._oauth.refresh_token:
            reason = "refresh token is invalid, expired or revoked"
            raise _oauth_error("invalid_grant", reason, "BAD_REFRESH_TOKEN")
        token = Token(f"CJ{secrets.token_urlsafe(48)}", self._oauth.scopes, "5550100", self._clock.now() + OAUTH_LIFE)
        self._tokens[token.text] = token
        return {
            "token_type": "bearer",
            "refresh_token": self._oauth.refresh_token,
            "access_token": token.text,
            "hub_id": PORTAL_ID,
            "scopes": sorted(token.scopes),
            "expires_in": int(OAUTH_LIFE),
        }


def _oauth_error(code: str, reason: str, status: str) -> Refusal:
    return Refusal(400, {"error": code, "error_description": reason, "status": status, "message": reason})


class _Window:
    """Calls within the last `length` seconds."""

    def __init__(self, length: float, limit: int) -> None:
        self.length, self.limit = length, limit
        self._times: deque[float] = deque()

    def left(self, now: float) -> int:
        while self._times and self._times[0] <= now - self.length:
            self._times.popleft()
        return self.limit - len(self._times)

    def count(self, now: float) -> None:
        self._times.append(now)


class Gates:
    """The account's limits. A refused call is not counted."""

    def __init__(self, clock: SandboxClock, tier: str, time_zone: str, *, unlimited: bool = False) -> None:
        self._clock, self.zone = clock, ZoneInfo(time_zone)
        self.burst, self.daily = TIERS[tier]
        self._unlimited = unlimited
        self._searches = _Window(1.0, SEARCHES_PER_SECOND)
        self._bursts: dict[str, _Window] = {}
        self._day = ""
        self.used_today = 0

    def admit(self, token: Token, *, search: bool, newer_wording: bool = False) -> dict[str, str]:
        """The rate headers of an admitted call; raises Refusal (429)."""
        now, oauth = self._clock.now(), token.expires is not None
        self._turn_day(now)
        if self._unlimited:
            return {}
        if not oauth and self.used_today >= self.daily:
            raise too_often("DAILY")
        window = self._searches if search else self._burst(token, OAUTH_BURST if oauth else self.burst)
        left = window.left(now)
        if left <= 0:
            raise searched_too_often(newer_wording) if search else too_often("TEN_SECONDLY_ROLLING", _rates(window, 0))
        window.count(now)
        self.used_today += not oauth
        daily = {} if oauth else {"X-HubSpot-RateLimit-Daily": str(self.daily)}
        if not oauth:
            daily["X-HubSpot-RateLimit-Daily-Remaining"] = str(self.daily - self.used_today)
        return daily if search else {**_rates(window, left - 1), **daily}

    def midnight(self) -> datetime:
        """When the day that counts now began in the portal's time zone."""
        return datetime.fromtimestamp(self._clock.now(), self.zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def next_midnight(self) -> datetime:
        """When the daily count starts anew; days of 23 and 25 hours included."""
        tomorrow = self.midnight().date() + timedelta(days=1)
        return datetime.combine(tomorrow, time(), self.zone)

    def _turn_day(self, now: float) -> None:
        day = datetime.fromtimestamp(now, self.zone).date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0

    def _burst(self, token: Token, limit: int) -> _Window:
        return self._bursts.setdefault(token.app_id, _Window(10.0, limit))


def _rates(window: _Window, left: int) -> dict[str, str]:
    return {
        "X-HubSpot-RateLimit-Max": str(window.limit),
        "X-HubSpot-RateLimit-Remaining": str(left),
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Secondly": str(window.limit // 10),
        "X-HubSpot-RateLimit-Secondly-Remaining": str(max(0, window.limit // 10 - 1)),
    }
