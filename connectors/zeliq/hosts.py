"""Which of Zeliq's hosts is called.

The help article names https://app.zeliq.com, the API's own specification and public clients call
https://api.zeliq.com: the free balance call tells which one is the API. A paid call goes to one host only.
Sources: https://help.zeliq.com/en/articles/14652396-zeliq-enrichment-api, https://docs.zeliq.com/reference/enrich-email
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from syncd.contract.errors import ConnectorError, Garbled, Halt, InDoubt, RateLimited, Retry, Skip, Trouble
from syncd.contract.http import Http, Response
from syncd.contract.ports import Tools
from syncd.contract.reading import amount, decode

from . import wire

HOSTS = (wire.DEFAULT_URL, "https://api.zeliq.com")
_REMEMBERED = "host"


class Hosts:
    """The configured host, or Zeliq's two. One HTTP client per host that is used."""

    def __init__(self, base_url: str | None, headers: Mapping[str, str], tools: Tools) -> None:
        self._tools = tools
        self._headers = headers
        self._urls = (base_url.rstrip("/").removesuffix("/api"),) if base_url else HOSTS
        self._clients: dict[str, Http] = {}
        self._finding = asyncio.Lock()
        self._chosen = self._urls[0] if base_url else self._recall()

    async def balance(self) -> Decimal | None:
        """Credits left, or None where no host tells a number: GET /api/credits/balance, which is free.

        The host that told it is called from then on. Raises what the only host, or the one that seems
        to be the API, raised.
        """
        errors: list[ConnectorError] = []
        for url in sorted(self._urls, key=lambda url: url != self._chosen):
            try:
                left = await self._balance_at(url)
            except RateLimited:
                raise
            except (Retry, Halt) as error:
                errors.append(error)
                continue
            if left is not None:
                await self._choose(url)
                return left
        if len(errors) < len(self._urls):
            return None
        raise next((error for error in errors if not _is_elsewhere(error)), None) or self._nowhere(errors)

    async def pay(self, path: str, content: Mapping[str, str]) -> Response:
        """POST one paid call. Where no host is known yet, the free balance call goes before it."""
        async with self._finding:
            if self._chosen is None:
                await self.balance()
            self._chosen = self._chosen or self._urls[0]
        return await self._client(self._chosen).call("POST", path, json_body=content, paid=True)

    async def aclose(self) -> None:
        """Close all clients."""
        for client in self._clients.values():
            await client.aclose()

    async def _balance_at(self, url: str) -> Decimal | None:
        response = await self._client(url).call("GET", wire.BALANCE)
        if wire.is_html(response):
            raise wire.elsewhere(response)
        if response.status != 200:
            error = wire.refusal(response, self._tools.clock.now())
            raise wire.elsewhere(response) if isinstance(error, (Skip, InDoubt)) else error
        try:
            return amount(decode(response.body).get("credit_balance"))
        except Garbled:
            return None

    def _nowhere(self, errors: Sequence[ConnectorError]) -> ConnectorError:
        """No host is the API: a passing matter if one of several could not be reached, else somebody's to mend."""
        passing = next((error for error in errors if isinstance(error, Retry)), None)
        if len(errors) == 1 or passing:
            return passing or errors[0]
        hosts = " nor ".join(url.removeprefix("https://") for url in self._urls)
        cure = (
            "See whether a proxy or a firewall answers in their place (network.proxy); "
            "else ask Zeliq for its API's host and set base_url."
        )
        return Halt(f"neither {hosts} answers as Zeliq's API: {errors[0]}", trouble=Trouble.MISCONFIGURED, cure=cure)

    async def _choose(self, url: str) -> None:
        if url != self._chosen:
            self._chosen = url
            await self._tools.memory.keep(_REMEMBERED, url)

    def _recall(self) -> str | None:
        known = self._tools.memory.recall(_REMEMBERED)
        return next((url for url in self._urls if url == known), None)

    def _client(self, url: str) -> Http:
        if url not in self._clients:
            self._clients[url] = self._tools.http(url, self._headers)
        return self._clients[url]


def _is_elsewhere(error: ConnectorError) -> bool:
    """Was there no API of Zeliq's, or no answer at all?"""
    return isinstance(error, Retry) or (isinstance(error, Halt) and error.trouble is Trouble.MISCONFIGURED)
