"""How far one PostgreSQL goes: a simulation of the transactions that wait for each other, with what they cost.

One transaction writes at a time (see `syncd/ledger/postgres.py`), so a cluster is one server with a queue. What comes
in: pages of sweeps, evenly over a day; contacts on their way (claimed, asked about, answered, written); callbacks,
which wait behind both. The simulation says how long a callback waits; a day's work over what a day can hold says how
many clusters it takes.

    python -m benchmarks.beyond
"""

from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

DAY = 86_400.0
PAGE = 100  # contacts
TRANSACTIONS = 10  # for a contact that is asked about
USED = 0.6  # share of a cluster's time up to which callbacks are quick: see `waits`
NEW = 0.01  # share of all contacts that are asked about on a day: most are known, or were asked already
SEARCHED = 5.0  # pages a second that HubSpot's search gives one account: its documented limit
ACCOUNT = 100_000  # contacts of a usual account
SIZES = (10**5, 10**6, 10**7, 10**8, 10**9)


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds in which nobody else writes, and bytes that stay: PostgreSQL 15 and syncd on two shared cores."""

    page: float = 2.7  # of unchanged contacts that are seen again
    contact: float = 20.0  # that is asked about: its ten transactions together, most of it fsync
    callback: float = 0.8  # stored, with others beside it
    bytes: float = 16_000.0  # of a contact that was asked about, with what happened to it and the indexes


@dataclass(frozen=True, slots=True)
class Load:
    """A second's work."""

    pages: float
    contacts: float
    callbacks: float

    @classmethod
    def of(cls, contacts: int) -> Load:
        """Every contact is seen once a day; some are asked about, each in two calls."""
        asked = contacts * NEW / DAY
        return cls(contacts / PAGE / DAY, asked, 2 * asked)

    def busy(self, costs: Costs) -> float:
        """The share of a second that it takes; above 1, one cluster is not enough."""
        return (self.pages * costs.page + self.contacts * costs.contact + self.callbacks * costs.callback) / 1000


def waits(load: Load, costs: Costs, *, seconds: float, seed: int) -> list[float]:
    """How long each callback waited until it was stored, in milliseconds. Work comes at random, and in its order."""
    rng, free, waited = random.Random(seed), 0.0, list[float]()
    kinds = (
        (load.pages, costs.page),
        (load.contacts * TRANSACTIONS, costs.contact / TRANSACTIONS),
        (load.callbacks, costs.callback),
    )
    for at, kind in heapq.merge(*(_arrivals(rate, kind, seconds, rng) for kind, (rate, _) in enumerate(kinds))):
        free = max(free, at) + kinds[kind][1] / 1000
        if kind == len(kinds) - 1:
            waited.append((free - at) * 1000)
    return waited


def _arrivals(rate: float, kind: int, seconds: float, rng: random.Random) -> Iterator[tuple[float, int]]:
    at = 0.0
    while rate > 0 and (at := at + rng.expovariate(rate)) < seconds:
        yield at, kind


def table(costs: Costs) -> str:
    """For each size: how busy a cluster would be, how many it takes, how long a callback waits in one of them."""
    head = "| contacts | of one cluster's time | clusters | a callback waits (99 of 100) | disk of each | accounts |"
    lines = [head, "|--:|--:|--:|--:|--:|--:|"]
    for size in SIZES:
        busy = Load.of(size).busy(costs)
        clusters = max(1, -int(-busy // USED))
        share = Load.of(size // clusters)
        p99 = quantiles(waits(share, costs, seconds=600.0, seed=1) or [0.0, 0.0], n=100)[98]
        disk = size / clusters * costs.bytes / 1e9
        lines.append(
            f"| {size:,} | {100 * busy:.1f} % | {clusters} | {p99:.0f} ms | {disk:,.1f} GB "
            f"| {max(1, size // ACCOUNT):,} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(Costs()) + "\n")
