"""The only place that touches the official SDK: a request goes in, an `Answer` of any status comes out.

The SDK gives authentication, connections and user agent; its generated models are left aside, since
they cost fifteen times as much as the raw body. Its `api_request` is never used: it ignores the host
that was set and would carry the token elsewhere. It is slow to import, so it is imported on first need.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from syncd.contract.causes import unreached
from syncd.contract.errors import InDoubt, Retry
from syncd.contract.network import Network

from .answers import Answer

THREADS = 4  # and so many TCP connections at most
TIMEOUT = (5.0, 30.0)  # seconds to connect, seconds between two bytes: the SDK itself would wait for ever
WITHIN = 60.0  # seconds for a whole call


class _Sdk:
    """The SDK's client for one portal, and the errors that it raises."""

    def __init__(self, base_url: str, token: str | None, within: float, network: Network) -> None:
        from hubspot import HubSpot  # noqa: PLC0415 - slow to import, see `Wire`
        from hubspot.crm.contacts.exceptions import ApiException  # noqa: PLC0415
        from urllib3 import exceptions  # noqa: PLC0415

        from syncd.contract.sdk_http import manager  # noqa: PLC0415

        hub = HubSpot(access_token=token, host=base_url, base_url=base_url)
        self.client: Any = hub.crm.contacts.batch_api.api_client
        self.client.rest_client.pool_manager = manager(network, base_url, connections=THREADS, within=within)
        self.client.sanitize_for_serialization = _as_it_is
        self.refused: type[Exception] = ApiException
        self.broken: type[Exception] = exceptions.HTTPError
        self.unsent = (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.ProxyError)


def _as_it_is(plain: Any) -> Any:
    """What is sent holds nothing but what JSON has: the SDK would go through all of it to look for its models."""
    return plain


class Wire:
    """A blocking client for one portal: one SDK object, kept, because each new one opens connections."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        timeout: tuple[float, float] = TIMEOUT,
        within: float = WITHIN,
        network: Network | None = None,
    ) -> None:
        self._network = network or Network()
        self._base_url, self._token = base_url, token
        self._timeout, self._within = timeout, within
        self._making = Lock()
        self._made: _Sdk | None = None

    def _sdk(self) -> _Sdk:
        """The SDK, imported and made at the first call: it takes 0.2 s, and callbacks are not to wait for that."""
        with self._making:
            if self._made is None:
                self._made = _Sdk(self._base_url, self._token, self._within, self._network)
            return self._made

    def authorise(self, token: str) -> None:
        """Use another access token from the next call on."""
        with self._making:
            self._token = token
            if self._made is not None:
                self._made.client.configuration.access_token = token

    def send(self, method: str, path: str, body: Any = None, form: Sequence[tuple[str, str]] | None = None) -> Answer:
        """Send once. Raises Retry when nothing was sent, InDoubt when the answer was lost."""
        sdk = self._sdk()
        kind = "application/json" if form is None else "application/x-www-form-urlencoded"
        try:
            answer = sdk.client.call_api(
                path,
                method,
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=body,
                post_params=form,
                auth_settings=["oauth2"] if form is None else [],
                _preload_content=False,
                _request_timeout=self._timeout,
            )
            return Answer.of(answer.status, answer.headers, answer.data)
        except sdk.refused as error:
            return self._answer(error, method, path)
        except (UnicodeDecodeError, AttributeError) as error:  # the SDK stumbles over a body that is no UTF-8, or none
            if not isinstance(error.__context__, sdk.refused):
                raise
            return self._answer(error.__context__, method, path)
        except sdk.broken as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, sdk.unsent):
                raise Retry(
                    unreached(str(urlsplit(self._base_url).hostname), reason, proxy=self._network.proxy_url)
                ) from error
            raise InDoubt(f"{method} {path}: {type(reason).__name__} before the answer was complete") from error

    def close(self) -> None:
        """Close idle connections; busy ones close as they come back."""
        if self._made is not None:
            self._made.client.rest_client.pool_manager.clear()

    def _answer(self, error: Any, method: str, path: str) -> Answer:
        if not error.status:  # TLS failed: the SDK words it as a refusal with status 0
            raise Retry(f"{method} {path}: no secure connection to HubSpot") from error
        raw = error.body.encode() if isinstance(error.body, str) else error.body or b""
        return Answer.of(error.status, error.headers or {}, raw)
