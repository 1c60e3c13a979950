"""Deciding what paid calls came to of which nobody can say whether they were carried out, or what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from syncd import filters
from syncd.ledger import search, submissions, unpriced
from syncd.ledger.states import SubmissionState
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced

SENT, NOT_SENT, GIVE_UP, RESEND = "sent", "not-sent", "give-up", "resend"
WORDS = {SENT: "arrived", NOT_SENT: "never arrived", GIVE_UP: "given up", RESEND: "sent once more"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What was said of the calls that are meant; None fits all. `since`, `until`: when they were made, UTC seconds;
    `query`: only those about anybody whom `syncd contacts QUERY` finds."""

    provider: str | None = None
    sync: str | None = None
    since: float | None = None
    until: float | None = None
    query: str | None = None

    def fits(self, call: Doubt | Unpriced) -> bool:
        """All but the query."""
        return (
            self.provider in (None, call.provider)
            and self.sync in (None, call.sync)
            and (self.since is None or call.since >= self.since)
            and (self.until is None or call.since <= self.until)
        )


def choose(tx: Tx, which: Which, *, priced: bool, now: float) -> tuple[list[Doubt | Unpriced], dict[str, list[str]]]:
    """Calls in doubt, or with `priced` those that are over without a price, oldest first; and whom each is about.
    Raises ValueError where the query can't be read."""
    wanted = filters.parse(which.query or "", now=now)
    calls: Sequence[Doubt | Unpriced] = unpriced.unpriced(tx, assumed=True) if priced else submissions.doubts(tx)
    fit = [call for call in calls if which.fits(call)]
    about = search.contacts_of_calls(tx, [one.id for one in fit])
    if which.query:
        found = {ref for ref, _ in search.fields_of(tx, wanted)}
        fit = [one for one in fit if not found.isdisjoint(about[one.id])]
    return fit, about


def as_json(call: Doubt | Unpriced, about: Mapping[str, list[str]]) -> dict[str, Any]:
    """Plain data for scripts."""
    plain = {key: float(one) if isinstance(one, Decimal) else one for key, one in asdict(call).items()}
    return {**plain, "contacts": about[call.id]}


@dataclass(frozen=True, slots=True)
class Decision:
    """`words` as people read it; `carry_out(tx, call, now)` does it."""

    words: str
    carry_out: Callable[[Tx, Doubt | Unpriced, float], object]


def decided(what: str, answer_within: Mapping[str, float]) -> Decision:
    """Of calls in doubt: `what` is a key of WORDS. `answer_within`: for how long each provider's answers are waited
    for, in seconds."""
    note = f"the operator decided: {WORDS[what]}"

    def carry_out(tx: Tx, call: Doubt | Unpriced, now: float) -> None:
        match what:
            case "sent":
                deadline = now + answer_within.get(call.provider, 0.0)
                submissions.accept(tx, call.id, None, poll_at=now, deadline=deadline, now=now, note=note)
            case "not-sent":
                submissions.not_sent(tx, call.id, note, now=now)
            case "give-up":
                submissions.expire(tx, call.id, SubmissionState.IN_DOUBT, note, now=now)
            case _:
                submissions.resend(tx, call.id, note, now=now)

    return Decision(WORDS[what], carry_out)


def priced(charged: Decimal) -> Decision:
    """Of calls without a price: what each was charged."""
    words = f"charged {charged} credits" if charged else "not charged"
    settle = partial(unpriced.settle, charged=charged, note=f"the operator decided: {words}")
    return Decision(words, lambda tx, call, _: settle(tx, call.id))


def carry_out(tx: Tx, calls: Iterable[Doubt | Unpriced], decision: Decision, now: float) -> None:
    """Decide on these."""
    for call in calls:
        decision.carry_out(tx, call, now)


def amount(text: str) -> Decimal:
    """A number of credits; raises ValueError."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or found < 0:
        raise ValueError("say a number of credits, such as 10 or 0.5")
    return found
