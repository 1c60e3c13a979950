"""Which one of several processes on a ledger sends the alerts: the one that holds them, as long as it has its lease.

The next one reads from the ledger what was told already, so that nothing is told twice because a process has ended.
"""

from __future__ import annotations

from contextlib import suppress

from syncd.ledger import claims
from syncd.ledger.claims import Claim, Kind
from syncd.ledger.file import LedgerError
from syncd.pipeline.parts import Parts

ALL = ("all",)


class Teller:
    """Where no other process may work on the ledger, it is always this one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._claim: Claim | None = None

    async def is_me(self) -> bool:
        """Whether this process is to tell what is wrong now. While the ledger says nothing, it stays as it was."""
        parts = self._parts
        if not parts.ledger.shared:
            return True
        with suppress(LedgerError):
            if self._claim is not None and await parts.ledger.read(claims.holds, self._claim):
                return True
            await self._take()
        return self._claim is not None

    async def _take(self) -> None:
        self._let_go()
        parts = self._parts
        claim = await parts.ledger.write(
            claims.take, Kind.ALERTS, ALL, owner=parts.at_work.owner, now=parts.clock.now()
        )
        if claim.items:
            parts.at_work.took(claim)
            self._claim = claim

    async def close(self) -> None:
        """Another one may do it at once."""
        claim = self._claim
        self._let_go()
        if claim is not None:
            with suppress(LedgerError):  # then it is given back like all that this process holds no more
                await self._parts.ledger.write(claims.release, claim)

    def _let_go(self) -> None:
        if self._claim is not None:
            self._parts.at_work.active.discard(self._claim.epoch)
            self._claim = None
