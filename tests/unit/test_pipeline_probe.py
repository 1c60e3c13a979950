"""Probe and canary: what was stopped comes back when it is well, and not before."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from syncd.contract.errors import Halt, Retry, Trouble
from syncd.contract.model import Level
from syncd.contract.network import Network
from syncd.ledger import connections
from syncd.ledger.file import LedgerError
from syncd.ledger.store import Tx
from syncd.pipeline import probe
from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import NAME, Canary
from syncd.pipeline.gate import UNTRIED, Gate, Shut
from syncd.pipeline.parts import Bells
from syncd.web import public
from tests.connectors.proxying import proxy
from tests.contract.fake_crm import FakeCrm

from .callers import served
from .house import SECRET, House


def halted(house: House, name: str, trouble: Trouble) -> None:
    house.run(house.ledger.write(connections.halt, name, trouble, "out of order", "mend it", now=0.0))


def trouble(house: House, name: str) -> Trouble | None:
    return house.run(house.ledger.read(connections.trouble, name))


def look(house: House) -> int:
    return house.run(probe.run_once(house.parts))


# --- providers --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trouble.CREDENTIALS, Trouble.BLOCKED, Trouble.MISCONFIGURED])
def test_a_provider_comes_back_when_its_check_passes(house: House, kind: Trouble) -> None:
    halted(house, "ann", kind)
    house.fake.trouble = Halt("still", trouble=kind, cure="")
    assert (look(house), trouble(house, "ann")) == (0, kind)
    house.fake.trouble = None
    assert (look(house), trouble(house, "ann")) == (1, None)
    assert look(house) == 0


@pytest.mark.parametrize(("left", "back"), [("0", False), ("9.75", False), ("10", True), (None, True)])
def test_credits_must_reach_for_one_of_anything(house: House, left: str | None, back: bool) -> None:
    halted(house, "ann", Trouble.CREDITS)
    house.fake.left = None if left is None else Decimal(left)
    assert (look(house), trouble(house, "ann") is None) == (int(back), back)


def test_balances_are_kept_as_they_are(house: House) -> None:
    house.fake.left = Decimal("4999.75")
    look(house)
    (kept,) = house.sql("SELECT balance, balance_at FROM connection WHERE name = 'ann'")
    assert kept == ("4999.75", house.clock.now())


def test_one_that_can_not_be_asked_stops_nobody_else(house: House) -> None:
    halted(house, "crm", Trouble.CREDENTIALS)
    house.fake.trouble = Halt("no key", trouble=Trouble.CREDENTIALS, cure="")
    assert (look(house), trouble(house, "crm")) == (1, None)


def test_while_it_is_halted_nothing_is_lifted_by_another_kind_of_news(house: House) -> None:
    """Credits are there; but the key is wrong."""
    halted(house, "ann", Trouble.CREDENTIALS)
    house.fake.left = Decimal(1_000_000)
    house.fake.trouble = Halt("no key", trouble=Trouble.CREDENTIALS, cure="")
    look(house)
    assert trouble(house, "ann") is Trouble.CREDENTIALS


# --- CRMs -------------------------------------------------------------------------------------


def test_a_crm_comes_back_when_its_check_passes(house: House) -> None:
    halted(house, "crm", Trouble.CREDENTIALS)
    house.crm.fail("check", Retry("busy"))
    assert (look(house), trouble(house, "crm")) == (0, Trouble.CREDENTIALS), "not known to be well"
    assert (look(house), trouble(house, "crm")) == (1, None)


def test_a_crm_whose_check_finds_an_error_stays_halted(house: House) -> None:
    class Ill(FakeCrm):
        async def check(self, selections):  # type: ignore[no-untyped-def]
            found = await super().check(selections)
            return [replace(found[0], level=Level.ERROR)]

    house.parts = replace(house.parts, crms={"crm": Ill("crm")})
    halted(house, "crm", Trouble.CREDENTIALS)
    assert (look(house), trouble(house, "crm")) == (0, Trouble.CREDENTIALS)


def test_a_crm_that_is_well_is_not_asked_again_and_again(house: House) -> None:
    look(house)
    assert "check" not in house.crm.calls


# --- counts -----------------------------------------------------------------------------------


def test_counts_reach_the_disk_once_and_are_not_lost_when_they_can_not(house: House) -> None:
    house.parts.tallies["callbacks_forged"] += 2
    ledger, house.parts = house.ledger, replace(house.parts, ledger=_Full())  # type: ignore[arg-type]
    with pytest.raises(LedgerError):
        house.run(probe.flush(house.parts))
    house.parts = replace(house.parts, ledger=ledger)
    house.parts.tallies["callbacks_forged"] += 1
    house.run(probe.flush(house.parts))
    house.run(probe.flush(house.parts))
    assert house.tally("callbacks_forged") == 3


class _Full:
    async def write(self, *_: object) -> None:
        raise LedgerError("the disk is full")


# --- the canary -------------------------------------------------------------------------------


def flown(house: House, canary: Canary, *, lands_at: House | None = None) -> int:
    """Fly once; the public URL leads to a listener of this house, or of another one."""

    async def go() -> int:
        async with served(public.application((lands_at or house).parts, canary)) as line:
            point(house, f"http://127.0.0.1:{line.port}")
            return await canary.run_once(house.parts)

    return house.run(go())


def point(house: House, url: str) -> None:
    """Where callbacks lead."""
    house.parts = replace(house.parts, addresses=Addresses(url, [SECRET]))


def test_the_gate_opens_when_the_canary_comes_home(house: House) -> None:
    house.parts = replace(house.parts, gate=Gate({("callbacks", ""): Shut(UNTRIED["callbacks"])}))
    bell = house.parts.bells.bells["dispatch:ann"] = asyncio.Event()
    assert house.parts.gate.shut, "shut until it was tried"
    assert flown(house, Canary()) == 1
    assert (house.parts.gate.shut, bell.is_set()) == ("", True)
    assert trouble(house, NAME) is None


def test_the_gate_shuts_when_nobody_answers_and_opens_again(house: House) -> None:
    house.person()
    canary = Canary()
    point(house, "http://127.0.0.1:9")
    assert house.run(canary.run_once(house.parts)) == 0
    assert "could not reach 127.0.0.1: it refused the connection" in house.parts.gate.shut
    assert trouble(house, NAME) is Trouble.UNREACHABLE
    assert house.ask() == 0, "what can't come back is not bought"
    assert flown(house, canary) == 1
    assert house.dispatch() == 2
    assert trouble(house, NAME) is None


def test_an_answer_from_somebody_elses_listener_does_not_count(house: House, tmp_path: Path) -> None:
    """The URL leads to another syncd, or to a page that says 200 to everything."""
    with House(tmp_path / "another") as another:
        assert flown(house, Canary(), lands_at=another) == 0
    assert house.parts.gate.shut == "callbacks don't arrive here: the public URL answered HTTP 200"


def test_n3_the_canary_goes_by_the_proxy_too(house: House) -> None:
    with proxy() as (way, seen):
        network = Network(proxy=way)
        house.parts = replace(house.parts, settings=replace(house.parts.settings, network=network))
        assert flown(house, Canary()) == 1
    assert [line.split(" ")[0] for line in seen] == ["POST"]
    assert "/callbacks/canary?" in seen[0]
    assert flown(house, Canary()) == 0, "the proxy is gone"
    assert f"the proxy {way}: it refused the connection" in house.parts.gate.shut


def test_bells_ring_for_one_stage_or_for_all_of_a_kind() -> None:
    bells = Bells({name: asyncio.Event() for name in ("dispatch:ann", "dispatch:bob", "inbox")})
    bells.ring("dispatch:bob")
    assert [name for name, bell in bells.bells.items() if bell.is_set()] == ["dispatch:bob"]
    bells.ring("dispatch")
    bells.ring("nobody")
    assert [name for name, bell in bells.bells.items() if bell.is_set()] == ["dispatch:ann", "dispatch:bob"]


def test_tallies_add_up(house: House) -> None:
    def twice(tx: Tx) -> None:
        tx.tally("seen", 0)
        tx.tally("seen", 2)
        tx.tally("seen")

    house.run(house.ledger.write(twice))
    assert house.tally("seen") == 3
