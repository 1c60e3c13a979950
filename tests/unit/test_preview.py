"""What `syncd plan` says is what `syncd run` does: on random worlds, on the same ledger."""

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from syncd.contract.model import Author, Field, Grade, Identity
from syncd.ledger import reports
from syncd.ledger.reports import PlannedTotal
from syncd.ledger.store import Ledger
from syncd.pipeline.dispatch import PAGE
from syncd.pipeline.forecast import Price, price_of
from syncd.pipeline.preview import preview
from tests.contract.fake_provider import CAPABILITIES, FakeProvider

from .conftest import Build
from .harness import DAY, EMAIL, ONE_BY_ONE, PHONE, Harness, sync_of

NAMES = ("Ada", "Bo", "Cy", "Di", "Ed", "Fi", "Gus", "Hal")


def grow(harness: Harness, rng: random.Random) -> None:
    """People come, change, and are filled; some twice."""
    for _ in range(rng.randint(2, 6)):
        name = rng.choice(NAMES)
        match rng.randrange(6):
            case 0 | 1 | 2:
                harness.person(name, **({"phone": "+442079460123"} if rng.random() < 0.2 else {}))
            case 3 if harness.crm.records:
                chosen = rng.choice(sorted(harness.crm.records))
                harness.crm.edit(chosen, "email", rng.choice(["typed@acme.example.com", ""]), by=rng.choice([*Author]))
            case 4 if harness.crm.records:
                harness.crm.block(rng.choice(sorted(harness.crm.records)), rng.choice([EMAIL, PHONE]), "opted_out")
            case _:
                harness.crm.add(Identity(first_name=name))


def reconfigure(harness: Harness, rng: random.Random) -> None:
    """Another configuration than before, now and then."""
    fields = dict(harness.sync.fields)
    field = rng.choice([EMAIL, PHONE])
    if field in fields:
        order = tuple(rng.sample(["ann", "bob"], rng.randint(1, 2)))
        accept = frozenset(rng.sample([Grade.VALID, Grade.CATCH_ALL, Grade.PROBABLE], rng.randint(1, 3)))
        fields[field] = replace(fields[field], providers=order, accept=accept, refill=rng.random() < 0.5)
    name = rng.choice([harness.sync.name, "people", "humans"])
    harness.reopen(replace(harness.settings, syncs=(replace(harness.sync, name=name, fields=fields),)))
    harness.recover()


def planned(harness: Harness, folder: Path) -> set[tuple[str, Field, str]]:
    """Whom `syncd plan` would ask, on a copy of the ledger."""
    copy = folder / "copy.db"
    copy.unlink(missing_ok=True)
    harness.sql("VACUUM INTO ?", str(copy))
    parts = replace(harness.parts, ledger=Ledger.open(copy))
    try:
        before = harness.run(preview(parts))
        found = harness.run(parts.ledger.read(reports.planned, since_event=before))
        counted = harness.run(parts.ledger.read(reports.planned_totals, since_event=before))
    finally:
        parts.ledger.close()
    assert sum(total.contacts for total in counted) == len(found)
    return {(one.contact, Field(one.field), one.provider) for one in found if one.provider is not None}


def asked(harness: Harness) -> set[tuple[str, Field, str]]:
    """Whom `syncd run` asks now."""
    before = {name: len(fake.submitted) for name, fake in harness.fakes.items()}
    harness.pull()
    moved = 1
    while moved:
        moved = harness.plan() + harness.verify() + sum(harness.dispatch(name) for name in harness.fakes)
    return {
        (str(request.ref), field, name)
        for name, fake in harness.fakes.items()
        for call in fake.submitted[before[name] :]
        for request in call.requests
        for field in request.fields
    }


@pytest.mark.parametrize("seed", range(12))
def test_plan_and_run_agree(build: Build, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    harness = build(providers=[FakeProvider(name, capabilities=ONE_BY_ONE) for name in ("ann", "bob")])
    harness.recover()
    for _ in range(5):
        grow(harness, rng)
        if rng.random() < 0.5:
            reconfigure(harness, rng)
        for contact in harness.crm.records:
            if rng.random() < 0.3:
                grade = rng.choice([Grade.VALID, Grade.CATCH_ALL])
                mail = f"{contact}.{rng.randrange(9)}@acme.example.com"
                harness.finds(contact, EMAIL, mail, grade=grade, by=rng.choice(["ann", "bob"]))
        wanted = planned(harness, tmp_path)
        assert asked(harness) == wanted
        for name in harness.fakes:
            harness.answer_all(name)
        harness.verify()
        harness.finish()
        harness.clock.time += rng.choice([60.0, DAY, 95 * DAY])


def test_the_same_question_on_two_pages_is_asked_once(build: Build, tmp_path: Path) -> None:
    """Nothing but a last name: nobody can say that it is the same person, but it is the very same question."""
    harness = build(
        fields={EMAIL: ["ann"]}, providers=[FakeProvider("ann", capabilities=replace(CAPABILITIES, batch=100))]
    )
    harness.recover()
    harness.crm.add(Identity(last_name="Arnaud"))
    for n in range(PAGE + 20):
        harness.crm.add(Identity(last_name=f"Number {n}"))
    harness.crm.add(Identity(last_name="Arnaud"))
    wanted = planned(harness, tmp_path)
    assert len(wanted) == PAGE + 21
    harness.clock.time += 60
    found = asked(harness)
    harness.clock.time += 60
    assert found | asked(harness) == wanted


# --- what it costs --------------------------------------------------------------------------------


def total(provider: str | None, contacts: int, field: str = "email", reason: str | None = None) -> PlannedTotal:
    return PlannedTotal(sync="people", field=field, provider=provider, reason=reason, contacts=contacts)


PRICES = {"ann": {EMAIL: Decimal(1), PHONE: Decimal(10)}, "bob": {EMAIL: Decimal(2), PHONE: Decimal(5)}}


@pytest.mark.parametrize(
    ("asked", "rates", "price"),
    [
        (total("ann", 100), {}, (100, 300, None)),
        (total("bob", 100), {}, (200, 200, None)),
        (total(None, 100, reason="duplicate_of"), {}, (0, 0, 0)),
        (total("ann", 100), {("ann", "email"): 0.25}, (100, 300, None)),
        (total("ann", 100), {("ann", "email"): 0.25, ("bob", "email"): 0.5}, (100, 300, 100 * (0.25 + 0.75 * 0.5 * 2))),
        (total("ann", 10, "phone"), {("ann", "phone"): 1.0, ("bob", "phone"): 1.0}, (100, 150, 100)),
        (total("zoe", 10), {}, (0, 0, None)),
    ],
)
def test_s14_every_provider_that_may_be_asked_is_reckoned_with(
    asked: PlannedTotal, rates: dict[tuple[str, str], float], price: tuple[float, float, float | None]
) -> None:
    order = {EMAIL: ("ann", "bob"), PHONE: ("ann", "bob")}
    syncs = [sync_of("crm", order)]
    found = price_of(asked, syncs, PRICES, rates)
    assert (float(found.first), float(found.worst)) == price[:2]
    assert (None if found.expected is None else float(found.expected)) == price[2]


def test_s14_the_price_of_all_is_not_known_where_that_of_some_is_not() -> None:
    known, unknown = Price(first=Decimal(1), worst=Decimal(2), expected=Decimal(1)), Price(expected=None)
    assert (known + unknown).expected is None
    assert (known + known).expected == 2


def test_s14_the_share_of_finds_is_known_once_there_are_enough_answers(build: Build) -> None:
    harness = build(fields={EMAIL: ["ann"]})
    for name in ("Ada", "Bo", "Cy", "Di"):
        contact = harness.person(name)
        if name == "Ada":
            harness.finds(contact, EMAIL, "ada@acme.example.com")
    harness.ask()
    harness.answer_all()
    harness.finish()
    assert harness.run(harness.ledger.read(reports.hit_rates, at_least=5)) == {}
    assert harness.run(harness.ledger.read(reports.hit_rates, at_least=4)) == {("ann", "email"): 0.25}


def test_s14_a_preview_of_its_own_is_no_answer(build: Build, tmp_path: Path) -> None:
    """Whoever can't be asked has a result without any question."""
    harness = build(fields={EMAIL: ["ann"]})
    for _ in range(3):
        harness.crm.add(Identity(company="Acme"))
    harness.ask()
    assert harness.sql("SELECT count(*) FROM result") != [(0,)]
    assert harness.run(harness.ledger.read(reports.hit_rates, at_least=1)) == {}
