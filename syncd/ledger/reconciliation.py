"""Does a provider's balance move as the ledger's charges say? Asked at each reading of a balance.

`own` is what the account would hold had nothing been bought here: the balance and all that this ledger's calls took
from it. It stands still unless credits were bought, or went for something that the ledger knows nothing of. What a
call under way has taken is not known: nothing yet, or up to its worst case (a provider may hold the credits when it
takes the call, and refund them). So `own` is known as a span, and a difference is only what lies outside of it:

- at least: the balance, and what was charged. A charge may show in the balance a little later (`LATE`);
- at most: the balance, what was charged, what is reserved, and what may still be refunded: calls that were settled
  within `LATE` may be seen in the balance as they were before.

`expected` is the span in which `own` has lain so far; readings that agree with it narrow it. A difference is told once
it has stood for `CONFIRM` seconds, and stays told for as long as it may be right: calls under way can hide it again,
but only a reading that rules it out takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Self

from syncd.contract.jsontext import dump, parse

from .store import Tx

LATE = 900.0  # seconds by which a refund, or a charge, may show in the balance later than here
CONFIRM = 600.0  # seconds for which a difference must stand until it is told
ROUNDING = 1000  # thousandths: providers may show whole credits
SMALLEST_PACK = 50_000  # thousandths: nobody buys fewer credits, while a wrong charge of one call is less


@dataclass(frozen=True, slots=True)
class Span:
    """A number of thousandths that is not known exactly."""

    low: int
    high: int

    def meets(self, other: Span) -> bool:
        """May both be the same number?"""
        return self.low <= other.high and other.low <= self.high

    def common(self, other: Span) -> Span:
        """What both allow."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    def below(self, other: Span) -> int:
        """By how much this lies under another one, at least; negative where it lies above; 0 where they meet."""
        return max(0, other.low - self.high) - max(0, self.low - other.high)

    def widened(self, by: int) -> Span:
        """The same after an unknown part of so much was taken out of it, or (`by` < 0) put in."""
        return Span(self.low - max(0, by), self.high + max(0, -by))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A balance beside what the ledger knows at that moment; all in thousandths."""

    at: float
    balance: int
    charged: int
    charged_before: int  # what was charged LATE seconds ago
    reserved: int
    refunds: int  # what may have been given back within LATE
    assumed: int
    refunded_ever: int

    @property
    def own(self) -> Span:
        """What the account would hold had nothing been bought here."""
        known = self.balance + self.charged
        return Span(self.balance + self.charged_before, known + self.reserved + self.refunds)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a provider's balance compares with the charges, since the first reading.

    `difference` > 0: credits are gone that were not charged here. `carried`: the difference that was there already
    when `expected` was last taken anew, after a purchase.
    """

    since: float
    until: float
    balance: int
    charged_at_first: int
    charged: int
    open: int  # what is reserved, or may still be refunded
    assumed: int
    own: Span
    expected: Span
    carried: int = 0
    difference: int = 0
    differs_since: float | None = None
    confirmed: int = 0
    bought: int = 0
    jump: int = 0  # the most by which the balance rose from one reading to the next, refunds aside
    refunded_ever: int = 0

    @property
    def as_expected(self) -> Span:
        """What is to be expected once the difference is allowed for."""
        explained = self.own.meets(self.expected) and self.difference == self.carried
        return self.expected if explained else self.own

    @classmethod
    def first(cls, reading: Reading) -> Self:
        """What there is to compare with later."""
        return cls(
            since=reading.at,
            until=reading.at,
            balance=reading.balance,
            charged_at_first=reading.charged,
            charged=reading.charged,
            open=reading.reserved + reading.refunds,
            assumed=reading.assumed,
            own=reading.own,
            expected=reading.own,
            refunded_ever=reading.refunded_ever,
        )

    @classmethod
    def load(cls, text: str) -> Self:
        """As it was kept."""
        kept = parse(text)
        return cls(**{**kept, "own": Span(**kept["own"]), "expected": Span(**kept["expected"])})


@dataclass(frozen=True, slots=True)
class News:
    """What a reading changed of what is told: the confirmed difference before, and now."""

    before: Decimal
    now: Decimal


def compare(state: State, reading: Reading) -> State:
    """One more reading. Pure."""
    state = _without_settled(state, reading)
    own, expected, carried, bought = reading.own, state.expected, state.carried, state.bought
    step = reading.balance - state.balance - (reading.refunded_ever - state.refunded_ever)
    jump = max(state.jump, step)
    if own.low > expected.high:
        before = state.own if state.own.below(expected) > 0 else expected
        rise, missing = own.low - before.high, state.difference
        if rise > 0 and 2 * jump >= rise and (step > state.open or jump >= SMALLEST_PACK):
            if rise <= missing:
                missing -= rise  # no purchase: what was missing came back
            else:
                bought += max(rise, jump)
            expected, carried, jump = own, missing, 0
    difference = _difference(state.confirmed, carried, expected, own)
    if own.meets(expected) and difference == carried:
        expected = expected.common(own)
        jump = jump if own.low < own.high else 0  # all is explained: no purchase is hidden by what is under way
    return _confirm(
        replace(
            state,
            until=reading.at,
            balance=reading.balance,
            charged=reading.charged,
            refunded_ever=reading.refunded_ever,
            open=reading.reserved + reading.refunds,
            assumed=reading.assumed,
            own=own,
            expected=expected,
            carried=carried,
            bought=bought,
            jump=jump,
            difference=difference,
        )
    )


def _difference(confirmed: int, carried: int, expected: Span, own: Span) -> int:
    """What is told already, as long as that may be right; else what comes next to it."""
    least, most = carried + expected.low - own.high, carried + expected.high - own.low
    difference = min(max(confirmed, least), most)
    return 0 if abs(difference) < ROUNDING else difference


def _without_settled(state: State, reading: Reading) -> State:
    """Calls that count as charged by now moved nothing: what they took, none or all of it, is in neither span."""
    settled = reading.assumed - state.assumed
    if not settled:
        return state
    expected = state.as_expected.widened(settled)
    return replace(state, own=state.own.widened(settled), expected=expected, carried=state.difference)


def _confirm(state: State) -> State:
    """A difference that has stood for long enough is told; that it became less is told at once."""
    if state.difference == state.confirmed:
        return replace(state, differs_since=None)
    less = abs(state.difference) < abs(state.confirmed) and state.difference * state.confirmed >= 0
    since = state.until if state.differs_since is None else min(state.differs_since, state.until)
    if not less and state.until - since < CONFIRM:
        return replace(state, differs_since=since)
    return replace(state, confirmed=state.difference, differs_since=None)


def note(tx: Tx, provider: str, balance: Decimal, *, now: float) -> News | None:
    """Keep a balance and compare it; what is told of the difference, if that changed."""
    reading = _reading(tx, provider, int(balance * 1000), now)
    kept = load(tx, provider)
    state = State.first(reading) if kept is None else compare(kept, reading)
    tx.run("reconciliation_keep", provider=provider, state=dump(asdict(state)))
    before = 0 if kept is None else kept.confirmed
    return None if state.confirmed == before else News(Decimal(before) / 1000, Decimal(state.confirmed) / 1000)


def accept(tx: Tx, provider: str) -> bool:
    """The operator knows the difference: it is measured anew from here; False where no balance is known."""
    state = load(tx, provider)
    if state is None:
        return False
    known = replace(state, expected=state.as_expected, carried=0, difference=0, confirmed=0, differs_since=None)
    known = replace(known, since=state.until, charged_at_first=state.charged, bought=0)
    tx.run("reconciliation_keep", provider=provider, state=dump(asdict(known)))
    return True


def load(tx: Tx, provider: str) -> State | None:
    """How it stands, as of the last reading."""
    text = tx.value("reconciliation_get", provider=provider)
    return None if text is None else State.load(text)


def report(tx: Tx) -> dict[str, dict[str, Any]]:
    """Each provider whose balance is known, in credits."""
    return {row["provider"]: shown(State.load(row["state"])) for row in tx.rows("reconciliations")}


def shown(state: State) -> dict[str, Any]:
    """For people and scripts. `difference` is certain; `seen` is what the last reading shows, `seen_since` then."""
    return {
        "since": state.since,
        "until": state.until,
        "balance": state.balance / 1000,
        "bought": state.bought / 1000,
        "charged": (state.charged - state.charged_at_first) / 1000,
        "open": state.open / 1000,
        "difference": state.confirmed / 1000,
        "seen": state.difference / 1000,
        "seen_since": state.differs_since,
    }


def in_words(one: Mapping[str, Any]) -> str:
    """What is to be said of a difference, or ""."""
    amount = one["difference"] or one["seen"]
    if not amount:
        return ""
    what = (
        f"{amount:g} credits are gone that were not charged here"
        if amount > 0
        else f"{-amount:g} credits that were charged here are not gone"
    )
    return what if one["difference"] else f"{what}, as it seems: not certain yet"


def _reading(tx: Tx, provider: str, balance: int, now: float) -> Reading:
    totals = tx.row("credits_of_provider", provider=provider)
    known = dict(totals) if totals is not None else {}
    charged, refund = known.get("charged_mc", 0), known.get("refund_mc", 0)
    tx.run("balance_note", provider=provider, balance_mc=balance, charged_mc=charged, refund_mc=refund, now=now)
    tx.run("balance_thin", provider=provider, now=now, late=now - LATE)
    then = tx.one("balance_oldest", provider=provider)  # which has just been noted, or an earlier one
    return Reading(
        at=now,
        balance=balance,
        charged=charged,
        charged_before=then["charged_mc"],
        reserved=known.get("reserved_mc", 0),
        refunds=refund - then["refund_mc"],
        assumed=known.get("assumed_mc", 0),
        refunded_ever=refund,
    )
