"""What an operator can set for a HubSpot connection, and the defaults. No behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from syncd.contract.ports import Options as BaseOptions

BASE_URL = "https://api.hubapi.com"


class Options(BaseOptions):
    """Settings of one portal. Give `access_token`, or the three parts of an OAuth app."""

    ways_in: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token": ("access_token",),
        "oauth": ("client_id", "client_secret", "refresh_token"),
    }

    access_token: SecretStr | None = Field(default=None, description="Of a service key or a private app: pat-eu1-…")
    client_id: str | None = Field(default=None, description="Of an OAuth app, with client_secret and refresh_token.")
    client_secret: SecretStr | None = Field(default=None, description="Of an OAuth app.")
    refresh_token: SecretStr | None = Field(
        default=None, description="What the OAuth app was given when it was connected."
    )
    # v3 is what the official SDK ships. The dated paths speak the same bodies.
    api_version: Literal["v3", "2026-09"] = Field(
        default="v3", description="Which paths are called; v3 ends in September 2027."
    )
    searches_per_second: float = Field(default=4.0, gt=0, le=5, description="All apps of an account share 5.")
    share: float = Field(default=0.5, gt=0, le=1, description="Of the limit per ten seconds.")
    daily_reserve: float = Field(default=0.2, ge=0, lt=1, description="Of the day's calls, left for others.")
    overlap: float = Field(
        default=300.0, ge=0, description="Seconds that each pull looks back, for the search index lags."
    )
    app_id: str | None = Field(default=None, description="History entries with this sourceId count as a program's.")
    linkedin_property: str = Field(default="hs_linkedin_url", description="Where the profile's address is kept.")
    require_legal_basis: bool = Field(default=False, description="Leave contacts alone that have no legal basis.")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        oauth = (self.client_id, self.client_secret, self.refresh_token)
        if self.access_token is None and None in oauth:
            raise ValueError("give access_token, or client_id, client_secret and refresh_token together")
        if self.access_token is not None and oauth != (None, None, None):
            raise ValueError("give access_token or OAuth's client_id, client_secret and refresh_token, not both")
        return self
