"""Deciding what paid calls came to of which nobody can say whether they were carried out, or what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial

from syncd.ledger import submissions, unpriced
from syncd.ledger.states import SubmissionState
from syncd.ledger.store import Tx
from syncd.ledger.submissions import Doubt
from syncd.ledger.unpriced import Unpriced

SENT, NOT_SENT, GIVE_UP, RESEND = "sent", "not-sent", "give-up", "resend"
WORDS = {SENT: "arrived", NOT_SENT: "never arrived", GIVE_UP: "given up", RESEND: "sent once more"}


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
