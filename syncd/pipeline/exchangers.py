"""Does a domain take mail? Asked of the DNS, by option, before a found address is judged.

Kept in memory: a name server's word is good for hours, and a domain says nothing of a person. What the DNS can't say
(it fails, or takes too long) changes nothing, and is not asked again for some minutes.

Source: RFC 5321 section 5.1 (without an MX record the domain's own address counts), RFC 7505 (a null MX takes no mail).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog

from syncd.config import Address

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

WITHIN = 5.0  # real seconds for all domains of a page
GOOD_FOR = {True: 86_400.0, False: 3_600.0, None: 300.0}  # seconds: it takes mail, it does not, nobody can say
KEPT = 10_000  # domains

log = structlog.get_logger("syncd.exchangers")


class Exchangers:
    """What is known of domains, until when (monotonic). `within`: real seconds for all domains of a page."""

    def __init__(self, within: float = WITHIN) -> None:
        self._within = within
        self._known: OrderedDict[str, tuple[float, bool | None]] = OrderedDict()

    def refuses(self, host: str) -> bool:
        """Is it known that the domain takes no mail?"""
        return self._known.get(host, (0.0, None))[1] is False

    async def look(self, hosts: Iterable[str], server: Address | None, now: float) -> None:
        """Ask about those of which nothing fresh is known. Never fails: what is not answered in time is unknown."""
        wanted = sorted({host for host in hosts if self._known.get(host, (0.0, None))[0] <= now})
        if not wanted:
            return
        found: dict[str, bool | None] = dict.fromkeys(wanted)
        try:
            async with asyncio.timeout(self._within):
                resolver = _resolver(server, self._within)
                await asyncio.gather(*(self._ask(resolver, host, found) for host in wanted))
        except TimeoutError:
            log.warning("dns_too_slow", domains=len(wanted), seconds=self._within)
        for host, takes in found.items():
            self._known[host] = (now + GOOD_FOR[takes], takes)
            self._known.move_to_end(host)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    @staticmethod
    async def _ask(resolver: Resolver, host: str, found: dict[str, bool | None]) -> None:
        found[host] = await takes_mail(resolver, host)


async def takes_mail(resolver: Resolver, host: str) -> bool | None:
    """Whether a domain takes mail; None where the DNS does not say."""
    from dns.exception import DNSException  # noqa: PLC0415 - see `_resolver`
    from dns.resolver import NXDOMAIN, NoAnswer  # noqa: PLC0415

    try:
        answer: Any = await resolver.resolve(f"{host}.", "MX")
        return any(str(record.exchange) != "." for record in answer)
    except NXDOMAIN:
        return False
    except NoAnswer:
        return await _has_address(resolver, host)
    except (DNSException, OSError):
        return None


async def _has_address(resolver: Resolver, host: str) -> bool | None:
    from dns.exception import DNSException  # noqa: PLC0415
    from dns.resolver import NoAnswer  # noqa: PLC0415

    for kind in ("A", "AAAA"):
        try:
            await resolver.resolve(f"{host}.", kind)
        except NoAnswer:
            continue
        except (DNSException, OSError):
            return None
        return True
    return False


def _resolver(server: Address | None, within: float) -> Resolver:
    """The host's name servers, or the one that is configured. Imported by the first who asks (0.1 s)."""
    from dns.asyncresolver import Resolver as AsyncResolver  # noqa: PLC0415
    from dns.resolver import NoResolverConfiguration  # noqa: PLC0415

    try:
        made = AsyncResolver(configure=server is None)
    except NoResolverConfiguration:
        made = AsyncResolver(configure=False)  # nobody is asked, nothing is known
    if server is not None:
        made.nameservers, made.port = [server.host], server.port
    made.timeout, made.lifetime = within / 2, within
    return made
