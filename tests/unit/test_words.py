"""Each state has one word, one sign and one colour, wherever it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from syncd.cli import screen
from syncd.ledger.states import JobState, Reason
from syncd.observe.summary import SIGNS
from syncd.pages import words as pages
from syncd.words import REASONS, STANDINGS, STATES, TERMINAL, Colour, Standing, Word, of_job

from .harness import Harness
from .test_pages import browse


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


def test_c2_page_command_api_metrics_and_docs_tell_every_state_alike(written: Harness) -> None:
    """Of each of the five, the list of (name, sign, word) that it really shows."""
    written.recover()
    tables: dict[str, Mapping[Any, Word]] = {"syncs": STANDINGS, "states": STATES, "reasons": REASONS}
    ours = {name: [(key.value, one.sign, one.word) for key, one in table.items()] for name, table in tables.items()}

    told = json.loads(browse(written, lambda client: client.get("/api/words")).text)
    api = {name: [(one["name"], one["sign"], one["word"]) for one in rows] for name, rows in told.items()}
    assert api == ours
    [sync] = json.loads(browse(written, lambda client: client.get("/api/status")).text)["syncs"].values()
    assert (sync["state"], sync["sign"], sync["state"]) in ours["syncs"]

    page = {
        "syncs": [(one.value, *_shown(pages.standing(one.value))) for one in Standing],
        "states": [(one.value, *_shown(pages.state(one.value))) for one in JobState],
        "reasons": [(one.value, *_shown(pages.state("done", one.value))) for one in Reason],
    }
    assert page == ours

    jobs = [*((one, "") for one in JobState), *((JobState.DONE, one) for one in Reason)]
    command = [of_job(state.value, str(reason)).marked for state, reason in jobs]
    assert command == [f"{sign} {word}" for _, sign, word in (*ours["states"], *ours["reasons"])]
    terminal = "\n".join(one.plain for one in screen._help(120))
    assert all(f"{sign} {word}" in terminal for _, sign, word in ours["syncs"])

    text = browse(written, lambda client: client.get("/metrics")).text
    states = set(re.findall(r'syncd_sync_state\{state="([^"]*)",sync="people"\}', text))
    assert states == {word for _, _, word in ours["syncs"]}
    assert re.findall(r'syncd_sync_state\{state="([^"]*)",sync="people"\} 1.0', text) == [sync["state"]]
    labels = re.findall(r'syncd_jobs\{[^}]*reason="([^"]*)",state="([^"]*)"', text)
    assert labels
    assert {state for _, state in labels} <= {name for name, _, _ in ours["states"]}
    assert {reason for reason, _ in labels} - {""} <= {name for name, _, _ in ours["reasons"]}

    document = (Path(__file__).parents[2] / "docs/reference/states.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| (\S) \| (.*?) \| `(.*?)` \|", document)
    assert [(name, sign, word) for sign, word, name in rows] == [one for rows in ours.values() for one in rows]


def _shown(badge: str) -> tuple[str, str]:
    """Sign and word, as a browser shows them."""
    sign, word = re.sub("<[^>]*>", "", badge).strip().split(" ", 1)
    return sign, word
