"""What `syncd plan` says is what `syncd run` does: on random worlds, on the same ledger."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.contract.model import Author, Field, Grade, Identity
from syncd.ledger.store import Ledger
from syncd.pipeline.preview import preview
from tests.contract.fake_provider import FakeProvider

from .conftest import Build
from .house import DAY, EMAIL, ONE_BY_ONE, PHONE, House

NAMES = ("Ada", "Bo", "Cy", "Di", "Ed", "Fi", "Gus", "Hal")


def grow(house: House, rng: random.Random) -> None:
    """People come, change, and are filled; some twice."""
    for _ in range(rng.randint(2, 6)):
        name = rng.choice(NAMES)
        match rng.randrange(6):
            case 0 | 1 | 2:
                house.person(name, **({"phone": "+442079460123"} if rng.random() < 0.2 else {}))
            case 3 if house.crm.records:
                chosen = rng.choice(sorted(house.crm.records))
                house.crm.edit(chosen, "email", rng.choice(["typed@acme.example.com", ""]), by=rng.choice([*Author]))
            case 4 if house.crm.records:
                house.crm.block(rng.choice(sorted(house.crm.records)), rng.choice([EMAIL, PHONE]), "opted_out")
            case _:
                house.crm.add(Identity(first_name=name))


def reconfigure(house: House, rng: random.Random) -> None:
    """Another configuration than before, now and then."""
    fields = dict(house.sync.fields)
    field = rng.choice([EMAIL, PHONE])
    if field in fields:
        order = tuple(rng.sample(["ann", "bob"], rng.randint(1, 2)))
        accept = frozenset(rng.sample([Grade.VALID, Grade.CATCH_ALL, Grade.PROBABLE], rng.randint(1, 3)))
        fields[field] = replace(fields[field], providers=order, accept=accept, refill=rng.random() < 0.5)
    name = rng.choice([house.sync.name, "people", "humans"])
    house.reopen(replace(house.settings, syncs=(replace(house.sync, name=name, fields=fields),)))
    house.recover()


def planned(house: House, folder: Path) -> set[tuple[str, Field, str]]:
    """Whom `syncd plan` would ask, on a copy of the ledger."""
    copy = folder / "copy.db"
    copy.unlink(missing_ok=True)
    house.sql("VACUUM INTO ?", str(copy))
    parts = replace(house.parts, ledger=Ledger.open(copy))
    try:
        found = house.run(preview(parts))
    finally:
        parts.ledger.close()
    return {(one.contact, Field(one.field), one.provider) for one in found if one.provider is not None}


def asked(house: House) -> set[tuple[str, Field, str]]:
    """Whom `syncd run` asks now."""
    before = {name: len(fake.submitted) for name, fake in house.fakes.items()}
    house.pull()
    moved = 1
    while moved:
        moved = house.plan() + house.verify() + sum(house.dispatch(name) for name in house.fakes)
    return {
        (str(request.ref), field, name)
        for name, fake in house.fakes.items()
        for call in fake.submitted[before[name] :]
        for request in call.requests
        for field in request.fields
    }


@pytest.mark.parametrize("seed", range(12))
def test_plan_and_run_agree(build: Build, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    house = build(providers=[FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")])
    house.recover()
    for _ in range(5):
        grow(house, rng)
        if rng.random() < 0.5:
            reconfigure(house, rng)
        for contact in house.crm.records:
            if rng.random() < 0.3:
                grade = rng.choice([Grade.VALID, Grade.CATCH_ALL])
                mail = f"{contact}.{rng.randrange(9)}@acme.example.com"
                house.finds(contact, EMAIL, mail, grade=grade, by=rng.choice(["ann", "bob"]))
        wanted = planned(house, tmp_path)
        assert asked(house) == wanted
        for name in house.fakes:
            house.answer_all(name)
        house.verify()
        house.finish()
        house.clock.time += rng.choice([60.0, DAY, 95 * DAY])
