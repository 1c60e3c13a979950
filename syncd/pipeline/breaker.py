"""May a paid call go out to a provider now? A pure state machine; the row behind it is in the ledger.

Closed: calls go out. Open: after a call whose fate nobody knows, none goes out. While it is open the provider's free
call (its balance) is made, at growing intervals. Trial: the provider answers again, and one small paid call finds out
whether those work, too. Beside that: how many contacts in a row met the same undocumented refusal, and from which
price on the credits did not suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from syncd.contract.jsontext import dump, parse

SAME_IN_A_ROW = 3  # different contacts that meet the same refusal before it is the connection's
FIRST_LOOK, LONGEST_LOOK = 60.0, 900.0  # seconds between free calls, doubled each time
AFTER_DOUBTS = (60.0, 900.0, 3600.0)  # seconds from the last doubt to a paid call, where no free call saw it come back
AFTER_TRIALS = (0.0, 600.0, 3600.0)  # the same where one did: by the number of paid calls that were tried in vain
LONGEST = 3600.0
UNKNOWN_BALANCE = 900.0  # seconds until a price is tried again where no balance can be seen


@dataclass(frozen=True, slots=True)
class Breaker:
    """The way to one provider. Times are UTC seconds; 0 is never."""

    why: str = ""  # it is open: what happened
    opened_at: float = 0.0
    doubted_at: float = 0.0  # when the last call ended in doubt
    next_look_at: float = 0.0
    looks: int = 0  # since it opened
    doubts: int = 0  # since the last call that was answered
    trials: int = 0  # paid calls that were tried since then
    seen_down: bool = False  # the free call failed, too
    trial: bool = False
    kind: str = ""  # of the refusal that was met last
    refused: tuple[str, ...] = ()  # the contacts that met it, in a row
    halts: int = 0  # how often that has halted the connection in a row
    lift_at: float = 0.0  # no sooner is it tried again
    short: Decimal | None = None  # calls of this worst case were refused for want of credits
    balance: Decimal | None = None  # as it was seen since
    short_at: float = 0.0

    @property
    def closed(self) -> bool:
        """May calls go out freely?"""
        return not self.why

    @property
    def goes_out(self) -> bool:
        """May any call go out, be it a single small one?"""
        return self.closed or self.trial

    def is_due(self, at: float, now: float) -> bool:
        """Has a moment come? A clock that was set back makes nobody wait for longer than the longest pause."""
        return now >= at or at - now > LONGEST

    @property
    def is_connections_fault(self) -> bool:
        """Have different contacts met the same refusal in a row?"""
        return len(self.refused) >= SAME_IN_A_ROW

    # --- calls in doubt ---------------------------------------------------------------------

    def doubted(self, why: str, now: float) -> Breaker:
        """A paid call ended in doubt."""
        return replace(
            self,
            why=why,
            opened_at=self.opened_at if self.why and not self.trial else now,
            doubted_at=now,
            next_look_at=now + FIRST_LOOK,
            looks=0,
            doubts=self.doubts + 1,
            trials=self.trials + self.trial,
            seen_down=False,
            trial=False,
        )

    def silent(self, now: float) -> Breaker:
        """The free call failed."""
        return self if self.closed else replace(self._looked(now), seen_down=True)

    def free_answered(self, now: float) -> Breaker:
        """The free call was answered, or there is none: is it time for a paid one?"""
        if self.closed or self.trial:
            return self
        if self.is_due(self.paid_at, now):
            return replace(self, trial=True)
        looked = self._looked(now)
        return replace(looked, next_look_at=min(looked.next_look_at, self.paid_at))

    def answered(self, opened_at: float) -> Breaker:
        """The provider took or refused a paid call in its own words. `opened_at`: as it was when that call began;
        one that began before it opened proves nothing."""
        if self.why and (opened_at != self.opened_at or not self.trial):
            return self
        return Breaker(
            kind=self.kind, refused=self.refused, halts=self.halts, lift_at=self.lift_at,
            short=self.short, balance=self.balance, short_at=self.short_at,
        )  # fmt: skip

    @property
    def paid_at(self) -> float:
        """When a paid call may be tried."""
        pauses, times = (AFTER_TRIALS, self.trials) if self.seen_down else (AFTER_DOUBTS, self.doubts - 1)
        return self.doubted_at + pauses[min(max(times, 0), len(pauses) - 1)]

    def _looked(self, now: float) -> Breaker:
        looks = self.looks + 1
        return replace(self, looks=looks, next_look_at=now + min(FIRST_LOOK * 2.0**looks, LONGEST_LOOK))

    # --- undocumented refusals --------------------------------------------------------------

    def refused_for(self, kind: str, contact: str) -> Breaker:
        """A contact met an undocumented refusal."""
        before = tuple(one for one in self.refused if one != contact) if kind == self.kind else ()
        return replace(self, kind=kind, refused=(*before, contact)[-SAME_IN_A_ROW:])

    def halted(self, now: float) -> Breaker:
        """It was the connection's fault: it is tried again after a growing pause."""
        return replace(self, halts=self.halts + 1, lift_at=now + min(FIRST_LOOK * 2.0**self.halts, LONGEST_LOOK))

    def accepted(self) -> Breaker:
        """A call was taken: no refusal is everybody's."""
        return replace(self, kind="", refused=(), halts=0, lift_at=0.0)

    # --- credits ----------------------------------------------------------------------------

    def too_dear(self, price: Decimal, now: float) -> Breaker:
        """A call of this worst case was refused for want of credits."""
        return replace(self, short=price if self.short is None else min(price, self.short), balance=None, short_at=now)

    def saw_balance(self, balance: Decimal | None, now: float) -> Breaker:
        """What was too dear may be tried again once the balance is as high, or has risen; or after a while where it
        can't be seen. A try costs nothing."""
        if self.short is None:
            return self
        enough = balance is not None and (
            balance >= self.short or (self.balance is not None and balance > self.balance)
        )
        if enough or (balance is None and self.is_due(self.short_at + UNKNOWN_BALANCE, now)):
            return replace(self, short=None, balance=None, short_at=0.0)
        return self if balance is None else replace(self, balance=balance)


def from_row(row: Mapping[str, Any] | None) -> Breaker:
    """The state as the ledger keeps it."""
    if row is None:
        return Breaker()
    values = {key: row[key] for key in Breaker.__dataclass_fields__}
    return Breaker(**{
        **values,
        "seen_down": bool(row["seen_down"]),
        "trial": bool(row["trial"]),
        "refused": tuple(parse(row["refused"])),
        "short": _credits(row["short"]),
        "balance": _credits(row["balance"]),
    })  # fmt: skip


def as_row(one: Breaker) -> dict[str, Any]:
    """The same the other way."""
    return {
        **asdict(one),
        "seen_down": int(one.seen_down),
        "trial": int(one.trial),
        "refused": dump(one.refused),
        "short": None if one.short is None else str(one.short),
        "balance": None if one.balance is None else str(one.balance),
    }


def on_row(step: Callable[[Breaker], Breaker]) -> Callable[[Mapping[str, Any] | None], dict[str, Any]]:
    """A step for the ledger's row."""
    return lambda row: as_row(step(from_row(row)))


def _credits(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
