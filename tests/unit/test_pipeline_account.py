"""Account: the key of another account halts its connection, and nothing of one account reaches the other."""

from __future__ import annotations

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.ledger import connections
from syncd.pipeline import account, probe
from tests.contract.fake_crm import FakeCrm

from .house import EMAIL, House
from .test_pipeline_probe import halted, look, trouble


def other_key(house: House, owner: str = "the-other-portal") -> None:
    """The operator restarts with another account's key."""
    house.crm.owner = owner
    house.reopen()


def told(house: House, name: str = "crm") -> tuple[str, str]:
    ((message, cure),) = house.sql("SELECT message, cure FROM connection WHERE name = ?", name)
    return message, cure


def test_l23_the_key_of_another_portal_halts_the_connection(house: House) -> None:
    one = house.person()
    house.finds(one, EMAIL, "ada@example.com")
    house.ask()
    other_key(house)
    with pytest.raises(Halt) as caught:
        house.pull()
    assert caught.value.trouble is Trouble.ACCOUNT
    assert trouble(house, "crm") is Trouble.ACCOUNT
    message, cure = told(house)
    assert "the-other-portal" in message
    assert "account-of-crm" in message
    assert "name" in cure
    house.crm.calls.clear()
    house.answer_all()
    house.finish()
    assert house.dispatch() == 0
    assert not {"pull", "read", "write"} & set(house.crm.calls), "nothing of one account reaches the other"
    assert house.held(one) == ""


@pytest.mark.parametrize("first", ["dispatch", "writeback", "pull", "probe"])
def test_l23_whatever_stage_comes_first_after_the_start(house: House, first: str) -> None:
    one = house.person()
    house.finds(one, EMAIL, "ada@example.com")
    house.ask()
    house.answer_all()
    house.verify()
    house.person("Bea")
    house.pull()
    house.plan()
    other_key(house)
    house.crm.calls.clear()
    house.clock.time += 60
    if first == "pull":
        with pytest.raises(Halt):
            house.pull()
    else:
        assert {"dispatch": house.dispatch, "writeback": house.writeback}.get(first, lambda: look(house))() == 0
    assert trouble(house, "crm") is Trouble.ACCOUNT
    assert not {"pull", "read", "write"} & set(house.crm.calls)


def test_the_former_account_lifts_it_and_only_that(house: House) -> None:
    house.person()
    house.ask()
    other_key(house)
    assert look(house) == 0
    assert (look(house), trouble(house, "crm")) == (0, Trouble.ACCOUNT), "its check is well, and it is another's"
    house.crm.owner = "account-of-crm"
    assert (look(house), trouble(house, "crm")) == (1, None)
    assert house.pull() == 1


def test_a_new_key_after_a_refused_one_is_compared_before_it_is_used(house: House) -> None:
    house.person()
    house.ask()
    halted(house, "crm", Trouble.CREDENTIALS)
    house.crm.owner = "the-other-portal"
    assert (look(house), trouble(house, "crm")) == (0, Trouble.ACCOUNT)


def test_another_connection_is_not_concerned(build: object) -> None:
    house = build(second=FakeCrm("second", first=9001))  # type: ignore[operator]
    house.person()
    house.pull()
    other_key(house)
    assert house.run(account.is_known(house.parts, "second"))
    assert not house.run(account.is_known(house.parts, "crm"))
    assert trouble(house, "second") is None


def test_the_same_for_a_provider_that_tells_its_workspace(house: House) -> None:
    house.fake.workspace = "w-1"
    one = house.person()
    house.ask()
    house.person("Bea")
    house.pull()
    house.plan()
    house.fake.workspace = "w-2"
    house.reopen()
    calls = len(house.fake.submitted)
    assert house.dispatch() == 0
    assert trouble(house, "ann") is Trouble.ACCOUNT
    house.sweep()
    assert (house.fake.polled, len(house.fake.submitted)) == ([], calls), "another workspace knows nothing of our calls"
    house.fake.workspace = "w-1"
    assert look(house) == 1
    house.dispatch()
    assert len(house.fake.submitted) > calls
    assert house.state(one)


def test_a_provider_that_tells_none_is_used(house: House) -> None:
    house.person()
    assert house.ask() == 2
    assert house.sql("SELECT name, account FROM connection ORDER BY name") == [("crm", "account-of-crm")]


def test_while_it_can_not_be_told_nothing_is_done_and_soon_again(house: House) -> None:
    house.person()
    house.crm.fail("account", Retry("HTTP 503"))
    with pytest.raises(Retry):
        house.pull()
    with pytest.raises(Retry, match="503"):
        house.pull()
    assert trouble(house, "crm") is None
    house.clock.time += account.AGAIN
    assert house.pull() == 1


def test_it_is_asked_once_in_a_life(house: House) -> None:
    house.person()
    house.ask()
    house.crm.fail("account", Halt("asked again", trouble=Trouble.BLOCKED, cure=""))
    house.ask()
    house.run(probe.run_once(house.parts))
    assert trouble(house, "crm") is None


def test_the_first_account_stays(house: House) -> None:
    keep = connections.keep_account
    assert house.run(house.ledger.write(keep, "crm", "1")) == "1"
    assert house.run(house.ledger.write(keep, "crm", "2")) == "1"
    house.run(house.ledger.write(connections.halt, "ann", Trouble.CREDITS, "none left", "buy", now=0.0))
    assert house.run(house.ledger.write(keep, "ann", "3")) == "3"
    assert trouble(house, "ann") is Trouble.CREDITS
