"""Each state in one word, one sign and one colour: the same in commands, on the pages, in the API and in the docs.

The signs carry the meaning for those who see no colours. In here: how states are shown. Not in here: which state
something is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from syncd.ledger.states import JobState, Reason


class Standing(StrEnum):
    """How a sync is doing; the value is the word that people read."""

    MOVING = "moving"
    IDLE = "idle"
    FOR_YOU = "waits for you"
    FOR_VENDOR = "waits for a vendor"
    STOPPED = "stopped"
    FAILED = "failed"


class Colour(StrEnum):
    """A kind of colour: the pages have a class for each, terminals one of their eight base colours."""

    GOOD = "good"
    YOU = "you"
    VENDOR = "vendor"
    BAD = "bad"
    IDLE = "idle"


TERMINAL = {  # no blue: many terminals show it too dark to be read
    Colour.GOOD: "green",
    Colour.YOU: "yellow",
    Colour.VENDOR: "cyan",
    Colour.BAD: "red",
    Colour.IDLE: "default",
}


@dataclass(frozen=True, slots=True)
class Word:
    """How a state is shown, and what it means."""

    sign: str
    colour: Colour
    word: str
    meaning: str

    @property
    def marked(self) -> str:
        """Sign and word."""
        return f"{self.sign} {self.word}"


_C = Colour

STANDINGS = {
    Standing.MOVING: Word("●", _C.GOOD, "moving", "contacts are worked on now"),
    Standing.IDLE: Word("○", _C.IDLE, "idle", "everything that could be done is done"),
    Standing.FOR_YOU: Word("▲", _C.YOU, "waits for you", "values wait for a person's decision"),
    Standing.FOR_VENDOR: Word("◆", _C.VENDOR, "waits for a vendor", "an answer, credits or a limit is waited for"),
    Standing.STOPPED: Word("■", _C.BAD, "stopped", "nothing is bought or written until that has ended"),
    Standing.FAILED: Word("✕", _C.BAD, "failed", "the last pull failed; it is tried again by itself"),
}

STATES = {
    JobState.QUEUED: Word(
        "◆", _C.VENDOR, "to be asked", "its provider is asked as soon as limits and budgets allow it"
    ),
    JobState.WAITING: Word("◆", _C.VENDOR, "waits for its time", "it is due later, or stands behind another question"),
    JobState.SENDING: Word("●", _C.GOOD, "is being asked", "a paid call is under way"),
    JobState.SENT: Word("◆", _C.VENDOR, "waits for an answer", "the provider has taken the question"),
    JobState.IN_DOUBT: Word("▲", _C.YOU, "in doubt", "nobody knows whether a paid call arrived; it is not repeated"),
    JobState.ANSWERED: Word("●", _C.GOOD, "is being judged", "an answer came, and is compared with the contact"),
    JobState.REVIEW: Word("▲", _C.YOU, "waits for you", "a person decides whether the value is written"),
    JobState.ACCEPTED: Word("●", _C.GOOD, "to be written", "a value was accepted"),
    JobState.WRITING: Word("●", _C.GOOD, "is being written", "the CRM is read, written and read again"),
    JobState.DONE: Word("○", _C.IDLE, "done", "there is nothing more to do now; the reason says why"),
}

REASONS = {
    Reason.WRITTEN: Word("✓", _C.GOOD, "written", "the value stands in the CRM"),
    Reason.NOT_FOUND: Word("○", _C.IDLE, "not found", "no provider has a value; they are asked again later"),
    Reason.LOW_QUALITY: Word("○", _C.IDLE, "found, not good enough", "a value was found that `accept` does not take"),
    Reason.MISMATCH: Word("✕", _C.BAD, "found for somebody else", "the answer is about another person"),
    Reason.VALUE_KEPT: Word("○", _C.IDLE, "somebody filled it first", "a person has set or cleared the field"),
    Reason.GONE: Word("○", _C.IDLE, "the contact is gone", "the record was deleted, or merged into another one"),
    Reason.DUPLICATE: Word("○", _C.IDLE, "another record holds it", "the CRM has the value on another record"),
    Reason.BLOCKED: Word("■", _C.IDLE, "left alone", "an opt-out, the suppression list, or cleared on purpose"),
    Reason.REJECTED: Word("○", _C.IDLE, "nobody could be asked", "too little is known, or each provider refused it"),
    Reason.NO_CALLBACK: Word("✕", _C.BAD, "no answer came", "a paid call was never answered"),
    Reason.DOUBT_EXPIRED: Word("✕", _C.BAD, "stayed in doubt", "nobody could say whether the call had arrived"),
    Reason.UNDETERMINED: Word("✕", _C.BAD, "the providers failed", "nothing was charged; they are asked again soon"),
    Reason.REFUSED: Word("■", _C.IDLE, "you refused it", "a person said that the value is not theirs"),
    Reason.WRITE_REFUSED: Word("✕", _C.BAD, "the CRM refused it", "a rule or a missing right in the CRM is behind it"),
    Reason.OUTDATED: Word(
        "▲",
        _C.YOU,
        "outdated",
        "asked again, it was not found like that any more: look whether the person has changed jobs",
    ),
    Reason.CLEARED: Word("○", _C.IDLE, "cleared in the CRM since", "what syncd wrote was removed there"),
    Reason.UNDONE: Word("○", _C.IDLE, "put back", "`syncd undo` has restored what stood there before"),
    Reason.CANCELLED: Word("○", _C.IDLE, "cancelled", "the question was withdrawn before it was asked"),
}


def as_json() -> dict[str, list[dict[str, str]]]:
    """All of them, for programs: of syncs, of jobs, and why jobs are done."""
    tables: dict[str, Mapping[Any, Word]] = {"syncs": STANDINGS, "states": STATES, "reasons": REASONS}
    return {name: [{"name": key.value, **_plain(one)} for key, one in table.items()] for name, table in tables.items()}


def _plain(one: Word) -> dict[str, str]:
    return {"word": one.word, "sign": one.sign, "colour": one.colour.value, "means": one.meaning}


def of_job(state: str, reason: str | None = None) -> Word:
    """How a job is shown: by the reason of its end, where there is one."""
    if reason and state == JobState.DONE:
        return REASONS[Reason(reason)]
    return STATES[JobState(state)]
