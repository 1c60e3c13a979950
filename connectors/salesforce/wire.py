"""The only place that touches simple-salesforce and requests: a call goes in, an `Answer` of any status comes out.

The SDK gives the three ways to log in, addresses and headers. Its own calls are left aside: after a 401 they
log in again and repeat the request without its headers, that is, without its conditions; and they know no
time-outs. This module is slow to import (0.5 s), so `calls` imports it on first need. It knows no records.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.parsers.expat import ExpatError

import requests
from jwt import PyJWTError
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from syncd.contract.causes import unreached
from syncd.contract.errors import Halt, InDoubt, Retry, Trouble
from syncd.contract.network import Network
from syncd.contract.sdk_http import manager

from .answers import NO_ASSIGNMENT, Answer
from .options import Login, Options

TIMEOUT = (5.0, 60.0)  # seconds to connect, seconds between two bytes: the SDK itself would wait for ever
WITHIN = 120.0  # seconds for a whole call
BODY_LIMIT = 64 << 20  # bytes: a set of a bulk job's results has 14 MB, and more where long properties are mapped
HEADERS = {
    **NO_ASSIGNMENT,
    "Sforce-Call-Options": "client=syncd",  # as the org's own logs show us
    "User-Agent": "syncd",
    "Accept-Encoding": "gzip",  # the only one that our limits unpack
}
_OURS = (".salesforce.com", ".force.com")  # hosts that may be told our session
_UNSENT = (NewConnectionError, ConnectTimeoutError, ProxyError)
_WHO = re.compile(rb"/id/(00D\w{12,15})/(005\w{12,15})")
_SOAP_USER = re.compile(rb"<userId>(005\w{12,15})</userId>")
_SLOW_DOWN = {"server_error", "temporarily_unavailable", "SERVER_UNAVAILABLE", "LOGIN_RATE_EXCEEDED"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` is below `/services/data/vXX.X/`, or absolute where Salesforce gave it so."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Any = None
    accept: str = "*/*"


@dataclass(frozen=True, slots=True)
class Who:
    """Whose session it is: ids of 18 characters (or 15), "" where the login did not tell."""

    org: str = ""
    user: str = ""


class Line(HTTPAdapter):
    """Puts limits on every request, those of the login too, and leads them to `base` where one is given."""

    def __init__(
        self, base_url: str | None, network: Network, *, connections: int, timeout: tuple[float, float], within: float
    ) -> None:
        self._base = urlsplit(base_url) if base_url else None
        self._timeout, self._proxied = timeout, bool(network.proxy)
        super().__init__()
        self.poolmanager = manager(
            network, base_url or "https", connections=connections, within=within, body_limit=BODY_LIMIT
        )

    def cert_verify(self, *_: Any) -> None:
        """Nothing: `network` has said whose certificates are trusted, and requests would add its own list."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """A path, or for a proxy that passes plain http on, the whole address."""
        url = str(request.url)
        return url if self._proxied and url.startswith("http:") else super().request_url(request, proxies)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._base:
            asked = urlsplit(str(request.url))
            request.headers.setdefault("Host", asked.netloc)
            request.url = urlunsplit((self._base.scheme, self._base.netloc, asked.path, asked.query, ""))
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        return super().send(request, *args, **kwargs)


class Wire:
    """A blocking client for one org. `login` before `send`; threads may share it, but only one may log in."""

    def __init__(
        self,
        options: Options,
        base_url: str | None,
        connections: int,
        timeout: tuple[float, float] = TIMEOUT,
        within: float = WITHIN,
        *,
        network: Network | None = None,
    ) -> None:
        self._network = network or Network()
        self._base_host = urlsplit(base_url or "").hostname  # where all calls are led to, if anywhere
        self._options, self._redirected = options, base_url is not None
        self._session = requests.Session()
        self._session.trust_env = False  # neither proxies nor a .netrc that would replace our session
        self._session.max_redirects = 0
        self._session.headers.update(HEADERS)
        line = Line(base_url, self._network, connections=connections, timeout=timeout, within=within)
        self._session.mount("https://", line)
        self._session.hooks["response"] = [self._look_who]
        self._org: Any = None
        self._told = Who()  # by the login that is under way
        self.who = Who()

    def login(self) -> None:
        """Get a new session. Raises Retry, or Halt when Salesforce refuses us."""
        self._told = Who()
        try:
            with warnings.catch_warnings():  # simple-salesforce would print advice where we raise it
                warnings.simplefilter("ignore")
                session_id, instance = self._way_in()()
        except SalesforceAuthenticationFailed as error:
            raise _refused(error) from error
        except requests.TooManyRedirects as error:
            cure = "set domain to the org's present My Domain"
            raise Halt("the login is redirected", trouble=Trouble.CREDENTIALS, cure=cure) from error
        except requests.RequestException as error:
            raise self._lost(error, f"{self._options.domain}.salesforce.com", "login", Retry) from error
        except (PyJWTError, ValueError) as error:  # ValueError is cryptography's
            raise Halt(
                "the private key can't be used", trouble=Trouble.CREDENTIALS, cure="set private_key to a PEM file"
            ) from error
        except (AttributeError, TypeError, ExpatError) as error:  # simple-salesforce stumbles over an odd answer
            raise Retry("Salesforce's answer to our login can't be read") from error
        host = str(instance).partition("/")[0]
        if not (self._redirected or host.endswith(_OURS)):
            raise Halt(f"the login leads to {host}", trouble=Trouble.CREDENTIALS, cure="look at domain: it is no org's")
        told = self._told
        self.who = Who(told.org or (session_id.partition("!")[0] if session_id.startswith("00D") else ""), told.user)
        self._org = Salesforce(
            session_id=session_id, instance=host, session=self._session, version=self._options.api_version
        )

    def send(self, call: Call) -> Answer:
        """Send once, as it is. Raises Retry when nothing was sent, InDoubt when the answer was lost."""
        org = self._org
        url = f"https://{org.sf_instance}{call.path}" if call.path.startswith("/") else org.base_url + call.path
        what = f"{call.method} {call.path}"
        try:
            answer = self._session.request(
                call.method,
                url,
                params=call.params,
                json=call.body,
                headers={**org.headers, "X-PrettyPrint": "0", "Accept": call.accept},
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._lost(error, str(urlsplit(url).hostname), what, InDoubt) from error
        return Answer.of(answer.status_code, answer.headers, answer.content)

    def _lost(self, error: Exception, host: str, what: str, lost: type[Retry] | type[InDoubt]) -> Retry | InDoubt:
        """What an error means: nothing was sent, or `lost`."""
        inner = error.args[0] if error.args else error
        reason = getattr(inner, "reason", inner)
        if isinstance(reason, _UNSENT) or isinstance(error, requests.exceptions.SSLError):
            return Retry(unreached(self._base_host or host, reason, proxy=self._network.proxy_url))
        return lost(f"{what}: {type(reason).__name__} before the answer was complete")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _way_in(self) -> Callable[[], tuple[str, str]]:
        options = self._options
        given: dict[str, str | SecretStr | None] = {
            Login.CLIENT_CREDENTIALS: {"consumer_key": options.client_id, "consumer_secret": options.client_secret},
            Login.JWT: {
                "consumer_key": options.client_id,
                "username": options.username,
                "privatekey": options.private_key,
            },
            Login.SOAP: {
                "username": options.username,
                "password": options.password,
                "security_token": options.security_token,
            },
        }[options.login]
        clear: Any = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in given.items()}
        return partial(
            SalesforceLogin, session=self._session, domain=options.domain, sf_version=options.api_version, **clear
        )

    def _look_who(self, answer: requests.Response, **_: Any) -> None:
        """The answers to logins tell org and user, and simple-salesforce throws them away."""
        path = urlsplit(answer.url).path
        if path.endswith("/oauth2/token") and (found := _WHO.search(answer.content)):
            self._told = Who(org=found[1].decode(), user=found[2].decode())
        elif "/Soap/u/" in path and (found := _SOAP_USER.search(answer.content)):
            self._told = Who(user=found[1].decode())


def _refused(error: Any) -> Halt | Retry:
    """What a refused login means: `code` is OAuth's or SOAP's word, or a bare status where no JSON came."""
    if isinstance(error.code, int) or error.code in _SLOW_DOWN:
        return Retry(f"Salesforce could not log us in: {error.code}")
    return Halt(
        f"Salesforce refused our login: {error.code}: {error.auth_message[:200]}",
        trouble=Trouble.CREDENTIALS,
        cure="compare domain, client_id and the secret with the External Client App, and see that it has a Run-As "
        "user or is approved for this one; a JWT also needs this host's clock to be right",
    )
