"""The life of a job: one contact, one field. Everything that decides a move stands in this file.

A job is *queued* for the provider whose turn it is. Its intent is committed (*sending*) before money
can be spent; after the call it is *sent*, or *in doubt* when nobody can say whether the call was
carried out. An answer makes it *answered*; `verify` then accepts a value, puts a doubtful one before
a person (*review*), gives the next provider its turn (back to *queued*, one step further), or ends it.
An *accepted* value is read-checked and written back (*writing*), and the job is *done*, for exactly one
reason. A person's decision, more known of the contact, or a record that is about somebody else by now
brings a job back to *answered*, where everything that was said is judged anew.

    queued ──► sending ──► sent ──────► answered ──► accepted ──► writing ──► done
      ▲ │         │  └───► in_doubt ──────▲ │  ▲         │            │
      │ ▼         ▼           (evidence)    │  └─review  └► answered ◄┘
    waiting     queued, refused for now     └──► queued, the next provider's turn

Three kinds of downward move exist, each because nothing was spent or something new is known: a call
that was definitely refused, a question that ran out of credits, and a late answer to a job that was
given up (we paid for it). *in doubt* goes back to *queued* only by the operator's own policy.

*waiting* is a queue of its own, for what is due later or stands behind another job (the same person
in flight elsewhere, or the e-mail that a phone search needs), so that a claim never skips over it.
"""

from __future__ import annotations

from enum import StrEnum

NEVER = 253_402_300_799.0  # the last second of the year 9999: what waits until then waits for an event


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    ANSWERED = "answered"
    REVIEW = "review"
    ACCEPTED = "accepted"
    WRITING = "writing"
    DONE = "done"


STATES = {one.value: one for one in JobState}  # by their words: a call of the class takes three times as long


class Reason(StrEnum):
    """Why a job is done."""

    WRITTEN = "written"
    NOT_FOUND = "not_found"
    LOW_QUALITY = "low_quality"  # found, but below what the operator accepts
    MISMATCH = "identity_mismatch"  # found for somebody else
    VALUE_KEPT = "human_value_kept"  # somebody filled or cleared the field first
    GONE = "contact_gone"
    DUPLICATE = "duplicate_of"  # another record holds the value
    BLOCKED = "suppressed"  # opted out, or cleared on purpose
    REJECTED = "rejected_input"  # no provider could be asked, or each refused the person
    NO_CALLBACK = "no_callback"
    DOUBT_EXPIRED = "in_doubt_expired"
    UNDETERMINED = "undetermined"  # providers failed, and charged nothing: asked again soon
    REFUSED = "review_refused"  # a person said that the value is not theirs
    WRITE_REFUSED = "write_refused"
    OUTDATED = "outdated"  # verified again: it stands in the CRM, and was not found like that any more
    CLEARED = "cleared"  # what we wrote, or may have written, was cleared in the CRM since
    UNDONE = "undone"  # what was written was put back, because a person wanted it so
    CANCELLED = "cancelled"


class SubmissionState(StrEnum):
    """Where a paid call stands."""

    INTENT = "intent"
    ACCEPTED = "accepted"
    IN_DOUBT = "in_doubt"
    REFUSED = "refused"  # definitely not carried out, nothing spent
    FAILED = "failed"  # the provider says so, and not what it charged: the worst case stays reserved for a while
    SETTLED = "settled"  # the provider said its last word
    EXPIRED = "expired"  # no answer in time; the worst case stays reserved


class DeliveryState(StrEnum):
    """Where a raw answer stands."""

    RECEIVED = "received"
    APPLIED = "applied"
    QUARANTINED = "quarantined"  # kept, not trusted or not understood
    SURPLUS = "surplus"  # kept, but the call that it answers has had its last word


_S = JobState

MOVES: dict[JobState, frozenset[JobState]] = {
    _S.QUEUED: frozenset({_S.QUEUED, _S.WAITING, _S.SENDING, _S.ANSWERED, _S.DONE}),
    _S.WAITING: frozenset({_S.QUEUED, _S.ANSWERED, _S.DONE}),
    _S.SENDING: frozenset({_S.SENT, _S.IN_DOUBT, _S.ANSWERED, _S.QUEUED}),
    _S.SENT: frozenset({_S.ANSWERED, _S.QUEUED, _S.WAITING}),
    _S.IN_DOUBT: frozenset({_S.SENT, _S.ANSWERED, _S.QUEUED}),
    _S.ANSWERED: frozenset({_S.ACCEPTED, _S.REVIEW, _S.QUEUED, _S.WAITING, _S.DONE}),
    _S.REVIEW: frozenset({_S.ANSWERED}),
    _S.ACCEPTED: frozenset({_S.WRITING, _S.ANSWERED, _S.DONE}),
    _S.WRITING: frozenset({_S.ACCEPTED, _S.ANSWERED, _S.DONE}),
    _S.DONE: frozenset({_S.ANSWERED, _S.QUEUED}),
}

IN_FLIGHT = frozenset({_S.SENDING, _S.SENT, _S.IN_DOUBT})

UNDECIDED = IN_FLIGHT | {_S.QUEUED, _S.WAITING}

REOPENED_BY_LATE_ANSWER = frozenset(
    {
        Reason.NO_CALLBACK,
        Reason.DOUBT_EXPIRED,
        Reason.NOT_FOUND,
        Reason.LOW_QUALITY,
        Reason.MISMATCH,
        Reason.REJECTED,
        Reason.UNDETERMINED,
        Reason.REFUSED,
    }
)

ABOUT_THE_PERSON = REOPENED_BY_LATE_ANSWER | {Reason.DUPLICATE, Reason.WRITE_REFUSED}
"""What is decided anew once a record is about somebody else."""
