"""The legal basis of a record that names none: set with its first value, taken back with the last one."""

from dataclasses import replace

import pytest

from tests.contract.fake_crm import FakeCrm

from .conftest import Build
from .harness import EMAIL, PHONE, Harness

WORDS, PLACE = "Legitimate interest - prospect/lead", "legal_basis"
MAIL, NUMBER = "ada@acme.example.com", "+33639980123"


def based(build: Build, *, history: bool = True, there: bool = True) -> Harness:
    """A harness whose sync names a legal basis."""
    crm = FakeCrm("crm", conditional=not history, history=history)
    harness = build(crm=crm, fields={EMAIL: ["ann"], PHONE: ["ann"]})
    crm.made = {PLACE} if there else set()
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, legal_basis=WORDS),)))
    harness.recover()
    return harness


def written(harness: Harness, **values: str) -> str:
    ada = harness.person(**values)
    harness.finds(ada, EMAIL, MAIL)
    harness.finds(ada, PHONE, NUMBER)
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert (harness.held(ada), harness.held(ada, "phone")) == (MAIL, NUMBER)
    return ada


@pytest.mark.parametrize("history", [True, False])
def test_it_is_named_in_the_same_update_and_taken_back_with_the_last_value(build: Build, history: bool) -> None:
    harness = based(build, history=history)
    ada = written(harness)
    assert harness.held(ada, PLACE) == WORDS
    assert harness.crm.calls.count("write") == 1
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert [harness.held(ada, name) for name in ("email", "phone", PLACE)] == ["", "", ""]


def test_it_stays_while_a_value_of_ours_does(build: Build) -> None:
    harness = based(build)
    ada = written(harness)
    harness.crm.edit(ada, "email", "typed@acme.example.com")
    harness.crm.edit(ada, "email", MAIL)  # confirmed: theirs now, and left by an undo
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert (harness.held(ada, "phone"), harness.held(ada, "email"), harness.held(ada, PLACE)) == ("", MAIL, WORDS)


@pytest.mark.parametrize("there", ["Freely given consent from contact", WORDS])
def test_what_is_named_there_is_left(build: Build, there: str) -> None:
    harness = based(build)
    ada = written(harness, **{PLACE: there})
    assert harness.held(ada, PLACE) == there
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert harness.held(ada, PLACE) == there, "we have not named it"


def test_what_somebody_has_changed_since_is_left(build: Build) -> None:
    harness = based(build)
    ada = written(harness)
    harness.crm.edit(ada, PLACE, "Not applicable")
    harness.undo(contact=harness.ref(ada))
    harness.undoing()
    assert harness.held(ada, PLACE) == "Not applicable"


def test_where_it_can_t_be_set_the_value_is_written(build: Build) -> None:
    harness = based(build, there=False)
    assert harness.held(written(harness), PLACE) == ""
