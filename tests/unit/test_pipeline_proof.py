"""Without callbacks, and with callbacks that this host can't try by itself."""

from __future__ import annotations

from dataclasses import replace

from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import Gate
from syncd.pipeline.proof import AGAIN, CALLS, PATIENCE, callbacks_arrive
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .house import EMAIL, UNHEARD, House


def unheard(build: Build) -> House:
    """A provider that only calls back, on a host that can't call itself; nobody is to be reached."""
    house = build(providers=[FakeProvider("zed", capabilities=UNHEARD)])
    callbacks = house.settings.callbacks
    assert callbacks is not None
    quiet = callbacks.model_copy(update={"self_check": False})
    house.parts = replace(house.parts, settings=replace(house.parts.settings, callbacks=quiet))
    return house


def why(house: House) -> str:
    return house.run(callbacks_arrive(house.parts))[0]


def bought(house: House, calls: int) -> None:
    for number in range(calls):
        house.person(f"Ada{number}")
    assert house.ask() >= calls


def look(house: House) -> int:
    return house.run(Canary().run_once(house.parts))


def test_n10_calls_that_nobody_answers_shut_the_gate_and_an_answer_opens_it(build: Build) -> None:
    house = unheard(build)
    bought(house, CALLS)
    assert look(house) == 1, "an answer may still come"
    house.clock.time += PATIENCE + 1
    assert look(house) == 0
    assert house.parts.gate.shut == f"callbacks don't arrive here: none of the last {CALLS} calls of zed was answered"
    house.call_back(house.fake.submitted[-1])
    assert look(house) == 1
    assert house.parts.gate.shut == ""


def test_n10_and_it_is_tried_again_after_a_day(build: Build) -> None:
    house = unheard(build)
    bought(house, CALLS)
    house.clock.time += AGAIN - 1
    assert why(house)
    house.clock.time += 2
    assert why(house) == ""


def test_n10_few_calls_prove_nothing(build: Build) -> None:
    house = unheard(build)
    bought(house, 1)
    house.clock.time += PATIENCE + 1
    assert (why(house) == "") is (len(house.fake.submitted) < CALLS)


def test_n10_who_can_be_polled_needs_no_callbacks(build: Build) -> None:
    house = build()
    house.settings = replace(house.settings, callbacks=None)
    house.reopen()
    house.parts = replace(house.parts, gate=Gate())
    assert not house.parts.gate.is_shut("callbacks")
    house.parts = replace(house.parts, gate=Gate({}))
    ada = house.person()
    house.finds(ada, EMAIL, "ada@acme.example.com")
    house.ask()
    assert {one.callback_url + one.contact_url for one in house.fake.submitted} == {""}
    house.fake.finished.update(one.id for one in house.fake.submitted)
    house.clock.time += 301
    house.sweep()
    house.finish()
    assert house.job(ada) == ("done", "written")


def test_n10_an_address_of_nobody_is_nobody_s(build: Build) -> None:
    assert Addresses("", []).mint("ann", "x", expires=9.0) == ""
    assert Addresses("", []).check("ann", [("a", "x"), ("e", "9"), ("k", ""), ("m", "")], now=0.0) is None
