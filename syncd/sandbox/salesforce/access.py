"""Who may call: the token endpoint with its grants, the SOAP login, and sessions that end.

Source: Salesforce Help, "OAuth Authorization Flows"; errors from recorded answers. SOAP login is not there
from API version 65.0 on.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from syncd.sandbox.clock import SandboxClock
from syncd.sandbox.faults import Faults

from .org import API_USER, ORG_ID
from .replies import Refusal, expired

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LAST_SOAP = 64.0
FAULTS = {
    "salesforce_login_refused": "a login is refused (parameter: no_user, not_approved, inactive, secret, client, "
    "domain; default: authentication failure)",
    "salesforce_session_expired": "the session of a call ends before it: 401 INVALID_SESSION_ID until the next login",
    "salesforce_odd_401": "a call is answered 401 with what is no list of errors (parameter: object or html)",
}
_REFUSALS = {  # error, error_description
    "": ("invalid_grant", "authentication failure"),
    "no_user": ("invalid_grant", "no client credentials user enabled"),
    "not_approved": ("invalid_grant", "user hasn't approved this consumer"),
    "inactive": ("invalid_grant", "inactive user"),
    "secret": ("invalid_client", "invalid client credentials"),
    "client": ("invalid_client_id", "client identifier invalid"),
    "domain": ("invalid_grant", "request not supported on this domain"),
    "grant": ("unsupported_grant_type", "grant type not supported"),
    "assertion": ("invalid_grant", "invalid assertion"),
    "late": ("invalid_grant", "expired authorization code"),
}
_GENERIC = ("login.salesforce.com", "test.salesforce.com")
_FAULT = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
    "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {text}</faultstring><detail>"
    '<sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
    "<sf:exceptionMessage>{text}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail></soapenv:Fault>"
    "</soapenv:Body></soapenv:Envelope>"
)
_WELCOME = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result><passwordExpired>false</passwordExpired>'
    "<serverUrl>{url}</serverUrl><sessionId>{session}</sessionId><userId>{user}</userId></result></loginResponse>"
    "</soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens the org. `domain`: as clients write it, without `.salesforce.com`."""

    client_id: str = "3MVG9sandbox.c0de"
    client_secret: str = "5A4DB0C5SECRET"  # noqa: S105 - opens nothing but the sandbox
    domain: str = "acme.my"
    username: str = "sync@acme.example"
    password: str = "sandpit"  # noqa: S105
    security_token: str = "T0ken"  # noqa: S105
    refresh_token: str = "5Aep861sandbox"  # noqa: S105


@dataclass(slots=True)
class Session:
    """One login. `left`: calls until it ends, None for no such end."""

    text: str
    user: str
    used: float  # sandbox seconds
    left: int | None


class LoginRefused(Exception):
    """The token endpoint's refusal; always 400."""

    def __init__(self, reason: str) -> None:
        self.error, self.description = _REFUSALS.get(reason, _REFUSALS[""])
        super().__init__(self.description)


class Access:
    """Checks credentials and sessions."""

    def __init__(
        self,
        clock: SandboxClock,
        faults: Faults,
        keys: Keys,
        *,
        life: float = 7200.0,
        calls: int | None = None,
        password_flow: bool = False,
        soap: bool = True,
    ) -> None:
        """`life`: seconds without a call after which a session ends; `calls`: after which it ends anyway."""
        self._clock, self._faults, self.keys = clock, faults, keys
        self.life, self.calls, self._password_flow, self._soap = life, calls, password_flow, soap
        self._sessions: dict[str, Session] = {}
        self.logins = 0

    @cached_property
    def private_key(self) -> str:
        """PEM: what the client of the JWT flow signs with."""
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key.decode()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65_537, 2048)

    # --- logging in ---

    def token(self, form: Mapping[str, str], authorization: str | None, host: str, url: str) -> dict[str, Any]:
        """The token endpoint's answer; raises LoginRefused. `url`: the org's own, for `instance_url`."""
        if (reason := self._faults.take("salesforce_login_refused")) is not None:
            raise LoginRefused(reason)
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            self._check_client(form, authorization)
            if host.lower().partition(":")[0] in _GENERIC:
                raise LoginRefused("domain")
        elif grant == JWT_GRANT:
            self._check_assertion(form.get("assertion", ""))
        elif grant == "password" and self._password_flow:
            self._check_client(form, authorization)
            self._check_password(form.get("username", ""), form.get("password", ""))
        elif grant == "refresh_token":
            self._check_client(form, authorization)
            if form.get("refresh_token") != self.keys.refresh_token:
                raise LoginRefused("")
        else:
            raise LoginRefused("grant")
        return {
            "access_token": self.open().text,
            "signature": base64.b64encode(secrets.token_bytes(32)).decode(),
            "scope": "api",
            "instance_url": url,
            "id": f"https://login.salesforce.com/id/{ORG_ID}/{API_USER}",
            "token_type": "Bearer",
            "issued_at": str(int(self._clock.now() * 1000)),
        }

    def soap(self, version: str, body: str, url: str) -> tuple[int, str]:
        """Status and XML of a SOAP login."""
        if float(version) > LAST_SOAP or not self._soap:
            text = (
                f"The SOAP Login operation is not available in the API version specified ({version}). "
                "Refer to the documentation for supported versions."
            )
            return 500, _FAULT.format(code="INVALID_OPERATION", text=text)
        found = [re.search(rf"<\w+:{name}>([^<]*)</", body) for name in ("username", "password")]
        name, password = (html.unescape(one[1]) if one else "" for one in found)
        refused = self._faults.take("salesforce_login_refused") is not None
        try:
            self._check_password(name, password)
        except LoginRefused:
            refused = True
        if refused:
            text = "Invalid username, password, security token; or user locked out."
            return 500, _FAULT.format(code="INVALID_LOGIN", text=text)
        where = f"{url}/services/Soap/u/{version}/{ORG_ID[:15]}"
        return 200, _WELCOME.format(url=where, session=self.open().text, user=API_USER)

    def open(self) -> Session:
        """A new session of the integration user."""
        text = f"{ORG_ID[:15]}!AQ{secrets.token_urlsafe(60)}"
        self._sessions[text] = session = Session(text, API_USER, self._clock.now(), self.calls)
        self.logins += 1
        return session

    def close_all(self) -> None:
        """End every session, as when an admin revokes them."""
        self._sessions.clear()

    def _check_client(self, form: Mapping[str, str], authorization: str | None) -> None:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, coded = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise LoginRefused("secret") from None
        if client != self.keys.client_id:
            raise LoginRefused("client")
        if not secrets.compare_digest(secret.encode(), self.keys.client_secret.encode()):
            raise LoginRefused("secret")

    def _check_password(self, username: str, password: str) -> None:
        if (username, password) != (self.keys.username, self.keys.password + self.keys.security_token):
            raise LoginRefused("")

    def _check_assertion(self, assertion: str) -> None:
        """Signed by the right key, for this client and user, and for no longer than Salesforce allows."""
        options: Any = {"verify_exp": False, "verify_aud": False}
        try:
            claims = jwt.decode(assertion, self._key.public_key(), algorithms=["RS256"], options=options)
            until = int(claims["exp"])  # simple-salesforce writes it as a string
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise LoginRefused("assertion") from None
        if claims.get("iss") != self.keys.client_id:
            raise LoginRefused("client")
        if claims.get("sub") != self.keys.username:
            raise LoginRefused("not_approved")
        hosts = (*_GENERIC, f"{self.keys.domain}.salesforce.com")
        if claims.get("aud") not in {f"https://{one}" for one in hosts}:
            raise LoginRefused("assertion")
        # Clients stamp it by the wall clock, whatever the sandbox clock says.
        if not time.time() <= until <= time.time() + 310:
            raise LoginRefused("late")

    # --- sessions ---

    def admit(self, header: str | None) -> Session:
        """The session of an Authorization header; raises Refusal (401)."""
        scheme, _, text = (header or "").partition(" ")
        if header is not None and scheme.lower() not in {"bearer", "oauth"}:
            raise Refusal("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", 401)
        session = self._sessions.get(text)
        if session is None:
            raise expired()
        over = session.used + self.life < self._clock.now() or session.left == 0
        if over or self._faults.take("salesforce_session_expired") is not None:
            del self._sessions[text]
            raise expired()
        session.used = self._clock.now()
        session.left = None if session.left is None else session.left - 1
        return session
