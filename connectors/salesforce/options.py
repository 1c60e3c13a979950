"""What an operator can set for a Salesforce connection, and the defaults. No behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from syncd.contract.ports import Options as BaseOptions

SOAP_UP_TO = 64.0  # the last API version with SOAP login(); Salesforce retires it everywhere with Summer '27
_GENERIC = ("login", "test")
_DOMAIN = r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*"
_PAGES = ".lightning.force.com"  # where an org's pages are; its API is at .my.salesforce.com


class Login(StrEnum):
    """How we get a session."""

    CLIENT_CREDENTIALS = "client credentials"
    JWT = "JWT bearer"
    SOAP = "username and password"


def _label(domain: object) -> object:
    """`acme.my` out of whatever was copied from the browser's address line; raises ValueError."""
    if not isinstance(domain, str):
        return domain
    host = re.sub(r"^https?://", "", domain.strip().lower()).split("/")[0].partition(":")[0]
    if host.endswith(_PAGES):
        label = f"{host.removesuffix(_PAGES)}.my"
    else:
        label = host.removesuffix(".salesforce.com").removesuffix(".salesforce-setup.com")
    if label in _GENERIC or (label.endswith(".my") and re.fullmatch(_DOMAIN, label)):
        return label
    hint = f"did you mean {label}.my?" if re.fullmatch(r"[a-z0-9][a-z0-9-]*", label) else "write it like acme.my"
    raise ValueError(f"is not the org's My Domain, which Salesforce shows under Setup, My Domain; {hint}")


class Options(BaseOptions):
    """Settings of one org.

    Give `client_id` and `client_secret` (client credentials), or `client_id`, `username` and
    `private_key` (JWT), of an External Client App; `username`, `password` and `security_token` work
    until Summer '27.
    """

    ways_in: ClassVar[Mapping[str, tuple[str, ...]]] = {  # the password's is left out, for it ends soon
        "app": ("client_id", "client_secret"),
        "jwt": ("client_id", "username", "private_key"),
    }

    domain: Annotated[str, BeforeValidator(_label)] = Field(
        description="My Domain, acme.my, or any address of the org; a sandbox: acme--dev.sandbox.my."
    )
    client_id: str | None = Field(default=None, description="The External Client App's consumer key.")
    client_secret: SecretStr | None = Field(default=None, description="Its consumer secret (client credentials flow).")
    username: str | None = Field(default=None, description="The integration user's, for JWT or password.")
    private_key: SecretStr | None = Field(
        default=None, description="PEM, of the app's certificate (JWT): { file: salesforce.key }."
    )
    password: SecretStr | None = Field(default=None, description="Until Summer '27.")
    security_token: SecretStr | None = Field(default=None, description="Until Summer '27.")
    api_version: str = Field(
        default="66.0", pattern=r"^[5-9]\d\.0$", description="What this connector was tested with."
    )
    share: float = Field(
        default=0.8, gt=0, le=1, description="Of the org's daily calls: beyond this use by all apps, syncd waits."
    )
    daily_calls: int | None = Field(default=None, ge=100, description="The most calls of syncd's own in 24 hours.")
    full_sweep: float = Field(default=24.0, gt=0, description="Hours after which a pull looks at everything again.")
    overlap: float = Field(
        default=600.0, ge=0, description="Seconds that each pull looks back, for rows committed late."
    )
    page: int = Field(default=2000, ge=200, le=2000, description="Rows per call of a pull.")
    # 20 000 rows are 10 calls by pages; by a job they are 4 (count, job, look, results) if it is done in 5 s, as
    # measured, and 10 too if it takes ten minutes.
    bulk_from: int | None = Field(
        default=20_000, ge=0, description="Rows from which on the first pull is one bulk job; 0: never."
    )
    linkedin_field: str | None = Field(
        default=None, description="Where the profile's address is kept; found by its name without."
    )
    fast: bool = Field(
        default=False, description="200 updates per call, without the condition that guards a colleague's edit."
    )

    @property
    def login(self) -> Login:
        """Which of the three ways in was given."""
        if self.password is not None:
            return Login.SOAP
        return Login.JWT if self.private_key is not None else Login.CLIENT_CREDENTIALS

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        names = ("client_id", "client_secret", "username", "private_key", "password", "security_token")
        given = {name for name in names if getattr(self, name) is not None}
        if given not in (_APP, _JWT, _SOAP):
            raise ValueError(
                "give client_id and client_secret, or client_id, username and private_key "
                "(or, until Summer '27, username, password and security_token), and no others"
            )
        if given == _SOAP and float(self.api_version) > SOAP_UP_TO:
            raise ValueError(
                f"username and password need api_version {SOAP_UP_TO} or less, and end with Summer '27; "
                "use an External Client App with client_id and client_secret instead"
            )
        if given != _SOAP and self.domain in _GENERIC:
            raise ValueError(f"domain must be the org's My Domain, such as acme.my, not {self.domain}")
        return self


_APP = {"client_id", "client_secret"}
_JWT = {"client_id", "username", "private_key"}
_SOAP = {"username", "password", "security_token"}
