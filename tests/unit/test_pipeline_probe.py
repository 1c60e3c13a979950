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
from .harness import SECRET, Harness


def halted(harness: Harness, name: str, trouble: Trouble) -> None:
    harness.run(harness.ledger.write(connections.halt, name, trouble, "out of order", "mend it", now=0.0))


def trouble(harness: Harness, name: str) -> Trouble | None:
    return harness.run(harness.ledger.read(connections.trouble, name))


def look(harness: Harness) -> int:
    return harness.run(probe.run_once(harness.parts))


# --- providers --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trouble.CREDENTIALS, Trouble.BLOCKED, Trouble.MISCONFIGURED])
def test_a_provider_comes_back_when_its_check_passes(harness: Harness, kind: Trouble) -> None:
    halted(harness, "ann", kind)
    harness.fake.trouble = Halt("still", trouble=kind, cure="")
    assert (look(harness), trouble(harness, "ann")) == (0, kind)
    harness.fake.trouble = None
    assert (look(harness), trouble(harness, "ann")) == (1, None)
    assert look(harness) == 0


@pytest.mark.parametrize(("left", "back"), [("0", False), ("9.75", False), ("10", True), (None, True)])
def test_credits_must_reach_for_one_of_anything(harness: Harness, left: str | None, back: bool) -> None:
    halted(harness, "ann", Trouble.CREDITS)
    harness.fake.left = None if left is None else Decimal(left)
    assert (look(harness), trouble(harness, "ann") is None) == (int(back), back)


def test_balances_are_kept_as_they_are(harness: Harness) -> None:
    harness.fake.left = Decimal("4999.75")
    look(harness)
    (kept,) = harness.sql("SELECT balance, balance_at FROM connection WHERE name = 'ann'")
    assert kept == ("4999.75", harness.clock.now())


def test_one_that_can_not_be_asked_stops_nobody_else(harness: Harness) -> None:
    halted(harness, "crm", Trouble.CREDENTIALS)
    harness.fake.trouble = Halt("no key", trouble=Trouble.CREDENTIALS, cure="")
    assert (look(harness), trouble(harness, "crm")) == (1, None)


def test_while_it_is_halted_nothing_is_lifted_by_another_kind_of_news(harness: Harness) -> None:
    """Credits are there; but the key is wrong."""
    halted(harness, "ann", Trouble.CREDENTIALS)
    harness.fake.left = Decimal(1_000_000)
    harness.fake.trouble = Halt("no key", trouble=Trouble.CREDENTIALS, cure="")
    look(harness)
    assert trouble(harness, "ann") is Trouble.CREDENTIALS


# --- CRMs -------------------------------------------------------------------------------------


def test_a_crm_comes_back_when_its_check_passes(harness: Harness) -> None:
    halted(harness, "crm", Trouble.CREDENTIALS)
    harness.crm.fail("check", Retry("busy"))
    assert (look(harness), trouble(harness, "crm")) == (0, Trouble.CREDENTIALS), "not known to be well"
    assert (look(harness), trouble(harness, "crm")) == (1, None)


def test_a_crm_whose_check_finds_an_error_stays_halted(harness: Harness) -> None:
    class Ill(FakeCrm):
        async def check(self, selections):  # type: ignore[no-untyped-def]
            found = await super().check(selections)
            return [replace(found[0], level=Level.ERROR)]

    harness.parts = replace(harness.parts, crms={"crm": Ill("crm")})
    halted(harness, "crm", Trouble.CREDENTIALS)
    assert (look(harness), trouble(harness, "crm")) == (0, Trouble.CREDENTIALS)


def test_a_crm_that_is_well_is_not_asked_again_and_again(harness: Harness) -> None:
    look(harness)
    assert "check" not in harness.crm.calls


# --- counts -----------------------------------------------------------------------------------


def test_counts_reach_the_disk_once_and_are_not_lost_when_they_can_not(harness: Harness) -> None:
    harness.parts.tallies["callbacks_forged"] += 2
    ledger, harness.parts = harness.ledger, replace(harness.parts, ledger=_Full())  # type: ignore[arg-type]
    with pytest.raises(LedgerError):
        harness.run(probe.flush(harness.parts))
    harness.parts = replace(harness.parts, ledger=ledger)
    harness.parts.tallies["callbacks_forged"] += 1
    harness.run(probe.flush(harness.parts))
    harness.run(probe.flush(harness.parts))
    assert harness.tally("callbacks_forged") == 3


class _Full:
    async def write(self, *_: object) -> None:
        raise LedgerError("the disk is full")


# --- the canary -------------------------------------------------------------------------------


def flown(harness: Harness, canary: Canary, *, lands_at: Harness | None = None) -> int:
    """Fly once; the public URL leads to a listener of this harness, or of another one."""

    async def go() -> int:
        async with served(public.application((lands_at or harness).parts, canary)) as line:
            point(harness, f"http://127.0.0.1:{line.port}")
            return await canary.run_once(harness.parts)

    return harness.run(go())


def point(harness: Harness, url: str) -> None:
    """Where callbacks lead."""
    harness.parts = replace(harness.parts, addresses=Addresses(url, [SECRET]))


def test_the_gate_opens_when_the_canary_comes_home(harness: Harness) -> None:
    harness.parts = replace(harness.parts, gate=Gate({("callbacks", ""): Shut(UNTRIED["callbacks"])}))
    bell = harness.parts.bells.bells["dispatch:ann"] = asyncio.Event()
    assert harness.parts.gate.shut, "shut until it was tried"
    assert flown(harness, Canary()) == 1
    assert (harness.parts.gate.shut, bell.is_set()) == ("", True)
    assert trouble(harness, NAME) is None


def test_the_gate_shuts_when_nobody_answers_and_opens_again(harness: Harness) -> None:
    harness.person()
    canary = Canary()
    point(harness, "http://127.0.0.1:9")
    assert harness.run(canary.run_once(harness.parts)) == 0
    assert "could not reach 127.0.0.1: it refused the connection" in harness.parts.gate.shut
    assert trouble(harness, NAME) is Trouble.UNREACHABLE
    assert harness.ask() == 0, "what can't come back is not bought"
    assert flown(harness, canary) == 1
    assert harness.dispatch() == 2
    assert trouble(harness, NAME) is None


def test_an_answer_from_somebody_elses_listener_does_not_count(harness: Harness, tmp_path: Path) -> None:
    """The URL leads to another syncd, or to a page that says 200 to everything."""
    with Harness(tmp_path / "another") as another:
        assert flown(harness, Canary(), lands_at=another) == 0
    assert harness.parts.gate.shut == "callbacks don't arrive here: the public URL answered HTTP 200"


def test_n3_the_canary_goes_by_the_proxy_too(harness: Harness) -> None:
    with proxy() as (way, seen):
        network = Network(proxy=way)
        harness.parts = replace(harness.parts, settings=replace(harness.parts.settings, network=network))
        assert flown(harness, Canary()) == 1
    assert [line.split(" ")[0] for line in seen] == ["POST"]
    assert "/callbacks/canary?" in seen[0]
    assert flown(harness, Canary()) == 0, "the proxy is gone"
    assert f"the proxy {way}: it refused the connection" in harness.parts.gate.shut


def test_bells_ring_for_one_stage_or_for_all_of_a_kind() -> None:
    bells = Bells({name: asyncio.Event() for name in ("dispatch:ann", "dispatch:bob", "inbox")})
    bells.ring("dispatch:bob")
    assert [name for name, bell in bells.bells.items() if bell.is_set()] == ["dispatch:bob"]
    bells.ring("dispatch")
    bells.ring("nobody")
    assert [name for name, bell in bells.bells.items() if bell.is_set()] == ["dispatch:ann", "dispatch:bob"]


def test_tallies_add_up(harness: Harness) -> None:
    def twice(tx: Tx) -> None:
        tx.tally("seen", 0)
        tx.tally("seen", 2)
        tx.tally("seen")

    harness.run(harness.ledger.write(twice))
    assert harness.tally("seen") == 3
