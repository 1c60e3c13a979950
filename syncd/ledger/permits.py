"""What a call needs beside a budget: all of it is looked at, and taken, in the transaction of its intent.

What a process has seen before is only a hint: another one may have found since that the provider wants no call or that
the CRM takes no writes, or have used up what the limits allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from syncd.contract.pacing import Window

from . import claims, confirmations, connections, gates, rates
from .claims import Claim, Owner
from .rates import TooSoon
from .store import Tx


@dataclass(frozen=True, slots=True)
class Permit:
    """Who makes a call, under which claim on its jobs, for which CRM, and within which limits of the provider.

    `writing`, `at_first`: what the sync writes, and for how many contacts is bought until such a write was confirmed.
    `canary`: after how many writes the sync waits for a person.
    """

    owner: Owner
    claim: Claim
    crm: str
    windows: tuple[Window, ...]
    writing: str = ""
    at_first: int = 0
    canary: int | None = None


class Use(NamedTuple):
    """A call that is to be made on a permit."""

    permit: Permit
    provider: str
    sync: str
    jobs: Sequence[int]
    now: float


def use(tx: Tx, uses: Sequence[Use]) -> None:
    """All of these calls may be made. Raises Lost, Shut, TooSoon or NotYet where one of them may not."""
    now = max((one.now for one in uses), default=0.0)
    for owner in dict.fromkeys(one.permit.owner for one in uses):
        claims.renew(tx, owner, now=now)
    for claim in dict.fromkeys(one.permit.claim for one in uses):
        claims.require(tx, claim, [job for one in uses if one.permit.claim == claim for job in one.jobs])
    for owner, sync, provider, crm in dict.fromkeys(
        (one.permit.owner, one.sync, one.provider, one.permit.crm) for one in uses
    ):
        gates.require_open(tx, owner, sync=sync, provider=provider, crm=crm, now=now)
    first = dict.fromkeys((one.sync, one.permit.writing, one.permit.at_first, one.permit.canary) for one in uses)
    for sync, writing, at_first, canary in first:
        jobs = [job for one in uses if one.sync == sync for job in one.jobs]
        confirmations.require(tx, sync, writing, jobs, limit=at_first, canary=canary, now=now)
    for (provider, windows), calls in Counter((one.provider, one.permit.windows) for one in uses).items():
        if (wait := connections.refused(tx, provider).until - now) > 0:
            raise TooSoon(wait)
        rates.take(tx, provider, windows, now=now, calls=calls)
