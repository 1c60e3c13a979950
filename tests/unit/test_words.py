"""Each state has one word, one sign and one colour, wherever it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from syncd.ledger.states import JobState, Reason
from syncd.observe.summary import SIGNS
from syncd.pages import words as pages
from syncd.words import REASONS, STANDINGS, STATES, TERMINAL, Colour, Standing, Word, of_job


def ambiguous(words: Iterable[Word]) -> list[str]:
    """Words that stand for two things."""
    told = [one.word for one in words]
    return sorted({word for word in told if told.count(word) > 1})


def test_each_state_has_a_word_a_sign_and_a_meaning() -> None:
    assert list(STATES) == list(JobState)
    assert list(REASONS) == list(Reason)
    assert list(STANDINGS) == list(Standing)
    for one in (*STATES.values(), *REASONS.values(), *STANDINGS.values()):
        assert len(one.sign) == 1
        assert one.word
        assert len(one.meaning) > 10


def test_no_word_stands_for_two_states() -> None:
    assert ambiguous((*STATES.values(), *REASONS.values())) == []
    assert ambiguous(STANDINGS.values()) == []
    assert [one.word for one in STANDINGS.values()] == [one.value for one in STANDINGS]


def test_each_sign_has_one_colour_among_what_goes_on() -> None:
    """Of what has ended, the colour says whether that is good."""
    seen: dict[str, Colour] = {}
    for one in (*STANDINGS.values(), *STATES.values()):
        assert seen.setdefault(one.sign, one.colour) == one.colour


def test_a_terminal_has_a_colour_for_each_kind_and_none_of_them_is_blue() -> None:
    assert set(TERMINAL) == set(Colour)
    assert "blue" not in TERMINAL.values()


def test_a_job_that_has_ended_is_shown_by_its_reason() -> None:
    assert of_job("done", "written").marked == "✓ written"
    assert of_job("review").marked == "▲ waits for you"
    assert of_job("waiting", "").marked == "◆ waits for its time"


def test_pages_docs_and_summary_take_them_from_here() -> None:
    shown = {key.value: one for key, one in (*STATES.items(), *REASONS.items())}
    told = {key: (one.sign, one.colour.value, one.word) for key, one in shown.items()}
    assert told == pages.STATES
    assert {key: one.colour.value for key, one in STANDINGS.items()} == pages.STANDINGS
    assert {key: one.sign for key, one in STANDINGS.items()} == SIGNS
    document = (Path(__file__).parents[2] / "docs/reference/states.md").read_text("utf-8")
    for one in (*shown.values(), *STANDINGS.values()):
        assert one.sign in document
        assert one.word in document
        assert one.meaning in document
