"""Without callbacks, and with callbacks that this host can't try by itself."""

from __future__ import annotations

from dataclasses import replace

from syncd.pipeline.address import Addresses
from syncd.pipeline.canary import Canary
from syncd.pipeline.gate import Gate
from syncd.pipeline.proof import AGAIN, CALLS, PATIENCE, callbacks_arrive
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, UNHEARD, Harness


def unheard(build: Build) -> Harness:
    """A provider that only calls back, on a host that can't call itself; nobody is to be reached."""
    harness = build(providers=[FakeProvider("zed", capabilities=UNHEARD)])
    callbacks = harness.settings.callbacks
    assert callbacks is not None
    quiet = callbacks.model_copy(update={"self_check": False})
    harness.parts = replace(harness.parts, settings=replace(harness.parts.settings, callbacks=quiet))
    return harness


def why(harness: Harness) -> str:
    return harness.run(callbacks_arrive(harness.parts))[0]


def bought(harness: Harness, calls: int) -> None:
    for number in range(calls):
        harness.person(f"Ada{number}")
    assert harness.ask() >= calls


def look(harness: Harness) -> int:
    return harness.run(Canary().run_once(harness.parts))


def test_n10_calls_that_nobody_answers_shut_the_gate_and_an_answer_opens_it(build: Build) -> None:
    harness = unheard(build)
    bought(harness, CALLS)
    assert look(harness) == 1, "an answer may still come"
    harness.clock.time += PATIENCE + 1
    assert look(harness) == 0
    assert harness.parts.gate.shut == f"callbacks don't arrive here: none of the last {CALLS} calls of zed was answered"
    harness.call_back(harness.fake.submitted[-1])
    assert look(harness) == 1
    assert harness.parts.gate.shut == ""


def test_n10_and_it_is_tried_again_after_a_day(build: Build) -> None:
    harness = unheard(build)
    bought(harness, CALLS)
    harness.clock.time += AGAIN - 1
    assert why(harness)
    harness.clock.time += 2
    assert why(harness) == ""


def test_n10_few_calls_prove_nothing(build: Build) -> None:
    harness = unheard(build)
    bought(harness, 1)
    harness.clock.time += PATIENCE + 1
    assert (why(harness) == "") is (len(harness.fake.submitted) < CALLS)


def test_n10_who_can_be_polled_needs_no_callbacks(build: Build) -> None:
    harness = build()
    harness.settings = replace(harness.settings, callbacks=None)
    harness.reopen()
    harness.parts = replace(harness.parts, gate=Gate())
    assert not harness.parts.gate.is_shut("callbacks")
    harness.parts = replace(harness.parts, gate=Gate({}))
    ada = harness.person()
    harness.finds(ada, EMAIL, "ada@acme.example.com")
    harness.ask()
    assert {one.callback_url + one.contact_url for one in harness.fake.submitted} == {""}
    harness.fake.finished.update(one.id for one in harness.fake.submitted)
    harness.clock.time += 301
    harness.sweep()
    harness.finish()
    assert harness.job(ada) == ("done", "written")


def test_n10_an_address_of_nobody_is_nobody_s(build: Build) -> None:
    assert Addresses("", []).mint("ann", "x", expires=9.0) == ""
    assert Addresses("", []).check("ann", [("a", "x"), ("e", "9"), ("k", ""), ("m", "")], now=0.0) is None
