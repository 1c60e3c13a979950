"""Killed at labelled places of a far journey, and judged from the world's side."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from .fork_server import ForkServer
from .killing import kill_at_label, passings
from .labels import units_of_work

# Units of work that the journey does not come by, each with the reason.
BY_NOTHING: dict[str, str] = {
    "reviews.decide": "a person's command, in a process of its own",
    "inbox.set_aside_surplus": "the journey's providers sign their callbacks: what comes later is read like the first",
    "inbox.count_paid_unread": "a counter beside a delivery that is quarantined, which the journey comes by",
    "undos.finish": "the journey's CRM needs a look after each write; of what needs none, the end is written at once",
    "undos.ask_for": "a person's command; the journey's own is another process, as with a command",
    "pauses.pause": "a person's command, API or page",
    "pauses.resume": "a person's command, API or page",
    "doubts.carry_out": "a person's command, API or page",
    "sweep._forget_marks": "a person's command wants a sync to be pulled now",
    "requests._forget_marks": "a person's command wants a contact to be asked about now",
    "undos.stop": "a person's command, API or page",
    "suppressions.add": "a person's command, API or page",
    "suppressions.remove": "a person's command, API or page",
    "forgetting.erase": "a person's command, API or page",
    "search.merge": "the same",
    "retries.retry": "a person's command, tried first on a copy of the ledger",
    "Tx.move_many": "on a copy of the ledger that is thrown away: what `syncd plan` shows",
    "private._nothing": "whether the ledger takes anything at all is asked by writing nothing",
    "intake.nothing": "the same, of a ledger in PostgreSQL that was silent",
    "breakers.add_turns": "a single sync takes no turns",
    "breakers.set_aside": "nobody is refused for a reason that no document knows",
    "budgets.learn_prices": "nothing costs more than its connector knows",
    "confirmations.postpone_probe": "the journey's CRM has no rule that refuses whatever is written",
    "room.note_reached": "the journey's sync has no budget",
    "rates.take": "beside the intents, polls are counted where they count, which they do at neither provider",
    "refreshes.begin": "the journey is shorter than any age at which a value is verified again",
    "refreshes.looked": "the same",
    "provenance.told": "the same",
    "writes.without_place": "the configuration stays what it is",
    "paid_calls.note": "no provider answers in the receipt of a call",
    "requests._store": "nobody wants a contact now by the API; `test_requests` does",
    "requests._carry_out": "the same",
    "requests.cleared": "the journey's sync has no checkbox",
    "work._end": "at the end of a process that shares its ledger with others, as no file is",
    "upkeep.go_on_after_step": "nobody sets the clock; `test_clock_steps` does",
    "upkeep.set_mark": "the same",
}
OUTSIDE = {
    *(f"Provider.{call}" for call in ("submit", "poll", "parse", "check", "balance")),
    *(f"Crm.{call}" for call in ("pull", "check", "read", "write")),
    "Receiver.200",
}


@pytest.fixture(scope="module")
def passed(fork_server: ForkServer, in_memory: Path) -> Counter[str]:
    """How often an undisturbed journey passes each label."""
    return passings(fork_server, in_memory / "undisturbed")


def test_every_write_and_every_call_is_a_labelled_place(passed: Counter[str]) -> None:
    """A new unit of work is to be met by the journey, or named here with the reason why not."""
    met = {label.partition(" ")[2] for label in passed}
    assert units_of_work() - BY_NOTHING.keys() == met - OUTSIDE
    assert met >= OUTSIDE
    assert len(passed) >= 120
    assert {label.partition(" ")[0] for label in passed} == {"before", "within", "after"}


def test_kills_at_labels(fork_server: ForkServer, in_memory: Path, passed: Counter[str]) -> None:
    """Ten labels, and at each of them any passing: all that was promised holds, then and in the end."""
    rng = random.Random(6)
    for label in rng.sample(sorted(passed), 10):
        kill_at_label(fork_server, in_memory / label, (label, rng.randint(1, passed[label])))


@pytest.mark.parametrize("label", ["after undoing._begin", "before undoing._note_outcomes", "within undoing._settle"])
def test_kills_while_values_are_put_back(fork_server: ForkServer, in_memory: Path, label: str) -> None:
    """The intent is there, the CRM has carried it out, a colleague's value is back: each goes on."""
    assert kill_at_label(fork_server, in_memory / label, (label, 1)) == 1


def test_a_kill_while_it_recovers_from_a_kill(fork_server: ForkServer, in_memory: Path) -> None:
    blows = ("after Provider.submit", 9), ("after submissions.recover", 1)
    assert kill_at_label(fork_server, in_memory / "twice", *blows) == 2


@pytest.mark.parametrize(
    ("put_off", "label", "found"),
    [
        ("arrivals.store", "after Receiver.200", "acknowledged, and lost"),
        ("submissions.intend", "after Provider.submit", "of which the ledger knows nothing"),
    ],
    ids=["a 200 before the commit", "an intent after the call"],
)
def test_planted_bugs_are_found(fork_server: ForkServer, in_memory: Path, put_off: str, label: str, found: str) -> None:
    """A unit of work that is called done before it is begun."""
    blows = [(label, number) for number in range(1, 5)]

    def kill() -> None:
        for blow in blows:
            kill_at_label(fork_server, in_memory / f"{put_off}-{blow[1]}", blow, puts_off=(put_off,))

    with pytest.raises(AssertionError, match=found):
        kill()
