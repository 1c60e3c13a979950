"""The floor of a balance: no call is made after which less could be left; it goes on by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from syncd.contract.errors import InDoubt
from syncd.contract.model import Field
from syncd.pipeline import probe, room
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .harness import EMAIL, ONE_BY_ONE, PHONE, Harness


def floored(build: Build, floor: int, balance: int | None, *, order: Sequence[Field] = (PHONE,)) -> Harness:
    """Ann is asked; so much is to be left of her balance."""
    harness = build(
        providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], fields={field: ["ann"] for field in order}
    )
    ann = replace(harness.settings.connections["ann"], floor=Decimal(floor))
    harness.reopen(replace(harness.settings, connections={**harness.settings.connections, "ann": ann}))
    for n in range(4):
        harness.finds(harness.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
    look(harness, balance)
    return harness


def look(harness: Harness, balance: int | None) -> None:
    """The balance is read."""
    harness.fake.left = None if balance is None else Decimal(balance)
    harness.run(probe.run_once(harness.parts))


def test_no_call_is_made_after_which_less_than_the_floor_could_be_left(build: Build) -> None:
    harness = floored(build, 200, 225)
    assert harness.ask() == 2
    [told] = harness.conditions("floor")
    assert told.blocks
    assert told.what == "is not asked for now"
    assert told.why == "205 credits are left at worst, and its floor is 200, and the next call may cost 10"
    assert harness.run(room.over_budget(harness.parts)) == {("people", "ann", PHONE)}


def test_it_goes_on_by_itself_once_the_balance_is_higher(build: Build) -> None:
    harness = floored(build, 200, 215)
    assert harness.ask() == 1
    harness.answer_all()
    assert harness.dispatch() == 0, "what was charged is gone from the balance, whenever that is read again"
    look(harness, 205)
    assert harness.dispatch() == 0
    look(harness, 1_000)
    assert harness.dispatch() == 3
    assert harness.conditions("floor") == []


def test_what_turned_out_to_be_free_leaves_room(build: Build) -> None:
    harness = floored(build, 200, 215)
    harness.fake.finds.clear()
    assert harness.ask() == 1
    harness.answer_all()
    assert harness.dispatch() == 1


def test_a_call_in_doubt_counts_with_its_worst_case(build: Build) -> None:
    harness = floored(build, 200, 222)
    harness.fake.refusals.append(InDoubt("cut off"))
    harness.ask()
    for _ in range(3):
        harness.clock.time += 3_600
        look(harness, 222)
        harness.dispatch()
    assert len(harness.fake.accepted) == 2


def test_what_is_cheap_enough_goes_on(build: Build) -> None:
    harness = floored(build, 200, 204, order=(PHONE, EMAIL))
    harness.ask()
    assert [field for (field,) in harness.sql("SELECT job.field FROM attempt JOIN job ON job.id = job_id")] == [
        "email"
    ] * 4


@pytest.mark.parametrize(("floor", "balance"), [(200, None), (0, 1_000)])
def test_where_no_balance_is_known_or_nothing_is_to_be_left_nothing_is_held_up(
    build: Build, floor: int, balance: int | None
) -> None:
    assert floored(build, floor, balance).ask() == 4
