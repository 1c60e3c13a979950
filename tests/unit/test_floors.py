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
from .house import EMAIL, ONE_BY_ONE, PHONE, House


def floored(build: Build, floor: int, balance: int | None, *, order: Sequence[Field] = (PHONE,)) -> House:
    """Ann is asked; so much is to be left of her balance."""
    house = build(providers=[FakeProvider("ann", capabilities=ONE_BY_ONE)], fields={field: ["ann"] for field in order})
    ann = replace(house.settings.connections["ann"], floor=Decimal(floor))
    house.reopen(replace(house.settings, connections={**house.settings.connections, "ann": ann}))
    for n in range(4):
        house.finds(house.person(f"Ada{n}"), PHONE, f"+3363998001{n}")
    look(house, balance)
    return house


def look(house: House, balance: int | None) -> None:
    """The balance is read."""
    house.fake.left = None if balance is None else Decimal(balance)
    house.run(probe.run_once(house.parts))


def test_no_call_is_made_after_which_less_than_the_floor_could_be_left(build: Build) -> None:
    house = floored(build, 200, 225)
    assert house.ask() == 2
    [told] = house.conditions("floor")
    assert told.blocks
    assert told.what == "is not asked for now"
    assert told.why == "205 credits are left at worst, and its floor is 200, and the next call may cost 10"
    assert house.run(room.over_budget(house.parts)) == {("people", "ann", PHONE)}


def test_it_goes_on_by_itself_once_the_balance_is_higher(build: Build) -> None:
    house = floored(build, 200, 215)
    assert house.ask() == 1
    house.answer_all()
    assert house.dispatch() == 0, "what was charged is gone from the balance, whenever that is read again"
    look(house, 205)
    assert house.dispatch() == 0
    look(house, 1_000)
    assert house.dispatch() == 3
    assert house.conditions("floor") == []


def test_what_turned_out_to_be_free_leaves_room(build: Build) -> None:
    house = floored(build, 200, 215)
    house.fake.finds.clear()
    assert house.ask() == 1
    house.answer_all()
    assert house.dispatch() == 1


def test_a_call_in_doubt_counts_with_its_worst_case(build: Build) -> None:
    house = floored(build, 200, 222)
    house.fake.refusals.append(InDoubt("cut off"))
    house.ask()
    for _ in range(3):
        house.clock.time += 3_600
        look(house, 222)
        house.dispatch()
    assert len(house.fake.accepted) == 2


def test_what_is_cheap_enough_goes_on(build: Build) -> None:
    house = floored(build, 200, 204, order=(PHONE, EMAIL))
    house.ask()
    assert [field for (field,) in house.sql("SELECT job.field FROM attempt JOIN job ON job.id = job_id")] == [
        "email"
    ] * 4


@pytest.mark.parametrize(("floor", "balance"), [(200, None), (0, 1_000)])
def test_where_no_balance_is_known_or_nothing_is_to_be_left_nothing_is_held_up(
    build: Build, floor: int, balance: int | None
) -> None:
    assert floored(build, floor, balance).ask() == 4
