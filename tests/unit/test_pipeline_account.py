"""Account: the key of another account halts its connection, and nothing of one account reaches the other."""

from __future__ import annotations

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.ledger import connections
from syncd.pipeline import account, probe
from tests.contract.fake_crm import FakeCrm

from .harness import EMAIL, Harness
from .test_pipeline_probe import halted, look, trouble


def other_key(harness: Harness, owner: str = "the-other-portal") -> None:
    """The operator restarts with another account's key."""
    harness.crm.owner = owner
    harness.reopen()


def told(harness: Harness, name: str = "crm") -> tuple[str, str]:
    ((message, cure),) = harness.sql("SELECT message, cure FROM connection WHERE name = ?", name)
    return message, cure


def test_l23_the_key_of_another_portal_halts_the_connection(harness: Harness) -> None:
    one = harness.person()
    harness.finds(one, EMAIL, "ada@example.com")
    harness.ask()
    other_key(harness)
    with pytest.raises(Halt) as caught:
        harness.pull()
    assert caught.value.trouble is Trouble.ACCOUNT
    assert trouble(harness, "crm") is Trouble.ACCOUNT
    message, cure = told(harness)
    assert "the-other-portal" in message
    assert "account-of-crm" in message
    assert "name" in cure
    harness.crm.calls.clear()
    harness.answer_all()
    harness.finish()
    assert harness.dispatch() == 0
    assert not {"pull", "read", "write"} & set(harness.crm.calls), "nothing of one account reaches the other"
    assert harness.held(one) == ""


@pytest.mark.parametrize("first", ["dispatch", "writeback", "pull", "probe"])
def test_l23_whatever_stage_comes_first_after_the_start(harness: Harness, first: str) -> None:
    one = harness.person()
    harness.finds(one, EMAIL, "ada@example.com")
    harness.ask()
    harness.answer_all()
    harness.verify()
    harness.person("Bea")
    harness.pull()
    harness.plan()
    other_key(harness)
    harness.crm.calls.clear()
    harness.clock.time += 60
    if first == "pull":
        with pytest.raises(Halt):
            harness.pull()
    else:
        assert {"dispatch": harness.dispatch, "writeback": harness.writeback}.get(first, lambda: look(harness))() == 0
    assert trouble(harness, "crm") is Trouble.ACCOUNT
    assert not {"pull", "read", "write"} & set(harness.crm.calls)


def test_the_former_account_lifts_it_and_only_that(harness: Harness) -> None:
    harness.person()
    harness.ask()
    other_key(harness)
    assert look(harness) == 0
    assert (look(harness), trouble(harness, "crm")) == (0, Trouble.ACCOUNT), "its check is well, and it is another's"
    harness.crm.owner = "account-of-crm"
    assert (look(harness), trouble(harness, "crm")) == (1, None)
    assert harness.pull() == 1


def test_a_new_key_after_a_refused_one_is_compared_before_it_is_used(harness: Harness) -> None:
    harness.person()
    harness.ask()
    halted(harness, "crm", Trouble.CREDENTIALS)
    harness.crm.owner = "the-other-portal"
    assert (look(harness), trouble(harness, "crm")) == (0, Trouble.ACCOUNT)


def test_another_connection_is_not_concerned(build: object) -> None:
    harness = build(second=FakeCrm("second", first=9001))  # type: ignore[operator]
    harness.person()
    harness.pull()
    other_key(harness)
    assert harness.run(account.is_known(harness.parts, "second"))
    assert not harness.run(account.is_known(harness.parts, "crm"))
    assert trouble(harness, "second") is None


def test_the_same_for_a_provider_that_tells_its_workspace(harness: Harness) -> None:
    harness.fake.workspace = "w-1"
    one = harness.person()
    harness.ask()
    harness.person("Bea")
    harness.pull()
    harness.plan()
    harness.fake.workspace = "w-2"
    harness.reopen()
    calls = len(harness.fake.submitted)
    assert harness.dispatch() == 0
    assert trouble(harness, "ann") is Trouble.ACCOUNT
    harness.sweep()
    assert (harness.fake.polled, len(harness.fake.submitted)) == ([], calls), (
        "another workspace knows nothing of our calls"
    )
    harness.fake.workspace = "w-1"
    assert look(harness) == 1
    harness.dispatch()
    assert len(harness.fake.submitted) > calls
    assert harness.state(one)


def test_a_provider_that_tells_none_is_used(harness: Harness) -> None:
    harness.person()
    assert harness.ask() == 2
    assert harness.sql("SELECT name, account FROM connection ORDER BY name") == [("crm", "account-of-crm")]


def test_while_it_can_not_be_told_nothing_is_done_and_soon_again(harness: Harness) -> None:
    harness.person()
    harness.crm.fail("account", Retry("HTTP 503"))
    with pytest.raises(Retry):
        harness.pull()
    with pytest.raises(Retry, match="503"):
        harness.pull()
    assert trouble(harness, "crm") is None
    harness.clock.time += account.AGAIN
    assert harness.pull() == 1


def test_it_is_asked_once_in_a_life(harness: Harness) -> None:
    harness.person()
    harness.ask()
    harness.crm.fail("account", Halt("asked again", trouble=Trouble.BLOCKED, cure=""))
    harness.ask()
    harness.run(probe.run_once(harness.parts))
    assert trouble(harness, "crm") is None


def test_the_first_account_stays(harness: Harness) -> None:
    keep = connections.keep_account
    assert harness.run(harness.ledger.write(keep, "crm", "1")) == "1"
    assert harness.run(harness.ledger.write(keep, "crm", "2")) == "1"
    harness.run(harness.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none left", "buy", now=0.0))
    assert harness.run(harness.ledger.write(keep, "ann", "3")) == "3"
    assert trouble(harness, "ann") is Trouble.CREDITS
